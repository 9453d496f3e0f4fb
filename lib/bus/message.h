#ifndef KEEPSAKE_BUS_MESSAGE_H
#define KEEPSAKE_BUS_MESSAGE_H

#include <stdbool.h>
#include <zmq.h>

#include "base/bytes.h"
#include "bus/header.h"

/*
 * A message as its frames.  Before the header come the frames that lead it
 * back: none at a DEALER towards a gateway, the identity of the peer at a
 * ROUTER, and between gateway and service one more, the route, which the
 * gateway chose and the service returns as it is.
 */
#define ENVELOPE_FRAMES_MAX 2

struct message {
	zmq_msg_t envelope[ENVELOPE_FRAMES_MAX];
	size_t envelope_count;
	zmq_msg_t header;
	zmq_msg_t body;
	zmq_msg_t payload;
	bool has_payload;
};

/** Make ${self} an empty message; message_clear undoes it. */
void message_init(struct message *self);

/** Free all frames; ${self} is an empty message again. */
void message_clear(struct message *self);

/** Move all of ${from} into ${to}; what it held goes, ${from} is empty. */
void message_move(struct message *to, struct message *from);

/** The frame's bytes, good as long as the frame. */
struct slice frame_slice(const zmq_msg_t *frame);

/**
 * Make ${frame}, which is initialised, hold a copy of ${source}.
 *
 * STATUS_NO_SPACE  no memory; the frame is empty
 */
enum status frame_copy(zmq_msg_t *frame, struct slice source);

/**
 * Make ${frame} hold malloc'ed ${data} without a copy; takes it: free is
 * called once libzmq is done with it, also where this fails.
 */
enum status frame_take(zmq_msg_t *frame, void *data, size_t len);

/**
 * Receive one message without waiting.
 *
 * envelope_count  how many frames come before the header on this socket
 *
 * STATUS_OK         ${self} is filled; replace what it held
 * STATUS_NOT_FOUND  nothing waits
 * STATUS_MALFORMED  the frames do not make a message; the envelope is kept
 *                   as far as it came, the rest is empty
 * STATUS_TOO_LARGE  a frame past its bound; likewise
 */
enum status message_receive(
    struct message *self, void *socket, size_t envelope_count);

/**
 * Send ${self} without waiting and leave it empty; what cannot be sent
 * stays in ${self}.
 *
 * STATUS_OK           handed to libzmq
 * STATUS_BUSY         the socket's queue is full, or nobody is connected
 * STATUS_UNAVAILABLE  the peer that the envelope names is gone; or the
 *                     connection went between two frames, and ${self} is
 *                     empty: part of it was sent in vain
 */
enum status message_send(struct message *self, void *socket);

#endif
