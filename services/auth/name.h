#ifndef KEEPSAKE_AUTH_NAME_H
#define KEEPSAKE_AUTH_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/seal.h"

/*
 * Login names (A-01).  Each has one canonical form, by which two of them are
 * compared.  A name is personal data: it is never logged, and never stored
 * but as its keyed hash.
 */

#define NAME_TEXT_BYTES_MAX 512 /* as somebody wrote it */
#define NAME_BYTES_MAX      254 /* canonical; RFC 5321 clause 4.5.3.1.3 */
#define NAME_HASH_BYTES     KEY_BYTES

#define PHONE_DIGITS_MIN 7
#define PHONE_DIGITS_MAX 15 /* ITU-T E.164 clause 6 */

#define EMAIL_LOCAL_BYTES_MAX 64 /* RFC 5321 clause 4.5.3.1.1 */
#define EMAIL_LABEL_BYTES_MAX 63 /* RFC 1035 clause 2.3.4 */

#define NICKNAME_LETTERS_MIN 3 /* code points */
#define NICKNAME_LETTERS_MAX 64

/** Stored: append, never renumber. */
enum name_kind {
	NAME_PHONE = 1,    /* "+" and digits */
	NAME_EMAIL = 2,    /* local part "@" domain */
	NAME_NICKNAME = 3, /* letters, digits, "." "_" "-"; a letter first */
};

/** A canonical name.  To be wiped after use. */
struct name {
	enum name_kind kind;
	size_t len;
	char text[NAME_BYTES_MAX + 1]; /* UTF-8, with a NUL */
};

/**
 * Read a name as somebody wrote it.  A phone number loses its spaces, dashes
 * and parentheses; the others get NFC and case folding.
 *
 * text     UTF-8, without a NUL at its end
 * why_out  what is wrong, for people; static; says nothing of ${text}
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  none of the three kinds; ${out} is wiped
 */
enum status name_parse(
    struct name *out, struct slice text, const char **why_out);

/**
 * Whether a name of ${kind} reaches its owner by itself, so that nobody
 * else may learn whether it is taken.
 */
bool name_is_address(enum name_kind kind);

/** What stands for a name in the database: a hash under auth's names key. */
void name_hash(uint8_t out[static NAME_HASH_BYTES], const struct name *name,
    const uint8_t names_key[static KEY_BYTES]);

/**
 * The account that a name seems to have when it has none: the same each
 * time, and nobody's.
 */
void name_unknown_account(struct id *out, const struct name *name,
    const uint8_t names_key[static KEY_BYTES]);

#endif
