#include "service/order_rows.h"

#include "base/log.h"
#include "base/util.h"

/* In the journal, under an id that no account has. */
static const struct id orders_account = { "keepsake orders " };
#define TABLE_ORDERS 1 /* key: sequence */
#define TABLE_STATE  2 /* no key: the highest sequence there was */

#define STATE_VERSION 1
#define STATE_BYTES   9

struct db_batch *order_rows_batch(void)
{
	return db_batch_new(&orders_account, DB_GENERATION_ANY, NULL);
}

void order_rows_put(struct db_batch *batch, const struct order *order)
{
	uint8_t key[ORDER_KEY_BYTES], value[ORDER_VALUE_BYTES];

	order_pack(key, value, order);
	db_batch_put(batch, TABLE_ORDERS, slice_of(key, sizeof(key)),
	    slice_of(value, sizeof(value)));
}

void order_rows_forbid(struct db_batch *batch, uint64_t sequence)
{
	uint8_t key[ORDER_KEY_BYTES];

	put_be64(key, sequence);
	db_batch_forbid(batch, TABLE_ORDERS, slice_of(key, sizeof(key)));
}

void order_rows_delete(struct db_batch *batch, uint64_t sequence)
{
	uint8_t key[ORDER_KEY_BYTES];

	put_be64(key, sequence);
	db_batch_delete(batch, TABLE_ORDERS, slice_of(key, sizeof(key)));
}

void order_rows_put_highest(struct db_batch *batch, uint64_t sequence)
{
	uint8_t value[STATE_BYTES] = { STATE_VERSION };

	put_be64(value + 1, sequence);
	db_batch_put(
	    batch, TABLE_STATE, slice_text(""), slice_of(value, sizeof(value)));
}

enum status order_rows_read(struct db *journal, uint64_t after,
    struct order *out, size_t limit, size_t *count_out, bool *more_out)
{
	uint8_t key[ORDER_KEY_BYTES];
	struct db_page page = { 0 };
	struct slice all = { 0 };

	put_be64(key, after);
	struct slice from = after > 0 ? slice_of(key, sizeof(key)) : all;
	*count_out = 0;
	enum status st = db_scan(journal, &orders_account, TABLE_ORDERS, all,
	    from, limit, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		st = order_unpack(
		    &out[i], page.entries[i].key, page.entries[i].value);
		if (st == STATUS_OK)
			++*count_out;
	}
	*more_out = page.more;
	db_page_clear(&page);
	if (st != STATUS_OK)
		log_error(
		    NULL, "orders_unusable", "status=%s", status_word(st));
	return st;
}

enum status order_rows_highest(struct db *journal, uint64_t *sequence_out)
{
	struct bytes value = { 0 };

	*sequence_out = 0;
	enum status st = db_get(
	    journal, &orders_account, TABLE_STATE, slice_text(""), &value);
	if (st == STATUS_NOT_FOUND)
		st = STATUS_OK;
	else if (st == STATUS_OK && value.data[0] > STATE_VERSION)
		st = STATUS_VERSION;
	else if (st == STATUS_OK && value.len != STATE_BYTES)
		st = STATUS_MALFORMED;
	else if (st == STATUS_OK)
		*sequence_out = get_be64(value.data + 1);
	bytes_clear(&value);
	if (st != STATUS_OK)
		log_error(
		    NULL, "orders_unusable", "status=%s", status_word(st));
	return st;
}
