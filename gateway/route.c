#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "binding.pb-c.h"
#include "notify.pb-c.h"
#include "service/settings.h"
#include "store.pb-c.h"

#define RECEIVE_BURST     64
#define GONE_RETRY_MS     500
#define EXPIRE_TICK_MS    1000
#define RECONNECT_MS      1000
#define INTERNAL_TYPE_BIT 0x80 /* types from 0xNN80 are between services */
#define WAY_BYTES_MAX     (PEER_ID_BYTES + ROUTE_BYTES_MAX)

struct link {
	struct router *router;
	enum role service;
	void *socket, *monitor;
	struct timer reconnect; /* after the service has refused our key */
	bool up;
};

struct router {
	struct router_options options;
	struct flights *flights;
	struct request_counts *counts;
	struct link links[ROLE_COUNT]; /* those with a socket are in use */
	struct timer expire;
	struct message incoming;
	uint64_t repeats_held; /* not passed on: the first is under way */
};

/* Which service answers a type: the high byte tells. */
static const enum role services[] = {
	[AUTH__TYPE__FACTORS >> 8] = ROLE_AUTH,
	[STORE__TYPE__PUT >> 8] = ROLE_STORE,
	[BINDING__TYPE__BIND >> 8] = ROLE_BINDING,
	[NOTIFY__TYPE__ACK >> 8] = ROLE_NOTIFY,
};

static bool service_of(uint32_t type, enum role *out)
{
	uint32_t index = type >> 8;

	if (index == 0 || index >= nitems(services) ||
	    (type & INTERNAL_TYPE_BIT))
		return false;
	*out = services[index];
	return true;
}

enum status router_answer(struct message *out, struct header *answer)
{
	struct bytes packed = { 0 };

	answer->type = TYPE_REPLY;
	answer->server_time_ms = clock_wall_ms();
	message_clear(out);
	enum status st = header_pack(&packed, answer);
	if (st == STATUS_OK)
		st = frame_copy(&out->header, bytes_slice(&packed));
	bytes_clear(&packed);
	return st;
}

/* The name of a type as its .proto has it; NULL for one that is none. */
static const char *type_name(uint32_t type)
{
	static const ProtobufCEnumDescriptor *const types[] = {
		&auth__type__descriptor,
		&store__type__descriptor,
		&binding__type__descriptor,
		&notify__type__descriptor,
	};

	for (size_t i = 0; i < nitems(types); i++) {
		const ProtobufCEnumValue *value =
		    protobuf_c_enum_descriptor_get_value(types[i], (int)type);
		if (value && type > 0)
			return value->name;
	}
	return NULL;
}

/* Count an answer, and log what a service has failed in: as it does. */
static void count_flight(
    struct router *self, const struct flight *flight, enum status status)
{
	const char *name = type_name(flight->type);
	enum log_level level = LOG_DEBUG;

	if (status == STATUS_INTERNAL || status == STATUS_NO_SPACE ||
	    status == STATUS_UNKNOWN)
		level = LOG_ERROR;
	log_line(level, &flight->trace, "answered", "type=%s by=%s status=%s",
	    name ? name : "-", role_word(flight->service), status_word(status));
	request_counts_note(self->counts, flight->type, name, status,
	    histogram_now_us() - flight->began_us);
}

/* Tell who waits for ${flight} that nothing will come, and forget it. */
static void fail_flight(
    struct router *self, const struct flight *flight, const char *why)
{
	struct route route = flight->route;
	struct flight_key key = flight->key;
	struct header answer = {
		.request = key.request,
		.trace = flight->trace,
		.status = STATUS_UNAVAILABLE,
		.retry_after_ms = GONE_RETRY_MS,
	};
	struct message message;

	count_flight(self, flight, STATUS_UNAVAILABLE);
	header_detail(&answer, "%s %s", role_word(flight->service), why);
	message_init(&message);
	enum status st = router_answer(&message, &answer);
	flights_remove(self->flights, &key);
	if (st == STATUS_OK)
		self->options.deliver(self->options.arg, &route, &message);
	message_clear(&message);
}

static void on_reconnect(void *arg)
{
	struct link *link = arg;

	if (bus_reconnect(link->socket) != STATUS_OK)
		loop_timer_set(link->router->options.program->loop,
		    &link->reconnect, RECONNECT_MS);
}

static void on_link_event(void *arg)
{
	struct link *link = arg;
	struct router *self = link->router;
	const struct flight *flight;
	int64_t value;

	switch (bus_monitor_event(link->monitor, &value)) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		link->up = true;
		log_info(NULL, "link_up", "to=%s", role_word(link->service));
		break;
	case ZMQ_EVENT_DISCONNECTED:
		if (link->up && !self->options.program->stopping)
			log_warning(NULL, "link_lost", "to=%s",
			    role_word(link->service));
		link->up = false;
		while ((flight = flights_of(self->flights, link->service)))
			fail_flight(self, flight, "has gone away");
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		log_warning(
		    NULL, "link_refused", "to=%s", role_word(link->service));
		loop_timer_set(self->options.program->loop, &link->reconnect,
		    RECONNECT_MS);
		break;
	default:
		break;
	}
}

static void on_expire(void *arg)
{
	struct router *self = arg;
	const struct flight *flight;

	while ((flight = flights_expired(self->flights)))
		fail_flight(self, flight, "has not answered");
	loop_timer_set(
	    self->options.program->loop, &self->expire, EXPIRE_TICK_MS);
}

/*
 * The frame that leads an answer or a push back, which the service keeps as it
 * is: the peer that asked, and its route at that time.
 */
static enum status way_write(
    zmq_msg_t *frame, const struct flight_key *key, const struct route *route)
{
	uint8_t way[WAY_BYTES_MAX];

	memcpy(way, key->peer, PEER_ID_BYTES);
	memcpy(way + PEER_ID_BYTES, route->bytes, route->len);
	return frame_copy(frame, slice_of(way, PEER_ID_BYTES + route->len));
}

static enum status way_read(
    struct slice way, struct flight_key *key, struct route *route)
{
	if (way.len <= PEER_ID_BYTES || way.len > WAY_BYTES_MAX)
		return STATUS_MALFORMED;
	memcpy(key->peer, way.data, PEER_ID_BYTES);
	route->len = way.len - PEER_ID_BYTES;
	memcpy(route->bytes, way.data + PEER_ID_BYTES, route->len);
	return STATUS_OK;
}

/*
 * Hand what a service sent to the bearer.  An answer goes where the request
 * was last asked from; the second one to a repeat goes nowhere.
 */
static void on_service_message(struct router *self)
{
	struct message *message = &self->incoming;
	struct header header;
	struct flight_key key;
	struct route route;

	if (way_read(frame_slice(&message->envelope[0]), &key, &route) !=
		STATUS_OK ||
	    header_unpack(&header, frame_slice(&message->header)) !=
		STATUS_OK) {
		log_warning(NULL, "answer_refused", NULL);
		return;
	}
	if (header.type == TYPE_REPLY) {
		key.request = header.request;
		const struct flight *flight = flights_find(self->flights, &key);
		if (!flight)
			return;
		route = flight->route;
		count_flight(self, flight, header.status);
		flights_remove(self->flights, &key);
	}
	message->envelope_count = 0;
	self->options.deliver(self->options.arg, &route, message);
}

static void on_link_readable(void *arg)
{
	struct link *link = arg;
	struct router *self = link->router;

	for (int i = 0; i < RECEIVE_BURST; i++) {
		enum status st =
		    message_receive(&self->incoming, link->socket, 1);
		if (st == STATUS_NOT_FOUND)
			return;
		if (st == STATUS_OK)
			on_service_message(self);
		message_clear(&self->incoming);
	}
}

static enum status link_open(struct router *self, enum role service)
{
	struct program *program = self->options.program;
	struct link *link = &self->links[service];
	const char *word = role_word(service);
	char endpoint[ENDPOINT_BYTES];
	uint8_t key[CURVE_KEY_BYTES];

	enum status st = program_peer_key(program, word, key);
	if (st != STATUS_OK)
		return st;
	settings_endpoint(
	    program->conf, "gateway", word, word, "gateway", endpoint);
	link->router = self;
	link->service = service;
	link->reconnect = (struct timer){ .fired = on_reconnect, .arg = link };
	st = bus_connect_watched(
	    program->bus, endpoint, key, &link->socket, &link->monitor);
	if (st != STATUS_OK)
		return st;
	st = loop_watch_socket(
	    program->loop, link->socket, on_link_readable, link);
	if (st != STATUS_OK)
		return st;
	return loop_watch_socket(
	    program->loop, link->monitor, on_link_event, link);
}

enum status router_new(
    const struct router_options *options, struct router **out)
{
	struct router *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->options = *options;
	message_init(&self->incoming);
	enum status st = flights_new(&self->flights);
	if (st == STATUS_OK)
		st = request_counts_new(&self->counts);
	for (size_t i = 1; i < nitems(services) && st == STATUS_OK; i++)
		st = link_open(self, services[i]);
	self->expire = (struct timer){ .fired = on_expire, .arg = self };
	if (st == STATUS_OK) {
		loop_timer_set(
		    options->program->loop, &self->expire, EXPIRE_TICK_MS);
		*out = self;
		self = NULL;
	}
	router_destroy(&self);
	return st;
}

void router_destroy(struct router **self_p)
{
	struct router *self = *self_p;

	if (!self)
		return;
	struct loop *loop = self->options.program->loop;
	loop_timer_cancel(loop, &self->expire);
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		struct link *link = &self->links[i];
		loop_timer_cancel(loop, &link->reconnect);
		if (link->socket)
			loop_forget_socket(loop, link->socket);
		if (link->monitor)
			loop_forget_socket(loop, link->monitor);
		bus_unmonitor(link->socket, &link->monitor);
		bus_close(&link->socket);
	}
	flights_destroy(&self->flights);
	request_counts_destroy(&self->counts);
	message_clear(&self->incoming);
	free(self);
	*self_p = NULL;
}

/* The message for the service: way, header as stamped, the rest moved. */
static enum status fill_outgoing(struct message *outgoing,
    const struct header *header, const struct route *route,
    struct message *message)
{
	struct flight_key key = flight_key_of(header);
	struct bytes packed = { 0 };

	enum status st = header_pack(&packed, header);
	if (st == STATUS_OK)
		st = frame_copy(&outgoing->header, bytes_slice(&packed));
	if (st == STATUS_OK)
		st = way_write(&outgoing->envelope[0], &key, route);
	bytes_clear(&packed);
	if (st != STATUS_OK)
		return st;
	outgoing->envelope_count = 1;
	zmq_msg_move(&outgoing->body, &message->body);
	zmq_msg_move(&outgoing->payload, &message->payload);
	outgoing->has_payload = message->has_payload;
	return STATUS_OK;
}

static enum status pass_on(struct router *self, const struct header *header,
    const struct route *route, struct message *message, enum role service)
{
	struct message outgoing;

	message_init(&outgoing);
	enum status st = fill_outgoing(&outgoing, header, route, message);
	if (st == STATUS_OK)
		st = message_send(&outgoing, self->links[service].socket);
	if (st == STATUS_BUSY)
		st = STATUS_UNAVAILABLE; /* nobody there, or it is choked */
	message_clear(&outgoing);
	return st;
}

enum status router_forward(struct router *self, const struct header *header,
    const struct route *route, struct message *message,
    const char **service_out)
{
	struct flight_key key = flight_key_of(header);
	enum role service;
	bool pass;
	size_t bytes =
	    zmq_msg_size(&message->body) + zmq_msg_size(&message->payload);

	*service_out = "";
	if (!service_of(header->type, &service))
		return STATUS_MALFORMED;
	*service_out = role_word(service);
	enum status st =
	    flights_add(self->flights, header, route, service, bytes, &pass);
	if (st != STATUS_OK)
		return st;
	if (!pass) {
		self->repeats_held++;
		return STATUS_OK;
	}
	st = pass_on(self, header, route, message, service);
	/* A repeat that cannot leave waits for the answer to the first. */
	if (st != STATUS_OK && flights_unsent(self->flights, &key, bytes))
		st = STATUS_OK;
	return st;
}

const struct flights *router_flights(const struct router *self)
{
	return self->flights;
}

const struct request_counts *router_counts(const struct router *self)
{
	return self->counts;
}

size_t router_links(
    const struct router *self, struct watch_link out[static WATCH_LINKS_MAX])
{
	size_t count = 0;

	for (size_t i = 1; i < nitems(services); i++)
		out[count++] = (struct watch_link){
			.peer = role_word(services[i]),
			.up = self->links[services[i]].up,
		};
	return count;
}

uint64_t router_repeats_held(const struct router *self)
{
	return self->repeats_held;
}
