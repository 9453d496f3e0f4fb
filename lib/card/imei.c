#include "card/imei.h"

#include <string.h>

enum status imei_check(const char *text)
{
	unsigned int sum = 0;

	if (strlen(text) != IMEI_DIGITS)
		return STATUS_MALFORMED;
	for (unsigned int i = 0; i < IMEI_DIGITS; i++) {
		if (text[i] < '0' || text[i] > '9')
			return STATUS_MALFORMED;
		unsigned int digit = (unsigned int)(text[i] - '0');
		/* Counted from the right, the check digit being the first,
		 * each second one is doubled and its digits are added. */
		if (i % 2 == 1)
			digit = digit * 2 / 10 + digit * 2 % 10;
		sum += digit;
	}
	return sum % 10 == 0 ? STATUS_OK : STATUS_MALFORMED;
}
