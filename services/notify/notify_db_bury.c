#include <string.h>

#include "base/util.h"
#include "notify_rows.h"

/* What is given up: a notice becomes dead letters. */

/* Each takes three operations, and two for each terminal that has it not. */
#define BURY_BATCH 4 /* of each of the two tables */
_Static_assert(
    BURY_BATCH *(3 + 2 + 2 * ACCOUNT_TERMINALS_MAX) <= DB_BATCH_OPS_MAX,
    "dead letters fit a batch");

static void put_letter(struct notify_db *self, struct db_batch *batch,
    const struct id *account, struct slice notice, const struct id *terminal,
    uint64_t now_ms, uint32_t attempts, struct slice packed)
{
	uint8_t key[LETTER_KEY_BYTES];
	uint8_t row[LETTER_HEAD_BYTES + NOTICE_BYTES_MAX];

	memcpy(key, notice.data, NOTICE_KEY_BYTES);
	memcpy(key + NOTICE_KEY_BYTES, terminal->bytes, ID_BYTES);
	row[0] = ROW_VERSION;
	put_be64(row + 1, now_ms);
	put_be32(row + 9, attempts);
	memcpy(row + LETTER_HEAD_BYTES, packed.data, packed.len);
	row_put(self, batch, account, TABLE_LETTERS, slice_of(key, sizeof(key)),
	    slice_of(row, LETTER_HEAD_BYTES + packed.len));
}

/* A delivery becomes a letter. */
static enum status bury_delivery(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct id *terminal, struct slice notice,
    struct slice packed, uint64_t now_ms)
{
	uint8_t name[DELIVERY_KEY_BYTES];
	struct slice key = slice_of(name, sizeof(name));
	struct bytes value = { 0 };
	struct delivery delivery;

	memcpy(name, terminal->bytes, ID_BYTES);
	memcpy(name + ID_BYTES, notice.data, NOTICE_KEY_BYTES);
	enum status st = row_get(self, account, TABLE_DELIVERIES, key, &value);
	if (st == STATUS_OK)
		st = decode_delivery(&delivery, key, bytes_slice(&value));
	bytes_clear(&value);
	if (st != STATUS_OK)
		return st;
	db_batch_delete(batch, TABLE_DELIVERIES, key);
	put_letter(self, batch, account, notice, terminal, now_ms,
	    delivery.attempts, packed);
	return STATUS_OK;
}

static enum status bury_notice(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct db_entry *entry, uint64_t now_ms,
    struct buried *buried)
{
	struct bytes value = { 0 };
	struct notice_row row;

	enum status st = read_notice(self, account, entry, &value, &row);
	if (st != STATUS_OK)
		goto out;
	db_batch_expect(batch, TABLE_NOTICES, entry->key, entry->value);
	db_batch_delete(batch, TABLE_NOTICES, entry->key);
	for (size_t i = 0; i < row.left.count && st == STATUS_OK; i++)
		st = bury_delivery(self, batch, account, &row.left.terminals[i],
		    entry->key, row.packed, now_ms);
	buried->notices++;
	buried->deliveries += row.left.count;
	buried->letters += row.left.count;
out:
	bytes_clear(&value);
	return st;
}

/* A notice that no terminal was known for. */
static enum status bury_arrived(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct db_entry *entry, uint64_t now_ms,
    struct buried *buried)
{
	static const struct id nobody;
	struct bytes value = { 0 };
	struct slice packed;

	enum status st = read_arrived(self, account, entry, &value, &packed);
	if (st != STATUS_OK)
		goto out;
	db_batch_require(batch, TABLE_ARRIVED, entry->key);
	db_batch_delete(batch, TABLE_ARRIVED, entry->key);
	put_letter(
	    self, batch, account, entry->key, &nobody, now_ms, 0, packed);
	buried->notices++;
	buried->letters++;
out:
	bytes_clear(&value);
	return st;
}

static enum status bury_table(struct notify_db *self, struct db_batch *batch,
    const struct id *account, enum table table, uint64_t before_ms,
    uint64_t now_ms, struct buried *buried)
{
	struct slice none = { 0 };
	struct db_page page = { 0 };

	enum status st = db_scan(self->db, account, (uint8_t)table, none, none,
	    BURY_BATCH, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		if (entry->key.len == NOTICE_KEY_BYTES &&
		    get_be64(entry->key.data) >= before_ms)
			break;
		st = table == TABLE_ARRIVED ? bury_arrived(self, batch, account,
						  entry, now_ms, buried)
					    : bury_notice(self, batch, account,
						  entry, now_ms, buried);
	}
	db_page_clear(&page);
	return st;
}

enum status notify_db_bury(struct notify_db *self, struct db_batch *batch,
    const struct id *account, uint64_t before_ms, uint64_t now_ms,
    struct buried *buried)
{
	*buried = (struct buried){ 0 };
	enum status st = bury_table(
	    self, batch, account, TABLE_ARRIVED, before_ms, now_ms, buried);
	if (st == STATUS_OK)
		st = bury_table(self, batch, account, TABLE_NOTICES, before_ms,
		    now_ms, buried);
	return st;
}
