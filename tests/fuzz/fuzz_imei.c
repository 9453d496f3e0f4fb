#include "card/imei.h"

#include "fuzz.h"

/*
 * An IMEI as a terminal or a person gives it.
 *
 * Must hold: it is 15 digits, and with any one of them changed it is none.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = text_of(slice_of(data, len));

	if (imei_check(text) != STATUS_OK)
		goto out;
	must(strlen(text) == IMEI_DIGITS);
	for (size_t i = 0; i < IMEI_DIGITS; i++) {
		char digit = text[i];
		must(digit >= '0' && digit <= '9');
		text[i] = (char)('0' + (digit - '0' + 1) % 10);
		must(imei_check(text) == STATUS_MALFORMED);
		text[i] = digit;
	}
out:
	free(text);
	return 0;
}
