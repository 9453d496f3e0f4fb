#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "scratch.h"
#include "service/erase.h"
#include "service/tables.h"

#define GUARD_MS 30000 /* a test that would wait for good ends here */
#define ROWS     7     /* a table; the last one too */
#define LAST     0xff
#define SPACE    3
#define MANY     1700 /* more than a batch takes */

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };

static struct loop *loop;
static struct db *db;
static struct erase *erase;
static struct timer guard;
static struct id gone[4];
static size_t gone_count, wanted;

static void on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing happens");
}

static void on_db(void *arg)
{
	(void)arg;
	db_complete(db);
}

static void on_erased(void *arg, const struct id *account)
{
	ck_assert_ptr_eq(arg, &guard);
	ck_assert_uint_lt(gone_count, nitems(gone));
	gone[gone_count++] = *account;
	if (gone_count == wanted)
		loop_stop(loop);
}

static void begin(void)
{
	const struct db_options options = {
		.path = scratch_path("data"),
		.service = "test",
		.format = 1,
		.map_bytes = 64 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 20,
	};

	ck_assert_int_eq(db_open(&options, &db), STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_fd(loop, db_event_fd(db), on_db, NULL), STATUS_OK);
	ck_assert_int_eq(
	    erase_new(&erase, db, loop, on_erased, &guard), STATUS_OK);
}

/* As a service ends. */
static void end(void)
{
	loop_forget_fd(loop, db_event_fd(db));
	db_stop(db);
	erase_destroy(&erase);
	db_close(&db);
}

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(loop_new(&loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(loop, &guard, GUARD_MS);
	gone_count = 0;
	begin();
}

static void teardown(void)
{
	end();
	loop_destroy(&loop);
	scratch_remove();
}

/* Run until ${count} accounts have gone, since the setup. */
static void run_until(size_t count)
{
	wanted = count;
	while (gone_count < count)
		ck_assert_int_eq(loop_run(loop), STATUS_OK);
}

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *out = arg;

	(void)generation;
	(void)failed_op;
	*out = status;
	loop_stop(loop);
}

static enum status commit(struct db_batch *batch)
{
	enum status st = STATUS_PENDING;

	ck_assert_int_eq(db_submit(db, &batch, on_done, &st), STATUS_PENDING);
	while (st == STATUS_PENDING)
		loop_run(loop);
	return st;
}

static void claim(const struct id *account, const char *name)
{
	enum status st = STATUS_PENDING;

	ck_assert_int_eq(
	    db_claim(db, SPACE, slice_text(name), account, 60000, on_done, &st),
	    STATUS_PENDING);
	while (st == STATUS_PENDING)
		loop_run(loop);
	ck_assert_int_eq(st, STATUS_OK);
}

static struct db_batch *batch_of(const struct id *account)
{
	return db_batch_new(account, DB_GENERATION_ANY, NULL);
}

static void confirm(const struct id *account, const char *name)
{
	struct db_batch *batch = batch_of(account);

	claim(account, name);
	names_confirm(batch, SPACE, slice_text(name));
	ck_assert_int_eq(commit(batch), STATUS_OK);
}

static void put_rows(const struct id *account, uint8_t table, uint32_t count)
{
	struct db_batch *batch = batch_of(account);
	uint8_t key[4];

	for (uint32_t i = 0; i < count; i++) {
		put_be32(key, i);
		db_batch_put(batch, table, slice_of(key, sizeof(key)),
		    slice_text("value"));
		if ((i + 1) % 900 == 0) {
			ck_assert_int_eq(commit(batch), STATUS_OK);
			batch = batch_of(account);
		}
	}
	ck_assert_int_eq(commit(batch), STATUS_OK);
}

static void put_blobs(const struct id *account, uint64_t count)
{
	static const uint8_t blob[64];
	struct db_batch *batch = batch_of(account);

	for (uint64_t i = 1; i <= count; i++) {
		db_batch_blob_put(batch, i, blob, sizeof(blob), NULL, NULL);
		if (i % 900 == 0) {
			ck_assert_int_eq(commit(batch), STATUS_OK);
			batch = batch_of(account);
		}
	}
	ck_assert_int_eq(commit(batch), STATUS_OK);
}

/* Everything a service may have of an account, and more than fits a batch. */
static void fill(const struct id *account, const char *name)
{
	put_rows(account, ROWS, MANY);
	put_rows(account, LAST, 3);
	put_rows(account, TABLE_ACCOUNT_KEY, 1);
	put_rows(account, TABLE_ANSWERS, 2);
	put_blobs(account, MANY);
	confirm(account, name);
}

static enum status owner_of(const char *name, struct id *owner)
{
	return db_name_get(db, SPACE, slice_text(name), owner);
}

static void assert_gone(const struct id *account)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };
	struct db_account found;
	struct db_blob blob;

	ck_assert_int_eq(db_account_get(db, account, &found), STATUS_OK);
	ck_assert(found.removed);
	for (unsigned int table = 1; table <= LAST; table++) {
		ck_assert_int_eq(db_scan(db, account, (uint8_t)table, all, all,
				     0, false, &page),
		    STATUS_OK);
		ck_assert_uint_eq(page.count, 0);
	}
	db_page_clear(&page);
	ck_assert_int_eq(db_blob_last(db, account, &blob), STATUS_NOT_FOUND);
}

static void assert_whole(const struct id *account, const char *name)
{
	struct bytes value = { 0 };
	struct db_blob blob;
	struct id owner;
	uint8_t key[4];

	put_be32(key, MANY - 1);
	ck_assert_int_eq(
	    db_get(db, account, ROWS, slice_of(key, sizeof(key)), &value),
	    STATUS_OK);
	bytes_clear(&value);
	ck_assert_int_eq(db_blob_last(db, account, &blob), STATUS_OK);
	ck_assert_uint_eq(blob.sequence, MANY);
	ck_assert_int_eq(owner_of(name, &owner), STATUS_OK);
	ck_assert(id_equal(&owner, account));
}

START_TEST(all_of_one)
{
	struct id owner;

	fill(&anna, "anna");
	confirm(&anna, "another name");
	fill(&bert, "bert");
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	run_until(1);
	ck_assert(id_equal(&gone[0], &anna));
	assert_gone(&anna);
	ck_assert_int_eq(owner_of("anna", &owner), STATUS_NOT_FOUND);
	ck_assert_int_eq(owner_of("another name", &owner), STATUS_NOT_FOUND);
	assert_whole(&bert, "bert");
	/* the name is free, for whoever asks */
	confirm(&bert, "anna");
}
END_TEST

START_TEST(several)
{
	const struct id nobody = { "never was there" };

	fill(&anna, "anna");
	fill(&bert, "bert");
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	ck_assert_int_eq(erase_account(erase, &nobody), STATUS_OK);
	ck_assert_int_eq(erase_account(erase, &bert), STATUS_OK);
	/* asked for twice, told once */
	ck_assert_int_eq(erase_account(erase, &bert), STATUS_OK);
	run_until(3);
	assert_gone(&anna);
	assert_gone(&nobody);
	assert_gone(&bert);
	/* gone already: told at once */
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	ck_assert_uint_eq(gone_count, 4);
	ck_assert(id_equal(&gone[3], &anna));
	/* and none comes back */
	struct db_batch *batch = batch_of(&nobody);
	db_batch_put(batch, ROWS, slice_text("late"), slice_text("x"));
	ck_assert_int_eq(commit(batch), STATUS_CONFLICT);
}
END_TEST

/* Ended in the middle: what is left goes after the next start. */
START_TEST(goes_on)
{
	struct id owner;

	fill(&anna, "anna");
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	/* until the names have gone, which is the first slice */
	while (owner_of("anna", &owner) == STATUS_OK) {
		struct db_batch *batch = batch_of(&bert);
		db_batch_put(batch, ROWS, slice_text("k"), slice_text("x"));
		ck_assert_int_eq(commit(batch), STATUS_OK);
	}
	ck_assert_uint_eq(gone_count, 0);
	end();
	begin();
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	run_until(1);
	assert_gone(&anna);
}
END_TEST

static void on_late(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	unsigned int *count = arg;

	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK)
		return; /* the account has gone */
	++*count;
	struct db_batch *batch = batch_of(&anna);
	names_confirm(batch, SPACE, slice_text("late"));
	db_batch_put(batch, ROWS, slice_text("late"), slice_text("x"));
	if (*count < 3)
		db_submit(db, &batch, on_late, count);
	db_batch_destroy(&batch);
}

/* Batches of the account that come while it goes: they go too. */
START_TEST(late_batches)
{
	unsigned int count = 0;
	struct id owner;

	fill(&anna, "anna");
	claim(&anna, "late");
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	on_late(&count, STATUS_OK, 0, 0);
	run_until(1);
	ck_assert_uint_gt(count, 0);
	assert_gone(&anna);
	ck_assert_int_eq(owner_of("late", &owner), STATUS_NOT_FOUND);
	confirm(&bert, "late");
}
END_TEST

/* A row of a name that is another's, as damage or a race may leave it. */
START_TEST(name_of_another)
{
	struct db_batch *batch = batch_of(&anna);
	struct id owner;

	confirm(&bert, "bert");
	db_batch_put(
	    batch, TABLE_NAMES, slice_text("\003bert"), slice_text("x"));
	db_batch_put(batch, TABLE_NAMES, slice_text("\003"), slice_text("x"));
	db_batch_put(batch, TABLE_NAMES, (struct slice){ 0 }, slice_text("x"));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	run_until(1);
	assert_gone(&anna);
	ck_assert_int_eq(owner_of("bert", &owner), STATUS_OK);
	ck_assert(id_equal(&owner, &bert));
}
END_TEST

START_TEST(released)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };
	struct id owner;

	confirm(&anna, "anna");
	struct db_batch *batch = batch_of(&anna);
	names_release(batch, SPACE, slice_text("anna"));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(owner_of("anna", &owner), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    db_scan(db, &anna, TABLE_NAMES, all, all, 0, false, &page),
	    STATUS_OK);
	ck_assert_uint_eq(page.count, 0);
	db_page_clear(&page);
}
END_TEST

/* Names confirmed before there were rows of them. */
START_TEST(migrated)
{
	enum { NAMES = 150 };
	struct id owner;
	char name[32];

	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "name %d", i);
		claim(i % 2 ? &anna : &bert, name);
		struct db_batch *batch = batch_of(i % 2 ? &anna : &bert);
		db_batch_confirm(batch, SPACE, slice_text(name));
		ck_assert_int_eq(commit(batch), STATUS_OK);
	}
	claim(&anna, "claimed only");
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(names_migrate(db), STATUS_OK);
	ck_assert_int_eq(erase_account(erase, &anna), STATUS_OK);
	run_until(1);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "name %d", i);
		ck_assert_int_eq(owner_of(name, &owner),
		    i % 2 ? STATUS_NOT_FOUND : STATUS_OK);
	}
	/* with the account gone, so are its names: nothing to do */
	ck_assert_int_eq(names_migrate(db), STATUS_OK);
}
END_TEST

START_TEST(names_too_long)
{
	static char name[DB_NAME_BYTES_MAX + 1];
	struct db_batch *batch = batch_of(&anna);
	size_t len = _i == 0 ? 0 : sizeof(name);

	names_confirm(batch, SPACE, slice_of(name, len));
	ck_assert_int_eq(db_submit(db, &batch, NULL, NULL), STATUS_TOO_LARGE);
	db_batch_destroy(&batch);
	batch = batch_of(&anna);
	names_release(batch, SPACE, slice_of(name, len));
	ck_assert_int_eq(db_submit(db, &batch, NULL, NULL), STATUS_TOO_LARGE);
	db_batch_destroy(&batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("erase");
	TCase *erases = tcase_create("A-12 all of an account is deleted");
	TCase *names = tcase_create("A-12 names are released");

	tcase_add_checked_fixture(erases, setup, teardown);
	tcase_add_checked_fixture(names, setup, teardown);
	tcase_set_timeout(erases, 60);
	tcase_add_test(erases, all_of_one);
	tcase_add_test(erases, several);
	tcase_add_test(erases, goes_on);
	tcase_add_test(erases, late_batches);
	tcase_add_test(names, name_of_another);
	tcase_add_test(names, released);
	tcase_add_test(names, migrated);
	tcase_add_loop_test(names, names_too_long, 0, 2);
	suite_add_tcase(suite, erases);
	suite_add_tcase(suite, names);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
