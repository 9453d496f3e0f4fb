#ifndef KEEPSAKE_CRYPTO_AUTH_KEYS_H
#define KEEPSAKE_CRYPTO_AUTH_KEYS_H

#include <stdint.h>

#include "base/status.h"
#include "crypto/envelope.h"
#include "crypto/opaque.h"
#include "crypto/seal.h"
#include "crypto/ticket.h"

/*
 * All of auth's long-term keys, derived from one secret seed.  Who loses the
 * seed loses every account, so it is what an operator keeps a copy of.
 *
 * Each is HKDF-Expand(HKDF-Extract("", seed), "keepsake auth " and its name)
 * with SHA-512: changing a name changes the key.
 */

#define AUTH_SEED_BYTES 32

struct auth_keys {
	struct opaque_server opaque;
	uint8_t x25519_public[ENVELOPE_PUBLIC_BYTES];
	uint8_t x25519_secret[ENVELOPE_SECRET_BYTES];
	uint8_t ticket_public[TICKET_PUBLIC_BYTES];
	uint8_t ticket_secret[TICKET_SECRET_BYTES];
	uint8_t cookie_key[KEY_BYTES]; /* seals what a client carries for us */
	uint8_t names_key[KEY_BYTES];  /* HMAC of names that are not known */
	uint8_t fake_record[OPAQUE_RECORD_BYTES]; /* and their record */
};

/**
 * Derive the keys into secret memory.
 *
 * STATUS_OK        ${keys_out} is the caller's
 * STATUS_NO_SPACE  the arena is full
 */
enum status auth_keys_new(
    struct auth_keys **keys_out, const uint8_t seed[static AUTH_SEED_BYTES]);

/** Wipe and release ${self_p}, and leave NULL; NULL is fine. */
void auth_keys_destroy(struct auth_keys **self_p);

/** The public halves, for services, gateways and the enrolment string. */
struct auth_public {
	uint8_t x25519[ENVELOPE_PUBLIC_BYTES];
	uint8_t opaque[OPAQUE_PUBLIC_BYTES];
	uint8_t ticket[TICKET_PUBLIC_BYTES];
};

void auth_keys_public(struct auth_public *out, const struct auth_keys *self);

#define AUTH_PUBLIC_TEXT_BYTES 256 /* with its NUL */

/** Write ${keys} as a public file has them: three lines "name=hex". */
void auth_public_format(char text_out[static AUTH_PUBLIC_TEXT_BYTES],
    const struct auth_public *keys);

/**
 * Read such a file's text: the same three lines in the same order, the last
 * newline optional.
 *
 * why_out  what is wrong, for people; static; NULL when nothing is
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  as ${why_out} says; ${out} is untouched
 */
enum status auth_public_parse(
    struct auth_public *out, const char *text, const char **why_out);

#endif
