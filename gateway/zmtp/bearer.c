#include "zmtp/bearer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/settings.h"

#define RECEIVE_BURST 64
#define DOOR          "terminal"
#define BUSY_RETRY_MS 200
#define GONE_RETRY_MS 500
#define STOP_RETRY_MS 1000
#define STOP_MS_MAX   7000 /* what is sent then has the rest of 10 s */
#define STOP_TICK_MS  50

struct zmtp_bearer {
	struct program *program;
	struct router *router;
	void *socket;
	bool stopping;
	loop_fn *stopped;
	void *stopped_arg;
	unsigned int stop_ticks;
	struct timer stop_timer;
	struct zmtp_figures figures;
	struct message incoming;
};

/* Send ${message} along ${route}; who is gone asks again when back. */
static void deliver(
    void *arg, const struct route *route, struct message *message)
{
	struct zmtp_bearer *self = arg;

	enum status st = frame_copy(
	    &message->envelope[0], slice_of(route->bytes, route->len));
	message->envelope_count = 1;
	if (st == STATUS_OK)
		st = message_send(message, self->socket);
	if (st == STATUS_OK)
		self->figures.answers++;
	else
		self->figures.dropped++;
}

/* Write who sent ${message} into ${header}, over whatever was there. */
static enum status stamp(struct header *header, struct message *message)
{
	struct peer *peer = &header->peer;
	const char *user = zmq_msg_gets(&message->header, "User-Id");
	const char *address = zmq_msg_gets(&message->header, "Peer-Address");

	*peer = (struct peer){ .kind = PEER_CURVE_KEY, .id_len = 32 };
	snprintf(
	    peer->address, sizeof(peer->address), "%s", address ? address : "");
	if (!user)
		return STATUS_INTERNAL;
	return hex_decode(peer->id, peer->id_len, user);
}

static void refuse(struct zmtp_bearer *self, const struct header *header,
    const struct route *route, enum status status, uint32_t retry_after_ms,
    const char *detail)
{
	struct header answer = {
		.request = header->request,
		.trace = header->trace,
		.status = status,
		.retry_after_ms = retry_after_ms,
		.stopping = self->stopping,
	};
	struct message message;

	self->figures.refused++;
	log_debug(&header->trace, "answered", "by=gateway status=%s",
	    status_word(status));
	header_detail(&answer, "%s", detail);
	message_init(&message);
	if (router_answer(&message, &answer) == STATUS_OK)
		deliver(self, route, &message);
	message_clear(&message);
}

static void forward(struct zmtp_bearer *self, const struct header *header,
    const struct route *route)
{
	char detail[DETAIL_BYTES_MAX + 1];
	const char *service;

	enum status st = router_forward(
	    self->router, header, route, &self->incoming, &service);
	switch (st) {
	case STATUS_OK:
		return;
	case STATUS_BUSY:
		refuse(self, header, route, st, BUSY_RETRY_MS,
		    "too much under way at the gateway");
		return;
	case STATUS_UNAVAILABLE:
		snprintf(detail, sizeof(detail), "%s does not answer", service);
		refuse(self, header, route, st, GONE_RETRY_MS, detail);
		return;
	case STATUS_CONFLICT:
		refuse(self, header, route, st, 0,
		    "this request id is under way for another message");
		return;
	case STATUS_MALFORMED:
		snprintf(detail, sizeof(detail),
		    "message type %#x is none that a terminal sends",
		    header->type);
		refuse(self, header, route, st, 0, detail);
		return;
	default:
		refuse(self, header, route, st, 0, status_text(st));
		return;
	}
}

static void on_request(struct zmtp_bearer *self, enum status received)
{
	struct message *message = &self->incoming;
	struct slice identity = frame_slice(&message->envelope[0]);
	struct route route = { .len = identity.len };
	struct header header = { 0 };

	self->figures.requests++;
	/*
	 * Only the ids that libzmq gives, which begin with a zero byte: one
	 * that a terminal chose could be another's that has just gone, and
	 * get its answers and pushes.
	 */
	if (message->envelope_count < 1 || identity.len == 0 ||
	    identity.len > ROUTE_BYTES_MAX || identity.data[0] != 0) {
		log_warning(NULL, "routing_id_refused", NULL);
		self->figures.refused++;
		return;
	}
	memcpy(route.bytes, identity.data, identity.len);
	if (received == STATUS_OK)
		received =
		    header_unpack(&header, frame_slice(&message->header));
	if (received == STATUS_OK)
		received = stamp(&header, message);
	if (received == STATUS_VERSION) {
		char detail[DETAIL_BYTES_MAX + 1];
		snprintf(detail, sizeof(detail),
		    "this server speaks protocol %u.%u", PROTOCOL_MAJOR,
		    PROTOCOL_MINOR);
		refuse(self, &header, &route, received, 0, detail);
	} else if (received != STATUS_OK) {
		/* Answered even without a request id: it may be a person
		 * at the other end who wonders. */
		refuse(self, &header, &route, received, 0,
		    received == STATUS_TOO_LARGE
			? "a frame is larger than the protocol allows"
			: "this is no Keepsake message");
	} else if (self->stopping) {
		refuse(self, &header, &route, STATUS_UNAVAILABLE, STOP_RETRY_MS,
		    "this gateway is stopping");
	} else if (header.type == TYPE_PING) {
		refuse(self, &header, &route, STATUS_OK, 0, "");
	} else {
		forward(self, &header, &route);
	}
}

static void on_readable(void *arg)
{
	struct zmtp_bearer *self = arg;

	for (int i = 0; i < RECEIVE_BURST; i++) {
		enum status st =
		    message_receive(&self->incoming, self->socket, 1);
		if (st == STATUS_NOT_FOUND)
			return;
		on_request(self, st);
		message_clear(&self->incoming);
	}
}

enum status zmtp_bearer_new(struct program *program, struct zmtp_bearer **out)
{
	static const struct allow_list anyone = { .anyone = true };
	struct zmtp_bearer *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->program = program;
	message_init(&self->incoming);
	struct router_options options = {
		.program = program,
		.deliver = deliver,
		.arg = self,
	};
	enum status st = router_new(&options, &self->router);
	if (st == STATUS_OK)
		st = bus_bind(program->bus, DOOR,
		    conf_text(program->conf, "gateway", "listen"), &anyone,
		    &self->socket);
	if (st == STATUS_OK)
		st = loop_watch_socket(
		    program->loop, self->socket, on_readable, self);
	if (st == STATUS_OK) {
		*out = self;
		self = NULL;
	}
	zmtp_bearer_destroy(&self);
	return st;
}

void zmtp_bearer_destroy(struct zmtp_bearer **self_p)
{
	struct zmtp_bearer *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->program->loop, &self->stop_timer);
	router_destroy(&self->router);
	if (self->socket)
		loop_forget_socket(self->program->loop, self->socket);
	bus_close_sent(&self->socket);
	message_clear(&self->incoming);
	free(self);
	*self_p = NULL;
}

static void on_stop_tick(void *arg)
{
	struct zmtp_bearer *self = arg;

	if (flights_count(router_flights(self->router)) > 0 &&
	    self->stop_ticks++ < STOP_MS_MAX / STOP_TICK_MS) {
		loop_timer_set(
		    self->program->loop, &self->stop_timer, STOP_TICK_MS);
		return;
	}
	size_t left = flights_count(router_flights(self->router));
	if (left > 0)
		log_warning(NULL, "stop_timed_out", "under_way=%zu", left);
	self->stopped(self->stopped_arg);
}

void zmtp_bearer_stop(struct zmtp_bearer *self, loop_fn *stopped, void *arg)
{
	self->stopping = true;
	self->stopped = stopped;
	self->stopped_arg = arg;
	self->stop_timer.fired = on_stop_tick;
	self->stop_timer.arg = self;
	/* One turn of the loop first, so that answers written can leave. */
	loop_timer_set(self->program->loop, &self->stop_timer, STOP_TICK_MS);
}

void zmtp_bearer_figures(
    const struct zmtp_bearer *self, struct zmtp_figures *out)
{
	*out = self->figures;
	out->under_way = flights_count(router_flights(self->router));
	out->under_way_bytes = flights_bytes(router_flights(self->router));
	out->repeats_held = router_repeats_held(self->router);
}

const struct router *zmtp_bearer_router(const struct zmtp_bearer *self)
{
	return self->router;
}
