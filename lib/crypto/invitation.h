#ifndef KEEPSAKE_CRYPTO_INVITATION_H
#define KEEPSAKE_CRYPTO_INVITATION_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * A one-time code that a person reads on one screen and types on another
 * nine random characters and one to check them, 45 bits, written
 *
 *   7QK3M-X0HFS
 *
 * The characters are 0-9 and A-Z without I, L, O and U.  As numbers c0 to c9
 * of GF(32), x^5 + x^2 + 1, with a = 2, they add up so that
 *
 *   ((c0 a + c1) a + ... + c8) a + c9 = 0
 *
 * so one wrong character, or two that changed places, are noticed.
 */

#define INVITATION_CODE_BYTES 10 /* without the dash */
#define INVITATION_TEXT_BYTES 12 /* with it, and a NUL */

/** Make one; to be wiped after use. */
void invitation_make(char text_out[static INVITATION_TEXT_BYTES]);

/**
 * Read one as a person wrote it: small letters, an O for a zero, an I or an L
 * for a one, spaces and dashes anywhere.
 *
 * out  its characters, as in INVITATION_CODE_BYTES
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  other characters, more or fewer, or the check fails
 */
enum status invitation_read(
    uint8_t out[static INVITATION_CODE_BYTES], struct slice text);

#endif
