#ifndef KEEPSAKE_TESTS_ATTACK_H
#define KEEPSAKE_TESTS_ATTACK_H

#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "bus/bus.h"
#include "bus/message.h"
#include "bus/unpack.h"
#include "session.h"
#include "state.h"

/*
 * The terminal of a state folder, for tools that send what no honest one
 * would: its keys, its server, its logins, and a connection on which many
 * requests may be under way.  What goes wrong here ends the tool.
 */

#define TERMINAL_WAIT_MS 60000

struct terminal {
	struct state *state;
	struct curve_keys keys;
	struct enrolment enrolment;
	struct session *session; /* for logins */
	struct bus *bus;
	void *socket;
};

static inline void terminal_open(struct terminal *self, const char *folder)
{
	char endpoint[ENROLMENT_HOST_BYTES_MAX + 16];
	const char *why;

	memset(self, 0, sizeof(*self));
	if (state_open(&self->state, folder, &why) != STATUS_OK)
		errx(1, "%s: %s", folder, why);
	if (state_keys(self->state, &self->keys) != STATUS_OK ||
	    state_enrolment(self->state, &self->enrolment) != STATUS_OK)
		errx(1, "%s: no keys, or not enrolled", folder);
	const struct session_options options = {
		.enrolment = &self->enrolment,
		.keys = &self->keys,
		.timeout_ms = TERMINAL_WAIT_MS,
	};
	snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u",
	    self->enrolment.host, self->enrolment.port);
	if (session_new(&self->session, &options) != STATUS_OK ||
	    bus_new(&self->keys, &self->bus) != STATUS_OK ||
	    bus_connect(self->bus, endpoint, self->enrolment.gateway_key,
		&self->socket) != STATUS_OK)
		errx(1, "%s: cannot connect", endpoint);
}

static inline void terminal_close(struct terminal *self)
{
	session_destroy(&self->session);
	bus_close(&self->socket);
	bus_destroy(&self->bus);
	sodium_memzero(&self->keys, sizeof(self->keys));
	state_close(&self->state);
}

/* The password in the first line of a file. */
static inline void password_read(const char *path, char out[static 256])
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(out, 256, file))
		err(2, "%s", path);
	fclose(file);
	out[strcspn(out, "\n")] = '\0';
}

/* Prove the password for ${direction}; for login_destroy. */
static inline struct login *terminal_login(struct terminal *self,
    const char *name, const char *password, enum direction direction)
{
	const struct code_factors code = {
		.set = CODE_PASSWORD,
		.password = slice_text(password),
	};
	struct login *login = NULL;

	enum status st =
	    session_login(self->session, name, &code, direction, &login);
	if (st != STATUS_OK)
		errx(1, "login for %s: %s: %s", direction_word(direction),
		    status_word(st), session_detail(self->session));
	return login;
}

/* Send a request, once the connection is there. */
static inline void terminal_send(struct terminal *self,
    const struct header *header, struct slice body, struct slice payload)
{
	zmq_pollitem_t item = { self->socket, 0, ZMQ_POLLOUT, 0 };
	struct bytes packed = { 0 };
	struct message message;

	message_init(&message);
	if (header_pack(&packed, header) != STATUS_OK ||
	    frame_copy(&message.header, bytes_slice(&packed)) != STATUS_OK ||
	    frame_copy(&message.body, body) != STATUS_OK ||
	    frame_copy(&message.payload, payload) != STATUS_OK)
		errx(1, "no memory");
	message.has_payload = payload.len > 0;
	if (zmq_poll(&item, 1, TERMINAL_WAIT_MS) != 1 ||
	    message_send(&message, self->socket) != STATUS_OK)
		errx(1, "the gateway takes nothing");
	message_clear(&message);
	bytes_clear(&packed);
}

/* Wait for the next answer; ${message} is initialised. */
static inline void terminal_receive(
    struct terminal *self, struct message *message, struct header *header)
{
	zmq_pollitem_t item = { self->socket, 0, ZMQ_POLLIN, 0 };

	message_clear(message);
	if (zmq_poll(&item, 1, TERMINAL_WAIT_MS) != 1)
		errx(1, "no answer comes");
	if (message_receive(message, self->socket, 0) != STATUS_OK ||
	    header_unpack(header, frame_slice(&message->header)) != STATUS_OK)
		errx(1, "the answer is no message");
}

#endif
