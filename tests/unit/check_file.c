#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "scratch.h"

#define NOBODY 65534

static struct bytes contents;
static const struct slice text = { (const uint8_t *)"secret", 6 };

static void setup(void)
{
	scratch_make();
	umask(022);
}

static void teardown(void)
{
	bytes_clear(&contents);
	scratch_remove();
}

/* What is logged is not looked at, but must not clutter the test's own. */
static enum status quietly(
    enum status (*read)(struct bytes *out, const char *path, size_t len_max),
    const char *name, size_t len_max)
{
	capture_begin(STDERR_FILENO);
	enum status st = read(&contents, scratch_path(name), len_max);
	capture_end();
	return st;
}

static void assert_holds(const char *name, const char *want, mode_t mode)
{
	struct stat found;

	ck_assert_int_eq(
	    file_read(&contents, scratch_path(name), 100), STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&contents), slice_text(want)));
	ck_assert_int_eq(lstat(scratch_path(name), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFREG | mode);
}

START_TEST(read_lengths)
{
	static const struct {
		size_t len, len_max;
		enum status want;
	} cases[] = {
		{ 0, 0, STATUS_OK },
		{ 0, 10, STATUS_OK },
		{ 10, 10, STATUS_OK },
		{ 11, 10, STATUS_TOO_LARGE },
		{ 1, 0, STATUS_TOO_LARGE },
		{ 9999, 10, STATUS_TOO_LARGE },
	};
	static const uint8_t zeros[9999];

	for (size_t i = 0; i < nitems(cases); i++) {
		scratch_write("file", zeros, cases[i].len, 0600);
		ck_assert_int_eq(file_read(&contents, scratch_path("file"),
				     cases[i].len_max),
		    cases[i].want);
		ck_assert_uint_eq(contents.len,
		    cases[i].want == STATUS_OK ? cases[i].len : 0);
		ck_assert_int_eq(file_read_secret(&contents,
				     scratch_path("file"), cases[i].len_max),
		    cases[i].want);
	}
}
END_TEST

START_TEST(read_what_is_not_there)
{
	scratch_write("file", "x", 1, 0600);
	ck_assert_int_eq(quietly(file_read, "none", 10), STATUS_NOT_FOUND);
	ck_assert_int_eq(quietly(file_read, "no/ne", 10), STATUS_NOT_FOUND);
	ck_assert_int_eq(quietly(file_read, "file/x", 10), STATUS_NOT_FOUND);
	ck_assert_int_eq(quietly(file_read, ".", 10), STATUS_DENIED);
	ck_assert_int_eq(
	    quietly(file_read_secret, "none", 10), STATUS_NOT_FOUND);
}
END_TEST

/* clang-format off */
static const struct {
	mode_t mode;
	enum status want;
} modes[] = {
	{ 0600, STATUS_OK },
	{ 0400, STATUS_OK },
	{ 0700, STATUS_OK },
	{ 0644, STATUS_DENIED },
	{ 0640, STATUS_DENIED },
	{ 0604, STATUS_DENIED },
	{ 0620, STATUS_DENIED },
	{ 0602, STATUS_DENIED },
	{ 0666, STATUS_DENIED },
};
/* clang-format on */

START_TEST(secret_modes)
{
	scratch_write("secret", text.data, text.len, modes[_i].mode);
	enum status st = quietly(file_read_secret, "secret", 100);
	ck_assert_msg(st == modes[_i].want, "%o: got '%s', want '%s'",
	    modes[_i].mode, status_text(st), status_text(modes[_i].want));
	if (st == STATUS_OK)
		ck_assert(slice_equal(bytes_slice(&contents), text));
	else
		ck_assert_uint_eq(contents.len, 0);
}
END_TEST

START_TEST(secret_kinds)
{
	char link[2 * SCRATCH_BYTES];

	scratch_write("secret", text.data, text.len, 0600);
	snprintf(link, sizeof(link), "%s", scratch_path("link"));
	ck_assert_int_eq(symlink(scratch_path("secret"), link), 0);
	ck_assert_int_eq(mkdir(scratch_path("folder"), 0700), 0);
	ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
	/* none of them waits for a writer, or reads on */
	ck_assert_int_eq(quietly(file_read_secret, "link", 100), STATUS_DENIED);
	ck_assert_int_eq(
	    quietly(file_read_secret, "folder", 100), STATUS_DENIED);
	ck_assert_int_eq(quietly(file_read_secret, "pipe", 100), STATUS_DENIED);
	ck_assert_int_eq(quietly(file_read_secret, "secret", 100), STATUS_OK);
}
END_TEST

START_TEST(secret_reason_is_logged)
{
	scratch_write("secret", text.data, text.len, 0644);
	capture_begin(STDERR_FILENO);
	enum status st =
	    file_read_secret(&contents, scratch_path("secret"), 100);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_DENIED);
	ck_assert_ptr_nonnull(strstr(said, "event=file_refused"));
	ck_assert_ptr_nonnull(strstr(said, scratch_path("secret")));
	ck_assert_ptr_nonnull(strstr(said, "open to others: chmod 600"));
	ck_assert_ptr_null(strstr(said, "=secret"));
}
END_TEST

static enum status read_as(uid_t reader, uid_t owner)
{
	ck_assert_int_eq(chown("secret", owner, 0), 0);
	capture_begin(STDERR_FILENO);
	ck_assert_int_eq(seteuid(reader), 0);
	enum status st = file_read_secret(&contents, "secret", 100);
	ck_assert_int_eq(seteuid(0), 0);
	capture_end();
	return st;
}

START_TEST(secret_owners)
{
	static const struct {
		const char *name;
		uid_t reader, owner;
		enum status want;
	} cases[] = {
		{ "root's own", 0, 0, STATUS_OK },
		{ "root, another's", 0, NOBODY, STATUS_DENIED },
		{ "a user's own", NOBODY, NOBODY, STATUS_OK },
		{ "a user, another's", NOBODY, NOBODY - 1, STATUS_DENIED },
	};

	if (geteuid() != 0)
		return; /* nobody else can give a file away */
	scratch_write("secret", text.data, text.len, 0600);
	/* The folders above may be closed to others: stand in the last. */
	ck_assert_int_eq(chdir(scratch), 0);
	ck_assert_int_eq(chmod(".", 0755), 0);
	for (size_t i = 0; i < nitems(cases); i++) {
		enum status st = read_as(cases[i].reader, cases[i].owner);
		ck_assert_msg(st == cases[i].want, "%s: got '%s', want '%s'",
		    cases[i].name, status_text(st), status_text(cases[i].want));
	}
}
END_TEST

START_TEST(create)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };

	for (size_t i = 0; i < nitems(masks); i++) {
		char name[16];
		snprintf(name, sizeof(name), "file%zu", i);
		umask(masks[i]);
		ck_assert_int_eq(
		    file_create(scratch_path(name), text, 0644), STATUS_OK);
		umask(022);
		assert_holds(name, "secret", 0644);
	}
	ck_assert_int_eq(
	    file_create(scratch_path("key"), text, 0600), STATUS_OK);
	assert_holds("key", "secret", 0600);
	ck_assert_int_eq(
	    file_create(scratch_path("empty"), (struct slice){ 0 }, 0600),
	    STATUS_OK);
	assert_holds("empty", "", 0600);
}
END_TEST

START_TEST(create_refuses)
{
	char target[2 * SCRATCH_BYTES];

	scratch_write("old", "old", 3, 0644);
	ck_assert_int_eq(
	    file_create(scratch_path("old"), text, 0600), STATUS_CONFLICT);
	assert_holds("old", "old", 0644);
	/* a symlink too, wherever it leads, and nothing is made there */
	snprintf(target, sizeof(target), "%s", scratch_path("target"));
	ck_assert_int_eq(symlink(target, scratch_path("link")), 0);
	ck_assert_int_eq(
	    file_create(scratch_path("link"), text, 0600), STATUS_CONFLICT);
	ck_assert_int_ne(access(target, F_OK), 0);
	ck_assert_int_eq(
	    file_create(scratch_path("no/ne"), text, 0600), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(replace)
{
	ck_assert_int_eq(
	    file_replace(scratch_path("file"), slice_text("one"), 0600),
	    STATUS_OK);
	assert_holds("file", "one", 0600);
	ck_assert_int_eq(
	    file_replace(scratch_path("file"), slice_text("two"), 0644),
	    STATUS_OK);
	assert_holds("file", "two", 0644);
	/* left by one who was killed before the end */
	scratch_write("file.new", "half", 4, 0600);
	ck_assert_int_eq(
	    file_replace(scratch_path("file"), slice_text("three"), 0600),
	    STATUS_OK);
	assert_holds("file", "three", 0600);
	ck_assert_int_ne(access(scratch_path("file.new"), F_OK), 0);
	/* or a link laid there: it is not followed */
	scratch_write("other", "other", 5, 0600);
	ck_assert_int_eq(
	    symlink(scratch_path("other"), scratch_path("file.new")), 0);
	ck_assert_int_eq(
	    file_replace(scratch_path("file"), slice_text("four"), 0600),
	    STATUS_OK);
	assert_holds("file", "four", 0600);
	assert_holds("other", "other", 0600);
}
END_TEST

/* Who has the old one open goes on reading it: it was never written to. */
START_TEST(replace_is_another_file)
{
	char old[16] = "";

	scratch_write("file", "old text", 8, 0600);
	int fd = open(scratch_path("file"), O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
	    file_replace(scratch_path("file"), slice_text("new"), 0600),
	    STATUS_OK);
	ck_assert_int_eq(read(fd, old, sizeof(old)), 8);
	ck_assert_str_eq(old, "old text");
	close(fd);
	assert_holds("file", "new", 0600);
}
END_TEST

START_TEST(replace_fails)
{
	scratch_write("file", "old", 3, 0600);
	/* a folder cannot be replaced: the new file goes again */
	ck_assert_int_eq(mkdir(scratch_path("folder"), 0700), 0);
	capture_begin(STDERR_FILENO);
	enum status st = file_replace(scratch_path("folder"), text, 0600);
	capture_end();
	ck_assert_int_eq(st, STATUS_DENIED);
	ck_assert_int_ne(access(scratch_path("folder.new"), F_OK), 0);
	ck_assert_int_eq(
	    file_replace(scratch_path("no/ne"), text, 0600), STATUS_NOT_FOUND);
	assert_holds("file", "old", 0600);
}
END_TEST

START_TEST(folders)
{
	struct stat found;

	umask(0);
	ck_assert_int_eq(folder_make(scratch_path("a/b/c")), STATUS_OK);
	umask(022);
	ck_assert_int_eq(stat(scratch_path("a/b"), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFDIR | 0700);
	/* again, with a slash, and as the operator has set it meanwhile */
	ck_assert_int_eq(chmod(scratch_path("a/b/c"), 0750), 0);
	ck_assert_int_eq(folder_make(scratch_path("a/b//c/")), STATUS_OK);
	ck_assert_int_eq(stat(scratch_path("a/b/c"), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFDIR | 0750);
	ck_assert_int_eq(folder_make("/"), STATUS_OK);
}
END_TEST

START_TEST(folders_refused)
{
	scratch_write("file", "x", 1, 0600);
	capture_begin(STDERR_FILENO);
	enum status over = folder_make(scratch_path("file"));
	enum status below = folder_make(scratch_path("file/b"));
	enum status none = folder_make("");
	capture_end();
	ck_assert_int_eq(over, STATUS_DENIED);
	ck_assert_int_ne(below, STATUS_OK);
	ck_assert_int_eq(none, STATUS_DENIED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file");
	TCase *reading = tcase_create("R-03 files read");
	TCase *secrets = tcase_create("K-02 R-06 secrets in files");
	TCase *writing = tcase_create("R-01 files written");

	tcase_add_checked_fixture(reading, setup, teardown);
	tcase_add_checked_fixture(secrets, setup, teardown);
	tcase_add_checked_fixture(writing, setup, teardown);
	tcase_add_test(reading, read_lengths);
	tcase_add_test(reading, read_what_is_not_there);
	tcase_add_loop_test(secrets, secret_modes, 0, (int)nitems(modes));
	tcase_add_test(secrets, secret_kinds);
	tcase_add_test(secrets, secret_reason_is_logged);
	tcase_add_test(secrets, secret_owners);
	tcase_add_test(writing, create);
	tcase_add_test(writing, create_refuses);
	tcase_add_test(writing, replace);
	tcase_add_test(writing, replace_is_another_file);
	tcase_add_test(writing, replace_fails);
	tcase_add_test(writing, folders);
	tcase_add_test(writing, folders_refused);
	suite_add_tcase(suite, reading);
	suite_add_tcase(suite, secrets);
	suite_add_tcase(suite, writing);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
