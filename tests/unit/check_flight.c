#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/util.h"
#include "flight.h"
#include "skip_time.h"

static struct flights *flights;

static void setup(void)
{
	ck_assert_int_eq(flights_new(&flights), STATUS_OK);
}

static void teardown(void)
{
	flights_destroy(&flights);
	ck_assert_ptr_null(flights);
	flights_destroy(&flights);
}

static struct id id_of(uint32_t number)
{
	struct id id = { { 0 } };

	/* Several a bucket: the first two bytes are what is hashed. */
	put_be32(id.bytes + 1, number);
	return id;
}

static struct route route_of(const char *name)
{
	struct route route = { .len = strlen(name) };

	memcpy(route.bytes, name, route.len);
	return route;
}

static enum status add(
    uint32_t number, const char *terminal, enum role service, size_t bytes)
{
	struct header header = { .request = id_of(number) };
	struct route route = route_of(terminal);

	header.trace = header.request;
	return flights_add(flights, &header, &route, service, bytes);
}

static void drop(uint32_t number)
{
	struct id id = id_of(number);

	flights_remove(flights, &id);
}

static void assert_oldest(enum role service, uint32_t number, const char *name)
{
	const struct flight *flight = flights_of(flights, service);
	struct id id = id_of(number);
	struct route route = route_of(name);

	ck_assert_ptr_nonnull(flight);
	ck_assert(id_equal(&flight->request, &id));
	ck_assert(id_equal(&flight->trace, &id));
	ck_assert_int_eq(flight->service, service);
	ck_assert(slice_equal(slice_of(flight->route.bytes, flight->route.len),
	    slice_of(route.bytes, route.len)));
}

static void assert_figures(size_t count, size_t bytes)
{
	ck_assert_uint_eq(flights_count(flights), count);
	ck_assert_uint_eq(flights_bytes(flights), bytes);
}

/* ---- noted and answered ---- */

START_TEST(noted)
{
	assert_figures(0, 0);
	ck_assert_ptr_null(flights_of(flights, ROLE_STORE));
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "anna", ROLE_AUTH, 20), STATUS_OK);
	ck_assert_int_eq(add(3, "bert", ROLE_STORE, 3), STATUS_OK);
	assert_figures(3, 123);
	assert_oldest(ROLE_STORE, 1, "anna");
	assert_oldest(ROLE_AUTH, 2, "anna");
	ck_assert_ptr_null(flights_of(flights, ROLE_NOTIFY));
}
END_TEST

START_TEST(answered)
{
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 20), STATUS_OK);
	ck_assert_int_eq(add(3, "anna", ROLE_STORE, 3), STATUS_OK);
	drop(2); /* from the middle */
	assert_figures(2, 103);
	assert_oldest(ROLE_STORE, 1, "anna");
	drop(2); /* unknown now */
	drop(9);
	assert_figures(2, 103);
	drop(1);
	assert_oldest(ROLE_STORE, 3, "anna");
	drop(3);
	assert_figures(0, 0);
	ck_assert_ptr_null(flights_of(flights, ROLE_STORE));
}
END_TEST

/* Many, dropped in another order than they came. */
START_TEST(many)
{
	enum { MANY = 5000, STEP = 7 };
	char name[8];

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%u", i % 100);
		ck_assert_int_eq(add(i, name, ROLE_STORE, i), STATUS_OK);
	}
	assert_figures(MANY, (size_t)MANY * (MANY - 1) / 2);
	for (uint32_t i = 0; i < MANY; i++)
		drop(i * STEP % MANY);
	assert_figures(0, 0);
}
END_TEST

START_TEST(left_behind)
{
	/* what is under way at the end is freed, with its terminal */
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 1), STATUS_OK);
}
END_TEST

/* ---- bounds ---- */

START_TEST(of_a_terminal)
{
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add(i, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(9999, "anna", ROLE_AUTH, 1), STATUS_BUSY);
	assert_figures(TERMINAL_INFLIGHT_MAX, TERMINAL_INFLIGHT_MAX);
	/* others are not held up, one of a similar name neither */
	ck_assert_int_eq(add(9998, "ann", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(9997, "annaa", ROLE_STORE, 1), STATUS_OK);
	/* one answered, one more */
	drop(17);
	ck_assert_int_eq(add(9999, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(17, "anna", ROLE_STORE, 1), STATUS_BUSY);
}
END_TEST

START_TEST(of_all)
{
	ck_assert_int_eq(
	    add(1, "anna", ROLE_STORE, FLIGHT_BYTES_MAX - 10), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 11), STATUS_BUSY);
	assert_figures(1, FLIGHT_BYTES_MAX - 10);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 10), STATUS_OK);
	ck_assert_int_eq(add(3, "carl", ROLE_AUTH, 1), STATUS_BUSY);
	ck_assert_int_eq(add(3, "carl", ROLE_AUTH, 0), STATUS_OK);
	drop(1);
	ck_assert_int_eq(
	    add(4, "carl", ROLE_STORE, FLIGHT_BYTES_MAX - 10), STATUS_OK);
}
END_TEST

/* ---- repeats ---- */

START_TEST(repeat_takes_the_new_route)
{
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 20), STATUS_OK);
	ck_assert_int_eq(add(1, "anna again", ROLE_STORE, 100), STATUS_OK);
	assert_figures(2, 120);
	assert_oldest(ROLE_STORE, 1, "anna again");
	/* by the same way: nothing changes */
	ck_assert_int_eq(add(1, "anna again", ROLE_STORE, 100), STATUS_OK);
	assert_figures(2, 120);
}
END_TEST

/* Who comes back repeats all, though as much as allowed is under way. */
START_TEST(repeat_within_the_bounds)
{
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add(i, "anna", ROLE_STORE,
				     FLIGHT_BYTES_MAX / TERMINAL_INFLIGHT_MAX),
		    STATUS_OK);
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++) {
		ck_assert_int_eq(add(i, "anna", ROLE_STORE, 1), STATUS_OK);
		ck_assert_int_eq(add(i, "anna back", ROLE_STORE, 1), STATUS_OK);
	}
	assert_figures(TERMINAL_INFLIGHT_MAX, FLIGHT_BYTES_MAX);
	drop(0);
	/* the old way is free of all of them, the new one has them */
	ck_assert_int_eq(add(9998, "anna back", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(9999, "anna back", ROLE_STORE, 1), STATUS_BUSY);
	ck_assert_int_eq(add(9999, "anna", ROLE_STORE, 1), STATUS_OK);
}
END_TEST

/* A repeat by a way that is full leaves all as it was. */
START_TEST(repeat_refused)
{
	ck_assert_int_eq(add(9999, "anna", ROLE_STORE, 5), STATUS_OK);
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add(i, "bert", ROLE_AUTH, 0), STATUS_OK);
	ck_assert_int_eq(add(9999, "bert", ROLE_STORE, 5), STATUS_BUSY);
	assert_oldest(ROLE_STORE, 9999, "anna");
	assert_figures(TERMINAL_INFLIGHT_MAX + 1, 5);
	drop(9999);
	assert_figures(TERMINAL_INFLIGHT_MAX, 0);
}
END_TEST

/* ---- expiry ---- */

START_TEST(expiry)
{
	struct id first = id_of(1), second = id_of(2);

	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_ptr_null(flights_expired(flights));
	skipped_ms = FLIGHT_MS_MAX / 2;
	ck_assert_int_eq(add(2, "bert", ROLE_AUTH, 1), STATUS_OK);
	/* repeated: it is as old as before */
	ck_assert_int_eq(add(1, "anna back", ROLE_STORE, 1), STATUS_OK);
	ck_assert_ptr_null(flights_expired(flights));
	skipped_ms = FLIGHT_MS_MAX;
	const struct flight *flight = flights_expired(flights);
	ck_assert_ptr_nonnull(flight);
	ck_assert(id_equal(&flight->request, &first));
	drop(1);
	ck_assert_ptr_null(flights_expired(flights));
	skipped_ms = 2 * FLIGHT_MS_MAX;
	flight = flights_expired(flights);
	ck_assert_ptr_nonnull(flight);
	ck_assert(id_equal(&flight->request, &second));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flight");
	TCase *notes = tcase_create("G-05 requests under way");
	TCase *bounds = tcase_create("G-05 bounds of what is under way");
	TCase *repeats = tcase_create("G-04 G-05 repeats of what is under way");
	TCase *expiries = tcase_create("G-05 R-02 requests that expire");

	tcase_add_checked_fixture(notes, setup, teardown);
	tcase_add_checked_fixture(bounds, setup, teardown);
	tcase_add_checked_fixture(repeats, setup, teardown);
	tcase_add_checked_fixture(expiries, setup, teardown);
	tcase_add_test(notes, noted);
	tcase_add_test(notes, answered);
	tcase_add_test(notes, many);
	tcase_add_test(notes, left_behind);
	tcase_add_test(bounds, of_a_terminal);
	tcase_add_test(bounds, of_all);
	tcase_add_test(repeats, repeat_takes_the_new_route);
	tcase_add_test(repeats, repeat_within_the_bounds);
	tcase_add_test(repeats, repeat_refused);
	tcase_add_test(expiries, expiry);
	suite_add_tcase(suite, notes);
	suite_add_tcase(suite, bounds);
	suite_add_tcase(suite, repeats);
	suite_add_tcase(suite, expiries);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
