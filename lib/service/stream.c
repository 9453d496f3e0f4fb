#include "service/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "bus/message.h"
#include "service/settings.h"

#define DOOR          "events"
#define SUBSCRIBED_MS 100 /* the rest of a subscriber's topics come too */
#define FRAME_BYTES   256 /* of a subscription, as far as it matters */

/* How many events of a kind there were. */
struct kind {
	char name[EVENT_WORD_BYTES_MAX + 1];
	uint64_t count;
};

/* An event in two frames, held back. */
struct held {
	zmq_msg_t topic, body;
};

struct stream {
	struct program *program;
	void *socket;
	uint64_t run_ms, sequence;
	struct kind kinds[STREAM_KINDS_MAX];
	size_t kinds_count;

	bool holding; /* nobody was there yet */
	struct held held[STREAM_HELD_MAX];
	size_t held_count;
	struct timer release; /* what is held; then, to say hello */
};

/* A word of at most EVENT_WORD_BYTES_MAX, cut where it is longer. */
static void copy_word(
    char out[static EVENT_WORD_BYTES_MAX + 1], const char *word)
{
	snprintf(out, EVENT_WORD_BYTES_MAX + 1, "%s", word);
}

static uint64_t number_of_kind(struct stream *self, const char *name)
{
	size_t i = 0;

	while (i < self->kinds_count && strcmp(self->kinds[i].name, name) != 0)
		i++;
	if (i == self->kinds_count && i < STREAM_KINDS_MAX)
		copy_word(self->kinds[self->kinds_count++].name, name);
	return ++self->kinds[min_of(i, (size_t)STREAM_KINDS_MAX - 1)].count;
}

/* Both frames, or none: the first waits for the second. */
static void send_frames(struct stream *self, zmq_msg_t *topic, zmq_msg_t *body)
{
	if (zmq_msg_send(topic, self->socket, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
	    zmq_msg_send(body, self->socket, ZMQ_DONTWAIT) < 0)
		log_debug(NULL, "event_dropped", NULL);
	zmq_msg_close(topic);
	zmq_msg_close(body);
}

static void publish(struct stream *self, const struct event *event)
{
	char text[EVENT_TOPIC_BYTES];
	struct bytes packed = { 0 };
	zmq_msg_t topic, body;

	zmq_msg_init(&topic);
	zmq_msg_init(&body);
	enum status st = event_pack(event, &packed);
	if (st == STATUS_OK)
		st = frame_copy(&topic, slice_text(event_topic(text, event)));
	if (st == STATUS_OK)
		st = frame_copy(&body, bytes_slice(&packed));
	bytes_clear(&packed);
	if (st == STATUS_OK && self->holding &&
	    self->held_count < STREAM_HELD_MAX) {
		self->held[self->held_count++] = (struct held){ topic, body };
		return;
	}
	if (st == STATUS_OK && !self->holding) {
		send_frames(self, &topic, &body);
		return;
	}
	/* Its number is missing, and tells so. */
	zmq_msg_close(&topic);
	zmq_msg_close(&body);
}

static void say_hello(struct stream *self)
{
	struct event event = {
		.run_ms = self->run_ms,
		.sequence = self->sequence,
		.when_ms = clock_wall_ms(),
		.kind = EVENT_HELLO,
	};

	copy_word(event.service, self->program->name);
	publish(self, &event);
}

static void on_release(void *arg)
{
	struct stream *self = arg;

	self->holding = false;
	for (size_t i = 0; i < self->held_count; i++)
		send_frames(self, &self->held[i].topic, &self->held[i].body);
	self->held_count = 0;
	say_hello(self);
	loop_timer_set(self->program->loop, &self->release, STREAM_HELLO_MS);
}

/* Somebody subscribed, or ceased to. */
static void on_subscription(void *arg)
{
	struct stream *self = arg;
	uint8_t frame[FRAME_BYTES];
	bool subscribed = false;
	int len;

	while ((len = zmq_recv(
		    self->socket, frame, sizeof(frame), ZMQ_DONTWAIT)) >= 0)
		subscribed |= len > 0 && frame[0] == 1;
	if (subscribed)
		loop_timer_set(
		    self->program->loop, &self->release, SUBSCRIBED_MS);
}

void stream_tell(struct stream *self, const struct stream_event *told)
{
	struct event event = { .sequence = 0 };

	if (!self)
		return;
	event.run_ms = self->run_ms;
	event.sequence = ++self->sequence;
	event.when_ms = clock_wall_ms();
	copy_word(event.service, self->program->name);
	copy_word(event.kind, told->kind);
	event.kind_sequence = number_of_kind(self, event.kind);
	if (told->subject)
		copy_word(event.subject, told->subject);
	if (told->account)
		event.account = *told->account;
	event.trace = told->trace ? *told->trace : log_request();
	if (told->figure) {
		snprintf(event.figures[0].name, sizeof(event.figures[0].name),
		    "%s", told->figure);
		event.figures[0].value = told->value;
		event.figures_count = 1;
	}
	publish(self, &event);
}

enum status stream_new(struct stream **out, struct program *program)
{
	char endpoint[ENDPOINT_BYTES];
	struct allow_list allow = { 0 };
	struct stream *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->program = program;
	self->run_ms = clock_wall_ms();
	self->holding = true;
	self->release = (struct timer){ .fired = on_release, .arg = self };
	settings_endpoint(
	    program->conf, program->name, DOOR, program->name, DOOR, endpoint);
	enum status st = program_allow(program, "ops", &allow);
	if (st == STATUS_OK)
		st = bus_bind_stream(program->bus, DOOR, endpoint, &allow,
		    STREAM_QUEUE_MAX, &self->socket);
	if (st == STATUS_OK)
		st = loop_watch_socket(
		    program->loop, self->socket, on_subscription, self);
	if (st == STATUS_OK) {
		loop_timer_set(program->loop, &self->release, STREAM_HOLD_MS);
		*out = self;
		self = NULL;
	}
	stream_destroy(&self);
	return st;
}

void stream_destroy(struct stream **self_p)
{
	struct stream *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->program->loop, &self->release);
	for (size_t i = 0; i < self->held_count; i++) {
		zmq_msg_close(&self->held[i].topic);
		zmq_msg_close(&self->held[i].body);
	}
	if (self->socket)
		loop_forget_socket(self->program->loop, self->socket);
	bus_close_sent(&self->socket);
	free(self);
	*self_p = NULL;
}
