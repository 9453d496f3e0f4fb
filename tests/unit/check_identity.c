/* A program's own file, which is in no library. */
#include "../../client/cli/identity.c"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERIAL_LONGEST                                                     \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123"

/* clang-format off */
static const struct {
	const char *name, *text;
	enum status want;
	size_t line; /* where it is wrong */
	const char *serial, *imei, *imsi;
} cases[] = {
	{ "all", "serial=SN 1\nimei=490154203237518\nimsi=262011234567890\n", STATUS_OK, 0, "SN 1", "490154203237518", "262011234567890" },
	{ "another order, a comment, an empty line", "# mine\n\nimsi=262011\nserial=ü\n", STATUS_OK, 0, "ü", "", "262011" },
	{ "no last newline", "imei=490154203237518", STATUS_OK, 0, "", "490154203237518", "" },
	{ "empty", "", STATUS_OK, 0, "", "", "" },
	{ "the longest serial", "serial=" SERIAL_LONGEST "\n", STATUS_OK, 0, SERIAL_LONGEST, "", "" },
	{ "an equals sign in it", "serial=a=b\n", STATUS_OK, 0, "a=b", "", "" },
	{ "a serial too long", "serial=" SERIAL_LONGEST "0\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "an empty value", "\nserial=\n", STATUS_MALFORMED, 2, NULL, NULL, NULL },
	{ "twice", "imsi=262011\nimsi=262011\n", STATUS_MALFORMED, 2, NULL, NULL, NULL },
	{ "another name", "iccid=1\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "no name", "490154203237518\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "a space before", " serial=1\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "a space behind", "imei=490154203237518 \n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "a wrong check digit", "imei=490154203237517\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "an imei too short", "imei=49015420323751\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "an imei too long", "imei=4901542032375180\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "an imsi too short", "imsi=26201\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "an imsi too long", "imsi=2620112345678901\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "an imsi with a letter", "imsi=26201a\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "no UTF-8", "serial=\xff\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
	{ "a carriage return", "serial=1\r\n", STATUS_MALFORMED, 1, NULL, NULL, NULL },
};
/* clang-format on */

START_TEST(identity_table)
{
	struct identity got;
	struct identity_fault fault;
	enum status st =
	    identity_parse(&got, slice_text(cases[_i].text), &fault);

	ck_assert_msg(st == cases[_i].want, "%s: got %s", cases[_i].name,
	    status_word(st));
	ck_assert_msg((st == STATUS_OK) == !fault.why, "%s", cases[_i].name);
	if (st != STATUS_OK) {
		ck_assert_uint_eq(fault.line, cases[_i].line);
		return;
	}
	ck_assert_str_eq(got.serial, cases[_i].serial);
	ck_assert_str_eq(got.imei, cases[_i].imei);
	ck_assert_str_eq(got.imsi, cases[_i].imsi);
}
END_TEST

START_TEST(a_nul_is_no_text)
{
	static const char text[] = "serial=a\0b\n";
	struct identity got;
	struct identity_fault fault;

	ck_assert_int_eq(
	    identity_parse(&got, slice_of(text, sizeof(text) - 1), &fault),
	    STATUS_MALFORMED);
	ck_assert_uint_eq(fault.line, 1);
}
END_TEST

START_TEST(file_is_its_owners)
{
	char path[] = "/tmp/check_identity.XXXXXX";
	struct identity got;
	struct identity_fault fault;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "imsi=262011\n", 12), 12);
	close(fd);
	ck_assert_int_eq(identity_read(&got, path, &fault), STATUS_OK);
	ck_assert_str_eq(got.imsi, "262011");
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(identity_read(&got, path, &fault), STATUS_DENIED);
	ck_assert_uint_eq(fault.line, 0);
	ck_assert(fault.why[0] != '\0');
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(truncate(path, FILE_BYTES_MAX + 1), 0);
	ck_assert_int_eq(identity_read(&got, path, &fault), STATUS_MALFORMED);
	unlink(path);
	ck_assert_int_eq(identity_read(&got, path, &fault), STATUS_NOT_FOUND);
	ck_assert(fault.why[0] != '\0');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("T-02 identity file");

	tcase_add_loop_test(tcase, identity_table, 0, (int)nitems(cases));
	tcase_add_test(tcase, a_nul_is_no_text);
	tcase_add_test(tcase, file_is_its_owners);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
