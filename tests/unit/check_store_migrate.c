#include <check.h>
#include <stdlib.h>

#include "base/util.h"
#include "scratch.h"
/* A program's own file, which is in no library. */
#include "../../services/store/store_db.c"

/*
 * A database as the version with format 2 has written it, whose last ordinal
 * was that of the last snapshot, brought to the format of now.
 */

#define OLD_FORMAT 2
#define MANY       300 /* accounts: more than are migrated in one step */

static struct db *db;

static void open_as(uint32_t format,
    enum status (*migrate)(void *arg, struct db *db, uint32_t from),
    enum status want)
{
	const struct db_options options = {
		.path = scratch_path("store"),
		.service = "store",
		.format = format,
		.map_bytes = 1 << 22,
		.map_bytes_max = 1 << 24,
		.reserve_bytes = 1 << 20,
		.migrate = migrate,
	};

	capture_begin(STDERR_FILENO);
	enum status st = db_open(&options, &db);
	capture_end();
	ck_assert_msg(st == want, "%s", status_text(st));
}

static enum status on_migrate(void *arg, struct db *opened, uint32_t from)
{
	(void)arg;
	return store_db_migrate(opened, from);
}

/* The process died before it wrote the format. */
static enum status on_migrate_killed(
    void *arg, struct db *opened, uint32_t from)
{
	(void)arg;
	ck_assert_int_eq(store_db_migrate(opened, from), STATUS_OK);
	return STATUS_UNAVAILABLE;
}

static struct id account_of(uint32_t number)
{
	struct id id = { { 0x77 } };

	put_be32(id.bytes + 12, number);
	return id;
}

static void submit(struct db_batch *batch, enum status want)
{
	enum status st = db_submit_wait(db, &batch);

	db_batch_destroy(&batch);
	ck_assert_msg(st == want, "%s", status_text(st));
}

/* A snapshot, and nothing but its row. */
static void old_put(uint32_t number, uint64_t ordinal)
{
	const struct id account = account_of(number);
	const struct snapshot snapshot = { .ordinal = ordinal };
	uint8_t key[ORDINAL_KEY_BYTES], value[SNAPSHOT_VALUE_BYTES_MAX];
	size_t len = store_db_snapshot_pack(value, &snapshot);
	struct db_batch *batch =
	    db_batch_new(&account, DB_GENERATION_ANY, NULL);

	db_batch_put(batch, TABLE_SNAPSHOTS, ordinal_key(key, ordinal),
	    slice_of(value, len));
	submit(batch, STATUS_OK);
}

static void put(uint32_t number, uint64_t ordinal, enum status want)
{
	const struct id account = account_of(number);
	const struct snapshot snapshot = { .ordinal = ordinal };
	struct db_batch *batch =
	    db_batch_new(&account, DB_GENERATION_ANY, NULL);

	store_db_put_snapshot(batch, &snapshot);
	submit(batch, want);
}

static void expect_last(uint32_t number, uint64_t want)
{
	const struct id account = account_of(number);
	uint64_t last = UINT64_MAX;

	ck_assert_int_eq(store_db_last_ordinal(db, &account, &last), STATUS_OK);
	ck_assert_msg(last == want, "account %u: %llu, want %llu",
	    (unsigned int)number, (unsigned long long)last,
	    (unsigned long long)want);
}

/* Account n has n % 3 snapshots, the last of them ordinal 10 n + n % 3. */
static void build_old(void)
{
	open_as(OLD_FORMAT, NULL, STATUS_OK);
	for (uint32_t n = 0; n < MANY; n++) {
		const struct id account = account_of(n);
		struct db_batch *batch =
		    db_batch_new(&account, DB_GENERATION_ANY, NULL);
		store_db_put_swept(batch, 1);
		submit(batch, STATUS_OK);
		for (uint32_t i = 1; i <= n % 3; i++)
			old_put(n, 10 * n + i);
	}
	db_close(&db);
}

static void expect_all(void)
{
	for (uint32_t n = 0; n < MANY; n++)
		expect_last(n, n % 3 == 0 ? 0 : 10 * n + n % 3);
}

START_TEST(migrated)
{
	build_old();
	open_as(STORE_DB_FORMAT, on_migrate, STATUS_OK);
	expect_all();
	/* The next one comes behind it, and that one once only. */
	put(4, 42, STATUS_OK);
	put(4, 42, STATUS_CONFLICT);
	put(4, 44, STATUS_CONFLICT);
	put(3, 1, STATUS_OK);
	/* From now on it is of the new format. */
	db_close(&db);
	open_as(STORE_DB_FORMAT, NULL, STATUS_OK);
	expect_last(4, 42);
	db_close(&db);
}
END_TEST

START_TEST(migrated_again)
{
	build_old();
	open_as(STORE_DB_FORMAT, on_migrate_killed, STATUS_UNAVAILABLE);
	open_as(OLD_FORMAT, NULL, STATUS_OK);
	old_put(5, 90); /* by the older release, in between */
	db_close(&db);
	open_as(STORE_DB_FORMAT, on_migrate, STATUS_OK);
	expect_last(5, 90);
	expect_last(7, 71);
	db_close(&db);
}
END_TEST

/* An ordinal that was lost sight of overwrites no snapshot. */
START_TEST(never_over_another)
{
	open_as(STORE_DB_FORMAT, NULL, STATUS_OK);
	old_put(1, 1);
	put(1, 1, STATUS_CONFLICT);
	db_close(&db);
}
END_TEST

/* Not even once its snapshot is gone, also the last one there was. */
START_TEST(never_again)
{
	const struct id account = account_of(1);
	uint8_t key[ORDINAL_KEY_BYTES];

	open_as(STORE_DB_FORMAT, NULL, STATUS_OK);
	put(1, 1, STATUS_OK);
	put(1, 2, STATUS_OK);
	struct db_batch *batch =
	    db_batch_new(&account, DB_GENERATION_ANY, NULL);
	db_batch_delete(batch, TABLE_SNAPSHOTS, ordinal_key(key, 2));
	submit(batch, STATUS_OK);
	expect_last(1, 2);
	put(1, 2, STATUS_CONFLICT);
	put(1, 3, STATUS_OK);
	db_close(&db);
}
END_TEST

static void damage(uint8_t table, struct slice value)
{
	const struct id account = account_of(1);
	struct db_batch *batch =
	    db_batch_new(&account, DB_GENERATION_ANY, NULL);

	db_batch_put(batch, table, slice_text("1"), value);
	submit(batch, STATUS_OK);
}

/* Damage ends it, and the format stays what it was. */
START_TEST(damaged)
{
	build_old();
	open_as(OLD_FORMAT, NULL, STATUS_OK);
	damage(_i == 0 ? TABLE_SNAPSHOTS : TABLE_ORDINAL, slice_text("x"));
	db_close(&db);
	open_as(STORE_DB_FORMAT, on_migrate, STATUS_MALFORMED);
	open_as(OLD_FORMAT, NULL, STATUS_OK);
	db_close(&db);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_migrate");
	TCase *format = tcase_create("O-08 the store from format 2");
	TCase *ordinals = tcase_create("B-06 no ordinal comes back");

	tcase_set_timeout(format, 60);
	tcase_add_checked_fixture(format, scratch_make, scratch_remove);
	tcase_add_test(format, migrated);
	tcase_add_test(format, migrated_again);
	tcase_add_loop_test(format, damaged, 0, 2);
	suite_add_tcase(suite, format);
	tcase_add_checked_fixture(ordinals, scratch_make, scratch_remove);
	tcase_add_test(ordinals, never_over_another);
	tcase_add_test(ordinals, never_again);
	suite_add_tcase(suite, ordinals);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
