#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/util.h"
#include "bus/message.h"
#include "scratch.h"

#define WAIT_MS 10000

static void *context, *router, *dealer;
static struct message message;

/*
 * Between message.c and libzmq: the ${fail_at}th frame from now on, counted
 * from 1, is refused as where the connection has just ended.
 */
static int fail_at, frames_sent;

int zmq_msg_send(zmq_msg_t *frame, void *socket, int flags)
{
	static int (*real)(zmq_msg_t *, void *, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "zmq_msg_send");
	frames_sent++;
	if (fail_at > 0 && frames_sent == fail_at) {
		errno = EAGAIN;
		return -1;
	}
	return real(frame, socket, flags);
}

static void setup(void)
{
	int on = 1;
	char endpoint[2 * SCRATCH_BYTES];

	scratch_make();
	snprintf(endpoint, sizeof(endpoint), "ipc://%s", scratch_path("s"));
	context = zmq_ctx_new();
	router = zmq_socket(context, ZMQ_ROUTER);
	dealer = zmq_socket(context, ZMQ_DEALER);
	zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &on, sizeof(on));
	zmq_setsockopt(dealer, ZMQ_ROUTING_ID, "anna", 4);
	ck_assert_int_eq(zmq_bind(router, endpoint), 0);
	ck_assert_int_eq(zmq_connect(dealer, endpoint), 0);
	message_init(&message);
}

static void teardown(void)
{
	int none = 0;

	message_clear(&message);
	zmq_setsockopt(router, ZMQ_LINGER, &none, sizeof(none));
	zmq_setsockopt(dealer, ZMQ_LINGER, &none, sizeof(none));
	zmq_close(router);
	zmq_close(dealer);
	zmq_ctx_term(context);
	scratch_remove();
}

static void set_frame(zmq_msg_t *frame, const char *text)
{
	ck_assert_int_eq(frame_copy(frame, slice_text(text)), STATUS_OK);
}

static void assert_frame(const zmq_msg_t *frame, const char *want)
{
	ck_assert(slice_equal(frame_slice(frame), slice_text(want)));
}

static enum status receive(void *socket, size_t envelope_count)
{
	zmq_pollitem_t item = { socket, 0, ZMQ_POLLIN, 0 };

	ck_assert_int_eq(zmq_poll(&item, 1, WAIT_MS), 1);
	return message_receive(&message, socket, envelope_count);
}

static void assert_empty(void)
{
	ck_assert_uint_eq(zmq_msg_size(&message.header), 0);
	ck_assert_uint_eq(zmq_msg_size(&message.body), 0);
	ck_assert_uint_eq(zmq_msg_size(&message.payload), 0);
	ck_assert(!message.has_payload);
}

/* Gateway and service: the route goes there and comes back. */
START_TEST(there_and_back)
{
	bool with_payload = _i == 1;

	message.envelope_count = 1;
	set_frame(&message.envelope[0], "route");
	set_frame(&message.header, "header");
	set_frame(&message.body, "");
	if (with_payload) {
		set_frame(&message.payload, "payload");
		message.has_payload = true;
	}
	ck_assert_int_eq(message_send(&message, dealer), STATUS_OK);
	ck_assert_uint_eq(message.envelope_count, 0);
	assert_empty();

	ck_assert_int_eq(receive(router, 2), STATUS_OK);
	ck_assert_uint_eq(message.envelope_count, 2);
	assert_frame(&message.envelope[0], "anna");
	assert_frame(&message.envelope[1], "route");
	assert_frame(&message.header, "header");
	assert_frame(&message.body, "");
	ck_assert_int_eq(message.has_payload, with_payload);
	if (with_payload)
		assert_frame(&message.payload, "payload");

	set_frame(&message.body, "answer");
	ck_assert_int_eq(message_send(&message, router), STATUS_OK);
	ck_assert_int_eq(receive(dealer, 1), STATUS_OK);
	ck_assert_uint_eq(message.envelope_count, 1);
	assert_frame(&message.envelope[0], "route");
	assert_frame(&message.body, "answer");
	ck_assert_int_eq(message.has_payload, with_payload);
	ck_assert_int_eq(
	    message_receive(&message, dealer, 1), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(moved)
{
	struct message other;

	message_init(&other);
	set_frame(&other.body, "goes");
	message.envelope_count = 1;
	set_frame(&message.envelope[0], "route");
	set_frame(&message.body, "body");
	set_frame(&message.payload, "payload");
	message.has_payload = true;
	message_move(&other, &message);
	assert_empty();
	ck_assert_uint_eq(message.envelope_count, 0);
	ck_assert_uint_eq(other.envelope_count, 1);
	ck_assert(other.has_payload);
	assert_frame(&other.envelope[0], "route");
	assert_frame(&other.body, "body");
	assert_frame(&other.payload, "payload");
	message_clear(&other);
	message_clear(&other);
}
END_TEST

START_TEST(taken)
{
	char *data = strdup("taken as it is");

	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(
	    frame_take(&message.payload, data, strlen(data)), STATUS_OK);
	ck_assert_ptr_eq(zmq_msg_data(&message.payload), data);
	/* freed with the message: a leak is seen by the sanitizer */
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	size_t envelope_count; /* at the receiver, the peer's name included */
	size_t sizes[6];       /* of the frames sent, up to NO_MORE */
	enum status want;
} frames[] = {
#define NO_MORE SIZE_MAX
	{ "R-03 terminal: header and body",  1, { 9, 0, NO_MORE },                     STATUS_OK },
	{ "R-03 terminal: and a payload",    1, { 9, 0, 0, NO_MORE },                  STATUS_OK },
	{ "R-03 terminal: one frame",        1, { 9, NO_MORE },                        STATUS_MALFORMED },
	{ "R-03 terminal: one empty frame",  1, { 0, NO_MORE },                        STATUS_MALFORMED },
	{ "R-03 terminal: four frames",      1, { 9, 9, 9, 9, NO_MORE },               STATUS_MALFORMED },
	{ "R-03 terminal: five frames",      1, { 9, 9, 9, 9, 9, NO_MORE },            STATUS_MALFORMED },
	{ "R-03 service: route and two",     2, { 5, 9, 0, NO_MORE },                  STATUS_OK },
	{ "R-03 service: and a payload",     2, { 5, 9, 0, 9, NO_MORE },               STATUS_OK },
	{ "R-03 service: an empty route",    2, { 0, 9, 0, NO_MORE },                  STATUS_OK },
	{ "R-03 service: route alone",       2, { 5, NO_MORE },                        STATUS_MALFORMED },
	{ "R-03 service: no body",           2, { 5, 9, NO_MORE },                     STATUS_MALFORMED },
	{ "R-03 service: five frames",       2, { 5, 9, 9, 9, 9, NO_MORE },            STATUS_MALFORMED },
	{ "G-05 longest route",              2, { 255, 9, 9, NO_MORE },                STATUS_OK },
	{ "G-05 longer route",               2, { 256, 9, 9, NO_MORE },                STATUS_TOO_LARGE },
	{ "G-05 longest header",             1, { HEADER_BYTES_MAX, 9, NO_MORE },      STATUS_OK },
	{ "G-05 longer header",              1, { HEADER_BYTES_MAX + 1, 9, NO_MORE },  STATUS_TOO_LARGE },
	{ "G-05 longest body",               1, { 9, BODY_BYTES_MAX, NO_MORE },        STATUS_OK },
	{ "G-05 longer body",                1, { 9, BODY_BYTES_MAX + 1, 9, NO_MORE }, STATUS_TOO_LARGE },
	{ "G-05 longest payload",            1, { 9, 9, PAYLOAD_BYTES_MAX, NO_MORE },  STATUS_OK },
	{ "G-05 longer payload",             1, { 9, 9, PAYLOAD_BYTES_MAX + 1, NO_MORE }, STATUS_TOO_LARGE },
	{ "G-05 too long, and one too many", 1, { 9999, 9, 9, 9, NO_MORE },            STATUS_MALFORMED },
};
/* clang-format on */

static void send_frames(const size_t *sizes)
{
	static const uint8_t zeros[PAYLOAD_BYTES_MAX + 1];

	for (size_t i = 0; sizes[i] != NO_MORE; i++)
		ck_assert_int_eq(zmq_send(dealer, zeros, sizes[i],
				     sizes[i + 1] == NO_MORE ? 0 : ZMQ_SNDMORE),
		    (int)sizes[i]);
}

START_TEST(frame)
{
	static const size_t fine[] = { 1, 2, 3, 4, NO_MORE };

	set_frame(&message.payload, "of an earlier one");
	message.has_payload = true;
	send_frames(frames[_i].sizes);
	send_frames(fine + (2 - frames[_i].envelope_count));
	enum status st = receive(router, frames[_i].envelope_count);
	ck_assert_msg(st == frames[_i].want, "%s: got '%s', want '%s'",
	    frames[_i].name, status_text(st), status_text(frames[_i].want));
	/* who sent it is known in any case */
	ck_assert_uint_ge(message.envelope_count, 1);
	assert_frame(&message.envelope[0], "anna");
	if (st != STATUS_OK)
		assert_empty();
	/* and nothing of it is left before the next one */
	ck_assert_int_eq(receive(router, frames[_i].envelope_count), STATUS_OK);
	ck_assert_uint_eq(zmq_msg_size(&message.payload), 4);
}
END_TEST

static void fill(const char *to)
{
	message.envelope_count = 1;
	set_frame(&message.envelope[0], to);
	set_frame(&message.header, "header");
	set_frame(&message.body, "body");
	set_frame(&message.payload, "payload");
	message.has_payload = true;
}

static void assert_filled(const char *to)
{
	ck_assert_uint_eq(message.envelope_count, 1);
	assert_frame(&message.envelope[0], to);
	assert_frame(&message.header, "header");
	assert_frame(&message.body, "body");
	assert_frame(&message.payload, "payload");
	ck_assert(message.has_payload);
}

START_TEST(peer_gone)
{
	fill("bert");
	ck_assert_int_eq(message_send(&message, router), STATUS_UNAVAILABLE);
	assert_filled("bert");
}
END_TEST

START_TEST(nobody_there)
{
	void *lonely = zmq_socket(context, ZMQ_DEALER);

	fill("route");
	ck_assert_int_eq(message_send(&message, lonely), STATUS_BUSY);
	assert_filled("route");
	zmq_close(lonely);
}
END_TEST

START_TEST(queue_full)
{
	int one = 1;
	void *from = zmq_socket(context, ZMQ_DEALER);
	void *to = zmq_socket(context, ZMQ_DEALER);
	enum status st = STATUS_OK;
	int sent = 0;

	zmq_setsockopt(from, ZMQ_SNDHWM, &one, sizeof(one));
	zmq_setsockopt(to, ZMQ_RCVHWM, &one, sizeof(one));
	ck_assert_int_eq(zmq_bind(to, "inproc://full"), 0);
	ck_assert_int_eq(zmq_connect(from, "inproc://full"), 0);
	while (st == STATUS_OK) {
		fill("route");
		st = message_send(&message, from);
		sent++;
	}
	ck_assert_int_eq(st, STATUS_BUSY);
	ck_assert_int_le(sent, 4);
	assert_filled("route");
	/* whole messages have arrived, and go on arriving */
	for (; sent > 1; sent--)
		ck_assert_int_eq(receive(to, 1), STATUS_OK);
	zmq_pollitem_t room = { from, 0, ZMQ_POLLOUT, 0 };
	ck_assert_int_eq(zmq_poll(&room, 1, WAIT_MS), 1);
	fill("route");
	ck_assert_int_eq(message_send(&message, from), STATUS_OK);
	ck_assert_int_eq(receive(to, 1), STATUS_OK);
	assert_filled("route");
	zmq_close(from);
	zmq_close(to);
}
END_TEST

/*
 * The connection ends between two frames: the message is lost, which is no
 * reason to die, and libzmq gets the rest of it, which it drops.
 */
START_TEST(cut_between_frames)
{
	fill("route");
	frames_sent = 0;
	fail_at = _i + 1;
	enum status st = message_send(&message, dealer);
	fail_at = 0;
	if (_i == 0) {
		ck_assert_int_eq(st, STATUS_BUSY);
		assert_filled("route");
		return;
	}
	ck_assert_int_eq(st, STATUS_UNAVAILABLE);
	ck_assert_int_eq(frames_sent, 4);
	ck_assert_uint_eq(message.envelope_count, 0);
	assert_empty();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *good = tcase_create("G-01 messages as frames");
	TCase *bad = tcase_create("R-03 G-05 frames that make no message");
	TCase *away = tcase_create("G-04 G-05 messages that cannot be sent");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_checked_fixture(away, setup, teardown);
	tcase_add_loop_test(good, there_and_back, 0, 2);
	tcase_add_test(good, moved);
	tcase_add_test(good, taken);
	tcase_add_loop_test(bad, frame, 0, (int)nitems(frames));
	tcase_add_test(away, peer_gone);
	tcase_add_test(away, nobody_there);
	tcase_add_test(away, queue_full);
	tcase_add_loop_test(away, cut_between_frames, 0, 4);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, away);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
