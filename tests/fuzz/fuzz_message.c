#include "bus/message.h"
#include "base/bounds.h"
#include "fuzz.h"

static void *receiver, *sender;

static void sockets_make(void)
{
	void *context = zmq_ctx_new(); /* for good */

	must(context);
	receiver = zmq_socket(context, ZMQ_PAIR);
	sender = zmq_socket(context, ZMQ_PAIR);
	must(receiver && sender);
	must(zmq_bind(receiver, "inproc://fuzz") == 0);
	must(zmq_connect(sender, "inproc://fuzz") == 0);
}

/*
 * The frames of a message: a byte says how many come before the header,
 * then each frame has its length, two bytes, before it.
 *
 * Must hold: all frames of a message are taken from the socket, whatever
 * they are, and what is accepted has header and body within their bounds.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	size_t envelope_count = take_byte(&input) % (ENVELOPE_FRAMES_MAX + 1);
	struct message message;
	zmq_msg_t left;

	if (!receiver)
		sockets_make();
	do {
		struct slice frame = take(&input, take_16(&input));
		int more = input.len > 0 ? ZMQ_SNDMORE : 0;
		must(zmq_send(sender, frame.data, frame.len, more) >= 0);
	} while (input.len > 0);

	message_init(&message);
	enum status st = message_receive(&message, receiver, envelope_count);
	must(st != STATUS_NOT_FOUND);
	if (st == STATUS_OK) {
		must(message.envelope_count == envelope_count);
		must(zmq_msg_size(&message.header) <= HEADER_BYTES_MAX);
		must(zmq_msg_size(&message.body) <= BODY_BYTES_MAX);
	}
	message_clear(&message);
	zmq_msg_init(&left);
	must(zmq_msg_recv(&left, receiver, ZMQ_DONTWAIT) < 0);
	zmq_msg_close(&left);
	return 0;
}
