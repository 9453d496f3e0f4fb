/* The text of a key file, without the file. */
#include "../../lib/bus/keys.c"

#include "fuzz.h"

/*
 * A CURVE key file.
 *
 * Must hold: a key that is accepted can be written and read again, to the
 * same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t first[CURVE_KEY_BYTES], second[CURVE_KEY_BYTES];
	struct bytes file = { 0 }, again = { 0 };

	must(bytes_copy(&file, slice_of(data, len)) == STATUS_OK);
	if (key_parse(first, &file) == STATUS_OK) {
		must(key_format(&again, first) == STATUS_OK);
		must(key_parse(second, &again) == STATUS_OK);
		must(memcmp(first, second, sizeof(first)) == 0);
	}
	bytes_clear(&file);
	bytes_clear(&again);
	return 0;
}
