#ifndef KEEPSAKE_TESTS_PUMP_H
#define KEEPSAKE_TESTS_PUMP_H

#include <zmq.h>

#include "bus/message.h"
#include "load.h"

/* Requests by one socket, so many under way at a time. */

#define PUMP_WAIT_MS 60000

struct pump {
	void *socket;
	size_t envelope_count; /* to a gateway 0, to a service 1 */
	struct message answer; /* the last */
	struct header reply;   /* of that */
};

/* Fill in the request number ${index}: the header's request id is set. */
typedef void pump_make_fn(void *arg, size_t index, struct header *header,
    struct bytes *body, struct slice *payload);

static inline void pump_poll(const struct pump *self, short events)
{
	zmq_pollitem_t item = { .socket = self->socket, .events = events };

	if (zmq_poll(&item, 1, PUMP_WAIT_MS) != 1)
		errx(1, "the server is silent");
}

static inline struct pump pump_open(
    struct bus *bus, const char *endpoint, const uint8_t *server_key)
{
	struct pump self = { .envelope_count = server_key ? 0 : 1 };

	message_init(&self.answer);
	if (bus_connect(bus, endpoint, server_key, &self.socket) != STATUS_OK)
		errx(1, "%s: cannot connect", endpoint);
	pump_poll(&self, ZMQ_POLLOUT);
	return self;
}

static inline void pump_close(struct pump *self)
{
	message_clear(&self->answer);
	bus_close(&self->socket);
}

/* body and payload are borrowed; the payload until libzmq is done with it. */
static inline void pump_send(struct pump *self, const struct header *header,
    struct slice body, struct slice payload)
{
	struct bytes packed = { 0 };
	struct message message;

	message_init(&message);
	message.envelope_count = self->envelope_count;
	message.has_payload = payload.len > 0;
	if (header_pack(&packed, header) != STATUS_OK ||
	    frame_copy(&message.header, bytes_slice(&packed)) != STATUS_OK ||
	    frame_copy(&message.body, body) != STATUS_OK ||
	    (self->envelope_count > 0 && frame_copy(&message.envelope[0],
					     slice_text("way")) != STATUS_OK))
		errx(1, "no memory");
	if (message.has_payload)
		zmq_msg_init_data(&message.payload, (void *)payload.data,
		    payload.len, NULL, NULL);
	while (message_send(&message, self->socket) == STATUS_BUSY)
		pump_poll(self, ZMQ_POLLOUT);
	message_clear(&message);
	bytes_clear(&packed);
}

/* Take an answer that is there; false: none is. */
static inline bool pump_answer(struct pump *self)
{
	enum status st =
	    message_receive(&self->answer, self->socket, self->envelope_count);

	if (st == STATUS_NOT_FOUND)
		return false;
	if (st != STATUS_OK ||
	    header_unpack(&self->reply, frame_slice(&self->answer.header)) !=
		STATUS_OK)
		errx(1, "the answer is no message");
	return true;
}

/* The same, where it must be ${want}. */
static inline bool pump_take(struct pump *self, enum status want)
{
	if (!pump_answer(self))
		return false;
	if (self->reply.status != want)
		errx(1, "%s: %s", status_word(self->reply.status),
		    self->reply.detail);
	return true;
}

static inline void pump_make(struct pump *self, size_t index,
    pump_make_fn *make, void *arg, uint64_t deadline_ms)
{
	struct header header = { .deadline_ms = (uint32_t)deadline_ms };
	struct bytes body = { 0 };
	struct slice payload = { 0 };

	randombytes_buf(header.request.bytes, ID_BYTES);
	make(arg, index, &header, &body, &payload);
	pump_send(self, &header, bytes_slice(&body), payload);
	bytes_clear(&body);
}

/* Ask once more as long as the server says that it will be there soon. */
static inline void pump_settle(struct pump *self, pump_make_fn *make, void *arg)
{
	uint64_t by_ns = now_ns(CLOCK_MONOTONIC) + PUMP_WAIT_MS * 1000000ull;

	for (;;) {
		pump_make(self, 0, make, arg, PUMP_WAIT_MS);
		pump_poll(self, ZMQ_POLLIN);
		while (!pump_answer(self))
			pump_poll(self, ZMQ_POLLIN);
		if (self->reply.status == STATUS_OK)
			return;
		if (self->reply.status != STATUS_UNAVAILABLE ||
		    now_ns(CLOCK_MONOTONIC) > by_ns)
			errx(1, "%s: %s", status_word(self->reply.status),
			    self->reply.detail);
		struct timespec pause = {
			.tv_sec = self->reply.retry_after_ms / 1000,
			.tv_nsec = self->reply.retry_after_ms % 1000 * 1000000,
		};
		nanosleep(&pause, NULL);
	}
}

/* Make ${count} requests, ${window} under way; returns ns for all. */
static inline uint64_t pump_run(struct pump *self, size_t count, size_t window,
    enum status want, pump_make_fn *make, void *arg)
{
	size_t sent = 0, answered = 0;
	uint64_t begin = now_ns(CLOCK_MONOTONIC);

	while (answered < count) {
		while (sent < count && sent - answered < window)
			pump_make(self, sent++, make, arg, PUMP_WAIT_MS);
		pump_poll(self, ZMQ_POLLIN);
		while (answered < sent && pump_take(self, want))
			answered++;
	}
	return now_ns(CLOCK_MONOTONIC) - begin;
}

/* The median of ${count} round trips, one after the other, ns. */
static inline uint64_t pump_latency(struct pump *self, size_t count,
    enum status want, pump_make_fn *make, void *arg)
{
	uint64_t *samples = calloc(count, sizeof(*samples));

	if (!samples)
		errx(1, "no memory");
	for (size_t i = 0; i < count; i++)
		samples[i] = pump_run(self, 1, 1, want, make, arg);
	uint64_t median = median_of(samples, count);
	free(samples);
	return median;
}

#endif
