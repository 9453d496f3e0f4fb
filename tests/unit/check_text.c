#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

#define BYTES(text) (text), sizeof(text) - 1

/* clang-format off */
static const struct {
	const char *name;
	const char *text;
	size_t len;
	bool want;
} texts[] = {
	{ "empty",                        BYTES(""),                 true },
	{ "ASCII",                        BYTES("Anna, 2nd phone"),  true },
	{ "first and last of ASCII",      BYTES(" ~"),               true },
	{ "two bytes, the least",         BYTES("\xc2\xa0"),         true },
	{ "two bytes, the most",          BYTES("\xdf\xbf"),         true },
	{ "three bytes, the least",       BYTES("\xe0\xa0\x80"),     true },
	{ "before the surrogates",        BYTES("\xed\x9f\xbf"),     true },
	{ "behind the surrogates",        BYTES("\xee\x80\x80"),     true },
	{ "three bytes, the most",        BYTES("\xef\xbf\xbf"),     true },
	{ "four bytes, the least",        BYTES("\xf0\x90\x80\x80"), true },
	{ "U+10FFFF",                     BYTES("\xf4\x8f\xbf\xbf"), true },
	{ "NUL",                          BYTES("a\0b"),             false },
	{ "newline",                      BYTES("a\n"),              false },
	{ "escape",                       BYTES("\x1b[2J"),          false },
	{ "delete",                       BYTES("\x7f"),             false },
	{ "U+0080",                       BYTES("\xc2\x80"),         false },
	{ "U+009B, a terminal's CSI",     BYTES("\xc2\x9b" "2J"),    false },
	{ "U+009F",                       BYTES("\xc2\x9f"),         false },
	{ "continuation alone",           BYTES("\x80"),             false },
	{ "two bytes, cut",               BYTES("\xc3"),             false },
	{ "three bytes, cut",             BYTES("\xe2\x82"),         false },
	{ "four bytes, cut",              BYTES("\xf0\x9f\x98"),     false },
	{ "cut by another character",     BYTES("\xe2\x82" "a"),     false },
	{ "two bytes, too long a form",   BYTES("\xc0\xaf"),         false },
	{ "the same, the most",           BYTES("\xc1\xbf"),         false },
	{ "three bytes, too long a form", BYTES("\xe0\x9f\xbf"),     false },
	{ "four bytes, too long a form",  BYTES("\xf0\x8f\xbf\xbf"), false },
	{ "first surrogate",              BYTES("\xed\xa0\x80"),     false },
	{ "last surrogate",               BYTES("\xed\xbf\xbf"),     false },
	{ "U+110000",                     BYTES("\xf4\x90\x80\x80"), false },
	{ "five bytes",                   BYTES("\xf8\x88\x80\x80\x80"), false },
	{ "0xff",                         BYTES("\xff"),             false },
};
/* clang-format on */

START_TEST(clean)
{
	/* Of its own, so that a read past its end is seen. */
	uint8_t *copy = malloc(texts[_i].len);

	ck_assert(copy || texts[_i].len == 0);
	if (texts[_i].len > 0)
		memcpy(copy, texts[_i].text, texts[_i].len);
	ck_assert_msg(
	    text_is_clean(slice_of(copy, texts[_i].len)) == texts[_i].want,
	    "%s: want %d", texts[_i].name, texts[_i].want);
	free(copy);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text;
	uint64_t max;
	enum status want;
	uint64_t number;
} numbers[] = {
	{ "0",                     10,         STATUS_OK,        0 },
	{ "10",                    10,         STATUS_OK,        10 },
	{ "007",                   10,         STATUS_OK,        7 },
	{ "0",                     0,          STATUS_OK,        0 },
	{ "18446744073709551615",  UINT64_MAX, STATUS_OK,        UINT64_MAX },
	{ "1",                     0,          STATUS_MALFORMED, 0 },
	{ "11",                    10,         STATUS_MALFORMED, 0 },
	{ "9",                     5,          STATUS_MALFORMED, 0 },
	{ "18446744073709551616",  UINT64_MAX, STATUS_MALFORMED, 0 },
	{ "99999999999999999999",  UINT64_MAX, STATUS_MALFORMED, 0 },
	{ "",                      10,         STATUS_MALFORMED, 0 },
	{ " 1",                    10,         STATUS_MALFORMED, 0 },
	{ "1 ",                    10,         STATUS_MALFORMED, 0 },
	{ "+1",                    10,         STATUS_MALFORMED, 0 },
	{ "-1",                    10,         STATUS_MALFORMED, 0 },
	{ "0x1",                   10,         STATUS_MALFORMED, 0 },
	{ "1.0",                   10,         STATUS_MALFORMED, 0 },
};
/* clang-format on */

START_TEST(number)
{
	uint64_t got = 99;
	enum status st = text_number(&got, numbers[_i].text, numbers[_i].max);

	ck_assert_msg(st == numbers[_i].want, "\"%s\": got '%s', want '%s'",
	    numbers[_i].text, status_text(st), status_text(numbers[_i].want));
	ck_assert_uint_eq(got, st == STATUS_OK ? numbers[_i].number : 99);
}
END_TEST

typedef enum status read_value(uint64_t *out, const char *text);

/* clang-format off */
static const struct {
	read_value *read;
	const char *text;
	enum status want;
	uint64_t number;
} units[] = {
	{ text_size,     "0",                   STATUS_OK,        0 },
	{ text_size,     "4096",                STATUS_OK,        4096 },
	{ text_size,     "3K",                  STATUS_OK,        3ull << 10 },
	{ text_size,     "3M",                  STATUS_OK,        3ull << 20 },
	{ text_size,     "3G",                  STATUS_OK,        3ull << 30 },
	{ text_size,     "3T",                  STATUS_OK,        3ull << 40 },
	{ text_size,     "8388607T",            STATUS_OK,        8388607ull << 40 },
	{ text_size,     "8388608T",            STATUS_MALFORMED, 0 },
	{ text_size,     "18446744073709551615", STATUS_MALFORMED, 0 },
	{ text_size,     "3k",                  STATUS_MALFORMED, 0 },
	{ text_size,     "3KiB",                STATUS_MALFORMED, 0 },
	{ text_size,     "3 K",                 STATUS_MALFORMED, 0 },
	{ text_size,     "K",                   STATUS_MALFORMED, 0 },
	{ text_size,     "",                    STATUS_MALFORMED, 0 },
	{ text_duration, "0ms",                 STATUS_OK,        0 },
	{ text_duration, "250ms",               STATUS_OK,        250 },
	{ text_duration, "3s",                  STATUS_OK,        3000 },
	{ text_duration, "3min",                STATUS_OK,        180000 },
	{ text_duration, "3h",                  STATUS_OK,        10800000 },
	{ text_duration, "3d",                  STATUS_OK,        259200000 },
	{ text_duration, "106751991167d",       STATUS_OK,        106751991167 * 86400000 },
	{ text_duration, "106751991168d",       STATUS_MALFORMED, 0 },
	{ text_duration, "3",                   STATUS_MALFORMED, 0 },
	{ text_duration, "3m",                  STATUS_MALFORMED, 0 },
	{ text_duration, "3S",                  STATUS_MALFORMED, 0 },
	{ text_duration, "-3s",                 STATUS_MALFORMED, 0 },
	{ text_duration, "1h30min",             STATUS_MALFORMED, 0 },
	{ text_duration, "s",                   STATUS_MALFORMED, 0 },
};
/* clang-format on */

START_TEST(unit)
{
	uint64_t got = 99;
	enum status st = units[_i].read(&got, units[_i].text);

	ck_assert_msg(st == units[_i].want, "\"%s\": got '%s', want '%s'",
	    units[_i].text, status_text(st), status_text(units[_i].want));
	ck_assert_uint_eq(got, st == STATUS_OK ? units[_i].number : 99);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *want;
} sizes[] = {
	{ 0, "0 B" },
	{ 1023, "1023 B" },
	{ 1024, "1.0 KiB" },
	{ 12897485, "12.3 MiB" },
	{ 5ull << 30, "5.0 GiB" },
	{ 1ull << 40, "1.0 TiB" },
	{ 1ull << 50, "1.0 PiB" },
	{ UINT64_MAX, "16384.0 PiB" },
};

START_TEST(size_for_people)
{
	char out[TEXT_SIZE_BYTES];

	ck_assert_str_eq(text_of_size(out, sizes[_i].bytes), sizes[_i].want);
}
END_TEST

static const struct {
	uint64_t duration_ms;
	const char *want;
} durations[] = {
	{ 0, "0 s" },
	{ 1, "1 s" },
	{ 1000, "1 s" },
	{ 59001, "1 min" },
	{ 59000, "59 s" },
	{ 60000, "1 min" },
	{ 61500, "1 min 2 s" },
	{ 3599000, "59 min 59 s" },
	{ 3600000, "1 h" },
	{ 3600001, "1 h 1 min" },
	{ 86400000, "1 d" },
	{ 90000000, "1 d 1 h" },
	{ UINT64_MAX, "213503982334 d 15 h" },
};

START_TEST(duration_for_people)
{
	char out[TEXT_DURATION_BYTES];

	ck_assert_str_eq(text_of_duration(out, durations[_i].duration_ms),
	    durations[_i].want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *utf8 = tcase_create("R-03 text that is shown or stored");
	TCase *values = tcase_create("O-07 numbers, sizes and durations");
	TCase *people = tcase_create("T-01 sizes and durations for people");

	tcase_add_loop_test(utf8, clean, 0, (int)nitems(texts));
	tcase_add_loop_test(values, number, 0, (int)nitems(numbers));
	tcase_add_loop_test(values, unit, 0, (int)nitems(units));
	tcase_add_loop_test(people, size_for_people, 0, (int)nitems(sizes));
	tcase_add_loop_test(
	    people, duration_for_people, 0, (int)nitems(durations));
	suite_add_tcase(suite, utf8);
	suite_add_tcase(suite, values);
	suite_add_tcase(suite, people);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
