#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/util.h"
#include "bus/loop.h"

#define GUARD_MS 20000 /* a test that would wait for good ends here */
#define MANY     40    /* more than the first room of a loop */

static struct loop *loop;
static struct timer guard;
static bool timed_out;
static char order[64]; /* a letter for each callback */

static void on_guard(void *arg)
{
	(void)arg;
	timed_out = true;
	loop_stop(loop);
}

static void setup(void)
{
	ck_assert_int_eq(loop_new(&loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(loop, &guard, GUARD_MS);
}

static void teardown(void)
{
	loop_timer_cancel(loop, &guard);
	loop_destroy(&loop);
	ck_assert_ptr_null(loop);
	loop_destroy(&loop);
}

static void run(void)
{
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert(!timed_out);
}

static void note(const char *letter)
{
	ck_assert_uint_lt(strlen(order), sizeof(order) - 1);
	strcat(order, letter);
}

static void on_note(void *arg)
{
	note(arg);
}

static void on_stop(void *arg)
{
	note(arg);
	loop_stop(loop);
}

/* ---- timers ---- */

START_TEST(timers_in_order)
{
	struct timer a = { on_note, "a", 0, NULL, NULL, false };
	struct timer b = { on_note, "b", 0, NULL, NULL, false };
	struct timer c = { on_note, "c", 0, NULL, NULL, false };
	struct timer end = { on_stop, "!", 0, NULL, NULL, false };
	uint64_t began = clock_interval_ms();

	loop_timer_set(loop, &end, 30);
	loop_timer_set(loop, &b, 20);
	loop_timer_set(loop, &a, 10);
	loop_timer_set(loop, &c, 20); /* behind one that is due as soon */
	run();
	ck_assert_str_eq(order, "abc!");
	ck_assert_uint_ge(clock_interval_ms() - began, 30);
	ck_assert(!a.is_set && !b.is_set && !c.is_set && !end.is_set);
}
END_TEST

START_TEST(timer_fires_once)
{
	struct timer a = { on_note, "a", 0, NULL, NULL, false };
	struct timer end = { on_stop, "!", 0, NULL, NULL, false };

	loop_timer_set(loop, &a, 0);
	loop_timer_set(loop, &end, 10);
	run();
	ck_assert_str_eq(order, "a!");
	loop_timer_set(loop, &end, 0);
	run();
	ck_assert_str_eq(order, "a!!");
}
END_TEST

START_TEST(timer_set_anew)
{
	struct timer a = { on_note, "a", 0, NULL, NULL, false };
	struct timer b = { on_note, "b", 0, NULL, NULL, false };
	struct timer end = { on_stop, "!", 0, NULL, NULL, false };

	loop_timer_set(loop, &a, 0);
	loop_timer_set(loop, &b, 0);
	loop_timer_set(loop, &end, 20);
	loop_timer_set(loop, &a, 10);
	run();
	ck_assert_str_eq(order, "ba!");
}
END_TEST

static void on_cancel(void *arg)
{
	note("c");
	loop_timer_cancel(loop, arg);
}

START_TEST(timer_cancelled)
{
	struct timer a = { on_note, "a", 0, NULL, NULL, false };
	struct timer b = { on_note, "b", 0, NULL, NULL, false };
	struct timer cancel_b = { on_cancel, &b, 0, NULL, NULL, false };
	struct timer end = { on_stop, "!", 0, NULL, NULL, false };

	loop_timer_cancel(loop, &a); /* was never set */
	loop_timer_set(loop, &cancel_b, 0);
	loop_timer_set(loop, &a, 0);
	loop_timer_set(loop, &b, 0); /* due at the same moment */
	loop_timer_set(loop, &end, 5);
	loop_timer_cancel(loop, &a);
	loop_timer_cancel(loop, &a);
	run();
	ck_assert_str_eq(order, "c!");
}
END_TEST

static void on_again(void *arg)
{
	note("a");
	if (strlen(order) < 5)
		loop_timer_set(loop, arg, 0);
	else
		loop_stop(loop);
}

START_TEST(timer_sets_itself)
{
	struct timer a = { on_again, &a, 0, NULL, NULL, false };

	loop_timer_set(loop, &a, 0);
	run();
	ck_assert_str_eq(order, "aaaaa");
}
END_TEST

START_TEST(stop_leaves_the_rest)
{
	struct timer end = { on_stop, "!", 0, NULL, NULL, false };
	struct timer a = { on_note, "a", 0, NULL, NULL, false };

	loop_timer_set(loop, &end, 0);
	loop_timer_set(loop, &a, 0);
	run();
	ck_assert_str_eq(order, "!");
	ck_assert(a.is_set);
	loop_timer_set(loop, &end, 0);
	run();
	ck_assert_str_eq(order, "!a!");
}
END_TEST

/* ---- descriptors and sockets ---- */

struct pipe {
	int in, out;
};

static struct pipe pipe_make(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	return (struct pipe){ .in = ends[1], .out = ends[0] };
}

static void pipe_close(struct pipe *self)
{
	close(self->in);
	close(self->out);
}

static void put(const struct pipe *self)
{
	ck_assert_int_eq(write(self->in, "x", 1), 1);
}

static void get(const struct pipe *self)
{
	char byte;

	ck_assert_int_eq(read(self->out, &byte, 1), 1);
}

static struct pipe one, two;

static void pipes_setup(void)
{
	setup();
	one = pipe_make();
	two = pipe_make();
}

static void pipes_teardown(void)
{
	pipe_close(&one);
	pipe_close(&two);
	teardown();
}

static void on_one_of_three(void *arg)
{
	(void)arg;
	note("1");
	if (strlen(order) == 3) {
		get(&one);
		loop_stop(loop);
	}
}

START_TEST(level_triggered)
{
	ck_assert_int_eq(
	    loop_watch_fd(loop, one.out, on_one_of_three, NULL), STATUS_OK);
	put(&one);
	run();
	ck_assert_str_eq(order, "111");
}
END_TEST

static void on_forget_both(void *arg)
{
	(void)arg;
	note("1");
	loop_forget_fd(loop, one.out);
	loop_forget_fd(loop, two.out);
	loop_forget_fd(loop, two.out); /* unknown now */
	loop_stop(loop);
}

START_TEST(forgotten_in_a_callback)
{
	struct timer end = { on_stop, "!", 0, NULL, NULL, false };

	ck_assert_int_eq(
	    loop_watch_fd(loop, one.out, on_forget_both, NULL), STATUS_OK);
	ck_assert_int_eq(loop_watch_fd(loop, two.out, on_note, "2"), STATUS_OK);
	put(&one);
	put(&two); /* ready at the same moment */
	run();
	ck_assert_str_eq(order, "1");
	loop_timer_set(loop, &end, 10);
	run();
	ck_assert_str_eq(order, "1!");
}
END_TEST

static void on_two(void *arg)
{
	on_stop(arg);
	get(&two);
}

static void on_one_then_two(void *arg)
{
	(void)arg;
	note("1");
	get(&one);
	ck_assert_int_eq(loop_watch_fd(loop, two.out, on_two, "2"), STATUS_OK);
}

START_TEST(watched_from_a_callback)
{
	ck_assert_int_eq(
	    loop_watch_fd(loop, one.out, on_one_then_two, NULL), STATUS_OK);
	put(&one);
	put(&two);
	run();
	ck_assert_str_eq(order, "12");
}
END_TEST

START_TEST(many)
{
	struct pipe pipes[MANY];

	for (size_t i = 0; i < MANY; i++) {
		pipes[i] = pipe_make();
		ck_assert_int_eq(loop_watch_fd(loop, pipes[i].out,
				     i == MANY - 1 ? on_stop : on_note, "x"),
		    STATUS_OK);
	}
	put(&pipes[MANY - 1]);
	run();
	ck_assert_str_eq(order, "x");
	for (size_t i = 0; i < MANY; i++) {
		loop_forget_fd(loop, pipes[i].out);
		pipe_close(&pipes[i]);
	}
}
END_TEST

struct courier {
	void *socket;
	int received;
};

static void on_message(void *arg)
{
	struct courier *self = arg;
	char text[8];

	/* one message a call, of several that wait */
	ck_assert_int_eq(
	    zmq_recv(self->socket, text, sizeof(text), ZMQ_DONTWAIT), 1);
	if (++self->received == 3)
		loop_stop(loop);
}

START_TEST(sockets)
{
	void *context = zmq_ctx_new();
	void *from = zmq_socket(context, ZMQ_PAIR);
	struct courier to = { .socket = zmq_socket(context, ZMQ_PAIR) };

	ck_assert_int_eq(zmq_bind(to.socket, "inproc://loop"), 0);
	ck_assert_int_eq(zmq_connect(from, "inproc://loop"), 0);
	ck_assert_int_eq(
	    loop_watch_socket(loop, to.socket, on_message, &to), STATUS_OK);
	/* a descriptor beside it that stays silent */
	ck_assert_int_eq(loop_watch_fd(loop, one.out, on_note, "1"), STATUS_OK);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(zmq_send(from, "x", 1, 0), 1);
	run();
	ck_assert_int_eq(to.received, 3);
	ck_assert_str_eq(order, "");
	loop_forget_socket(loop, to.socket);
	loop_forget_socket(loop, to.socket);
	zmq_close(from);
	zmq_close(to.socket);
	zmq_ctx_term(context);
}
END_TEST

struct use {
	void *from, *to;
};

/* A message comes, and the socket is used before the loop looks at it. */
static void on_use(void *arg)
{
	const struct use *self = arg;
	int events;
	size_t size = sizeof(events);

	ck_assert_int_eq(zmq_send(self->from, "x", 1, 0), 1);
	ck_assert_int_eq(
	    zmq_getsockopt(self->to, ZMQ_EVENTS, &events, &size), 0);
	ck_assert(events & ZMQ_POLLIN);
}

START_TEST(socket_used_elsewhere)
{
	void *context = zmq_ctx_new();
	void *from = zmq_socket(context, ZMQ_PAIR);
	struct courier to = { .socket = zmq_socket(context, ZMQ_PAIR) };
	struct use use = { from, to.socket };
	struct timer uses[] = {
		{ on_use, &use, 0, NULL, NULL, false },
		{ on_use, &use, 0, NULL, NULL, false },
		{ on_use, &use, 0, NULL, NULL, false },
	};

	ck_assert_int_eq(zmq_bind(to.socket, "inproc://loop"), 0);
	ck_assert_int_eq(zmq_connect(from, "inproc://loop"), 0);
	ck_assert_int_eq(
	    loop_watch_socket(loop, to.socket, on_message, &to), STATUS_OK);
	for (size_t i = 0; i < nitems(uses); i++)
		loop_timer_set(loop, &uses[i], i);
	run();
	ck_assert_int_eq(to.received, 3);
	loop_forget_socket(loop, to.socket);
	zmq_close(from);
	zmq_close(to.socket);
	zmq_ctx_term(context);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *timers = tcase_create("G-05 timers of a loop");
	TCase *watches = tcase_create("G-05 what a loop watches");

	tcase_add_checked_fixture(timers, setup, teardown);
	tcase_add_checked_fixture(watches, pipes_setup, pipes_teardown);
	tcase_add_test(timers, timers_in_order);
	tcase_add_test(timers, timer_fires_once);
	tcase_add_test(timers, timer_set_anew);
	tcase_add_test(timers, timer_cancelled);
	tcase_add_test(timers, timer_sets_itself);
	tcase_add_test(timers, stop_leaves_the_rest);
	tcase_add_test(watches, level_triggered);
	tcase_add_test(watches, forgotten_in_a_callback);
	tcase_add_test(watches, watched_from_a_callback);
	tcase_add_test(watches, many);
	tcase_add_test(watches, sockets);
	tcase_add_test(watches, socket_used_elsewhere);
	suite_add_tcase(suite, timers);
	suite_add_tcase(suite, watches);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
