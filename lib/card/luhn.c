#include "card/luhn.h"

bool luhn_check(const char *text, size_t len)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		unsigned int digit = (unsigned int)(text[i] - '0');
		/* The check digit, the last one, is the first from the
		 * right, and is not doubled. */
		if ((len - i) % 2 == 0)
			digit = digit * 2 / 10 + digit * 2 % 10;
		sum += digit;
	}
	return len > 0 && sum % 10 == 0;
}
