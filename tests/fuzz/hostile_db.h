#ifndef KEEPSAKE_TESTS_HOSTILE_DB_H
#define KEEPSAKE_TESTS_HOSTILE_DB_H

/*
 * A database whose rows are the fuzzer's: included before a _db.c file, it
 * stands in for the reading half of db/db.h.  Batches are the real ones.
 *
 * The input is a row after the other: length of its escaped key (1), length
 * of its value (2), both.  As the engine, it refuses a value that is empty
 * or longer than DB_VALUE_BYTES_MAX, and keys that are not escaped.
 *
 * Sealed rows are the fuzzer's as if the seal had opened: they hold what was
 * sealed, and nothing else.
 */
#define db_get          hostile_db_get
#define db_scan         hostile_db_scan
#define sealed_row_put  hostile_row_put
#define sealed_row_get  hostile_row_get
#define sealed_row_open hostile_row_open
#include "db/db.h"
#include "db/engine.h"
#include "fuzz.h"
#include "service/sealed_row.h"

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

void hostile_row_put(struct keyring *keyring, struct db *db,
    struct db_batch *batch, const struct id *account, uint8_t table,
    struct slice key, struct slice plain)
{
	(void)keyring;
	(void)db;
	(void)account;
	must(plain.len <= SEALED_PLAIN_BYTES_MAX);
	db_batch_put(batch, table, key, plain);
}

enum status hostile_row_open(struct keyring *keyring, struct db *db,
    const struct id *account, uint8_t table, struct slice key,
    struct slice value, struct bytes *plain_out)
{
	(void)keyring;
	(void)db;
	(void)account;
	(void)table;
	(void)key;
	return bytes_copy(plain_out, value);
}

enum status hostile_row_get(struct keyring *keyring, struct db *db,
    const struct id *account, uint8_t table, struct slice key,
    struct bytes *plain_out)
{
	(void)keyring;
	return hostile_db_get(db, account, table, key, plain_out);
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
