#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "card/iccid.h"

#define IDS "../shared/testdata/ids/pysim_iccid_imsi.json"
#define SIM "../shared/testdata/sim/android_simutils_vectors.json"

static const struct {
	const char *name, *text;
	enum status want;
} cases[] = {
	{ "19 digits", "8988211000000530082", STATUS_OK },
	{ "20 digits", "89882110000005300811", STATUS_OK },
	{ "20 digits, of another country", "89860318640220133897", STATUS_OK },
	{ "all zero", "0000000000000000000", STATUS_OK },
	{ "wrong check digit", "8988211000000530081", STATUS_MALFORMED },
	{ "wrong check digit of 20", "89882110000005300812", STATUS_MALFORMED },
	{ "two digits swapped", "8988211000000530802", STATUS_MALFORMED },
	{ "18 digits, right by chance", "898821100000053001",
	    STATUS_MALFORMED },
	{ "21 digits, right by chance", "898821100000053008119",
	    STATUS_MALFORMED },
	{ "empty", "", STATUS_MALFORMED },
	{ "a letter last", "898821100000053008F", STATUS_MALFORMED },
	{ "spaces", "8988 2110 0000 0530 0", STATUS_MALFORMED },
	{ "a space first", " 988211000000530082", STATUS_MALFORMED },
	{ "a newline last", "8988211000000530082\n", STATUS_MALFORMED },
	{ "a byte above 127", "898821100000053008\xb2", STATUS_MALFORMED },
	{ "slash, below 0", "898821100000053/082", STATUS_MALFORMED },
	{ "colon, above 9", "898821100000053:082", STATUS_MALFORMED },
};

START_TEST(iccid_table)
{
	uint8_t card[ICCID_BYTES];
	char text[ICCID_DIGITS_MAX + 1];
	enum status got = iccid_check(cases[_i].text);

	ck_assert_msg(got == cases[_i].want, "%s: got '%s', want '%s'",
	    cases[_i].name, status_text(got), status_text(cases[_i].want));
	ck_assert(iccid_encode(card, cases[_i].text) == got);
	if (got != STATUS_OK)
		return;
	ck_assert(
	    iccid_decode(text, slice_of(card, sizeof(card))) == STATUS_OK);
	ck_assert_str_eq(text, cases[_i].text);
}
END_TEST

static const struct {
	const char *name;
	uint8_t bytes[ICCID_BYTES + 1];
	size_t len;
	const char *want; /* NULL: malformed */
} records[] = {
	{ "19 digits", { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xf2 },
	    10, "8988211000000530082" },
	{ "20 digits", { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0x11 },
	    10, "89882110000005300811" },
	{ "20 digits, of another country",
	    { 0x98, 0x68, 0x30, 0x81, 0x46, 0x20, 0x02, 0x31, 0x83, 0x79 }, 10,
	    "89860318640220133897" },
	{ "one byte less", { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80 },
	    9, NULL },
	{ "one byte more",
	    { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xf2, 0xff }, 11,
	    NULL },
	{ "empty", { 0 }, 0, NULL },
	{ "a card without one",
	    { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 }, 10, NULL },
	{ "a filler in the middle",
	    { 0x98, 0xf8, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xf2 }, 10,
	    NULL },
	{ "two fillers",
	    { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xff }, 10,
	    NULL },
	{ "no digit in a low half",
	    { 0x98, 0x88, 0x12, 0x01, 0x0a, 0, 0x50, 0x03, 0x80, 0xf2 }, 10,
	    NULL },
	{ "no digit in the last half",
	    { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xe2 }, 10,
	    NULL },
	{ "halves not swapped",
	    { 0x89, 0x88, 0x21, 0x10, 0, 0, 0x05, 0x30, 0x08, 0x2f }, 10,
	    NULL },
	{ "wrong check digit",
	    { 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xf1 }, 10,
	    NULL },
};

START_TEST(card_table)
{
	uint8_t again[ICCID_BYTES];
	char text[ICCID_DIGITS_MAX + 1] = "before";
	enum status got =
	    iccid_decode(text, slice_of(records[_i].bytes, records[_i].len));

	if (!records[_i].want) {
		ck_assert_msg(got == STATUS_MALFORMED, "%s: got '%s'",
		    records[_i].name, status_text(got));
		ck_assert_str_eq(text, "before");
		return;
	}
	ck_assert_msg(got == STATUS_OK, "%s", records[_i].name);
	ck_assert_str_eq(text, records[_i].want);
	ck_assert(iccid_encode(again, text) == STATUS_OK);
	ck_assert_mem_eq(again, records[_i].bytes, ICCID_BYTES);
}
END_TEST

/* One digit changed in any place is always found. */
START_TEST(each_single_error)
{
	char text[] = "89882110000005300811";

	for (size_t place = 0; place < ICCID_DIGITS_MAX; place++) {
		char right = text[place];
		for (char digit = '0'; digit <= '9'; digit++) {
			text[place] = digit;
			ck_assert_msg((iccid_check(text) == STATUS_OK) ==
					  (digit == right),
			    "place %zu digit %c", place, digit);
		}
		text[place] = right;
	}
}
END_TEST

/* pySim completes a number of 18 or 19 digits, or leaves it as it is. */
START_TEST(published_numbers)
{
	json_error_t error;
	size_t index;
	json_t *row;

	json_t *file = json_load_file(IDS, 0, &error);
	if (!file) {
		printf("skipped: ../shared/testdata not found\n");
		return;
	}
	json_t *valid = json_object_get(file, "iccid_luhn_valid");
	ck_assert_uint_ge(json_array_size(valid), 1);
	json_array_foreach(valid, index, row)
	{
		ck_assert(iccid_check(json_string_value(row)) == STATUS_OK);
	}
	json_t *pairs = json_object_get(file, "iccid_sanitize");
	ck_assert_uint_ge(json_array_size(pairs), 4);
	json_array_foreach(pairs, index, row)
	{
		const char *from = json_string_value(json_array_get(row, 0));
		const char *to = json_string_value(json_array_get(row, 1));
		ck_assert_msg(iccid_check(to) == STATUS_OK, "%s", to);
		ck_assert_msg(
		    (iccid_check(from) == STATUS_OK) == (strcmp(from, to) == 0),
		    "%s", from);
	}
	json_decref(file);
}
END_TEST

/* Android reads EF_ICCID by bcdToString of all its bytes. */
START_TEST(published_cards)
{
	static const char whole[] = "IccUtils.bcdToString(data,0,data.length)";
	json_error_t error;
	size_t index, good = 0, bad = 0;
	json_t *row;

	json_t *rows = json_load_file(SIM, 0, &error);
	if (!rows) {
		printf("skipped: ../shared/testdata not found\n");
		return;
	}
	json_array_foreach(rows, index, row)
	{
		uint8_t card[ICCID_BYTES];
		char text[ICCID_DIGITS_MAX + 1];
		const char *hex =
		    json_string_value(json_object_get(row, "hex"));
		json_t *first =
		    json_array_get(json_object_get(row, "expect"), 0);
		const char *call = json_string_value(json_array_get(first, 0));
		const char *want = json_string_value(json_array_get(first, 1));
		if (strcmp(call, whole) != 0)
			continue;
		ck_assert(hex_decode(card, sizeof(card), hex) == STATUS_OK);
		enum status st =
		    iccid_decode(text, slice_of(card, sizeof(card)));
		/* Android reads what it can of a damaged one as well. */
		if (strlen(want) < ICCID_DIGITS_MIN) {
			ck_assert(st == STATUS_MALFORMED);
			bad++;
			continue;
		}
		ck_assert(st == STATUS_OK);
		ck_assert_str_eq(text, want);
		good++;
	}
	ck_assert_uint_ge(good, 1);
	ck_assert_uint_ge(bad, 2);
	json_decref(rows);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("iccid");
	TCase *table = tcase_create("D-09 E.118 and EF_ICCID");
	TCase *vectors = tcase_create("D-09 published ICCIDs");

	tcase_add_loop_test(table, iccid_table, 0, (int)nitems(cases));
	tcase_add_loop_test(table, card_table, 0, (int)nitems(records));
	tcase_add_test(table, each_single_error);
	tcase_add_test(vectors, published_numbers);
	tcase_add_test(vectors, published_cards);
	suite_add_tcase(suite, table);
	suite_add_tcase(suite, vectors);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
