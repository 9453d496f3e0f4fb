#include "health_db.h"

#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "service/answers.h"

#define VALUE_VERSION 1

/* Rows of an account; those of store_db.c are below. */
enum table {
	TABLE_DAMAGE = STORE_TABLE_DAMAGE,           /* chunk id: damage */
	TABLE_DAMAGE_TOLD = STORE_TABLE_DAMAGE_TOLD, /* one row: wall time */
	TABLE_QUOTA = STORE_TABLE_QUOTA,             /* one row: quota */
	TABLE_QUOTA_TOLD = STORE_TABLE_QUOTA_TOLD,   /* one row: quota_told */
	TABLE_DRILL = STORE_TABLE_DRILL,             /* one row: drill */
	TABLE_END
};
_Static_assert(TABLE_END <= TABLE_SHARED, "those are every service's");

#define TOLD_VALUE_BYTES       9
#define QUOTA_TOLD_VALUE_BYTES 2
#define SCRUB_NOTE             "scrub"
#define SCRUB_OVER             1
#define SCRUB_NOW              2
#define SCRUB_HAS_CHUNK        4
#define SCRUB_FLAGS            7

static const struct slice only_row = { (const uint8_t *)STORE_ONLY_ROW, 1 };

/* clang-format off */
static const char *const words[] = {
	[DAMAGE_CHANGED]    = "changed",
	[DAMAGE_MISSING]    = "missing",
	[DAMAGE_ROW]        = "row_unreadable",
	[DAMAGE_UNREADABLE] = "unreadable",
	[DAMAGE_LIST]       = "list_unreadable",
};
/* clang-format on */

static bool has_layout(struct slice value, size_t len)
{
	return value.len == len && value.data[0] == VALUE_VERSION;
}

static uint8_t *write_64(uint8_t *at, uint64_t number)
{
	put_be64(at, number);
	return at + 8;
}

static const uint8_t *read_64(const uint8_t *at, uint64_t *out)
{
	*out = get_be64(at);
	return at + 8;
}

static struct slice chunk_key(const struct chunk_id *id)
{
	return slice_of(id->bytes, CHUNK_ID_BYTES);
}

/* ---- damage ---- */

const char *damage_word(enum damage_kind kind)
{
	assert(kind >= DAMAGE_CHANGED && kind <= DAMAGE_LIST);
	return words[kind];
}

void health_db_damage_pack(
    uint8_t out[static DAMAGE_VALUE_BYTES], const struct damage *damage)
{
	out[0] = VALUE_VERSION;
	out[1] = (uint8_t)damage->kind;
	write_64(out + 2, damage->found_ms);
}

enum status health_db_damage_unpack(struct damage *out, struct slice value)
{
	if (!has_layout(value, DAMAGE_VALUE_BYTES) ||
	    value.data[1] < DAMAGE_CHANGED || value.data[1] > DAMAGE_LIST)
		return STATUS_MALFORMED;
	out->kind = (enum damage_kind)value.data[1];
	read_64(value.data + 2, &out->found_ms);
	return STATUS_OK;
}

enum status health_db_damage(struct db *db, const struct id *account,
    const struct chunk_id *id, struct damage *out)
{
	struct bytes value = { 0 };
	enum status st =
	    db_get(db, account, TABLE_DAMAGE, chunk_key(id), &value);

	if (st == STATUS_OK)
		st = health_db_damage_unpack(out, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

enum status health_db_damages(struct db *db, const struct id *account,
    struct slice after, size_t limit, struct db_page *out)
{
	return db_scan(db, account, TABLE_DAMAGE, (struct slice){ 0 }, after,
	    limit, false, out);
}

enum status health_db_damages_count(
    struct db *db, const struct id *account, size_t limit, size_t *count_out)
{
	struct db_page page = { 0 };
	enum status st =
	    health_db_damages(db, account, (struct slice){ 0 }, limit, &page);

	*count_out = st == STATUS_OK ? page.count : 0;
	db_page_clear(&page);
	return st;
}

void health_db_put_damage(struct db_batch *batch, const struct chunk_id *id,
    const struct damage *damage)
{
	uint8_t value[DAMAGE_VALUE_BYTES];

	health_db_damage_pack(value, damage);
	db_batch_forbid(batch, TABLE_DAMAGE, chunk_key(id));
	db_batch_put(
	    batch, TABLE_DAMAGE, chunk_key(id), slice_of(value, sizeof(value)));
}

void health_db_delete_damage(struct db_batch *batch, struct slice id)
{
	db_batch_delete(batch, TABLE_DAMAGE, id);
}

enum status health_db_told_unpack(uint64_t *told_ms, struct slice value)
{
	if (!has_layout(value, TOLD_VALUE_BYTES))
		return STATUS_MALFORMED;
	read_64(value.data + 1, told_ms);
	return STATUS_OK;
}

enum status health_db_told(
    struct db *db, const struct id *account, uint64_t *told_ms)
{
	struct bytes value = { 0 };
	enum status st =
	    db_get(db, account, TABLE_DAMAGE_TOLD, only_row, &value);

	*told_ms = 0;
	if (st == STATUS_NOT_FOUND)
		st = STATUS_OK;
	else if (st == STATUS_OK)
		st = health_db_told_unpack(told_ms, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

static struct slice told_value(
    uint8_t out[static TOLD_VALUE_BYTES], uint64_t told_ms)
{
	out[0] = VALUE_VERSION;
	put_be64(out + 1, told_ms);
	return slice_of(out, TOLD_VALUE_BYTES);
}

void health_db_put_told(
    struct db_batch *batch, uint64_t before_ms, uint64_t told_ms)
{
	uint8_t before[TOLD_VALUE_BYTES], told[TOLD_VALUE_BYTES];

	if (before_ms == 0)
		db_batch_forbid(batch, TABLE_DAMAGE_TOLD, only_row);
	else
		db_batch_expect(batch, TABLE_DAMAGE_TOLD, only_row,
		    told_value(before, before_ms));
	db_batch_put(
	    batch, TABLE_DAMAGE_TOLD, only_row, told_value(told, told_ms));
}

/* ---- the scrub's progress ---- */

void health_db_scrub_pack(
    uint8_t out[static SCRUB_PLACE_BYTES], const struct scrub_place *place)
{
	uint8_t *at = out;

	*at++ = VALUE_VERSION;
	*at++ = (uint8_t)((place->over ? SCRUB_OVER : 0) |
			  (place->now ? SCRUB_NOW : 0) |
			  (place->has_chunk ? SCRUB_HAS_CHUNK : 0));
	at = write_64(at, place->begun_ms);
	at = write_64(at, place->finished_ms);
	at = write_64(at, place->last_chunks);
	at = write_64(at, place->chunks);
	at = write_64(at, place->bytes);
	at = write_64(at, place->damaged);
	memcpy(at, place->account.bytes, ID_BYTES);
	memcpy(at + ID_BYTES, place->chunk.bytes, CHUNK_ID_BYTES);
}

enum status health_db_scrub_unpack(struct scrub_place *out, struct slice value)
{
	if (!has_layout(value, SCRUB_PLACE_BYTES) ||
	    value.data[1] > SCRUB_FLAGS)
		return STATUS_MALFORMED;
	const uint8_t *at = value.data + 2;
	out->over = value.data[1] & SCRUB_OVER;
	out->now = value.data[1] & SCRUB_NOW;
	out->has_chunk = value.data[1] & SCRUB_HAS_CHUNK;
	at = read_64(at, &out->begun_ms);
	at = read_64(at, &out->finished_ms);
	at = read_64(at, &out->last_chunks);
	at = read_64(at, &out->chunks);
	at = read_64(at, &out->bytes);
	at = read_64(at, &out->damaged);
	memcpy(out->account.bytes, at, ID_BYTES);
	memcpy(out->chunk.bytes, at + ID_BYTES, CHUNK_ID_BYTES);
	return STATUS_OK;
}

enum status health_db_scrub(struct db *db, struct scrub_place *out)
{
	struct bytes value = { 0 };
	enum status st = db_note_get(db, SCRUB_NOTE, &value);

	*out = (struct scrub_place){ 0 };
	if (st == STATUS_OK)
		st = health_db_scrub_unpack(out, bytes_slice(&value));
	else if (st == STATUS_NOT_FOUND)
		st = STATUS_OK;
	bytes_clear(&value);
	return st;
}

enum status health_db_put_scrub(struct db *db, const struct scrub_place *place)
{
	uint8_t value[SCRUB_PLACE_BYTES];

	health_db_scrub_pack(value, place);
	return db_note_submit(
	    db, SCRUB_NOTE, slice_of(value, sizeof(value)), NULL, NULL);
}

/* ---- quotas ---- */

void health_db_quota_pack(
    uint8_t out[static QUOTA_VALUE_BYTES], const struct quota *quota)
{
	out[0] = VALUE_VERSION;
	write_64(write_64(out + 1, quota->soft), quota->hard);
}

enum status health_db_quota_unpack(struct quota *out, struct slice value)
{
	if (!has_layout(value, QUOTA_VALUE_BYTES))
		return STATUS_MALFORMED;
	read_64(read_64(value.data + 1, &out->soft), &out->hard);
	return out->soft == 0 || out->hard == 0 || out->soft <= out->hard
		   ? STATUS_OK
		   : STATUS_MALFORMED;
}

enum status health_db_quota(
    struct db *db, const struct id *account, struct quota *out)
{
	struct bytes value = { 0 };
	enum status st = db_get(db, account, TABLE_QUOTA, only_row, &value);

	if (st == STATUS_OK)
		st = health_db_quota_unpack(out, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

void health_db_put_quota(struct db_batch *batch, const struct quota *quota)
{
	uint8_t value[QUOTA_VALUE_BYTES];

	if (!quota) {
		db_batch_delete(batch, TABLE_QUOTA, only_row);
		return;
	}
	health_db_quota_pack(value, quota);
	db_batch_put(
	    batch, TABLE_QUOTA, only_row, slice_of(value, sizeof(value)));
}

enum status health_db_quota_told_unpack(
    enum quota_told *out, struct slice value)
{
	if (!has_layout(value, QUOTA_TOLD_VALUE_BYTES) ||
	    value.data[1] > QUOTA_TOLD_HARD)
		return STATUS_MALFORMED;
	*out = (enum quota_told)value.data[1];
	return STATUS_OK;
}

enum status health_db_quota_told(
    struct db *db, const struct id *account, enum quota_told *out)
{
	struct bytes value = { 0 };
	enum status st =
	    db_get(db, account, TABLE_QUOTA_TOLD, only_row, &value);

	*out = QUOTA_TOLD_NOTHING;
	if (st == STATUS_NOT_FOUND)
		st = STATUS_OK;
	else if (st == STATUS_OK)
		st = health_db_quota_told_unpack(out, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

void health_db_put_quota_told(
    struct db_batch *batch, enum quota_told before, enum quota_told told)
{
	const uint8_t was[QUOTA_TOLD_VALUE_BYTES] = { VALUE_VERSION,
		(uint8_t)before };
	const uint8_t is[QUOTA_TOLD_VALUE_BYTES] = { VALUE_VERSION,
		(uint8_t)told };

	/* Where it was never written that is the same as "nothing". */
	if (before == QUOTA_TOLD_NOTHING)
		db_batch_agree(batch, TABLE_QUOTA_TOLD, only_row,
		    slice_of(was, sizeof(was)));
	else
		db_batch_expect(batch, TABLE_QUOTA_TOLD, only_row,
		    slice_of(was, sizeof(was)));
	db_batch_put(
	    batch, TABLE_QUOTA_TOLD, only_row, slice_of(is, sizeof(is)));
}

/* ---- drills ---- */

void health_db_drill_pack(
    uint8_t out[static DRILL_VALUE_BYTES], const struct drill *drill)
{
	out[0] = VALUE_VERSION;
	uint8_t *at = write_64(out + 1, drill->when_ms);
	memcpy(at, drill->terminal.bytes, ID_BYTES);
	at = write_64(at + ID_BYTES, drill->ordinal);
	at = write_64(at, drill->files);
	write_64(at, drill->failed);
}

enum status health_db_drill_unpack(struct drill *out, struct slice value)
{
	if (!has_layout(value, DRILL_VALUE_BYTES))
		return STATUS_MALFORMED;
	const uint8_t *at = read_64(value.data + 1, &out->when_ms);
	memcpy(out->terminal.bytes, at, ID_BYTES);
	at = read_64(at + ID_BYTES, &out->ordinal);
	at = read_64(at, &out->files);
	read_64(at, &out->failed);
	return out->files > 0 && out->failed <= out->files ? STATUS_OK
							   : STATUS_MALFORMED;
}

enum status health_db_drill(
    struct db *db, const struct id *account, struct drill *out)
{
	struct bytes value = { 0 };
	enum status st = db_get(db, account, TABLE_DRILL, only_row, &value);

	if (st == STATUS_OK)
		st = health_db_drill_unpack(out, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

void health_db_put_drill(struct db_batch *batch, const struct drill *drill)
{
	uint8_t value[DRILL_VALUE_BYTES];

	health_db_drill_pack(value, drill);
	db_batch_put(
	    batch, TABLE_DRILL, only_row, slice_of(value, sizeof(value)));
}
