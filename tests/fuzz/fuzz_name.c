#include "../../services/auth/name.h"

#include "base/text.h"
#include "fuzz.h"

/*
 * A login name as a person writes it.
 *
 * Must hold: there is a reason where it is refused, and the canonical form
 * is clean text and its own canonical form.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct name name, again;
	const char *why = NULL;

	if (name_parse(&name, slice_of(data, len), &why) != STATUS_OK) {
		must(why);
		return 0;
	}
	struct slice text = slice_of(name.text, name.len);
	must(name.len > 0 && name.len <= NAME_BYTES_MAX);
	must(strlen(name.text) == name.len && text_is_clean(text));
	must(name_parse(&again, text, &why) == STATUS_OK);
	must(again.kind == name.kind);
	must(slice_equal(text, slice_of(again.text, again.len)));
	return 0;
}
