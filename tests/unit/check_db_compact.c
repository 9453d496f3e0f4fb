#include <check.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "db/db.h"
#include "scratch.h"

/* A database that is compacted while others read and write it. */

#define BLOBS      400
#define BLOB_BYTES 20000
#define KEPT_EVERY 10 /* the others are deleted */

static const struct id ann = { "account of ann" };
struct MDB_env;
static struct db *db;

static void open_db(void)
{
	const struct db_options options = {
		.path = scratch_path("data"),
		.service = "test",
		.format = 1,
		.map_bytes = 1 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 16,
	};

	ck_assert_int_eq(db_open(&options, &db), STATUS_OK);
}

static uint64_t file_bytes(void)
{
	struct stat file;

	ck_assert_int_eq(stat(scratch_path("data/data.mdb"), &file), 0);
	return (uint64_t)file.st_size;
}

static void fill(uint8_t *blob, uint64_t number)
{
	for (size_t i = 0; i < BLOB_BYTES; i++)
		blob[i] = (uint8_t)(number * 13 + i / 97);
}

static void submit_wait(struct db_batch *batch)
{
	enum status st = db_submit_wait(db, &batch);

	db_batch_destroy(&batch);
	ck_assert_msg(st == STATUS_OK, "%s", status_text(st));
}

static void put_blob(uint64_t number)
{
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	uint8_t blob[BLOB_BYTES];

	fill(blob, number);
	db_batch_blob_put(batch, number, blob, sizeof(blob), NULL, NULL);
	submit_wait(batch);
}

static bool is_kept(uint64_t number)
{
	return number % KEPT_EVERY == 0 || number >= BLOBS;
}

static void setup(void)
{
	log_level_set(LOG_ERROR);
	scratch_make();
	open_db();
	for (uint64_t i = 0; i < BLOBS; i++)
		put_blob(i);
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	for (uint64_t i = 0; i < BLOBS; i++)
		if (!is_kept(i))
			db_batch_blob_delete(batch, i);
	submit_wait(batch);
}

static void teardown(void)
{
	db_close(&db);
	scratch_remove();
}

static void expect_blobs(uint64_t until)
{
	struct bytes blob = { 0 };
	uint8_t want[BLOB_BYTES];

	for (uint64_t i = 0; i < until; i++) {
		enum status st = db_blob_get(db, &ann, i, &blob);
		ck_assert_int_eq(st, is_kept(i) ? STATUS_OK : STATUS_NOT_FOUND);
		fill(want, i);
		if (st == STATUS_OK) {
			ck_assert_uint_eq(blob.len, BLOB_BYTES);
			ck_assert_mem_eq(blob.data, want, BLOB_BYTES);
		}
	}
	bytes_clear(&blob);
}

struct outcome {
	bool done;
	enum status status;
	struct db_compaction figures;
};

static void on_compacted(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct outcome *outcome = arg;

	(void)generation;
	(void)failed_op;
	outcome->done = true;
	outcome->status = status;
}

static void begin(struct outcome *outcome)
{
	*outcome = (struct outcome){ 0 };
	ck_assert_int_eq(
	    db_compact(db, &outcome->figures, on_compacted, outcome),
	    STATUS_PENDING);
}

static void await(const struct outcome *outcome)
{
	while (!outcome->done) {
		struct pollfd event = { db_event_fd(db), POLLIN, 0 };
		poll(&event, 1, -1);
		db_complete(db);
	}
}

START_TEST(shrinks)
{
	struct outcome outcome;
	struct db_stats stats;
	uint64_t before = file_bytes();

	begin(&outcome);
	await(&outcome);
	ck_assert_int_eq(outcome.status, STATUS_OK);
	ck_assert_uint_eq(outcome.figures.before_bytes, before);
	ck_assert_uint_eq(outcome.figures.after_bytes, file_bytes());
	ck_assert_uint_lt(file_bytes(), before / 4);
	ck_assert_int_eq(db_stats(db, &stats), STATUS_OK);
	ck_assert_uint_eq(stats.blobs, BLOBS / KEPT_EVERY);
	ck_assert_uint_eq(stats.free_bytes, 0);
	expect_blobs(BLOBS);
	/* It is written as before, and grows again. */
	for (uint64_t i = BLOBS; i < BLOBS + 200; i++)
		put_blob(i);
	expect_blobs(BLOBS + 200);
	db_close(&db);
	open_db();
	expect_blobs(BLOBS + 200);
}
END_TEST

static atomic_bool stop;
static atomic_uint reads;

static void *read_on(void *arg)
{
	struct bytes blob = { 0 };

	(void)arg;
	while (!atomic_load(&stop)) {
		uint64_t number = atomic_fetch_add(&reads, 1) % BLOBS;
		enum status st = db_blob_get(db, &ann, number, &blob);
		if (st != (is_kept(number) ? STATUS_OK : STATUS_NOT_FOUND))
			return arg;
	}
	bytes_clear(&blob);
	return NULL;
}

START_TEST(others_go_on)
{
	struct outcome outcomes[8];
	pthread_t threads[3];
	void *failed = NULL;

	for (size_t i = 0; i < nitems(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, read_on, &stop), 0);
	for (size_t i = 0; i < nitems(outcomes); i++) {
		unsigned int before = atomic_load(&reads);
		begin(&outcomes[i]);
		put_blob(BLOBS + i); /* behind it, and decided after it */
		ck_assert(outcomes[i].done);
		ck_assert_int_eq(outcomes[i].status, STATUS_OK);
		while (atomic_load(&reads) < before + 10)
			sched_yield();
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < nitems(threads); i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	expect_blobs(BLOBS + nitems(outcomes));
}
END_TEST

START_TEST(one_behind_the_other)
{
	struct outcome first, second;

	begin(&first);
	begin(&second);
	await(&second);
	ck_assert(first.done);
	ck_assert_int_eq(first.status, STATUS_OK);
	ck_assert_int_eq(second.status, STATUS_OK);
	ck_assert_uint_eq(
	    first.figures.after_bytes, second.figures.before_bytes);
	expect_blobs(BLOBS);
}
END_TEST

/* Closed with one under way: it is done, and told. */
START_TEST(closed_meanwhile)
{
	struct outcome outcome;

	begin(&outcome);
	db_close(&db);
	ck_assert(outcome.done);
	ck_assert_int_eq(outcome.status, STATUS_OK);
	open_db();
	expect_blobs(BLOBS);
}
END_TEST

/* Stands in for LMDB's: a copy comes here once it has read all. */
static atomic_bool hold, held;

int mdb_env_sync(struct MDB_env *env, int force);
int mdb_env_sync(struct MDB_env *env, int force)
{
	int (*real)(struct MDB_env *, int);

	*(void **)&real = dlsym(RTLD_NEXT, "mdb_env_sync");
	if (atomic_load(&hold))
		atomic_store(&held, true);
	while (atomic_load(&hold))
		sched_yield();
	return real(env, force);
}

static struct db_copy_progress progress;
static struct db_copied copied;

static void *copy_on(void *arg)
{
	if (db_copy(db, scratch_path("copy"), &progress, &copied) != STATUS_OK)
		return arg;
	return NULL;
}

/* A copy still has what it reads open: nothing is closed under it. */
START_TEST(not_while_copied)
{
	struct outcome outcome;
	pthread_t thread;
	void *failed = NULL;

	atomic_store(&hold, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, copy_on, &stop), 0);
	while (!atomic_load(&held))
		sched_yield();
	begin(&outcome);
	await(&outcome);
	atomic_store(&hold, false);
	pthread_join(thread, &failed);
	ck_assert_ptr_null(failed);
	ck_assert_int_eq(outcome.status, STATUS_BUSY);
	ck_assert_uint_eq(copied.blobs, BLOBS / KEPT_EVERY);
	begin(&outcome);
	await(&outcome);
	ck_assert_int_eq(outcome.status, STATUS_OK);
	expect_blobs(BLOBS);
}
END_TEST

static bool is_there(const char *name)
{
	return access(scratch_path(name), F_OK) == 0;
}

START_TEST(leftover_is_removed)
{
	db_close(&db);
	scratch_write("data/data.compact", "half of it", 10, 0600);
	open_db();
	ck_assert(!is_there("data/data.compact"));
	expect_blobs(BLOBS);
	struct outcome outcome;
	begin(&outcome);
	await(&outcome);
	ck_assert_int_eq(outcome.status, STATUS_OK);
	ck_assert(!is_there("data/data.compact"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_compact");
	TCase *tcase = tcase_create("B-06 a database that is compacted");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, shrinks);
	tcase_add_test(tcase, others_go_on);
	tcase_add_test(tcase, one_behind_the_other);
	tcase_add_test(tcase, closed_meanwhile);
	tcase_add_test(tcase, not_while_copied);
	tcase_add_test(tcase, leftover_is_removed);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
