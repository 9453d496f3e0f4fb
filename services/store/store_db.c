#include "store_db.h"

#include <string.h>

#include "base/util.h"
#include "service/answers.h"

#define VALUE_VERSION 1

/* Rows of an account. */
enum table {
	TABLE_CHUNKS = STORE_TABLE_CHUNKS,       /* chunk id: chunk */
	TABLE_LEASES = STORE_TABLE_LEASES,       /* kind, terminal: lease */
	TABLE_LEASE_IDS = STORE_TABLE_LEASE_IDS, /* id: only the version */
	TABLE_SNAPSHOTS = STORE_TABLE_SNAPSHOTS, /* ordinal: snapshot */
	TABLE_USAGE = STORE_TABLE_USAGE,         /* one row: usage */
	TABLE_SWEPT = STORE_TABLE_SWEPT,         /* one row: generation */
	TABLE_ORDINAL = STORE_TABLE_ORDINAL,     /* one row: the last one */
	TABLE_SWEEP_OWED = 0x21,                 /* one row: only the version */
	TABLE_END
};
_Static_assert(TABLE_END <= TABLE_SHARED, "those are every service's");

#define LEASE_KEY_BYTES    (1 + ID_BYTES)
#define ORDINAL_KEY_BYTES  8
#define NUMBER_VALUE_BYTES 9 /* version, number */
#define CHUNK_FLAG_NODE    1

static const uint8_t only_version[] = { VALUE_VERSION };
static const struct slice only_row = { (const uint8_t *)STORE_ONLY_ROW, 1 };

_Static_assert(SNAPSHOT_VALUE_BYTES_MAX <= DB_VALUE_BYTES_MAX, "one row");

/* ---- reading and writing values in order ---- */

static uint8_t *write_byte(uint8_t *at, unsigned int number)
{
	*at = (uint8_t)number;
	return at + 1;
}

static uint8_t *write_16(uint8_t *at, size_t number)
{
	put_be16(at, (uint16_t)number);
	return at + 2;
}

static uint8_t *write_32(uint8_t *at, uint32_t number)
{
	put_be32(at, number);
	return at + 4;
}

static uint8_t *write_64(uint8_t *at, uint64_t number)
{
	put_be64(at, number);
	return at + 8;
}

static uint8_t *write_bytes(uint8_t *at, const void *source, size_t len)
{
	if (len > 0)
		memcpy(at, source, len);
	return at + len;
}

static const uint8_t *read_64(const uint8_t *at, uint64_t *out)
{
	*out = get_be64(at);
	return at + 8;
}

static const uint8_t *read_bytes(const uint8_t *at, void *out, size_t len)
{
	memcpy(out, at, len);
	return at + len;
}

static bool has_layout(struct slice value, size_t len)
{
	return value.len == len && value.data[0] == VALUE_VERSION;
}

/* ---- chunks ---- */

void store_db_chunk_pack(
    uint8_t out[static CHUNK_VALUE_BYTES], const struct chunk *chunk)
{
	uint8_t *at = write_byte(out, VALUE_VERSION);

	at = write_byte(at, chunk->node ? CHUNK_FLAG_NODE : 0);
	at = write_64(at, chunk->sequence);
	at = write_bytes(at, chunk->terminal.bytes, ID_BYTES);
	at = write_32(at, chunk->sealed_bytes);
	at = write_32(at, chunk->refs_count);
	at = write_64(at, chunk->data_chunks);
	at = write_64(at, chunk->data_bytes);
	write_bytes(at, chunk->hash, CHUNK_HASH_BYTES);
}

enum status store_db_chunk_unpack(struct chunk *out, struct slice value)
{
	if (!has_layout(value, CHUNK_VALUE_BYTES))
		return STATUS_MALFORMED;
	const uint8_t *at = value.data + 1;
	uint8_t flags = *at++;
	at = read_64(at, &out->sequence);
	at = read_bytes(at, out->terminal.bytes, ID_BYTES);
	out->sealed_bytes = get_be32(at);
	out->refs_count = get_be32(at + 4);
	at = read_64(at + 8, &out->data_chunks);
	at = read_64(at, &out->data_bytes);
	read_bytes(at, out->hash, CHUNK_HASH_BYTES);
	out->node = flags == CHUNK_FLAG_NODE;
	if (flags > CHUNK_FLAG_NODE || out->refs_count > NODE_REFS_MAX ||
	    (!out->node && out->refs_count > 0) ||
	    out->sealed_bytes > BLOB_BYTES_MAX)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

size_t store_db_blob_bytes(const struct chunk *chunk)
{
	return chunk->sealed_bytes + (size_t)chunk->refs_count * CHUNK_ID_BYTES;
}

static struct slice chunk_key(const struct chunk_id *id)
{
	return slice_of(id->bytes, CHUNK_ID_BYTES);
}

enum status store_db_chunk(struct db *db, const struct id *account,
    const struct chunk_id *id, struct chunk *out)
{
	struct bytes value = { 0 };
	enum status st =
	    db_get(db, account, TABLE_CHUNKS, chunk_key(id), &value);

	if (st == STATUS_OK)
		st = store_db_chunk_unpack(out, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

enum status store_db_chunks(struct db *db, const struct id *account,
    struct slice after, size_t limit, struct db_page *out)
{
	return db_scan(db, account, TABLE_CHUNKS, (struct slice){ 0 }, after,
	    limit, false, out);
}

void store_db_require_chunk(struct db_batch *batch, const struct chunk_id *id)
{
	db_batch_require(batch, TABLE_CHUNKS, chunk_key(id));
}

void store_db_forbid_chunk(struct db_batch *batch, const struct chunk_id *id)
{
	db_batch_forbid(batch, TABLE_CHUNKS, chunk_key(id));
}

void store_db_expect_chunk(
    struct db_batch *batch, const struct chunk_id *id, struct slice value)
{
	db_batch_expect(batch, TABLE_CHUNKS, chunk_key(id), value);
}

enum status store_db_chunk_row(struct db *db, const struct id *account,
    const struct chunk_id *id, struct bytes *value)
{
	return db_get(db, account, TABLE_CHUNKS, chunk_key(id), value);
}

void store_db_put_chunk(struct db_batch *batch, const struct chunk_id *id,
    const struct chunk *chunk)
{
	uint8_t value[CHUNK_VALUE_BYTES];

	store_db_chunk_pack(value, chunk);
	db_batch_put(
	    batch, TABLE_CHUNKS, chunk_key(id), slice_of(value, sizeof(value)));
}

void store_db_delete_chunk(
    struct db_batch *batch, struct slice id, uint64_t sequence)
{
	db_batch_delete(batch, TABLE_CHUNKS, id);
	db_batch_blob_delete(batch, sequence);
}

/* ---- leases ---- */

static struct slice lease_key(uint8_t out[static LEASE_KEY_BYTES],
    enum lease_kind kind, const struct id *terminal)
{
	write_bytes(write_byte(out, kind), terminal->bytes, ID_BYTES);
	return slice_of(out, LEASE_KEY_BYTES);
}

static struct slice lease_id_key(const struct id *id)
{
	return slice_of(id->bytes, ID_BYTES);
}

void store_db_lease_pack(
    uint8_t out[static LEASE_VALUE_BYTES], const struct lease *lease)
{
	uint8_t *at = write_byte(out, VALUE_VERSION);

	at = write_bytes(at, lease->id.bytes, ID_BYTES);
	at = write_bytes(at, lease->peer, TICKET_PEER_BYTES);
	at = write_bytes(at, lease->nonce, TICKET_NONCE_BYTES);
	at = write_64(at, lease->issued_ms);
	at = write_64(at, lease->opened_ms);
	write_64(at, lease->touched_ms);
}

enum status store_db_lease_unpack(
    struct lease *out, struct slice key, struct slice value)
{
	if (key.len != LEASE_KEY_BYTES || key.data[0] < LEASE_UPLOAD ||
	    key.data[0] > LEASE_DOWNLOAD ||
	    !has_layout(value, LEASE_VALUE_BYTES))
		return STATUS_MALFORMED;
	out->kind = (enum lease_kind)key.data[0];
	read_bytes(key.data + 1, out->terminal.bytes, ID_BYTES);
	const uint8_t *at = value.data + 1;
	at = read_bytes(at, out->id.bytes, ID_BYTES);
	at = read_bytes(at, out->peer, TICKET_PEER_BYTES);
	at = read_bytes(at, out->nonce, TICKET_NONCE_BYTES);
	at = read_64(at, &out->issued_ms);
	at = read_64(at, &out->opened_ms);
	read_64(at, &out->touched_ms);
	return STATUS_OK;
}

enum status store_db_lease(struct db *db, const struct id *account,
    enum lease_kind kind, const struct id *terminal, struct lease *out)
{
	uint8_t key[LEASE_KEY_BYTES];
	struct bytes value = { 0 };
	struct slice row = lease_key(key, kind, terminal);
	enum status st = db_get(db, account, TABLE_LEASES, row, &value);

	if (st == STATUS_OK)
		st = store_db_lease_unpack(out, row, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

enum status store_db_leases(struct db *db, const struct id *account,
    struct slice after, struct db_page *out)
{
	return db_scan(db, account, TABLE_LEASES, (struct slice){ 0 }, after,
	    DB_PAGE_ENTRIES_MAX, false, out);
}

void store_db_require_lease(struct db_batch *batch, const struct id *id)
{
	db_batch_require(batch, TABLE_LEASE_IDS, lease_id_key(id));
}

static void put_lease(struct db_batch *batch, const struct lease *lease)
{
	uint8_t key[LEASE_KEY_BYTES], value[LEASE_VALUE_BYTES];

	store_db_lease_pack(value, lease);
	db_batch_put(batch, TABLE_LEASES,
	    lease_key(key, lease->kind, &lease->terminal),
	    slice_of(value, sizeof(value)));
}

void store_db_open_lease(struct db_batch *batch, const struct lease *lease,
    const struct lease *before)
{
	uint8_t key[LEASE_KEY_BYTES];
	struct slice row = lease_key(key, lease->kind, &lease->terminal);

	if (before) {
		db_batch_expect(batch, TABLE_LEASE_IDS,
		    lease_id_key(&before->id),
		    slice_of(only_version, sizeof(only_version)));
		db_batch_delete(
		    batch, TABLE_LEASE_IDS, lease_id_key(&before->id));
	} else {
		db_batch_forbid(batch, TABLE_LEASES, row);
	}
	put_lease(batch, lease);
	db_batch_put(batch, TABLE_LEASE_IDS, lease_id_key(&lease->id),
	    slice_of(only_version, sizeof(only_version)));
}

void store_db_touch_lease(struct db_batch *batch, const struct lease *lease)
{
	store_db_require_lease(batch, &lease->id);
	put_lease(batch, lease);
}

void store_db_end_lease(struct db_batch *batch, const struct lease *lease)
{
	uint8_t key[LEASE_KEY_BYTES];

	db_batch_delete(
	    batch, TABLE_LEASES, lease_key(key, lease->kind, &lease->terminal));
	db_batch_delete(batch, TABLE_LEASE_IDS, lease_id_key(&lease->id));
}

/* ---- snapshots ---- */

/* All but the two sealed texts. */
#define SNAPSHOT_FIXED_BYTES                               \
	(SNAPSHOT_VALUE_BYTES_MAX - SEALED_KEY_BYTES_MAX - \
	    SEALED_SUMMARY_BYTES_MAX)

static struct slice ordinal_key(
    uint8_t out[static ORDINAL_KEY_BYTES], uint64_t ordinal)
{
	put_be64(out, ordinal);
	return slice_of(out, ORDINAL_KEY_BYTES);
}

size_t store_db_snapshot_pack(
    uint8_t out[static SNAPSHOT_VALUE_BYTES_MAX], const struct snapshot *from)
{
	uint8_t *at = write_byte(out, VALUE_VERSION);

	at = write_64(at, from->taken_ms);
	at = write_bytes(at, from->terminal.bytes, ID_BYTES);
	at = write_bytes(at, from->root.bytes, CHUNK_ID_BYTES);
	at = write_64(at, from->data_chunks);
	at = write_64(at, from->data_bytes);
	at = write_16(at, from->sealed_key.len);
	at = write_16(at, from->sealed_summary.len);
	at = write_bytes(at, from->sealed_key.data, from->sealed_key.len);
	at = write_bytes(
	    at, from->sealed_summary.data, from->sealed_summary.len);
	return (size_t)(at - out);
}

enum status store_db_snapshot_unpack(
    struct snapshot *out, struct slice key, struct slice value)
{
	if (key.len != ORDINAL_KEY_BYTES || value.len < SNAPSHOT_FIXED_BYTES ||
	    value.data[0] != VALUE_VERSION)
		return STATUS_MALFORMED;
	out->ordinal = get_be64(key.data);
	const uint8_t *at = value.data + 1;
	at = read_64(at, &out->taken_ms);
	at = read_bytes(at, out->terminal.bytes, ID_BYTES);
	at = read_bytes(at, out->root.bytes, CHUNK_ID_BYTES);
	at = read_64(at, &out->data_chunks);
	at = read_64(at, &out->data_bytes);
	size_t key_len = get_be16(at), summary_len = get_be16(at + 2);
	at += 4;
	if (key_len > SEALED_KEY_BYTES_MAX ||
	    summary_len > SEALED_SUMMARY_BYTES_MAX ||
	    value.len != SNAPSHOT_FIXED_BYTES + key_len + summary_len)
		return STATUS_MALFORMED;
	out->sealed_key = slice_of(at, key_len);
	out->sealed_summary = slice_of(at + key_len, summary_len);
	return STATUS_OK;
}

enum status store_db_snapshots(struct db *db, const struct id *account,
    uint64_t after, size_t limit, struct db_page *out)
{
	uint8_t key[ORDINAL_KEY_BYTES];

	return db_scan(db, account, TABLE_SNAPSHOTS, (struct slice){ 0 },
	    ordinal_key(key, after), limit, false, out);
}

enum status store_db_highest_snapshot(
    struct db *db, const struct id *account, uint64_t *out)
{
	struct slice all = { 0 };
	struct db_page page = { 0 };
	enum status st =
	    db_scan(db, account, TABLE_SNAPSHOTS, all, all, 1, true, &page);

	if (st == STATUS_OK && page.count > 0 &&
	    page.entries[0].key.len != ORDINAL_KEY_BYTES)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		*out = page.count > 0 ? get_be64(page.entries[0].key.data) : 0;
	db_page_clear(&page);
	return st;
}

/* Read the only row of ${table}, one number; 0 where there is none. */
static enum status get_number(
    struct db *db, const struct id *account, uint8_t table, uint64_t *out)
{
	struct bytes value = { 0 };
	enum status st = db_get(db, account, table, only_row, &value);

	if (st == STATUS_NOT_FOUND) {
		*out = 0;
		st = STATUS_OK;
	} else if (st == STATUS_OK &&
		   !has_layout(bytes_slice(&value), NUMBER_VALUE_BYTES)) {
		st = STATUS_MALFORMED;
	} else if (st == STATUS_OK) {
		*out = get_be64(value.data + 1);
	}
	bytes_clear(&value);
	return st;
}

static struct slice number_value(
    uint8_t out[static NUMBER_VALUE_BYTES], uint64_t number)
{
	write_64(write_byte(out, VALUE_VERSION), number);
	return slice_of(out, NUMBER_VALUE_BYTES);
}

enum status store_db_last_ordinal(
    struct db *db, const struct id *account, uint64_t *out)
{
	return get_number(db, account, TABLE_ORDINAL, out);
}

void store_db_put_last_ordinal(struct db_batch *batch, uint64_t ordinal)
{
	uint8_t value[NUMBER_VALUE_BYTES];

	db_batch_put(
	    batch, TABLE_ORDINAL, only_row, number_value(value, ordinal));
}

void store_db_put_snapshot(
    struct db_batch *batch, const struct snapshot *snapshot)
{
	uint8_t key[ORDINAL_KEY_BYTES], value[SNAPSHOT_VALUE_BYTES_MAX];
	uint8_t before[NUMBER_VALUE_BYTES];
	struct slice row = ordinal_key(key, snapshot->ordinal);
	size_t len = store_db_snapshot_pack(value, snapshot);

	if (snapshot->ordinal > 1)
		db_batch_expect(batch, TABLE_ORDINAL, only_row,
		    number_value(before, snapshot->ordinal - 1));
	else
		db_batch_forbid(batch, TABLE_ORDINAL, only_row);
	db_batch_forbid(batch, TABLE_SNAPSHOTS, row);
	db_batch_put(batch, TABLE_SNAPSHOTS, row, slice_of(value, len));
	store_db_put_last_ordinal(batch, snapshot->ordinal);
}

enum status store_db_has_snapshot(
    struct db *db, const struct id *account, uint64_t ordinal)
{
	uint8_t key[ORDINAL_KEY_BYTES];
	struct bytes value = { 0 };
	enum status st = db_get(
	    db, account, TABLE_SNAPSHOTS, ordinal_key(key, ordinal), &value);

	bytes_clear(&value);
	return st;
}

void store_db_require_snapshot(struct db_batch *batch, uint64_t ordinal)
{
	uint8_t key[ORDINAL_KEY_BYTES];

	db_batch_require(batch, TABLE_SNAPSHOTS, ordinal_key(key, ordinal));
}

void store_db_delete_snapshot(struct db_batch *batch, uint64_t ordinal)
{
	uint8_t key[ORDINAL_KEY_BYTES];

	db_batch_delete(batch, TABLE_SNAPSHOTS, ordinal_key(key, ordinal));
}

/* ---- usage ---- */

void store_db_usage_pack(
    uint8_t out[static USAGE_VALUE_BYTES], const struct usage *usage)
{
	uint8_t *at = write_byte(out, VALUE_VERSION);

	at = write_64(at, usage->sequence);
	at = write_64(at, usage->chunks);
	write_64(at, usage->bytes);
}

enum status store_db_usage_unpack(struct usage *out, struct slice value)
{
	if (!has_layout(value, USAGE_VALUE_BYTES))
		return STATUS_MALFORMED;
	const uint8_t *at = read_64(value.data + 1, &out->sequence);
	at = read_64(at, &out->chunks);
	read_64(at, &out->bytes);
	return STATUS_OK;
}

enum status store_db_usage(
    struct db *db, const struct id *account, struct usage *out)
{
	struct bytes value = { 0 };
	enum status st = db_get(db, account, TABLE_USAGE, only_row, &value);

	if (st == STATUS_OK) {
		st = store_db_usage_unpack(out, bytes_slice(&value));
	} else if (st == STATUS_NOT_FOUND) {
		*out = (struct usage){ 0 };
		st = STATUS_OK;
	}
	bytes_clear(&value);
	return st;
}

void store_db_put_usage(struct db_batch *batch, const struct usage *usage)
{
	uint8_t value[USAGE_VALUE_BYTES];

	store_db_usage_pack(value, usage);
	db_batch_put(
	    batch, TABLE_USAGE, only_row, slice_of(value, sizeof(value)));
}

/* ---- sweeps ---- */

enum status store_db_swept(
    struct db *db, const struct id *account, uint64_t *generation)
{
	return get_number(db, account, TABLE_SWEPT, generation);
}

void store_db_put_swept(struct db_batch *batch, uint64_t generation)
{
	uint8_t value[NUMBER_VALUE_BYTES];

	db_batch_put(
	    batch, TABLE_SWEPT, only_row, number_value(value, generation));
	db_batch_delete(batch, TABLE_SWEEP_OWED, only_row);
}

enum status store_db_sweep_owed(
    struct db *db, const struct id *account, bool *out)
{
	struct bytes value = { 0 };
	enum status st =
	    db_get(db, account, TABLE_SWEEP_OWED, only_row, &value);

	*out = st == STATUS_OK;
	bytes_clear(&value);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

void store_db_put_sweep_owed(struct db_batch *batch)
{
	db_batch_put(batch, TABLE_SWEEP_OWED, only_row,
	    slice_of(only_version, sizeof(only_version)));
}
