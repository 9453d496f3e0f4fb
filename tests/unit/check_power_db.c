#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cuts.h"
#include "db/db.h"

/*
 * Batches are submitted in order, some at a time, and each leaves the
 * database in a state that follows from its number.  So whatever a cut
 * leaves, it must be the state after some batch, and after the last one that
 * was acknowledged or a later one.
 */
#define BATCHES   250
#define IN_FLIGHT 6
#define KEPT      20 /* a batch deletes what the one so long ago wrote */
#define PARTS     3
#define ROWS      1
#define LAST_ROW  2
#define ROW_MAX   3000
#define BLOB_MAX  40000

static const struct id ann = { "account of ann" };
static struct db *db;
static uint64_t acknowledged; /* the last one */
static uint64_t submitted, completed;

static enum status open_db(const char *folder)
{
	char path[2 * SCRATCH_BYTES];

	snprintf(path, sizeof(path), "%s/data", folder);
	const struct db_options options = {
		.path = path,
		.service = "test",
		.format = 1,
		.map_bytes = 1 << 18, /* so that it grows */
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 16,
	};

	return db_open(&options, &db);
}

static size_t length_of(uint64_t batch, size_t part, size_t len_max)
{
	return 1 + (batch * 7919 + part * 104729) % (len_max - 1);
}

static struct slice key_of(uint8_t key[static 9], uint64_t batch, size_t part)
{
	put_be64(key, batch);
	key[8] = (uint8_t)part;
	return slice_of(key, 9);
}

/* What the batch writes: bytes that tell whose they are. */
static struct slice value_of(
    uint8_t *room, uint64_t batch, size_t part, size_t len_max)
{
	size_t len = length_of(batch, part, len_max);

	for (size_t i = 0; i < len; i++)
		room[i] = (uint8_t)(batch * 31 + part * 7 + i / 251);
	return slice_of(room, len);
}

/* ---- what is cut ---- */

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)failed_op;
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_uint_eq(generation, ++completed);
	cuts_promise("batch", completed);
}

static void free_blob(void *arg, const uint8_t *data)
{
	(void)data;
	free(arg);
}

static void submit(uint64_t number)
{
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	uint8_t key[9], row[ROW_MAX], last[8];
	uint8_t *blob = malloc(BLOB_MAX);

	for (size_t part = 0; part < PARTS; part++) {
		db_batch_put(batch, ROWS, key_of(key, number, part),
		    value_of(row, number, part, ROW_MAX));
		if (number > KEPT)
			db_batch_delete(
			    batch, ROWS, key_of(key, number - KEPT, part));
	}
	put_be64(last, number);
	db_batch_put(
	    batch, LAST_ROW, slice_text("last"), slice_of(last, sizeof(last)));
	struct slice value = value_of(blob, number, PARTS, BLOB_MAX);
	db_batch_blob_put(
	    batch, number, value.data, value.len, free_blob, blob);
	if (number > KEPT)
		db_batch_blob_delete(batch, number - KEPT);
	ck_assert_int_eq(db_submit(db, &batch, on_done, NULL), STATUS_PENDING);
}

static void run(uint64_t until)
{
	while (completed < until) {
		while (submitted < until && submitted < completed + IN_FLIGHT)
			submit(++submitted);
		struct pollfd event = { db_event_fd(db), POLLIN, 0 };
		poll(&event, 1, -1);
		db_complete(db);
	}
}

/* ---- what a cut leaves ---- */

static void on_mark(const char *what, unsigned long number)
{
	ck_assert_str_eq(what, "batch");
	acknowledged = number;
}

static void look_at_batch(uint64_t number)
{
	uint8_t key[9], want[BLOB_MAX];
	struct bytes value = { 0 };

	for (size_t part = 0; part < PARTS; part++) {
		ck_assert_msg(db_get(db, &ann, ROWS, key_of(key, number, part),
				  &value) == STATUS_OK &&
				  slice_equal(bytes_slice(&value),
				      value_of(want, number, part, ROW_MAX)),
		    "%s: row %zu of batch %llu is not what was written",
		    cuts_said, part, (unsigned long long)number);
	}
	ck_assert_msg(db_blob_get(db, &ann, number, &value) == STATUS_OK &&
			  slice_equal(bytes_slice(&value),
			      value_of(want, number, PARTS, BLOB_MAX)),
	    "%s: the blob of batch %llu is not what was written", cuts_said,
	    (unsigned long long)number);
	bytes_clear(&value);
}

static void look(const char *folder)
{
	struct db_blob blobs[2 * KEPT];
	struct db_account account = { 0 };
	struct db_page page = { 0 };
	struct bytes last = { 0 };
	size_t count = 0;

	enum status st = open_db(folder);
	ck_assert_msg(st == STATUS_OK, "%s: it does not open: %s", cuts_said,
	    status_text(st));
	st = db_account_get(db, &ann, &account);
	ck_assert_msg(st == STATUS_OK || st == STATUS_NOT_FOUND,
	    "%s: the account: %s", cuts_said, status_text(st));
	uint64_t there = account.generation;
	ck_assert_msg(there >= acknowledged && there <= submitted,
	    "%s: batch %llu was acknowledged, %llu is there", cuts_said,
	    (unsigned long long)acknowledged, (unsigned long long)there);

	uint64_t first = there > KEPT ? there - KEPT + 1 : 1;
	for (uint64_t number = first; number <= there; number++)
		look_at_batch(number);
	st = db_scan(db, &ann, ROWS, (struct slice){ 0 }, (struct slice){ 0 },
	    0, false, &page);
	ck_assert_msg(
	    st == STATUS_OK && page.count == (there + 1 - first) * PARTS,
	    "%s: %zu rows after batch %llu", cuts_said, page.count,
	    (unsigned long long)there);
	st = db_blob_scan(db, &ann, 0, blobs, nitems(blobs), &count);
	ck_assert_msg(st == STATUS_OK && count == there + 1 - first,
	    "%s: %zu blobs after batch %llu", cuts_said, count,
	    (unsigned long long)there);
	st = db_get(db, &ann, LAST_ROW, slice_text("last"), &last);
	ck_assert_msg(there == 0 ? st == STATUS_NOT_FOUND
				 : st == STATUS_OK && last.len == 8 &&
				       get_be64(last.data) == there,
	    "%s: the last row is another batch's", cuts_said);
	bytes_clear(&last);
	db_page_clear(&page);
	db_close(&db);
}

START_TEST(power_cut)
{
	log_level_set(LOG_ERROR); /* maps grow in every image */
	const char *live = cuts_begin();

	ck_assert_int_eq(open_db(live), STATUS_OK);
	run(BATCHES / 2);
	db_close(&db);
	ck_assert_int_eq(open_db(live), STATUS_OK);
	run(BATCHES);
	db_close(&db);
	cuts_try(on_mark, look);
	ck_assert_uint_eq(acknowledged, BATCHES);
}
END_TEST

static struct db_compaction compaction;
static bool compacted;

static void on_compacted(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	ck_assert_int_eq(status, STATUS_OK);
	compacted = true;
	/* Nothing was lost by it so far. */
	cuts_promise("batch", completed);
}

/* Compact while batches before it are not decided, and more come behind. */
static void compact(uint64_t until)
{
	compacted = false;
	submit(++submitted);
	ck_assert_int_eq(
	    db_compact(db, &compaction, on_compacted, NULL), STATUS_PENDING);
	run(until);
	while (!compacted) {
		struct pollfd event = { db_event_fd(db), POLLIN, 0 };
		poll(&event, 1, -1);
		db_complete(db);
	}
	ck_assert_uint_lt(compaction.after_bytes, compaction.before_bytes);
}

START_TEST(power_cut_of_compaction)
{
	log_level_set(LOG_ERROR);
	const char *live = cuts_begin();

	ck_assert_int_eq(open_db(live), STATUS_OK);
	run(BATCHES / 4);
	compact(BATCHES / 2);
	compact(BATCHES / 2 + 3);
	db_close(&db);
	cuts_try(on_mark, look);
	ck_assert_uint_eq(acknowledged, BATCHES / 2 + 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("power_db");
	TCase *tcase =
	    tcase_create("R-01 a database after a power cut at any moment");

	tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
	tcase_set_timeout(tcase, 600);
	tcase_add_test(tcase, power_cut);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("B-06 R-01 a database that is being compacted");
	tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
	tcase_set_timeout(tcase, 600);
	tcase_add_test(tcase, power_cut_of_compaction);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
