#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "service/settings.h"
#include "service/trust.h"

static void on_db(void *arg)
{
	struct service *self = arg;

	db_complete(self->db);
}

static void on_stopped(void *arg)
{
	struct service *self = arg;

	loop_stop(self->program.loop);
}

static void on_stop_requested(void *arg)
{
	struct service *self = arg;

	server_stop(self->server, on_stopped, self);
}

static enum status open_db(
    struct service *self, const struct service_kind *kind)
{
	const struct conf *conf = self->program.conf;
	struct db_options options = {
		.path = conf_text(conf, kind->name, "data"),
		.service = kind->name,
		.format = kind->format,
		.map_bytes = conf_number(conf, kind->name, "map_bytes"),
		.map_bytes_max = conf_number(conf, kind->name, "map_bytes_max"),
		.reserve_bytes = conf_number(conf, kind->name, "reserve_bytes"),
		.blob_reader = kind->blob_reader,
	};

	enum status st = folder_make(options.path);
	if (st == STATUS_OK)
		st = db_open(&options, &self->db);
	if (st != STATUS_OK)
		return st;
	return loop_watch_fd(
	    self->program.loop, db_event_fd(self->db), on_db, self);
}

static enum status connect_peer(struct service *self, enum role role)
{
	struct program *program = &self->program;
	const char *word = role_word(role);
	uint8_t key[CURVE_KEY_BYTES];
	char endpoint[ENDPOINT_BYTES];

	enum status st = program_peer_key(program, word, key);
	if (st != STATUS_OK)
		return st;
	settings_endpoint(
	    program->conf, program->name, word, word, program->name, endpoint);
	struct caller_options options = {
		.name = word,
		.endpoint = endpoint,
		.server_key = key,
		.envelope_count = 1,
	};
	return caller_new(
	    program->bus, program->loop, &options, &self->peers[role]);
}

static enum status connect_peers(struct service *self, uint32_t peers)
{
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		if (!(peers & FROM(role)))
			continue;
		enum status st = connect_peer(self, role);
		if (st != STATUS_OK)
			return st;
	}
	if (!self->peers[ROLE_NOTIFY])
		return STATUS_OK;
	return outbox_new(self->db, self->program.loop,
	    self->peers[ROLE_NOTIFY], &self->outbox);
}

static enum status open_server(
    struct service *self, const struct service_kind *kind)
{
	struct auth_public trusted;

	enum status st = trust_read(&trusted, self->program.conf);
	if (st != STATUS_OK)
		return st;
	struct server_options options = {
		.handlers = kind->handlers,
		.handlers_count = kind->handlers_count,
		.state = self->state,
		.db = self->db,
		.ticket_key = trusted.ticket,
		.figures = kind->figures,
	};
	st = server_new(&self->program, &options, &self->server);
	for (enum role role = 0; role < ROLE_COUNT && st == STATUS_OK; role++)
		if (kind->doors & FROM(role))
			st = server_open_door(self->server, role);
	return st;
}

int service_main(const struct service_kind *kind, int argc, char **argv)
{
	struct service self = { 0 };
	int exit_code;

	if (program_begin(&self.program, kind->name, kind->about, argc, argv,
		&exit_code) != PROGRAM_GO_ON)
		return exit_code;
	enum status st = open_db(&self, kind);
	if (st == STATUS_OK)
		st = connect_peers(&self, kind->peers);
	if (st == STATUS_OK)
		st = kind->open(&self, &self.state);
	if (st == STATUS_OK)
		st = open_server(&self, kind);
	if (st == STATUS_OK) {
		self.program.stop_requested = on_stop_requested;
		self.program.stop_arg = &self;
		st = program_run(&self.program);
	} else {
		log_error(NULL, "start_failed", "status=%s", status_word(st));
	}

	/*
	 * Who waits for a peer is told that none answers; then what is
	 * submitted still becomes durable, and is answered too.
	 */
	if (self.db)
		loop_forget_fd(self.program.loop, db_event_fd(self.db));
	if (self.outbox)
		outbox_disconnect(self.outbox);
	for (size_t i = 0; i < nitems(self.peers); i++)
		caller_destroy(&self.peers[i]);
	db_close(&self.db);
	outbox_destroy(&self.outbox);
	server_destroy(&self.server);
	if (self.state)
		kind->close(&self.state);
	log_info(NULL, "stopped", NULL);
	program_end(&self.program);
	return st == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

enum status service_ask(struct service *self, enum role peer, uint32_t type,
    const struct id *account, const struct header *behalf,
    const ProtobufCMessage *body, answer_fn *done, void *arg)
{
	struct header header = {
		.type = type,
		.deadline_ms = SERVICE_ASK_MS,
	};
	struct bytes packed = { 0 };

	if (!self->peers[peer])
		return STATUS_UNAVAILABLE; /* closed, as the service ends */
	if (account)
		header.account = *account;
	if (behalf)
		header.trace = behalf->trace;
	if (behalf && behalf->deadline_ms > 0)
		header.deadline_ms = min_of(header.deadline_ms,
		    behalf->deadline_ms - behalf->deadline_ms / 4);
	enum status st = pack_message(&packed, body);
	if (st == STATUS_OK)
		st = caller_ask(self->peers[peer], &header,
		    bytes_slice(&packed), NULL, done, arg);
	bytes_clear(&packed);
	return st;
}
