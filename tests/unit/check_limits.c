#include <check.h>
#include <stdio.h>

/* A unit of a program, not of a library: compiled in as it is. */
#include "../../services/auth/limits.c"

#define NOW 1000000ull

static struct limits *limits;

static void setup(void)
{
	ck_assert_int_eq(limits_new(&limits, 30), STATUS_OK);
}

static void teardown(void)
{
	limits_destroy(&limits);
}

static bool take(const char *who, uint64_t now_ms)
{
	uint64_t retry_ms = 0;
	bool may = limits_take(limits, slice_text(who), now_ms, &retry_ms);

	ck_assert(may == (retry_ms == 0));
	return may;
}

static unsigned int take_all(const char *who, uint64_t now_ms)
{
	unsigned int count = 0;

	while (take(who, now_ms))
		count++;
	return count;
}

START_TEST(minute_at_once)
{
	uint64_t retry_ms = 0;

	ck_assert_uint_eq(take_all("anna", NOW), 30);
	ck_assert(!limits_take(limits, slice_text("anna"), NOW, &retry_ms));
	ck_assert_uint_eq(retry_ms, 2000);
	ck_assert(
	    !limits_take(limits, slice_text("anna"), NOW + 1500, &retry_ms));
	ck_assert_uint_eq(retry_ms, 500);
	ck_assert_uint_eq(take_all("anna", NOW + 2000), 1);
	ck_assert_uint_eq(take_all("anna", NOW + 6000), 2);
	/* Refusals are not counted, and idleness saves up a minute's worth. */
	ck_assert_uint_eq(take_all("anna", NOW + 3600000), 30);
}
END_TEST

START_TEST(others_apart)
{
	ck_assert_uint_eq(take_all("anna", NOW), 30);
	ck_assert_uint_eq(take_all("bert", NOW), 30);
	ck_assert_uint_eq(take_all("", NOW), 30);
}
END_TEST

static const struct {
	const char *name;
	uint64_t per_minute, want;
} rates[] = {
	{ "A-10 one a minute", 1, 1 },
	{ "A-10 a rate that does not divide a minute", 7, 7 },
	{ "A-10 a thousand a second", 60000, 60000 },
};

START_TEST(rate_kept)
{
	limits_destroy(&limits);
	ck_assert_int_eq(limits_new(&limits, rates[_i].per_minute), STATUS_OK);
	unsigned int got = take_all("anna", NOW);
	ck_assert_msg(got == rates[_i].want, "%s: %u", rates[_i].name, got);
	got = take_all("anna", NOW + 60000);
	ck_assert_msg(
	    got == rates[_i].want, "%s: %u later", rates[_i].name, got);
}
END_TEST

/* Of many that ask once, one that asks often is not forgotten. */
START_TEST(idle_make_room)
{
	char who[32];

	ck_assert_uint_eq(take_all("anna", NOW), 30);
	for (unsigned int i = 0; i < 4 * LIMITS_MAX; i++) {
		snprintf(who, sizeof(who), "stranger %u", i);
		ck_assert(take(who, NOW));
	}
	ck_assert(!take("anna", NOW));
}
END_TEST

static const struct {
	const char *name, *a, *b;
	bool same;
} sources[] = {
	{ "A-10 one address", "192.0.2.1", "192.0.2.1", true },
	{ "A-10 another address", "192.0.2.1", "192.0.2.2", false },
	{ "A-10 IPv4 as IPv6 has it", "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "A-10 others of that", "::ffff:192.0.2.1", "::ffff:192.0.2.2",
	    false },
	{ "A-10 one /64", "2001:db8::1", "2001:db8::ffff:2", true },
	{ "A-10 another /64", "2001:db8::1", "2001:db8:0:1::1", false },
	{ "A-10 written in another way", "2001:db8::1", "2001:0DB8:0::1",
	    true },
	{ "A-10 loopback is no mapped one", "::1", "0.0.0.1", false },
	{ "A-10 no address", "", "nowhere", false },
	{ "A-10 no address, twice", "nowhere", "nowhere", true },
	{ "A-10 no address against one", "", "0.0.0.0", false },
};

START_TEST(source_table)
{
	struct source a, b;

	source_of(&a, sources[_i].a);
	source_of(&b, sources[_i].b);
	bool same =
	    slice_equal(slice_of(a.bytes, a.len), slice_of(b.bytes, b.len));
	ck_assert_msg(same == sources[_i].same, "%s", sources[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("A-10 limits");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, minute_at_once);
	tcase_add_test(tc, others_apart);
	tcase_add_loop_test(tc, rate_kept, 0, nitems(rates));
	tcase_add_test(tc, idle_make_room);
	tcase_add_loop_test(tc, source_table, 0, nitems(sources));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
