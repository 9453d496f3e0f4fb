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
#include "service/settings.h"
#include "service/trust.h"

#define SEED  "keys/auth.seed"
#define TRUST "keys/auth.trust"

static struct conf *conf;
static struct auth_keys *keys;
static struct auth_public trusted;
static struct bytes file;

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
	auth_keys_destroy(&keys);
	arena_close();
	conf_destroy(&conf);
	bytes_clear(&file);
	scratch_remove();
}

static enum status make(void)
{
	capture_begin(STDERR_FILENO);
	enum status st = trust_make(conf);
	capture_end();
	return st;
}

static enum status read_public(void)
{
	capture_begin(STDERR_FILENO);
	enum status st = trust_read(&trusted, conf);
	capture_end();
	return st;
}

static enum status read_keys(void)
{
	capture_begin(STDERR_FILENO);
	enum status st = trust_keys(&keys, conf);
	capture_end();
	return st;
}

static void assert_mode(const char *name, mode_t mode)
{
	struct stat found;

	ck_assert_int_eq(stat(scratch_path(name), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFREG | mode);
}

/* Both files are of one seed. */
static void assert_agree(void)
{
	struct auth_public derived;

	ck_assert_int_eq(read_keys(), STATUS_OK);
	ck_assert_int_eq(read_public(), STATUS_OK);
	auth_keys_public(&derived, keys);
	ck_assert_mem_eq(&derived, &trusted, sizeof(derived));
}

START_TEST(made)
{
	ck_assert_int_eq(make(), STATUS_OK);
	assert_agree();
	assert_mode(SEED, 0600);
	assert_mode(TRUST, 0644);
}
END_TEST

START_TEST(made_once)
{
	struct auth_public first;

	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(read_public(), STATUS_OK);
	first = trusted;
	ck_assert_int_eq(make(), STATUS_CONFLICT);
	assert_agree();
	ck_assert_mem_eq(&first, &trusted, sizeof(first));
	/* killed between the two files: the second is made up for */
	ck_assert_int_eq(unlink(scratch_path(TRUST)), 0);
	ck_assert_int_eq(read_public(), STATUS_NOT_FOUND);
	ck_assert_int_eq(make(), STATUS_CONFLICT);
	ck_assert_int_eq(read_public(), STATUS_OK);
	ck_assert_mem_eq(&first, &trusted, sizeof(first));
}
END_TEST

START_TEST(no_folder)
{
	ck_assert_int_eq(rmdir(scratch_path("keys")), 0);
	ck_assert_int_eq(make(), STATUS_NOT_FOUND);
	ck_assert_int_eq(read_keys(), STATUS_NOT_FOUND);
	ck_assert_int_eq(read_public(), STATUS_NOT_FOUND);
	ck_assert_ptr_null(keys);
}
END_TEST

START_TEST(loose_seed)
{
	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(chmod(scratch_path(SEED), 0644), 0);
	ck_assert_int_eq(read_keys(), STATUS_DENIED);
	/* nor is it used to make the public halves */
	ck_assert_int_eq(make(), STATUS_DENIED);
	ck_assert_int_eq(chmod(scratch_path(SEED), 0600), 0);
	ck_assert_int_eq(
	    rename(scratch_path(SEED), scratch_path("elsewhere")), 0);
	ck_assert_int_eq(
	    symlink(scratch_path("elsewhere"), scratch_path(SEED)), 0);
	ck_assert_int_eq(read_keys(), STATUS_DENIED);
	ck_assert_ptr_null(keys);
}
END_TEST

/* 64 characters of hex; the table changes them. */
#define HEX_16      "00112233445566ff"
#define HEX_62      HEX_16 HEX_16 HEX_16 "00112233445566"
#define BYTES(text) (text), sizeof(text) - 1

/* clang-format off */
static const struct {
	const char *name;
	const char *text;
	size_t len;
	enum status want;
} seeds[] = {
	{ "as written",        BYTES(HEX_62 "ff\n"),   STATUS_OK },
	{ "no newline",        BYTES(HEX_62 "ff"),     STATUS_OK },
	{ "upper case",        BYTES(HEX_62 "FF\n"),   STATUS_OK },
	{ "empty",             BYTES(""),              STATUS_MALFORMED },
	{ "newline only",      BYTES("\n"),            STATUS_MALFORMED },
	{ "one digit less",    BYTES(HEX_62 "f\n"),    STATUS_MALFORMED },
	{ "one digit more",    BYTES(HEX_62 "fff\n"),  STATUS_MALFORMED },
	{ "another character", BYTES(HEX_62 "fg\n"),   STATUS_MALFORMED },
	{ "a NUL",             BYTES(HEX_62 "\0f\n"),  STATUS_MALFORMED },
	{ "a blank before",    BYTES(" " HEX_62 "ff"), STATUS_MALFORMED },
	{ "much more",         BYTES(HEX_62 HEX_62),   STATUS_TOO_LARGE },
};
/* clang-format on */

START_TEST(seed)
{
	scratch_write(SEED, seeds[_i].text, seeds[_i].len, 0600);
	enum status st = read_keys();
	ck_assert_msg(st == seeds[_i].want, "%s: got '%s', want '%s'",
	    seeds[_i].name, status_text(st), status_text(seeds[_i].want));
	if (st != STATUS_OK)
		ck_assert_ptr_null(keys);
}
END_TEST

START_TEST(seed_is_never_logged)
{
	scratch_write(SEED, HEX_62 "fg\n", 65, 0600);
	capture_begin(STDERR_FILENO);
	enum status st = trust_keys(&keys, conf);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(said, "event=auth_keys_unusable"));
	ck_assert_ptr_nonnull(strstr(said, scratch_path(SEED)));
	ck_assert_ptr_null(strstr(said, "00112233"));
}
END_TEST

/* One byte changed anywhere, or cut anywhere, but for the last newline. */
START_TEST(public_changed)
{
	ck_assert_int_eq(make(), STATUS_OK);
	ck_assert_int_eq(
	    file_read(&file, scratch_path(TRUST), AUTH_PUBLIC_TEXT_BYTES),
	    STATUS_OK);
	for (size_t i = 0; i < file.len; i += 7) {
		uint8_t was = file.data[i];
		file.data[i] = '~';
		scratch_write(TRUST, file.data, file.len, 0644);
		ck_assert_int_eq(read_public(), STATUS_MALFORMED);
		file.data[i] = was;
		scratch_write(TRUST, file.data, i, 0644);
		ck_assert_int_eq(read_public(), STATUS_MALFORMED);
	}
	scratch_write(TRUST, file.data, file.len - 1, 0644);
	ck_assert_int_eq(read_public(), STATUS_OK);
}
END_TEST

START_TEST(public_too_large)
{
	static const char zeros[AUTH_PUBLIC_TEXT_BYTES + 1];

	scratch_write(TRUST, zeros, sizeof(zeros), 0644);
	ck_assert_int_eq(read_public(), STATUS_TOO_LARGE);
	scratch_write(TRUST, zeros, sizeof(zeros) - 1, 0644);
	ck_assert_int_eq(read_public(), STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trust");
	TCase *good = tcase_create("A-06 auth's keys on disk");
	TCase *bad = tcase_create("A-06 R-06 keys that are refused");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_test(good, made);
	tcase_add_test(good, made_once);
	tcase_add_test(bad, no_folder);
	tcase_add_test(bad, loose_seed);
	tcase_add_loop_test(bad, seed, 0, (int)nitems(seeds));
	tcase_add_test(bad, seed_is_never_logged);
	tcase_add_test(bad, public_changed);
	tcase_add_test(bad, public_too_large);
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
