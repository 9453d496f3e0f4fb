#ifndef KEEPSAKE_CARD_IMEI_H
#define KEEPSAKE_CARD_IMEI_H

#include "base/status.h"

#define IMEI_DIGITS 15 /* TAC 8, serial number 6, check digit 1 */

/**
 * Whether ${text} is an IMEI: exactly IMEI_DIGITS decimal digits, nothing
 * around or between them, the last of them the right check digit.  An
 * IMEISV, 16 digits without a check digit, is none.
 *
 * STATUS_OK         it is
 * STATUS_MALFORMED  another length, another character, another check digit
 *
 * Source: 3GPP TS 23.003 clause 6.2.1 (composition) and annex B (check
 * digit: the Luhn formula over all digits, doubling every second one).
 */
enum status imei_check(const char *text);

#endif
