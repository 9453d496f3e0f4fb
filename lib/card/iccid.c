#include "card/iccid.h"

#include <string.h>

#include "card/luhn.h"

#define FILLER 0xf /* a half byte without a digit */

enum status iccid_check(const char *text)
{
	size_t len = strlen(text);

	if (len < ICCID_DIGITS_MIN || len > ICCID_DIGITS_MAX ||
	    !luhn_check(text, len))
		return STATUS_MALFORMED;
	return STATUS_OK;
}

enum status iccid_encode(uint8_t out[static ICCID_BYTES], const char *text)
{
	enum status st = iccid_check(text);

	if (st != STATUS_OK)
		return st;
	for (size_t i = 0; i < ICCID_BYTES; i++) {
		unsigned int low = (unsigned int)(text[2 * i] - '0');
		unsigned int high = FILLER;
		if (text[2 * i + 1] != '\0')
			high = (unsigned int)(text[2 * i + 1] - '0');
		out[i] = (uint8_t)(high << 4 | low);
	}
	return STATUS_OK;
}

enum status iccid_decode(
    char out[static ICCID_DIGITS_MAX + 1], struct slice record)
{
	char text[ICCID_DIGITS_MAX + 1] = "";

	if (record.len != ICCID_BYTES)
		return STATUS_MALFORMED;
	for (size_t i = 0; i < ICCID_DIGITS_MAX; i++) {
		unsigned int half = i % 2 == 0 ? record.data[i / 2] & 0xf
					       : record.data[i / 2] >> 4;
		/* A filler ends the text, so it may only be the last half;
		 * all else that is no digit does not pass the check. */
		if (half == FILLER && i == ICCID_DIGITS_MAX - 1)
			break;
		text[i] = (char)('0' + half);
	}
	enum status st = iccid_check(text);
	if (st == STATUS_OK)
		memcpy(out, text, sizeof(text));
	return st;
}
