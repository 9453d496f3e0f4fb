#include <pthread.h>
#include <sched.h>

#include "base/util.h"
#include "db/db.h"
#include "scratch.h"

/* O-04: a copy is one moment of the database, whatever happens meanwhile. */

#define ROWS       1
#define BLOB_BYTES 50000

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };

static struct db *db;
static struct db_copy_progress progress;
static struct db_copied copied;

static struct db_options options_of(const char *name)
{
	return (struct db_options){ .path = scratch_path(name),
		.service = "test",
		.format = 7,
		.map_bytes = 1 << 20,
		.map_bytes_max = 256 << 20,
		.reserve_bytes = 1 << 20 };
}

static void setup(void)
{
	scratch_make();
	struct db_options options = options_of("data");
	ck_assert_int_eq(db_open(&options, &db), STATUS_OK);
	ck_assert_int_eq(mkdir(scratch_path("copy"), 0700), 0);
	progress = (struct db_copy_progress){ 0 };
}

static void teardown(void)
{
	db_close(&db);
	scratch_remove();
}

/* Row and blob ${n} of an account, in one batch. */
static void write_one(const struct id *account, uint64_t n)
{
	static uint8_t blob[BLOB_BYTES];
	uint8_t key[8];
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	put_be64(key, n);
	db_batch_put(batch, ROWS, slice_of(key, 8), slice_of(key, 8));
	db_batch_blob_put(batch, n, blob, sizeof(blob), NULL, NULL);
	ck_assert_int_eq(db_submit_wait(db, &batch), STATUS_OK);
}

static enum status copy(void)
{
	return db_copy(db, scratch_path("copy/data.mdb"), &progress, &copied);
}

static struct db *open_copy(void)
{
	struct db_options options = options_of("copy");
	struct db *opened;

	ck_assert_int_eq(db_open(&options, &opened), STATUS_OK);
	return opened;
}

/* The account has rows and blobs 1 to n, and as many batches; returns n. */
static uint64_t check_account(struct db *of, const struct id *account)
{
	struct db_account found;
	struct bytes value = { 0 };
	struct db_blob last;
	uint8_t key[8];

	if (db_account_get(of, account, &found) == STATUS_NOT_FOUND)
		return 0;
	for (uint64_t n = 1; n <= found.generation; n++) {
		put_be64(key, n);
		ck_assert_int_eq(
		    db_get(of, account, ROWS, slice_of(key, 8), &value),
		    STATUS_OK);
	}
	put_be64(key, found.generation + 1);
	ck_assert_int_eq(db_get(of, account, ROWS, slice_of(key, 8), &value),
	    STATUS_NOT_FOUND);
	ck_assert_int_eq(db_blob_last(of, account, &last), STATUS_OK);
	ck_assert_uint_eq(last.sequence, found.generation);
	bytes_clear(&value);
	return found.generation;
}

START_TEST(same)
{
	struct db_stats stats;
	struct stat file;

	for (uint64_t n = 1; n <= 20; n++)
		write_one(n % 2 ? &anna : &bert, (n + 1) / 2);
	ck_assert_int_eq(
	    db_note_put(db, "note", slice_text("kept")), STATUS_OK);
	ck_assert_int_eq(copy(), STATUS_OK);
	ck_assert_int_eq(db_stats(db, &stats), STATUS_OK);
	ck_assert_uint_eq(copied.format, 7);
	ck_assert_uint_eq(copied.rows, 20);
	ck_assert_uint_eq(copied.blobs, 20);
	ck_assert_uint_eq(copied.accounts, 2);
	ck_assert_uint_eq(copied.point_ms, stats.wall_ms_stored);
	ck_assert_uint_ge(copied.transaction, 20);
	ck_assert_uint_eq(atomic_load(&progress.bytes), copied.bytes);
	ck_assert_int_eq(stat(scratch_path("copy/data.mdb"), &file), 0);
	ck_assert_int_eq(file.st_mode & 0777, 0600);

	struct bytes note = { 0 };
	struct db *opened = open_copy();
	ck_assert_uint_eq(check_account(opened, &anna), 10);
	ck_assert_uint_eq(check_account(opened, &bert), 10);
	ck_assert_int_eq(db_note_get(opened, "note", &note), STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&note), slice_text("kept")));
	bytes_clear(&note);
	db_close(&opened);
}
END_TEST

START_TEST(empty)
{
	ck_assert_int_eq(copy(), STATUS_OK);
	ck_assert_uint_eq(copied.rows + copied.blobs + copied.accounts, 0);
	struct db *opened = open_copy();
	db_close(&opened);
}
END_TEST

/* What is deleted is not in it: it is packed. */
START_TEST(packed)
{
	struct stat before, after;

	for (uint64_t n = 1; n <= 40; n++)
		write_one(&anna, n);
	ck_assert_int_eq(copy(), STATUS_OK);
	ck_assert_int_eq(stat(scratch_path("copy/data.mdb"), &before), 0);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	for (uint64_t n = 1; n < 40; n++)
		db_batch_blob_delete(batch, n);
	ck_assert_int_eq(db_submit_wait(db, &batch), STATUS_OK);
	ck_assert_int_eq(copy(), STATUS_OK);
	ck_assert_int_eq(stat(scratch_path("copy/data.mdb"), &after), 0);
	ck_assert_int_lt(after.st_size, before.st_size / 4);
}
END_TEST

static void *copy_all_the_time(void *arg)
{
	_Atomic unsigned int *copies = arg;
	enum status st = STATUS_OK;

	while (st == STATUS_OK) {
		st = copy();
		if (st != STATUS_OK)
			break;
		struct db *opened = open_copy();
		uint64_t one = check_account(opened, &anna);
		uint64_t two = check_account(opened, &bert);
		/* They are written in turn. */
		ck_assert(one == two || one == two + 1);
		db_close(&opened);
		++*copies;
	}
	return NULL;
}

/* The map grows from 1 MiB to 16, and is moved, under the copies. */
START_TEST(while_writing)
{
	_Atomic unsigned int copies = 0;
	struct db_stats stats;
	pthread_t thread;
	uint64_t n = 1;

	write_one(&anna, 1);
	write_one(&bert, 1);
	ck_assert_int_eq(
	    pthread_create(&thread, NULL, copy_all_the_time, &copies), 0);
	for (n = 2; n < 120 || copies < 3; n++) {
		write_one(&anna, n);
		write_one(&bert, n);
	}
	atomic_store(&progress.stop, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(db_stats(db, &stats), STATUS_OK);
	ck_assert_uint_gt(stats.map_bytes, 8 << 20);
	ck_assert_uint_eq(check_account(db, &anna), n - 1);
}
END_TEST

START_TEST(stopped)
{
	write_one(&anna, 1);
	atomic_store(&progress.stop, true);
	ck_assert_int_eq(copy(), STATUS_UNAVAILABLE);
	ck_assert_int_ne(access(scratch_path("copy/data.mdb"), F_OK), 0);
}
END_TEST

START_TEST(nowhere)
{
	capture_begin(STDERR_FILENO);
	enum status st =
	    db_copy(db, scratch_path("no/data.mdb"), &progress, &copied);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(said, "database_copy_failed"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_copy");
	TCase *tcase = tcase_create("O-04 a hot copy of a database");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, same);
	tcase_add_test(tcase, empty);
	tcase_add_test(tcase, packed);
	tcase_add_test(tcase, while_writing);
	tcase_add_test(tcase, stopped);
	tcase_add_test(tcase, nowhere);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
