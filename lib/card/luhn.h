#ifndef KEEPSAKE_CARD_LUHN_H
#define KEEPSAKE_CARD_LUHN_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Whether ${text} is ${len} decimal digits, the last of them the right check
 * digit: counted from the right, each second digit is doubled and the digits
 * of what that gives are added; the sum of all is a multiple of 10.
 *
 * text  has ${len} bytes at least; what follows them is not looked at
 *
 * Source: ISO/IEC 7812-1 annex B, the Luhn formula.
 */
bool luhn_check(const char *text, size_t len);

#endif
