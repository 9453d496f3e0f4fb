#include "card/imei.h"

#include <string.h>

#include "card/luhn.h"

enum status imei_check(const char *text)
{
	if (strlen(text) != IMEI_DIGITS || !luhn_check(text, IMEI_DIGITS))
		return STATUS_MALFORMED;
	return STATUS_OK;
}
