#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "base/bounds.h"
#include "base/bytes.h"
#include "base/util.h"
#include "bus/bus.h"
#include "bus/message.h"
#include "scratch.h"

#define WAIT_MS      10000
#define TCP_ENDPOINT "tcp://127.0.0.1:*"

static struct bus *server, *client;
static struct curve_keys server_keys, client_keys;
static void *door, *socket, *monitor;

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(curve_keys_make(&server_keys), STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&client_keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&server_keys, &server), STATUS_OK);
	ck_assert_int_eq(bus_new(&client_keys, &client), STATUS_OK);
}

static const char *endpoint_of(void *bound)
{
	static char endpoint[128];
	size_t len = sizeof(endpoint);

	ck_assert_int_eq(
	    zmq_getsockopt(bound, ZMQ_LAST_ENDPOINT, endpoint, &len), 0);
	return endpoint;
}

static struct allow_list list_of(const uint8_t key[CURVE_KEY_BYTES])
{
	struct allow_list allow = { .keys_count = 1 };

	memcpy(allow.keys[0], key, CURVE_KEY_BYTES);
	return allow;
}

static void open_door(const char *name, const struct allow_list *allow)
{
	ck_assert_int_eq(
	    bus_bind(server, name, TCP_ENDPOINT, allow, &door), STATUS_OK);
}

static void connect_to(
    const char *endpoint, const uint8_t server_key[CURVE_KEY_BYTES])
{
	int wait_ms = WAIT_MS;

	ck_assert_int_eq(bus_connect_watched(
			     client, endpoint, server_key, &socket, &monitor),
	    STATUS_OK);
	ck_assert_int_eq(
	    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms)),
	    0);
}

static void leave(void)
{
	bus_unmonitor(socket, &monitor);
	bus_close(&socket);
}

/* How the next handshake ends: ZMQ_EVENT_HANDSHAKE_…, or -1 for none. */
static int next_handshake(void)
{
	int64_t value;
	int event;

	do
		event = bus_monitor_event(monitor, &value);
	while (event != -1 && event != ZMQ_EVENT_HANDSHAKE_SUCCEEDED &&
	       event != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH &&
	       event != ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
	       event != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
	return event;
}

static int handshake(const uint8_t server_key[CURVE_KEY_BYTES])
{
	connect_to(endpoint_of(door), server_key);
	return next_handshake();
}

static void teardown(void)
{
	leave();
	bus_close(&door);
	bus_destroy(&client);
	bus_destroy(&server);
	ck_assert_ptr_null(server);
	bus_destroy(&server);
	scratch_remove();
}

/* Send header, body and a payload of ${payload_bytes}, and wait for it. */
static enum status send_and_receive(
    struct message *message, size_t payload_bytes)
{
	static const uint8_t zeros[PAYLOAD_BYTES_MAX];
	zmq_pollitem_t item = { door, 0, ZMQ_POLLIN, 0 };

	message_init(message);
	ck_assert_int_eq(
	    frame_copy(&message->header, slice_text("header")), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&message->payload, slice_of(zeros, payload_bytes)),
	    STATUS_OK);
	message->has_payload = true;
	ck_assert_int_eq(message_send(message, socket), STATUS_OK);
	ck_assert_int_eq(zmq_poll(&item, 1, WAIT_MS), 1);
	return message_receive(message, door, 1);
}

START_TEST(allowed_key)
{
	char want[HEX_BYTES(CURVE_KEY_BYTES)];
	struct allow_list allow = list_of(client_keys.public_key);
	struct message message;

	open_door("test", &allow);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	ck_assert_int_eq(send_and_receive(&message, 1), STATUS_OK);
	hex_encode(want, slice_of(client_keys.public_key, CURVE_KEY_BYTES));
	ck_assert_str_eq(zmq_msg_gets(&message.header, "User-Id"), want);
	/* on a socket for both, IPv4 is a part of IPv6 */
	ck_assert_str_eq(
	    zmq_msg_gets(&message.header, "Peer-Address"), "::ffff:127.0.0.1");
	message_clear(&message);
}
END_TEST

START_TEST(any_key)
{
	char want[HEX_BYTES(CURVE_KEY_BYTES)];
	struct allow_list anyone = { .anyone = true };
	struct message message;

	open_door("test", &anyone);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	ck_assert_int_eq(send_and_receive(&message, 1), STATUS_OK);
	hex_encode(want, slice_of(client_keys.public_key, CURVE_KEY_BYTES));
	ck_assert_str_eq(zmq_msg_gets(&message.header, "User-Id"), want);
	message_clear(&message);
}
END_TEST

/* The last key of a full list is on it. */
START_TEST(full_list)
{
	struct allow_list allow = { .keys_count = ALLOW_KEYS_MAX };

	memcpy(allow.keys[ALLOW_KEYS_MAX - 1], client_keys.public_key,
	    CURVE_KEY_BYTES);
	open_door("test", &allow);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
}
END_TEST

/* CURVE adds to each frame; the largest payload still goes through. */
START_TEST(largest_payload)
{
	struct allow_list allow = list_of(client_keys.public_key);
	struct message message;

	open_door("test", &allow);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	ck_assert_int_eq(
	    send_and_receive(&message, PAYLOAD_BYTES_MAX), STATUS_OK);
	ck_assert_uint_eq(zmq_msg_size(&message.payload), PAYLOAD_BYTES_MAX);
	message_clear(&message);
}
END_TEST

/* Far more than that, and libzmq ends the connection unread. */
START_TEST(larger_frame)
{
	struct allow_list allow = list_of(client_keys.public_key);
	static const uint8_t zeros[2 * CUT_FRAME_BYTES];
	int64_t value;
	int event;

	open_door("test", &allow);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	ck_assert_int_eq(
	    zmq_send(socket, zeros, sizeof(zeros), 0), (int)sizeof(zeros));
	do
		event = bus_monitor_event(monitor, &value);
	while (event != -1 && event != ZMQ_EVENT_DISCONNECTED);
	ck_assert_int_eq(event, ZMQ_EVENT_DISCONNECTED);
}
END_TEST

START_TEST(stranger)
{
	struct allow_list allow = list_of(server_keys.public_key);

	open_door("test", &allow);
	capture_begin(STDERR_FILENO);
	int event = handshake(server_keys.public_key);
	const char *said = capture_end();
	ck_assert_int_eq(event, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
	ck_assert_ptr_nonnull(strstr(said, "event=peer_refused door=test"));
}
END_TEST

START_TEST(empty_list)
{
	struct allow_list nobody = { .keys_count = 0 };

	open_door("test", &nobody);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
}
END_TEST

START_TEST(one_byte_differs)
{
	struct allow_list allow = list_of(client_keys.public_key);

	allow.keys[0][CURVE_KEY_BYTES - 1] ^= 1;
	open_door("test", &allow);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
}
END_TEST

/* A server with another key than the expected one is not talked to. */
START_TEST(wrong_server_key)
{
	struct allow_list anyone = { .anyone = true };
	struct curve_keys other;

	ck_assert_int_eq(curve_keys_make(&other), STATUS_OK);
	open_door("test", &anyone);
	int event = handshake(other.public_key);
	ck_assert_int_ne(event, -1);
	ck_assert_int_ne(event, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
}
END_TEST

/* A list is a door's own, and another time it is another list. */
START_TEST(doors_apart)
{
	struct allow_list mine = list_of(client_keys.public_key);
	struct allow_list other = list_of(server_keys.public_key);
	void *second = NULL;

	ck_assert_int_eq(
	    bus_bind(server, "mine", TCP_ENDPOINT, &mine, &second), STATUS_OK);
	open_door("other", &other);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
	leave();
	bus_close(&door);
	bus_close(&second);
	open_door("mine", &other);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
}
END_TEST

/* Without CURVE nobody comes in, whatever the list says. */
START_TEST(no_curve)
{
	struct allow_list anyone = { .anyone = true };
	void *context = zmq_ctx_new();
	void *plain = zmq_socket(context, ZMQ_DEALER);
	void *events = zmq_socket(context, ZMQ_PAIR);
	int wait_ms = WAIT_MS, none = 0, event;
	int64_t value;

	open_door("test", &anyone);
	ck_assert_int_eq(
	    zmq_socket_monitor(plain, "inproc://events", ZMQ_EVENT_ALL), 0);
	ck_assert_int_eq(zmq_connect(events, "inproc://events"), 0);
	zmq_setsockopt(events, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
	zmq_setsockopt(plain, ZMQ_LINGER, &none, sizeof(none));
	ck_assert_int_eq(zmq_connect(plain, endpoint_of(door)), 0);
	ck_assert_int_eq(zmq_send(plain, "x", 1, 0), 1);
	do
		event = bus_monitor_event(events, &value);
	while (event != -1 && event != ZMQ_EVENT_HANDSHAKE_SUCCEEDED &&
	       event != ZMQ_EVENT_DISCONNECTED);
	ck_assert_int_eq(event, ZMQ_EVENT_DISCONNECTED);
	ck_assert_int_eq(
	    zmq_recv(door, &event, sizeof(event), ZMQ_DONTWAIT), -1);
	zmq_close(plain);
	zmq_close(events);
	zmq_ctx_term(context);
}
END_TEST

START_TEST(self_test)
{
	/* more than once: each program does it, and some are tested here */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(bus_self_test(server), STATUS_OK);
}
END_TEST

START_TEST(address_taken)
{
	struct allow_list anyone = { .anyone = true };
	void *second = server; /* to be left NULL */

	open_door("test", &anyone);
	capture_begin(STDERR_FILENO);
	enum status st =
	    bus_bind(server, "more", endpoint_of(door), &anyone, &second);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_UNAVAILABLE);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(said, "event=bind_failed door=more"));
}
END_TEST

START_TEST(ipc_folder)
{
	char endpoint[2 * SCRATCH_BYTES];
	struct stat found;
	struct message message;

	snprintf(endpoint, sizeof(endpoint), "ipc://%s",
	    scratch_path("run/auth.gateway/s"));
	ck_assert_int_eq(
	    bus_bind(server, "gateway", endpoint, NULL, &door), STATUS_OK);
	ck_assert_int_eq(stat(scratch_path("run/auth.gateway"), &found), 0);
	ck_assert_uint_eq(found.st_mode, S_IFDIR | 0700);
	ck_assert_int_eq(
	    bus_connect(client, endpoint, NULL, &socket), STATUS_OK);
	/* nobody queues for one who is not there yet */
	zmq_pollitem_t item = { socket, 0, ZMQ_POLLOUT, 0 };
	ck_assert_int_eq(zmq_poll(&item, 1, WAIT_MS), 1);
	ck_assert_int_eq(
	    send_and_receive(&message, PAYLOAD_BYTES_MAX), STATUS_OK);
	ck_assert_ptr_null(zmq_msg_gets(&message.header, "User-Id"));
	message_clear(&message);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *endpoint;
	enum status want;
} endpoints[] = {
	{ "ipc in no folder",   "ipc://socket",     STATUS_DENIED },
	{ "ipc in the root",    "ipc:///socket",    STATUS_DENIED },
	{ "ipc below a file",   "ipc:///dev/null/x/socket", STATUS_NOT_FOUND },
	{ "a foreign address",  "tcp://192.0.2.1:1", STATUS_UNAVAILABLE },
	{ "no such transport",  "udq://127.0.0.1:1", STATUS_UNAVAILABLE },
};
/* clang-format on */

START_TEST(endpoint_refused)
{
	struct allow_list anyone = { .anyone = true };

	capture_begin(STDERR_FILENO);
	enum status st =
	    bus_bind(server, "test", endpoints[_i].endpoint, &anyone, &door);
	capture_end();
	ck_assert_msg(st == endpoints[_i].want, "%s: got '%s', want '%s'",
	    endpoints[_i].name, status_text(st),
	    status_text(endpoints[_i].want));
	ck_assert_ptr_null(door);
}
END_TEST

/* Over tcp there is no connection without knowing who is there. */
START_TEST(no_server_key)
{
	capture_begin(STDERR_FILENO);
	enum status st =
	    bus_connect(client, "tcp://127.0.0.1:7400", NULL, &socket);
	capture_end();
	ck_assert_int_eq(st, STATUS_DENIED);
	ck_assert_ptr_null(socket);
}
END_TEST

/* Who was refused and is put on the list comes in, without a restart. */
START_TEST(refused_then_allowed)
{
	struct allow_list nobody = { .keys_count = 0 };
	struct allow_list allow = list_of(client_keys.public_key);
	void *second = NULL;

	open_door("test", &nobody);
	ck_assert_int_eq(
	    handshake(server_keys.public_key), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
	ck_assert_int_eq(bus_reconnect(socket), STATUS_OK);
	ck_assert_int_eq(next_handshake(), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
	/* the list is the door's, by its name */
	ck_assert_int_eq(
	    bus_bind(server, "test", TCP_ENDPOINT, &allow, &second), STATUS_OK);
	ck_assert_int_eq(bus_reconnect(socket), STATUS_OK);
	ck_assert_int_eq(next_handshake(), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
	bus_close(&second);
}
END_TEST

START_TEST(no_event)
{
	int64_t value;

	ck_assert_int_eq(bus_connect_watched(client, "tcp://127.0.0.1:9",
			     server_keys.public_key, &socket, &monitor),
	    STATUS_OK);
	while (bus_monitor_event(monitor, &value) != -1)
		continue;
	leave();
	leave();
	ck_assert_ptr_null(socket);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bus");
	TCase *in = tcase_create("G-01 keys that are let in");
	TCase *out = tcase_create("G-01 keys that are refused");
	TCase *proof = tcase_create("G-01 the self test");
	TCase *doors = tcase_create("G-01 doors and links");

	tcase_add_checked_fixture(in, setup, teardown);
	tcase_add_checked_fixture(out, setup, teardown);
	tcase_add_checked_fixture(proof, setup, teardown);
	tcase_add_checked_fixture(doors, setup, teardown);
	tcase_set_timeout(proof, 60);
	tcase_add_test(in, allowed_key);
	tcase_add_test(in, any_key);
	tcase_add_test(in, full_list);
	tcase_add_test(in, largest_payload);
	tcase_add_test(in, larger_frame);
	tcase_add_test(out, stranger);
	tcase_add_test(out, empty_list);
	tcase_add_test(out, one_byte_differs);
	tcase_add_test(out, wrong_server_key);
	tcase_add_test(out, doors_apart);
	tcase_add_test(out, no_curve);
	tcase_add_test(proof, self_test);
	tcase_add_test(doors, address_taken);
	tcase_add_test(doors, ipc_folder);
	tcase_add_loop_test(doors, endpoint_refused, 0, (int)nitems(endpoints));
	tcase_add_test(doors, no_server_key);
	tcase_add_test(doors, refused_then_allowed);
	tcase_add_test(doors, no_event);
	suite_add_tcase(suite, in);
	suite_add_tcase(suite, out);
	suite_add_tcase(suite, proof);
	suite_add_tcase(suite, doors);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
