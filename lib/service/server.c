#include "service/server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "common.pb-c.h"
#include "service/answers.h"
#include "service/audit_read.h"
#include "service/backup.h"
#include "service/compact.h"
#include "service/orders.h"
#include "service/repeat.h"
#include "service/request_counts.h"
#include "service/settings.h"
#include "service/verify.h"

#define DOORS_MAX         8
#define EXCHANGES_MAX     4096
#define BUCKETS           1024 /* a power of two */
#define RECEIVE_BURST     64
#define ENVELOPE_FRAMES   2    /* identity of the peer, and its route */
#define STOP_MS_MAX       7000 /* the audit log and the last sync follow */
#define STOPPING_RETRY_MS 500
#define BUSY_RETRY_MS     200
#define SETTLE_RETRY_MS   200
#define TOUCH_RETRY_MS    1000 /* auth is out of touch */
#define FIGURES_MAX       64

struct door {
	struct server *server;
	enum role role;
	void *socket;
};

struct server {
	struct program *program;
	struct server_options options;
	struct ticket_cache *tickets;
	struct request_counts *counts;
	struct door doors[DOORS_MAX];
	size_t doors_count;
	struct exchange *buckets[BUCKETS]; /* parked ones, by request id */
	struct exchange *first;
	size_t count;
	bool stopping;
	loop_fn *stopped;
	void *stopped_arg;
	struct timer stop_timer;
	struct message incoming;
};

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

/* ---- exchanges ---- */

static struct exchange **bucket_of(
    struct server *self, const struct id *request)
{
	return &self->buckets[get_be16(request->bytes) & (BUCKETS - 1)];
}

static struct exchange *exchange_new(struct server *self, size_t door)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->server = self;
	x->door = door;
	x->began_us = histogram_now_us();
	x->role = self->doors[door].role;
	message_init(&x->message);
	zmq_msg_init(&x->reply_payload);
	unpack_begin(&x->unpack);
	return x;
}

static void exchange_link(struct exchange *x)
{
	struct server *self = x->server;
	struct exchange **bucket = bucket_of(self, &x->header.request);

	x->next_in_bucket = *bucket;
	*bucket = x;
	x->next = self->first;
	if (self->first)
		self->first->previous = x;
	self->first = x;
	self->count++;
}

static void exchange_unlink(struct exchange *x)
{
	struct server *self = x->server;
	struct exchange **at = bucket_of(self, &x->header.request);

	while (*at != x)
		at = &(*at)->next_in_bucket;
	*at = x->next_in_bucket;
	if (x->previous)
		x->previous->next = x->next;
	else
		self->first = x->next;
	if (x->next)
		x->next->previous = x->previous;
	self->count--;
}

static void exchange_destroy(struct exchange **x_p)
{
	struct exchange *x = *x_p;

	if (!x)
		return;
	unpack_end(&x->unpack);
	message_clear(&x->message);
	zmq_msg_close(&x->reply_payload);
	bytes_clear(&x->reply_body);
	explicit_bzero(x, sizeof(*x));
	free(x);
	*x_p = NULL;
}

/* Whether ${x} asks the same as ${other}, which is under way. */
static bool same_request(const struct exchange *x, const struct exchange *other)
{
	return id_equal(&x->header.request, &other->header.request) &&
	       x->role == other->role && x->header.type == other->header.type &&
	       x->header.peer.id_len == other->header.peer.id_len &&
	       memcmp(x->header.peer.id, other->header.peer.id,
		   x->header.peer.id_len) == 0 &&
	       slice_equal(x->body, other->body);
}

static struct exchange *find_under_way(const struct exchange *x)
{
	struct exchange *other = *bucket_of(x->server, &x->header.request);

	while (other && !same_request(x, other))
		other = other->next_in_bucket;
	return other;
}

static void fill_reply(struct exchange *x, enum status status)
{
	struct header *reply = &x->reply;

	reply->request = x->header.request;
	reply->trace = x->header.trace;
	reply->type = TYPE_REPLY;
	reply->status = status;
	reply->server_time_ms = clock_wall_ms();
	if (status != STATUS_OK && reply->detail[0] == '\0')
		header_detail(reply, "%s", status_text(status));
}

static void exchange_send(struct exchange *x, enum status status)
{
	struct message *message = &x->message;
	struct bytes packed = { 0 };

	fill_reply(x, status);
	enum status st = header_pack(&packed, &x->reply);
	if (st == STATUS_OK)
		st = frame_copy(&message->header, bytes_slice(&packed));
	if (st == STATUS_OK)
		st = frame_copy(&message->body,
		    status == STATUS_OK ? bytes_slice(&x->reply_body)
					: (struct slice){ 0 });
	zmq_msg_close(&message->payload);
	zmq_msg_init(&message->payload);
	message->has_payload = status == STATUS_OK && x->reply_has_payload;
	if (message->has_payload)
		zmq_msg_move(&message->payload, &x->reply_payload);
	if (st == STATUS_OK)
		st = message_send(message, x->server->doors[x->door].socket);
	/* Who does not take the answer asks again. */
	if (st != STATUS_OK)
		log_debug(&x->header.trace, "answer_dropped", "status=%s",
		    status_word(st));
	bytes_clear(&packed);
}

static void log_outcome(const struct exchange *x, enum status status)
{
	enum log_level level = LOG_DEBUG;

	if (status == STATUS_INTERNAL || status == STATUS_NO_SPACE ||
	    status == STATUS_UNKNOWN)
		level = LOG_ERROR;
	log_line(level, &x->header.trace, "answered",
	    "type=%s from=%s status=%s", x->handler ? x->handler->name : "-",
	    role_word(x->role), status_word(status));
}

static void check_stopped(struct server *self)
{
	if (!self->stopping || self->count > 0 || !self->stopped)
		return;
	loop_fn *stopped = self->stopped;
	self->stopped = NULL;
	loop_timer_cancel(self->program->loop, &self->stop_timer);
	stopped(self->stopped_arg);
}

void exchange_finish(struct exchange **x_p, enum status status)
{
	struct exchange *x = *x_p;
	struct server *self = x->server;

	assert(status != STATUS_PENDING);
	log_outcome(x, status);
	request_counts_note(self->counts, x->header.type,
	    x->handler ? x->handler->name : NULL, status,
	    histogram_now_us() - x->began_us);
	exchange_send(x, status);
	exchange_unlink(x);
	exchange_destroy(x_p);
	check_stopped(self);
}

enum status exchange_unpack(
    struct exchange *x, const ProtobufCMessageDescriptor *type, void *out)
{
	enum status st = unpack_message(&x->unpack, type, x->body, out);

	if (st == STATUS_VERSION)
		return exchange_refuse(x, st,
		    "the body has a critical field unknown to protocol %u.%u",
		    PROTOCOL_MAJOR, PROTOCOL_MINOR);
	if (st != STATUS_OK)
		return exchange_refuse(
		    x, st, "the body is no %s message", type->short_name);
	return st;
}

enum status exchange_reply(struct exchange *x, const ProtobufCMessage *message)
{
	x->reply_body.len = 0;
	return pack_message(&x->reply_body, message);
}

enum status exchange_refuse(
    struct exchange *x, enum status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	header_detail_args(&x->reply, format, args);
	va_end(args);
	return status;
}

enum status exchange_retry(struct exchange *x, enum status status,
    uint32_t retry_after_ms, const char *detail)
{
	x->reply.retry_after_ms = retry_after_ms;
	return exchange_refuse(x, status, "%s", detail);
}

static void on_committed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct exchange *x = arg;

	if (x->committed)
		status = x->committed(x, status, generation, failed_op);
	if (status == STATUS_PENDING)
		return;
	if (status == STATUS_BUSY && x->reply.retry_after_ms == 0)
		x->reply.retry_after_ms = BUSY_RETRY_MS;
	exchange_finish(&x, status);
}

enum status exchange_commit(struct exchange *x, struct db_batch **batch_p,
    enum status (*committed)(struct exchange *exchange, enum status status,
	uint64_t generation, size_t failed_op))
{
	x->committed = committed;
	if (x->handler->flags & KEPT)
		answers_put(*batch_p, x);
	enum status st =
	    db_submit(x->server->options.db, batch_p, on_committed, x);
	db_batch_destroy(batch_p);
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, BUSY_RETRY_MS, "the database has much to do");
	return st;
}

/* ---- what every process answers ---- */

static enum status on_ping(void *state, struct exchange *x)
{
	(void)state;
	(void)x;
	return STATUS_OK;
}

/* The figures of one report while it is made. */
struct report {
	Common__StatusReport message;
	Common__Figure figures[FIGURES_MAX];
	Common__Figure *pointers[FIGURES_MAX];
};

static void add_figure(struct exchange *x, const char *name, uint64_t value)
{
	struct report *report = x->parked;
	size_t index = report->message.n_figures;

	assert(index < FIGURES_MAX);
	report->figures[index] = (Common__Figure)COMMON__FIGURE__INIT;
	report->figures[index].name = (char *)name;
	report->figures[index].value = value;
	report->pointers[index] = &report->figures[index];
	report->message.n_figures++;
}

static void add_db_figures(struct exchange *x, struct db *db)
{
	struct db_stats stats;

	if (db_stats(db, &stats) != STATUS_OK)
		return;
	add_figure(x, "db_accounts", stats.accounts);
	add_figure(x, "db_rows", stats.rows);
	add_figure(x, "db_blobs", stats.blobs);
	add_figure(x, "db_used_bytes", stats.used_bytes);
	add_figure(x, "db_free_bytes", stats.free_bytes);
	add_figure(x, "db_map_bytes", stats.map_bytes);
	add_figure(x, "db_commits", stats.commits);
	add_figure(x, "db_batches", stats.batches);
	add_figure(x, "db_queue_batches", stats.queue_batches);
}

static void add_order_figures(struct exchange *x, const struct orders *orders)
{
	add_figure(x, "revocations", orders_revocations(orders));
	add_figure(x, "accounts_deleted", orders_deletions(orders));
	add_figure(x, "auth_in_touch", orders_in_touch(orders));
}

/* ${x} carries ${report} to those who add to it. */
static void collect_figures(struct exchange *x, struct report *report)
{
	const struct server *self = x->server;

	x->parked = report;
	add_figure(x, "requests_under_way", self->count);
	if (self->options.db)
		add_db_figures(x, self->options.db);
	if (self->options.audit) {
		struct audit_figures audit = audit_figures(self->options.audit);
		add_figure(x, "audit_records", audit.records);
		add_figure(x, "audit_pending", audit.pending);
	}
	if (self->options.orders)
		add_order_figures(x, self->options.orders);
	if (self->options.figures)
		self->options.figures(self->options.state, x, add_figure);
	x->parked = NULL;
}

void server_figures(struct server *self,
    void (*each)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct exchange nobody = { .server = self };
	struct report report = { .message = COMMON__STATUS_REPORT__INIT };

	collect_figures(&nobody, &report);
	for (size_t i = 0; i < report.message.n_figures; i++)
		each(arg, report.figures[i].name, report.figures[i].value);
}

static enum status on_status(void *state, struct exchange *x)
{
	const struct server *self = x->server;
	char name[64];
	struct report report = {
		.message = COMMON__STATUS_REPORT__INIT,
	};

	(void)state;
	snprintf(name, sizeof(name), "keepsake-%s",
	    settings_instance(self->program->conf, self->program->name));
	report.message.program = name;
	report.message.version = (char *)KEEPSAKE_VERSION;
	report.message.uptime_ms =
	    clock_interval_ms() - self->program->started_ms;
	report.message.pid = (uint32_t)getpid();
	report.message.figures = report.pointers;
	collect_figures(x, &report);
	return exchange_reply(x, &report.message.base);
}

static enum status on_rekey(void *state, struct exchange *x)
{
	struct server *self = x->server;
	Common__RekeyDone done = COMMON__REKEY_DONE__INIT;
	uint8_t id[MASTER_ID_BYTES];

	(void)state;
	if (!self->options.keyring)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no account keys");
	if (backup_runs(self->options.backup))
		return exchange_retry(x, STATUS_BUSY, 1000,
		    "a backup is being made: try again when it is");
	enum status st = keyring_rotate(
	    self->options.keyring, self->program->conf, &done.slots, id);
	if (st != STATUS_OK)
		return exchange_refuse(
		    x, st, "account keys not wrapped anew: see the log");
	done.master_id = (ProtobufCBinaryData){ sizeof(id), id };
	log_info(&x->header.trace, "account_keys_rotated", "slots=%llu",
	    (unsigned long long)done.slots);
	if (self->options.audit)
		audit_note(self->options.audit, NULL,
		    &(struct audit_event){
			.action = "master_key_rotated", .actor = "operator" });
	return exchange_reply(x, &done.base);
}

static enum status on_audit_read(void *state, struct exchange *x)
{
	struct audit *audit = x->server->options.audit;

	(void)state;
	if (!audit)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no audit log");
	return audit_on_read(audit, x);
}

static enum status on_compact(void *state, struct exchange *x)
{
	const struct server_options *options = &x->server->options;

	(void)state;
	return compact_on_compact(
	    options->db, options->journal, options->audit, x);
}

static enum status on_backup(void *state, struct exchange *x)
{
	(void)state;
	return backup_on_backup(x->server->options.backup, x);
}

static enum status on_verify(void *state, struct exchange *x)
{
	(void)state;
	return verify_on_verify(x->server->options.service, x);
}

/* clang-format off */
static const struct handler common_handlers[] = {
	{ TYPE_PING,         "PING",         UINT32_MAX,      NO_TICKET, PLAIN, on_ping },
	{ TYPE_STATUS_QUERY, "STATUS_QUERY", FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_status },
	{ TYPE_ORDERS,       "ORDERS",       FROM(ROLE_AUTH), NO_TICKET, PLAIN, orders_on_orders },
	{ TYPE_AUDIT_READ,   "AUDIT_READ",   FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_audit_read },
	{ TYPE_REKEY,        "REKEY",        FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_rekey },
	{ TYPE_COMPACT,      "COMPACT",      FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_compact },
	{ TYPE_BACKUP,       "BACKUP",       FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_backup },
	{ TYPE_VERIFY,       "VERIFY",       FROM(ROLE_OPS),  NO_TICKET, PLAIN, on_verify },
};
/* clang-format on */

/* ---- dispatch ---- */

static const struct handler *find_handler(
    const struct server *self, uint32_t type)
{
	for (size_t i = 0; i < nitems(common_handlers); i++)
		if (common_handlers[i].type == type)
			return &common_handlers[i];
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
	    received == STATUS_OK ? find_under_way(x) : NULL;
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
	check_stopped(self);
}

enum status server_push(
    struct server *self, size_t door, struct message *message)
{
	assert(door < self->doors_count);
	return message_send(message, self->doors[door].socket);
}
