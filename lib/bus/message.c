#include "bus/message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/log.h"
#include "base/util.h"

#define ENVELOPE_FRAME_BYTES_MAX 255

void message_init(struct message *self)
{
	for (size_t i = 0; i < ENVELOPE_FRAMES_MAX; i++)
		zmq_msg_init(&self->envelope[i]);
	zmq_msg_init(&self->header);
	zmq_msg_init(&self->body);
	zmq_msg_init(&self->payload);
	self->envelope_count = 0;
	self->has_payload = false;
}

void message_clear(struct message *self)
{
	for (size_t i = 0; i < ENVELOPE_FRAMES_MAX; i++)
		zmq_msg_close(&self->envelope[i]);
	zmq_msg_close(&self->header);
	zmq_msg_close(&self->body);
	zmq_msg_close(&self->payload);
	message_init(self);
}

void message_move(struct message *to, struct message *from)
{
	for (size_t i = 0; i < ENVELOPE_FRAMES_MAX; i++)
		zmq_msg_move(&to->envelope[i], &from->envelope[i]);
	zmq_msg_move(&to->header, &from->header);
	zmq_msg_move(&to->body, &from->body);
	zmq_msg_move(&to->payload, &from->payload);
	to->envelope_count = from->envelope_count;
	to->has_payload = from->has_payload;
	from->envelope_count = 0;
	from->has_payload = false;
}

struct slice frame_slice(const zmq_msg_t *frame)
{
	/* zmq_msg_data lacks a const; it does not change the frame. */
	return slice_of(zmq_msg_data((zmq_msg_t *)frame), zmq_msg_size(frame));
}

enum status frame_copy(zmq_msg_t *frame, struct slice source)
{
	zmq_msg_close(frame);
	if (zmq_msg_init_size(frame, source.len) != 0) {
		zmq_msg_init(frame);
		return STATUS_NO_SPACE;
	}
	if (source.len > 0)
		memcpy(zmq_msg_data(frame), source.data, source.len);
	return STATUS_OK;
}

static void frame_free(void *data, void *hint)
{
	(void)hint;
	free(data);
}

enum status frame_take(zmq_msg_t *frame, void *data, size_t len)
{
	zmq_msg_close(frame);
	if (zmq_msg_init_data(frame, data, len, frame_free, NULL) != 0) {
		free(data);
		zmq_msg_init(frame);
		return STATUS_NO_SPACE;
	}
	return STATUS_OK;
}

/* Frames of a message, in their order, with the bound of each. */
static zmq_msg_t *frame_at(struct message *self, size_t envelope_count,
    size_t index, size_t *bytes_max)
{
	if (index < envelope_count) {
		*bytes_max = ENVELOPE_FRAME_BYTES_MAX;
		return &self->envelope[index];
	}
	switch (index - envelope_count) {
	case 0:
		*bytes_max = HEADER_BYTES_MAX;
		return &self->header;
	case 1:
		*bytes_max = BODY_BYTES_MAX;
		return &self->body;
	case 2:
		*bytes_max = PAYLOAD_BYTES_MAX;
		return &self->payload;
	default:
		return NULL;
	}
}

/* Read and drop the frames that are left of a message. */
static void drain(void *socket)
{
	zmq_msg_t frame;
	bool more = true;

	zmq_msg_init(&frame);
	while (more && zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0)
		more = zmq_msg_more(&frame);
	zmq_msg_close(&frame);
}

static void forget_contents(struct message *self)
{
	zmq_msg_close(&self->header);
	zmq_msg_close(&self->body);
	zmq_msg_close(&self->payload);
	zmq_msg_init(&self->header);
	zmq_msg_init(&self->body);
	zmq_msg_init(&self->payload);
	self->has_payload = false;
}

enum status message_receive(
    struct message *self, void *socket, size_t envelope_count)
{
	enum status st = STATUS_OK;
	bool more = true;
	size_t index;

	assert(envelope_count <= ENVELOPE_FRAMES_MAX);
	message_clear(self);
	for (index = 0; more; index++) {
		size_t bytes_max;
		zmq_msg_t *frame =
		    frame_at(self, envelope_count, index, &bytes_max);
		if (!frame) {
			drain(socket);
			st = STATUS_MALFORMED;
			break;
		}
		if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
			/* Only the first can be missing: a message comes
			 * whole. */
			return STATUS_NOT_FOUND;
		}
		if (zmq_msg_size(frame) > bytes_max)
			st = STATUS_TOO_LARGE;
		if (index < envelope_count)
			self->envelope_count = index + 1;
		more = zmq_msg_more(frame);
	}
	if (st == STATUS_OK && index < envelope_count + 2)
		st = STATUS_MALFORMED;
	if (st != STATUS_OK)
		forget_contents(self);
	else
		self->has_payload = index == envelope_count + 3;
	return st;
}

enum status message_send(struct message *self, void *socket)
{
	size_t count = self->envelope_count + (self->has_payload ? 3 : 2);
	enum status st = STATUS_OK;

	for (size_t i = 0; i < count; i++) {
		size_t unused;
		zmq_msg_t *frame =
		    frame_at(self, self->envelope_count, i, &unused);
		int more = i + 1 < count ? ZMQ_SNDMORE : 0;
		if (zmq_msg_send(frame, socket, ZMQ_DONTWAIT | more) >= 0)
			continue;
		if (i == 0)
			return errno == EHOSTUNREACH ? STATUS_UNAVAILABLE
						     : STATUS_BUSY;
		/* The connection ended between two frames.  A DEALER drops
		 * the message, but wants the rest of it before another. */
		st = STATUS_UNAVAILABLE;
	}
	message_clear(self);
	return st;
}
