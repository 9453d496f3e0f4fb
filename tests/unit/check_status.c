#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/util.h"

START_TEST(every_status_has_texts)
{
	enum status status = (enum status)_i;
	const char *text = status_text(status), *word = status_word(status);

	ck_assert_msg(text && *text, "status %d has no text", _i);
	ck_assert_msg(word && *word, "status %d has no word", _i);
	ck_assert_msg(
	    strspn(word, "abcdefghijklmnopqrstuvwxyz_") == strlen(word),
	    "'%s' is not one lower_case word", word);
	for (int other = 0; other < _i; other++) {
		ck_assert_str_ne(text, status_text((enum status)other));
		ck_assert_str_ne(word, status_word((enum status)other));
	}
}
END_TEST

START_TEST(past_the_end_is_internal)
{
	static const int numbers[] = { STATUS_COUNT, STATUS_COUNT + 1, -1 };

	for (size_t i = 0; i < nitems(numbers); i++) {
		enum status status = (enum status)numbers[i];
		ck_assert_str_eq(
		    status_text(status), status_text(STATUS_INTERNAL));
		ck_assert_str_eq(
		    status_word(status), status_word(STATUS_INTERNAL));
	}
}
END_TEST

/* The numbers that peers have compiled in: a change here breaks them. */
/* clang-format off */
static const struct {
	unsigned int number;
	enum status want;
} wire[] = {
	{ 0,  STATUS_OK },
	{ 1,  STATUS_NOT_FOUND },
	{ 2,  STATUS_CONFLICT },
	{ 3,  STATUS_DENIED },
	{ 4,  STATUS_AUTH_REQUIRED },
	{ 5,  STATUS_LOCKED },
	{ 6,  STATUS_FROZEN },
	{ 7,  STATUS_EXPIRED },
	{ 8,  STATUS_BUSY },
	{ 9,  STATUS_UNAVAILABLE },
	{ 10, STATUS_MALFORMED },
	{ 11, STATUS_TOO_LARGE },
	{ 12, STATUS_QUOTA },
	{ 13, STATUS_NO_SPACE },
	{ 14, STATUS_VERSION },
	{ 15, STATUS_UNKNOWN },
	{ 16, STATUS_INTERNAL },
	{ 17, STATUS_INTERNAL },	/* PENDING is never on the wire */
	{ 18, STATUS_INTERNAL },
	{ 0x80000000, STATUS_INTERNAL },
	{ 0xffffffff, STATUS_INTERNAL },
};
/* clang-format on */

START_TEST(wire_numbers)
{
	enum status got = status_from_wire(wire[_i].number);

	ck_assert_msg(got == wire[_i].want, "%u: got '%s', want '%s'",
	    wire[_i].number, status_text(got), status_text(wire[_i].want));
}
END_TEST

static Suite *status_suite(void)
{
	Suite *suite = suite_create("status");
	TCase *texts = tcase_create("T-01 a text and a word for each status");
	TCase *numbers = tcase_create("O-08 the wire keeps its numbers");

	tcase_add_loop_test(texts, every_status_has_texts, 0, STATUS_COUNT);
	tcase_add_test(texts, past_the_end_is_internal);
	suite_add_tcase(suite, texts);
	tcase_add_loop_test(numbers, wire_numbers, 0, (int)nitems(wire));
	suite_add_tcase(suite, numbers);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(status_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
