/* The reader of its file is its own. */
#include "../../client/lib/tool_lock.c"

#include "fuzz.h"

/*
 * The file that checks the tool's password.
 *
 * Must hold: what is read is one line with a NUL within its room.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct verifier verifier;

	if (verifier_parse(&verifier, slice_of(data, len)) != STATUS_OK)
		return 0;
	must(memchr(verifier.text, '\0', sizeof(verifier.text)));
	must(!strchr(verifier.text, '\n'));
	must(strlen(verifier.text) == len - 1);
	return 0;
}
