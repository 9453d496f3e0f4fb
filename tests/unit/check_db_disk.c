#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "db/db.h"
#include "scratch_db.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/*
 * No disk can be made to fail here; what the kernel says of one can.  This
 * stands in for the C library's own.
 */
static int disk_error; /* 0: all can be read */

int madvise(void *at, size_t len, int advice)
{
	if (advice == MADV_POPULATE_READ && disk_error != 0) {
		errno = disk_error;
		return -1;
	}
	return (int)syscall(SYS_madvise, at, len, advice);
}

static struct db *db;
static const struct id ann = { "account of ann" };

static void setup(void)
{
	scratch_make();
	db = scratch_db("db", "test", 1);
}

static void teardown(void)
{
	db_close(&db);
	scratch_remove();
	disk_error = 0;
}

static const struct {
	const char *name;
	int error;
	enum status want;
} cases[] = {
	{ "a disk that reads", 0, STATUS_OK },
	{ "a bad sector", EFAULT, STATUS_MALFORMED },
	{ "bad memory", EHWPOISON, STATUS_MALFORMED },
	{ "a kernel without this advice", EINVAL, STATUS_OK },
};

/* It is damage of that blob, not the end of the process. */
START_TEST(a_blob_on_it)
{
	static uint8_t data[BLOB_BYTES_MAX] = { 7 };
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	struct bytes blob = { 0 };

	db_batch_blob_put(batch, 1, data, sizeof(data), NULL, NULL);
	ck_assert_int_eq(db_submit_wait(db, &batch), STATUS_OK);
	disk_error = cases[_i].error;
	enum status got = db_blob_get(db, &ann, 1, &blob);
	ck_assert_msg(got == cases[_i].want, "%s: got '%s', want '%s'",
	    cases[_i].name, status_text(got), status_text(cases[_i].want));
	if (got == STATUS_OK)
		ck_assert(slice_equal(
		    bytes_slice(&blob), slice_of(data, sizeof(data))));
	bytes_clear(&blob);
	/* The next one may be read again. */
	disk_error = 0;
	ck_assert_int_eq(db_blob_get(db, &ann, 1, &blob), STATUS_OK);
	bytes_clear(&blob);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_disk");
	TCase *bad = tcase_create("B-11 a disk that does not read");

	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_loop_test(bad, a_blob_on_it, 0, nitems(cases));
	suite_add_tcase(suite, bad);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
