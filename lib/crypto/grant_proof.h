#ifndef KEEPSAKE_CRYPTO_GRANT_PROOF_H
#define KEEPSAKE_CRYPTO_GRANT_PROOF_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/ticket.h"

/*
 * How a terminal with a standing grant proves itself: an Ed25519
 * signature (RFC 8032, libsodium's crypto_sign_detached) over
 *
 *   "keepsake grant"  0x00  challenge (32)  direction (1)  account (16)
 *   terminal (16)  CURVE key of the connection (32)
 *
 * so that it is good for one challenge, one direction and one terminal.
 */

#define GRANT_PUBLIC_BYTES    32
#define GRANT_SEED_BYTES      32
#define GRANT_SIGNATURE_BYTES 64
#define GRANT_CHALLENGE_BYTES 32

/** What is signed. */
struct grant_claim {
	uint8_t challenge[GRANT_CHALLENGE_BYTES];
	enum direction direction;
	struct id account;
	struct id terminal;
	uint8_t peer[TICKET_PEER_BYTES];
};

/** The public key that belongs to ${seed}, which is random and secret. */
void grant_public_key(uint8_t out[static GRANT_PUBLIC_BYTES],
    const uint8_t seed[static GRANT_SEED_BYTES]);

/**
 * Whether a public key off the wire may be kept.
 *
 * STATUS_OK         it is one
 * STATUS_MALFORMED  another length, or no point of the right order
 */
enum status grant_public_check(struct slice key);

/** Sign ${claim}. */
void grant_sign(uint8_t out[static GRANT_SIGNATURE_BYTES],
    const struct grant_claim *claim,
    const uint8_t seed[static GRANT_SEED_BYTES]);

/**
 * Check ${signature} of ${claim}.
 *
 * STATUS_OK      it is right
 * STATUS_DENIED  it is not, or of another length
 */
enum status grant_verify(const struct grant_claim *claim,
    const uint8_t key[static GRANT_PUBLIC_BYTES], struct slice signature);

#endif
