#include "db_stage.h"

#include <pthread.h>
#include <stdatomic.h>

/* Scans, and blobs there and back. */

/* ---- scans ---- */

#define SCAN_ROWS 2500

static const struct {
	const char *name;
	size_t limit;
	bool reverse;
} scans[] = {
	{ "pages of 7", 7, false },
	{ "pages of 7, reverse", 7, true },
	{ "the largest pages", DB_PAGE_ENTRIES_MAX, false },
	{ "past the bound is the bound", 100000, true },
	{ "0 is the bound", 0, false },
};

START_TEST(scan_table)
{
	struct db_page page = { 0 };
	struct bytes last = { 0 };
	uint32_t seen = 0;

	fill_rows(&anna, ROWS, SCAN_ROWS);
	fill_rows(&anna, MORE, 10);
	fill_rows(&bert, ROWS, 10);
	put_text(&anna, ROWS, "m", "before the prefix");
	put_text(&anna, ROWS, "o", "behind the prefix");
	do {
		ck_assert(db_scan(db, &anna, ROWS, slice_text("n"),
			      bytes_slice(&last), scans[_i].limit,
			      scans[_i].reverse, &page) == STATUS_OK);
		ck_assert_uint_eq(page.generation, SCAN_ROWS / 500 + 3);
		ck_assert_uint_le(page.count, DB_PAGE_ENTRIES_MAX);
		for (size_t i = 0; i < page.count; i++, seen++) {
			const struct db_entry *entry = &page.entries[i];
			ck_assert_uint_eq(entry->key.len, 5);
			ck_assert_uint_eq(entry->value.len, 4);
			uint32_t want =
			    scans[_i].reverse ? SCAN_ROWS - 1 - seen : seen;
			ck_assert_uint_eq(get_be32(entry->key.data + 1), want);
			ck_assert_uint_eq(get_be32(entry->value.data), want);
		}
		ck_assert_uint_gt(page.count, 0);
		bytes_copy(&last, page.entries[page.count - 1].key);
	} while (page.more);
	ck_assert_msg(seen == SCAN_ROWS, "%s: %u", scans[_i].name, seen);
	bytes_clear(&last);
	db_page_clear(&page);
}
END_TEST

static const struct {
	const char *name;
	const char *prefix;
	const char *after; /* NULL: from the beginning */
	bool reverse;
	const char *want; /* the keys found, one letter each row */
} resumes[] = {
	/* clang-format off */
	{ "all",                     "",   NULL,  false, "a b ba bb c " },
	{ "all, reverse",            "",   NULL,  true,  "c bb ba b a " },
	{ "prefix",                  "b",  NULL,  false, "b ba bb " },
	{ "prefix, reverse",         "b",  NULL,  true,  "bb ba b " },
	{ "resume",                  "b",  "ba",  false, "bb " },
	{ "resume, reverse",         "b",  "ba",  true,  "b " },
	{ "resume at a gap",         "b",  "baa", false, "bb " },
	{ "resume at a gap, back",   "b",  "baa", true,  "ba b " },
	{ "resume before it all",    "b",  "a",   false, "b ba bb " },
	{ "resume before, back",     "b",  "a",   true,  "" },
	{ "resume behind it all",    "b",  "c",   false, "" },
	{ "resume behind, back",     "b",  "c",   true,  "bb ba b " },
	{ "resume at the last",      "",   "c",   false, "" },
	{ "resume at the first",     "",   "a",   true,  "" },
	{ "no such prefix",          "bc", NULL,  false, "" },
	{ "no such prefix, reverse", "bc", NULL,  true,  "" },
	/* clang-format on */
};

START_TEST(resume_table)
{
	static const char *const keys[] = { "bb", "a", "c", "b", "ba" };
	struct db_page page = { 0 };
	struct slice after = { 0 };
	char found[64] = "";

	for (size_t i = 0; i < nitems(keys); i++)
		put_text(&anna, ROWS, keys[i], keys[i]);
	put_text(&anna, MORE, "b", "of another table");
	if (resumes[_i].after)
		after = slice_text(resumes[_i].after);
	ck_assert(db_scan(db, &anna, ROWS, slice_text(resumes[_i].prefix),
		      after, 0, resumes[_i].reverse, &page) == STATUS_OK);
	for (size_t i = 0; i < page.count; i++) {
		strncat(found, (const char *)page.entries[i].key.data,
		    page.entries[i].key.len);
		strcat(found, " ");
	}
	ck_assert(!page.more);
	ck_assert_msg(strcmp(found, resumes[_i].want) == 0, "%s: '%s'",
	    resumes[_i].name, found);
	db_page_clear(&page);
}
END_TEST

/* A page of large values ends early and says so. */
START_TEST(scan_of_large_values)
{
	struct db_page page = { 0 };
	uint8_t key[4];
	size_t seen = 0;

	for (uint32_t i = 0; i < 400; i++) {
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		put_be32(key, i);
		db_batch_put(batch, ROWS, slice_of(key, 4),
		    slice_of(bulk, DB_VALUE_BYTES_MAX));
		ck_assert(db_submit(db, &batch, NULL, NULL) == STATUS_PENDING);
	}
	reopen();
	struct slice after = { 0 };
	do {
		ck_assert(db_scan(db, &anna, ROWS, slice_text(""), after, 0,
			      false, &page) == STATUS_OK);
		ck_assert_uint_lt(page.count, 300);
		seen += page.count;
		put_be32(key, (uint32_t)seen - 1);
		after = slice_of(key, 4);
	} while (page.more);
	ck_assert_uint_eq(seen, 400);
	db_page_clear(&page);
}
END_TEST

/* ---- pages of one moment, under writers ---- */

static _Atomic bool writers_stop;

/* Each batch moves one unit between two rows: the sum never changes. */
static void *move_units(void *arg)
{
	const struct id *account = arg;

	for (unsigned int i = 0; !atomic_load(&writers_stop); i++) {
		uint8_t left = (uint8_t)(i % 100),
			right = (uint8_t)(100 - left);
		struct db_batch *batch =
		    db_batch_new(account, DB_GENERATION_ANY, NULL);
		db_batch_put(
		    batch, ROWS, slice_text("left"), slice_of(&left, 1));
		db_batch_put(
		    batch, ROWS, slice_text("right"), slice_of(&right, 1));
		db_submit(db, &batch, NULL, NULL); /* BUSY is fine too */
		db_batch_destroy(&batch);
	}
	return NULL;
}

START_TEST(pages_of_one_moment)
{
	struct db_page page = { 0 };
	pthread_t writer;
	uint64_t generation = 0, moved = 0;

	atomic_store(&writers_stop, false);
	pthread_create(&writer, NULL, move_units, (void *)(uintptr_t)&anna);
	for (int i = 0; i < 500 || moved < 20; i++) {
		db_complete(db);
		ck_assert(db_scan(db, &anna, ROWS, slice_text(""),
			      (struct slice){ 0 }, 0, i % 2 == 1,
			      &page) == STATUS_OK);
		ck_assert_uint_ge(page.generation, generation);
		moved += page.generation > generation;
		generation = page.generation;
		if (page.count == 0)
			continue;
		ck_assert_uint_eq(page.count, 2);
		ck_assert_int_eq(page.entries[0].value.data[0] +
				     page.entries[1].value.data[0],
		    100);
	}
	atomic_store(&writers_stop, true);
	pthread_join(writer, NULL);
	db_page_clear(&page);
}
END_TEST

/* ---- blobs ---- */

START_TEST(blobs_there_and_back)
{
	static const size_t lens[] = { 1, 4079, 4080, 4081, 200000,
		BLOB_BYTES_MAX };
	struct bytes blob = { 0 };
	struct db_blob listed[8], last;
	size_t count;

	freed = 0;
	for (uint64_t i = 0; i < nitems(lens); i++)
		put_blobs(&anna, i * 10, i * 10 + 1, lens[i]);
	ck_assert_uint_eq(freed, nitems(lens));
	reopen();
	for (uint64_t i = 0; i < nitems(lens); i++) {
		uint8_t *want = blob_new(i * 10, lens[i]);
		struct outcome outcome = { 0 };
		ck_assert(db_blob_get(db, &anna, i * 10, &blob) == STATUS_OK);
		ck_assert_uint_eq(blob.len, lens[i]);
		ck_assert_mem_eq(blob.data, want, lens[i]);
		ck_assert(db_blob_read(db, &anna, i * 10, on_read, &outcome) ==
			  STATUS_PENDING);
		wait_for(&outcome);
		ck_assert(outcome.status == STATUS_OK);
		ck_assert_uint_eq(outcome.len, lens[i]);
		ck_assert_mem_eq(outcome.data, want, lens[i]);
		free(outcome.data);
		free(want);
	}
	struct outcome outcome = { 0 };
	ck_assert(
	    db_blob_read(db, &anna, 11, on_read, &outcome) == STATUS_PENDING);
	wait_for(&outcome);
	ck_assert(outcome.status == STATUS_NOT_FOUND);
	ck_assert_ptr_null(outcome.data);

	ck_assert(db_blob_scan(db, &anna, 11, listed, 8, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_eq(listed[0].sequence, 20);
	ck_assert_uint_eq(listed[3].len, BLOB_BYTES_MAX);
	ck_assert(db_blob_scan(db, &anna, 0, listed, 2, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert(db_blob_last(db, &anna, &last) == STATUS_OK);
	ck_assert_uint_eq(last.sequence, 50);

	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_blob_delete(batch, 50);
	db_batch_blob_delete(batch, 51); /* need not exist */
	ck_assert(run(batch).status == STATUS_OK);
	ck_assert(db_blob_get(db, &anna, 50, &blob) == STATUS_NOT_FOUND);
	ck_assert(db_blob_last(db, &anna, &last) == STATUS_OK);
	ck_assert_uint_eq(last.sequence, 40);
	bytes_clear(&blob);
}
END_TEST

START_TEST(reads_are_bounded)
{
	struct outcome outcomes[DB_READS_MAX] = { { 0 } };

	put_blobs(&anna, 0, 1, 4080);
	for (size_t i = 0; i < DB_READS_MAX; i++)
		ck_assert(db_blob_read(db, &anna, 0, on_read, &outcomes[i]) ==
			  STATUS_PENDING);
	ck_assert(db_blob_read(db, &anna, 0, on_read, NULL) == STATUS_BUSY);
	for (size_t i = 0; i < DB_READS_MAX; i++) {
		wait_for(&outcomes[i]);
		free(outcomes[i].data);
	}
}
END_TEST

/* A blob whose batch fails is given back too. */
START_TEST(blobs_are_freed)
{
	freed = 0;
	struct db_batch *batch = db_batch_new(&anna, 99, NULL);
	db_batch_blob_put(batch, 1, blob_new(1, 10), 10, free_data, NULL);
	ck_assert(run(batch).status == STATUS_CONFLICT);
	ck_assert_uint_eq(freed, 1);
	batch = db_batch_new(&anna, 99, NULL);
	db_batch_blob_put(batch, 1, blob_new(1, 10), 10, free_data, NULL);
	db_batch_destroy(&batch);
	ck_assert_uint_eq(freed, 2);
	ck_assert_ptr_null(batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_read");

	TCase *tc = tcase(suite, "P-07 scans in pages");
	tcase_add_loop_test(tc, scan_table, 0, nitems(scans));
	tcase_add_loop_test(tc, resume_table, 0, nitems(resumes));
	tcase_add_test(tc, scan_of_large_values);
	tcase_add_test(tc, pages_of_one_moment);

	tc = tcase(suite, "B-04 blobs there and back");
	tcase_add_test(tc, blobs_there_and_back);
	tcase_add_test(tc, blobs_are_freed);

	tc = tcase(suite, "G-05 bounds of batches and queues");
	tcase_add_test(tc, reads_are_bounded);

	return run_suite(suite);
}
