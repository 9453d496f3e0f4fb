#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/answers.h"
#include "service/server_internal.h"

/* One request and its answer: from the door it came in by, and back. */

static struct exchange **bucket_of(
    struct server *self, const struct id *request)
{
	return &self->buckets[get_be16(request->bytes) & (BUCKETS - 1)];
}

struct exchange *exchange_new(struct server *self, size_t door)
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

void exchange_link(struct exchange *x)
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

void exchange_unlink(struct exchange *x)
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

void exchange_destroy(struct exchange **x_p)
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

struct exchange *exchange_under_way(const struct exchange *x)
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
	server_check_stopped(self);
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
