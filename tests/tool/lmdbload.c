/*
 * lmdbload FOLDER COUNT BATCH KIND
 *
 * Bare LMDB: COUNT records, BATCH of them in each synced transaction.
 *
 * record  a value under a growing key (account, sequence)
 * chunk   what the store writes for a chunk: that, and a row that leads from
 *         the chunk's id to it
 *
 * Prints "all<tab>ns" and "commit<tab>ns", the median of one transaction.
 * Values have 4,080 bytes, rows 66, as the store's.  FOLDER is there and
 * empty.
 */
#include <err.h>
#include <inttypes.h>
#include <lmdb.h>

#include "load.h"
#include "remote.h"

#define MAP_BYTES     (16ull << 30)
#define VALUE_BYTES   (PAGE_BYTES - PAGE_HEAD_BYTES)
#define ROW_BYTES     66
#define KEY_BYTES     (ID_BYTES + 8)
#define ROW_KEY_BYTES (ID_BYTES + 1 + CHUNK_ID_BYTES)
#define TABLE_CHUNKS  1

static void check(int rc, const char *what)
{
	if (rc != MDB_SUCCESS)
		errx(1, "%s: %s", what, mdb_strerror(rc));
}

static MDB_env *env;
static MDB_dbi rows, blobs;
static uint8_t value[VALUE_BYTES];

static void database_open(const char *folder)
{
	MDB_txn *txn;

	check(mdb_env_create(&env), "create");
	check(mdb_env_set_maxdbs(env, 2), "maxdbs");
	check(mdb_env_set_mapsize(env, MAP_BYTES), "mapsize");
	check(mdb_env_open(env, folder, 0, 0600), folder);
	check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	check(mdb_dbi_open(txn, "rows", MDB_CREATE, &rows), "rows");
	check(mdb_dbi_open(txn, "blobs", MDB_CREATE, &blobs), "blobs");
	check(mdb_txn_commit(txn), "commit");
}

static void write_record(MDB_txn *txn, uint64_t sequence)
{
	uint8_t key[KEY_BYTES] = { 1 };
	MDB_val k = { sizeof(key), key }, v = { sizeof(value), value };

	put_be64(key + ID_BYTES, sequence);
	check(mdb_put(txn, blobs, &k, &v, MDB_NOOVERWRITE), "put");
}

static void write_row(MDB_txn *txn)
{
	uint8_t key[ROW_KEY_BYTES] = { 1 };
	MDB_val k = { sizeof(key), key }, v = { ROW_BYTES, value };

	key[ID_BYTES] = TABLE_CHUNKS;
	randombytes_buf(key + ID_BYTES + 1, CHUNK_ID_BYTES);
	check(mdb_put(txn, rows, &k, &v, 0), "put");
}

int main(int argc, char **argv)
{
	if (argc != 5)
		errx(2, "usage: lmdbload FOLDER COUNT BATCH record|chunk");
	size_t count = number_from(argv[2]), batch = number_from(argv[3]);
	bool chunk = strcmp(argv[4], "chunk") == 0;
	size_t commits = (count + batch - 1) / batch;
	uint64_t *samples = calloc(commits, sizeof(*samples));

	if (!samples || sodium_init() < 0)
		errx(1, "no memory");
	randombytes_buf(value, sizeof(value));
	database_open(argv[1]);
	uint64_t begin = now_ns(CLOCK_MONOTONIC), sequence = 0;
	for (size_t i = 0; i < commits; i++) {
		uint64_t one = now_ns(CLOCK_MONOTONIC);
		MDB_txn *txn;
		check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
		for (size_t k = 0; k < batch && sequence < count; k++) {
			write_record(txn, ++sequence);
			if (chunk)
				write_row(txn);
		}
		check(mdb_txn_commit(txn), "commit");
		samples[i] = now_ns(CLOCK_MONOTONIC) - one;
	}
	printf("all\t%" PRIu64 "\n", now_ns(CLOCK_MONOTONIC) - begin);
	printf("commit\t%" PRIu64 "\n", median_of(samples, commits));
	mdb_env_close(env);
	free(samples);
	return 0;
}
