#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "card/imei.h"

#define VECTORS      "../shared/testdata/ids/stdnum_imei.json"
#define DIGITS_BYTES 32

static const struct {
	const char *name, *text;
	enum status want;
} cases[] = {
	{ "good", "490154203237518", STATUS_OK },
	{ "good, check digit 0", "100000000000090", STATUS_OK },
	{ "all zero", "000000000000000", STATUS_OK },
	{ "wrong check digit", "490154203237517", STATUS_MALFORMED },
	{ "two digits swapped", "490154203273518", STATUS_MALFORMED },
	{ "no check digit", "49015420323751", STATUS_MALFORMED },
	{ "one digit more", "4901542032375180", STATUS_MALFORMED },
	{ "empty", "", STATUS_MALFORMED },
	{ "a letter", "49015420323751A", STATUS_MALFORMED },
	{ "dashes", "49-015420-323751", STATUS_MALFORMED },
	{ "a space first", " 90154203237518", STATUS_MALFORMED },
	{ "a newline last", "49015420323751\n", STATUS_MALFORMED },
	{ "a byte above 127", "49015420323751\xb8", STATUS_MALFORMED },
	{ "slash, below 0", "4901542032375/8", STATUS_MALFORMED },
	{ "colon, above 9", "4901542032375:8", STATUS_MALFORMED },
};

START_TEST(imei_table)
{
	enum status got = imei_check(cases[_i].text);

	ck_assert_msg(got == cases[_i].want, "%s: got '%s', want '%s'",
	    cases[_i].name, status_text(got), status_text(cases[_i].want));
}
END_TEST

/* One digit changed in any place is always found. */
START_TEST(each_single_error)
{
	char text[] = "490154203237518";

	for (size_t place = 0; place < IMEI_DIGITS; place++) {
		char right = text[place];
		for (char digit = '0'; digit <= '9'; digit++) {
			text[place] = digit;
			ck_assert_msg(
			    (imei_check(text) == STATUS_OK) == (digit == right),
			    "place %zu digit %c", place, digit);
		}
		text[place] = right;
	}
}
END_TEST

/* The digits of the first text in single quotes; returns how many. */
static size_t quoted_digits(char out[static DIGITS_BYTES], const char *text)
{
	const char *at = strchr(text, '\'');
	size_t len = 0;

	ck_assert_ptr_nonnull(at);
	for (at++; *at != '\0' && *at != '\''; at++)
		if (*at != '-' && len < DIGITS_BYTES - 1)
			out[len++] = *at;
	out[len] = '\0';
	return len;
}

/* Check one published example; returns whether it says anything of ours. */
static bool check_vector(const char *call, const char *result)
{
	char digits[DIGITS_BYTES];
	size_t len = quoted_digits(digits, call);
	enum status want = STATUS_MALFORMED;

	if (strncmp(call, "imei.validate(", 14) == 0) {
		want = len == IMEI_DIGITS ? STATUS_OK : STATUS_MALFORMED;
	} else if (strncmp(call, "imei.imei_type(", 15) == 0) {
		if (strcmp(result, "'IMEI'") == 0)
			want = STATUS_OK;
	} else if (strstr(call, "add_check_digit=True") &&
		   len == IMEI_DIGITS - 1) {
		quoted_digits(digits, result);
		want = STATUS_OK;
	} else {
		return false;
	}
	ck_assert_msg(imei_check(digits) == want, "%s -> %s", call, result);
	return true;
}

START_TEST(published_vectors)
{
	json_error_t error;
	size_t index, checked = 0;
	json_t *row;

	json_t *rows = json_load_file(VECTORS, 0, &error);
	if (!rows) {
		printf("skipped: ../shared/testdata not found\n");
		return;
	}
	json_array_foreach(rows, index, row)
	{
		const char *call = json_string_value(json_array_get(row, 0));
		const char *result = json_string_value(json_array_get(row, 1));
		ck_assert(call && result);
		if (check_vector(call, result))
			checked++;
	}
	ck_assert_uint_ge(checked, 8);
	json_decref(rows);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("imei");
	TCase *table = tcase_create("D-01 TS 23.003 annex B");
	TCase *vectors = tcase_create("D-01 published IMEIs");

	tcase_add_loop_test(table, imei_table, 0, (int)nitems(cases));
	tcase_add_test(table, each_single_error);
	tcase_add_test(vectors, published_vectors);
	suite_add_tcase(suite, table);
	suite_add_tcase(suite, vectors);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
