#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "scratch.h"
#include "tool_lock.h"

/* The password of the backup tool itself (K-02). */

static struct state *state;

static void setup(void)
{
	const char *why;

	ck_assert_int_ge(sodium_init(), 0);
	scratch_make();
	ck_assert_int_eq(state_open(&state, scratch, &why), STATUS_OK);
}

static void teardown(void)
{
	state_close(&state);
	scratch_remove();
}

START_TEST(set_checked_and_cleared)
{
	struct stat found;

	ck_assert_int_eq(tool_lock_state(state), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    tool_lock_check(state, slice_text("one")), STATUS_NOT_FOUND);
	ck_assert_int_eq(tool_lock_clear(state), STATUS_OK);
	ck_assert_int_eq(tool_lock_set(state, slice_text("one")), STATUS_OK);
	ck_assert_int_eq(tool_lock_state(state), STATUS_OK);
	ck_assert_int_eq(tool_lock_check(state, slice_text("one")), STATUS_OK);
	ck_assert_int_eq(
	    tool_lock_check(state, slice_text("two")), STATUS_DENIED);
	ck_assert_int_eq(tool_lock_check(state, slice_text("")), STATUS_DENIED);
	ck_assert_int_eq(stat(scratch_path("tool-password"), &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	ck_assert_int_eq(tool_lock_set(state, slice_text("two")), STATUS_OK);
	ck_assert_int_eq(
	    tool_lock_check(state, slice_text("one")), STATUS_DENIED);
	ck_assert_int_eq(tool_lock_check(state, slice_text("two")), STATUS_OK);
	ck_assert_int_eq(tool_lock_clear(state), STATUS_OK);
	ck_assert_int_eq(tool_lock_state(state), STATUS_NOT_FOUND);
}
END_TEST

#define HASH                                                     \
	"$argon2id$v=19$m=65536,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" \
	"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

/* A file that is no lock is no open door. */
static const struct {
	const char *name, *text;
	mode_t mode;
	enum status want;
} files[] = {
	{ "K-02 a hash", HASH "\n", 0600, STATUS_OK },
	{ "K-02 nothing", "", 0600, STATUS_MALFORMED },
	{ "K-02 an empty line", "\n", 0600, STATUS_MALFORMED },
	{ "K-02 no newline", HASH, 0600, STATUS_MALFORMED },
	{ "K-02 two lines", HASH "\n\n", 0600, STATUS_MALFORMED },
	{ "K-02 no hash", "letmein\n", 0600, STATUS_MALFORMED },
	{ "K-02 another hash", "$6$salt$hash\n", 0600, STATUS_MALFORMED },
	{ "K-02 longer than one", HASH HASH "\n", 0600, STATUS_MALFORMED },
	{ "K-02 open to others", HASH "\n", 0644, STATUS_DENIED },
};

START_TEST(files_are_read)
{
	scratch_write("tool-password", files[_i].text, strlen(files[_i].text),
	    files[_i].mode);
	enum status got = tool_lock_state(state);
	ck_assert_msg(got == files[_i].want, "%s: got %s", files[_i].name,
	    status_word(got));
	ck_assert_msg(tool_lock_check(state, slice_text("x")) != STATUS_OK,
	    "%s: opened", files[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tool_lock");
	TCase *tcase = tcase_create("K-02 a password of the tool");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, set_checked_and_cleared);
	tcase_add_loop_test(tcase, files_are_read, 0, nitems(files));
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
