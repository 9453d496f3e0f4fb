/*
 * damagestore DATA HOW KIND N
 *
 * Damage the store's database in the folder DATA, which is not in use, as a
 * bad disk would, in its first account that has chunks.  Of its chunks of
 * KIND, "data" or "node", in the order of their ids, the one with the number
 * N (from 0; modulo how many there are).
 *
 * flip    turn one bit of its sealed bytes, in the file, where LMDB has them
 * lose    take its bytes away, and leave the row that leads to them
 * garble  write what is no row in the place of its row
 *
 * Prints the chunk's id.  Exit status: 0 done, 1 it cannot be, 2 wrong
 * arguments.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "db/db.h"

#define FORMATS_MAX  100
#define ACCOUNTS_MAX 100
#define TABLE_CHUNKS 1
#define ROW_BYTES    66 /* version, flags, sequence (8), … */
#define FLAG_NODE    1
#define FLIP_AT      1000 /* behind the nonce, before the padding */

/** The chunk that is meant. */
struct victim {
	struct id account;
	struct bytes key;
	uint64_t sequence;
};

static struct db *open_any(const char *data)
{
	struct db_options options = {
		.path = data,
		.service = "store",
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

/* Find chunk ${number} of the kind, or count them: number SIZE_MAX. */
static size_t look_through(struct db *db, const struct id *account, bool node,
    size_t number, struct victim *out)
{
	struct db_page page = { 0 };
	struct bytes last = { 0 };
	struct slice all = { 0 };
	size_t count = 0;

	do {
		struct slice after =
		    last.len > 0 ? bytes_slice(&last) : (struct slice){ 0 };
		if (db_scan(db, account, TABLE_CHUNKS, all, after,
			DB_PAGE_ENTRIES_MAX, false, &page) != STATUS_OK)
			errx(1, "the chunks cannot be listed");
		for (size_t i = 0; i < page.count; i++) {
			const struct db_entry *entry = &page.entries[i];
			bytes_copy(&last, entry->key);
			if (entry->value.len != ROW_BYTES ||
			    (entry->value.data[1] == FLAG_NODE) != node)
				continue;
			if (count++ != number)
				continue;
			out->account = *account;
			bytes_copy(&out->key, entry->key);
			out->sequence = get_be64(entry->value.data + 2);
		}
	} while (page.more);
	bytes_clear(&last);
	db_page_clear(&page);
	return count;
}

static void choose(struct db *db, bool node, size_t number, struct victim *out)
{
	struct db_account accounts[ACCOUNTS_MAX];
	size_t count = 0;

	if (db_accounts(db, NULL, accounts, ACCOUNTS_MAX, &count) != STATUS_OK)
		errx(1, "the accounts cannot be listed");
	for (size_t i = 0; i < count; i++) {
		size_t chunks =
		    look_through(db, &accounts[i].id, node, SIZE_MAX, out);
		if (chunks == 0)
			continue;
		look_through(db, &accounts[i].id, node, number % chunks, out);
		return;
	}
	errx(1, "there is no such chunk");
}

static void submit(struct db *db, struct db_batch *batch)
{
	enum status st = db_submit_wait(db, &batch);

	if (st != STATUS_OK)
		errx(1, "it cannot be written: %s", status_text(st));
}

/* Turn a bit of ${blob} wherever it lies in the file. */
static void flip(const char *data, struct slice blob)
{
	char path[PATH_MAX];
	struct stat stat;

	snprintf(path, sizeof(path), "%s/data.mdb", data);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		err(1, "%s", path);
	size_t len = (size_t)stat.st_size;
	uint8_t *file =
	    mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		err(1, "%s", path);
	uint8_t *at = memmem(file, len, blob.data, blob.len);
	if (!at)
		errx(1, "%s: its bytes are not in one piece there", path);
	/* Also where an older copy of it is left in a free page. */
	while (at) {
		uint8_t *next = at + blob.len;
		at[FLIP_AT] ^= 1;
		at = memmem(
		    next, len - (size_t)(next - file), blob.data, blob.len);
	}
	if (msync(file, len, MS_SYNC) < 0)
		err(1, "%s", path);
	munmap(file, len);
	close(fd);
}

int main(int argc, char **argv)
{
	const uint8_t garbage[] = { 0xff, 0xfe };
	struct victim victim = { 0 };
	struct bytes blob = { 0 };
	char *end = NULL, hex[HEX_BYTES(32)];

	if (argc != 5)
		errx(2, "usage: damagestore DATA flip|lose|garble data|node N");
	bool node = strcmp(argv[3], "node") == 0;
	if (!node && strcmp(argv[3], "data") != 0)
		errx(2, "'%s': it is data or node", argv[3]);
	errno = 0;
	unsigned long number = strtoul(argv[4], &end, 10);
	if (errno != 0 || *end != '\0' || *argv[4] == '\0')
		errx(2, "'%s' is no number", argv[4]);

	struct db *db = open_any(argv[1]);
	choose(db, node, number, &victim);
	struct db_batch *batch =
	    db_batch_new(&victim.account, DB_GENERATION_ANY, NULL);
	if (strcmp(argv[2], "lose") == 0) {
		db_batch_blob_delete(batch, victim.sequence);
		submit(db, batch);
	} else if (strcmp(argv[2], "garble") == 0) {
		db_batch_put(batch, TABLE_CHUNKS, bytes_slice(&victim.key),
		    slice_of(garbage, sizeof(garbage)));
		submit(db, batch);
	} else if (strcmp(argv[2], "flip") == 0) {
		db_batch_destroy(&batch);
		if (db_blob_get(db, &victim.account, victim.sequence, &blob) !=
		    STATUS_OK)
			errx(1, "its bytes cannot be read");
	} else {
		errx(2, "'%s': it is flip, lose or garble", argv[2]);
	}
	db_close(&db);
	if (blob.len > 0)
		flip(argv[1], bytes_slice(&blob));
	hex_encode(hex, bytes_slice(&victim.key));
	printf("%s\n", hex);
	bytes_clear(&blob);
	bytes_clear(&victim.key);
	return 0;
}
