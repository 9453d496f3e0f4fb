#include "card/iccid.h"

#include "fuzz.h"

/* With any one digit changed it is none. */
static void check_each_digit(const char *text)
{
	char changed[ICCID_DIGITS_MAX + 1];

	strcpy(changed, text);
	for (size_t i = 0; changed[i] != '\0'; i++) {
		char digit = changed[i];
		must(digit >= '0' && digit <= '9');
		changed[i] = (char)('0' + (digit - '0' + 1) % 10);
		must(iccid_check(changed) == STATUS_MALFORMED);
		changed[i] = digit;
	}
}

/*
 * The contents of EF_ICCID as a card has them, or an ICCID as a person or a
 * terminal gives it.
 *
 * Must hold: it is 19 or 20 digits, one changed digit is found, and what a
 * card has is what is written for its digits.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = text_of(slice_of(data, len));
	char digits[ICCID_DIGITS_MAX + 1];
	uint8_t card[ICCID_BYTES];

	if (iccid_decode(digits, slice_of(data, len)) == STATUS_OK) {
		check_each_digit(digits);
		must(iccid_encode(card, digits) == STATUS_OK);
		must(memcmp(card, data, ICCID_BYTES) == 0);
	}
	if (iccid_check(text) == STATUS_OK) {
		must(strlen(text) >= ICCID_DIGITS_MIN &&
		     strlen(text) <= ICCID_DIGITS_MAX);
		check_each_digit(text);
		must(iccid_encode(card, text) == STATUS_OK);
		must(iccid_decode(digits, slice_of(card, sizeof(card))) ==
		     STATUS_OK);
		must(strcmp(digits, text) == 0);
	}
	free(text);
	return 0;
}
