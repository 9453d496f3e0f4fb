#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/util.h"

#define DAY_MS  (24ull * 3600 * 1000)
#define YEAR_MS (366 * DAY_MS)
#define READS   100000
#define THREADS 4

static uint64_t system_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

START_TEST(wall_is_the_time)
{
	uint64_t before = system_ms(), now = clock_wall_ms();

	/* time() has whole seconds and may lag by a tick. */
	ck_assert_msg(now >= before && now <= before + DAY_MS,
	    "wall clock %llu, system %llu", (unsigned long long)now,
	    (unsigned long long)before);
}
END_TEST

/* The system's clock behind the floor: what a clock set back looks like. */
START_TEST(wall_never_below_floor)
{
	uint64_t floor = system_ms() + YEAR_MS;

	clock_wall_floor(floor);
	ck_assert(clock_wall_ms() == floor);
	ck_assert(clock_wall_ms() == floor);
	clock_wall_floor(floor - DAY_MS);
	ck_assert(clock_wall_ms() == floor);
	clock_wall_floor(floor + 1);
	ck_assert(clock_wall_ms() == floor + 1);
}
END_TEST

START_TEST(wall_floor_in_the_past)
{
	uint64_t now = clock_wall_ms();

	clock_wall_floor(1);
	ck_assert(clock_wall_ms() >= now);
	ck_assert(clock_wall_ms() < now + DAY_MS);
}
END_TEST

static void *reader(void *arg)
{
	uint64_t (*read_ms)(void) = *(uint64_t(**)(void))arg;
	uint64_t last = 0;

	for (int i = 0; i < READS; i++) {
		uint64_t now = read_ms();
		if (now < last)
			return arg;
		last = now;
		if (i % 1000 == 0)
			clock_wall_floor(now + 3);
	}
	return NULL;
}

START_TEST(never_back)
{
	static uint64_t (*const clocks[])(
	    void) = { clock_wall_ms, clock_interval_ms };
	pthread_t threads[THREADS];
	void *failed = NULL;

	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader,
				     (void *)&clocks[_i]),
		    0);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

START_TEST(interval_passes)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t before = clock_interval_ms();

	nanosleep(&pause, NULL);
	ck_assert(clock_interval_ms() - before >= 20);
	ck_assert(clock_interval_ms() - before < DAY_MS);
}
END_TEST

/* clang-format off */
static const struct {
	uint64_t wall_ms;
	const char *want;
} texts[] = {
	{ 0,                "1970-01-01T00:00:00Z" },
	{ 999,              "1970-01-01T00:00:00Z" },
	{ 1000,             "1970-01-01T00:00:01Z" },
	{ 951782400000,     "2000-02-29T00:00:00Z" },
	{ 2147483648000,    "2038-01-19T03:14:08Z" },
	{ 4102444799999,    "2099-12-31T23:59:59Z" },
	{ 253402300799999,  "9999-12-31T23:59:59Z" },
	{ 253402300800000,  "beyond the calendar" },
	{ UINT64_MAX,       "beyond the calendar" },
};
/* clang-format on */

START_TEST(text_is_rfc_3339)
{
	char text[CLOCK_TEXT_BYTES];

	memset(text, 'x', sizeof(text));
	clock_text(text, texts[_i].wall_ms);
	ck_assert_str_eq(text, texts[_i].want);
}
END_TEST

static Suite *clock_suite(void)
{
	Suite *suite = suite_create("clock");
	TCase *wall = tcase_create("A-07 the wall clock never goes back");
	TCase *interval = tcase_create("G-04 intervals");
	TCase *text = tcase_create("O-03 time as text");

	tcase_add_test(wall, wall_is_the_time);
	tcase_add_test(wall, wall_never_below_floor);
	tcase_add_test(wall, wall_floor_in_the_past);
	tcase_add_loop_test(wall, never_back, 0, 2);
	suite_add_tcase(suite, wall);
	tcase_add_test(interval, interval_passes);
	suite_add_tcase(suite, interval);
	tcase_add_loop_test(text, text_is_rfc_3339, 0, (int)nitems(texts));
	suite_add_tcase(suite, text);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(clock_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
