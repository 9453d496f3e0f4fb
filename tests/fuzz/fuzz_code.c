#include "crypto/code.h"

#include "crypto/arena.h"
#include "fuzz.h"

#define ARENA_BYTES 16384

/*
 * The factors of an authentication code: a byte for the set, then each with
 * its length, two bytes, before it.
 *
 * Must hold: what makes a code makes it again, and only from a set and
 * values within their bounds.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	struct slice input = slice_of(data, len);
	struct code_factors factors = { .set = take_byte(&input) };
	struct code *first = NULL, *second = NULL;

	if (!ready)
		must(arena_open(ARENA_BYTES) == STATUS_OK);
	ready = true;
	factors.password = take(&input, take_16(&input));
	factors.serial = take(&input, take_16(&input));
	factors.imei = take(&input, take_16(&input));
	factors.imsi = input;
	enum status st = code_new(&first, &factors);
	must(st != STATUS_NO_SPACE);
	if (st != STATUS_OK)
		return 0;
	must(code_set_valid(factors.set));
	must(code_new(&second, &factors) == STATUS_OK);
	must(code_text(first).len > 0);
	must(slice_equal(code_text(first), code_text(second)));
	code_destroy(&first);
	code_destroy(&second);
	return 0;
}
