#include "bus/bus.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zmq.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "bus/zap.h"

#define SOCKETS_MAX          65000
#define HEARTBEAT_IVL_MS     5000
#define HEARTBEAT_TIMEOUT_MS 30000 /* an engine may stall that long */
#define HANDSHAKE_IVL_MS     30000
#define RECONNECT_IVL_MS     50
#define RECONNECT_IVL_MAX_MS 1000
#define LINGER_MS            1000 /* for the last answers of a door */
#define BACKLOG              1024
/* Between terminal and gateway: how the kernel finds out that one is gone. */
#define KEEPALIVE_IDLE_S  30
#define KEEPALIVE_INTVL_S 5
#define KEEPALIVE_COUNT   3
#define UNACKNOWLEDGED_MS 30000
/*
 * A frame as CURVE has it on the wire, with nonce, tag, command name, flags.
 * Past CUT_FRAME_BYTES the connection ends; what is between that and its
 * bound can still be answered as too large.
 */
#define WIRE_BYTES_MAX         (CUT_FRAME_BYTES + 64)
#define SELF_TEST_MS           10000
#define SELF_TEST_ENDPOINT     "tcp://127.0.0.1:*"
#define MONITOR_ENDPOINT_BYTES 64

struct bus {
	void *context;
	struct zap *zap; /* from the first tcp door on */
	struct curve_keys keys;
	unsigned int monitors; /* made so far: each has its own endpoint */
};

static bool is_ipc(const char *endpoint)
{
	return strncmp(endpoint, "ipc://", 6) == 0;
}

enum status bus_new(const struct curve_keys *keys, struct bus **out)
{
	struct bus *self = calloc(1, sizeof(*self));
	enum status st = STATUS_INTERNAL;

	if (!self)
		return STATUS_NO_SPACE;
	self->keys = *keys;
	self->context = zmq_ctx_new();
	if (!self->context ||
	    zmq_ctx_set(self->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX) != 0)
		goto out;
	st = STATUS_OK;
	*out = self;
	self = NULL;
out:
	bus_destroy(&self);
	return st;
}

void bus_destroy(struct bus **self_p)
{
	struct bus *self = *self_p;

	if (!self)
		return;
	zap_destroy(&self->zap);
	if (self->context)
		zmq_ctx_term(self->context);
	sodium_memzero(&self->keys, sizeof(self->keys));
	free(self);
	*self_p = NULL;
}

static int set_number(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

static int set_size(void *socket, int option, int64_t value)
{
	return zmq_setsockopt(socket, option, &value, sizeof(value));
}

struct option {
	int option, value;
};

static enum status set_numbers(
    void *socket, const struct option *options, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (set_number(socket, options[i].option, options[i].value))
			return STATUS_INTERNAL;
	return STATUS_OK;
}

/* Every bound is set here, for every socket: no default is relied upon. */
static enum status set_bounds(void *socket)
{
	static const struct option options[] = {
		{ ZMQ_SNDHWM, SOCKET_HWM },
		{ ZMQ_RCVHWM, SOCKET_HWM },
		{ ZMQ_LINGER, 0 },
		{ ZMQ_HEARTBEAT_IVL, HEARTBEAT_IVL_MS },
		{ ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS },
		{ ZMQ_HANDSHAKE_IVL, HANDSHAKE_IVL_MS },
		{ ZMQ_RECONNECT_IVL, RECONNECT_IVL_MS },
		{ ZMQ_RECONNECT_IVL_MAX, RECONNECT_IVL_MAX_MS },
		{ ZMQ_BACKLOG, BACKLOG },
		{ ZMQ_IPV6, 1 },
	};

	enum status st = set_numbers(socket, options, nitems(options));
	if (st == STATUS_OK &&
	    set_size(socket, ZMQ_MAXMSGSIZE, WIRE_BYTES_MAX) != 0)
		st = STATUS_INTERNAL;
	return st;
}

/*
 * Between a terminal and a gateway the kernel looks after the connection,
 * not libzmq.  Its heartbeats wait behind what is being sent, and the answer
 * behind that: where one chunk takes longer than their timeout the connection
 * would end each time, for ever.  And at a door that many come in by it walks
 * through all its timers for each of them: ten thousand terminals that do
 * nothing would keep a processor busy.
 */
static enum status set_far(void *socket)
{
	static const struct option options[] = {
		{ ZMQ_HEARTBEAT_IVL, 0 },
		{ ZMQ_TCP_KEEPALIVE, 1 },
		{ ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S },
		{ ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTVL_S },
		{ ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT },
		{ ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS },
	};

	return set_numbers(socket, options, nitems(options));
}

/* A door is CURVE's, and guarded, before anybody can find it. */
static enum status set_curve_server(struct bus *self, void *socket,
    const char *door, const struct allow_list *allow)
{
	enum status st = STATUS_OK;

	if (!self->zap)
		st = zap_new(self->context, &self->zap);
	if (st == STATUS_OK)
		st = zap_allow(self->zap, door, allow);
	if (st != STATUS_OK)
		return st;
	if (set_number(socket, ZMQ_CURVE_SERVER, 1) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->keys.secret_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, door, strlen(door)) != 0)
		return STATUS_INTERNAL;
	return STATUS_OK;
}

static enum status set_curve_client(
    const struct curve_keys *keys, void *socket, const uint8_t *server_key)
{
	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key,
		CURVE_KEY_BYTES) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key,
		CURVE_KEY_BYTES) != 0)
		return STATUS_INTERNAL;
	return STATUS_OK;
}

/*
 * Make the folder of an ipc endpoint.  One that was made before, with a
 * group that may enter, stays as the operator set it.
 */
static enum status make_ipc_folder(const char *endpoint)
{
	char folder[PATH_MAX];
	const char *path = endpoint + strlen("ipc://");
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(folder))
		return STATUS_DENIED;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	return folder_make(folder);
}

/* Bind ${socket}, which has its options, or close it; NULL: none was made. */
static enum status bind_as(struct bus *self, void *socket, const char *door,
    const char *endpoint, const struct allow_list *allow, void **socket_out)
{
	enum status st = socket ? STATUS_OK : STATUS_INTERNAL;

	if (st == STATUS_OK)
		st = is_ipc(endpoint)
			 ? make_ipc_folder(endpoint)
			 : set_curve_server(self, socket, door, allow);
	if (st == STATUS_OK && !is_ipc(endpoint) && allow->anyone)
		st = set_far(socket);
	if (st == STATUS_OK && zmq_bind(socket, endpoint) != 0)
		st = STATUS_UNAVAILABLE;
	if (st != STATUS_OK) {
		char quoted[LOG_QUOTED_BYTES];
		log_error(NULL, "bind_failed",
		    "door=%s endpoint=%s status=%s error=\"%s\"", door,
		    log_quoted(quoted, endpoint), status_word(st),
		    zmq_strerror(zmq_errno()));
		bus_close(&socket);
	}
	*socket_out = socket;
	return st;
}

/* A socket with its bounds and one option more; NULL where it fails. */
static void *open_socket(struct bus *self, int type, int option, int value)
{
	void *socket = zmq_socket(self->context, type);

	if (socket && (set_bounds(socket) != STATUS_OK ||
			  set_number(socket, option, value) != 0))
		bus_close(&socket);
	return socket;
}

enum status bus_bind(struct bus *self, const char *door, const char *endpoint,
    const struct allow_list *allow, void **socket_out)
{
	void *socket = open_socket(self, ZMQ_ROUTER, ZMQ_ROUTER_MANDATORY, 1);

	return bind_as(self, socket, door, endpoint, allow, socket_out);
}

enum status bus_bind_stream(struct bus *self, const char *door,
    const char *endpoint, const struct allow_list *allow, int queue_max,
    void **socket_out)
{
	void *socket = open_socket(self, ZMQ_XPUB, ZMQ_XPUB_VERBOSE, 1);

	if (socket && set_number(socket, ZMQ_SNDHWM, queue_max) != 0)
		bus_close(&socket);
	return bind_as(self, socket, door, endpoint, allow, socket_out);
}

/* Open the PAIR that reports the connection events of ${socket}. */
static enum status open_monitor(
    struct bus *self, void *socket, void **monitor_out)
{
	char endpoint[MONITOR_ENDPOINT_BYTES];
	void *monitor = NULL;

	snprintf(endpoint, sizeof(endpoint), "inproc://monitor.%u",
	    self->monitors++);
	if (zmq_socket_monitor(socket, endpoint, ZMQ_EVENT_ALL) != 0)
		goto out;
	monitor = zmq_socket(self->context, ZMQ_PAIR);
	if (!monitor || set_number(monitor, ZMQ_RCVTIMEO, 0) != 0 ||
	    zmq_connect(monitor, endpoint) != 0)
		goto out;
	*monitor_out = monitor;
	return STATUS_OK;
out:
	bus_close(&monitor);
	return STATUS_INTERNAL;
}

/*
 * Connect ${socket}, which has its options, or close it; NULL: none was made.
 *
 * monitor_out  may be NULL
 */
static enum status connect_socket(struct bus *self, void *socket,
    const struct curve_keys *keys, const char *endpoint,
    const uint8_t *server_key, void **socket_out, void **monitor_out)
{
	enum status st = socket ? STATUS_OK : STATUS_INTERNAL;
	void *monitor = NULL;

	if (st == STATUS_OK && !is_ipc(endpoint))
		st = server_key ? set_curve_client(keys, socket, server_key)
				: STATUS_DENIED;
	if (st == STATUS_OK && monitor_out)
		st = open_monitor(self, socket, &monitor);
	if (st == STATUS_OK && zmq_connect(socket, endpoint) != 0)
		st = STATUS_UNAVAILABLE;
	if (st != STATUS_OK) {
		char quoted[LOG_QUOTED_BYTES];
		log_error(NULL, "connect_failed",
		    "endpoint=%s status=%s error=\"%s\"",
		    log_quoted(quoted, endpoint), status_word(st),
		    zmq_strerror(zmq_errno()));
		bus_unmonitor(socket, &monitor);
		bus_close(&socket);
	}
	*socket_out = socket;
	if (monitor_out)
		*monitor_out = monitor;
	return st;
}

/* ${monitor_out} may be NULL. */
static enum status connect_as(struct bus *self, const struct curve_keys *keys,
    const char *endpoint, const uint8_t *server_key, void **socket_out,
    void **monitor_out)
{
	/* Nothing queues for a peer that is not there: the caller sees it. */
	void *socket = open_socket(self, ZMQ_DEALER, ZMQ_IMMEDIATE, 1);

	return connect_socket(
	    self, socket, keys, endpoint, server_key, socket_out, monitor_out);
}

enum status bus_connect_stream(struct bus *self, const char *endpoint,
    const uint8_t *server_key, const char *topic, void **socket_out,
    void **monitor_out)
{
	void *socket = zmq_socket(self->context, ZMQ_SUB);

	if (socket && (set_bounds(socket) != STATUS_OK ||
			  zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic,
			      strlen(topic)) != 0))
		bus_close(&socket);
	return connect_socket(self, socket, &self->keys, endpoint, server_key,
	    socket_out, monitor_out);
}

enum status bus_connect(struct bus *self, const char *endpoint,
    const uint8_t *server_key, void **socket_out)
{
	return connect_as(
	    self, &self->keys, endpoint, server_key, socket_out, NULL);
}

enum status bus_connect_watched(struct bus *self, const char *endpoint,
    const uint8_t *server_key, void **socket_out, void **monitor_out)
{
	return connect_as(
	    self, &self->keys, endpoint, server_key, socket_out, monitor_out);
}

enum status bus_reconnect(void *socket)
{
	char endpoint[PATH_MAX];
	size_t len = sizeof(endpoint);

	if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &len) != 0)
		return STATUS_INTERNAL;
	zmq_disconnect(socket, endpoint); /* what is left of the former */
	return zmq_connect(socket, endpoint) == 0 ? STATUS_OK
						  : STATUS_UNAVAILABLE;
}

enum status bus_connect_far(struct bus *self, const char *endpoint,
    const uint8_t *server_key, void **socket_out, void **monitor_out)
{
	void *socket = open_socket(self, ZMQ_DEALER, ZMQ_IMMEDIATE, 1);

	if (socket && set_far(socket) != STATUS_OK)
		bus_close(&socket);
	return connect_socket(self, socket, &self->keys, endpoint, server_key,
	    socket_out, monitor_out);
}

uint64_t bus_bytes_moved(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
		return 0;
	return info.tcpi_bytes_acked + info.tcpi_bytes_received;
}

int bus_monitor_event(void *monitor, int64_t *value_out)
{
	uint8_t event[6]; /* number: 16 bits, value: 32, host order */
	char address[PATH_MAX];
	uint16_t number;
	uint32_t value;

	if (zmq_recv(monitor, event, sizeof(event), 0) != (int)sizeof(event) ||
	    zmq_recv(monitor, address, sizeof(address), 0) < 0)
		return -1;
	memcpy(&number, event, sizeof(number));
	memcpy(&value, event + sizeof(number), sizeof(value));
	*value_out = value;
	return number;
}

void bus_unmonitor(void *socket, void **monitor_p)
{
	if (*monitor_p)
		zmq_socket_monitor(socket, NULL, 0);
	bus_close(monitor_p);
}

static void close_in(void **socket_p, int linger_ms)
{
	if (*socket_p) {
		zmq_setsockopt(
		    *socket_p, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
		zmq_close(*socket_p);
	}
	*socket_p = NULL;
}

void bus_close(void **socket_p)
{
	close_in(socket_p, 0);
}

void bus_close_sent(void **socket_p)
{
	close_in(socket_p, LINGER_MS);
}

/* How an attempt to come in ended. */
enum entry { ENTRY_TIMED_OUT, ENTRY_LET_IN, ENTRY_REFUSED };

static enum entry try_to_enter(
    struct bus *self, const char *endpoint, const struct curve_keys *keys)
{
	void *client = NULL, *monitor = NULL;
	enum entry entry = ENTRY_TIMED_OUT;
	uint64_t by_ms = clock_interval_ms() + SELF_TEST_MS;
	int64_t number;

	if (connect_as(self, keys, endpoint, self->keys.public_key, &client,
		&monitor) != STATUS_OK ||
	    set_number(monitor, ZMQ_RCVTIMEO, SELF_TEST_MS) != 0)
		goto out;
	while (entry == ENTRY_TIMED_OUT && clock_interval_ms() < by_ms) {
		int event = bus_monitor_event(monitor, &number);
		if (event < 0)
			break;
		if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
			entry = ENTRY_LET_IN;
		if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
			entry = ENTRY_REFUSED;
	}
out:
	bus_unmonitor(client, &monitor);
	bus_close(&client);
	return entry;
}

enum status bus_self_test(struct bus *self)
{
	struct allow_list allow = { .keys_count = 1 };
	struct curve_keys known = { 0 }, stranger = { 0 };
	void *server = NULL;
	char endpoint[64];
	size_t endpoint_len = sizeof(endpoint);
	enum status st = curve_keys_make(&known);

	if (st == STATUS_OK)
		st = curve_keys_make(&stranger);
	if (st != STATUS_OK)
		goto out;
	memcpy(allow.keys[0], known.public_key, CURVE_KEY_BYTES);
	st =
	    bus_bind(self, SELF_TEST_DOOR, SELF_TEST_ENDPOINT, &allow, &server);
	if (st != STATUS_OK)
		goto out;
	if (zmq_getsockopt(
		server, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_len) != 0) {
		st = STATUS_INTERNAL;
		goto out;
	}
	if (try_to_enter(self, endpoint, &known) != ENTRY_LET_IN ||
	    try_to_enter(self, endpoint, &stranger) != ENTRY_REFUSED)
		st = STATUS_DENIED;
out:
	if (st != STATUS_OK)
		log_error(
		    NULL, "self_test_failed", "status=%s", status_word(st));
	sodium_memzero(&known, sizeof(known));
	sodium_memzero(&stranger, sizeof(stranger));
	bus_close(&server);
	return st;
}
