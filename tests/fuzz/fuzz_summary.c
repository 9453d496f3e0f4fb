/* What is inside the seal can only be reached from within. */
#include "../../client/lib/summary.c"

#include "fuzz.h"

/*
 * What is inside the sealed summary of a snapshot, as if the account had
 * sealed these bytes.
 *
 * Must hold: what is accepted can be written and read again, to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct summary first, second;
	struct bytes packed = { 0 }, again = { 0 };
	struct slice input = slice_of(data, len);

	if (summary_unpack(&first, input) != STATUS_OK)
		return 0;
	must(summary_pack(&first, &packed) == STATUS_OK);
	must(packed.len <= SNAPSHOT_SEALED_SUMMARY_BYTES_MAX);
	must(summary_unpack(&second, bytes_slice(&packed)) == STATUS_OK);
	must(summary_pack(&second, &again) == STATUS_OK);
	must(slice_equal(bytes_slice(&packed), bytes_slice(&again)));
	bytes_clear(&packed);
	bytes_clear(&again);
	return 0;
}
