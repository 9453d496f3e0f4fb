#include <check.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "bus/caller.h"
#include "bus/places.h"
#include "skip_time.h"

#define GUARD_MS 20000 /* a test that would wait for good ends here */
#define LONG_MS  60000 /* a deadline that is not to be reached */
#define DOORS    3

/* ---- the list ---- */

static const uint8_t key_a[CURVE_KEY_BYTES] = { 'a' };
static const struct place three[] = {
	{ "tcp://a:1", key_a },
	{ "tcp://b:1", NULL },
	{ "tcp://c:1", NULL },
};

START_TEST(in_turn)
{
	struct places *places;
	unsigned int seen[256] = { 0 };

	ck_assert_int_eq(places_new(&places, three, nitems(three)), STATUS_OK);
	ck_assert_uint_eq(places_count(places), 3);
	for (size_t i = 0; i < 2 * nitems(three); i++) {
		struct place place = places_current(places);
		seen[(uint8_t)place.endpoint[6]]++;
		ck_assert_int_eq(
		    place.server_key != NULL, place.endpoint[6] == 'a');
		places_next(places);
	}
	ck_assert_uint_eq(seen['a'], 2);
	ck_assert_uint_eq(seen['b'], 2);
	ck_assert_uint_eq(seen['c'], 2);
	places_destroy(&places);
	ck_assert_ptr_null(places);
	places_destroy(&places);
}
END_TEST

/* Terminals that begin spread over all of them. */
START_TEST(any_at_first)
{
	struct places *places;
	bool seen[256] = { false };

	while (!seen['a'] || !seen['b'] || !seen['c']) {
		ck_assert_int_eq(
		    places_new(&places, three, nitems(three)), STATUS_OK);
		seen[(uint8_t)places_current(places).endpoint[6]] = true;
		places_destroy(&places);
	}
}
END_TEST

/* Each once without a pause, then by rounds; anew when one was good. */
START_TEST(pauses)
{
	static const uint32_t want[] = { 0, 0, 50, 50, 50, 100, 100, 100, 200,
		200, 200, 400, 400, 400, 800, 800, 800, 1000, 1000, 1000 };
	struct places *places;

	ck_assert_int_eq(places_new(&places, three, nitems(three)), STATUS_OK);
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < nitems(want); i++) {
			ck_assert_uint_eq(places_pause(places), want[i]);
			ck_assert_uint_eq(places_rounds(places), i / 3);
			places_next(places);
		}
		for (size_t i = 0; i < 1000; i++)
			places_next(places);
		ck_assert_uint_eq(places_pause(places), 1000);
		places_good(places);
	}
	places_destroy(&places);
}
END_TEST

/* ---- a caller with several ---- */

static struct loop *loop;
static struct timer guard;
static bool timed_out;
static struct bus *bus;
static struct curve_keys keys;
static struct caller *caller;

static struct door {
	struct bus *bus;
	struct curve_keys keys;
	void *socket;
	char endpoint[64];
	struct header answer; /* STATUS_PENDING: none */
	unsigned int requests;
	struct id last;
} doors[DOORS];

static void on_guard(void *arg)
{
	(void)arg;
	timed_out = true;
	loop_stop(loop);
}

static void door_answer(struct door *self, struct message *message)
{
	struct header answer = self->answer;
	struct bytes packed = { 0 };

	answer.request = self->last;
	answer.type = TYPE_REPLY;
	ck_assert_int_eq(header_pack(&packed, &answer), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&message->header, bytes_slice(&packed)), STATUS_OK);
	message_send(message, self->socket); /* or who asked has moved on */
	bytes_clear(&packed);
}

static void on_door_readable(void *arg)
{
	struct door *self = arg;
	struct message message;
	struct header header;

	message_init(&message);
	while (message_receive(&message, self->socket, 1) == STATUS_OK) {
		ck_assert_int_eq(
		    header_unpack(&header, frame_slice(&message.header)),
		    STATUS_OK);
		self->requests++;
		self->last = header.request;
		if (self->answer.status != STATUS_PENDING)
			door_answer(self, &message);
		message_clear(&message);
	}
}

static void door_open(struct door *self)
{
	static const struct allow_list anyone = { .anyone = true };
	size_t len = sizeof(self->endpoint);

	ck_assert_int_eq(bus_new(&self->keys, &self->bus), STATUS_OK);
	ck_assert_int_eq(
	    bus_bind(self->bus, "test", self->endpoint, &anyone, &self->socket),
	    STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_socket(loop, self->socket, on_door_readable, self),
	    STATUS_OK);
	ck_assert_int_eq(zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT,
			     self->endpoint, &len),
	    0);
}

static void door_close(struct door *self)
{
	if (self->socket)
		loop_forget_socket(loop, self->socket);
	bus_close(&self->socket);
	bus_destroy(&self->bus);
}

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(loop, &guard, GUARD_MS);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &bus), STATUS_OK);
	for (size_t i = 0; i < DOORS; i++) {
		ck_assert_int_eq(curve_keys_make(&doors[i].keys), STATUS_OK);
		strcpy(doors[i].endpoint, "tcp://127.0.0.1:*");
		door_open(&doors[i]);
	}
}

static void teardown(void)
{
	caller_destroy(&caller);
	for (size_t i = 0; i < DOORS; i++)
		door_close(&doors[i]);
	bus_destroy(&bus);
	loop_timer_cancel(loop, &guard);
	loop_destroy(&loop);
}

static void connect_all(unsigned int refusals_max)
{
	struct place others[DOORS - 1];

	for (size_t i = 0; i < nitems(others); i++)
		others[i] = (struct place){ doors[1 + i].endpoint,
			doors[1 + i].keys.public_key };
	const struct caller_options options = {
		.name = "gateway",
		.endpoint = doors[0].endpoint,
		.server_key = doors[0].keys.public_key,
		.others = others,
		.others_count = nitems(others),
		.far = true,
		.refusals_max = refusals_max,
	};
	ck_assert_int_eq(caller_new(bus, loop, &options, &caller), STATUS_OK);
}

/* Who is connected to; the loop runs until somebody is. */
static struct timer look;

static void on_look(void *arg)
{
	(void)arg;
	if (caller_link(caller) == LINK_UP)
		loop_stop(loop);
	else
		loop_timer_set(loop, &look, 5);
}

static struct door *await_door(void)
{
	look = (struct timer){ .fired = on_look };
	loop_timer_set(loop, &look, 0);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert(!timed_out);
	for (size_t i = 0; i < DOORS; i++)
		if (strcmp(doors[i].endpoint, caller_place(caller).endpoint) ==
		    0)
			return &doors[i];
	ck_abort_msg("connected to %s", caller_place(caller).endpoint);
}

static enum status outcome;

static void on_done(void *arg, const struct answer *answer)
{
	(void)arg;
	outcome = answer->status;
	loop_stop(loop);
}

static void begin(uint32_t deadline_ms)
{
	struct header header = { .type = 0x0102, .deadline_ms = deadline_ms };

	ck_assert_int_eq(caller_ask(caller, &header, slice_text("body"), NULL,
			     on_done, NULL),
	    STATUS_OK);
}

static enum status ask(void)
{
	begin(LONG_MS);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert(!timed_out);
	return outcome;
}

static unsigned int requests_elsewhere(const struct door *door)
{
	unsigned int count = 0;

	for (size_t i = 0; i < DOORS; i++)
		if (&doors[i] != door)
			count += doors[i].requests;
	return count;
}

START_TEST(one_at_a_time)
{
	connect_all(0);
	struct door *door = await_door();
	for (unsigned int i = 1; i <= 5; i++) {
		ck_assert_int_eq(ask(), STATUS_OK);
		ck_assert_uint_eq(door->requests, i);
	}
	ck_assert_uint_eq(requests_elsewhere(door), 0);
	ck_assert_uint_eq(caller_connections(caller), 1);
}
END_TEST

/* One dies with a request in hand: the next gets it, under the same id. */
START_TEST(one_dies)
{
	connect_all(0);
	struct door *first = await_door();
	for (size_t i = 0; i < DOORS; i++)
		doors[i].answer.status =
		    &doors[i] == first ? STATUS_PENDING : STATUS_OK;
	begin(LONG_MS);
	while (first->requests == 0) {
		look = (struct timer){ .fired = on_look };
		loop_timer_set(loop, &look, 5);
		ck_assert_int_eq(loop_run(loop), STATUS_OK);
	}
	door_close(first);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert(!timed_out);
	ck_assert_int_eq(outcome, STATUS_OK);
	ck_assert_uint_eq(requests_elsewhere(first), 1);
	ck_assert_uint_eq(caller_connections(caller), 2);
	const struct door *second = await_door();
	ck_assert_ptr_ne(second, first);
	ck_assert(id_equal(&second->last, &first->last));
}
END_TEST

START_TEST(all_but_one_are_down)
{
	door_close(&doors[0]);
	door_close(&doors[2]);
	connect_all(0);
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_uint_eq(doors[1].requests, 1);
}
END_TEST

/* One that is back is found, however long all were away. */
START_TEST(all_are_down)
{
	for (size_t i = 0; i < DOORS; i++)
		door_close(&doors[i]);
	connect_all(0);
	begin(300);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert_int_eq(outcome, STATUS_UNAVAILABLE);
	door_open(&doors[1]);
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_uint_eq(doors[1].requests, 1);
}
END_TEST

/* The one that says so is left at once: its retry_after_ms is not waited. */
START_TEST(one_stops)
{
	connect_all(0);
	struct door *first = await_door();
	first->answer = (struct header){
		.status = STATUS_UNAVAILABLE,
		.retry_after_ms = LONG_MS,
		.stopping = true,
	};
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_uint_eq(first->requests, 1);
	ck_assert_uint_eq(requests_elsewhere(first), 1);
	ck_assert_ptr_ne(await_door(), first);
}
END_TEST

/* All of them do: they are asked in turn, with pauses, until one does not. */
START_TEST(all_stop)
{
	connect_all(0);
	for (size_t i = 0; i < DOORS; i++)
		doors[i].answer = (struct header){
			.status = STATUS_UNAVAILABLE,
			.retry_after_ms = 1000,
			.stopping = true,
		};
	begin(700);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert_int_eq(outcome, STATUS_UNAVAILABLE);
	ck_assert_uint_ge(requests_elsewhere(NULL), DOORS);
	ck_assert_uint_le(requests_elsewhere(NULL), 30);
	doors[2].answer = (struct header){ 0 };
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_ptr_eq(await_door(), &doors[2]);
}
END_TEST

/* A service that is away is not the gateway's fault, unless it lasts. */
START_TEST(one_cannot_help)
{
	connect_all(0);
	struct door *first = await_door();
	first->answer = (struct header){
		.status = STATUS_UNAVAILABLE,
		.retry_after_ms = 50,
	};
	begin(600);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert_int_eq(outcome, STATUS_UNAVAILABLE);
	ck_assert_uint_ge(first->requests, 2);
	ck_assert_uint_eq(requests_elsewhere(first), 0);
	skipped_ms += 11000;
	loop_timer_set(loop, &guard, GUARD_MS);
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_ptr_ne(await_door(), first);
}
END_TEST

/* It is there, but does nothing: another is asked after half a minute. */
static struct timer passing;

static void on_passing(void *arg)
{
	(void)arg;
	skipped_ms += 6000;
	loop_timer_set(loop, &guard, GUARD_MS);
	loop_timer_set(loop, &passing, 300);
}

START_TEST(one_is_stuck)
{
	connect_all(0);
	struct door *first = await_door();
	first->answer.status = STATUS_PENDING;
	passing = (struct timer){ .fired = on_passing };
	loop_timer_set(loop, &passing, 300);
	ck_assert_int_eq(ask(), STATUS_OK);
	loop_timer_cancel(loop, &passing);
	ck_assert_uint_ge(first->requests, 2); /* asked again first */
	ck_assert_uint_eq(requests_elsewhere(first), 1);
}
END_TEST

/* Its key is not the expected one: another will do, and all end if none. */
START_TEST(wrong_key)
{
	struct curve_keys right = doors[0].keys;

	randombytes_buf(doors[0].keys.public_key, CURVE_KEY_BYTES);
	connect_all(1);
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_uint_eq(doors[0].requests, 0);
	caller_destroy(&caller);
	randombytes_buf(doors[1].keys.public_key, CURVE_KEY_BYTES);
	randombytes_buf(doors[2].keys.public_key, CURVE_KEY_BYTES);
	connect_all(1);
	ck_assert_int_eq(ask(), STATUS_UNAVAILABLE);
	ck_assert_int_eq(caller_link(caller), LINK_REFUSED);
	doors[0].keys = right;
}
END_TEST

/* Somebody listens there, but says nothing: not for ever. */
START_TEST(one_is_mute)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(mute, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(mute, 8), 0);
	ck_assert_int_eq(
	    getsockname(mute, (struct sockaddr *)&address, &len), 0);
	for (size_t i = 0; i < 2; i++)
		door_close(&doors[i]);
	snprintf(doors[0].endpoint, sizeof(doors[0].endpoint),
	    "tcp://127.0.0.1:%u", ntohs(address.sin_port));
	connect_all(0);
	/* not by luck */
	while (strcmp(caller_place(caller).endpoint, doors[0].endpoint) != 0) {
		caller_destroy(&caller);
		connect_all(0);
	}
	ck_assert_int_eq(ask(), STATUS_OK);
	ck_assert_uint_eq(doors[2].requests, 1);
	close(mute);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("places");
	TCase *lists = tcase_create("G-06 the gateways of a server in turn");
	TCase *callers = tcase_create("G-04 G-06 from one gateway to another");

	tcase_add_checked_fixture(callers, setup, teardown);
	tcase_set_timeout(callers, 60);
	tcase_add_test(lists, in_turn);
	tcase_add_test(lists, any_at_first);
	tcase_add_test(lists, pauses);
	tcase_add_test(callers, one_at_a_time);
	tcase_add_test(callers, one_dies);
	tcase_add_test(callers, all_but_one_are_down);
	tcase_add_test(callers, all_are_down);
	tcase_add_test(callers, one_stops);
	tcase_add_test(callers, all_stop);
	tcase_add_test(callers, one_cannot_help);
	tcase_add_test(callers, one_is_stuck);
	tcase_add_test(callers, wrong_key);
	tcase_add_test(callers, one_is_mute);
	suite_add_tcase(suite, lists);
	suite_add_tcase(suite, callers);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
