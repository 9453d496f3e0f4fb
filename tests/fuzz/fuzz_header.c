#include "bus/header.h"
#include "fuzz.h"

/*
 * The header of every message, from any terminal.
 *
 * Must hold: what is taken for a header packs within HEADER_BYTES_MAX, and
 * unpacks from that to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct header first, second;
	struct bytes packed = { 0 }, again = { 0 };

	if (header_unpack(&first, slice_of(data, len)) != STATUS_OK)
		return 0;
	must(header_pack(&packed, &first) == STATUS_OK);
	must(packed.len <= HEADER_BYTES_MAX);
	must(header_unpack(&second, bytes_slice(&packed)) == STATUS_OK);
	must(header_pack(&again, &second) == STATUS_OK);
	must(slice_equal(bytes_slice(&packed), bytes_slice(&again)));
	bytes_clear(&packed);
	bytes_clear(&again);
	return 0;
}
