#ifndef KEEPSAKE_CRYPTO_OPRF_H
#define KEEPSAKE_CRYPTO_OPRF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * Oblivious pseudorandom function: the client learns F(key, input), the
 * server learns nothing.  Mode 0 (OPRF) of RFC 9497 with the ciphersuite
 * ristretto255-SHA512, clause 4.1; names follow the RFC's.
 *
 * Every function that takes a point refuses, as MALFORMED, one that is not
 * canonical, not on the group, or the identity.
 */

#define OPRF_POINT_BYTES     32 /* Noe, an encoded ristretto255 element */
#define OPRF_SCALAR_BYTES    32 /* Ns, little-endian, below the group order */
#define OPRF_OUTPUT_BYTES    64 /* Nh */
#define OPRF_SEED_BYTES      32 /* of oprf_key_derive */
#define OPRF_INPUT_BYTES_MAX 65535

/** Whether ${point} is a canonical encoding and not the identity. */
bool oprf_point_valid(const uint8_t point[static OPRF_POINT_BYTES]);

/** A random scalar, never zero. */
void oprf_scalar_random(uint8_t scalar_out[static OPRF_SCALAR_BYTES]);

/**
 * DeriveKeyPair, clause 3.2.1: the same pair for the same seed and purpose.
 *
 * public_out  NULL where only the secret is wanted
 * info        the purpose, at most 65535 bytes
 */
void oprf_key_derive(uint8_t secret_out[static OPRF_SCALAR_BYTES],
    uint8_t *public_out, const uint8_t seed[static OPRF_SEED_BYTES],
    struct slice info);

/**
 * Client: Blind, clause 3.3.1, with the given ${blind}.
 *
 * STATUS_OK         ${blinded_out} may go to the server
 * STATUS_MALFORMED  an input of more than OPRF_INPUT_BYTES_MAX, or one of
 *                   the inputs, unknown to anybody, that no blind can hide
 */
enum status oprf_blind(uint8_t blinded_out[static OPRF_POINT_BYTES],
    const uint8_t blind[static OPRF_SCALAR_BYTES], struct slice input);

/** Server: BlindEvaluate, clause 3.3.1.  MALFORMED for a bad point. */
enum status oprf_evaluate(uint8_t evaluated_out[static OPRF_POINT_BYTES],
    const uint8_t secret[static OPRF_SCALAR_BYTES],
    const uint8_t blinded[static OPRF_POINT_BYTES]);

/**
 * Client: Finalize, clause 3.3.1, with the blind and input of oprf_blind.
 * MALFORMED for a bad point or too long an input.
 */
enum status oprf_finalize(uint8_t output_out[static OPRF_OUTPUT_BYTES],
    const uint8_t blind[static OPRF_SCALAR_BYTES], struct slice input,
    const uint8_t evaluated[static OPRF_POINT_BYTES]);

#endif
