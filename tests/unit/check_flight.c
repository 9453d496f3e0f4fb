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

/* The same request of a terminal, by a route. */
static enum status add_by(uint32_t number, const char *terminal,
    const char *name, enum role service, size_t bytes, bool *pass_out)
{
	struct header header = {
		.request = id_of(number),
		.type = 0x0100 * (uint32_t)service,
		.peer = { .kind = PEER_CURVE_KEY, .id_len = PEER_ID_BYTES },
	};
	struct route route = route_of(name);

	header.trace = header.request;
	memcpy(header.peer.id, terminal, strlen(terminal));
	return flights_add(flights, &header, &route, service, bytes, pass_out);
}

static enum status add(
    uint32_t number, const char *terminal, enum role service, size_t bytes)
{
	bool pass = false;

	enum status st =
	    add_by(number, terminal, terminal, service, bytes, &pass);
	ck_assert(st != STATUS_OK || pass);
	return st;
}

/* A repeat that is noted; returns whether it is to be passed on. */
static bool repeat(uint32_t number, const char *terminal, const char *route,
    enum role service, size_t bytes)
{
	bool pass = true;

	ck_assert_int_eq(
	    add_by(number, terminal, route, service, bytes, &pass), STATUS_OK);
	return pass;
}

static struct flight_key key_of(uint32_t number, const char *terminal)
{
	struct flight_key key = { .request = id_of(number) };

	memcpy(key.peer, terminal, strlen(terminal));
	return key;
}

static void drop(uint32_t number, const char *terminal)
{
	struct flight_key key = key_of(number, terminal);

	flights_remove(flights, &key);
}

static bool unsent(uint32_t number, const char *terminal, size_t bytes)
{
	struct flight_key key = key_of(number, terminal);

	return flights_unsent(flights, &key, bytes);
}

static void assert_route(const struct flight *flight, const char *name)
{
	struct route route = route_of(name);

	ck_assert_ptr_nonnull(flight);
	ck_assert(slice_equal(slice_of(flight->route.bytes, flight->route.len),
	    slice_of(route.bytes, route.len)));
}

static void assert_oldest(
    enum role service, uint32_t number, const char *terminal, const char *route)
{
	const struct flight *flight = flights_of(flights, service);
	struct flight_key key = key_of(number, terminal);

	assert_route(flight, route);
	ck_assert_mem_eq(&flight->key, &key, sizeof(key));
	ck_assert(id_equal(&flight->trace, &key.request));
	ck_assert_int_eq(flight->service, service);
	ck_assert_ptr_eq(flights_find(flights, &key), flight);
}

/* bytes  of bodies and payloads, in so many messages that were passed on */
static void assert_figures(size_t count, size_t copies, size_t bytes)
{
	ck_assert_uint_eq(flights_count(flights), count);
	ck_assert_uint_eq(
	    flights_bytes(flights), bytes + copies * FLIGHT_NOTE_BYTES);
}

/* ---- noted and answered ---- */

START_TEST(noted)
{
	assert_figures(0, 0, 0);
	ck_assert_ptr_null(flights_of(flights, ROLE_STORE));
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "anna", ROLE_AUTH, 20), STATUS_OK);
	ck_assert_int_eq(add(3, "bert", ROLE_STORE, 3), STATUS_OK);
	assert_figures(3, 3, 123);
	assert_oldest(ROLE_STORE, 1, "anna", "anna");
	assert_oldest(ROLE_AUTH, 2, "anna", "anna");
	ck_assert_ptr_null(flights_of(flights, ROLE_NOTIFY));
}
END_TEST

START_TEST(answered)
{
	struct flight_key gone = key_of(2, "bert");

	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 20), STATUS_OK);
	ck_assert_int_eq(add(3, "anna", ROLE_STORE, 3), STATUS_OK);
	drop(2, "bert"); /* from the middle */
	assert_figures(2, 2, 103);
	assert_oldest(ROLE_STORE, 1, "anna", "anna");
	ck_assert_ptr_null(flights_find(flights, &gone));
	drop(2, "bert"); /* unknown now */
	drop(9, "anna");
	assert_figures(2, 2, 103);
	drop(1, "anna");
	assert_oldest(ROLE_STORE, 3, "anna", "anna");
	drop(3, "anna");
	assert_figures(0, 0, 0);
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
	assert_figures(MANY, MANY, (size_t)MANY * (MANY - 1) / 2);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t number = i * STEP % MANY;
		snprintf(name, sizeof(name), "%u", number % 100);
		drop(number, name);
	}
	assert_figures(0, 0, 0);
}
END_TEST

START_TEST(left_behind)
{
	/* what is under way at the end is freed, with its terminal */
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 1), STATUS_OK);
}
END_TEST

START_TEST(could_not_be_sent)
{
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "anna", ROLE_STORE, 20), STATUS_OK);
	ck_assert(!unsent(1, "anna", 100));
	assert_figures(1, 1, 20);
	assert_oldest(ROLE_STORE, 2, "anna", "anna");
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	assert_figures(2, 2, 120);
}
END_TEST

/* ---- whose it is ---- */

START_TEST(same_id_of_two)
{
	struct flight_key annas = key_of(1, "anna"), berts = key_of(1, "bert");

	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(1, "bert", ROLE_STORE, 20), STATUS_OK);
	assert_figures(2, 2, 120);
	assert_route(flights_find(flights, &annas), "anna");
	assert_route(flights_find(flights, &berts), "bert");
	drop(1, "bert");
	assert_figures(1, 1, 100);
	assert_route(flights_find(flights, &annas), "anna");
	ck_assert_ptr_null(flights_find(flights, &berts));
}
END_TEST

/* A key that is shorter than the longest is another than one it begins. */
START_TEST(shorter_peer)
{
	struct header header = {
		.request = id_of(1),
		.peer = { .kind = PEER_HTTP_SESSION,
		    .id = "anna",
		    .id_len = 3 },
	};
	struct flight_key key = flight_key_of(&header);
	struct flight_key ann = key_of(1, "ann");

	ck_assert_mem_eq(&key, &ann, sizeof(key));
}
END_TEST

START_TEST(same_id_for_two_messages)
{
	bool pass;

	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add_by(1, "anna", "anna back", ROLE_AUTH, 1, &pass),
	    STATUS_CONFLICT);
	assert_figures(1, 1, 100);
	assert_oldest(ROLE_STORE, 1, "anna", "anna");
}
END_TEST

/* ---- bounds ---- */

START_TEST(of_a_terminal)
{
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add(i, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(9999, "anna", ROLE_AUTH, 1), STATUS_BUSY);
	assert_figures(TERMINAL_INFLIGHT_MAX, TERMINAL_INFLIGHT_MAX,
	    TERMINAL_INFLIGHT_MAX);
	/* others are not held up, one of a similar name neither */
	ck_assert_int_eq(add(9998, "ann", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(9997, "annaa", ROLE_STORE, 1), STATUS_OK);
	/* one answered, one more */
	drop(17, "anna");
	ck_assert_int_eq(add(9999, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_int_eq(add(17, "anna", ROLE_STORE, 1), STATUS_BUSY);
}
END_TEST

/* By whichever connection it comes. */
START_TEST(of_a_terminal_by_two_routes)
{
	bool pass;

	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add_by(i, "anna", i % 2 ? "here" : "there",
				     ROLE_STORE, 1, &pass),
		    STATUS_OK);
	ck_assert_int_eq(
	    add_by(9999, "anna", "here", ROLE_STORE, 1, &pass), STATUS_BUSY);
}
END_TEST

START_TEST(of_all)
{
	const size_t room = FLIGHT_BYTES_MAX - 3 * FLIGHT_NOTE_BYTES;

	ck_assert_int_eq(add(1, "anna", ROLE_STORE, room - 10), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 11 + 2 * FLIGHT_NOTE_BYTES),
	    STATUS_BUSY);
	assert_figures(1, 1, room - 10);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 10), STATUS_OK);
	ck_assert_int_eq(add(3, "carl", ROLE_AUTH, 1), STATUS_BUSY);
	ck_assert_int_eq(add(3, "carl", ROLE_AUTH, 0), STATUS_OK);
	/* also one without a body takes room */
	ck_assert_int_eq(add(4, "dora", ROLE_AUTH, 0), STATUS_BUSY);
	drop(1, "anna");
	ck_assert_int_eq(add(4, "carl", ROLE_STORE, room - 10), STATUS_OK);
}
END_TEST

/* ---- repeats ---- */

START_TEST(repeat_takes_the_new_route)
{
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 20), STATUS_OK);
	ck_assert(!repeat(1, "anna", "anna again", ROLE_STORE, 100));
	assert_figures(2, 2, 120);
	assert_oldest(ROLE_STORE, 1, "anna", "anna again");
	/* by the same way: nothing changes */
	ck_assert(!repeat(1, "anna", "anna again", ROLE_STORE, 100));
	assert_figures(2, 2, 120);
}
END_TEST

/* Who comes back repeats all, though as much as allowed is under way. */
START_TEST(repeat_within_the_bounds)
{
	const size_t each =
	    FLIGHT_BYTES_MAX / TERMINAL_INFLIGHT_MAX - FLIGHT_NOTE_BYTES;

	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add(i, "anna", ROLE_STORE, each), STATUS_OK);
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert(!repeat(i, "anna", "anna back", ROLE_STORE, each));
	assert_oldest(ROLE_STORE, 0, "anna", "anna back");
	/* nor is any of them passed on when it could be by its time */
	skipped_ms = 60000;
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert(!repeat(i, "anna", "anna", ROLE_STORE, each));
	assert_figures(TERMINAL_INFLIGHT_MAX, TERMINAL_INFLIGHT_MAX,
	    FLIGHT_BYTES_MAX - TERMINAL_INFLIGHT_MAX * FLIGHT_NOTE_BYTES);
	assert_oldest(ROLE_STORE, 0, "anna", "anna");
}
END_TEST

/* Seldom, and each one that is passed on counts. */
START_TEST(repeat_passed_on)
{
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 100), STATUS_OK);
	for (size_t copies = 2; copies < 5; copies++) {
		skipped_ms += FLIGHT_REPEAT_MS;
		ck_assert(repeat(1, "anna", "anna", ROLE_STORE, 100));
		ck_assert(!repeat(1, "anna", "anna", ROLE_STORE, 100));
		assert_figures(1, copies, copies * 100);
	}
	/* of which the last could not leave */
	ck_assert(unsent(1, "anna", 100));
	assert_figures(1, 3, 300);
	/* one answer ends them all */
	drop(1, "anna");
	assert_figures(0, 0, 0);
	for (uint32_t i = 0; i < TERMINAL_INFLIGHT_MAX; i++)
		ck_assert_int_eq(add(i, "anna", ROLE_STORE, 1), STATUS_OK);
}
END_TEST

START_TEST(repeat_counts_to_the_terminals_bound)
{
	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 1), STATUS_OK);
	for (size_t copies = 1; copies < TERMINAL_INFLIGHT_MAX; copies++) {
		skipped_ms += FLIGHT_REPEAT_MS;
		ck_assert(repeat(1, "anna", "anna", ROLE_STORE, 1));
	}
	skipped_ms += FLIGHT_REPEAT_MS;
	ck_assert(!repeat(1, "anna", "anna", ROLE_STORE, 1));
	ck_assert_int_eq(add(2, "anna", ROLE_STORE, 1), STATUS_BUSY);
	ck_assert_int_eq(add(2, "bert", ROLE_STORE, 1), STATUS_OK);
}
END_TEST

/* ---- expiry ---- */

START_TEST(expiry)
{
	struct flight_key first = key_of(1, "anna"), second = key_of(2, "bert");

	ck_assert_int_eq(add(1, "anna", ROLE_STORE, 1), STATUS_OK);
	ck_assert_ptr_null(flights_expired(flights));
	skipped_ms = FLIGHT_MS_MAX / 2;
	ck_assert_int_eq(add(2, "bert", ROLE_AUTH, 1), STATUS_OK);
	/* repeated: it is as old as before */
	ck_assert(repeat(1, "anna", "anna back", ROLE_STORE, 1));
	ck_assert_ptr_null(flights_expired(flights));
	skipped_ms = FLIGHT_MS_MAX;
	const struct flight *flight = flights_expired(flights);
	ck_assert_ptr_nonnull(flight);
	ck_assert_mem_eq(&flight->key, &first, sizeof(first));
	drop(1, "anna");
	ck_assert_ptr_null(flights_expired(flights));
	skipped_ms = 2 * FLIGHT_MS_MAX;
	flight = flights_expired(flights);
	ck_assert_ptr_nonnull(flight);
	ck_assert_mem_eq(&flight->key, &second, sizeof(second));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flight");
	TCase *notes = tcase_create("G-05 requests under way");
	TCase *peers = tcase_create("G-05 R-07 whose request it is");
	TCase *bounds = tcase_create("G-05 bounds of what is under way");
	TCase *repeats = tcase_create("G-04 G-05 repeats of what is under way");
	TCase *expiries = tcase_create("G-05 R-02 requests that expire");

	tcase_add_checked_fixture(notes, setup, teardown);
	tcase_add_checked_fixture(peers, setup, teardown);
	tcase_add_checked_fixture(bounds, setup, teardown);
	tcase_add_checked_fixture(repeats, setup, teardown);
	tcase_add_checked_fixture(expiries, setup, teardown);
	tcase_add_test(notes, noted);
	tcase_add_test(notes, answered);
	tcase_add_test(notes, many);
	tcase_add_test(notes, left_behind);
	tcase_add_test(notes, could_not_be_sent);
	tcase_add_test(peers, same_id_of_two);
	tcase_add_test(peers, shorter_peer);
	tcase_add_test(peers, same_id_for_two_messages);
	tcase_add_test(bounds, of_a_terminal);
	tcase_add_test(bounds, of_a_terminal_by_two_routes);
	tcase_add_test(bounds, of_all);
	tcase_add_test(repeats, repeat_takes_the_new_route);
	tcase_add_test(repeats, repeat_within_the_bounds);
	tcase_add_test(repeats, repeat_passed_on);
	tcase_add_test(repeats, repeat_counts_to_the_terminals_bound);
	tcase_add_test(expiries, expiry);
	suite_add_tcase(suite, notes);
	suite_add_tcase(suite, peers);
	suite_add_tcase(suite, bounds);
	suite_add_tcase(suite, repeats);
	suite_add_tcase(suite, expiries);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
