#ifndef KEEPSAKE_TESTS_TERMINAL_H
#define KEEPSAKE_TESTS_TERMINAL_H

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "base/bytes.h"
#include "bus/bus.h"
#include "bus/message.h"
#include "bus/unpack.h"
#include "common.pb-c.h"
#include "state.h"

/* What the tools that speak for a terminal have in common. */

#define ENDPOINT_BYTES (ENROLMENT_HOST_BYTES_MAX + 16)

/** The terminal of a state folder. */
struct terminal {
	struct state *state;
	struct curve_keys keys;
	struct enrolment enrolment;
};

static inline struct bytes bytes_from_hex(const char *text)
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

static inline struct terminal terminal_open(const char *folder)
{
	struct terminal self = { 0 };
	const char *why;

	if (state_open(&self.state, folder, &why) != STATUS_OK)
		errx(1, "%s: %s", folder, why);
	if (state_keys(self.state, &self.keys) != STATUS_OK ||
	    state_enrolment(self.state, &self.enrolment) != STATUS_OK)
		errx(1, "%s: no keys, or not enrolled", folder);
	return self;
}

static inline void terminal_close(struct terminal *self)
{
	sodium_memzero(&self->keys, sizeof(self->keys));
	state_close(&self->state);
}

/* A socket that is connected to the terminal's gateway, for two functions. */
struct line {
	struct bus *bus;
	void *socket;
	long wait_ms;
};

/* Wait until ${socket} is ready for ${events}; false: not in time. */
static inline bool line_wait(struct line *self, short events)
{
	zmq_pollitem_t item = { .socket = self->socket, .events = events };

	return zmq_poll(&item, 1, self->wait_ms) == 1;
}

static inline struct line line_open(
    const struct terminal *terminal, long wait_ms)
{
	struct line self = { .wait_ms = wait_ms };
	char endpoint[ENDPOINT_BYTES];

	snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u",
	    terminal->enrolment.host, terminal->enrolment.port);
	if (bus_new(&terminal->keys, &self.bus) != STATUS_OK ||
	    bus_connect(self.bus, endpoint, terminal->enrolment.gateway_key,
		&self.socket) != STATUS_OK)
		errx(1, "%s: cannot connect", endpoint);
	return self;
}

/* Wait until it is connected. */
static inline void line_ready(struct line *self)
{
	if (!line_wait(self, ZMQ_POLLOUT))
		errx(1, "the gateway does not answer");
}

static inline void line_close(struct line *self)
{
	bus_close(&self->socket);
	bus_destroy(&self->bus);
}

static inline void print_hex(struct slice source)
{
	char *text = malloc(HEX_BYTES(source.len));

	if (!text)
		errx(1, "no memory");
	hex_encode(text, source);
	printf("%s", source.len > 0 ? text : "-");
	free(text);
}

#endif
