#ifndef KEEPSAKE_CARD_ICCID_H
#define KEEPSAKE_CARD_ICCID_H

#include <stdint.h>

#include "base/bytes.h"

/*
 * The number of a card, ICCID.  The standard has at most 19 digits with the
 * check digit; cards with 20 are as common.  Both kinds end in a check digit,
 * and it is not known from a card's digits alone which kind it is: the text
 * is kept as the card has it.
 *
 * Source: ITU-T E.118 clause 4 (composition, check digit: the Luhn formula).
 */

#define ICCID_DIGITS_MIN 19
#define ICCID_DIGITS_MAX 20
#define ICCID_BYTES      10 /* of EF_ICCID */

/**
 * Whether ${text} is an ICCID: 19 or 20 decimal digits, nothing around or
 * between them, the last of them the right check digit.
 *
 * STATUS_OK         it is
 * STATUS_MALFORMED  another length, another character, another check digit
 */
enum status iccid_check(const char *text);

/**
 * Write ${text} as the card has it: two digits in each byte, the first in the
 * low half; 0xF in the last half where there are 19.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  no ICCID; ${out} is untouched
 *
 * Source: ETSI TS 102 221 clause 13.2 (EF_ICCID).
 */
enum status iccid_encode(uint8_t out[static ICCID_BYTES], const char *text);

/**
 * Read what a card has.
 *
 * out     the digits, with a NUL
 * record  the contents of EF_ICCID
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  not 10 bytes, or no ICCID; ${out} is untouched
 */
enum status iccid_decode(
    char out[static ICCID_DIGITS_MAX + 1], struct slice record);

#endif
