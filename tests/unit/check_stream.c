#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "scratch.h"
#include "service/settings.h"
#include "service/stream.h"

/* A stream, and one that subscribes to it, on one loop. */

#define WAIT_MS    20000 /* a test that would wait for good ends here */
#define EVENTS_MAX 512
#define FLOOD      50000

static struct program program;
static struct stream *stream;
static struct bus *bus; /* of the subscriber */
static void *socket_, *monitor;

static struct event events[EVENTS_MAX]; /* that came, the first of them */
static size_t count, wanted;
static struct event_place place;
static uint64_t lost;
static struct event last;

static void on_event(void *arg)
{
	uint8_t buffer[EVENT_BYTES_MAX];
	char topic[EVENT_TOPIC_BYTES], want[EVENT_TOPIC_BYTES];

	(void)arg;
	while (count < wanted) {
		int topic_len =
		    zmq_recv(socket_, topic, sizeof(topic), ZMQ_DONTWAIT);
		if (topic_len < 0)
			return;
		int len = zmq_recv(socket_, buffer, sizeof(buffer), 0);
		ck_assert_int_gt(len, 0);
		ck_assert_int_eq(
		    event_unpack(&last, slice_of(buffer, (size_t)len)),
		    STATUS_OK);
		event_topic(want, &last);
		ck_assert(slice_equal(
		    slice_of(topic, (size_t)topic_len), slice_text(want)));
		lost += event_follow(&place, &last);
		if (count < EVENTS_MAX)
			events[count] = last;
		count++;
	}
	loop_stop(program.loop);
}

static void on_timeout(void *arg)
{
	(void)arg;
	ck_abort_msg("%zu of %zu events came", count, wanted);
}

/* Wait until so many events more have come; they are events[0] on. */
static void take(size_t more)
{
	struct timer timer = { .fired = on_timeout };

	count = 0;
	wanted = more;
	loop_timer_set(program.loop, &timer, WAIT_MS);
	ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
	loop_timer_cancel(program.loop, &timer);
}

static void subscribe(const char *topic)
{
	char endpoint[ENDPOINT_BYTES];

	settings_endpoint(
	    program.conf, "ops", "store_events", "store", "events", endpoint);
	ck_assert_int_eq(
	    bus_connect_stream(bus, endpoint, NULL, topic, &socket_, &monitor),
	    STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_socket(program.loop, socket_, on_event, NULL),
	    STATUS_OK);
}

/* Subscribe to something more: what is under way ends with a hello. */
static void ask_hello(void)
{
	ck_assert_int_eq(
	    zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, "store/hello", 11), 0);
}

static void tell(const char *kind)
{
	stream_tell(stream, &(struct stream_event){ .kind = kind });
}

static void setup(void)
{
	struct curve_keys keys;

	scratch_make();
	log_level_set(LOG_ERROR);
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1);
	setenv("KEEPSAKE_COMMON_RUN", scratch_path("run"), 1);
	program.name = "store";
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &program.conf),
	    STATUS_OK);
	ck_assert_int_eq(loop_new(&program.loop), STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(curve_public_write(
			     keys.public_key, scratch_path("keys/ops.public")),
	    STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &bus), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &program.bus), STATUS_OK);
	ck_assert_int_eq(mkdir(scratch_path("run"), 0700), 0);
	ck_assert_int_eq(stream_new(&stream, &program), STATUS_OK);
	place = (struct event_place){ 0 };
	lost = 0;
}

static void teardown(void)
{
	if (socket_)
		loop_forget_socket(program.loop, socket_);
	bus_unmonitor(socket_, &monitor);
	bus_close(&socket_);
	stream_destroy(&stream);
	bus_destroy(&bus);
	bus_destroy(&program.bus);
	loop_destroy(&program.loop);
	conf_destroy(&program.conf);
	scratch_remove();
}

START_TEST(numbers)
{
	static const struct id account = { { 1, 2 } }, trace = { { 3, 4 } };

	subscribe("store/");
	take(1);
	ck_assert_str_eq(events[0].kind, EVENT_HELLO);
	ck_assert_str_eq(events[0].service, "store");
	ck_assert_uint_eq(events[0].sequence, 0);
	log_request_set(trace);
	stream_tell(stream, &(struct stream_event){ .kind = "a",
				.account = &account,
				.subject = "auth",
				.figure = "orders",
				.value = 7 });
	log_request_set((struct id){ 0 });
	tell("b");
	tell("a");
	take(3);
	ck_assert_str_eq(events[0].subject, "auth");
	ck_assert(id_equal(&events[0].account, &account));
	ck_assert(id_equal(&events[0].trace, &trace));
	ck_assert_uint_eq(events[0].figures_count, 1);
	ck_assert_str_eq(events[0].figures[0].name, "orders");
	ck_assert_uint_eq(events[0].figures[0].value, 7);
	ck_assert_uint_gt(events[0].when_ms, 0);
	ck_assert(id_is_none(&events[1].account));
	ck_assert(id_is_none(&events[1].trace));
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(events[i].kind, i == 1 ? "b" : "a");
		ck_assert_uint_eq(events[i].sequence, i + 1);
		ck_assert_uint_eq(events[i].kind_sequence, i == 2 ? 2 : 1);
		ck_assert_uint_eq(events[i].run_ms, events[0].run_ms);
	}
	ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(one_topic)
{
	subscribe("store/b");
	ask_hello();
	take(1);
	for (int i = 0; i < 5; i++) {
		tell("a");
		tell("b");
	}
	take(5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(events[i].kind, "b");
		ck_assert_uint_eq(events[i].kind_sequence, i + 1);
	}
}
END_TEST

START_TEST(held_back)
{
	tell("service_started");
	subscribe("store/");
	take(2);
	ck_assert_str_eq(events[0].kind, "service_started");
	ck_assert_uint_eq(events[0].sequence, 1);
	ck_assert_str_eq(events[1].kind, EVENT_HELLO);
	ck_assert_uint_eq(events[1].sequence, 1);
	ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(held_back_no_more)
{
	for (int i = 0; i < 10 * STREAM_HELD_MAX; i++)
		tell("a");
	subscribe("store/");
	take(STREAM_HELD_MAX + 1);
	ck_assert_uint_eq(events[0].sequence, 1);
	ck_assert_str_eq(last.kind, EVENT_HELLO);
	ck_assert_uint_eq(lost, 9 * STREAM_HELD_MAX);
}
END_TEST

/* Nobody waits for who does not take its events; it sees what it missed. */
START_TEST(slow_subscriber)
{
	uint64_t came = 0;

	subscribe("store/");
	take(1);
	for (int i = 0; i < FLOOD; i++)
		tell("a");
	do {
		take(1);
		came += strcmp(last.kind, EVENT_HELLO) != 0;
		/* Now and then, until one gets through with all numbers. */
		if (came % 64 == 0)
			ask_hello();
	} while (last.sequence < FLOOD || strcmp(last.kind, EVENT_HELLO) != 0);
	ck_assert_uint_gt(came, 0);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(came + lost, FLOOD);
}
END_TEST

START_TEST(many_kinds)
{
	char kind[EVENT_WORD_BYTES_MAX + 1];

	subscribe("store/");
	take(1);
	for (int i = 0; i < 2 * STREAM_KINDS_MAX; i++) {
		snprintf(kind, sizeof(kind), "kind_%d", i);
		tell(kind);
	}
	take(2 * STREAM_KINDS_MAX);
	for (size_t i = 0; i < 2 * STREAM_KINDS_MAX; i++) {
		ck_assert_uint_eq(events[i].sequence, i + 1);
		ck_assert_uint_eq(events[i].kind_sequence,
		    i < STREAM_KINDS_MAX ? 1 : i - STREAM_KINDS_MAX + 2);
	}
}
END_TEST

START_TEST(no_stream)
{
	struct stream *none = NULL;

	stream_tell(none, &(struct stream_event){ .kind = "a" });
	stream_destroy(&none);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tcase = tcase_create("N-07 the stream of events");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, numbers);
	tcase_add_test(tcase, one_topic);
	tcase_add_test(tcase, held_back);
	tcase_add_test(tcase, held_back_no_more);
	tcase_add_test(tcase, slow_subscriber);
	tcase_add_test(tcase, many_kinds);
	tcase_add_test(tcase, no_stream);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
