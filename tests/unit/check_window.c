#include <check.h>
#include <stdlib.h>

#include "base/util.h"
#include "window.h"

/* clang-format off */
static const struct {
	size_t   size;
	size_t   amount;
	uint64_t waited_ms;
	size_t   then;
} answers[] = {
	/* Soon: as much more as was answered, as far as it goes. */
	{ 100,  40,   0,     140 },
	{ 100,  40,   2000,  140 },
	{ 100,  900,  0,     1000 },
	{ 100,  901,  0,     1000 },
	{ 990,  40,   0,     1000 },
	{ 1000, 40,   0,     1000 },
	/* In between: it is as large as it should be. */
	{ 100,  40,   2001,  100 },
	{ 1000, 40,   19999, 1000 },
	/* Late: half of it, but never nothing. */
	{ 1000, 40,   20000, 500 },
	{ 100,  1000, 60000, 50 },
	{ 21,   40,   20000, 20 },
	{ 20,   40,   20000, 20 },
};
/* clang-format on */

START_TEST(answered)
{
	struct window window = { answers[_i].size, 20, 1000 };

	window_answered(&window, answers[_i].amount, answers[_i].waited_ms);
	ck_assert_uint_eq(window.size, answers[_i].then);
	ck_assert_uint_eq(window.min, 20);
	ck_assert_uint_eq(window.max, 1000);
}
END_TEST

/* A link of so many bytes a second, on which all that is under way waits. */
static uint64_t steady_ms(struct window *window, uint64_t rate)
{
	uint64_t waited_ms = 0;

	for (int answer = 0; answer < 1000; answer++) {
		waited_ms = window->size * 1000 / rate;
		window_answered(window, min_of(window->size, 1000), waited_ms);
	}
	return waited_ms;
}

/* What waits never waits long, and a fast link is never idle. */
START_TEST(as_the_link_carries)
{
	struct window window = { 5000, 1000, 100000 };

	ck_assert_uint_lt(steady_ms(&window, 100), 20000);
	ck_assert_uint_lt(steady_ms(&window, 1000), 20000);
	ck_assert_uint_gt(window.size, 1000);
	steady_ms(&window, 1000000);
	ck_assert_uint_eq(window.size, 100000);
	ck_assert_uint_lt(steady_ms(&window, 100), 20000); /* slow again */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("window");
	TCase *tc = tcase_create("R-05 what is under way at a time");

	tcase_add_loop_test(tc, answered, 0, (int)nitems(answers));
	tcase_add_test(tc, as_the_link_carries);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
