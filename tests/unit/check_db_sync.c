#include <check.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "db/db.h"
#include "scratch_db.h"

/*
 * A kill cannot show that a commit was not synced; what the kernel is asked
 * for can.  These stand in for the C library's own, for LMDB too.
 */
static atomic_uint syncs;

int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fsync, fd);
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
}

/* What was synced when a completion said OK. */
struct outcome {
	bool done;
	enum status status;
	unsigned int syncs;
};

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct outcome *outcome = arg;

	(void)generation;
	(void)failed_op;
	*outcome = (struct outcome){ true, status, syncs };
}

static void wait_for(const struct outcome *outcome)
{
	struct pollfd event = { .fd = db_event_fd(db), .events = POLLIN };

	while (!outcome->done) {
		ck_assert_int_ge(poll(&event, 1, -1), 0);
		db_complete(db);
	}
	ck_assert(outcome->status == STATUS_OK);
}

START_TEST(batch_is_synced)
{
	for (int i = 0; i < 5; i++) {
		struct outcome outcome = { 0 };
		unsigned int before = syncs;
		struct db_batch *batch =
		    db_batch_new(&ann, DB_GENERATION_ANY, NULL);
		db_batch_put(
		    batch, 1, slice_of(&i, sizeof(i)), slice_text("x"));
		ck_assert(
		    db_submit(db, &batch, on_done, &outcome) == STATUS_PENDING);
		wait_for(&outcome);
		ck_assert_uint_gt(outcome.syncs, before);
	}
}
END_TEST

START_TEST(claim_is_synced)
{
	struct outcome outcome = { 0 };
	unsigned int before = syncs;

	ck_assert(db_claim(db, 1, slice_text("ann"), &ann, 1000, on_done,
		      &outcome) == STATUS_PENDING);
	wait_for(&outcome);
	ck_assert_uint_gt(outcome.syncs, before);
}
END_TEST

static Suite *db_sync_suite(void)
{
	Suite *suite = suite_create("db_sync");
	TCase *tcase = tcase_create("R-01 synced before it is acknowledged");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, batch_is_synced);
	tcase_add_test(tcase, claim_is_synced);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(db_sync_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
