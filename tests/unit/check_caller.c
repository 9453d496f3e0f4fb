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
#include "scratch.h"
#include "skip_time.h"

#define GUARD_MS   20000 /* a test that would wait for good ends here */
#define LONG_MS    60000 /* a deadline that is not to be reached */
#define SILENCE_MS 5000  /* after which a request is sent again */
#define TYPE_ASKED 0x0102
#define TYPE_PUSH  0x0404

static struct loop *loop;
static struct timer guard;
static bool timed_out;

static void on_guard(void *arg)
{
	(void)arg;
	timed_out = true;
	loop_stop(loop);
}

static void run(void)
{
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ck_assert(!timed_out);
}

/* ---- the peer: a door that does as it is told ---- */

struct line {
	enum status status;
	uint32_t retry_after_ms;
	const char *detail;
};

static struct fake_peer {
	struct bus *bus;
	struct curve_keys keys;
	struct allow_list allow;
	void *door;
	char endpoint[2 * SCRATCH_BYTES];
	size_t envelope_count; /* of the caller's own */
	const struct line *script;
	size_t script_lines; /* the last is for all that follow */
	unsigned int requests;
	struct header asked; /* the latest */
	struct id first_request;
	struct bytes body;
	size_t payload_bytes;
	uint64_t when_ms[8];    /* each request came */
	struct message message; /* its frames */
	void (*after)(void);    /* called behind each request */
} peer;

static void peer_say(const struct line *line, const struct id *request,
    uint32_t type, const char *body)
{
	struct header header = {
		.request = *request,
		.type = type,
		.status = line->status,
		.retry_after_ms = line->retry_after_ms,
		.tries_remaining = 2,
		.server_time_ms = 1700000000000,
	};
	struct message answer;
	struct bytes packed = { 0 };

	if (line->detail)
		header_detail(&header, "%s", line->detail);
	message_init(&answer);
	answer.envelope_count = peer.message.envelope_count;
	for (size_t i = 0; i < answer.envelope_count; i++)
		zmq_msg_copy(&answer.envelope[i], &peer.message.envelope[i]);
	ck_assert_int_eq(header_pack(&packed, &header), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&answer.header, bytes_slice(&packed)), STATUS_OK);
	ck_assert_int_eq(frame_copy(&answer.body, slice_text(body)), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&answer.payload, slice_text("payload")), STATUS_OK);
	answer.has_payload = true;
	ck_assert_int_eq(message_send(&answer, peer.door), STATUS_OK);
	message_clear(&answer);
	bytes_clear(&packed);
}

static void peer_hears(void)
{
	struct message *message = &peer.message;

	ck_assert_int_eq(
	    header_unpack(&peer.asked, frame_slice(&message->header)),
	    STATUS_OK);
	if (peer.requests == 0)
		peer.first_request = peer.asked.request;
	ck_assert_int_eq(
	    bytes_copy(&peer.body, frame_slice(&message->body)), STATUS_OK);
	peer.payload_bytes = zmq_msg_size(&message->payload);
	peer.when_ms[peer.requests % nitems(peer.when_ms)] =
	    clock_interval_ms();
	const struct line *line =
	    &peer.script[min_of((size_t)peer.requests, peer.script_lines - 1)];
	peer.requests++;
	if (line->status != STATUS_PENDING)
		peer_say(line, &peer.asked.request, TYPE_REPLY, "answer");
	if (peer.after)
		peer.after();
}

static void on_peer_readable(void *arg)
{
	(void)arg;
	while (peer.door && message_receive(&peer.message, peer.door,
				1 + peer.envelope_count) == STATUS_OK)
		peer_hears();
}

/* Open the door: as a process that starts. */
static void peer_open(void)
{
	ck_assert_int_eq(bus_new(&peer.keys, &peer.bus), STATUS_OK);
	ck_assert_int_eq(
	    bus_bind(peer.bus, "test", peer.endpoint, &peer.allow, &peer.door),
	    STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_socket(loop, peer.door, on_peer_readable, NULL),
	    STATUS_OK);
	size_t len = sizeof(peer.endpoint);
	ck_assert_int_eq(
	    zmq_getsockopt(peer.door, ZMQ_LAST_ENDPOINT, peer.endpoint, &len),
	    0);
}

/* Close it: as a process that ends. */
static void peer_close(void)
{
	if (peer.door)
		loop_forget_socket(loop, peer.door);
	bus_close(&peer.door);
	bus_destroy(&peer.bus);
}

static void peer_does(const struct line *script, size_t lines)
{
	peer.script = script;
	peer.script_lines = lines;
}

/* ---- the caller ---- */

static struct bus *bus;
static struct curve_keys keys;
static struct caller *caller;

static struct outcome {
	unsigned int calls;
	enum status status;
	char detail[DETAIL_BYTES_MAX + 1];
	struct bytes body;
	struct bytes payload;
	bool has_header;
	struct header header;
} outcome;

static unsigned int pushes;

static void on_pushed(
    void *arg, const struct header *header, const struct message *message)
{
	ck_assert_ptr_eq(arg, &outcome);
	ck_assert_uint_eq(header->type, TYPE_PUSH);
	ck_assert(slice_equal(frame_slice(&message->body), slice_text("push")));
	pushes++;
	loop_stop(loop);
}

static void on_done(void *arg, const struct answer *answer)
{
	struct outcome *out = arg;

	out->calls++;
	out->status = answer->status;
	snprintf(out->detail, sizeof(out->detail), "%s", answer->detail);
	ck_assert_int_eq(bytes_copy(&out->body, answer->body), STATUS_OK);
	if (answer->payload)
		ck_assert_int_eq(
		    bytes_copy(&out->payload, frame_slice(answer->payload)),
		    STATUS_OK);
	out->has_header = answer->header != NULL;
	if (answer->header)
		out->header = *answer->header;
	loop_stop(loop);
}

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(loop_new(&loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(loop, &guard, GUARD_MS);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&peer.keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &bus), STATUS_OK);
	message_init(&peer.message);
	snprintf(peer.endpoint, sizeof(peer.endpoint), "ipc://%s",
	    scratch_path("run/s"));
}

static void teardown(void)
{
	caller_destroy(&caller);
	ck_assert_ptr_null(caller);
	caller_destroy(&caller);
	peer_close();
	message_clear(&peer.message);
	bytes_clear(&peer.body);
	bytes_clear(&outcome.body);
	bytes_clear(&outcome.payload);
	bus_destroy(&bus);
	loop_timer_cancel(loop, &guard);
	loop_destroy(&loop);
	scratch_remove();
}

static void connect_with(const struct caller_options *more)
{
	struct caller_options options = *more;

	options.name = "peer";
	options.endpoint = peer.endpoint;
	options.arg = &outcome;
	peer.envelope_count = options.envelope_count;
	ck_assert_int_eq(caller_new(bus, loop, &options, &caller), STATUS_OK);
}

static struct timer look;
static enum link_state awaited;

static void on_look(void *arg)
{
	(void)arg;
	if (caller_link(caller) == awaited)
		loop_stop(loop);
	else
		loop_timer_set(loop, &look, 5);
}

static void await_link(enum link_state state)
{
	awaited = state;
	look = (struct timer){ .fired = on_look };
	loop_timer_set(loop, &look, 0);
	run();
}

/* With a door that is open, so that each request leaves at once, and once. */
static void connect_up(const struct caller_options *options)
{
	connect_with(options);
	await_link(LINK_UP);
}

static const struct caller_options plainly = { .pushed = on_pushed };

static void ask(uint32_t deadline_ms)
{
	struct header header = {
		.type = TYPE_ASKED,
		.deadline_ms = deadline_ms,
	};

	ck_assert_int_eq(caller_ask(caller, &header, slice_text("body"), NULL,
			     on_done, &outcome),
	    STATUS_OK);
	ck_assert(!id_is_none(&header.request));
	ck_assert_uint_eq(outcome.calls, 0); /* never from inside */
}

static void assert_ended(enum status status, const char *detail)
{
	ck_assert_uint_eq(outcome.calls, 1);
	ck_assert_int_eq(outcome.status, status);
	ck_assert_str_eq(outcome.detail, detail);
	ck_assert_uint_eq(caller_pending(caller), 0);
}

/* ---- asked and answered ---- */

static const struct line fine[] = { { STATUS_OK, 0, NULL } };
static const struct line silent[] = { { STATUS_PENDING, 0, NULL } };

START_TEST(answered)
{
	struct header header = {
		.request = { "mine" },
		.account = { "account" },
		.type = TYPE_ASKED,
		.deadline_ms = LONG_MS,
		.ticket = "ticket",
		.ticket_len = 6,
	};
	zmq_msg_t payload;

	peer_does(fine, nitems(fine));
	peer_open();
	connect_up(&(struct caller_options){ .envelope_count = (size_t)_i });
	zmq_msg_init(&payload);
	ck_assert_int_eq(frame_copy(&payload, slice_text("bytes")), STATUS_OK);
	ck_assert_int_eq(caller_ask(caller, &header, slice_text("body"),
			     &payload, on_done, &outcome),
	    STATUS_OK);
	ck_assert_uint_eq(zmq_msg_size(&payload), 0); /* taken */
	ck_assert_uint_eq(caller_pending(caller), 1);
	run();
	assert_ended(STATUS_OK, "");

	ck_assert_uint_eq(peer.requests, 1);
	ck_assert(id_equal(&peer.asked.request, &header.request));
	ck_assert(id_equal(&peer.asked.account, &header.account));
	ck_assert_uint_eq(peer.asked.type, TYPE_ASKED);
	ck_assert_uint_eq(peer.asked.deadline_ms, LONG_MS);
	ck_assert_mem_eq(peer.asked.ticket, "ticket", 6);
	ck_assert(slice_equal(bytes_slice(&peer.body), slice_text("body")));
	ck_assert_uint_eq(peer.payload_bytes, 5);

	ck_assert(outcome.has_header);
	ck_assert_uint_eq(outcome.header.tries_remaining, 2);
	ck_assert_uint_eq(outcome.header.server_time_ms, 1700000000000);
	ck_assert(
	    slice_equal(bytes_slice(&outcome.body), slice_text("answer")));
	ck_assert(
	    slice_equal(bytes_slice(&outcome.payload), slice_text("payload")));
}
END_TEST

START_TEST(refused)
{
	static const struct line locked[] = {
		{ STATUS_LOCKED, 60000, "three wrong tries" },
	};

	peer_does(locked, nitems(locked));
	peer_open();
	connect_up(&plainly);
	ask(LONG_MS);
	run();
	assert_ended(STATUS_LOCKED, "three wrong tries");
	ck_assert_uint_eq(peer.requests, 1);
}
END_TEST

static void answer_again(void)
{
	static const struct line second = { STATUS_CONFLICT, 0, "again" };
	static const struct id other = { "another" };

	/* two answers more, one to nobody, and a push between them */
	peer_say(&second, &peer.asked.request, TYPE_REPLY, "answer");
	peer_say(&second, &other, TYPE_REPLY, "answer");
	peer_say(&fine[0], &other, TYPE_PUSH, "push");
}

START_TEST(answered_once)
{
	peer_does(fine, nitems(fine));
	peer.after = answer_again;
	peer_open();
	connect_up(&plainly);
	ask(LONG_MS);
	while (pushes == 0)
		run();
	assert_ended(STATUS_OK, "");
	ck_assert_uint_eq(pushes, 1);
}
END_TEST

static void send_noise(void)
{
	static const char *const frames[] = { "x", "no header", "x", "x", "x" };
	struct slice way = frame_slice(&peer.message.envelope[0]);

	for (size_t count = 1; count <= nitems(frames); count++) {
		zmq_send(peer.door, way.data, way.len, ZMQ_SNDMORE);
		for (size_t i = 0; i < count; i++)
			zmq_send(peer.door, frames[i], strlen(frames[i]),
			    i + 1 < count ? ZMQ_SNDMORE : 0);
	}
	peer_say(&fine[0], &peer.asked.request, TYPE_REPLY, "answer");
}

START_TEST(noise)
{
	peer_does(silent, nitems(silent));
	peer.after = send_noise;
	peer_open();
	connect_up(&plainly);
	capture_begin(STDERR_FILENO);
	ask(LONG_MS);
	run();
	capture_end();
	assert_ended(STATUS_OK, "");
}
END_TEST

/* ---- asked again ---- */

static void assert_same_request_twice(void)
{
	ck_assert_uint_eq(peer.requests, 2);
	ck_assert(id_equal(&peer.asked.request, &peer.first_request));
	ck_assert(slice_equal(bytes_slice(&peer.body), slice_text("body")));
}

START_TEST(there_later)
{
	peer_does(fine, nitems(fine));
	connect_with(&plainly);
	ask(LONG_MS);
	ck_assert_int_eq(caller_link(caller), LINK_NEVER);
	peer_open();
	run();
	assert_ended(STATUS_OK, "");
	/* Its first may cross the news that the link is up, which sends it. */
	ck_assert_uint_ge(peer.requests, 1);
	ck_assert_uint_le(peer.requests, 2);
}
END_TEST

static void restart(void)
{
	peer.after = NULL;
	peer_close();
	peer_open();
}

/* The server ends with the request in hand, and comes back. */
START_TEST(server_restarted)
{
	static const struct line script[] = {
		{ STATUS_PENDING, 0, NULL },
		{ STATUS_OK, 0, NULL },
	};

	peer_does(script, nitems(script));
	peer.after = restart;
	peer_open();
	connect_up(&plainly);
	ask(LONG_MS);
	run();
	assert_ended(STATUS_OK, "");
	assert_same_request_twice();
}
END_TEST

static void pass_silence(void)
{
	skipped_ms += SILENCE_MS;
}

/* The connection lives, but the request or its answer was lost. */
START_TEST(silent_for_long)
{
	static const struct line script[] = {
		{ STATUS_PENDING, 0, NULL },
		{ STATUS_OK, 0, NULL },
	};

	peer_does(script, nitems(script));
	peer.after = pass_silence;
	peer_open();
	connect_up(&plainly);
	ask(LONG_MS);
	run();
	assert_ended(STATUS_OK, "");
	assert_same_request_twice();
}
END_TEST

/* clang-format off */
static const struct {
	enum status status;
	uint32_t retry_after_ms;
	uint32_t not_before_ms;
} retries[] = {
	{ STATUS_BUSY,        1,   50 },
	{ STATUS_BUSY,        300, 300 },
	{ STATUS_UNAVAILABLE, 300, 300 },
};
/* clang-format on */

START_TEST(retry_after)
{
	const struct line script[] = {
		{ retries[_i].status, retries[_i].retry_after_ms, "not now" },
		{ STATUS_OK, 0, NULL },
	};

	peer_does(script, nitems(script));
	peer_open();
	connect_up(&plainly);
	ask(LONG_MS);
	run();
	assert_ended(STATUS_OK, "");
	assert_same_request_twice();
	ck_assert_uint_ge(
	    peer.when_ms[1] - peer.when_ms[0], retries[_i].not_before_ms);
}
END_TEST

/*
 * A long pause is kept, however long: whoever asks for it has a reason.  The
 * second call's answer tells that the first one's has arrived.
 */
START_TEST(retry_after_long)
{
	static const struct line script[] = {
		{ STATUS_BUSY, 30000, "30 proofs a minute" },
		{ STATUS_OK, 0, NULL },
	};

	peer_does(script, nitems(script));
	peer_open();
	connect_up(&plainly);
	ask(10500);
	ask(LONG_MS);
	run();
	ck_assert_int_eq(outcome.status, STATUS_OK);
	skipped_ms += 10000;
	run();
	ck_assert_uint_eq(outcome.calls, 2);
	ck_assert_int_eq(outcome.status, STATUS_BUSY);
	ck_assert_str_eq(outcome.detail, "30 proofs a minute");
	ck_assert_uint_eq(peer.requests, 2);
}
END_TEST

START_TEST(retry_not_asked_for)
{
	static const struct line busy[] = { { STATUS_BUSY, 0, "for good" } };

	peer_does(busy, nitems(busy));
	peer_open();
	connect_up(&plainly);
	ask(LONG_MS);
	run();
	assert_ended(STATUS_BUSY, "for good");
	ck_assert_uint_eq(peer.requests, 1);
}
END_TEST

/* ---- ends without an answer ---- */

#define DEADLINE_MS 400

START_TEST(nobody_there)
{
	connect_with(&plainly);
	ask(DEADLINE_MS);
	run();
	assert_ended(STATUS_UNAVAILABLE, "peer: nobody answers at its address");
	ck_assert(!outcome.has_header);
}
END_TEST

START_TEST(no_answer)
{
	uint64_t began = clock_interval_ms();

	peer_does(silent, nitems(silent));
	peer_open();
	connect_up(&plainly);
	ask(DEADLINE_MS);
	run();
	assert_ended(
	    STATUS_UNAVAILABLE, "peer: connected, but no answer in time");
	ck_assert_uint_ge(clock_interval_ms() - began, DEADLINE_MS);
	ck_assert_uint_eq(peer.requests, 1);
}
END_TEST

START_TEST(gone_for_good)
{
	peer_does(silent, nitems(silent));
	peer.after = peer_close;
	peer_open();
	connect_up(&plainly);
	ask(DEADLINE_MS);
	run();
	assert_ended(STATUS_UNAVAILABLE, "peer: the connection was lost");
	ck_assert_int_eq(caller_link(caller), LINK_LOST);
}
END_TEST

START_TEST(busy_till_the_end)
{
	static const struct line busy[] = { { STATUS_BUSY, 60, "too much" } };

	peer_does(busy, nitems(busy));
	peer_open();
	connect_up(&plainly);
	ask(DEADLINE_MS);
	run();
	assert_ended(STATUS_BUSY, "too much");
	ck_assert_uint_gt(peer.requests, 1);
}
END_TEST

static void on_done_asks_again(void *arg, const struct answer *answer)
{
	struct header header = { .type = TYPE_ASKED, .deadline_ms = LONG_MS };
	enum status *st = arg;

	on_done(&outcome, answer);
	*st = caller_ask(
	    caller, &header, slice_text("body"), NULL, on_done, &outcome);
}

START_TEST(closed)
{
	struct header header = { .type = TYPE_ASKED, .deadline_ms = LONG_MS };
	enum status again = STATUS_OK;

	connect_with(&plainly);
	ck_assert_int_eq(caller_ask(caller, &header, slice_text("body"), NULL,
			     on_done_asks_again, &again),
	    STATUS_OK);
	caller_destroy(&caller);
	ck_assert_uint_eq(outcome.calls, 1);
	ck_assert_int_eq(outcome.status, STATUS_UNAVAILABLE);
	ck_assert_int_eq(again, STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(too_many)
{
	struct header header = { .type = TYPE_ASKED, .deadline_ms = LONG_MS };
	zmq_msg_t payload;

	connect_with(&plainly);
	for (size_t i = 0; i < CALLS_MAX; i++) {
		memset(&header.request, 0, sizeof(header.request));
		ck_assert_int_eq(caller_ask(caller, &header, slice_text(""),
				     NULL, on_done, &outcome),
		    STATUS_OK);
	}
	zmq_msg_init(&payload);
	ck_assert_int_eq(frame_copy(&payload, slice_text("bytes")), STATUS_OK);
	ck_assert_int_eq(caller_ask(caller, &header, slice_text(""), &payload,
			     on_done, &outcome),
	    STATUS_BUSY);
	ck_assert_uint_eq(zmq_msg_size(&payload), 5); /* still ours */
	zmq_msg_close(&payload);
	ck_assert_uint_eq(caller_pending(caller), CALLS_MAX);
	caller_destroy(&caller);
	ck_assert_uint_eq(outcome.calls, CALLS_MAX);
}
END_TEST

/* ---- keys that do not agree, and slow links ---- */

#define WRONG_KEY \
	"peer: the server's key is not the expected one, or it refuses ours"

static void peer_open_tcp(bool anyone)
{
	snprintf(peer.endpoint, sizeof(peer.endpoint), "tcp://127.0.0.1:*");
	peer.allow.anyone = anyone;
	peer_does(fine, nitems(fine));
	peer_open();
}

START_TEST(right_key)
{
	peer_open_tcp(true);
	connect_with(&(struct caller_options){
	    .server_key = peer.keys.public_key, .refusals_max = 1 });
	ask(LONG_MS);
	run();
	assert_ended(STATUS_OK, "");
}
END_TEST

/* The peer keeps the way back of what it was asked, to speak later. */
static zmq_msg_t way_back;

static void keep_way(void)
{
	zmq_msg_copy(&way_back, &peer.message.envelope[0]);
}

static void peer_say_later(
    const struct id *request, uint32_t type, const char *body)
{
	peer.message.envelope_count = 1;
	zmq_msg_copy(&peer.message.envelope[0], &way_back);
	peer_say(&fine[0], request, type, body);
	message_clear(&peer.message);
}

/*
 * While bytes come, the answer is on its way: it is not asked for again, far
 * away; between services it is.
 */
static uint64_t pass_ms; /* each time that it is looked for */

static void on_more(void *arg)
{
	const unsigned int *wanted = arg;

	if (peer.requests >= *wanted) {
		loop_stop(loop);
		return;
	}
	skipped_ms += pass_ms;
	loop_timer_set(loop, &look, 5);
}

static void await_requests(unsigned int count)
{
	look = (struct timer){ .fired = on_more, .arg = &count };
	loop_timer_set(loop, &look, 0);
	run();
	loop_timer_cancel(loop, &look);
}

START_TEST(slow_link)
{
	static const struct line nothing = { STATUS_PENDING, 0, NULL };
	static const struct id nobody = { { 1 } };
	const bool far = _i == 1;

	pass_ms = 0;

	peer_open_tcp(true);
	peer_does(&nothing, 1);
	zmq_msg_init(&way_back);
	peer.after = keep_way;
	connect_with(
	    &(struct caller_options){ .server_key = peer.keys.public_key,
		.pushed = on_pushed,
		.far = far });
	ask(LONG_MS);
	await_requests(1);
	for (unsigned int second = 0; second < 12; second += 3) {
		skipped_ms += 3000;
		peer_say_later(&nobody, TYPE_PUSH, "push");
		run();
	}
	ck_assert_uint_eq(outcome.calls, 0);
	if (far) {
		ck_assert_uint_eq(peer.requests, 1);
		pass_ms = 100; /* and now nothing comes */
	}
	await_requests(2);
	peer_say_later(&peer.asked.request, TYPE_REPLY, "answer");
	run();
	zmq_msg_close(&way_back);
	assert_ended(STATUS_OK, "");
	assert_same_request_twice();
}
END_TEST

START_TEST(wrong_server_key)
{
	struct curve_keys other;

	ck_assert_int_eq(curve_keys_make(&other), STATUS_OK);
	peer_open_tcp(true);
	connect_with(&(struct caller_options){
	    .server_key = other.public_key, .refusals_max = 3 });
	ask(LONG_MS);
	run();
	assert_ended(STATUS_UNAVAILABLE, WRONG_KEY);
	ck_assert_int_eq(caller_link(caller), LINK_REFUSED);
	ck_assert_uint_eq(peer.requests, 0);
}
END_TEST

/* ${_i}: refusals after which it ends; the door logs each. */
START_TEST(our_key_refused)
{
	int refusals = 0;

	peer_open_tcp(false);
	capture_begin(STDERR_FILENO); /* the first may come at once */
	connect_with(
	    &(struct caller_options){ .server_key = peer.keys.public_key,
		.refusals_max = (unsigned int)_i });
	ask(LONG_MS);
	run();
	const char *said = capture_end();
	assert_ended(STATUS_UNAVAILABLE, WRONG_KEY);
	ck_assert_int_eq(caller_link(caller), LINK_REFUSED);
	ck_assert_uint_eq(peer.requests, 0);
	while ((said = strstr(said, "event=peer_refused"))) {
		refusals++;
		said++;
	}
	ck_assert_int_eq(refusals, _i);
}
END_TEST

static int listener;
static int strangers; /* that came to the listener */

static void on_stranger(void *arg)
{
	(void)arg;
	int fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	close(fd);
	strangers++;
}

/* Somebody listens who speaks no ZMTP. */
START_TEST(no_zmtp)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	socklen_t len = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(
	    bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(
	    getsockname(listener, (struct sockaddr *)&address, &len), 0);
	snprintf(peer.endpoint, sizeof(peer.endpoint), "tcp://127.0.0.1:%u",
	    ntohs(address.sin_port));
	ck_assert_int_eq(
	    loop_watch_fd(loop, listener, on_stranger, NULL), STATUS_OK);
	connect_with(&(struct caller_options){
	    .server_key = peer.keys.public_key, .refusals_max = 3 });
	ask(LONG_MS);
	run();
	assert_ended(STATUS_UNAVAILABLE, WRONG_KEY);
	ck_assert_int_ge(strangers, 3);
	ck_assert_int_le(strangers, 4); /* the next may have come already */
	loop_forget_fd(loop, listener);
	close(listener);
}
END_TEST

/* Refused, then put on the list: it goes on by itself. */
START_TEST(refused_then_allowed)
{
	peer_open_tcp(false);
	connect_with(
	    &(struct caller_options){ .server_key = peer.keys.public_key });
	capture_begin(STDERR_FILENO);
	ask(LONG_MS);
	await_link(LINK_REFUSED);
	capture_end();
	ck_assert_uint_eq(outcome.calls, 0);
	peer_close();
	peer.allow.anyone = true;
	peer_open();
	run();
	assert_ended(STATUS_OK, "");
}
END_TEST

/* Who asks again is refused again, at the next handshake. */
START_TEST(refused_and_asked_again)
{
	struct header header = { .type = TYPE_ASKED, .deadline_ms = LONG_MS };
	enum status again = STATUS_INTERNAL;

	peer_open_tcp(false);
	connect_with(&(struct caller_options){
	    .server_key = peer.keys.public_key, .refusals_max = 1 });
	capture_begin(STDERR_FILENO);
	ck_assert_int_eq(caller_ask(caller, &header, slice_text("body"), NULL,
			     on_done_asks_again, &again),
	    STATUS_OK);
	run();
	ck_assert_int_eq(again, STATUS_OK);
	ck_assert_uint_eq(caller_pending(caller), 1);
	run();
	capture_end();
	ck_assert_uint_eq(outcome.calls, 2);
	ck_assert_str_eq(outcome.detail, WRONG_KEY);
	ck_assert_uint_eq(caller_pending(caller), 0);
}
END_TEST

START_TEST(refusals_without_end)
{
	peer_open_tcp(false);
	connect_with(
	    &(struct caller_options){ .server_key = peer.keys.public_key });
	capture_begin(STDERR_FILENO);
	ask(DEADLINE_MS);
	run();
	capture_end();
	assert_ended(STATUS_UNAVAILABLE, WRONG_KEY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("caller");
	TCase *good = tcase_create("G-04 asked and answered");
	TCase *again = tcase_create("G-04 asked again");
	TCase *ends = tcase_create("G-04 R-02 ends without an answer");
	TCase *refusals = tcase_create("G-01 G-04 keys that do not agree");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(again, setup, teardown);
	tcase_add_checked_fixture(ends, setup, teardown);
	tcase_add_checked_fixture(refusals, setup, teardown);
	tcase_add_loop_test(good, answered, 0, 2);
	tcase_add_test(good, refused);
	tcase_add_test(good, answered_once);
	tcase_add_test(good, noise);
	tcase_add_test(again, there_later);
	tcase_add_test(again, server_restarted);
	tcase_add_test(again, silent_for_long);
	tcase_add_loop_test(again, retry_after, 0, (int)nitems(retries));
	tcase_add_test(again, retry_after_long);
	tcase_add_test(again, retry_not_asked_for);
	tcase_add_test(ends, nobody_there);
	tcase_add_test(ends, no_answer);
	tcase_add_test(ends, gone_for_good);
	tcase_add_test(ends, busy_till_the_end);
	tcase_add_test(ends, closed);
	tcase_add_test(ends, too_many);
	tcase_add_loop_test(again, slow_link, 0, 2);
	tcase_add_test(refusals, right_key);
	tcase_add_test(refusals, wrong_server_key);
	tcase_add_loop_test(refusals, our_key_refused, 1, 4);
	tcase_add_test(refusals, no_zmtp);
	tcase_add_test(refusals, refused_then_allowed);
	tcase_add_test(refusals, refused_and_asked_again);
	tcase_add_test(refusals, refusals_without_end);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, again);
	suite_add_tcase(suite, ends);
	suite_add_tcase(suite, refusals);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
