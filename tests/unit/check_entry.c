#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "bus/unpack.h"

/* What is tested, with its private parts. */
#include "../../services/binding/entry.c"

#define ICCID "8988211000000530082"

static uint8_t data[ENTRY_DATA_BYTES_MAX + 1];

static Binding__EntrySave message_of(
    const char *iccid, const char *number, size_t data_len)
{
	Binding__EntrySave message;

	binding__entry_save__init(&message);
	message.iccid = (char *)iccid; /* protobuf-c only reads them */
	message.number = (char *)number;
	message.content_case = BINDING__ENTRY_SAVE__CONTENT_DATA;
	message.data = field_of(slice_of(data, data_len));
	return message;
}

static const struct {
	const char *name, *iccid, *number;
	size_t data_len;
	enum status want;
	const char *why; /* how the refusal begins */
} cases[] = {
	{ "shortest number", ICCID, "+1234567", 0, STATUS_OK, NULL },
	{ "longest number", ICCID, "+123456789012345", 1, STATUS_OK, NULL },
	{ "20 digits", "89882110000005300811", "+4915112345678", 1, STATUS_OK,
	    NULL },
	{ "most data", ICCID, "+4915112345678", ENTRY_DATA_BYTES_MAX, STATUS_OK,
	    NULL },
	{ "more data", ICCID, "+4915112345678", ENTRY_DATA_BYTES_MAX + 1,
	    STATUS_TOO_LARGE, "data:" },
	{ "no iccid", "", "+4915112345678", 1, STATUS_MALFORMED, "iccid:" },
	{ "wrong check digit", "8988211000000530081", "+4915112345678", 1,
	    STATUS_MALFORMED, "iccid:" },
	{ "no number", ICCID, "", 1, STATUS_MALFORMED, "number:" },
	{ "a plus alone", ICCID, "+", 1, STATUS_MALFORMED, "number:" },
	{ "no plus", ICCID, "4915112345678", 1, STATUS_MALFORMED, "number:" },
	{ "two zeros", ICCID, "004915112345678", 1, STATUS_MALFORMED,
	    "number:" },
	{ "two pluses", ICCID, "++4915112345678", 1, STATUS_MALFORMED,
	    "number:" },
	{ "too short", ICCID, "+123456", 1, STATUS_MALFORMED, "number:" },
	{ "too long", ICCID, "+1234567890123456", 1, STATUS_MALFORMED,
	    "number:" },
	{ "a space", ICCID, "+49 15112345678", 1, STATUS_MALFORMED, "number:" },
	{ "a letter last", ICCID, "+4915112345678x", 1, STATUS_MALFORMED,
	    "number:" },
	{ "a newline last", ICCID, "+4915112345678\n", 1, STATUS_MALFORMED,
	    "number:" },
};

START_TEST(checked)
{
	Binding__EntrySave message =
	    message_of(cases[_i].iccid, cases[_i].number, cases[_i].data_len);
	const char *why = NULL;

	enum status got = entry_check(&message, &why);
	ck_assert_msg(got == cases[_i].want, "%s: got '%s', want '%s'",
	    cases[_i].name, status_text(got), status_text(cases[_i].want));
	if (!cases[_i].why)
		ck_assert_ptr_null(why);
	else
		ck_assert_msg(
		    strncmp(why, cases[_i].why, strlen(cases[_i].why)) == 0,
		    "%s: %s", cases[_i].name, why);
}
END_TEST

START_TEST(dates)
{
	Binding__EntrySave message = message_of(ICCID, "+4915112345678", 3);
	Binding__Entry report = BINDING__ENTRY__INIT;
	struct entry entry = { 0 };

	memcpy(data, "abc", 3);
	entry_update(&entry, &message, 1000);
	ck_assert_str_eq(entry.iccid, ICCID);
	ck_assert_str_eq(entry.number, "+4915112345678");
	ck_assert_uint_eq(entry.first_save_ms, 1000);
	ck_assert_uint_eq(entry.last_update_ms, 1000);
	ck_assert_uint_eq(entry.data_len, 3);

	/* Without data what is there stays; the number and the date move. */
	message = message_of(ICCID, "+4915187654321", 0);
	message.content_case = BINDING__ENTRY_SAVE__CONTENT__NOT_SET;
	entry_update(&entry, &message, 2000);
	ck_assert_str_eq(entry.number, "+4915187654321");
	ck_assert_uint_eq(entry.first_save_ms, 1000);
	ck_assert_uint_eq(entry.last_update_ms, 2000);
	ck_assert_uint_eq(entry.data_len, 3);
	ck_assert_mem_eq(entry.data, "abc", 3);

	/* Empty data replaces it.  Time never goes back. */
	message = message_of(ICCID, "+4915187654321", 0);
	entry_update(&entry, &message, 1500);
	ck_assert_uint_eq(entry.first_save_ms, 1000);
	ck_assert_uint_eq(entry.last_update_ms, 2000);
	ck_assert_uint_eq(entry.data_len, 0);

	message = message_of(ICCID, "+4915187654321", ENTRY_DATA_BYTES_MAX);
	entry_update(&entry, &message, 3000);
	entry_report(&report, &entry);
	ck_assert_str_eq(report.iccid, ICCID);
	ck_assert_str_eq(report.number, "+4915187654321");
	ck_assert_uint_eq(report.first_save_ms, 1000);
	ck_assert_uint_eq(report.last_update_ms, 3000);
	ck_assert_uint_eq(report.data_bytes, ENTRY_DATA_BYTES_MAX);
	ck_assert_uint_eq(report.data.len, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("entry");
	TCase *tcase = tcase_create("D-09 what is kept of a card");

	tcase_add_loop_test(tcase, checked, 0, (int)nitems(cases));
	tcase_add_test(tcase, dates);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
