#include "chunk.h"

#include <string.h>
#include <xxhash.h>

_Static_assert(sizeof(XXH128_canonical_t) == CHUNK_HASH_BYTES, "XXH3-128");

bool chunk_length_is_valid(size_t len)
{
	return len > 0 && len <= BLOB_BYTES_MAX &&
	       (len + PAGE_HEAD_BYTES) % PAGE_BYTES == 0;
}

enum status chunk_add_ref(struct chunk *node, const struct chunk *ref)
{
	uint64_t chunks = ref->node ? ref->data_chunks : 1;
	uint64_t bytes = ref->node ? ref->data_bytes : ref->sealed_bytes;

	if (node->data_chunks > UINT64_MAX - chunks ||
	    node->data_bytes > UINT64_MAX - bytes)
		return STATUS_TOO_LARGE;
	node->data_chunks += chunks;
	node->data_bytes += bytes;
	return STATUS_OK;
}

void chunk_set_hash(struct chunk *self, struct slice blob)
{
	XXH128_canonical_t hash;

	XXH128_canonicalFromHash(&hash, XXH3_128bits(blob.data, blob.len));
	memcpy(self->hash, hash.digest, CHUNK_HASH_BYTES);
}

bool chunk_is_whole(const struct chunk *self, struct slice blob)
{
	struct chunk found = { 0 };

	if (blob.len != store_db_blob_bytes(self))
		return false;
	chunk_set_hash(&found, blob);
	return memcmp(found.hash, self->hash, CHUNK_HASH_BYTES) == 0;
}
