/* A program's own file, which is in no library. */
#include "../../client/cli/identity.c"

#include "fuzz.h"

/*
 * The file that says what a terminal is told apart by.
 *
 * Must hold: there is a reason, with its line, exactly where it is refused;
 * what is read is text that fits, and digits where it is to be.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct identity identity;
	struct identity_fault fault;
	enum status st = identity_parse(&identity, slice_of(data, len), &fault);

	must((st == STATUS_OK) == !fault.why);
	if (st != STATUS_OK) {
		must(fault.line > 0);
		return 0;
	}
	must(text_is_clean(slice_text(identity.serial)));
	must(
	    identity.imei[0] == '\0' || imei_check(identity.imei) == STATUS_OK);
	must(strspn(identity.imsi, "0123456789") == strlen(identity.imsi));
	return 0;
}
