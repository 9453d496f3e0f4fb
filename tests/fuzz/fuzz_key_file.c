#include "grant_file.h"
#include "local_keys.h"

#include "fuzz.h"

/*
 * The files of a terminal's privileged place: a local key, a grant.
 *
 * Must hold: what is read is written again to the same bytes; what is not,
 * leaves nothing behind.
 */
static void local(struct slice input)
{
	static const struct local_key none;
	uint8_t again[LOCAL_KEY_FILE_BYTES];
	struct local_key key;

	if (local_key_parse(&key, input) == STATUS_OK) {
		local_key_format(again, &key);
		must(slice_equal(input, slice_of(again, sizeof(again))));
	} else {
		must(memcmp(&key, &none, sizeof(key)) == 0);
	}
}

static void granted(struct slice input)
{
	static struct grant grant;
	static const uint8_t none[sizeof(grant)];

	if (grant_parse(&grant, input) == STATUS_OK)
		must(!grant.keys.may_read);
	else
		must(memcmp(&grant, none, sizeof(grant)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	local(slice_of(data, len));
	granted(slice_of(data, len));
	return 0;
}
