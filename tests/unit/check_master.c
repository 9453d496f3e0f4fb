#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "scratch.h"
#include "service/master.h"
#include "service/settings.h"

#define FILE_NAME  "keys/notify.master"
#define LINE_BYTES 65

static struct conf *conf;
static struct master *master;
static const char *said;

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
}

static void teardown(void)
{
	master_destroy(&master);
	arena_close();
	conf_destroy(&conf);
	scratch_remove();
}

static enum status make(void)
{
	capture_begin(STDERR_FILENO);
	enum status st = master_make(conf, "notify");
	said = capture_end();
	return st;
}

static enum status read_it(void)
{
	master_destroy(&master);
	capture_begin(STDERR_FILENO);
	enum status st = master_read(&master, conf, "notify");
	said = capture_end();
	ck_assert((st == STATUS_OK) == (master != NULL));
	return st;
}

START_TEST(made)
{
	struct stat found;

	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(stat(scratch_path(FILE_NAME), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(found.st_size, LINE_BYTES);
	ck_assert_int_eq(read_it(), STATUS_OK);
	ck_assert_uint_eq(master->count, 1);
}
END_TEST

START_TEST(kept)
{
	uint8_t first[KEY_BYTES];

	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(read_it(), STATUS_OK);
	memcpy(first, master->keys[0], KEY_BYTES);
	ck_assert_int_eq(make(), STATUS_CONFLICT);
	ck_assert_int_eq(read_it(), STATUS_OK);
	ck_assert_mem_eq(master->keys[0], first, KEY_BYTES);
	/* one that is there and no good is said to be so */
	scratch_write(FILE_NAME, "x\n", 2, 0600);
	ck_assert_int_eq(make(), STATUS_MALFORMED);
}
END_TEST

START_TEST(renewed)
{
	uint8_t former[KEY_BYTES], fresh[KEY_BYTES];
	struct stat found;

	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(read_it(), STATUS_OK);
	memcpy(former, master->keys[0], KEY_BYTES);

	ck_assert_int_eq(master_renew(conf, "notify"), STATUS_OK);
	ck_assert_int_eq(read_it(), STATUS_OK);
	ck_assert_uint_eq(master->count, 2);
	memcpy(fresh, master->keys[0], KEY_BYTES);
	ck_assert_mem_ne(fresh, former, KEY_BYTES);
	ck_assert_mem_eq(master->keys[1], former, KEY_BYTES);

	/* cut short, and again: no third key */
	ck_assert_int_eq(master_renew(conf, "notify"), STATUS_CONFLICT);
	ck_assert_int_eq(read_it(), STATUS_OK);
	ck_assert_uint_eq(master->count, 2);
	ck_assert_mem_eq(master->keys[0], fresh, KEY_BYTES);

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(master_settle(conf, "notify"), STATUS_OK);
		ck_assert_int_eq(read_it(), STATUS_OK);
		ck_assert_uint_eq(master->count, 1);
		ck_assert_mem_eq(master->keys[0], fresh, KEY_BYTES);
	}
	ck_assert_int_eq(stat(scratch_path(FILE_NAME), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFREG | 0600);
}
END_TEST

START_TEST(missing)
{
	ck_assert_int_eq(read_it(), STATUS_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(said, "event=master_key_unusable"));
	ck_assert_ptr_nonnull(strstr(said, "keepsakectl keys make"));
	capture_begin(STDERR_FILENO);
	enum status renew_st = master_renew(conf, "notify");
	enum status settle_st = master_settle(conf, "notify");
	capture_end();
	ck_assert_int_eq(renew_st, STATUS_NOT_FOUND);
	ck_assert_int_eq(settle_st, STATUS_NOT_FOUND);
	ck_assert_int_eq(rmdir(scratch_path("keys")), 0);
	ck_assert_int_eq(make(), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(loose)
{
	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(chmod(scratch_path(FILE_NAME), 0640), 0);
	ck_assert_int_eq(read_it(), STATUS_DENIED);
	ck_assert_int_eq(make(), STATUS_DENIED);
	ck_assert_int_eq(chmod(scratch_path(FILE_NAME), 0600), 0);
	ck_assert_int_eq(
	    rename(scratch_path(FILE_NAME), scratch_path("elsewhere")), 0);
	ck_assert_int_eq(
	    symlink(scratch_path("elsewhere"), scratch_path(FILE_NAME)), 0);
	ck_assert_int_eq(read_it(), STATUS_DENIED);
}
END_TEST

#define HEX_16      "00112233445566ff"
#define HEX_62      HEX_16 HEX_16 HEX_16 "00112233445566"
#define HEX_64      HEX_62 "ff"
#define BYTES(text) (text), sizeof(text) - 1

/* clang-format off */
static const struct {
	const char *name;
	const char *text;
	size_t len;
	enum status want;
	size_t count;
} files[] = {
	{ "one line",           BYTES(HEX_64 "\n"),                                      STATUS_OK,        1 },
	{ "no newline",         BYTES(HEX_64),                                           STATUS_OK,        1 },
	{ "two lines",          BYTES(HEX_64 "\n" HEX_64 "\n"),                          STATUS_OK,        2 },
	{ "two, no newline",    BYTES(HEX_64 "\n" HEX_64),                               STATUS_OK,        2 },
	{ "four lines",         BYTES(HEX_64 "\n" HEX_64 "\n" HEX_64 "\n" HEX_64 "\n"),  STATUS_OK,        4 },
	{ "empty",              BYTES(""),                                               STATUS_MALFORMED, 0 },
	{ "newline only",       BYTES("\n"),                                             STATUS_MALFORMED, 0 },
	{ "one digit less",     BYTES(HEX_62 "f\n"),                                     STATUS_MALFORMED, 0 },
	{ "one digit more",     BYTES(HEX_62 "fff\n"),                                   STATUS_MALFORMED, 0 },
	{ "another character",  BYTES(HEX_62 "fg\n"),                                    STATUS_MALFORMED, 0 },
	{ "a NUL",              BYTES(HEX_62 "\0f\n"),                                   STATUS_MALFORMED, 0 },
	{ "an empty line",      BYTES(HEX_64 "\n\n"),                                    STATUS_MALFORMED, 0 },
	{ "second line short",  BYTES(HEX_64 "\n" HEX_62 "\n"),                          STATUS_MALFORMED, 0 },
	{ "second line wrong",  BYTES(HEX_64 "\n" HEX_62 "fg\n"),                        STATUS_MALFORMED, 0 },
	{ "two in one line",    BYTES(HEX_64 HEX_64),                                    STATUS_MALFORMED, 0 },
	{ "a fifth line",       BYTES(HEX_64 "\n" HEX_64 "\n" HEX_64 "\n" HEX_64 "\nf"), STATUS_TOO_LARGE, 0 },
};
/* clang-format on */

START_TEST(file)
{
	scratch_write(FILE_NAME, files[_i].text, files[_i].len, 0600);
	enum status st = read_it();
	ck_assert_msg(st == files[_i].want, "%s: got '%s', want '%s'",
	    files[_i].name, status_text(st), status_text(files[_i].want));
	ck_assert_uint_eq(master ? master->count : 0, files[_i].count);
	/* what was wrong is told, and never what is in it */
	if (st != STATUS_OK)
		ck_assert_ptr_nonnull(strstr(said, "why="));
	ck_assert_ptr_null(strstr(said, "0011223344"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("master");
	TCase *good = tcase_create("K-08 the master key on disk");
	TCase *bad = tcase_create("K-08 R-06 master keys that are refused");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_test(good, made);
	tcase_add_test(good, kept);
	tcase_add_test(good, renewed);
	tcase_add_test(bad, missing);
	tcase_add_test(bad, loose);
	tcase_add_loop_test(bad, file, 0, (int)nitems(files));
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
