#ifndef KEEPSAKE_TESTS_HOSTILE_DB_H
#define KEEPSAKE_TESTS_HOSTILE_DB_H

/*
 * A database whose rows are the fuzzer's: included before a _db.c file, it
 * stands in for the reading half of db/db.h.  Batches are the real ones.
 *
 * The input is a row after the other: length of its escaped key (1), length
 * of its value (2), both.  As the engine, it refuses a value that is empty
 * or longer than DB_VALUE_BYTES_MAX, and keys that are not escaped.
 */
#define db_get  hostile_db_get
#define db_scan hostile_db_scan
#include "db/db.h"
#include "db/engine.h"
#include "fuzz.h"

#define HOSTILE_ACCOUNT ((struct id){ { 1 } })

static struct slice hostile_rows; /* not read yet */

static inline enum status hostile_row(struct db_page *page)
{
	size_t key_len = take_byte(&hostile_rows);
	size_t value_len = take_16(&hostile_rows);
	struct slice key = take(&hostile_rows, key_len);

	return page_add(page, key, take(&hostile_rows, value_len));
}

enum status hostile_db_scan(struct db *self, const struct id *account,
    uint8_t table, struct slice prefix, struct slice after, size_t limit,
    bool reverse, struct db_page *out)
{
	enum status st = page_begin(out, limit);

	(void)self;
	(void)account;
	(void)table;
	(void)prefix;
	(void)after;
	(void)reverse;
	while (st == STATUS_OK && out->count < limit && hostile_rows.len > 0)
		st = hostile_row(out);
	if (st != STATUS_OK)
		out->count = 0;
	page_finish(out);
	out->more = hostile_rows.len > 0;
	return st;
}

enum status hostile_db_get(struct db *self, const struct id *account,
    uint8_t table, struct slice key, struct bytes *value_out)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };
	enum status st =
	    hostile_db_scan(self, account, table, key, all, 1, false, &page);

	if (st == STATUS_OK && page.count == 0)
		st = STATUS_NOT_FOUND;
	if (st == STATUS_OK)
		st = bytes_copy(value_out, page.entries[0].value);
	db_page_clear(&page);
	return st;
}

/** A batch as a service makes it; for db_batch_destroy. */
static inline struct db_batch *hostile_batch(void)
{
	struct db_batch *batch =
	    db_batch_new(&HOSTILE_ACCOUNT, DB_GENERATION_ANY, NULL);

	must(batch);
	return batch;
}

#endif
