#include "service/verify.h"

#include <string.h>

#include "base/util.h"
#include "chunk.h"
#include "dispatch.h"
#include "store_db.h"

/* Proving that what the store has is whole: see service/verify.h. */

static const char *check_refs(
    struct verify *self, const struct chunk *chunk, struct slice blob)
{
	struct chunk_id id;
	struct chunk found;

	for (uint32_t i = 0; i < chunk->refs_count; i++) {
		memcpy(id.bytes,
		    blob.data + chunk->sealed_bytes +
			(size_t)i * CHUNK_ID_BYTES,
		    CHUNK_ID_BYTES);
		if (store_db_chunk(self->db, &self->account, &id, &found) ==
		    STATUS_NOT_FOUND)
			return "a chunk that it refers to is missing";
	}
	return NULL;
}

static const char *check_chunk(
    struct verify *self, struct slice key, struct slice value)
{
	const char *why = NULL;
	struct chunk chunk, is;
	struct bytes blob = { 0 };

	if (key.len != CHUNK_ID_BYTES ||
	    store_db_chunk_unpack(&chunk, value) != STATUS_OK)
		return "it does not unpack";
	enum status st =
	    db_blob_get(self->db, &self->account, chunk.sequence, &blob);
	is = chunk;
	if (st == STATUS_OK)
		chunk_set_hash(&is, bytes_slice(&blob));
	if (st == STATUS_NOT_FOUND)
		why = "its bytes are missing";
	else if (st != STATUS_OK)
		why = "its bytes cannot be read";
	else if (blob.len != store_db_blob_bytes(&chunk) ||
		 memcmp(is.hash, chunk.hash, CHUNK_HASH_BYTES) != 0)
		why = "its bytes are not as they were written";
	else
		why = check_refs(self, &chunk, bytes_slice(&blob));
	self->blobs++;
	self->blob_bytes += blob.len;
	bytes_clear(&blob);
	return why;
}

static const char *check_snapshot(
    struct verify *self, struct slice key, struct slice value)
{
	struct snapshot snapshot;
	struct chunk root;

	if (store_db_snapshot_unpack(&snapshot, key, value) != STATUS_OK)
		return "it does not unpack";
	if (store_db_chunk(self->db, &self->account, &snapshot.root, &root) !=
	    STATUS_OK)
		return "its root is missing";
	return root.node ? NULL : "its root is no node";
}

static const char *check_lease(
    struct verify *self, struct slice key, struct slice value)
{
	struct lease lease;

	(void)self;
	return store_db_lease_unpack(&lease, key, value) == STATUS_OK
		   ? NULL
		   : "it does not unpack";
}

static const char *check_usage(
    struct verify *self, struct slice key, struct slice value)
{
	struct usage usage;

	(void)self;
	(void)key;
	return store_db_usage_unpack(&usage, value) == STATUS_OK
		   ? NULL
		   : "it does not unpack";
}

/* clang-format off */
static const struct verify_table tables[] = {
	{ STORE_TABLE_CHUNKS,    "chunks",    false, check_chunk },
	{ STORE_TABLE_LEASES,    "leases",    false, check_lease },
	{ STORE_TABLE_SNAPSHOTS, "snapshots", false, check_snapshot },
	{ STORE_TABLE_USAGE,     "usage",     false, check_usage },
};
/* clang-format on */
const struct verify_tables store_verify = { tables, nitems(tables) };
