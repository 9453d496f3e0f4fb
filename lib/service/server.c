#include "service/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "service/answers.h"
#include "service/orders.h"
#include "service/repeat.h"
#include "service/server_internal.h"
#include "service/settings.h"

#define EXCHANGES_MAX     4096
#define RECEIVE_BURST     64
#define ENVELOPE_FRAMES   2    /* identity of the peer, and its route */
#define STOP_MS_MAX       7000 /* the audit log and the last sync follow */
#define STOPPING_RETRY_MS 500
#define SETTLE_RETRY_MS   200
#define TOUCH_RETRY_MS    1000 /* auth is out of touch */

static const char *const role_words[] = {
	[ROLE_GATEWAY] = "gateway",
	[ROLE_OPS] = "ops",
	[ROLE_AUTH] = "auth",
	[ROLE_STORE] = "store",
	[ROLE_BINDING] = "binding",
	[ROLE_NOTIFY] = "notify",
};
_Static_assert(nitems(role_words) == ROLE_COUNT, "one word per role");

const char *role_word(enum role role)
{
	assert((unsigned int)role < ROLE_COUNT);
	return role_words[role];
}

/* ---- dispatch ---- */

static const struct handler *find_handler(
    const struct server *self, uint32_t type)
{
	for (size_t i = 0; i < server_common_handlers_count; i++)
		if (server_common_handlers[i].type == type)
			return &server_common_handlers[i];
	for (size_t i = 0; i < self->options.handlers_count; i++)
		if (self->options.handlers[i].type == type)
			return &self->options.handlers[i];
	return NULL;
}

/* Check the ticket of ${x} against what auth has ordered since. */
static enum status check_orders(struct exchange *x)
{
	const struct orders *orders = x->server->options.orders;

	if (!orders)
		return STATUS_OK;
	const char *refusal = orders_refusal(orders, &x->ticket);
	if (refusal)
		return exchange_refuse(x, STATUS_DENIED, "%s", refusal);
	if (!orders_settled(orders))
		return exchange_retry(x, STATUS_UNAVAILABLE, SETTLE_RETRY_MS,
		    "starting: auth is asked first what was revoked");
	if (x->ticket_expired && !orders_in_touch(orders))
		return exchange_retry(x, STATUS_UNAVAILABLE, TOUCH_RETRY_MS,
		    "the ticket has expired, and auth cannot be asked whether "
		    "it was revoked");
	return STATUS_OK;
}

/* Check the ticket of ${x} against what its row asks for. */
static enum status check_ticket(struct exchange *x)
{
	struct server *self = x->server;
	const struct peer *peer = &x->header.peer;

	if (x->header.ticket_len == 0)
		return exchange_refuse(
		    x, STATUS_AUTH_REQUIRED, "this needs a ticket");
	enum status st = ticket_cache_open(self->tickets, &x->ticket,
	    slice_of(x->header.ticket, x->header.ticket_len), clock_wall_ms());
	if (st == STATUS_EXPIRED && x->handler->flags & RENEWED)
		x->ticket_expired = true;
	else if (st == STATUS_EXPIRED)
		return exchange_refuse(
		    x, st, "the ticket has expired: authenticate again");
	else if (st != STATUS_OK)
		return exchange_refuse(
		    x, st, "the ticket is not one of auth's");
	if (peer->kind != PEER_CURVE_KEY || peer->id_len != TICKET_PEER_BYTES ||
	    memcmp(peer->id, x->ticket.peer, TICKET_PEER_BYTES) != 0)
		return exchange_refuse(x, STATUS_DENIED,
		    "the ticket was issued to another terminal's key");
	if (!(x->handler->rights & GOOD_FOR(x->ticket.direction)))
		return exchange_refuse(x, STATUS_AUTH_REQUIRED,
		    "the ticket is for %s, not for this",
		    direction_word(x->ticket.direction));
	if (!id_is_none(&x->header.account) &&
	    !id_equal(&x->header.account, &x->ticket.account))
		return exchange_refuse(
		    x, STATUS_DENIED, "the ticket is another account's");
	st = check_orders(x);
	x->has_ticket = st == STATUS_OK;
	return st;
}

static enum status check_and_run(struct exchange *x)
{
	struct server *self = x->server;

	x->handler = find_handler(self, x->header.type);
	if (!x->handler)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "message type %#x is unknown here", x->header.type);
	if (!(x->handler->roles & FROM(x->role)))
		return exchange_refuse(x, STATUS_DENIED,
		    "%s does not take this from %s", self->program->name,
		    role_word(x->role));
	if (self->stopping)
		return exchange_retry(
		    x, STATUS_UNAVAILABLE, STOPPING_RETRY_MS, "stopping");
	if (x->handler->rights != NO_TICKET) {
		enum status st = check_ticket(x);
		if (st != STATUS_OK)
			return st;
	}
	if (x->handler->flags & KEPT) {
		enum status st = answers_find(x);
		if (st == STATUS_CONFLICT)
			return exchange_refuse(x, st,
			    "this request id was used for another request");
		if (st != STATUS_NOT_FOUND)
			return st;
	}
	return x->handler->run(self->options.state, x);
}

static void serve(struct server *self, size_t door, enum status received)
{
	struct exchange *x = exchange_new(self, door);

	if (!x) {
		log_error(NULL, "no_memory", NULL);
		return; /* unanswered: the sender asks again */
	}
	message_move(&x->message, &self->incoming);
	if (received == STATUS_OK)
		received =
		    header_unpack(&x->header, frame_slice(&x->message.header));
	if (id_is_none(&x->header.request)) {
		/* Nothing to answer to. */
		log_warning(NULL, "message_refused", "from=%s status=%s",
		    role_word(x->role), status_word(received));
		exchange_destroy(&x);
		return;
	}
	x->body = frame_slice(&x->message.body);
	log_request_set(x->header.trace);
	struct exchange *under_way =
	    received == STATUS_OK ? exchange_under_way(x) : NULL;
	if (under_way) {
		repeat_take_over(x, under_way);
		exchange_destroy(&x);
		return;
	}
	exchange_link(x);
	if (received == STATUS_VERSION)
		exchange_refuse(x, received,
		    "this server speaks protocol %u.%u", PROTOCOL_MAJOR,
		    PROTOCOL_MINOR);
	else if (received == STATUS_OK && self->count > EXCHANGES_MAX)
		received = exchange_retry(
		    x, STATUS_BUSY, BUSY_RETRY_MS, "too much under way");
	else if (received == STATUS_OK)
		received = check_and_run(x);
	if (received != STATUS_PENDING)
		exchange_finish(&x, received);
}

static void on_readable(void *arg)
{
	struct door *door = arg;
	struct server *self = door->server;

	for (int i = 0; i < RECEIVE_BURST; i++) {
		enum status st = message_receive(
		    &self->incoming, door->socket, ENVELOPE_FRAMES);
		if (st == STATUS_NOT_FOUND)
			return;
		serve(self, (size_t)(door - self->doors), st);
		log_request_set((struct id){ 0 });
	}
}

/* ---- life ---- */

void server_check_stopped(struct server *self)
{
	if (!self->stopping || self->count > 0 || !self->stopped)
		return;
	loop_fn *stopped = self->stopped;
	self->stopped = NULL;
	loop_timer_cancel(self->program->loop, &self->stop_timer);
	stopped(self->stopped_arg);
}

enum status server_new(struct program *program,
    const struct server_options *options, struct server **out)
{
	enum status st = STATUS_NO_SPACE;
	struct server *self = calloc(1, sizeof(*self));

	if (!self)
		return st;
	self->program = program;
	self->options = *options;
	message_init(&self->incoming);
	st = request_counts_new(&self->counts);
	if (st == STATUS_OK && options->ticket_key) {
		self->tickets = ticket_cache_new(options->ticket_key);
		if (!self->tickets)
			st = STATUS_NO_SPACE;
	}
	if (st != STATUS_OK)
		goto out;
	*out = self;
	self = NULL;
out:
	server_destroy(&self);
	return st;
}

void server_destroy(struct server **self_p)
{
	struct server *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->program->loop, &self->stop_timer);
	for (size_t i = 0; i < self->doors_count; i++) {
		loop_forget_socket(self->program->loop, self->doors[i].socket);
		bus_close_sent(&self->doors[i].socket);
	}
	while (self->first) {
		struct exchange *x = self->first;
		exchange_unlink(x);
		exchange_destroy(&x);
	}
	ticket_cache_destroy(&self->tickets);
	request_counts_destroy(&self->counts);
	message_clear(&self->incoming);
	free(self);
	*self_p = NULL;
}

enum status server_open_door(struct server *self, enum role role)
{
	struct program *program = self->program;
	const char *word = role_word(role);
	char endpoint[ENDPOINT_BYTES], key[64];
	struct allow_list allow = { 0 };
	struct door *door = &self->doors[self->doors_count];

	assert(self->doors_count < DOORS_MAX);
	snprintf(key, sizeof(key), "listen_%s", word);
	settings_endpoint(program->conf, program->name, key,
	    settings_instance(program->conf, program->name), word, endpoint);
	enum status st = program_allow(program, word, &allow);
	if (st == STATUS_OK)
		st = bus_bind(
		    program->bus, word, endpoint, &allow, &door->socket);
	if (st != STATUS_OK)
		return st;
	door->server = self;
	door->role = role;
	self->doors_count++;
	return loop_watch_socket(
	    program->loop, door->socket, on_readable, door);
}

struct db *server_db(const struct server *self)
{
	return self->options.db;
}

const struct request_counts *server_requests(const struct server *self)
{
	return self->counts;
}

struct orders *server_orders(const struct server *self)
{
	return self->options.orders;
}

struct keyring *server_keyring(const struct server *self)
{
	return self->options.keyring;
}

static void on_stop_timer(void *arg)
{
	struct server *self = arg;

	log_warning(NULL, "stop_timed_out", "under_way=%zu", self->count);
	loop_fn *stopped = self->stopped;
	self->stopped = NULL;
	if (stopped)
		stopped(self->stopped_arg);
}

void server_stop(struct server *self, loop_fn *stopped, void *arg)
{
	self->stopping = true;
	self->stopped = stopped;
	self->stopped_arg = arg;
	self->stop_timer.fired = on_stop_timer;
	self->stop_timer.arg = self;
	loop_timer_set(self->program->loop, &self->stop_timer, STOP_MS_MAX);
	server_check_stopped(self);
}

enum status server_push(
    struct server *self, size_t door, struct message *message)
{
	assert(door < self->doors_count);
	return message_send(message, self->doors[door].socket);
}
