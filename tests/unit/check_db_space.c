#include "db_stage.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A map that grows, and what is full. */

static _Atomic bool readers_stop;
static _Atomic unsigned int readers_wrong;

static void *read_on(void *arg)
{
	struct bytes blob = { 0 };
	uint8_t *want = blob_new(0, 100000);

	(void)arg;
	while (!atomic_load(&readers_stop)) {
		if (db_blob_get(db, &anna, 0, &blob) != STATUS_OK ||
		    blob.len != 100000 ||
		    memcmp(blob.data, want, blob.len) != 0)
			atomic_fetch_add(&readers_wrong, 1);
	}
	free(want);
	bytes_clear(&blob);
	return NULL;
}

START_TEST(map_grows_under_readers)
{
	struct db_stats before, after;
	struct bytes blob = { 0 };
	pthread_t readers[3];

	put_blobs(&anna, 0, 1, 100000);
	ck_assert(db_stats(db, &before) == STATUS_OK);
	atomic_store(&readers_stop, false);
	atomic_store(&readers_wrong, 0);
	for (size_t i = 0; i < nitems(readers); i++)
		pthread_create(&readers[i], NULL, read_on, NULL);
	for (uint64_t i = 1; i < 200; i += 10)
		put_blobs(&anna, i, i + 10, 200000);
	atomic_store(&readers_stop, true);
	for (size_t i = 0; i < nitems(readers); i++)
		pthread_join(readers[i], NULL);
	ck_assert_uint_eq(readers_wrong, 0);
	ck_assert(db_stats(db, &after) == STATUS_OK);
	ck_assert_uint_ge(after.map_bytes, before.map_bytes * 32);
	ck_assert_uint_gt(after.used_bytes, 200 * 200000);
	ck_assert_uint_eq(after.blobs, 201);
	for (uint64_t i = 1; i <= 200; i++) {
		uint8_t *want = blob_new(i, 200000);
		ck_assert(db_blob_get(db, &anna, i, &blob) == STATUS_OK);
		ck_assert_mem_eq(blob.data, want, 200000);
		free(want);
	}
	bytes_clear(&blob);
}
END_TEST

/* Fill the map with blobs of one batch each; returns how many there are. */
static uint64_t fill_map(void)
{
	for (uint64_t sequence = 0;; sequence++) {
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_blob_put(batch, sequence, bulk, 100000, NULL, NULL);
		enum status st = run(batch).status;
		if (st == STATUS_OK)
			continue;
		ck_assert(st == STATUS_NO_SPACE);
		return sequence;
	}
}

START_TEST(full_map_deletes_still)
{
	struct bytes blob = { 0 };
	struct db_stats stats;

	db_close(&db);
	remove_folder();
	options.map_bytes_max = 8 << 20;
	ck_assert(db_open(&options, &db) == STATUS_OK);
	put_text(&bert, ROWS, "k", "v");
	uint64_t blobs = fill_map();
	ck_assert_uint_gt(blobs, 50);
	uint64_t rows = 0;
	for (enum status st = STATUS_OK; st == STATUS_OK; rows++) {
		uint8_t key[8];
		put_be64(key, rows);
		struct db_batch *batch =
		    db_batch_new(&bert, DB_GENERATION_ANY, NULL);
		db_batch_put(
		    batch, MORE, slice_of(key, 8), slice_of(bulk, 4000));
		st = run(batch).status;
		ck_assert(st == STATUS_OK || st == STATUS_NO_SPACE);
	}
	/* Reads go on, guards still answer, and a group is not lost whole. */
	ck_assert(holds(&bert, ROWS, "k", "v"));
	ck_assert(db_blob_get(db, &anna, blobs - 1, &blob) == STATUS_OK);
	struct db_batch *batch = db_batch_new(&anna, 0, NULL);
	db_batch_blob_put(batch, blobs, bulk, 100000, NULL, NULL);
	ck_assert(run(batch).status == STATUS_CONFLICT);
	struct outcome outcomes[2] = { { 0 } };
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_blob_put(batch, blobs, bulk, 100000, NULL, NULL);
	ck_assert(
	    db_submit(db, &batch, on_done, &outcomes[0]) == STATUS_PENDING);
	batch = db_batch_new(&bert, DB_GENERATION_ANY, NULL);
	db_batch_delete(batch, ROWS, slice_text("k"));
	ck_assert(
	    db_submit(db, &batch, on_done, &outcomes[1]) == STATUS_PENDING);
	wait_for(&outcomes[0]);
	wait_for(&outcomes[1]);
	ck_assert(outcomes[0].status == STATUS_NO_SPACE);
	ck_assert(outcomes[1].status == STATUS_OK);

	/* One that frees more than it writes goes through when it says so. */
	for (int frees = 0; frees < 2; frees++) {
		batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_blob_delete(batch, 0);
		db_batch_put(
		    batch, ROWS, slice_text("answer"), slice_of(bulk, 4000));
		if (frees)
			db_batch_frees(batch);
		ck_assert(
		    run(batch).status == (frees ? STATUS_OK : STATUS_NO_SPACE));
	}
	/* Deleting most of it, one at a time, never fails. */
	for (uint64_t i = 1; i < blobs; i++) {
		batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_blob_delete(batch, i);
		ck_assert(run(batch).status == STATUS_OK);
	}
	ck_assert(db_stats(db, &stats) == STATUS_OK);
	ck_assert_uint_eq(stats.blobs, 0);
	ck_assert_uint_gt(stats.free_bytes, 4 << 20);
	ck_assert_uint_le(stats.map_bytes, 8 << 20);
	put_blobs(&anna, 0, 10, 100000); /* and there is room again */
	bytes_clear(&blob);
}
END_TEST

/* Write blobs until the disk refuses one; returns how many there are. */
static uint64_t fill_disk(uint64_t sequence)
{
	enum status st = STATUS_OK;

	for (; st == STATUS_OK; sequence++) {
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_blob_put(batch, sequence, bulk, 250000, NULL, NULL);
		st = run(batch).status;
	}
	ck_assert_msg(st == STATUS_NO_SPACE, "%s", status_text(st));
	return sequence - 1;
}

START_TEST(file_at_its_limit)
{
	struct rlimit before, limit;
	struct stat file;
	struct bytes blob = { 0 };
	char path[128];

	put_blobs(&anna, 0, 1, 1000);
	signal(SIGXFSZ, SIG_IGN);
	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	ck_assert_int_eq(stat(path, &file), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)file.st_size + 2100000;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	uint64_t blobs = fill_disk(1);
	ck_assert_uint_gt(blobs, 2);
	ck_assert_uint_le(blobs, 9);
	for (uint64_t i = 0; i < blobs; i++)
		ck_assert(db_blob_get(db, &anna, i, &blob) == STATUS_OK);

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	put_blobs(&anna, blobs, blobs + 10, 100000);
	reopen();
	for (uint64_t i = 0; i < blobs + 10; i++)
		ck_assert(db_blob_get(db, &anna, i, &blob) == STATUS_OK);
	bytes_clear(&blob);
}
END_TEST

START_TEST(full_disk_deletes_still)
{
	struct bytes blob = { 0 };

	db_close(&db);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=8m,mode=700") != 0) {
		printf("skipped: no right to mount a small disk\n");
		ck_assert(db_open(&options, &db) == STATUS_OK);
		return;
	}
	ck_assert(db_open(&options, &db) == STATUS_OK);
	put_text(&bert, ROWS, "k", "v");
	uint64_t blobs = fill_disk(0);
	ck_assert_uint_gt(blobs, 10);
	ck_assert(fill_disk(blobs) == blobs);
	ck_assert(holds(&bert, ROWS, "k", "v"));
	for (uint64_t i = 0; i < blobs; i++) {
		ck_assert(db_blob_get(db, &anna, i, &blob) == STATUS_OK);
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_blob_delete(batch, i);
		ck_assert(run(batch).status == STATUS_OK);
	}
	put_blobs(&anna, 0, 10, 100000);
	reopen();
	ck_assert(db_blob_get(db, &anna, 9, &blob) == STATUS_OK);
	bytes_clear(&blob);
	db_close(&db);
	ck_assert_int_eq(umount(folder), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_space");

	TCase *tc = tcase(suite, "R-04 B-12 full map");
	tcase_add_test(tc, map_grows_under_readers);
	tcase_add_test(tc, full_map_deletes_still);

	tc = tcase(suite, "R-04 B-12 full disk");
	tcase_add_test(tc, file_at_its_limit);
	tcase_add_test(tc, full_disk_deletes_still);

	return run_suite(suite);
}
