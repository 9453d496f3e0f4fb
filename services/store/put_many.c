#include "put_many.h"

#include <string.h>

/* Whether the last of ${count} has the id of an earlier one. */
static bool is_repeated(const struct sealed_chunk *chunks, size_t count)
{
	const struct chunk_id *last = &chunks[count - 1].id;

	for (size_t i = 0; i + 1 < count; i++)
		if (memcmp(&chunks[i].id, last, sizeof(*last)) == 0)
			return true;
	return false;
}

enum status put_many_read(struct sealed_chunk *out, size_t *count_out,
    struct slice ids, struct slice pages, struct slice payload, size_t *at_out,
    const char **detail_out)
{
	size_t count = ids.len / CHUNK_ID_BYTES, used = 0;

	*at_out = 0;
	*detail_out = "chunk_ids: not 32 bytes for each chunk";
	if (count == 0 || ids.len % CHUNK_ID_BYTES != 0)
		return STATUS_MALFORMED;
	*detail_out = "chunk_ids: more than 64 of them";
	if (count > PUT_MANY_MAX)
		return STATUS_TOO_LARGE;
	*detail_out = "pages: not a byte for each chunk";
	if (pages.len != count)
		return STATUS_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		size_t len = (size_t)pages.data[i] * PAGE_BYTES;
		*at_out = i + 1;
		*detail_out = "pages: not in 1 to 64";
		if (len == 0 || len - PAGE_HEAD_BYTES > BLOB_BYTES_MAX)
			return STATUS_MALFORMED;
		len -= PAGE_HEAD_BYTES;
		*detail_out = "the payload ends before it does";
		if (len > payload.len - used)
			return STATUS_MALFORMED;
		memcpy(out[i].id.bytes, ids.data + i * CHUNK_ID_BYTES,
		    CHUNK_ID_BYTES);
		out[i].sealed = slice_of(payload.data + used, len);
		used += len;
		*detail_out = "its id is that of another one here";
		if (is_repeated(out, i + 1))
			return STATUS_MALFORMED;
	}
	*at_out = 0;
	*detail_out = "payload: longer than its chunks";
	if (used != payload.len)
		return STATUS_MALFORMED;
	*count_out = count;
	return STATUS_OK;
}
