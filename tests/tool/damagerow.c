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
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"

#define FORMATS_MAX 100

static struct db *open_any(const char *data, const char *service)
{
	struct db_options options = {
		.path = data,
		.service = service,
		.map_bytes = 1 << 20,
		.map_bytes_max = 1 << 30,
		.reserve_bytes = 1 << 20,
	};
	struct db *db = NULL;
	enum status st = STATUS_VERSION;

	while (st == STATUS_VERSION && options.format++ < FORMATS_MAX)
		st = db_open(&options, &db);
	if (st != STATUS_OK)
		errx(1, "%s: %s", data, status_text(st));
	return db;
}

/* In the file itself: no batch changes a blob. */
static void flip_bytes(const char *data, const struct bytes *blob)
{
	char path[4096];
	struct stat file;

	snprintf(path, sizeof(path), "%s/data.mdb", data);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &file) != 0)
		err(1, "%s", path);
	uint8_t *map = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s", path);
	uint8_t *at = memmem(map, (size_t)file.st_size, blob->data, blob->len);
	if (!at)
		errx(1, "the blob is not in one piece");
	at[blob->len / 2] ^= 1;
	munmap(map, (size_t)file.st_size);
	close(fd);
}

static void submit(struct db *db, struct db_batch *batch)
{
	enum status st = db_submit_wait(db, &batch);

	db_batch_destroy(&batch);
	if (st != STATUS_OK)
		errx(1, "not written: %s", status_text(st));
}

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
		flip_bytes(data, &bytes);
		bytes_clear(&bytes);
		return;
	}
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	db_batch_blob_delete(batch, blob.sequence);
	submit(*db_p, batch);
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
	submit(db, batch);
	bytes_clear(&value);
	db_page_clear(&page);
}

int main(int argc, char **argv)
{
	struct id account;

	if (argc != 6)
		errx(2, "usage: damagerow DATA SERVICE ACCOUNT TABLE|blob "
			"delete|flip|first");
	if (hex_decode(account.bytes, ID_BYTES, argv[3]) != STATUS_OK)
		errx(2, "'%s' is no account's id", argv[3]);
	struct db *db = open_any(argv[1], argv[2]);
	if (strcmp(argv[4], "blob") == 0)
		damage_blob(
		    &db, argv[1], &account, strcmp(argv[5], "flip") == 0);
	else
		damage_row(
		    db, &account, (uint8_t)strtoul(argv[4], NULL, 0), argv[5]);
	db_close(&db);
	return 0;
}
