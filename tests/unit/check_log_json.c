#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_json.h"
#include "base/util.h"

static const struct {
	const char *name, *rest, *want;
} cases[] = {
	{ "nothing", "", "" },
	{ "a word", "status=no_space", ",\"status\":\"no_space\"" },
	{ "a number", "tries=3", ",\"tries\":3" },
	{ "zero", "tries=0", ",\"tries\":0" },
	{ "a leading zero", "code=007", ",\"code\":\"007\"" },
	{ "below zero", "error=-1", ",\"error\":\"-1\"" },
	{ "too long to be exact", "n=1234567890123456",
	    ",\"n\":\"1234567890123456\"" },
	{ "two", "a=b c=4", ",\"a\":\"b\",\"c\":4" },
	{ "empty", "a= b=c", ",\"a\":\"\",\"b\":\"c\"" },
	{ "quoted", "why=\"a b\" c=d", ",\"why\":\"a b\",\"c\":\"d\"" },
	{ "a quoted number", "why=\"3\"", ",\"why\":\"3\"" },
	{ "empty quotes", "why=\"\"", ",\"why\":\"\"" },
	{ "escaped quote", "why=\"a\\\"b\"", ",\"why\":\"a\\\"b\"" },
	{ "escaped backslash", "why=\"a\\\\\" c=d",
	    ",\"why\":\"a\\\\\",\"c\":\"d\"" },
	{ "escaped byte", "why=\"a\\x0ab\"", ",\"why\":\"a\\u000ab\"" },
	{ "no end of the quotes", "why=\"a b", ",\"why\":\"a b\"" },
	{ "backslash at the end", "why=\"a\\", ",\"why\":\"a\\\\\"" },
	{ "UTF-8", "a=\xc3\xa9", ",\"a\":\"\xc3\xa9\"" },
	{ "no UTF-8", "a=\xff", ",\"a\":\"\\ufffd\"" },
	{ "newline", "a=b\nc", ",\"a\":\"b\\u000ac\"" },
	{ "no key", "words only", ",\"text\":\"words only\"" },
	{ "no key later", "a=b =c", ",\"a\":\"b\",\"text\":\"=c\"" },
	{ "a key in capitals", "A=b", ",\"text\":\"A=b\"" },
};

START_TEST(members)
{
	char got[256];

	size_t len = log_json_members(got, sizeof(got), cases[_i].rest);
	ck_assert_msg(len == strlen(cases[_i].want) &&
			  memcmp(got, cases[_i].want, len) == 0,
	    "%s: %.*s", cases[_i].name, (int)len, got);
}
END_TEST

/* Whatever the room, what is written are whole members. */
START_TEST(no_room)
{
	static const char rest[] = "a=1 why=\"b \\\"c\\\" \xff\" d=e";
	char all[128], object[160];
	size_t whole = log_json_members(all, sizeof(all), rest);

	for (size_t size = 0; size <= whole; size++) {
		memset(all, '?', sizeof(all));
		size_t len = log_json_members(all, size, rest);
		ck_assert_uint_le(len, size);
		snprintf(
		    object, sizeof(object), "{\"first\":0%.*s}", (int)len, all);
		json_t *json = json_loads(object, 0, NULL);
		ck_assert_msg(json != NULL, "%s", object);
		json_decref(json);
		for (size_t i = len; i < sizeof(all); i++)
			ck_assert(i < size || all[i] == '?');
	}
}
END_TEST

static char line[4096];

/* Log one event, and read it into ${line} without its end. */
static void log_one(const struct id *request, const char *value)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);

	ck_assert(file && saved >= 0);
	dup2(fileno(file), STDERR_FILENO);
	log_error(request, "commit_failed", "status=busy why=%s", value);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	size_t len = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(line[len - 1], '\n');
	line[len - 1] = '\0';
	ck_assert_ptr_null(strchr(line, '\n'));
}

START_TEST(object)
{
	static const struct id request = { { 0xab, [15] = 1 } };
	char quoted[LOG_QUOTED_BYTES];
	json_error_t error;

	log_program("keepsake-test");
	log_format_set(LOG_JSON);
	log_one(&request, log_quoted(quoted, "a \"b\"\n\\"));
	json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(json != NULL, "%s: %s", error.text, line);
	static const char *const wanted[][2] = {
		{ "level", "error" },
		{ "program", "keepsake-test" },
		{ "request", "ab000000000000000000000000000001" },
		{ "event", "commit_failed" },
		{ "status", "busy" },
		{ "why", "a \"b\"\n\\" },
	};
	for (size_t i = 0; i < nitems(wanted); i++)
		ck_assert_str_eq(
		    json_string_value(json_object_get(json, wanted[i][0])),
		    wanted[i][1]);
	ck_assert_uint_eq(json_object_size(json), nitems(wanted) + 1);
	json_decref(json);
}
END_TEST

START_TEST(object_too_long)
{
	char value[6000];

	memset(value, '\x01', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	log_format_set(LOG_JSON);
	log_one(NULL, value);
	json_t *json = json_loads(line, 0, NULL);
	ck_assert_msg(json != NULL, "%s", line);
	ck_assert_str_eq(
	    json_string_value(json_object_get(json, "status")), "busy");
	json_decref(json);
}
END_TEST

/* A line carries the request that the thread works for. */
START_TEST(request_of_thread)
{
	static const struct id one = { { 1 } }, two = { { 2 } };
	static const struct id none;

	log_format_set(LOG_TEXT);
	struct id before = log_request_set(one);
	ck_assert(id_is_none(&before));
	log_one(NULL, "x");
	ck_assert_ptr_nonnull(strstr(line, " request=01000000"));
	log_one(&two, "x");
	ck_assert_ptr_nonnull(strstr(line, " request=02000000"));
	before = log_request_set(none);
	ck_assert(id_equal(&before, &one));
	log_one(NULL, "x");
	ck_assert_ptr_null(strstr(line, "request="));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_json");
	TCase *tcase = tcase_create("O-03 a log of JSON");

	tcase_add_loop_test(tcase, members, 0, nitems(cases));
	tcase_add_test(tcase, no_room);
	tcase_add_test(tcase, object);
	tcase_add_test(tcase, object_too_long);
	tcase_add_test(tcase, request_of_thread);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
