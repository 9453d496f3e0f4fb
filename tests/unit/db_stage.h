#ifndef KEEPSAKE_TESTS_DB_STAGE_H
#define KEEPSAKE_TESTS_DB_STAGE_H

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "db/db.h"

/* The storage interface through its engine, one folder a test. */

#define ROWS 1 /* tables */
#define MORE 2

static char folder[64];
static struct db *db;
static struct db_options options;

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };

static const uint8_t bulk[BLOB_BYTES_MAX + 1];

static inline void setup(void)
{
	strcpy(folder, "/tmp/check_db.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	options = (struct db_options){ .path = folder,
		.service = "test",
		.format = 3,
		.map_bytes = 1 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 20,
		.blob_reader = true };
	ck_assert(db_open(&options, &db) == STATUS_OK);
}

static inline void remove_folder(void)
{
	static const char *const files[] = { "data.mdb", "lock.mdb",
		"owner.lock", "reserve" };
	char path[128];

	for (size_t i = 0; i < nitems(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

static inline void teardown(void)
{
	db_close(&db);
	remove_folder();
}

static inline void reopen(void)
{
	db_close(&db);
	ck_assert(db_open(&options, &db) == STATUS_OK);
}

/* ---- waiting for completions ---- */

struct outcome {
	unsigned int calls;
	enum status status;
	uint64_t generation;
	size_t failed_op;
	uint8_t *data; /* of a blob read */
	size_t len;
};

static inline void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->status = status;
	outcome->generation = generation;
	outcome->failed_op = failed_op;
}

static inline void on_read(
    void *arg, enum status status, uint8_t *data, size_t len)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->status = status;
	outcome->data = data;
	outcome->len = len;
}

static inline void wait_for(const struct outcome *outcome)
{
	struct pollfd ready = { db_event_fd(db), POLLIN, 0 };

	while (outcome->calls == 0) {
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		db_complete(db);
	}
	ck_assert_uint_eq(outcome->calls, 1);
}

static inline struct outcome run(struct db_batch *batch)
{
	struct outcome outcome = { 0 };

	ck_assert(db_submit(db, &batch, on_done, &outcome) == STATUS_PENDING);
	ck_assert_ptr_null(batch);
	wait_for(&outcome);
	return outcome;
}

static inline struct outcome claim(
    uint8_t space, const char *name, const struct id *account, uint64_t lease)
{
	struct outcome outcome = { 0 };

	ck_assert(db_claim(db, space, slice_text(name), account, lease, on_done,
		      &outcome) == STATUS_PENDING);
	wait_for(&outcome);
	return outcome;
}

static inline void put_text(
    const struct id *account, uint8_t table, const char *key, const char *value)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	db_batch_put(batch, table, slice_text(key), slice_text(value));
	ck_assert(run(batch).status == STATUS_OK);
}

/* Whether the row holds ${want}; NULL where it must not exist. */
static inline bool holds(
    const struct id *account, uint8_t table, const char *key, const char *want)
{
	struct bytes value = { 0 };
	enum status st = db_get(db, account, table, slice_text(key), &value);
	bool same = want ? st == STATUS_OK && slice_equal(bytes_slice(&value),
						  slice_text(want))
			 : st == STATUS_NOT_FOUND;

	bytes_clear(&value);
	return same;
}

/* ---- rows and blobs ---- */

static inline void fill_rows(
    const struct id *account, uint8_t table, uint32_t count)
{
	for (uint32_t i = 0; i < count;) {
		struct db_batch *batch =
		    db_batch_new(account, DB_GENERATION_ANY, NULL);
		for (int ops = 0; ops < 500 && i < count; ops++, i++) {
			uint8_t key[5] = { 'n' };
			put_be32(key + 1, i);
			db_batch_put(batch, table, slice_of(key, sizeof(key)),
			    slice_of(key + 1, 4));
		}
		ck_assert(run(batch).status == STATUS_OK);
	}
}

static unsigned int freed;

static inline void free_data(void *arg, const uint8_t *data)
{
	(void)arg;
	freed++;
	free((void *)(uintptr_t)data);
}

static inline uint8_t *blob_new(uint64_t sequence, size_t len)
{
	uint8_t *data = malloc(len);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(sequence * 31 + i);
	return data;
}

static inline void put_blobs(
    const struct id *account, uint64_t from, uint64_t to, size_t len)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	for (uint64_t sequence = from; sequence < to; sequence++)
		db_batch_blob_put(batch, sequence, blob_new(sequence, len), len,
		    free_data, NULL);
	ck_assert(run(batch).status == STATUS_OK);
}

/* ---- running ---- */

static inline TCase *tcase(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return tc;
}

static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
