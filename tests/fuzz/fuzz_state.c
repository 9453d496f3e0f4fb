/* The reader of its files is the state's own. */
#include "../../client/lib/state.c"

#include "fuzz.h"

/*
 * The text files of a terminal's state folder.
 *
 * Must hold: a value that is found has no line end and fits its place.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const fields[] = { "name", "verifier", "asked" };
	struct bytes text = { 0 };
	char value[64];
	struct id id;

	if (memchr(data, '\0', len))
		return 0; /* read_text refuses it */
	must(bytes_copy(&text, slice_of(data, len)) == STATUS_OK);
	must(bytes_append(&text, slice_of("", 1)) == STATUS_OK);
	for (size_t i = 0; i < nitems(fields); i++)
		if (text_field(&text, fields[i], value, sizeof(value)) ==
		    STATUS_OK)
			must(strlen(value) < sizeof(value) &&
			     !strchr(value, '\n'));
	id_field(&text, "account", &id);
	bytes_clear(&text);
	return 0;
}
