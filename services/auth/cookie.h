#ifndef KEEPSAKE_AUTH_COOKIE_H
#define KEEPSAKE_AUTH_COOKIE_H

#include "base/bytes.h"
#include "bus/header.h"
#include "crypto/seal.h"

/*
 * What auth must remember between the first and the last message of an
 * exchange travels with the terminal, sealed, so that a restart between the
 * two, or a repeat of the last, does no harm.  A cookie is good for one
 * purpose, for the peer it was given to, and for a time.
 */

enum cookie_purpose {
	COOKIE_REGISTRATION = 1,
	COOKIE_LOGIN = 2,
	COOKIE_VERIFICATION = 3,
	COOKIE_CODE = 4,
	COOKIE_GRANT = 5,
};

/**
 * Seal ${content}, which is a struct as this program has it in memory.
 *
 * out  the caller's; replaced
 *
 * STATUS_OK        ${out} may be given away
 * STATUS_NO_SPACE  no memory
 */
enum status cookie_seal(struct bytes *out, const uint8_t key[static KEY_BYTES],
    enum cookie_purpose purpose, const struct peer *peer, struct slice content);

/**
 * Open a cookie.
 *
 * content  the caller's, ${len} bytes; to be wiped after use
 *
 * STATUS_OK        ${content} is as it was sealed
 * STATUS_DENIED    none of ours, for another purpose, or another peer's
 * STATUS_EXPIRED   its time is over
 * STATUS_NO_SPACE  no memory
 */
enum status cookie_open(void *content, size_t len,
    const uint8_t key[static KEY_BYTES], enum cookie_purpose purpose,
    const struct peer *peer, struct slice cookie);

#endif
