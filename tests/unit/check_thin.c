#include "thin.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

#define ITEMS_MAX 16

/* A moment of UTC, "2026-11-21 18:30". */
static uint64_t moment(const char *text)
{
	struct tm tm = { 0 };

	ck_assert_ptr_nonnull(strptime(text, "%Y-%m-%d %H:%M", &tm));
	return (uint64_t)timegm(&tm) * 1000;
}

/* clang-format off */
static const struct {
	const char *name;
	const char *tz;
	uint32_t keep[THIN_RULE_COUNT]; /* last, daily, weekly, monthly */
	const char *taken[ITEMS_MAX];   /* series digit, then the moment */
	const char *want;               /* a letter each: '-' goes, 'k' stays */
} cases[] = {
	{ "none at all", "UTC0", { 1, 1, 1, 1 }, { NULL }, "" },
	{ "the only one", "UTC0", { 0, 1, 0, 0 }, { "0 2026-11-21 10:00" }, "k" },
	{ "no rule keeps none", "UTC0", { 0, 0, 0, 0 },
	    { "0 2026-11-20 10:00", "0 2026-11-21 10:00" }, "--" },
	{ "the last two", "UTC0", { 2, 0, 0, 0 },
	    { "0 2026-11-19 10:00", "0 2026-11-20 10:00", "0 2026-11-21 10:00" }, "-kk" },
	{ "more than there are", "UTC0", { 100000, 0, 0, 0 },
	    { "0 2026-11-20 10:00", "0 2026-11-21 10:00" }, "kk" },
	{ "the newest of a day", "UTC0", { 0, 2, 0, 0 },
	    { "0 2026-11-19 10:00", "0 2026-11-20 10:00", "0 2026-11-20 23:59", "0 2026-11-21 00:00", "0 2026-11-21 10:00" }, "--k-k" },
	{ "days without one do not count", "UTC0", { 0, 2, 0, 0 },
	    { "0 2026-08-01 10:00", "0 2026-09-01 10:00", "0 2026-11-21 10:00" }, "-kk" },
	{ "the same day of two years", "UTC0", { 0, 2, 0, 0 },
	    { "0 2025-11-21 10:00", "0 2026-11-21 10:00" }, "kk" },
	{ "the newest of a week, from Monday", "UTC0", { 0, 0, 2, 0 },
	    { "0 2026-11-14 10:00", "0 2026-11-15 23:00", "0 2026-11-16 00:00", "0 2026-11-22 23:00" }, "-k-k" },
	{ "a week over the end of a year is one", "UTC0", { 0, 0, 2, 0 },
	    { "0 2026-12-27 10:00", "0 2026-12-28 10:00", "0 2027-01-03 10:00" }, "k-k" },
	{ "week 53 is not week 1", "UTC0", { 0, 0, 2, 0 },
	    { "0 2026-12-21 10:00", "0 2027-01-03 10:00", "0 2027-01-04 10:00" }, "-kk" },
	{ "the newest of a month", "UTC0", { 0, 0, 0, 2 },
	    { "0 2026-09-30 10:00", "0 2026-10-01 10:00", "0 2026-10-31 10:00", "0 2026-11-01 10:00" }, "--kk" },
	{ "what any rule keeps stays", "UTC0", { 1, 2, 0, 2 },
	    { "0 2026-10-02 10:00", "0 2026-10-30 10:00", "0 2026-11-19 10:00", "0 2026-11-20 10:00", "0 2026-11-21 10:00", "0 2026-11-21 11:00" }, "-k-k-k" },
	{ "each series by itself", "UTC0", { 1, 0, 0, 0 },
	    { "0 2026-11-19 10:00", "1 2026-11-19 11:00", "0 2026-11-20 10:00", "2 2026-01-01 00:00" }, "-kkk" },
	{ "days are local: east", "EAST-10", { 0, 2, 0, 0 },
	    { "0 2026-11-20 13:59", "0 2026-11-20 14:00", "0 2026-11-21 13:59" }, "k-k" },
	{ "days are local: west", "WEST10", { 0, 2, 0, 0 },
	    { "0 2026-11-20 09:59", "0 2026-11-20 10:00", "0 2026-11-21 09:59" }, "k-k" },
	{ "the night clocks go back is one day", "CET-1CEST,M3.5.0,M10.5.0/3", { 0, 2, 0, 0 },
	    { "0 2026-10-24 21:59", "0 2026-10-24 22:00", "0 2026-10-25 22:59" }, "k-k" },
	{ "two of one moment", "UTC0", { 0, 5, 0, 0 },
	    { "0 2026-11-21 10:00", "0 2026-11-21 10:00" }, "-k" },
};
/* clang-format on */

START_TEST(selected)
{
	struct thin_item items[ITEMS_MAX] = { 0 };
	char got[ITEMS_MAX + 1] = "";
	size_t count = 0;

	ck_assert_int_eq(setenv("TZ", cases[_i].tz, 1), 0);
	for (; count < ITEMS_MAX && cases[_i].taken[count]; count++)
		items[count] = (struct thin_item){
			.taken_ms = moment(cases[_i].taken[count] + 2),
			.series = (size_t)(cases[_i].taken[count][0] - '0'),
			.kept = ~0u,
		};
	thin_select(items, count, cases[_i].keep);
	for (size_t i = 0; i < count; i++)
		got[i] = items[i].kept != 0 ? 'k' : '-';
	ck_assert_msg(strcmp(got, cases[_i].want) == 0,
	    "%s: got \"%s\", want \"%s\"", cases[_i].name, got, cases[_i].want);
}
END_TEST

START_TEST(says_by_which_rule)
{
	const uint32_t keep[THIN_RULE_COUNT] = { 1, 2, 1, 1 };
	struct thin_item items[] = {
		{ .taken_ms = moment("2026-11-20 10:00") },
		{ .taken_ms = moment("2026-11-21 10:00") },
	};

	ck_assert_int_eq(setenv("TZ", "UTC0", 1), 0);
	thin_select(items, nitems(items), keep);
	ck_assert_uint_eq(items[0].kept, 1u << THIN_DAILY);
	ck_assert_uint_eq(items[1].kept, (1u << THIN_RULE_COUNT) - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("thin");
	TCase *tcase = tcase_create("B-06 which snapshots a rule keeps");

	tcase_add_loop_test(tcase, selected, 0, nitems(cases));
	tcase_add_test(tcase, says_by_which_rule);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
