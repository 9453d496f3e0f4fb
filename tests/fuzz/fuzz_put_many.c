#include "../../services/store/put_many.h"

#include "fuzz.h"

/*
 * A PUT_MANY: how long the payload is (three bytes), how many bytes of pages,
 * these, and the ids.
 *
 * Must hold: the chunks lie in the payload one after the other and are all of
 * it, no id is there twice, and a refusal has a reason.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t payload[PAYLOAD_BYTES_MAX];
	struct sealed_chunk chunks[PUT_MANY_MAX];
	struct slice input = slice_of(data, len);
	const char *detail = NULL;
	size_t count = 0, at = 0, used = 0;

	size_t payload_len = (size_t)take_byte(&input) << 16;
	payload_len = (payload_len | take_16(&input)) % (sizeof(payload) + 1);
	struct slice pages = take(&input, take_byte(&input));
	enum status st = put_many_read(chunks, &count, input, pages,
	    slice_of(payload, payload_len), &at, &detail);
	if (st != STATUS_OK) {
		must(st == STATUS_MALFORMED || st == STATUS_TOO_LARGE);
		must(detail && at <= PUT_MANY_MAX);
		return 0;
	}
	must(count > 0 && count <= PUT_MANY_MAX);
	for (size_t i = 0; i < count; i++) {
		must(chunks[i].sealed.data == payload + used);
		must(
		    (chunks[i].sealed.len + PAGE_HEAD_BYTES) % PAGE_BYTES == 0);
		used += chunks[i].sealed.len;
		for (size_t k = 0; k < i; k++)
			must(memcmp(&chunks[i].id, &chunks[k].id,
				 sizeof(chunks[i].id)) != 0);
	}
	must(used == payload_len);
	return 0;
}
