#include "bus/connection.h"

#include <stdlib.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/util.h"

#define RECONNECT_MS      1000  /* where libzmq does not do it */
#define CONNECT_MS        5000  /* then another place is tried */
#define CONNECT_TIMES_MAX 6     /* this is longer with each round */
#define UNAVAILABLE_MS    10000 /* a place that cannot help */

struct connection {
	struct bus *bus;
	struct loop *loop;
	struct places *places;
	struct connection_options options; /* but places */
	void *socket, *monitor;            /* to the place in use */
	int fd;                            /* libzmq's, or -1 */
	enum link_state state;
	unsigned int times, refusals;
	uint64_t unavailable_ms; /* since, on clock_interval_ms; 0: it helps */
	struct timer late;       /* with several: not connected in time */
	struct timer move;       /* to the next one */
	struct timer reconnect;  /* after our key was refused */
};

/* From a timer: the socket may be the one whose event is being handled. */
static void go_elsewhere(struct connection *self)
{
	if (places_count(self->places) > 1 && !self->move.is_set)
		loop_timer_set(
		    self->loop, &self->move, places_pause(self->places));
}

static void on_late(void *arg)
{
	go_elsewhere(arg);
}

/* A connection that ended before the keys had agreed. */
static void note_refusal(struct connection *self)
{
	if (self->state == LINK_LOST)
		return; /* it was the right key once: it is starting again */
	self->state = LINK_REFUSED;
	self->refusals++;
	if (self->options.refusals_max > 0 &&
	    self->refusals >=
		self->options.refusals_max * places_count(self->places))
		self->options.refused(self->options.arg);
}

static void on_event(void *arg)
{
	struct connection *self = arg;
	int64_t value;

	switch (bus_monitor_event(self->monitor, &value)) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		self->state = LINK_UP;
		self->refusals = 0;
		self->times++;
		loop_timer_cancel(self->loop, &self->late);
		self->options.connected(self->options.arg);
		break;
	case ZMQ_EVENT_CONNECTED:
		self->fd = (int)value;
		break;
	case ZMQ_EVENT_DISCONNECTED:
		self->fd = -1;
		go_elsewhere(self);
		/* Once for each connection, however its handshake failed. */
		if (self->state == LINK_UP)
			self->state = LINK_LOST;
		else
			note_refusal(self);
		break;
	case ZMQ_EVENT_CONNECT_RETRIED: /* nobody listens there */
		go_elsewhere(self);
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		loop_timer_set(self->loop, &self->reconnect, RECONNECT_MS);
		break;
	default:
		break;
	}
}

static void on_reconnect(void *arg)
{
	struct connection *self = arg;

	if (self->socket && bus_reconnect(self->socket) != STATUS_OK)
		loop_timer_set(self->loop, &self->reconnect, RECONNECT_MS);
}

static void close_place(struct connection *self)
{
	loop_timer_cancel(self->loop, &self->late);
	loop_timer_cancel(self->loop, &self->reconnect);
	if (self->socket)
		loop_forget_socket(self->loop, self->socket);
	if (self->monitor)
		loop_forget_socket(self->loop, self->monitor);
	bus_unmonitor(self->socket, &self->monitor);
	bus_close(&self->socket);
	self->fd = -1;
}

static enum status open_place(struct connection *self)
{
	struct place place = places_current(self->places);

	enum status (*connect_to)(
	    struct bus *, const char *, const uint8_t *, void **, void **) =
	    self->options.far ? bus_connect_far : bus_connect_watched;

	enum status st = connect_to(self->bus, place.endpoint, place.server_key,
	    &self->socket, &self->monitor);
	if (st == STATUS_OK)
		st = loop_watch_socket(self->loop, self->socket,
		    self->options.readable, self->options.arg);
	if (st == STATUS_OK)
		st = loop_watch_socket(
		    self->loop, self->monitor, on_event, self);
	if (st != STATUS_OK)
		close_place(self);
	else if (places_count(self->places) > 1)
		loop_timer_set(self->loop, &self->late,
		    CONNECT_MS * min_of(1u + places_rounds(self->places),
				     (unsigned int)CONNECT_TIMES_MAX));
	return st;
}

static void on_move(void *arg)
{
	struct connection *self = arg;

	close_place(self);
	if (self->state == LINK_UP)
		self->state = LINK_LOST;
	self->unavailable_ms = 0;
	places_next(self->places);
	if (open_place(self) != STATUS_OK)
		loop_timer_set(self->loop, &self->move, RECONNECT_MS);
}

enum status connection_new(struct bus *bus, struct loop *loop,
    const struct connection_options *options, struct connection **out)
{
	struct connection *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->bus = bus;
	self->loop = loop;
	self->options = *options;
	self->fd = -1;
	self->late = (struct timer){ .fired = on_late, .arg = self };
	self->move = (struct timer){ .fired = on_move, .arg = self };
	self->reconnect = (struct timer){ .fired = on_reconnect, .arg = self };
	enum status st =
	    places_new(&self->places, options->places, options->places_count);
	if (st == STATUS_OK)
		st = open_place(self);
	if (st != STATUS_OK)
		connection_destroy(&self);
	*out = self;
	return st;
}

void connection_destroy(struct connection **self_p)
{
	struct connection *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->loop, &self->move);
	close_place(self);
	places_destroy(&self->places);
	free(self);
	*self_p = NULL;
}

void *connection_socket(const struct connection *self)
{
	return self->socket;
}

uint64_t connection_bytes(const struct connection *self)
{
	return bus_bytes_moved(self->fd);
}

void connection_silent(struct connection *self)
{
	go_elsewhere(self);
}

void connection_judge(struct connection *self, const struct header *header)
{
	uint64_t now = clock_interval_ms();

	if (header->status != STATUS_UNAVAILABLE) {
		self->unavailable_ms = 0;
		places_good(self->places);
	} else if (header->stopping) {
		go_elsewhere(self);
	} else if (self->unavailable_ms == 0) {
		self->unavailable_ms = now;
	} else if (now - self->unavailable_ms >= UNAVAILABLE_MS) {
		go_elsewhere(self);
	}
}

bool connection_leaves(
    const struct connection *self, const struct header *header)
{
	return header->stopping && places_count(self->places) > 1;
}

enum link_state connection_state(const struct connection *self)
{
	return self->state;
}

unsigned int connection_times(const struct connection *self)
{
	return self->times;
}

struct place connection_place(const struct connection *self)
{
	return places_current(self->places);
}
