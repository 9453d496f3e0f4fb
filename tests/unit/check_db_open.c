#include "db_stage.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"

/* What is found in the folder of a database, and what is kept there. */

static unsigned int migrations;
static enum status migration_result;

static enum status migrate_test(void *arg, struct db *self, uint32_t from)
{
	struct outcome outcome = { 0 };
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);

	ck_assert_ptr_eq(arg, &migrations);
	ck_assert_uint_eq(from, 3);
	migrations++;
	db_batch_put(batch, ROWS, slice_text("k"), slice_text("new"));
	db = self;
	ck_assert(db_submit(self, &batch, on_done, &outcome) == STATUS_PENDING);
	wait_for(&outcome);
	return migration_result;
}

static const struct {
	const char *name;
	const char *service;
	uint32_t format;
	bool migrates;
	enum status result; /* of the migration */
	enum status want;
	unsigned int runs;
} formats[] = {
	/* clang-format off */
	{ "the same",                "test",  3, false, STATUS_OK,       STATUS_OK,       0 },
	{ "the same, could migrate", "test",  3, true,  STATUS_OK,       STATUS_OK,       0 },
	{ "newer in the file",       "test",  2, false, STATUS_OK,       STATUS_VERSION,  0 },
	{ "newer, no way back",      "test",  2, true,  STATUS_OK,       STATUS_VERSION,  0 },
	{ "older in the file",       "test",  4, false, STATUS_OK,       STATUS_VERSION,  0 },
	{ "older, migrates",         "test",  4, true,  STATUS_OK,       STATUS_OK,       1 },
	{ "migration fails",         "test",  4, true,  STATUS_NO_SPACE, STATUS_NO_SPACE, 1 },
	{ "another service's",       "tests", 3, false, STATUS_OK,       STATUS_CONFLICT, 0 },
	{ "another, other version",  "store", 4, true,  STATUS_OK,       STATUS_CONFLICT, 0 },
	/* clang-format on */
};

START_TEST(format_table)
{
	put_text(&anna, ROWS, "k", "old");
	db_close(&db);

	struct db_options other = options;
	other.service = formats[_i].service;
	other.format = formats[_i].format;
	migrations = 0;
	migration_result = formats[_i].result;
	if (formats[_i].migrates) {
		other.migrate = migrate_test;
		other.migrate_arg = &migrations;
	}
	struct db *opened = NULL;
	enum status got = db_open(&other, &opened);
	db = opened; /* the migration used it for its own */
	ck_assert_msg(got == formats[_i].want, "%s: %s", formats[_i].name,
	    status_text(got));
	ck_assert_uint_eq(migrations, formats[_i].runs);
	ck_assert((db != NULL) == (got == STATUS_OK));
	db_close(&db);

	/* What was refused is still what it was; what was not, is new. */
	bool moved = got == STATUS_OK && formats[_i].format != 3;
	got = db_open(&options, &db);
	ck_assert(got == (moved ? STATUS_VERSION : STATUS_OK));
	if (moved) {
		ck_assert(db_open(&other, &db) == STATUS_OK);
		ck_assert_uint_eq(migrations, 1);
	}
	ck_assert(
	    holds(&anna, ROWS, "k", formats[_i].runs > 0 ? "new" : "old"));
}
END_TEST

START_TEST(one_process_only)
{
	struct db *second = NULL;

	ck_assert(db_open(&options, &second) == STATUS_BUSY);
	ck_assert_ptr_null(second);
	put_text(&anna, ROWS, "k", "v");
	reopen();
	ck_assert(holds(&anna, ROWS, "k", "v"));
}
END_TEST

START_TEST(folder_is_made)
{
	struct db_options other = options;
	struct stat made;
	struct db *second = NULL;

	db_close(&db);
	remove_folder();
	ck_assert(db_open(&options, &db) == STATUS_OK);
	ck_assert_int_eq(stat(folder, &made), 0);
	ck_assert_uint_eq(made.st_mode & 0777, 0700);
	other.path = "/tmp/no such folder/database";
	ck_assert(db_open(&other, &second) == STATUS_UNAVAILABLE);
	ck_assert_ptr_null(second);
}
END_TEST

/* Write ${len} bytes of ${byte} over the database file, from ${at} on. */
static void damage(off_t at, uint8_t byte, size_t len)
{
	char path[128];
	uint8_t *data = memset(malloc(len), byte, len);

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, data, len, at), (ssize_t)len);
	close(fd);
	free(data);
}

START_TEST(not_a_database)
{
	db_close(&db);
	damage(0, 'x', 64 * 1024);
	ck_assert(db_open(&options, &db) == STATUS_MALFORMED);
	ck_assert_ptr_null(db);
}
END_TEST

/* A file that lost its end is found out, not a fatal signal. */
START_TEST(cut_short)
{
	char path[128];
	struct bytes blob = { 0 };
	bool found_out = false;

	fill_rows(&anna, ROWS, 2000);
	put_blobs(&anna, 0, 20, 100000);
	db_close(&db);
	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	ck_assert_int_eq(truncate(path, 5 * 4096), 0);
	enum status st = db_open(&options, &db);
	for (uint64_t i = 0; st == STATUS_OK && i < 20; i++) {
		enum status read = db_blob_get(db, &anna, i, &blob);
		found_out = found_out || read == STATUS_MALFORMED;
	}
	ck_assert(st == STATUS_MALFORMED || found_out);
	bytes_clear(&blob);
}
END_TEST

START_TEST(time_is_kept)
{
	struct db_stats stats;
	uint64_t later = clock_wall_ms() + 3600 * 1000;

	clock_wall_floor(later); /* as if the clock had been ahead */
	put_text(&anna, ROWS, "k", "v");
	ck_assert(db_stats(db, &stats) == STATUS_OK);
	ck_assert_uint_ge(stats.wall_ms_stored, later);
	reopen();
	ck_assert_uint_ge(clock_wall_ms(), later);
	ck_assert(db_stats(db, &stats) == STATUS_OK);
	ck_assert_uint_ge(stats.wall_ms_stored, later);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_open");

	TCase *tc = tcase(suite, "O-08 format version");
	tcase_add_loop_test(tc, format_table, 0, nitems(formats));

	tc = tcase(suite, "R-03 hostile and unfit folders");
	tcase_add_test(tc, one_process_only);
	tcase_add_test(tc, folder_is_made);
	tcase_add_test(tc, not_a_database);
	tcase_add_test(tc, cut_short);

	tc = tcase(suite, "R-01 time never goes back");
	tcase_add_test(tc, time_is_kept);

	return run_suite(suite);
}
