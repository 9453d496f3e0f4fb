#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>

#include "base/util.h"
#include "privileged.h"
#include "scratch.h"

/* The privileged place (K-02): what is refused, for reading and writing. */

#define NOBODY 65534 /* some user who is not us */

static struct privileged *place;

static void setup(void)
{
	char folder[2 * SCRATCH_BYTES];

	scratch_make();
	snprintf(folder, sizeof(folder), "%s//", scratch_path("keys"));
	ck_assert_int_eq(privileged_new(&place, folder), STATUS_OK);
}

static void teardown(void)
{
	privileged_destroy(&place);
	ck_assert_ptr_null(place);
	privileged_destroy(&place);
	scratch_remove();
}

static enum status read_key(char *text, size_t room)
{
	size_t len = 0;
	enum status st =
	    privileged_read(place, "one.key", (uint8_t *)text, room - 1, &len);

	text[len] = '\0';
	return st;
}

static void make_good(void)
{
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	scratch_write("keys/one.key", "secret", 6, 0600);
}

/* ---- as it should be ---- */

START_TEST(written_and_read)
{
	char text[16];
	struct stat found;

	ck_assert_int_eq(privileged_check(place), STATUS_NOT_FOUND);
	ck_assert_int_eq(read_key(text, sizeof(text)), STATUS_NOT_FOUND);
	ck_assert_int_eq(privileged_remove(place, "one.key"), STATUS_NOT_FOUND);
	umask(0); /* modes must not depend on it */
	for (size_t i = 0; i < 2; i++) {
		const char *contents = i == 0 ? "first" : "second";
		ck_assert_int_eq(
		    privileged_write(place, "one.key", slice_text(contents)),
		    STATUS_OK);
		ck_assert_int_eq(read_key(text, sizeof(text)), STATUS_OK);
		ck_assert_str_eq(text, contents);
	}
	ck_assert_int_eq(stat(scratch_path("keys"), &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(scratch_path("keys/one.key"), &found), 0);
	ck_assert_uint_eq(found.st_mode & 07777, 0600);
	ck_assert_int_eq(privileged_check(place), STATUS_OK);
	ck_assert_str_eq(privileged_folder(place), scratch_path("keys"));
	ck_assert_int_eq(privileged_remove(place, "one.key"), STATUS_OK);
	ck_assert_int_eq(privileged_remove(place, "one.key"), STATUS_OK);
	ck_assert_int_eq(read_key(text, sizeof(text)), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(tighter_modes_are_fine)
{
	char text[16];

	make_good();
	ck_assert_int_eq(chmod(scratch_path("keys/one.key"), 0400), 0);
	ck_assert_int_eq(chmod(scratch_path("keys"), 0500), 0);
	ck_assert_int_eq(read_key(text, sizeof(text)), STATUS_OK);
	ck_assert_str_eq(text, "secret");
	ck_assert_int_eq(chmod(scratch_path("keys"), 0700), 0);
}
END_TEST

START_TEST(left_by_one_who_was_killed)
{
	char text[16];

	make_good();
	scratch_write("keys/.one.key.new", "half", 4, 0644);
	ck_assert_int_eq(
	    privileged_write(place, "one.key", slice_text("whole")), STATUS_OK);
	ck_assert_int_eq(read_key(text, sizeof(text)), STATUS_OK);
	ck_assert_str_eq(text, "whole");
	ck_assert_int_ne(access(scratch_path("keys/.one.key.new"), F_OK), 0);
}
END_TEST

START_TEST(length_is_bounded)
{
	char text[6 + 1], shorter[6];

	make_good();
	ck_assert_int_eq(read_key(text, sizeof(text)), STATUS_OK);
	memset(shorter, 'x', sizeof(shorter));
	ck_assert_int_eq(read_key(shorter, sizeof(shorter)), STATUS_TOO_LARGE);
	ck_assert_str_eq(shorter, ""); /* nothing of it is left */
}
END_TEST

START_TEST(paths)
{
	struct privileged *other = NULL;
	char longest[PATH_MAX + 1];

	ck_assert_int_eq(privileged_new(&other, ""), STATUS_MALFORMED);
	memset(longest, 'a', sizeof(longest));
	longest[PATH_MAX] = '\0';
	ck_assert_int_eq(privileged_new(&other, longest), STATUS_MALFORMED);
	ck_assert_ptr_null(other);
	ck_assert_int_eq(privileged_new(&other, "/"), STATUS_OK);
	ck_assert_int_eq(privileged_check(other), STATUS_DENIED);
	privileged_destroy(&other);
}
END_TEST

/* ---- each violation ---- */

enum fault {
	FOLDER_MODE,
	FOLDER_SYMLINK,
	FOLDER_FILE,
	FOLDER_OWNER,
	FILE_MODE,
	FILE_SYMLINK,
	FILE_DANGLING,
	FILE_LINKED,
	FILE_PIPE,
	FILE_FOLDER,
	FILE_OWNER,
};

/* clang-format off */
static const struct {
	const char *name;
	enum fault fault;
	mode_t mode;
	const char *why; /* is in what privileged_why says */
} faults[] = {
	{ "K-02 folder: its group enters",     FOLDER_MODE,    0710, "/keys: open to others, with mode 0710: chmod 700" },
	{ "K-02 folder: its group reads",      FOLDER_MODE,    0740, "/keys: open to others, with mode 0740" },
	{ "K-02 folder: others write",         FOLDER_MODE,    0702, "/keys: open to others, with mode 0702" },
	{ "K-02 folder: a symlink",            FOLDER_SYMLINK, 0,    "/keys: a symlink" },
	{ "K-02 folder: a file",               FOLDER_FILE,    0,    "/keys: not a folder" },
	{ "K-02 folder: another user's",       FOLDER_OWNER,   0,    "/keys: belongs to user 65534" },
	{ "K-02 file: its group reads",        FILE_MODE,      0640, "/keys/one.key: open to others, with mode 0640: chmod 600" },
	{ "K-02 file: its group writes",       FILE_MODE,      0620, "/keys/one.key: open to others, with mode 0620" },
	{ "K-02 file: others read",            FILE_MODE,      0604, "/keys/one.key: open to others, with mode 0604" },
	{ "K-02 file: a symlink",              FILE_SYMLINK,   0,    "/keys/one.key: a symlink" },
	{ "K-02 file: a symlink to nothing",   FILE_DANGLING,  0,    "/keys/one.key: a symlink" },
	{ "K-02 file: hard-linked",            FILE_LINKED,    0,    "/keys/one.key: has a second name" },
	{ "K-02 file: a pipe",                 FILE_PIPE,      0,    "/keys/one.key: not a regular file" },
	{ "K-02 file: a folder",               FILE_FOLDER,    0,    "/keys/one.key: not a regular file" },
	{ "K-02 file: another user's",         FILE_OWNER,     0,    "/keys/one.key: belongs to user 65534" },
};
/* clang-format on */

/* False where only root could make it so. */
static bool break_place(enum fault fault, mode_t mode)
{
	make_good();
	const char *folder = scratch_path("keys");
	const char *file = scratch_path("keys/one.key");
	const char *elsewhere = scratch_path("elsewhere");

	switch (fault) {
	case FOLDER_MODE:
		return chmod(folder, mode) == 0;
	case FOLDER_SYMLINK:
		return rename(folder, elsewhere) == 0 &&
		       symlink(elsewhere, folder) == 0;
	case FOLDER_FILE:
		return unlink(file) == 0 && rmdir(folder) == 0 &&
		       close(open(folder, O_CREAT | O_WRONLY, 0600)) == 0;
	case FOLDER_OWNER:
		return chown(folder, NOBODY, NOBODY) == 0;
	case FILE_MODE:
		return chmod(file, mode) == 0;
	case FILE_SYMLINK:
		return rename(file, elsewhere) == 0 &&
		       symlink(elsewhere, file) == 0;
	case FILE_DANGLING:
		return unlink(file) == 0 && symlink(elsewhere, file) == 0;
	case FILE_LINKED:
		return link(file, elsewhere) == 0;
	case FILE_PIPE:
		return unlink(file) == 0 && mkfifo(file, 0600) == 0;
	case FILE_FOLDER:
		return unlink(file) == 0 && mkdir(file, 0700) == 0;
	case FILE_OWNER:
	default:
		return chown(file, NOBODY, NOBODY) == 0;
	}
}

static void assert_why(const char *name, const char *want)
{
	ck_assert_msg(strstr(privileged_why(place), want),
	    "%s: '%s' is not '%s'", name, privileged_why(place), want);
	ck_assert_ptr_eq(strstr(privileged_why(place), scratch),
	    privileged_why(place)); /* the path, whole */
}

START_TEST(violations)
{
	const char *name = faults[_i].name;
	char text[16];
	bool of_folder = faults[_i].fault <= FOLDER_OWNER;

	if (!break_place(faults[_i].fault, faults[_i].mode)) {
		ck_assert_uint_ne(geteuid(), 0);
		printf("skipped: %s: only root may make it so\n", name);
		return;
	}
	ck_assert_msg(read_key(text, sizeof(text)) == STATUS_DENIED,
	    "%s: was read", name);
	assert_why(name, faults[_i].why);
	ck_assert_msg(text[0] == '\0', "%s: something was read", name);
	ck_assert_msg(privileged_write(place, "one.key", slice_text("x")) ==
			  STATUS_DENIED,
	    "%s: was written", name);
	assert_why(name, faults[_i].why);
	/* Nothing was put where the links lead. */
	ck_assert_int_ne(
	    access(scratch_path("elsewhere/.one.key.new"), F_OK), 0);
	if (faults[_i].fault == FILE_DANGLING)
		ck_assert_int_ne(access(scratch_path("elsewhere"), F_OK), 0);
	if (of_folder) {
		ck_assert_int_eq(privileged_check(place), STATUS_DENIED);
		ck_assert_int_eq(privileged_make(place), STATUS_DENIED);
		ck_assert_int_eq(
		    privileged_remove(place, "one.key"), STATUS_DENIED);
	} else {
		/* Other files of the place do not suffer. */
		ck_assert_int_eq(
		    privileged_write(place, "two.key", slice_text("x")),
		    STATUS_OK);
	}
}
END_TEST

/* ---- who is neither root nor the owner ---- */

/* Run ${check} as nobody; false where it does not hold. */
static bool as_nobody(bool (*check)(void))
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(2);
		_exit(check() ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool roots_folder_is_refused(void)
{
	return privileged_check(place) == STATUS_DENIED &&
	       strstr(privileged_why(place), "belongs to root") &&
	       privileged_write(place, "one.key", slice_text("x")) ==
		   STATUS_DENIED;
}

static bool roots_file_is_refused(void)
{
	char text[16];

	return privileged_check(place) == STATUS_OK &&
	       read_key(text, sizeof(text)) == STATUS_DENIED &&
	       strstr(privileged_why(place), "belongs to root");
}

START_TEST(privilege_lacks)
{
	if (geteuid() != 0) {
		printf(
		    "skipped: K-02 another user: only root may become one\n");
		return;
	}
	make_good();
	ck_assert_int_eq(chmod(scratch, 0755), 0);
	ck_assert(as_nobody(roots_folder_is_refused));
	ck_assert_int_eq(chown(scratch_path("keys"), NOBODY, NOBODY), 0);
	ck_assert(as_nobody(roots_file_is_refused));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("privileged");
	TCase *tcase = tcase_create("K-02 the privileged place");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, written_and_read);
	tcase_add_test(tcase, tighter_modes_are_fine);
	tcase_add_test(tcase, left_by_one_who_was_killed);
	tcase_add_test(tcase, length_is_bounded);
	tcase_add_test(tcase, paths);
	tcase_add_loop_test(tcase, violations, 0, nitems(faults));
	tcase_add_test(tcase, privilege_lacks);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
