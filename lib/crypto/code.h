#ifndef KEEPSAKE_CRYPTO_CODE_H
#define KEEPSAKE_CRYPTO_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * An authentication code is any non-empty combination of factors.
 * What OPAQUE calls the password is this text, UTF-8 without a NUL at its
 * end: for each factor that the code has, in the order password, serial,
 * imei, imsi,
 *
 *   name-length ":" name value-length ":" value
 *
 * with nothing between or around.  Lengths count bytes of UTF-8, in decimal
 * without leading zeros.  Password and serial number are normalised to NFC
 * (Unicode Standard Annex 15); nothing is trimmed or folded.  So a password
 * "swordfish" with the IMEI 490154203237518 is
 *
 *   8:password9:swordfish4:imei15:490154203237518
 */

/* Factors as bits of a set.  On the wire and stored: never renumber. */
#define CODE_PASSWORD 1u /* text, 1 to 1024 bytes, also after NFC */
#define CODE_SERIAL   2u /* text, 1 to 256 bytes, likewise */
#define CODE_IMEI     4u /* 15 digits: TS 23.003 clause 6.2.1 */
#define CODE_IMSI     8u /* 6 to 15 digits: TS 23.003 clause 2.2 */
#define CODE_ALL      15u

#define CODE_PASSWORD_BYTES_MAX 1024
#define CODE_SERIAL_BYTES_MAX   256
#define CODE_IMEI_BYTES         15
#define CODE_IMSI_BYTES_MIN     6
#define CODE_IMSI_BYTES_MAX     15

/** What was collected; a value that ${set} does not name is not looked at. */
struct code_factors {
	unsigned int set;
	struct slice password;
	struct slice serial;
	struct slice imei;
	struct slice imsi;
};

/** Whether ${set} is one that a code may have: known factors, at least one. */
bool code_set_valid(unsigned int set);

/** Whether ${set} has identifiers but no secret, which A-02 restricts. */
bool code_set_identifier_only(unsigned int set);

/** The text made from a code's factors, in secret memory. */
struct code;

/**
 * Build the text.  Takes up to 6 KiB of the arena, and keeps 1.5 of them.
 *
 * STATUS_OK         ${code_out} is the caller's
 * STATUS_MALFORMED  no factor or an unknown one; a value that is empty, not
 *                   UTF-8, has a NUL, or does not fit its factor
 * STATUS_TOO_LARGE  password or serial number past its bound
 * STATUS_NO_SPACE   the arena is full
 */
enum status code_new(
    struct code **code_out, const struct code_factors *factors);

/** The text; good until ${self} is destroyed. */
struct slice code_text(const struct code *self);

/** Wipe and release ${self_p}, and leave NULL; NULL is fine. */
void code_destroy(struct code **self_p);

#endif
