#include "notify_db.h"

#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "notify_rows.h"

#define NOTICE_HEAD_BYTES (1 + 1)
#define DELIVERY_BYTES    (1 + 4 + 8)
#define NOTICE_ROW_BYTES_MAX                                    \
	(NOTICE_HEAD_BYTES + ACCOUNT_TERMINALS_MAX * ID_BYTES + \
	    NOTICE_BYTES_MAX)
_Static_assert(NOTICE_ROW_BYTES_MAX <= DB_VALUE_BYTES_MAX, "fits a row");

/* Each notice takes three operations and one for each terminal, ... */
#define EXPAND_BATCH 8
_Static_assert(EXPAND_BATCH *(3 + ACCOUNT_TERMINALS_MAX) <= DB_BATCH_OPS_MAX,
    "expansions fit a batch");
/* ... and three, with the row twice, where it is acknowledged. */
_Static_assert(DELIVERY_BATCH_MAX * 3 <= DB_BATCH_OPS_MAX &&
		   DELIVERY_BATCH_MAX * 2 * (NOTICE_ROW_BYTES_MAX + 64) <=
		       DB_BATCH_BYTES_MAX,
    "acknowledgements fit a batch");

#define FORGET_BURST 8

static const struct slice all = { 0 };

/* ---- keys and values ---- */

static void put_delivery_key(uint8_t out[static DELIVERY_KEY_BYTES],
    const struct id *terminal, const struct notice_key *key)
{
	memcpy(out, terminal->bytes, ID_BYTES);
	put_notice_key(out + ID_BYTES, key);
}

static enum status decode_notice(
    struct notice_row *out, struct slice key, struct slice value)
{
	enum status st = check_row("notices", key, NOTICE_KEY_BYTES, value,
	    NOTICE_HEAD_BYTES, NOTICE_ROW_BYTES_MAX);
	if (st != STATUS_OK)
		return st;
	size_t count = value.data[1];
	size_t head = NOTICE_HEAD_BYTES + count * ID_BYTES;
	if (count > ACCOUNT_TERMINALS_MAX || head > value.len ||
	    value.len - head > NOTICE_BYTES_MAX) {
		log_error(NULL, "row_unusable", "table=notices status=%s",
		    status_word(STATUS_MALFORMED));
		return STATUS_MALFORMED;
	}
	out->left.count = count;
	memcpy(out->left.terminals, value.data + NOTICE_HEAD_BYTES,
	    count * ID_BYTES);
	out->packed = slice_of(value.data + head, value.len - head);
	return STATUS_OK;
}

enum status read_notice(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct bytes *value_out,
    struct notice_row *out)
{
	enum status st =
	    row_open(self, account, TABLE_NOTICES, entry, value_out);

	return st == STATUS_OK
		   ? decode_notice(out, entry->key, bytes_slice(value_out))
		   : st;
}

static void put_notice(struct notify_db *self, struct db_batch *batch,
    const struct id *account, struct slice key, const struct recipients *left,
    struct slice packed)
{
	uint8_t row[NOTICE_ROW_BYTES_MAX];
	size_t ids = left->count * ID_BYTES;

	row[0] = ROW_VERSION;
	row[1] = (uint8_t)left->count;
	memcpy(row + NOTICE_HEAD_BYTES, left->terminals, ids);
	memcpy(row + NOTICE_HEAD_BYTES + ids, packed.data, packed.len);
	row_put(self, batch, account, TABLE_NOTICES, key,
	    slice_of(row, NOTICE_HEAD_BYTES + ids + packed.len));
}

static void put_delivery(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct id *terminal,
    const struct delivery *delivery)
{
	uint8_t key[DELIVERY_KEY_BYTES], row[DELIVERY_BYTES];

	put_delivery_key(key, terminal, &delivery->notice);
	row[0] = ROW_VERSION;
	put_be32(row + 1, delivery->attempts);
	put_be64(row + 5, delivery->due_ms);
	row_put(self, batch, account, TABLE_DELIVERIES,
	    slice_of(key, sizeof(key)), slice_of(row, sizeof(row)));
}

enum status decode_delivery(
    struct delivery *out, struct slice key, struct slice value)
{
	enum status st = check_row("deliveries", key, DELIVERY_KEY_BYTES, value,
	    DELIVERY_BYTES, DELIVERY_BYTES);
	if (st != STATUS_OK)
		return st;
	get_notice_key(&out->notice, key.data + ID_BYTES);
	out->attempts = get_be32(value.data + 1);
	out->due_ms = get_be64(value.data + 5);
	return STATUS_OK;
}

enum status read_delivery(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct delivery *out)
{
	struct bytes value = { 0 };

	enum status st =
	    row_open(self, account, TABLE_DELIVERIES, entry, &value);
	if (st == STATUS_OK)
		st = decode_delivery(out, entry->key, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

/* ---- notices ---- */

enum status notify_db_told(struct notify_db *self, const struct id *account,
    const struct id *id, struct notice_key *out)
{
	struct slice key = slice_of(id->bytes, ID_BYTES);
	struct bytes value = { 0 };

	enum status st = row_get(self, account, TABLE_TOLD, key, &value);
	if (st == STATUS_OK)
		st = check_row("told", key, ID_BYTES, bytes_slice(&value),
		    TOLD_BYTES, TOLD_BYTES);
	if (st == STATUS_OK) {
		out->stored_ms = get_be64(value.data + 1);
		out->id = *id;
	}
	bytes_clear(&value);
	return st;
}

static void put_told(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key)
{
	uint8_t name[NOTICE_KEY_BYTES], told[TOLD_BYTES];
	struct slice id = slice_of(key->id.bytes, ID_BYTES);

	put_notice_key(name, key);
	told[0] = ROW_VERSION;
	put_be64(told + 1, key->stored_ms);
	row_put(
	    self, batch, account, TABLE_TOLD, id, slice_of(told, sizeof(told)));
	db_batch_put(batch, TABLE_TOLD_TIMES, slice_of(name, sizeof(name)),
	    slice_of(told, 1));
}

void put_arrived(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key, struct slice packed)
{
	uint8_t name[NOTICE_KEY_BYTES];
	uint8_t row[1 + NOTICE_BYTES_MAX];

	put_told(self, batch, account, key);
	put_notice_key(name, key);
	row[0] = ROW_VERSION;
	memcpy(row + 1, packed.data, packed.len);
	row_put(self, batch, account, TABLE_ARRIVED,
	    slice_of(name, sizeof(name)), slice_of(row, 1 + packed.len));
}

void notify_db_put_arrived(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key, struct slice packed)
{
	db_batch_forbid(batch, TABLE_TOLD, slice_of(key->id.bytes, ID_BYTES));
	put_arrived(self, batch, account, key, packed);
}

void notify_db_put_told(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key)
{
	db_batch_forbid(batch, TABLE_TOLD, slice_of(key->id.bytes, ID_BYTES));
	put_told(self, batch, account, key);
}

void notify_db_forget_told(struct notify_db *self, struct db_batch *batch,
    const struct id *account, uint64_t before_ms)
{
	struct db_page page = { 0 };

	/* What cannot be read is forgotten another time. */
	enum status st = db_scan(self->db, account, TABLE_TOLD_TIMES, all, all,
	    FORGET_BURST, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		struct slice key = page.entries[i].key;
		if (key.len != NOTICE_KEY_BYTES ||
		    get_be64(key.data) >= before_ms)
			break;
		db_batch_delete(batch, TABLE_TOLD_TIMES, key);
		db_batch_delete(
		    batch, TABLE_TOLD, slice_of(key.data + 8, ID_BYTES));
	}
	db_page_clear(&page);
}

enum status notify_db_has_arrived(
    struct notify_db *self, const struct id *account, bool *out)
{
	struct db_page page = { 0 };

	enum status st = db_scan(
	    self->db, account, TABLE_ARRIVED, all, all, 1, false, &page);
	*out = page.count > 0;
	db_page_clear(&page);
	return st;
}

enum status read_arrived(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct bytes *value_out,
    struct slice *packed_out)
{
	enum status st =
	    row_open(self, account, TABLE_ARRIVED, entry, value_out);

	if (st == STATUS_OK)
		st = check_row("arrived", entry->key, NOTICE_KEY_BYTES,
		    bytes_slice(value_out), 1, 1 + NOTICE_BYTES_MAX);
	if (st == STATUS_OK)
		*packed_out = slice_of(value_out->data + 1, value_out->len - 1);
	return st;
}

static enum status expand_one(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct db_entry *entry,
    const struct recipients *terminals, uint64_t now_ms)
{
	struct delivery delivery = { .due_ms = now_ms };
	struct bytes value = { 0 };
	struct slice packed;

	enum status st = read_arrived(self, account, entry, &value, &packed);
	if (st != STATUS_OK)
		goto out;
	get_notice_key(&delivery.notice, entry->key.data);
	db_batch_require(batch, TABLE_ARRIVED, entry->key);
	db_batch_delete(batch, TABLE_ARRIVED, entry->key);
	put_notice(self, batch, account, entry->key, terminals, packed);
	for (size_t i = 0; i < terminals->count; i++)
		put_delivery(
		    self, batch, account, &terminals->terminals[i], &delivery);
out:
	bytes_clear(&value);
	return st;
}

enum status notify_db_expand(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct recipients *terminals,
    uint64_t now_ms, size_t *count_out, bool *more_out)
{
	struct db_page page = { 0 };

	enum status st = db_scan(self->db, account, TABLE_ARRIVED, all, all,
	    EXPAND_BATCH, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st = expand_one(
		    self, batch, account, &page.entries[i], terminals, now_ms);
	*count_out = page.count;
	*more_out = page.more;
	db_page_clear(&page);
	return st;
}

enum status notify_db_notice(struct notify_db *self, const struct id *account,
    const struct notice_key *key, struct bytes *packed_out)
{
	uint8_t name[NOTICE_KEY_BYTES];
	struct bytes value = { 0 };
	struct notice_row row;

	put_notice_key(name, key);
	struct slice whole = slice_of(name, sizeof(name));
	enum status st = row_get(self, account, TABLE_NOTICES, whole, &value);
	if (st == STATUS_OK)
		st = decode_notice(&row, whole, bytes_slice(&value));
	if (st == STATUS_OK)
		st = bytes_copy(packed_out, row.packed);
	bytes_clear(&value);
	return st;
}

/* ---- deliveries ---- */

enum status notify_db_deliveries(struct notify_db *self,
    const struct id *account, const struct id *terminal,
    const struct notice_key *after,
    struct delivery out[static DELIVERY_BATCH_MAX], size_t *count_out,
    bool *more_out)
{
	uint8_t name[DELIVERY_KEY_BYTES];
	struct slice resume = { 0 };
	struct db_page page = { 0 };

	if (after) {
		put_delivery_key(name, terminal, after);
		resume = slice_of(name, sizeof(name));
	}
	enum status st = db_scan(self->db, account, TABLE_DELIVERIES,
	    slice_of(terminal->bytes, ID_BYTES), resume, DELIVERY_BATCH_MAX,
	    false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st = read_delivery(self, account, &page.entries[i], &out[i]);
	*count_out = page.count;
	*more_out = page.more;
	db_page_clear(&page);
	return st;
}

/* Add the rows of a table whose keys begin with ${prefix} to ${count}. */
static enum status count_rows(struct notify_db *self, const struct id *account,
    enum table table, struct slice prefix, uint64_t *count)
{
	uint8_t last[DELIVERY_KEY_BYTES];
	struct slice after = { 0 };
	struct db_page page = { 0 };
	enum status st;

	_Static_assert(LETTER_KEY_BYTES <= DELIVERY_KEY_BYTES, "longest key");
	do {
		st = db_scan(self->db, account, (uint8_t)table, prefix, after,
		    DB_PAGE_ENTRIES_MAX, false, &page);
		if (st != STATUS_OK || page.count == 0)
			break;
		*count += page.count;
		after = page.entries[page.count - 1].key;
		if (after.len > sizeof(last))
			break;
		memcpy(last, after.data, after.len);
		after.data = last;
	} while (page.more);
	db_page_clear(&page);
	return st;
}

enum status notify_db_waiting(struct notify_db *self, const struct id *account,
    const struct id *terminal, uint64_t *count_out)
{
	*count_out = 0;
	return count_rows(self, account, TABLE_DELIVERIES,
	    slice_of(terminal->bytes, ID_BYTES), count_out);
}

void notify_db_put_attempt(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct id *terminal,
    const struct delivery *delivery)
{
	uint8_t key[DELIVERY_KEY_BYTES];

	put_delivery_key(key, terminal, &delivery->notice);
	db_batch_require(batch, TABLE_DELIVERIES, slice_of(key, sizeof(key)));
	put_delivery(self, batch, account, terminal, delivery);
}

enum status notify_db_acknowledge(struct notify_db *self,
    struct db_batch *batch, const struct id *account, const struct id *terminal,
    const struct id *notice, bool *last_out)
{
	uint8_t name[DELIVERY_KEY_BYTES];
	struct bytes raw = { 0 }, value = { 0 };
	struct notice_key key;
	struct notice_row row;
	size_t before;

	enum status st = notify_db_told(self, account, notice, &key);
	if (st != STATUS_OK)
		goto out;
	put_delivery_key(name, terminal, &key);
	struct slice notice_name = slice_of(name + ID_BYTES, NOTICE_KEY_BYTES);
	st = db_get(self->db, account, TABLE_NOTICES, notice_name, &raw);
	if (st != STATUS_OK)
		goto out;
	struct db_entry entry = { notice_name, bytes_slice(&raw) };
	st = read_notice(self, account, &entry, &value, &row);
	if (st != STATUS_OK)
		goto out;
	before = row.left.count;
	recipients_remove(&row.left, terminal);
	if (row.left.count == before) {
		st = STATUS_NOT_FOUND;
		goto out;
	}
	db_batch_expect(batch, TABLE_NOTICES, notice_name, bytes_slice(&raw));
	db_batch_delete(batch, TABLE_DELIVERIES, slice_of(name, sizeof(name)));
	*last_out = row.left.count == 0;
	if (*last_out)
		db_batch_delete(batch, TABLE_NOTICES, notice_name);
	else
		put_notice(
		    self, batch, account, notice_name, &row.left, row.packed);
out:
	bytes_clear(&raw);
	bytes_clear(&value);
	return st;
}

/* ---- figures ---- */

enum status notify_db_count(
    struct notify_db *self, const struct id *account, struct totals *totals)
{
	enum status st =
	    count_rows(self, account, TABLE_ARRIVED, all, &totals->notices);
	if (st == STATUS_OK)
		st = count_rows(
		    self, account, TABLE_NOTICES, all, &totals->notices);
	if (st == STATUS_OK)
		st = count_rows(
		    self, account, TABLE_DELIVERIES, all, &totals->deliveries);
	if (st == STATUS_OK)
		st = count_rows(
		    self, account, TABLE_LETTERS, all, &totals->letters);
	return st;
}
