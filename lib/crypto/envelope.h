#ifndef KEEPSAKE_CRYPTO_ENVELOPE_H
#define KEEPSAKE_CRYPTO_ENVELOPE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/opaque.h"
#include "crypto/seal.h"

/*
 * What passes between a terminal and auth through a gateway that must not
 * see it.
 *
 * Before a login an envelope: the request is sealed to auth's X25519 key,
 *
 *   ephemeral X25519 public key (32)  sealed (crypto/seal.h)
 *
 * and the reply is sealed back, without that first part.  Both keys are
 * those of libsodium's crypto_kx, the terminal being its client.  The
 * terminal knows that only auth can have replied; auth does not know who
 * asked.
 *
 * After a login the OPAQUE session key seals, under a key for each way and
 * purpose.
 *
 * The associated data is the caller's: request id and message type, so that
 * a gateway cannot put one message in another's place.
 */

#define ENVELOPE_PUBLIC_BYTES 32
#define ENVELOPE_SECRET_BYTES 32

#define ENVELOPE_REQUEST_BYTES(plain_len) \
	(ENVELOPE_PUBLIC_BYTES + SEALED_BYTES(plain_len))
#define ENVELOPE_REQUEST_EXTRA_BYTES    ENVELOPE_REQUEST_BYTES(0)
#define ENVELOPE_REPLY_BYTES(plain_len) SEALED_BYTES(plain_len)

/** Seals the reply to one request: secret, wiped by its holder. */
struct envelope_reply_key {
	uint8_t bytes[SEAL_KEY_BYTES];
};

/**
 * Terminal: seal a request to auth.
 *
 * out          the caller's, ENVELOPE_REQUEST_BYTES(plain.len)
 * reply_out    opens the reply
 * auth_public  auth's X25519 key as the enrolment string pins it
 *
 * STATUS_OK         ${out} may be sent
 * STATUS_MALFORMED  ${auth_public} is a point that makes no secret
 */
enum status envelope_request_seal(uint8_t *out,
    struct envelope_reply_key *reply_out,
    const uint8_t auth_public[static ENVELOPE_PUBLIC_BYTES], struct slice plain,
    struct slice associated);

/**
 * Auth: open a request.
 *
 * out        the caller's, sealed.len - ENVELOPE_REQUEST_EXTRA_BYTES
 * reply_out  seals the reply
 *
 * STATUS_OK         ${out} is the plaintext
 * STATUS_MALFORMED  too short, or a public key that makes no secret
 * STATUS_DENIED     not sealed to this key, or changed, or other associated
 *                   data
 */
enum status envelope_request_open(uint8_t *out,
    struct envelope_reply_key *reply_out,
    const uint8_t auth_public[static ENVELOPE_PUBLIC_BYTES],
    const uint8_t auth_secret[static ENVELOPE_SECRET_BYTES],
    struct slice sealed, struct slice associated);

/** Auth: seal the reply into ${out}, ENVELOPE_REPLY_BYTES(plain.len). */
void envelope_reply_seal(uint8_t *out, const struct envelope_reply_key *key,
    struct slice plain, struct slice associated);

/** Terminal: open it, sealed.len - SEAL_EXTRA_BYTES; as seal_open. */
enum status envelope_reply_open(uint8_t *out,
    const struct envelope_reply_key *key, struct slice sealed,
    struct slice associated);

/** Which way a sealed part goes. */
enum session_way { SESSION_TO_AUTH, SESSION_TO_TERMINAL };

/**
 * Seal under the session key of a login.
 *
 * out    the caller's, SEALED_BYTES(plain.len)
 * label  the purpose, a word
 *
 * The key is HKDF-Expand(session_key, "keepsake session to auth " or
 * "keepsake session to terminal ", then the label; 32 bytes), SHA-512.
 */
void session_seal(uint8_t *out,
    const uint8_t session_key[static OPAQUE_KEY_BYTES], enum session_way way,
    const char *label, struct slice plain, struct slice associated);

/** Open it, sealed.len - SEAL_EXTRA_BYTES; results as seal_open. */
enum status session_open(uint8_t *out,
    const uint8_t session_key[static OPAQUE_KEY_BYTES], enum session_way way,
    const char *label, struct slice sealed, struct slice associated);

#endif
