#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "scratch_db.h"
#include "service/ledger.h"

static struct db *db, *journal;
static bool lost;
static uint64_t since_ms;
static const char *said;

static void open_both(void)
{
	db = scratch_db("data", "auth", 1);
	ck_assert_int_eq(
	    ledger_open_journal(&journal, scratch, "auth"), STATUS_OK);
}

static void close_both(void)
{
	db_close(&db);
	db_close(&journal);
}

static void setup(void)
{
	scratch_make();
	open_both();
}

static void teardown(void)
{
	close_both();
	scratch_remove();
}

static enum status bind_both(void)
{
	capture_begin(STDERR_FILENO);
	enum status st = ledger_bind(db, journal, &lost, &since_ms);
	said = capture_end();
	return st;
}

static void restart(void)
{
	close_both();
	open_both();
}

/* Put one of the two folders away, or another one in its place. */
static void swap(const char *folder, const char *kept)
{
	char old[SCRATCH_BYTES * 2];

	close_both();
	snprintf(old, sizeof(old), "%s", scratch_path("swapped"));
	ck_assert_int_eq(rename(scratch_path(folder), old), 0);
	rename(scratch_path(kept), scratch_path(folder));
	ck_assert_int_eq(rename(old, scratch_path(kept)), 0);
	open_both();
}

static void assert_bound(bool want_lost)
{
	ck_assert_int_eq(bind_both(), STATUS_OK);
	ck_assert(lost == want_lost);
	ck_assert((strstr(said, "event=journal_lost") != NULL) == want_lost);
}

START_TEST(first_day)
{
	for (int i = 0; i < 3; i++) {
		assert_bound(false);
		ck_assert_uint_eq(since_ms, 0);
		restart();
	}
}
END_TEST

START_TEST(journal_lost)
{
	assert_bound(false);
	uint64_t before_ms = clock_wall_ms();
	swap("journal", "kept");
	assert_bound(true);
	uint64_t first_ms = since_ms;
	ck_assert_uint_ge(first_ms, before_ms);
	/* told once; since when stays known */
	restart();
	assert_bound(false);
	ck_assert_uint_eq(since_ms, first_ms);
	/* the former one comes back: not the one it has now */
	swap("journal", "kept");
	assert_bound(true);
	ck_assert_uint_ge(since_ms, first_ms);
	restart();
	assert_bound(false);
}
END_TEST

/* A database from before a journal was lost takes the journal of now. */
START_TEST(database_restored)
{
	assert_bound(false);
	swap("journal", "former");
	assert_bound(true);
	restart();
	assert_bound(false);
	/* an empty database, as on a new disk: the journal knows more */
	swap("data", "kept");
	uint64_t known_ms = since_ms;
	assert_bound(false);
	ck_assert_uint_eq(since_ms, known_ms);
}
END_TEST

/* Two services' journals exchanged. */
START_TEST(of_another)
{
	struct db *other = NULL;

	assert_bound(false);
	close_both();
	capture_begin(STDERR_FILENO);
	enum status st = ledger_open_journal(&other, scratch, "store");
	capture_end();
	ck_assert_int_eq(st, STATUS_CONFLICT);
	open_both();
}
END_TEST

static const struct {
	const char *name;
	const char *note;
	size_t len;
} damages[] = {
	/* clang-format off */
	{ "another version", "\x02" "0123456789abcdef" "01234567",  25 },
	{ "cut short",       "\x01" "0123456789abcdef" "0123456",   24 },
	{ "too long",        "\x01" "0123456789abcdef" "012345678", 26 },
	{ "version only",    "\x01",                                1 },
	/* clang-format on */
};

START_TEST(damaged)
{
	struct slice note = slice_of(damages[_i].note, damages[_i].len);

	assert_bound(false);
	ck_assert_int_eq(db_note_put(journal, "journal", note), STATUS_OK);
	ck_assert_int_eq(bind_both(), STATUS_MALFORMED);
	restart();
	ck_assert_int_eq(db_note_put(db, "journal", note), STATUS_OK);
	ck_assert_int_eq(bind_both(), STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger");
	TCase *tc =
	    tcase_create("A-07 O-04 the journal belongs to its database");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first_day);
	tcase_add_test(tc, journal_lost);
	tcase_add_test(tc, database_restored);
	tcase_add_test(tc, of_another);
	tcase_add_loop_test(tc, damaged, 0, 4);
	suite_add_tcase(suite, tc);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
