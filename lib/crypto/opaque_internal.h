#ifndef KEEPSAKE_CRYPTO_OPAQUE_INTERNAL_H
#define KEEPSAKE_CRYPTO_OPAQUE_INTERNAL_H

#include <stddef.h>

#include "crypto/opaque.h"

/*
 * For lib/crypto/opaque*.c and its test only: the messages as structs, what
 * both sides compute, and each call that draws random numbers in a form
 * that takes them, so that the RFC's vectors can be checked.
 */

/* Messages and records are byte arrays in a row: a struct has no gaps. */

struct opaque_envelope {
	uint8_t nonce[OPAQUE_NONCE_BYTES];
	uint8_t tag[OPAQUE_MAC_BYTES];
};

struct opaque_record {
	uint8_t client_public[OPAQUE_PUBLIC_BYTES];
	uint8_t masking_key[OPAQUE_KEY_BYTES];
	struct opaque_envelope envelope;
};

struct opaque_response {
	uint8_t evaluated[OPRF_POINT_BYTES];
	uint8_t server_public[OPAQUE_PUBLIC_BYTES];
};

struct opaque_ke1 {
	uint8_t blinded[OPRF_POINT_BYTES];
	uint8_t nonce[OPAQUE_NONCE_BYTES];
	uint8_t keyshare[OPAQUE_PUBLIC_BYTES];
};

struct opaque_masked {
	uint8_t server_public[OPAQUE_PUBLIC_BYTES];
	struct opaque_envelope envelope;
};

struct opaque_ke2 {
	uint8_t evaluated[OPRF_POINT_BYTES];
	uint8_t masking_nonce[OPAQUE_NONCE_BYTES];
	struct opaque_masked masked;
	uint8_t nonce[OPAQUE_NONCE_BYTES];
	uint8_t keyshare[OPAQUE_PUBLIC_BYTES];
	uint8_t mac[OPAQUE_MAC_BYTES]; /* over all that went before */
};

_Static_assert(sizeof(struct opaque_record) == OPAQUE_RECORD_BYTES, "record");
_Static_assert(
    sizeof(struct opaque_response) == OPAQUE_RESPONSE_BYTES, "response");
_Static_assert(sizeof(struct opaque_ke1) == OPAQUE_KE1_BYTES, "KE1");
_Static_assert(sizeof(struct opaque_ke2) == OPAQUE_KE2_BYTES, "KE2");

/**
 * XOR the pad of clauses 6.3.2.2 and 6.3.2.3 over ${masked}: masks what is
 * plain, unmasks what is masked.
 */
void opaque_mask(struct opaque_masked *masked,
    const uint8_t masking_key[static OPAQUE_KEY_BYTES],
    const uint8_t masking_nonce[static OPAQUE_NONCE_BYTES]);

/** ${chosen}, or ${public_key} where none was chosen. */
struct slice opaque_identity(
    struct slice chosen, const uint8_t public_key[static OPAQUE_PUBLIC_BYTES]);

/** The three secrets of 3DH in the order of clause 6.4.3. */
struct opaque_shared {
	uint8_t dh1[OPRF_POINT_BYTES]; /* both key shares */
	uint8_t dh2[OPRF_POINT_BYTES]; /* server's key, client's key share */
	uint8_t dh3[OPRF_POINT_BYTES]; /* server's key share, client's key */
};

/** What follows from them and from all that was said. */
struct opaque_schedule {
	uint8_t server_mac[OPAQUE_MAC_BYTES];
	uint8_t client_mac[OPAQUE_MAC_BYTES];
	uint8_t session_key[OPAQUE_KEY_BYTES];
};

/** Preamble, DeriveKeys and both MACs, clauses 6.4.2 to 6.4.4. */
void opaque_schedule_derive(struct opaque_schedule *out,
    const struct opaque_shared *shared,
    const struct opaque_parameters *parameters,
    const uint8_t client_public[static OPAQUE_PUBLIC_BYTES],
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    const struct opaque_ke1 *ke1, const struct opaque_ke2 *ke2);

/** The identity stretching function, for the RFC's vectors only. */
enum status opaque_stretch_identity(uint8_t out[static OPRF_OUTPUT_BYTES],
    const uint8_t in[static OPRF_OUTPUT_BYTES]);

/* The public calls, with the random numbers as the argument after the state. */

enum status opaque_registration_start_with(struct opaque_registration *state,
    const uint8_t blind[static OPRF_SCALAR_BYTES],
    uint8_t request_out[static OPAQUE_REQUEST_BYTES], struct slice password);

enum status opaque_registration_finish_with(
    uint8_t record_out[static OPAQUE_RECORD_BYTES],
    uint8_t export_key_out[static OPAQUE_KEY_BYTES],
    const struct opaque_registration *state,
    const uint8_t envelope_nonce[static OPAQUE_NONCE_BYTES],
    const struct opaque_parameters *parameters,
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    struct slice password, struct slice response);

struct opaque_client_random {
	uint8_t blind[OPRF_SCALAR_BYTES];
	uint8_t nonce[OPAQUE_NONCE_BYTES];
	uint8_t keyshare_seed[OPAQUE_SEED_BYTES];
};

enum status opaque_login_start_with(struct opaque_login *state,
    const struct opaque_client_random *random,
    uint8_t ke1_out[static OPAQUE_KE1_BYTES], struct slice password);

struct opaque_server_random {
	uint8_t masking_nonce[OPAQUE_NONCE_BYTES];
	uint8_t nonce[OPAQUE_NONCE_BYTES];
	uint8_t keyshare_seed[OPAQUE_SEED_BYTES];
};

enum status opaque_login_respond_with(uint8_t ke2_out[static OPAQUE_KE2_BYTES],
    struct opaque_expected *expected, const struct opaque_server_random *random,
    const struct opaque_parameters *parameters,
    const struct opaque_server *server, struct slice credential_id,
    struct slice record, struct slice ke1);

#endif
