/*
 * storefill DATA ACCOUNT COUNT
 *
 * Put COUNT chunks of one page more into ACCOUNT (hex) in the store's
 * database in the folder DATA, which is not in use: as the store itself would,
 * with its rows and through the same library, but without a terminal that
 * sends them.
 */
#include <err.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../services/store/store_db.h"
#include "base/util.h"
#include "stored.h"

#define CHUNK_BYTES   (PAGE_BYTES - PAGE_HEAD_BYTES)
#define BATCH_CHUNKS  400
#define MAP_BYTES     (1ull << 30)
#define MAP_BYTES_MAX (1ull << 40)

static uint8_t sealed[CHUNK_BYTES];

static void on_decided(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK)
		errx(1, "not written: %s", status_text(status));
}

/* What the account has so far, sums and blobs behind them. */
static struct usage usage_now(struct db *db, const struct id *account)
{
	struct db_blob blobs[DB_PAGE_ENTRIES_MAX];
	struct usage self;
	size_t count;

	if (store_db_usage(db, account, &self) != STATUS_OK)
		errx(1, "no usage");
	do {
		if (db_blob_scan(db, account, self.sequence, blobs,
			nitems(blobs), &count) != STATUS_OK)
			errx(1, "no blobs");
		for (size_t i = 0; i < count; i++) {
			self.sequence = blobs[i].sequence + 1;
			self.chunks++;
			self.bytes += blobs[i].len;
		}
	} while (count == nitems(blobs));
	return self;
}

static void chunk_add(
    struct db_batch *batch, struct usage *usage, const struct id *account)
{
	struct chunk chunk = { .sequence = usage->sequence,
		.terminal = *account,
		.sealed_bytes = sizeof(sealed) };
	struct chunk_id id;

	randombytes_buf(id.bytes, sizeof(id.bytes));
	store_db_put_chunk(batch, &id, &chunk);
	db_batch_blob_put(
	    batch, chunk.sequence, sealed, sizeof(sealed), NULL, NULL);
	usage->sequence++;
	usage->chunks++;
	usage->bytes += sizeof(sealed);
}

int main(int argc, char **argv)
{
	struct db_options options = {
		.service = "store",
		.format = STORE_DB_FORMAT,
		.map_bytes = MAP_BYTES,
		.map_bytes_max = MAP_BYTES_MAX,
	};
	struct db *db;
	char *end;

	if (argc != 4)
		errx(2, "usage: storefill DATA ACCOUNT COUNT");
	options.path = argv[1];
	struct id account = stored_account(argv[2]);
	unsigned long count = strtoul(argv[3], &end, 10);
	if (*end != '\0')
		errx(2, "'%s' is not a number", argv[3]);
	if (sodium_init() < 0 || db_open(&options, &db) != STATUS_OK)
		errx(1, "%s: cannot be opened", argv[1]);
	randombytes_buf(sealed, sizeof(sealed));
	struct usage usage = usage_now(db, &account);
	for (unsigned long i = 0; i < count;) {
		struct db_batch *batch =
		    db_batch_new(&account, DB_GENERATION_ANY, NULL);
		for (int k = 0; k < BATCH_CHUNKS && i < count; k++, i++)
			chunk_add(batch, &usage, &account);
		store_db_put_usage(batch, &usage);
		enum status st =
		    db_submit_patient(db, &batch, on_decided, NULL);
		if (st != STATUS_PENDING)
			errx(1, "not written: %s", status_text(st));
	}
	db_drain(db);
	printf("chunks\t%llu\n", (unsigned long long)usage.chunks);
	db_close(&db);
	return 0;
}
