/*
 * damagerow DATA SERVICE ACCOUNT TABLE delete|flip|first
 * damagerow DATA SERVICE ACCOUNT blob delete|flip
 *
 * Damage the database of SERVICE in the folder DATA, which is not in use, as a
 * bad disk or a bug would: delete, or change in the last byte or the first,
 * the first row in TABLE (a number) of ACCOUNT (hex), or delete or change its
 * first blob.
 *
 * Exit status: 0 done, 1 there is no such, 2 wrong arguments.
 */
#include <stdlib.h>

#include "stored.h"

static void damage_blob(
    struct db **db_p, const char *data, const struct id *account, bool flip)
{
	struct bytes bytes = { 0 };
	struct db_blob blob;
	size_t count = 0;

	if (db_blob_scan(*db_p, account, 0, &blob, 1, &count) != STATUS_OK ||
	    count == 0)
		errx(1, "there is no blob");
	if (flip) {
		if (db_blob_get(*db_p, account, blob.sequence, &bytes) !=
		    STATUS_OK)
			errx(1, "the blob cannot be read");
		db_close(db_p);
		stored_flip(data, bytes_slice(&bytes), bytes.len / 2);
		bytes_clear(&bytes);
		return;
	}
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	db_batch_blob_delete(batch, blob.sequence);
	stored_submit(*db_p, batch);
}

static void damage_row(
    struct db *db, const struct id *account, uint8_t table, const char *how)
{
	struct db_page page = { 0 };
	struct bytes value = { 0 };
	struct slice all = { 0 };
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	if (db_scan(db, account, table, all, all, 1, false, &page) !=
		STATUS_OK ||
	    page.count == 0)
		errx(1, "there is no row");
	const struct db_entry *row = &page.entries[0];
	if (bytes_copy(&value, row->value) != STATUS_OK)
		errx(1, "no memory");
	value.data[strcmp(how, "first") == 0 ? 0 : value.len - 1] ^= 1;
	if (strcmp(how, "delete") == 0)
		db_batch_delete(batch, table, row->key);
	else
		db_batch_put(batch, table, row->key, bytes_slice(&value));
	stored_submit(db, batch);
	bytes_clear(&value);
	db_page_clear(&page);
}

int main(int argc, char **argv)
{
	if (argc != 6)
		errx(2, "usage: damagerow DATA SERVICE ACCOUNT TABLE|blob "
			"delete|flip|first");
	struct id account = stored_account(argv[3]);
	struct db *db = stored_open(argv[1], argv[2]);
	if (strcmp(argv[4], "blob") == 0)
		damage_blob(
		    &db, argv[1], &account, strcmp(argv[5], "flip") == 0);
	else
		damage_row(
		    db, &account, (uint8_t)strtoul(argv[4], NULL, 0), argv[5]);
	db_close(&db);
	return 0;
}
