#include "db_stage.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* Batches, claims, notes: what is written, and who may write what. */

/* ---- guards and generations ---- */

static void add_nothing(struct db_batch *batch)
{
	(void)batch;
}

static void add_require_there(struct db_batch *batch)
{
	db_batch_require(batch, ROWS, slice_text("there"));
}

static void add_require_missing(struct db_batch *batch)
{
	db_batch_require(batch, ROWS, slice_text("missing"));
}

static void add_forbid_there(struct db_batch *batch)
{
	db_batch_forbid(batch, ROWS, slice_text("there"));
}

static void add_forbid_missing(struct db_batch *batch)
{
	db_batch_forbid(batch, ROWS, slice_text("missing"));
}

static void add_expect_same(struct db_batch *batch)
{
	db_batch_expect(batch, ROWS, slice_text("there"), slice_text("old"));
}

static void add_expect_other(struct db_batch *batch)
{
	db_batch_expect(batch, ROWS, slice_text("there"), slice_text("older"));
}

static void add_expect_missing(struct db_batch *batch)
{
	db_batch_expect(batch, ROWS, slice_text("missing"), slice_text("x"));
}

static void add_agree_same(struct db_batch *batch)
{
	db_batch_agree(batch, ROWS, slice_text("there"), slice_text("old"));
}

static void add_agree_other(struct db_batch *batch)
{
	db_batch_agree(batch, ROWS, slice_text("there"), slice_text("older"));
}

static void add_agree_missing(struct db_batch *batch)
{
	db_batch_agree(batch, ROWS, slice_text("missing"), slice_text("x"));
}

static void add_second_fails(struct db_batch *batch)
{
	add_require_there(batch);
	add_expect_other(batch);
	add_require_missing(batch);
}

static void add_guard_after_change(struct db_batch *batch)
{
	db_batch_delete(batch, ROWS, slice_text("there"));
	db_batch_require(batch, ROWS, slice_text("there"));
}

static void add_blob_taken(struct db_batch *batch)
{
	db_batch_blob_put(batch, 1, (const uint8_t *)"b", 1, NULL, NULL);
}

static void add_blob_twice(struct db_batch *batch)
{
	db_batch_blob_put(batch, 2, (const uint8_t *)"b", 1, NULL, NULL);
	db_batch_blob_put(batch, 2, (const uint8_t *)"c", 1, NULL, NULL);
}

static const struct {
	const char *name;
	void (*add)(struct db_batch *batch);
	uint64_t expected;
	enum status want;
	size_t failed_op; /* counted after the put that comes first */
} guards[] = {
	/* clang-format off */
	{ "no guard",               add_nothing,            DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "generation as read",     add_nothing,            2,                 STATUS_OK,        DB_OP_NONE },
	{ "generation too low",     add_nothing,            1,                 STATUS_CONFLICT,  DB_OP_NONE },
	{ "generation too high",    add_nothing,            3,                 STATUS_CONFLICT,  DB_OP_NONE },
	{ "generation of none",     add_nothing,            0,                 STATUS_CONFLICT,  DB_OP_NONE },
	{ "require, there",         add_require_there,      DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "require, missing",       add_require_missing,    DB_GENERATION_ANY, STATUS_NOT_FOUND, 1 },
	{ "forbid, there",          add_forbid_there,       DB_GENERATION_ANY, STATUS_CONFLICT,  1 },
	{ "forbid, missing",        add_forbid_missing,     DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "expect, the same",       add_expect_same,        DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "expect, another",        add_expect_other,       DB_GENERATION_ANY, STATUS_CONFLICT,  1 },
	{ "expect, missing",        add_expect_missing,     DB_GENERATION_ANY, STATUS_CONFLICT,  1 },
	{ "agree, the same",        add_agree_same,         DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "agree, another",         add_agree_other,        DB_GENERATION_ANY, STATUS_CONFLICT,  1 },
	{ "agree, missing",         add_agree_missing,      DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "the first to fail",      add_second_fails,       DB_GENERATION_ANY, STATUS_CONFLICT,  2 },
	{ "guards see rows before", add_guard_after_change, DB_GENERATION_ANY, STATUS_OK,        DB_OP_NONE },
	{ "blob is taken",          add_blob_taken,         DB_GENERATION_ANY, STATUS_CONFLICT,  1 },
	{ "blob twice in a batch",  add_blob_twice,         DB_GENERATION_ANY, STATUS_CONFLICT,  2 },
	/* clang-format on */
};

START_TEST(guard_table)
{
	put_text(&anna, ROWS, "there", "old");
	struct db_batch *batch = db_batch_new(&anna, 1, NULL);
	db_batch_blob_put(batch, 1, (const uint8_t *)"a", 1, NULL, NULL);
	ck_assert(run(batch).generation == 2);

	batch = db_batch_new(&anna, guards[_i].expected, NULL);
	db_batch_put(batch, MORE, slice_text("trace"), slice_text("1"));
	guards[_i].add(batch);
	struct outcome outcome = run(batch);
	ck_assert_msg(outcome.status == guards[_i].want, "%s: %s",
	    guards[_i].name, status_text(outcome.status));
	ck_assert_msg(outcome.failed_op == guards[_i].failed_op, "%s: %zu",
	    guards[_i].name, outcome.failed_op);
	bool went = guards[_i].want == STATUS_OK;
	ck_assert_uint_eq(outcome.generation, went ? 3 : 2);
	ck_assert(holds(&anna, MORE, "trace", went ? "1" : NULL));
}
END_TEST

START_TEST(repeat_is_recognised)
{
	static const struct id batch_id = { "a batch's id" };
	struct db_account account;

	for (int i = 0; i < 2; i++) {
		struct db_batch *batch = db_batch_new(&anna, 0, &batch_id);
		db_batch_forbid(batch, ROWS, slice_text("k"));
		db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
		struct outcome outcome = run(batch);
		ck_assert(outcome.status == STATUS_OK);
		ck_assert_uint_eq(outcome.generation, 1);
		reopen();
	}
	/* Of another account it is another batch, and so is a late one. */
	struct db_batch *batch = db_batch_new(&bert, 0, &batch_id);
	db_batch_require(batch, ROWS, slice_text("k"));
	ck_assert(run(batch).status == STATUS_NOT_FOUND);
	put_text(&anna, ROWS, "k", "w");
	batch = db_batch_new(&anna, 0, &batch_id);
	db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
	ck_assert(run(batch).status == STATUS_CONFLICT);
	ck_assert(db_account_get(db, &anna, &account) == STATUS_OK);
	ck_assert_uint_eq(account.generation, 2);
	ck_assert(db_account_get(db, &bert, &account) == STATUS_NOT_FOUND);
}
END_TEST

/* Later batches of one group see what earlier ones did. */
START_TEST(group_in_order)
{
	struct outcome outcomes[20] = { { 0 } };

	for (uint64_t i = 0; i < nitems(outcomes); i++) {
		uint64_t expected = i == 10 ? 3 : i - (i > 10);
		struct db_batch *batch = db_batch_new(&anna, expected, NULL);
		uint8_t before = (uint8_t)(expected - 1);
		uint8_t now = (uint8_t)expected;
		if (expected > 0)
			db_batch_expect(batch, ROWS, slice_text("counter"),
			    slice_of(&before, 1));
		db_batch_put(
		    batch, ROWS, slice_text("counter"), slice_of(&now, 1));
		ck_assert(db_submit(db, &batch, on_done, &outcomes[i]) ==
			  STATUS_PENDING);
	}
	db_close(&db); /* finishes what is submitted */
	for (size_t i = 0; i < nitems(outcomes); i++) {
		ck_assert_uint_eq(outcomes[i].calls, 1);
		ck_assert(outcomes[i].status ==
			  (i == 10 ? STATUS_CONFLICT : STATUS_OK));
	}
	ck_assert(db_open(&options, &db) == STATUS_OK);
}
END_TEST

/* Completions may submit, and closing ends that. */
struct chain {
	unsigned int links;
	enum status refused;
};

static void on_link(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct chain *chain = arg;
	struct db_batch *batch = db_batch_new(&anna, generation, NULL);

	ck_assert(status == STATUS_OK);
	ck_assert_uint_eq(failed_op, DB_OP_NONE);
	chain->links++;
	chain->refused = db_submit(db, &batch, on_link, chain);
	db_batch_destroy(&batch);
}

START_TEST(completions_submit)
{
	struct chain chain = { 0, STATUS_OK };
	struct pollfd ready = { db_event_fd(db), POLLIN, 0 };
	struct db_batch *batch = db_batch_new(&anna, 0, NULL);

	ck_assert_int_eq(poll(&ready, 1, 0), 0);
	ck_assert(db_submit(db, &batch, on_link, &chain) == STATUS_PENDING);
	while (chain.links < 20) {
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		ck_assert_uint_eq(db_complete(db), 1);
		ck_assert(chain.refused == STATUS_PENDING);
	}
	db_close(&db);
	ck_assert_uint_eq(chain.links, 21);
	ck_assert(chain.refused == STATUS_UNAVAILABLE);
	ck_assert(db_open(&options, &db) == STATUS_OK);
}
END_TEST

/* ---- bounds of a batch ---- */

static void count_free(void *arg, const uint8_t *data)
{
	(void)arg;
	(void)data;
	freed++;
}

static void add_value(struct db_batch *batch, size_t len, size_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		uint8_t key[4];
		put_be32(key, i);
		db_batch_put(batch, ROWS, slice_of(key, sizeof(key)),
		    slice_of(bulk, len));
	}
}

static void add_key(struct db_batch *batch, size_t len, size_t times)
{
	char key[512];

	(void)times;
	memset(key, 'k', sizeof(key));
	db_batch_delete(batch, ROWS, slice_of(key, len));
}

static void add_name(struct db_batch *batch, size_t len, size_t times)
{
	(void)times;
	db_batch_release(batch, 1, slice_of(bulk, len));
}

static void add_blob(struct db_batch *batch, size_t len, size_t times)
{
	for (uint64_t i = 0; i < times; i++)
		db_batch_blob_put(batch, i, bulk, len, count_free, NULL);
}

static const struct {
	const char *name;
	void (*add)(struct db_batch *batch, size_t len, size_t times);
	size_t len;
	size_t times;
	enum status want;
} sizes[] = {
	/* clang-format off */
	{ "smallest value",     add_value, 1,                      1,    STATUS_PENDING },
	{ "no value",           add_value, 0,                      1,    STATUS_TOO_LARGE },
	{ "largest value",      add_value, DB_VALUE_BYTES_MAX,     1,    STATUS_PENDING },
	{ "value too large",    add_value, DB_VALUE_BYTES_MAX + 1, 1,    STATUS_TOO_LARGE },
	{ "most operations",    add_value, 8,                      1000, STATUS_PENDING },
	{ "one operation more", add_value, 8,                      1001, STATUS_TOO_LARGE },
	{ "many bytes",         add_value, 4096,                   250,  STATUS_PENDING },
	{ "too many bytes",     add_value, 4096,                   256,  STATUS_TOO_LARGE },
	{ "longest key",        add_key,   483,                    1,    STATUS_PENDING },
	{ "key too long",       add_key,   484,                    1,    STATUS_TOO_LARGE },
	{ "longest name",       add_name,  DB_NAME_BYTES_MAX,      1,    STATUS_PENDING },
	{ "name too long",      add_name,  DB_NAME_BYTES_MAX + 1,  1,    STATUS_TOO_LARGE },
	{ "no name",            add_name,  0,                      1,    STATUS_TOO_LARGE },
	{ "smallest blob",      add_blob,  1,                      1,    STATUS_PENDING },
	{ "no blob",            add_blob,  0,                      1,    STATUS_TOO_LARGE },
	{ "largest blob",       add_blob,  BLOB_BYTES_MAX,         1,    STATUS_PENDING },
	{ "blob too large",     add_blob,  BLOB_BYTES_MAX + 1,     1,    STATUS_TOO_LARGE },
	{ "many blobs",         add_blob,  BLOB_BYTES_MAX,         64,   STATUS_PENDING },
	{ "too many blobs",     add_blob,  BLOB_BYTES_MAX,         65,   STATUS_TOO_LARGE },
	/* clang-format on */
};

START_TEST(size_table)
{
	struct outcome outcome = { 0 };
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);

	freed = 0;
	sizes[_i].add(batch, sizes[_i].len, sizes[_i].times);
	enum status got = db_submit(db, &batch, on_done, &outcome);
	ck_assert_msg(
	    got == sizes[_i].want, "%s: %s", sizes[_i].name, status_text(got));
	if (got == STATUS_PENDING) {
		wait_for(&outcome);
		ck_assert_msg(outcome.status == STATUS_OK, "%s: %s",
		    sizes[_i].name, status_text(outcome.status));
	}
	db_batch_destroy(&batch);
	if (sizes[_i].add == add_blob)
		ck_assert_uint_eq(freed, sizes[_i].times);
}
END_TEST

START_TEST(no_batch)
{
	struct db_batch *none = NULL;

	freed = 0;
	db_batch_put(none, ROWS, slice_text("k"), slice_text("v"));
	db_batch_confirm(none, 1, slice_text("n"));
	db_batch_remove_account(none);
	db_batch_blob_put(none, 1, bulk, 1, count_free, NULL);
	ck_assert_uint_eq(freed, 1);
	ck_assert(db_submit(db, &none, on_done, NULL) == STATUS_NO_SPACE);
	db_batch_destroy(&none);
}
END_TEST

START_TEST(queue_is_bounded)
{
	struct outcome outcome = { 0 };
	size_t taken = 0;
	enum status st = STATUS_PENDING;

	while (st == STATUS_PENDING) {
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
		st = db_submit(db, &batch, on_done, &outcome);
		if (st == STATUS_PENDING)
			taken++;
		else
			ck_assert_ptr_nonnull(batch);
		db_batch_destroy(&batch);
	}
	ck_assert(st == STATUS_BUSY);
	ck_assert_uint_eq(taken, DB_QUEUE_BATCHES_MAX);
	while (outcome.calls < taken)
		db_complete(db);
	put_text(&anna, ROWS, "k", "w"); /* and there is room again */

	struct db_stats stats;
	ck_assert(db_stats(db, &stats) == STATUS_OK);
	ck_assert_uint_eq(stats.queue_batches, 0);
	ck_assert_uint_eq(stats.queue_bytes, 0);
	ck_assert_uint_eq(stats.batches, taken + 1);
	ck_assert_uint_lt(stats.commits, taken / 8); /* group commit */
}
END_TEST

/* ---- many threads ---- */

#define THREADS        8
#define THREAD_BATCHES 400

struct submitter {
	pthread_t thread;
	uint8_t number;
};

static _Atomic unsigned int committed, wrong;

static void on_counted(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	atomic_fetch_add(status == STATUS_OK ? &committed : &wrong, 1);
}

static void *submit_many(void *arg)
{
	struct submitter *self = arg;
	struct id account = { { self->number } };

	for (uint32_t i = 0; i < THREAD_BATCHES; i++) {
		uint8_t key[4];
		put_be32(key, i);
		/* The same table and keys in each account. */
		struct db_batch *batch = db_batch_new(&account, i, NULL);
		db_batch_forbid(batch, ROWS, slice_of(key, 4));
		db_batch_put(
		    batch, ROWS, slice_of(key, 4), slice_of(&self->number, 1));
		while (db_submit(db, &batch, on_counted, NULL) == STATUS_BUSY)
			sched_yield();
	}
	return NULL;
}

START_TEST(many_threads)
{
	struct submitter submitters[THREADS];
	struct db_account accounts[THREADS + 1];
	struct db_page page = { 0 };
	size_t count;

	atomic_store(&committed, 0);
	atomic_store(&wrong, 0);
	for (uint8_t i = 0; i < THREADS; i++) {
		submitters[i].number = i;
		pthread_create(
		    &submitters[i].thread, NULL, submit_many, &submitters[i]);
	}
	while (committed + wrong < THREADS * THREAD_BATCHES)
		db_complete(db);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(submitters[i].thread, NULL);
	ck_assert_uint_eq(wrong, 0);

	ck_assert(
	    db_accounts(db, NULL, accounts, THREADS + 1, &count) == STATUS_OK);
	ck_assert_uint_eq(count, THREADS);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(accounts[i].generation, THREAD_BATCHES);
		ck_assert(
		    db_scan(db, &accounts[i].id, ROWS, slice_text(""),
			(struct slice){ 0 }, 0, false, &page) == STATUS_OK);
		ck_assert_uint_eq(page.count, THREAD_BATCHES);
		for (size_t j = 0; j < page.count; j++)
			ck_assert_uint_eq(page.entries[j].value.data[0],
			    accounts[i].id.bytes[0]);
	}
	db_page_clear(&page);
}
END_TEST

/* ---- accounts apart ---- */

/* Ids that are neighbours, or alike but for a byte at one end. */
static const struct id neighbours[] = {
	{ { 0 } },
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
	{ { 1 } },
	{ { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
	{ { 1, 1 } },
	{ { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	    255, 255, 254 } },
	{ { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	    255, 255, 255 } },
};

START_TEST(accounts_apart)
{
	static const uint8_t tables[] = { 1, 2, 255 };
	struct db_page page = { 0 };
	struct bytes blob = { 0 };
	struct db_blob blobs[4], last;
	size_t count;

	/* Every other account, each with the same keys in three tables. */
	for (uint8_t i = 0; i < nitems(neighbours); i += 2) {
		struct db_batch *batch = db_batch_new(&neighbours[i], 0, NULL);
		for (size_t t = 0; t < nitems(tables); t++) {
			db_batch_put(
			    batch, tables[t], slice_text(""), slice_of(&i, 1));
			db_batch_put(batch, tables[t], slice_text("\377"),
			    slice_of(&i, 1));
		}
		db_batch_blob_put(batch, 0, &i, 1, NULL, NULL);
		db_batch_blob_put(batch, UINT64_MAX, &i, 1, NULL, NULL);
		ck_assert(run(batch).status == STATUS_OK);
	}
	for (size_t i = 0; i < nitems(neighbours); i++) {
		const struct id *account = &neighbours[i];
		bool there = i % 2 == 0;
		for (size_t t = 0; t < nitems(tables) * 2; t++) {
			ck_assert(db_scan(db, account, tables[t / 2],
				      slice_text(""), (struct slice){ 0 }, 0,
				      t % 2 == 1, &page) == STATUS_OK);
			ck_assert_uint_eq(page.count, there ? 2 : 0);
			ck_assert_uint_eq(page.generation, there ? 1 : 0);
			for (size_t j = 0; j < page.count; j++)
				ck_assert_uint_eq(
				    page.entries[j].value.data[0], i);
		}
		ck_assert(db_blob_scan(db, account, 0, blobs, 4, &count) ==
			  STATUS_OK);
		ck_assert_uint_eq(count, there ? 2 : 0);
		ck_assert(db_blob_last(db, account, &last) ==
			  (there ? STATUS_OK : STATUS_NOT_FOUND));
		ck_assert(db_blob_get(db, account, 0, &blob) ==
			  (there ? STATUS_OK : STATUS_NOT_FOUND));
		if (there)
			ck_assert_uint_eq(blob.data[0], i);
		if (there)
			ck_assert_uint_eq(last.sequence, UINT64_MAX);
		ck_assert(db_get(db, account, 3, slice_text(""), &blob) ==
			  STATUS_NOT_FOUND);
	}
	/* Removing one leaves its neighbours whole. */
	struct db_batch *batch = db_batch_new(&neighbours[2], 1, NULL);
	db_batch_remove_account(batch);
	ck_assert(run(batch).status == STATUS_OK);
	for (size_t i = 0; i < nitems(neighbours); i++) {
		ck_assert(
		    db_scan(db, &neighbours[i], 255, slice_text(""),
			(struct slice){ 0 }, 0, false, &page) == STATUS_OK);
		ck_assert_uint_eq(page.count, i % 2 == 0 && i != 2 ? 2 : 0);
	}
	bytes_clear(&blob);
	db_page_clear(&page);
}
END_TEST

START_TEST(account_pages)
{
	struct db_account accounts[3];
	size_t count;

	for (size_t i = 0; i < nitems(neighbours); i++)
		put_text(&neighbours[i], ROWS, "k", "v");
	const struct id *after = NULL;
	struct id last;
	for (size_t seen = 0; seen < nitems(neighbours); seen += count) {
		ck_assert(
		    db_accounts(db, after, accounts, 3, &count) == STATUS_OK);
		ck_assert_uint_gt(count, 0);
		for (size_t i = 0; i < count; i++)
			ck_assert(
			    id_equal(&accounts[i].id, &neighbours[seen + i]));
		last = accounts[count - 1].id;
		after = &last;
	}
	ck_assert(db_accounts(db, after, accounts, 3, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 0);
}
END_TEST

/* ---- removal ---- */

START_TEST(remove_account)
{
	static const struct id batch_id = { "the last batch" };
	struct db_account account;

	put_text(&anna, ROWS, "k", "v");
	for (int i = 0; i < 2; i++) { /* the second is a repeat */
		struct db_batch *batch = db_batch_new(&anna, 1, &batch_id);
		db_batch_put(batch, MORE, slice_text("late"), slice_text("v"));
		db_batch_remove_account(batch);
		struct outcome outcome = run(batch);
		ck_assert(outcome.status == STATUS_OK);
		ck_assert_uint_eq(outcome.generation, 2);
	}
	ck_assert(holds(&anna, ROWS, "k", NULL));
	ck_assert(holds(&anna, MORE, "late", NULL));
	ck_assert(db_account_get(db, &anna, &account) == STATUS_OK);
	ck_assert(account.removed);
	ck_assert_uint_eq(account.generation, 2);

	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
	ck_assert(run(batch).status == STATUS_CONFLICT);
	ck_assert(claim(1, "anna", &anna, 1000).status == STATUS_CONFLICT);
	reopen();
	ck_assert(holds(&anna, ROWS, "k", NULL));
}
END_TEST

START_TEST(remove_in_slices)
{
	fill_rows(&anna, ROWS, DB_BATCH_OPS_MAX + 1);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_remove_account(batch);
	struct outcome outcome = run(batch);
	ck_assert(outcome.status == STATUS_TOO_LARGE);
	ck_assert_uint_eq(outcome.failed_op, 0);

	uint8_t first[5] = { 'n' };
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_delete(batch, ROWS, slice_of(first, sizeof(first)));
	ck_assert(run(batch).status == STATUS_OK);
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_remove_account(batch);
	ck_assert(run(batch).status == STATUS_OK);
	struct db_stats stats;
	ck_assert(db_stats(db, &stats) == STATUS_OK);
	ck_assert_uint_eq(stats.rows, 0);
	ck_assert_uint_eq(stats.accounts, 1);
}
END_TEST

/* ---- names ---- */

enum name_action { CLAIM_SHORT, CLAIM_LONG, UNCLAIM, CONFIRM, RELEASE };

static const struct {
	const char *name;
	enum name_action before_action; /* by anna */
	bool confirmed;                 /* by anna, after that */
	enum name_action action;
	const struct id *by;
	enum status want;
	const struct id *owner; /* confirmed, in the end; NULL for nobody */
} names[] = {
	/* clang-format off */
	{ "claim what is leased",          CLAIM_LONG,  false, CLAIM_LONG, &bert, STATUS_CONFLICT,  NULL },
	{ "claim an ended lease",          CLAIM_SHORT, false, CLAIM_LONG, &bert, STATUS_OK,        NULL },
	{ "claim again",                   CLAIM_LONG,  false, CLAIM_LONG, &anna, STATUS_OK,        NULL },
	{ "claim what is confirmed",       CLAIM_SHORT, true,  CLAIM_LONG, &bert, STATUS_CONFLICT,  &anna },
	{ "claim one's own confirmed",     CLAIM_LONG,  true,  CLAIM_LONG, &anna, STATUS_OK,        &anna },
	{ "confirm one's own",             CLAIM_LONG,  false, CONFIRM,    &anna, STATUS_OK,        &anna },
	{ "confirm late, nobody came",     CLAIM_SHORT, false, CONFIRM,    &anna, STATUS_OK,        &anna },
	{ "confirm another's lease",       CLAIM_LONG,  false, CONFIRM,    &bert, STATUS_CONFLICT,  NULL },
	{ "confirm another's ended lease", CLAIM_SHORT, false, CONFIRM,    &bert, STATUS_CONFLICT,  NULL },
	{ "confirm what nobody claimed",   RELEASE,     false, CONFIRM,    &bert, STATUS_NOT_FOUND, NULL },
	{ "confirm twice",                 CLAIM_LONG,  true,  CONFIRM,    &anna, STATUS_OK,        &anna },
	{ "release one's own",             CLAIM_LONG,  true,  RELEASE,    &anna, STATUS_OK,        NULL },
	{ "release another's",             CLAIM_LONG,  true,  RELEASE,    &bert, STATUS_CONFLICT,  &anna },
	{ "release nobody's",              RELEASE,     false, RELEASE,    &bert, STATUS_OK,        NULL },
	{ "unclaim one's own lease",       CLAIM_LONG,  false, UNCLAIM,    &anna, STATUS_OK,        NULL },
	{ "unclaim one's own confirmed",   CLAIM_LONG,  true,  UNCLAIM,    &anna, STATUS_OK,        &anna },
	{ "unclaim another's lease",       CLAIM_LONG,  false, UNCLAIM,    &bert, STATUS_OK,        NULL },
	{ "unclaim another's confirmed",   CLAIM_LONG,  true,  UNCLAIM,    &bert, STATUS_OK,        &anna },
	{ "unclaim nobody's",              RELEASE,     false, UNCLAIM,    &bert, STATUS_OK,        NULL },
	/* clang-format on */
};

static struct outcome unclaim(
    uint8_t space, const char *name, const struct id *account)
{
	struct outcome outcome = { 0 };

	ck_assert(db_unclaim(db, space, slice_text(name), account, on_done,
		      &outcome) == STATUS_PENDING);
	wait_for(&outcome);
	return outcome;
}

static struct outcome act_on_name(enum name_action action, const struct id *by)
{
	struct db_batch *batch;

	switch (action) {
	case CLAIM_SHORT:
		return claim(1, "a name", by, 0);
	case CLAIM_LONG:
		return claim(1, "a name", by, UINT64_MAX);
	case UNCLAIM:
		return unclaim(1, "a name", by);
	case CONFIRM:
		batch = db_batch_new(by, DB_GENERATION_ANY, NULL);
		db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
		db_batch_confirm(batch, 1, slice_text("a name"));
		return run(batch);
	case RELEASE:
	default:
		batch = db_batch_new(by, DB_GENERATION_ANY, NULL);
		db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
		db_batch_release(batch, 1, slice_text("a name"));
		return run(batch);
	}
}

START_TEST(name_table)
{
	struct id owner;
	struct slice name = slice_text("a name");

	ck_assert(
	    act_on_name(names[_i].before_action, &anna).status == STATUS_OK);
	ck_assert(db_name_get(db, 1, name, &owner) == STATUS_NOT_FOUND);
	if (names[_i].confirmed)
		ck_assert(act_on_name(CONFIRM, &anna).status == STATUS_OK);
	struct outcome outcome = act_on_name(names[_i].action, names[_i].by);
	ck_assert_msg(outcome.status == names[_i].want, "%s: %s",
	    names[_i].name, status_text(outcome.status));
	reopen();
	enum status st = db_name_get(db, 1, name, &owner);
	if (names[_i].owner) {
		ck_assert_msg(st == STATUS_OK, "%s", names[_i].name);
		ck_assert(id_equal(&owner, names[_i].owner));
	} else {
		ck_assert_msg(st == STATUS_NOT_FOUND, "%s", names[_i].name);
	}
	ck_assert(db_name_get(db, 2, name, &owner) == STATUS_NOT_FOUND);
	ck_assert(db_name_get(db, 1, slice_text("a nam"), &owner) ==
		  STATUS_NOT_FOUND);
	/* A batch that failed on the name left no row either. */
	if (names[_i].by == &bert && names[_i].want != STATUS_OK)
		ck_assert(holds(&bert, ROWS, "k", NULL));
}
END_TEST

/* A claim is no batch of the account: its generation stays. */
START_TEST(claim_keeps_generation)
{
	struct outcome outcome = claim(1, "a name", &anna, 1000);

	ck_assert(outcome.status == STATUS_OK);
	ck_assert_uint_eq(outcome.generation, 0);
	put_text(&anna, ROWS, "k", "v");
	ck_assert_uint_eq(claim(1, "b name", &anna, 1000).generation, 1);
	outcome = (struct outcome){ 0 };
	ck_assert(db_claim(db, 1, slice_text(""), &anna, 1, on_done,
		      &outcome) == STATUS_TOO_LARGE);
	ck_assert(db_claim(db, 1, slice_of(bulk, DB_NAME_BYTES_MAX + 1), &anna,
		      1, on_done, &outcome) == STATUS_TOO_LARGE);
}
END_TEST

/* Once the account has given its claim up another has the name at once; what
 * another has claimed meanwhile stays. */
START_TEST(unclaimed_is_free)
{
	ck_assert(claim(1, "a name", &anna, UINT64_MAX).status == STATUS_OK);
	ck_assert(unclaim(1, "a name", &bert).status == STATUS_OK);
	ck_assert(
	    claim(1, "a name", &bert, UINT64_MAX).status == STATUS_CONFLICT);
	struct outcome outcome = unclaim(1, "a name", &anna);
	ck_assert(outcome.status == STATUS_OK);
	ck_assert_uint_eq(outcome.generation, 0);
	ck_assert(claim(1, "a name", &bert, UINT64_MAX).status == STATUS_OK);
	ck_assert(unclaim(1, "a name", &anna).status == STATUS_OK);
	ck_assert(
	    claim(1, "a name", &anna, UINT64_MAX).status == STATUS_CONFLICT);
}
END_TEST

/* ---- all names ---- */

START_TEST(all_names)
{
	enum { NAMES = 25, PAGE = 10 };
	struct db_name page[PAGE], last;
	const struct db_name *after = NULL;
	size_t count = PAGE, total = 0;

	for (unsigned int i = 0; i < NAMES; i++) {
		char text[] = { 'n', (char)('a' + i), '\0' };
		uint8_t space = (uint8_t)(1 + i % 2);
		ck_assert(claim(space, text, &anna, 60000).status == STATUS_OK);
		if (i % 5 != 0)
			continue;
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_confirm(batch, space, slice_text(text));
		ck_assert(run(batch).status == STATUS_OK);
	}
	while (count == PAGE) {
		ck_assert(db_names(db, after, page, PAGE, &count) == STATUS_OK);
		for (size_t i = 0; i < count; i++) {
			unsigned int index =
			    (unsigned int)page[i].name[1] - 'a';
			ck_assert(id_equal(&page[i].account, &anna));
			ck_assert_uint_eq(page[i].name_len, 2);
			ck_assert_uint_eq(page[i].name[0], 'n');
			ck_assert_uint_eq(page[i].space, 1 + index % 2);
			ck_assert(page[i].confirmed == (index % 5 == 0));
			if (total + i > 0)
				ck_assert(page[i].space > last.space ||
					  page[i].name[1] > last.name[1]);
			last = page[i];
		}
		total += count;
		after = &last;
	}
	ck_assert_uint_eq(total, NAMES);
}
END_TEST

/* ---- stopping, waiting ---- */

static void on_done_submit(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct outcome *outcome = arg;
	struct db_batch *batch = db_batch_new(&bert, DB_GENERATION_ANY, NULL);

	on_done(arg, status, generation, failed_op);
	db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
	outcome->len = db_submit(db, &batch, NULL, NULL);
	db_batch_destroy(&batch);
}

START_TEST(stopped)
{
	struct outcome outcome = { 0 };
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);

	db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
	ck_assert(
	    db_submit(db, &batch, on_done_submit, &outcome) == STATUS_PENDING);
	db_stop(db);
	ck_assert_uint_eq(outcome.calls, 1);
	ck_assert(outcome.status == STATUS_OK);
	ck_assert_uint_eq(outcome.len, STATUS_UNAVAILABLE);
	/* reads go on, and it may be stopped again */
	ck_assert(holds(&anna, ROWS, "k", "v"));
	ck_assert(holds(&bert, ROWS, "k", NULL));
	db_stop(db);
	ck_assert(db_blob_read(db, &anna, 1, on_read, &outcome) ==
		  STATUS_UNAVAILABLE);
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	ck_assert(db_submit_wait(db, &batch) == STATUS_UNAVAILABLE);
	db_batch_destroy(&batch);
}
END_TEST

START_TEST(waited_for)
{
	struct db_batch *batch = db_batch_new(&anna, 7, NULL);

	ck_assert(db_submit_wait(db, &batch) == STATUS_CONFLICT);
	ck_assert_ptr_null(batch);
	batch = db_batch_new(&anna, 0, NULL);
	db_batch_fail(batch, STATUS_EXPIRED);
	db_batch_fail(batch, STATUS_MALFORMED);
	ck_assert(db_submit_wait(db, &batch) == STATUS_EXPIRED);
	db_batch_destroy(&batch);
	batch = db_batch_new(&anna, 0, NULL);
	db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
	ck_assert(db_submit_wait(db, &batch) == STATUS_OK);
	ck_assert(holds(&anna, ROWS, "k", "v"));
	db_drain(db); /* with nothing to wait for */
}
END_TEST

/* More than the queue holds at once: each is waited for in its turn. */
START_TEST(patient)
{
	enum { MANY_BATCHES = DB_QUEUE_BATCHES_MAX + 100 };
	struct outcome outcome = { 0 };
	struct db_account account;

	for (int i = 0; i < MANY_BATCHES; i++) {
		struct db_batch *batch =
		    db_batch_new(&anna, DB_GENERATION_ANY, NULL);
		db_batch_put(batch, ROWS, slice_text("k"), slice_text("v"));
		ck_assert(db_submit_patient(db, &batch, on_done, &outcome) ==
			  STATUS_PENDING);
	}
	db_drain(db);
	ck_assert_uint_eq(outcome.calls, MANY_BATCHES);
	ck_assert(db_account_get(db, &anna, &account) == STATUS_OK);
	ck_assert_uint_eq(account.generation, MANY_BATCHES);
}
END_TEST

/* ---- notes ---- */

START_TEST(notes)
{
	static const char longest[] = "a name of 32 characters at most!";
	struct bytes value = { 0 };
	struct db_account found;
	size_t count;

	_Static_assert(sizeof(longest) - 1 == DB_NOTE_NAME_BYTES_MAX, "name");
	ck_assert(db_note_get(db, "mark", &value) == STATUS_NOT_FOUND);
	ck_assert(db_note_put(db, "mark", slice_text("one")) == STATUS_OK);
	ck_assert(db_note_put(db, longest, slice_text("two")) == STATUS_OK);
	reopen();
	ck_assert(db_note_get(db, "mark", &value) == STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&value), slice_text("one")));
	ck_assert(db_note_get(db, longest, &value) == STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&value), slice_text("two")));
	ck_assert(db_note_put(db, "mark", slice_text("three")) == STATUS_OK);
	ck_assert(db_note_get(db, "mark", &value) == STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&value), slice_text("three")));
	ck_assert(db_note_get(db, "mar", &value) == STATUS_NOT_FOUND);
	ck_assert(db_note_put(db, "mark", slice_of("", 0)) == STATUS_TOO_LARGE);
	ck_assert(db_note_put(db, "mark", slice_of(bulk, DB_VALUE_BYTES_MAX)) ==
		  STATUS_OK);
	ck_assert(
	    db_note_put(db, "mark", slice_of(bulk, DB_VALUE_BYTES_MAX + 1)) ==
	    STATUS_TOO_LARGE);
	/* it is nobody's */
	ck_assert(db_accounts(db, NULL, &found, 1, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 0);
	bytes_clear(&value);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db");

	TCase *tc = tcase(suite, "R-01 batches whole or not at all");
	tcase_add_loop_test(tc, guard_table, 0, nitems(guards));
	tcase_add_test(tc, group_in_order);
	tcase_add_test(tc, completions_submit);
	tcase_add_test(tc, stopped);
	tcase_add_test(tc, waited_for);
	tcase_add_test(tc, patient);
	tcase_add_test(tc, notes);

	tc = tcase(suite, "G-04 a repeat is recognised");
	tcase_add_test(tc, repeat_is_recognised);

	tc = tcase(suite, "G-05 bounds of batches and queues");
	tcase_add_loop_test(tc, size_table, 0, nitems(sizes));
	tcase_add_test(tc, no_batch);
	tcase_add_test(tc, queue_is_bounded);

	tc = tcase(suite, "R-07 accounts apart");
	tcase_add_test(tc, accounts_apart);
	tcase_add_test(tc, account_pages);
	tcase_add_test(tc, many_threads);

	tc = tcase(suite, "A-12 accounts removed");
	tcase_add_test(tc, remove_account);
	tcase_add_test(tc, remove_in_slices);

	tc = tcase(suite, "A-01 a name belongs to one account");
	tcase_add_loop_test(tc, name_table, 0, nitems(names));
	tcase_add_test(tc, claim_keeps_generation);
	tcase_add_test(tc, unclaimed_is_free);
	tcase_add_test(tc, all_names);

	return run_suite(suite);
}
