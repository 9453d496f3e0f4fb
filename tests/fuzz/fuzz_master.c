/* The text of a master key file, without the file. */
#include "../../lib/service/master.c"

#include "fuzz.h"

/*
 * Must hold: there is a key at least in what is accepted, and it can be
 * written and read again, to the same; what is not has a reason.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct master first = { 0 }, second = { 0 };
	char text[FILE_BYTES_MAX + 1];
	const char *why = NULL;

	enum status st = parse(&first, slice_of(data, len), &why);
	must(why);
	if (st == STATUS_OK) {
		must(first.count > 0 && first.count <= MASTER_KEYS_MAX);
		size_t text_len = format(text, &first, first.count);
		must(parse(&second, slice_of(text, text_len), &why) ==
		     STATUS_OK);
		must(memcmp(&first, &second, sizeof(first)) == 0);
	}
	return 0;
}
