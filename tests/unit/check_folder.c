#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/util.h"
#include "db/folder.h"
#include "scratch.h"

#define KIB     ((uint64_t)1024)
#define RESERVE (1024 * KIB)

static struct folder *folder;

static void setup(void)
{
	scratch_make();
	signal(SIGXFSZ, SIG_IGN);
}

static void teardown(void)
{
	folder_close(&folder);
	scratch_remove();
}

/* A disk with so much room: no file may be longer. */
static void room_is(uint64_t bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint64_t held(void)
{
	struct stat found;

	ck_assert_int_eq(stat(scratch_path("data/reserve"), &found), 0);
	ck_assert_int_ge(found.st_blocks * 512, found.st_size);
	return (uint64_t)found.st_size;
}

/* clang-format off */
static const struct {
	uint64_t room, held;
} disks[] = {
	{ 2 * RESERVE,      RESERVE },
	{ RESERVE,          RESERVE },
	{ RESERVE - 1,      RESERVE - 4 * KIB },
	{ 768 * KIB,        768 * KIB },
	{ 700 * KIB,        700 * KIB },
	{ 699 * KIB,        696 * KIB },
	{ 512 * KIB - 1,    508 * KIB },
	{ 4 * KIB,          4 * KIB },
	{ 4 * KIB - 1,      0 },
};
/* clang-format on */

/* What deleting will need is held back, in pages, as far as it goes. */
START_TEST(as_far_as_it_goes)
{
	room_is(disks[_i].room);
	capture_begin(STDERR_FILENO);
	ck_assert_int_eq(
	    folder_open(&folder, scratch_path("data"), RESERVE), STATUS_OK);
	bool told = strstr(capture_end(), "event=no_reserve") != NULL;
	ck_assert_uint_eq(held(), disks[_i].held);
	ck_assert_int_eq(told, disks[_i].held < RESERVE);
}
END_TEST

/* What was given up is held back again as far as it goes, later the rest. */
START_TEST(given_up_and_held_again)
{
	ck_assert_int_eq(
	    folder_open(&folder, scratch_path("data"), RESERVE), STATUS_OK);
	ck_assert_uint_eq(held(), RESERVE);
	ck_assert(folder_reserve_release(folder));
	ck_assert_uint_eq(held(), 0);
	ck_assert(!folder_reserve_release(folder));
	room_is(300 * KIB);
	folder_reserve_hold(folder);
	ck_assert_uint_eq(held(), 300 * KIB);
	folder_reserve_hold(folder);
	ck_assert_uint_eq(held(), 300 * KIB);
	room_is(2 * RESERVE);
	folder_reserve_hold(folder);
	ck_assert_uint_eq(held(), RESERVE);
	ck_assert(folder_reserve_release(folder));
}
END_TEST

/* clang-format off */
static const struct {
	uint64_t room, reserve, held;
} reopened[] = {
	{ 2 * RESERVE, 0,           0 },
	{ 2 * RESERVE, 512 * KIB,   512 * KIB },
	{ 2 * RESERVE, 2 * RESERVE, 2 * RESERVE },
	{ 600 * KIB,   RESERVE,     600 * KIB },
};
/* clang-format on */

/* What was held when it was closed is held still, unless less is wanted. */
START_TEST(opened_again)
{
	ck_assert_int_eq(
	    folder_open(&folder, scratch_path("data"), 600 * KIB), STATUS_OK);
	folder_close(&folder);
	room_is(reopened[_i].room);
	ck_assert_int_eq(
	    folder_open(&folder, scratch_path("data"), reopened[_i].reserve),
	    STATUS_OK);
	ck_assert_uint_eq(held(), reopened[_i].held);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("folder");
	TCase *reserve = tcase_create("B-12 R-04 space that is held back");

	tcase_add_checked_fixture(reserve, setup, teardown);
	tcase_add_loop_test(reserve, as_far_as_it_goes, 0, (int)nitems(disks));
	tcase_add_test(reserve, given_up_and_held_again);
	tcase_add_loop_test(reserve, opened_again, 0, (int)nitems(reopened));
	suite_add_tcase(suite, reserve);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
