#ifndef KEEPSAKE_CRYPTO_OPAQUE_H
#define KEEPSAKE_CRYPTO_OPAQUE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/oprf.h"

/*
 * OPAQUE-3DH: the proof of a password that the server never holds.
 * RFC 9807 with ristretto255, SHA-512, HKDF and HMAC; names follow the
 * RFC's.  Registration:
 *
 *   terminal                                      auth
 *   opaque_registration_start  -- request  --->   opaque_registration_respond
 *   opaque_registration_finish <-- response ---
 *                              -- record   --->   opaque_record_check, keep
 *
 * and login:
 *
 *   opaque_login_start         -- KE1 -------->   opaque_login_respond
 *   opaque_login_finish        <-- KE2 --------
 *                              -- KE3 -------->   opaque_login_check
 *
 * A password is any bytes; crypto/code.h makes them from a code's factors.
 * Every output is secret unless it stands above an arrow.  Nothing here
 * keeps a pointer.
 */

#define OPAQUE_NONCE_BYTES    32 /* Nn */
#define OPAQUE_SEED_BYTES     32 /* Nseed, of a key pair */
#define OPAQUE_PUBLIC_BYTES   32 /* Npk */
#define OPAQUE_SECRET_BYTES   32 /* Nsk */
#define OPAQUE_MAC_BYTES      64 /* Nm */
#define OPAQUE_KEY_BYTES      64 /* Nx: session, export and masking key */
#define OPAQUE_ENVELOPE_BYTES (OPAQUE_NONCE_BYTES + OPAQUE_MAC_BYTES)

/* Messages and the record, RFC 9807 clauses 5.1, 6.1 and 6.3.1 */
#define OPAQUE_REQUEST_BYTES  32
#define OPAQUE_RESPONSE_BYTES 64
#define OPAQUE_RECORD_BYTES   192
#define OPAQUE_KE1_BYTES      96
#define OPAQUE_KE2_BYTES      320
#define OPAQUE_KE3_BYTES      64

/**
 * The key stretching function: ${in} to ${out}.
 *
 * STATUS_OK        done
 * STATUS_NO_SPACE  no memory for it now
 */
typedef enum status opaque_stretch_fn(uint8_t out[static OPRF_OUTPUT_BYTES],
    const uint8_t in[static OPRF_OUTPUT_BYTES]);

/** What both sides must agree on. */
struct opaque_parameters {
	struct slice context;         /* at most 65535 bytes */
	struct slice client_identity; /* likewise; empty: the public key */
	struct slice server_identity; /* likewise */
	opaque_stretch_fn *stretch;   /* the client's work */
};

/**
 * Keepsake's: empty context, identities by default, and Argon2id (RFC 9106)
 * with 64 MiB, t = 3, p = 1, a salt of 16 zero bytes, 64 bytes of output.
 */
extern const struct opaque_parameters opaque_keepsake;

/** The server's long-term keys; see crypto/auth_keys.h. */
struct opaque_server {
	uint8_t oprf_seed[64];
	uint8_t secret_key[OPAQUE_SECRET_BYTES];
	uint8_t public_key[OPAQUE_PUBLIC_BYTES];
};

/** DeriveDiffieHellmanKeyPair, clause 6.4.1.1: a pair from a seed. */
void opaque_key_pair(uint8_t secret_out[static OPAQUE_SECRET_BYTES],
    uint8_t public_out[static OPAQUE_PUBLIC_BYTES],
    const uint8_t seed[static OPAQUE_SEED_BYTES]);

/* The client.  It holds these structs in secret memory between two calls. */

struct opaque_registration {
	uint8_t blind[OPRF_SCALAR_BYTES];
};

struct opaque_login {
	uint8_t blind[OPRF_SCALAR_BYTES];
	uint8_t secret[OPAQUE_SECRET_BYTES]; /* of this login's key share */
	uint8_t ke1[OPAQUE_KE1_BYTES];
};

/**
 * Begin to register ${password}.
 *
 * STATUS_OK         ${request_out} may be sent
 * STATUS_MALFORMED  a password of more than OPRF_INPUT_BYTES_MAX
 */
enum status opaque_registration_start(struct opaque_registration *state,
    uint8_t request_out[static OPAQUE_REQUEST_BYTES], struct slice password);

/**
 * Make the record from the server's answer.
 *
 * server_public  the server's public key as the enrolment string pins it
 * password       the same again
 *
 * STATUS_OK         ${record_out} may be sent, sealed, for it holds a key
 *                   that unmasks later logins; ${export_key_out} is the
 *                   client's alone
 * STATUS_MALFORMED  the answer's length or point
 * STATUS_DENIED     the answer is not from the pinned server
 * STATUS_NO_SPACE   no memory to stretch the password
 */
enum status opaque_registration_finish(
    uint8_t record_out[static OPAQUE_RECORD_BYTES],
    uint8_t export_key_out[static OPAQUE_KEY_BYTES],
    const struct opaque_registration *state,
    const struct opaque_parameters *parameters,
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    struct slice password, struct slice response);

/** Begin a login: KE1.  Errors as opaque_registration_start. */
enum status opaque_login_start(struct opaque_login *state,
    uint8_t ke1_out[static OPAQUE_KE1_BYTES], struct slice password);

/** What a login gives the client. */
struct opaque_login_keys {
	uint8_t session_key[OPAQUE_KEY_BYTES]; /* the server has it too */
	uint8_t export_key[OPAQUE_KEY_BYTES];  /* as at the registration */
};

/**
 * Check the server's KE2 and answer it.
 *
 * STATUS_OK         ${ke3_out} may be sent; ${keys_out} is filled
 * STATUS_MALFORMED  the answer's length or a point in it
 * STATUS_DENIED     a wrong password, an unknown account, or not the
 *                   pinned server: one answer for all, nothing to send
 * STATUS_NO_SPACE   no memory to stretch the password
 */
enum status opaque_login_finish(uint8_t ke3_out[static OPAQUE_KE3_BYTES],
    struct opaque_login_keys *keys_out, const struct opaque_login *state,
    const struct opaque_parameters *parameters,
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    struct slice password, struct slice ke2);

/* The server. */

/**
 * Answer a registration request.
 *
 * credential_id  the account's id, or another name that never changes: the
 *                login must give the same
 *
 * STATUS_OK         ${response_out} may be sent
 * STATUS_MALFORMED  the request's length or point
 */
enum status opaque_registration_respond(
    uint8_t response_out[static OPAQUE_RESPONSE_BYTES],
    const struct opaque_server *server, struct slice credential_id,
    struct slice request);

/**
 * Whether a record that came with a registration can be kept.
 *
 * STATUS_OK         it can
 * STATUS_MALFORMED  its length, or its public key is no point to work with
 */
enum status opaque_record_check(struct slice record);

/**
 * The record that stands in for the one that an unknown name has not,
 * clause 6.3.2.2: no password opens it, and opaque_login_respond works on it
 * as on any other.  The same for the same ${seed}, which the server keeps.
 */
void opaque_fake_record(uint8_t record_out[static OPAQUE_RECORD_BYTES],
    const uint8_t seed[static OPAQUE_SEED_BYTES]);

/** What the server keeps of a login between KE2 and KE3: secret. */
struct opaque_expected {
	uint8_t client_mac[OPAQUE_MAC_BYTES];
	uint8_t session_key[OPAQUE_KEY_BYTES]; /* believe it after KE3 only */
};

/**
 * Whether opaque_login_respond can answer KE1.
 *
 * STATUS_OK         it can
 * STATUS_MALFORMED  its length, or a point in it
 */
enum status opaque_ke1_check(struct slice ke1);

/**
 * Answer KE1.
 *
 * credential_id  as at the registration; for an unknown name, the same one
 *                each time
 * record         as the client sent it, or a fake one
 *
 * STATUS_OK         ${ke2_out} may be sent (count the try first: with it the
 *                   client can tell whether its guess was right); ${expected}
 *                   is filled
 * STATUS_MALFORMED  length of KE1 or record, or a point in them
 */
enum status opaque_login_respond(uint8_t ke2_out[static OPAQUE_KE2_BYTES],
    struct opaque_expected *expected,
    const struct opaque_parameters *parameters,
    const struct opaque_server *server, struct slice credential_id,
    struct slice record, struct slice ke1);

/**
 * Check the client's proof, in constant time.
 *
 * STATUS_OK         the password was right: the session key holds
 * STATUS_DENIED     it was not
 * STATUS_MALFORMED  the length of KE3
 */
enum status opaque_login_check(
    const struct opaque_expected *expected, struct slice ke3);

#endif
