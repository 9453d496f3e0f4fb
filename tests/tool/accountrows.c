/*
 * accountrows DATA SERVICE ACCOUNT
 *
 * Print how many rows and blobs there are of ACCOUNT (hex) in the database of
 * SERVICE in the folder DATA, which is not in use; that of a journal is
 * "auth-journal".
 *
 * Exit status: 0 printed, 1 no such database, 2 wrong arguments.
 */
#include "stored.h"

static size_t count_rows(struct db *db, const struct id *account, uint8_t table)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	if (db_scan(db, account, table, all, all, DB_PAGE_ENTRIES_MAX, false,
		&page) != STATUS_OK)
		errx(1, "table %u cannot be read", table);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

int main(int argc, char **argv)
{
	struct db_blob blob;
	size_t count = 0, blobs = 0;

	if (argc != 4)
		errx(2, "usage: accountrows DATA SERVICE ACCOUNT");
	struct id account = stored_account(argv[3]);
	struct db *db = stored_open(argv[1], argv[2]);
	for (unsigned int table = 1; table <= UINT8_MAX; table++)
		count += count_rows(db, &account, (uint8_t)table);
	if (db_blob_scan(db, &account, 0, &blob, 1, &blobs) != STATUS_OK)
		errx(1, "blobs cannot be listed");
	printf("%zu\n", count + blobs);
	db_close(&db);
	return 0;
}
