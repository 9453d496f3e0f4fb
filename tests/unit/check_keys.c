#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "base/file.h"
#include "base/util.h"
#include "bus/keys.h"
#include "scratch.h"

/* The server's keys of RFC 32 and ZeroMQ's own tests. */
#define PUBLIC_TEXT "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define SECRET_TEXT "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static struct curve_keys keys;

static void setup(void)
{
	scratch_make();
}

static void teardown(void)
{
	scratch_remove();
}

static enum status read_pair(const char *name)
{
	capture_begin(STDERR_FILENO);
	enum status st = curve_keys_read(&keys, scratch_path(name));
	capture_end();
	return st;
}

START_TEST(published)
{
	char text[CURVE_Z85_BYTES];

	scratch_write("server.key", SECRET_TEXT "\n", CURVE_Z85_BYTES, 0600);
	ck_assert_int_eq(read_pair("server.key"), STATUS_OK);
	zmq_z85_encode(text, keys.public_key, CURVE_KEY_BYTES);
	ck_assert_str_eq(text, PUBLIC_TEXT);
	zmq_z85_encode(text, keys.secret_key, CURVE_KEY_BYTES);
	ck_assert_str_eq(text, SECRET_TEXT);
}
END_TEST

START_TEST(there_and_back)
{
	struct curve_keys made, other;
	uint8_t public_key[CURVE_KEY_BYTES];
	struct stat found;

	ck_assert_int_eq(curve_keys_make(&made), STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&other), STATUS_OK);
	ck_assert_mem_ne(made.secret_key, other.secret_key, CURVE_KEY_BYTES);
	ck_assert_mem_ne(made.public_key, other.public_key, CURVE_KEY_BYTES);

	ck_assert_int_eq(
	    curve_keys_write(&made, scratch_path("a.key")), STATUS_OK);
	ck_assert_int_eq(
	    curve_public_write(made.public_key, scratch_path("a.public")),
	    STATUS_OK);
	ck_assert_int_eq(read_pair("a.key"), STATUS_OK);
	ck_assert_mem_eq(&keys, &made, sizeof(keys));
	ck_assert_int_eq(
	    curve_public_read(public_key, scratch_path("a.public")), STATUS_OK);
	ck_assert_mem_eq(public_key, made.public_key, CURVE_KEY_BYTES);

	ck_assert_int_eq(stat(scratch_path("a.key"), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(found.st_size, CURVE_Z85_BYTES);
	ck_assert_int_eq(stat(scratch_path("a.public"), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFREG | 0644);
}
END_TEST

START_TEST(never_overwritten)
{
	struct curve_keys made;

	ck_assert_int_eq(curve_keys_make(&made), STATUS_OK);
	ck_assert_int_eq(
	    curve_keys_write(&made, scratch_path("a.key")), STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(
	    curve_keys_write(&keys, scratch_path("a.key")), STATUS_CONFLICT);
	ck_assert_int_eq(
	    curve_public_write(keys.public_key, scratch_path("a.key")),
	    STATUS_CONFLICT);
	ck_assert_int_eq(read_pair("a.key"), STATUS_OK);
	ck_assert_mem_eq(&keys, &made, sizeof(keys));
}
END_TEST

START_TEST(loose)
{
	scratch_write("a.key", SECRET_TEXT, CURVE_Z85_BYTES - 1, 0644);
	ck_assert_int_eq(read_pair("a.key"), STATUS_DENIED);
	ck_assert_int_eq(chmod(scratch_path("a.key"), 0600), 0);
	ck_assert_int_eq(
	    symlink(scratch_path("a.key"), scratch_path("b.key")), 0);
	ck_assert_int_eq(read_pair("b.key"), STATUS_DENIED);
	ck_assert_int_eq(read_pair("a.key"), STATUS_OK);
	ck_assert_int_eq(read_pair("c.key"), STATUS_NOT_FOUND);
}
END_TEST

#define BYTES(text) (text), sizeof(text) - 1

/* clang-format off */
static const struct {
	const char *name;
	const char *text;
	size_t len;
	enum status want;
} texts[] = {
	{ "as written",           BYTES(PUBLIC_TEXT "\n"),      STATUS_OK },
	{ "without a newline",    BYTES(PUBLIC_TEXT),           STATUS_OK },
	{ "blanks behind it",     BYTES(PUBLIC_TEXT " \r\n\n"), STATUS_OK },
	{ "empty",                BYTES(""),                    STATUS_MALFORMED },
	{ "blanks only",          BYTES("\n\n"),                STATUS_MALFORMED },
	{ "blank before it",      BYTES(" " PUBLIC_TEXT),       STATUS_MALFORMED },
	{ "one character less",   BYTES("q:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"),   STATUS_MALFORMED },
	{ "one character more",   BYTES("x" PUBLIC_TEXT),       STATUS_MALFORMED },
	{ "two keys",             BYTES(PUBLIC_TEXT "\n" PUBLIC_TEXT "\n"), STATUS_MALFORMED },
	{ "a character Z85 lacks", BYTES("\"q:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"), STATUS_MALFORMED },
	{ "a byte Z85 lacks",     BYTES("\xffq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"), STATUS_MALFORMED },
	{ "more than 32 bits",    BYTES("#####>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"),  STATUS_MALFORMED },
	{ "NUL first",            BYTES("\0q:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf"),  STATUS_MALFORMED },
	{ "NUL behind five",      BYTES("rq:rM\0}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"), STATUS_MALFORMED },
	{ "hex", BYTES("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"), STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(content)
{
	uint8_t public_key[CURVE_KEY_BYTES];

	scratch_write("a", texts[_i].text, texts[_i].len, 0600);
	enum status st = curve_public_read(public_key, scratch_path("a"));
	ck_assert_msg(st == texts[_i].want, "%s: got '%s', want '%s'",
	    texts[_i].name, status_text(st), status_text(texts[_i].want));
	ck_assert_int_eq(read_pair("a"), texts[_i].want);
}
END_TEST

START_TEST(much_more)
{
	char text[4096];

	memset(text, 'x', sizeof(text));
	scratch_write("a", text, sizeof(text), 0600);
	ck_assert_int_eq(read_pair("a"), STATUS_TOO_LARGE);
	ck_assert_int_eq(curve_public_read(keys.public_key, scratch_path("a")),
	    STATUS_TOO_LARGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys");
	TCase *good = tcase_create("G-01 CURVE keys in files");
	TCase *bad = tcase_create("G-01 R-03 files that are no keys");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_test(good, published);
	tcase_add_test(good, there_and_back);
	tcase_add_test(good, never_overwritten);
	tcase_add_test(bad, loose);
	tcase_add_loop_test(bad, content, 0, (int)nitems(texts));
	tcase_add_test(bad, much_more);
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
