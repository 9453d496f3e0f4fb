#ifndef KEEPSAKE_CRYPTO_TICKET_H
#define KEEPSAKE_CRYPTO_TICKET_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * A ticket: auth's signed word that one terminal has proved itself
 * for one direction.  Every service checks it for itself.  Big-endian,
 *
 *   version (1)  direction (1)  account (16)  terminal (16)  peer (32)
 *   issued (8)  expiry (8)  nonce (16)
 *   Ed25519 signature over all of that (64)
 */

#define TICKET_VERSION         1
#define TICKET_PEER_BYTES      32
#define TICKET_NONCE_BYTES     16
#define TICKET_SIGNED_BYTES    98
#define TICKET_SIGNATURE_BYTES 64
#define TICKET_BYTES           (TICKET_SIGNED_BYTES + TICKET_SIGNATURE_BYTES)
#define TICKET_PUBLIC_BYTES    32 /* Ed25519 */
#define TICKET_SECRET_BYTES    64 /* libsodium's: seed and public key */

/** What a proof was for.  Signed and stored: append, never renumber. */
enum direction {
	DIRECTION_NONE = 0,
	DIRECTION_UPLOAD = 1,
	DIRECTION_DOWNLOAD = 2,
	DIRECTION_MANAGE = 3,
	DIRECTION_BIND = 4, /* change or remove a binding */
	DIRECTION_REPORT = 5,
	DIRECTION_ENROL = 6, /* bind a terminal that is free */
	DIRECTION_NOTICES = 7,
	DIRECTION_COUNT
};

/** The word of ${direction} for logs and JSON; static, never NULL. */
const char *direction_word(enum direction direction);

struct ticket {
	enum direction direction;
	struct id account;
	struct id terminal;
	uint8_t peer[TICKET_PEER_BYTES]; /* the terminal's CURVE public key */
	uint64_t issued_ms;              /* wall time */
	uint64_t expiry_ms;              /* wall time */
	uint8_t nonce[TICKET_NONCE_BYTES];
};

/** Encode and sign ${ticket}; TICKET_VERSION goes in by itself. */
void ticket_sign(uint8_t out[static TICKET_BYTES], const struct ticket *ticket,
    const uint8_t secret_key[static TICKET_SECRET_BYTES]);

/**
 * Check and read a ticket, at the wall time ${now_ms}.  The caller compares
 * direction, account and peer with what it is about to do.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  not TICKET_BYTES long; ${out} untouched
 * STATUS_DENIED     not signed by auth; ${out} untouched
 * STATUS_VERSION    auth's, but of a version or for a direction that this
 *                   code does not know; ${out} untouched
 * STATUS_EXPIRED    over, or from the future, by more than TICKET_SKEW_MS;
 *                   ${out} is filled
 */
enum status ticket_open(struct ticket *out, struct slice signed_bytes,
    const uint8_t public_key[static TICKET_PUBLIC_BYTES], uint64_t now_ms);

/*
 * The tickets lately found to be signed by auth, so that each signature is
 * checked once.  A bounded number; a newer ticket may push out an older one,
 * which is then checked again.  Not thread-safe.
 */
struct ticket_cache;

/** A cache for tickets under ${public_key}; NULL when there is no memory. */
struct ticket_cache *ticket_cache_new(
    const uint8_t public_key[static TICKET_PUBLIC_BYTES]);

/** Free ${self_p} and leave NULL; NULL is fine. */
void ticket_cache_destroy(struct ticket_cache **self_p);

/** As ticket_open; the time is checked each time. */
enum status ticket_cache_open(struct ticket_cache *self, struct ticket *out,
    struct slice signed_bytes, uint64_t now_ms);

#endif
