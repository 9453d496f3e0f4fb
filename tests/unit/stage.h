#ifndef KEEPSAKE_TESTS_STAGE_H
#define KEEPSAKE_TESTS_STAGE_H

#include <check.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/util.h"
#include "bus/loop.h"
#include "common.pb-c.h"
#include "db/db.h"
#include "ring.h"
#include "scratch.h"
#include "service/server.h"
#include "service/settings.h"
#include "skip_time.h"

/*
 * A real server on a real database, as a program of its own would have them,
 * and a gateway and an operator that talk to it: all on one loop.
 */

#define STAGE_WAIT_MS 20000 /* a test that would wait for good ends here */

static struct program program;
static struct server *server;
static struct db *db;
static struct server_options stage_options;
static uint8_t ticket_public[TICKET_PUBLIC_BYTES];
static uint8_t ticket_secret[TICKET_SECRET_BYTES];

/* One that asks: what it sends is written here byte by byte. */
struct asker {
	enum role role;
	struct bus *bus;
	void *socket;
	struct message answer; /* the last; its header is unpacked: */
	struct header reply;
};

static struct asker gateway = { .role = ROLE_GATEWAY };
static struct asker ops = { .role = ROLE_OPS };

static inline void stage_on_db(void *arg)
{
	(void)arg;
	db_complete(db);
}

static inline void stage_write_key(const char *role)
{
	struct curve_keys keys;
	char path[64];

	snprintf(path, sizeof(path), "keys/%s.public", role);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(
	    curve_public_write(keys.public_key, scratch_path(path)), STATUS_OK);
}

/* Adds what a test wants to stage_options, keys being open; or NULL. */
static void (*stage_prepare)(void);

/* The server's process begins: database, bus, doors. */
static inline void stage_open(void)
{
	struct curve_keys keys;
	struct db_options options = {
		.path = scratch_path("data"),
		.service = "store",
		.format = 1,
		.map_bytes = 1 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 20,
	};

	ck_assert_int_eq(db_open(&options, &db), STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_fd(program.loop, db_event_fd(db), stage_on_db, NULL),
	    STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &program.bus), STATUS_OK);
	ring_open("store");
	stage_options.db = db;
	stage_options.keyring = ring;
	stage_options.ticket_key = ticket_public;
	if (stage_prepare)
		stage_prepare();
	ck_assert_int_eq(
	    server_new(&program, &stage_options, &server), STATUS_OK);
	ck_assert_int_eq(server_open_door(server, ROLE_GATEWAY), STATUS_OK);
	ck_assert_int_eq(server_open_door(server, ROLE_OPS), STATUS_OK);
}

/* It ends. */
static inline void stage_close(void)
{
	if (db)
		loop_forget_fd(program.loop, db_event_fd(db));
	db_close(&db);
	server_destroy(&server);
	ring_close();
	bus_destroy(&program.bus);
}

static inline void asker_connect(struct asker *self)
{
	struct curve_keys keys;
	char endpoint[ENDPOINT_BYTES];

	settings_endpoint(program.conf, role_word(self->role), program.name,
	    program.name, role_word(self->role), endpoint);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &self->bus), STATUS_OK);
	ck_assert_int_eq(
	    bus_connect(self->bus, endpoint, NULL, &self->socket), STATUS_OK);
	message_init(&self->answer);
}

static inline void asker_disconnect(struct asker *self)
{
	message_clear(&self->answer);
	bus_close(&self->socket);
	bus_destroy(&self->bus);
}

static inline void stage_setup(
    const struct handler *handlers, size_t handlers_count)
{
	scratch_make();
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_RUN", scratch_path("run"), 1), 0);
	program.name = "store";
	program.started_ms = clock_interval_ms();
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &program.conf),
	    STATUS_OK);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	stage_write_key("gateway");
	stage_write_key("ops");
	crypto_sign_keypair(ticket_public, ticket_secret);
	ck_assert_int_eq(loop_new(&program.loop), STATUS_OK);
	stage_options.handlers = handlers;
	stage_options.handlers_count = handlers_count;
	stage_open();
	asker_connect(&gateway);
	asker_connect(&ops);
}

/*
 * The server's process ends, and another begins.  Who asks connects anew: a
 * message may be lost on a connection that is just ending, and nobody here
 * sends it again.
 */
static inline void stage_restart(void)
{
	asker_disconnect(&gateway);
	asker_disconnect(&ops);
	stage_close();
	stage_open();
	asker_connect(&gateway);
	asker_connect(&ops);
}

static inline void stage_teardown(void)
{
	asker_disconnect(&gateway);
	asker_disconnect(&ops);
	stage_close();
	arena_close();
	loop_destroy(&program.loop);
	conf_destroy(&program.conf);
	scratch_remove();
}

/* ---- asking ---- */

/* A request as the gateway passes it on; a test changes what it likes. */
struct request {
	struct header header;
	struct slice body;
	struct slice payload; /* none where it is empty */
	const char *route;
};

static inline struct request request_of(uint32_t type)
{
	struct request request = {
		.header = {
			.type = type,
			.deadline_ms = 60000,
			.peer = { PEER_CURVE_KEY, "key of the terminal",
			    PEER_ID_BYTES, "127.0.0.1" },
		},
		.route = "route",
	};

	randombytes_buf(request.header.request.bytes, ID_BYTES);
	request.header.trace = request.header.request;
	return request;
}

/* The ticket that auth would give ${request}'s peer. */
static inline struct ticket ticket_for(const struct request *request,
    const struct id *account, enum direction direction)
{
	struct ticket ticket = {
		.direction = direction,
		.account = *account,
		.terminal = { "terminal" },
		.issued_ms = clock_wall_ms(),
		.expiry_ms = clock_wall_ms() + 300000,
	};

	memcpy(ticket.peer, request->header.peer.id, TICKET_PEER_BYTES);
	randombytes_buf(ticket.nonce, sizeof(ticket.nonce));
	return ticket;
}

static inline void request_sign(
    struct request *request, const struct ticket *ticket)
{
	ticket_sign(request->header.ticket, ticket, ticket_secret);
	request->header.ticket_len = TICKET_BYTES;
}

static inline void request_ticket(
    struct request *request, const struct id *account, enum direction direction)
{
	struct ticket ticket = ticket_for(request, account, direction);

	request_sign(request, &ticket);
}

static inline void message_fill(
    struct message *message, const struct request *request)
{
	struct bytes packed = { 0 };

	message_init(message);
	message->envelope_count = 1;
	ck_assert_int_eq(header_pack(&packed, &request->header), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&message->envelope[0], slice_text(request->route)),
	    STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&message->header, bytes_slice(&packed)), STATUS_OK);
	ck_assert_int_eq(frame_copy(&message->body, request->body), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&message->payload, request->payload), STATUS_OK);
	message->has_payload = request->payload.len > 0;
	bytes_clear(&packed);
}

/* Send ${message}, however it was made, once the connection is there. */
static inline void asker_send_message(
    struct asker *self, struct message *message)
{
	zmq_pollitem_t item = { self->socket, 0, ZMQ_POLLOUT, 0 };

	ck_assert_int_eq(zmq_poll(&item, 1, STAGE_WAIT_MS), 1);
	ck_assert_int_eq(message_send(message, self->socket), STATUS_OK);
}

static inline void asker_send(struct asker *self, const struct request *request)
{
	struct message message;

	message_fill(&message, request);
	asker_send_message(self, &message);
}

struct waiting {
	struct asker *asker;
	bool answered, timed_out;
};

static inline void stage_on_answer(void *arg)
{
	struct waiting *waiting = arg;

	waiting->answered = true;
	loop_stop(program.loop);
}

static inline void stage_on_timeout(void *arg)
{
	struct waiting *waiting = arg;

	waiting->timed_out = true;
	loop_stop(program.loop);
}

/* Run the loop until an answer comes; its status. */
static inline enum status asker_wait(struct asker *self)
{
	struct waiting waiting = { .asker = self };
	struct timer guard = { .fired = stage_on_timeout, .arg = &waiting };

	ck_assert_int_eq(loop_watch_socket(program.loop, self->socket,
			     stage_on_answer, &waiting),
	    STATUS_OK);
	loop_timer_set(program.loop, &guard, STAGE_WAIT_MS);
	while (!waiting.answered && !waiting.timed_out)
		ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
	loop_timer_cancel(program.loop, &guard);
	loop_forget_socket(program.loop, self->socket);
	ck_assert(!waiting.timed_out);
	ck_assert_int_eq(
	    message_receive(&self->answer, self->socket, 1), STATUS_OK);
	ck_assert_int_eq(
	    header_unpack(&self->reply, frame_slice(&self->answer.header)),
	    STATUS_OK);
	return self->reply.status;
}

static inline enum status asker_ask(
    struct asker *self, const struct request *request)
{
	asker_send(self, request);
	enum status st = asker_wait(self);
	ck_assert(id_equal(&self->reply.request, &request->header.request));
	ck_assert_uint_eq(self->reply.type, TYPE_REPLY);
	return st;
}

/*
 * Nothing came of what was sent before: a PING that is sent behind it is
 * what is answered first.
 */
static inline void asker_hears_nothing(struct asker *self)
{
	struct request ping = request_of(TYPE_PING);

	ck_assert_int_eq(asker_ask(self, &ping), STATUS_OK);
}

/* The number in a Figure, which is the body of the stage's answers. */
static inline uint64_t figure_of(struct slice body)
{
	Common__Figure *figure;
	struct unpack unpack;

	unpack_begin(&unpack);
	ck_assert_int_eq(
	    unpack_message(&unpack, &common__figure__descriptor, body, &figure),
	    STATUS_OK);
	uint64_t value = figure->value;
	unpack_end(&unpack);
	return value;
}

static inline void figure_pack(struct bytes *out, uint64_t value)
{
	Common__Figure figure = COMMON__FIGURE__INIT;

	figure.value = value;
	out->len = 0;
	ck_assert_int_eq(pack_message(out, &figure.base), STATUS_OK);
}

#endif
