/* What is inside the seal can only be reached from within. */
#include "../../services/auth/grant_db.c"

#include "fuzz.h"

/*
 * A row of a grant, as if auth had sealed these bytes.
 *
 * Must hold: what is read gives no more than can be given, and is written
 * again to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct id terminal = { { 7 } };
	Common__Direction directions[GRANT_DIRECTIONS_MAX];
	uint8_t again[GRANT_BYTES];
	struct grant grant;

	if (grant_parse(&grant, &terminal, slice_of(data, len)) != STATUS_OK)
		return 0;
	size_t count = grant_directions(directions, &grant);
	must(count > 0 && count <= GRANT_DIRECTIONS_MAX);
	must(!grant_allows(&grant, DIRECTION_DOWNLOAD));
	must(!grant_allows(&grant, DIRECTION_MANAGE));
	grant_format(again, &grant);
	must(slice_equal(slice_of(data, len), slice_of(again, sizeof(again))));
	return 0;
}
