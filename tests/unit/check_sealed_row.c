#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "ring.h"
#include "scratch_db.h"
#include "service/sealed_row.h"

#define ROWS  7 /* tables */
#define OTHER 8
#define MANY  300 /* more than a step of a migration takes */

static const struct id anna = { "account of anna" };
static const struct id bert = { "bert's account." };

static struct db *db;
static struct bytes plain;

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	db = scratch_db("data", "test", 1);
	ring_open("store");
}

static void teardown(void)
{
	db_close(&db);
	ring_close();
	bytes_clear(&plain);
	arena_close();
	scratch_remove();
}

static struct db_batch *batch_of(const struct id *account)
{
	return db_batch_new(account, DB_GENERATION_ANY, NULL);
}

static enum status put_sealed(const struct id *account, uint8_t table,
    struct slice key, struct slice what)
{
	struct db_batch *batch = batch_of(account);

	sealed_row_put(ring, db, batch, account, table, key, what);
	enum status st = db_submit_wait(db, &batch);
	db_batch_destroy(&batch);
	return st;
}

static enum status put_raw(const struct id *account, uint8_t table,
    struct slice key, struct slice what)
{
	struct db_batch *batch = batch_of(account);

	db_batch_put(batch, table, key, what);
	enum status st = db_submit_wait(db, &batch);
	db_batch_destroy(&batch);
	return st;
}

static enum status get(
    const struct id *account, uint8_t table, struct slice key)
{
	capture_begin(STDERR_FILENO);
	enum status st = sealed_row_get(ring, db, account, table, key, &plain);
	capture_end();
	return st;
}

static bool plain_is(const char *want)
{
	return slice_equal(bytes_slice(&plain), slice_text(want));
}

START_TEST(there_and_back)
{
	struct slice key = slice_text("key"), none = { 0 };
	struct bytes value = { 0 };

	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_text("a secret")), STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_OK);
	ck_assert(plain_is("a secret"));
	ck_assert_int_eq(db_get(db, &anna, ROWS, key, &value), STATUS_OK);
	ck_assert_uint_eq(value.len, SEALED_ROW_EXTRA + strlen("a secret"));
	ck_assert_ptr_null(memmem(value.data, value.len, "secret", 6));
	bytes_clear(&value);
	/* nothing at all can be sealed too, and under an empty key */
	ck_assert_int_eq(put_sealed(&anna, ROWS, none, none), STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, none), STATUS_OK);
	ck_assert_uint_eq(plain.len, 0);
	/* a changed row, after a restart */
	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_text("another")), STATUS_OK);
	ring_close();
	ring_open("store");
	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_OK);
	ck_assert(plain_is("another"));
}
END_TEST

START_TEST(bounds)
{
	static const uint8_t much[SEALED_PLAIN_BYTES_MAX + 1];
	static char long_key[DB_KEY_BYTES_MAX - ID_BYTES - 1];

	memset(long_key, 'k', sizeof(long_key));
	struct slice key = slice_of(long_key, sizeof(long_key));
	ck_assert_int_eq(put_sealed(&anna, ROWS, key,
			     slice_of(much, SEALED_PLAIN_BYTES_MAX)),
	    STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_OK);
	ck_assert_uint_eq(plain.len, SEALED_PLAIN_BYTES_MAX);
	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_of(much, sizeof(much))),
	    STATUS_TOO_LARGE);
	static const char longer[DB_KEY_BYTES_MAX + 1];
	ck_assert_int_eq(put_sealed(&anna, ROWS,
			     slice_of(longer, sizeof(longer)), slice_text("x")),
	    STATUS_TOO_LARGE);
}
END_TEST

/* A sealed value opens where it was put, and nowhere else. */
START_TEST(exchanged)
{
	struct slice key = slice_text("key"), other = slice_text("kez");
	struct bytes value = { 0 };

	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_text("x")), STATUS_OK);
	ck_assert_int_eq(
	    put_sealed(&bert, ROWS, key, slice_text("y")), STATUS_OK);
	ck_assert_int_eq(db_get(db, &anna, ROWS, key, &value), STATUS_OK);
	struct slice taken = bytes_slice(&value);
	ck_assert_int_eq(put_raw(&anna, ROWS, other, taken), STATUS_OK);
	ck_assert_int_eq(put_raw(&anna, OTHER, key, taken), STATUS_OK);
	ck_assert_int_eq(put_raw(&bert, ROWS, key, taken), STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, other), STATUS_MALFORMED);
	ck_assert_int_eq(get(&anna, OTHER, key), STATUS_MALFORMED);
	ck_assert_int_eq(get(&bert, ROWS, key), STATUS_MALFORMED);
	bytes_clear(&value);
}
END_TEST

/* Every byte changed, and every length. */
START_TEST(changed)
{
	struct slice key = slice_text("key");
	struct bytes value = { 0 };

	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_text("x")), STATUS_OK);
	ck_assert_int_eq(db_get(db, &anna, ROWS, key, &value), STATUS_OK);
	for (size_t i = 0; i < value.len; i++) {
		value.data[i] ^= 1;
		ck_assert_int_eq(
		    put_raw(&anna, ROWS, key, bytes_slice(&value)), STATUS_OK);
		enum status st = get(&anna, ROWS, key);
		ck_assert_int_eq(
		    st, i == 0 ? STATUS_VERSION : STATUS_MALFORMED);
		value.data[i] ^= 1;
		if (i == 0)
			continue;
		ck_assert_int_eq(
		    put_raw(&anna, ROWS, key, slice_of(value.data, i)),
		    STATUS_OK);
		ck_assert_int_eq(get(&anna, ROWS, key), STATUS_MALFORMED);
	}
	bytes_clear(&value);
}
END_TEST

START_TEST(unowned)
{
	struct slice key = slice_text("key");

	ck_assert_int_eq(put_raw(&anna, ROWS, key,
			     slice_text("\002as if it had been sealed, and by "
					"whom?")),
	    STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_MALFORMED);
}
END_TEST

START_TEST(shredded)
{
	struct slice key = slice_text("key");

	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_text("x")), STATUS_OK);
	ck_assert_int_eq(keyring_shred(ring, db, &anna), STATUS_OK);
	ck_assert_int_eq(get(&anna, ROWS, key), STATUS_EXPIRED);
	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key, slice_text("x")), STATUS_CONFLICT);
}
END_TEST

/* ---- from format 1 ---- */

static struct slice key_of(uint32_t number)
{
	static uint8_t key[4];

	put_be32(key, number);
	return slice_of(key, sizeof(key));
}

static void write_clear(const struct id *account, const char *value)
{
	struct db_batch *batch = batch_of(account);

	for (uint32_t i = 0; i < MANY; i++)
		db_batch_put(batch, ROWS, key_of(i), slice_text(value));
	ck_assert_int_eq(db_submit_wait(db, &batch), STATUS_OK);
}

static void assert_sealed(const struct id *account, const char *want)
{
	for (uint32_t i = 0; i < MANY; i++) {
		ck_assert_int_eq(get(account, ROWS, key_of(i)), STATUS_OK);
		ck_assert(plain_is(want));
	}
}

START_TEST(migrated)
{
	write_clear(&anna, "\001in clear");
	write_clear(&bert, "\001as well");
	ck_assert_int_eq(
	    put_raw(&anna, OTHER, slice_text("k"), slice_text("\001untouched")),
	    STATUS_OK);
	/* one was sealed before it was cut short */
	ck_assert_int_eq(
	    put_sealed(&anna, ROWS, key_of(5), slice_text("in clear")),
	    STATUS_OK);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    sealed_rows_migrate(ring, db, ROWS, 1), STATUS_OK);
		assert_sealed(&anna, "in clear");
		assert_sealed(&bert, "as well");
	}
	ck_assert_int_eq(
	    db_get(db, &anna, OTHER, slice_text("k"), &plain), STATUS_OK);
	ck_assert(plain_is("\001untouched"));
}
END_TEST

/* Rows without a version, some of which begin as a sealed one does. */
START_TEST(migrated_whole)
{
	write_clear(&anna, "\002what it is");
	write_clear(&bert, "something");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    sealed_rows_migrate(ring, db, ROWS, 0), STATUS_OK);
		assert_sealed(&anna, "\002what it is");
		assert_sealed(&bert, "something");
	}
}
END_TEST

START_TEST(migration_refused)
{
	ck_assert_int_eq(
	    put_raw(&anna, ROWS, slice_text("k"), slice_text("\003x")),
	    STATUS_OK);
	capture_begin(STDERR_FILENO);
	enum status st = sealed_rows_migrate(ring, db, ROWS, 1);
	capture_end();
	ck_assert_int_eq(st, STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sealed_row");
	TCase *good = tcase_create("K-08 rows sealed at rest");
	TCase *bad = tcase_create("K-08 R-03 rows that do not open");
	TCase *older = tcase_create("K-08 O-08 rows that were in clear");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_checked_fixture(older, setup, teardown);
	tcase_set_timeout(bad, 60);
	tcase_add_test(good, there_and_back);
	tcase_add_test(good, bounds);
	tcase_add_test(bad, exchanged);
	tcase_add_test(bad, changed);
	tcase_add_test(bad, unowned);
	tcase_add_test(bad, shredded);
	tcase_add_test(older, migrated);
	tcase_add_test(older, migrated_whole);
	tcase_add_test(older, migration_refused);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, older);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
