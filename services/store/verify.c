#include "service/verify.h"

#include <string.h>

#include "base/util.h"
#include "chunk.h"
#include "dispatch.h"
#include "health_db.h"
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

	if (store_db_lease_unpack(&lease, key, value) != STATUS_OK)
		return "it does not unpack";
	return verify_has_row(self, STORE_TABLE_LEASE_IDS,
		   slice_of(lease.id.bytes, ID_BYTES))
		   ? NULL
		   : "the row of its id is missing";
}

/* ---- tables that have one row an account ---- */

static const char *unpacked(struct slice key, enum status st)
{
	if (!slice_equal(key, slice_text(STORE_ONLY_ROW)))
		return "its key is none";
	return st == STATUS_OK ? NULL : "it does not unpack";
}

static const char *check_usage(
    struct verify *self, struct slice key, struct slice value)
{
	struct usage usage;

	(void)self;
	return unpacked(key, store_db_usage_unpack(&usage, value));
}

static const char *check_swept(
    struct verify *self, struct slice key, struct slice value)
{
	struct db_account account;
	uint64_t swept;

	(void)value;
	const char *why =
	    unpacked(key, store_db_swept(self->db, &self->account, &swept));
	if (why)
		return why;
	return db_account_get(self->db, &self->account, &account) ==
			   STATUS_OK &&
		       swept <= account.generation
		   ? NULL
		   : "it is of a generation that has not come";
}

static const char *check_ordinal(
    struct verify *self, struct slice key, struct slice value)
{
	uint64_t last, highest;

	(void)value;
	const char *why = unpacked(
	    key, store_db_last_ordinal(self->db, &self->account, &last));
	if (why)
		return why;
	return store_db_highest_snapshot(self->db, &self->account, &highest) ==
			   STATUS_OK &&
		       highest <= last
		   ? NULL
		   : "a snapshot has a higher one";
}

/* ---- what the store knows of its own health ---- */

static const char *check_damage(
    struct verify *self, struct slice key, struct slice value)
{
	struct damage damage;

	if (key.len != CHUNK_ID_BYTES ||
	    health_db_damage_unpack(&damage, value) != STATUS_OK)
		return "it does not unpack";
	return damage.kind == DAMAGE_LIST ||
		       verify_has_row(self, STORE_TABLE_CHUNKS, key)
		   ? NULL
		   : "the chunk that it is of is missing";
}

static const char *check_damage_told(
    struct verify *self, struct slice key, struct slice value)
{
	uint64_t told_ms;

	(void)self;
	return unpacked(key, health_db_told_unpack(&told_ms, value));
}

static const char *check_quota(
    struct verify *self, struct slice key, struct slice value)
{
	struct quota quota;

	(void)self;
	return unpacked(key, health_db_quota_unpack(&quota, value));
}

static const char *check_quota_told(
    struct verify *self, struct slice key, struct slice value)
{
	enum quota_told told;

	(void)self;
	return unpacked(key, health_db_quota_told_unpack(&told, value));
}

static const char *check_drill(
    struct verify *self, struct slice key, struct slice value)
{
	struct drill drill;

	(void)self;
	return unpacked(key, health_db_drill_unpack(&drill, value));
}

/* clang-format off */
static const struct verify_table tables[] = {
	{ STORE_TABLE_CHUNKS,      "chunks",      false, check_chunk },
	{ STORE_TABLE_LEASES,      "leases",      false, check_lease },
	{ STORE_TABLE_SNAPSHOTS,   "snapshots",   false, check_snapshot },
	{ STORE_TABLE_USAGE,       "usage",       false, check_usage },
	{ STORE_TABLE_SWEPT,       "swept",       false, check_swept },
	{ STORE_TABLE_ORDINAL,     "ordinal",     false, check_ordinal },
	{ STORE_TABLE_DAMAGE,      "damage",      false, check_damage },
	{ STORE_TABLE_DAMAGE_TOLD, "damage_told", false, check_damage_told },
	{ STORE_TABLE_QUOTA,       "quota",       false, check_quota },
	{ STORE_TABLE_QUOTA_TOLD,  "quota_told",  false, check_quota_told },
	{ STORE_TABLE_DRILL,       "drill",       false, check_drill },
};
/* clang-format on */
const struct verify_tables store_verify = { tables, nitems(tables) };
