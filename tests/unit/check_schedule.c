#include <check.h>
#include <stdlib.h>

#include "base/util.h"

/* What is tested, with its private parts. */
#include "../../services/notify/schedule.c"
#include "../../services/notify/delivery.c"

#define MINUTE_MS 60000ull
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define COUNT     500

static const struct {
	uint32_t attempt;
	uint64_t retry_ms, retry_ms_max, want;
} pauses[] = {
	/* attempt  first      longest        pause */
	{ 0, MINUTE_MS, 6 * HOUR_MS, MINUTE_MS },
	{ 1, MINUTE_MS, 6 * HOUR_MS, MINUTE_MS },
	{ 2, MINUTE_MS, 6 * HOUR_MS, 2 * MINUTE_MS },
	{ 3, MINUTE_MS, 6 * HOUR_MS, 4 * MINUTE_MS },
	{ 9, MINUTE_MS, 6 * HOUR_MS, 256 * MINUTE_MS },
	{ 10, MINUTE_MS, 6 * HOUR_MS, 6 * HOUR_MS },
	{ 11, MINUTE_MS, 6 * HOUR_MS, 6 * HOUR_MS },
	{ UINT32_MAX, MINUTE_MS, 6 * HOUR_MS, 6 * HOUR_MS },
	{ 1, HOUR_MS, MINUTE_MS, MINUTE_MS },
	{ 5, HOUR_MS, MINUTE_MS, MINUTE_MS },
	{ 3, 7, 7, 7 },
	{ 70, 1, UINT64_MAX, UINT64_MAX },
	{ 4, 0, 0, 0 },
};

START_TEST(pause_table)
{
	uint64_t got = schedule_pause_ms(
	    pauses[_i].attempt, pauses[_i].retry_ms, pauses[_i].retry_ms_max);

	ck_assert_msg(got == pauses[_i].want, "row %d: got %llu, want %llu", _i,
	    (unsigned long long)got, (unsigned long long)pauses[_i].want);
}
END_TEST

static const struct {
	uint64_t since_ms, now_ms;
	bool want;
} ages[] = {
	{ 1000, 1000, false }, { 1000, 1000 + 3 * DAY_MS - 1, false },
	{ 1000, 1000 + 3 * DAY_MS, true }, { 1000, 1000 + 4 * DAY_MS, true },
	{ 4 * DAY_MS, 1000, false }, /* a clock set back gives up nothing */
};

START_TEST(over_table)
{
	ck_assert(schedule_is_over(ages[_i].since_ms, ages[_i].now_ms,
		      3 * DAY_MS) == ages[_i].want);
}
END_TEST

START_TEST(attempts_back_off)
{
	struct delivery delivery = { .due_ms = 5 };

	delivery_attempted(&delivery, 1000, 10, 25);
	ck_assert_uint_eq(delivery.attempts, 1);
	ck_assert_uint_eq(delivery.due_ms, 1010);
	delivery_attempted(&delivery, 2000, 10, 25);
	ck_assert_uint_eq(delivery.attempts, 2);
	ck_assert_uint_eq(delivery.due_ms, 2020);
	delivery_attempted(&delivery, 3000, 10, 25);
	ck_assert_uint_eq(delivery.due_ms, 3025);
}
END_TEST

START_TEST(recipients_once_and_bounded)
{
	struct recipients to = { 0 };
	struct id id = { { 0 } };

	for (size_t i = 0; i < ACCOUNT_TERMINALS_MAX; i++) {
		id.bytes[0] = (uint8_t)i;
		ck_assert(recipients_add(&to, &id));
		ck_assert(recipients_add(&to, &id));
		ck_assert_uint_eq(to.count, i + 1);
	}
	id.bytes[0] = ACCOUNT_TERMINALS_MAX;
	ck_assert(!recipients_add(&to, &id));
	recipients_remove(&to, &id);
	ck_assert_uint_eq(to.count, ACCOUNT_TERMINALS_MAX);
	id.bytes[0] = 7;
	recipients_remove(&to, &id);
	recipients_remove(&to, &id);
	ck_assert_uint_eq(to.count, ACCOUNT_TERMINALS_MAX - 1);
	while (to.count > 0)
		recipients_remove(&to, &to.terminals[0]);
}
END_TEST

START_TEST(soonest_first)
{
	static struct appointment appointments[COUNT];
	struct schedule schedule = { 0 };
	struct appointment *taken;
	uint64_t last = 0;
	size_t count = 0;

	ck_assert(schedule_soonest_ms(&schedule) == SCHEDULE_NEVER);
	ck_assert_ptr_null(schedule_take_due(&schedule, UINT64_MAX - 1));
	for (size_t i = 0; i < COUNT; i++)
		ck_assert(schedule_set(&schedule, &appointments[i],
			      1 + i * 7919 % COUNT) == STATUS_OK);
	/* Every third one moves, every fifth one goes. */
	for (size_t i = 0; i < COUNT; i += 3)
		ck_assert(schedule_set(&schedule, &appointments[i],
			      1 + i * 104729 % COUNT) == STATUS_OK);
	for (size_t i = 0; i < COUNT; i += 5) {
		schedule_cancel(&schedule, &appointments[i]);
		schedule_cancel(&schedule, &appointments[i]);
	}
	ck_assert_ptr_null(schedule_take_due(&schedule, 0));
	while ((taken = schedule_take_due(&schedule, COUNT))) {
		ck_assert(taken->due_ms >= last);
		ck_assert_uint_eq(taken->place, 0);
		ck_assert((taken - appointments) % 5 != 0);
		last = taken->due_ms;
		count++;
	}
	ck_assert_uint_eq(count, COUNT - COUNT / 5);
	schedule_clear(&schedule);
}
END_TEST

START_TEST(never_takes_out)
{
	struct schedule schedule = { 0 };
	struct appointment one = { 0 }, two = { 0 };

	ck_assert(schedule_set(&schedule, &one, 10) == STATUS_OK);
	ck_assert(schedule_set(&schedule, &two, 20) == STATUS_OK);
	ck_assert_uint_eq(schedule_soonest_ms(&schedule), 10);
	ck_assert(schedule_set(&schedule, &one, SCHEDULE_NEVER) == STATUS_OK);
	ck_assert_uint_eq(schedule_soonest_ms(&schedule), 20);
	ck_assert_ptr_null(schedule_take_due(&schedule, 19));
	ck_assert_ptr_eq(schedule_take_due(&schedule, 20), &two);
	ck_assert_ptr_null(schedule_take_due(&schedule, 20));
	schedule_clear(&schedule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule");
	TCase *times = tcase_create("N-05 back-off and giving up");
	TCase *order = tcase_create("N-05 order of deadlines");

	tcase_add_loop_test(times, pause_table, 0, (int)nitems(pauses));
	tcase_add_loop_test(times, over_table, 0, (int)nitems(ages));
	tcase_add_test(times, attempts_back_off);
	tcase_add_test(times, recipients_once_and_bounded);
	tcase_add_test(order, soonest_first);
	tcase_add_test(order, never_takes_out);
	suite_add_tcase(suite, times);
	suite_add_tcase(suite, order);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
