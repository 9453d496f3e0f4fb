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
#include <errno.h>
#include <stdlib.h>

#include "stored.h"

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

	struct db *db = stored_open(argv[1], "store");
	choose(db, node, number, &victim);
	struct db_batch *batch =
	    db_batch_new(&victim.account, DB_GENERATION_ANY, NULL);
	if (strcmp(argv[2], "lose") == 0) {
		db_batch_blob_delete(batch, victim.sequence);
		stored_submit(db, batch);
	} else if (strcmp(argv[2], "garble") == 0) {
		db_batch_put(batch, TABLE_CHUNKS, bytes_slice(&victim.key),
		    slice_of(garbage, sizeof(garbage)));
		stored_submit(db, batch);
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
		stored_flip(argv[1], bytes_slice(&blob), FLIP_AT);
	hex_encode(hex, bytes_slice(&victim.key));
	printf("%s\n", hex);
	bytes_clear(&blob);
	bytes_clear(&victim.key);
	return 0;
}
