/*
 * rawpeer ENDPOINT TYPE [HEX]
 *
 * One message from a service to another, by the door ENDPOINT (ipc://…, which
 * tells who sends it): of TYPE, a number, with the body HEX.  Prints what
 * comes back, as rawclient does: the status, the payload's length, the body
 * as hex or "-", the detail; "silence" where nothing comes.
 *
 * Exit status: 0 printed, 1 no connection, 2 wrong arguments.
 */
#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "bus/bus.h"
#include "bus/header.h"
#include "bus/message.h"

#define WAIT_MS 10000

static struct bytes bytes_from_hex(const char *text)
{
	struct bytes self = { 0 };
	size_t len = strlen(text) / 2;

	if (bytes_reserve(&self, len + 1) != STATUS_OK)
		errx(1, "no memory");
	if (hex_decode(self.data, len, text) != STATUS_OK)
		errx(2, "'%s' is not hex", text);
	self.len = len;
	return self;
}

static void wait_until(void *socket, short events, const char *why)
{
	zmq_pollitem_t item = { .socket = socket, .events = events };

	if (zmq_poll(&item, 1, WAIT_MS) == 1)
		return;
	printf("silence: %s\n", why);
	exit(events == ZMQ_POLLIN ? 0 : 1);
}

static void send_request(void *socket, uint32_t type, const struct bytes *body)
{
	struct header header = { .type = type, .deadline_ms = WAIT_MS };
	struct bytes packed = { 0 };
	struct message message;

	randombytes_buf(header.request.bytes, ID_BYTES);
	message_init(&message);
	message.envelope_count = 1;
	if (header_pack(&packed, &header) != STATUS_OK ||
	    frame_copy(&message.header, bytes_slice(&packed)) != STATUS_OK ||
	    frame_copy(&message.body, bytes_slice(body)) != STATUS_OK ||
	    message_send(&message, socket) != STATUS_OK)
		errx(1, "not sent");
	message_clear(&message);
	bytes_clear(&packed);
}

static void print_answer(void *socket)
{
	struct message answer;
	struct header header;

	message_init(&answer);
	if (message_receive(&answer, socket, 1) != STATUS_OK ||
	    header_unpack(&header, frame_slice(&answer.header)) != STATUS_OK)
		errx(1, "the answer is no message");
	struct slice body = frame_slice(&answer.body);
	char *text = malloc(HEX_BYTES(body.len));
	if (!text)
		errx(1, "no memory");
	hex_encode(text, body);
	printf("%s %zu %s %s\n", status_word(header.status),
	    answer.has_payload ? zmq_msg_size(&answer.payload) : 0,
	    body.len > 0 ? text : "-", header.detail);
	free(text);
	message_clear(&answer);
}

int main(int argc, char **argv)
{
	struct bytes body = { 0 };
	struct curve_keys keys;
	struct bus *bus = NULL;
	void *socket = NULL;
	char *end;

	if (argc != 3 && argc != 4)
		errx(2, "usage: rawpeer ENDPOINT TYPE [HEX]");
	uint32_t type = (uint32_t)strtoul(argv[2], &end, 0);
	if (end == argv[2] || *end != '\0')
		errx(2, "'%s' is not a number", argv[2]);
	if (argc == 4)
		body = bytes_from_hex(argv[3]);
	if (curve_keys_make(&keys) != STATUS_OK ||
	    bus_new(&keys, &bus) != STATUS_OK ||
	    bus_connect(bus, argv[1], NULL, &socket) != STATUS_OK)
		errx(1, "%s: cannot connect", argv[1]);
	wait_until(socket, ZMQ_POLLOUT, "no connection");
	send_request(socket, type, &body);
	wait_until(socket, ZMQ_POLLIN, "no answer");
	print_answer(socket);
	bytes_clear(&body);
	bus_close(&socket);
	bus_destroy(&bus);
	return 0;
}
