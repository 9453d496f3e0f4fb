#include "bus/caller.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

#define TICK_MS         250
#define RESEND_MS_FIRST 5000 /* silence on a living link: ask again */
#define RESEND_MS_MAX   60000
#define SLOW_MS_MAX     (5 * 60 * 1000) /* one answer, while bytes move */
#define SILENT_MS       30000           /* then another place is tried */
#define RETRY_MS_MIN    50
#define BUCKETS         1024 /* a power of two */
#define RECEIVE_BURST   64
#define REASON_BYTES    (DETAIL_BYTES_MAX + 1)

/* One request under way. */
struct call {
	struct call *next_in_bucket;
	struct call *next, *previous; /* all, oldest first */
	struct id request;
	struct id trace;        /* that it is for, as log_request */
	struct message message; /* kept until answered, to send again */
	uint64_t deadline_ms;   /* these three on clock_interval_ms */
	uint64_t due_ms;        /* when to send, or send again */
	uint64_t resend_ms;     /* the next silence to bear */
	uint64_t sent_ms;       /* 0: it waits to be sent */
	answer_fn *done;
	void *arg;
	/* The last answer that asked to come again: why it failed. */
	enum status last_status;
	char last_detail[REASON_BYTES];
};

struct caller {
	struct loop *loop;
	char name[32];
	struct connection *connection;
	size_t envelope_count;
	void (*pushed)(void *arg, const struct header *header,
	    const struct message *message);
	void *arg;
	struct call *buckets[BUCKETS];
	struct call *first, *last;
	size_t count;
	struct timer tick;
	bool far;
	uint64_t bytes;    /* that went over the link, both ways */
	uint64_t moved_ms; /* when that was seen to change */
	uint64_t heard_ms; /* the last sign of life, while there are calls */
	bool closing;      /* nothing may be asked any more */
	struct message incoming;
};

static struct call **bucket_of(struct caller *self, const struct id *request)
{
	/* The first bytes of an id are random. */
	size_t index = get_be16(request->bytes) & (BUCKETS - 1);

	return &self->buckets[index];
}

static struct call *find_call(struct caller *self, const struct id *request)
{
	struct call *call = *bucket_of(self, request);

	while (call && !id_equal(&call->request, request))
		call = call->next_in_bucket;
	return call;
}

static void insert(struct caller *self, struct call *call)
{
	struct call **bucket = bucket_of(self, &call->request);

	call->next_in_bucket = *bucket;
	*bucket = call;
	call->previous = self->last;
	if (self->last)
		self->last->next = call;
	else
		self->first = call;
	self->last = call;
	self->count++;
}

static void withdraw(struct caller *self, struct call *call)
{
	struct call **at = bucket_of(self, &call->request);

	while (*at != call)
		at = &(*at)->next_in_bucket;
	*at = call->next_in_bucket;
	if (call->previous)
		call->previous->next = call->next;
	else
		self->first = call->next;
	if (call->next)
		call->next->previous = call->previous;
	else
		self->last = call->previous;
	self->count--;
}

/* Hand ${answer} to who asked; the call ends. */
static void finish(
    struct caller *self, struct call *call, const struct answer *answer)
{
	struct id before = log_request_set(call->trace);

	withdraw(self, call);
	call->done(call->arg, answer);
	log_request_set(before);
	message_clear(&call->message);
	free(call);
}

static void why_silent(
    const struct caller *self, char reason[static REASON_BYTES])
{
	static const char *const texts[] = {
		[LINK_NEVER] = "nobody answers at its address",
		[LINK_REFUSED] = "the server's key is not the expected one, "
				 "or it refuses ours",
		[LINK_UP] = "connected, but no answer in time",
		[LINK_LOST] = "the connection was lost",
	};

	snprintf(reason, REASON_BYTES, "%s: %s", self->name,
	    texts[caller_link(self)]);
}

static void give_up(struct caller *self, struct call *call)
{
	struct answer answer = { .status = STATUS_UNAVAILABLE };
	char reason[REASON_BYTES];

	if (call->last_status != STATUS_OK) {
		answer.status = call->last_status;
		memcpy(reason, call->last_detail, sizeof(reason));
	} else {
		why_silent(self, reason);
	}
	answer.detail = reason;
	finish(self, call, &answer);
}

/* Send a copy that shares the bytes, and keep the call's own. */
static void send_call(struct caller *self, struct call *call, uint64_t now)
{
	struct message copy;

	message_init(&copy);
	copy.envelope_count = call->message.envelope_count;
	copy.has_payload = call->message.has_payload;
	for (size_t i = 0; i < copy.envelope_count; i++)
		zmq_msg_copy(&copy.envelope[i], &call->message.envelope[i]);
	zmq_msg_copy(&copy.header, &call->message.header);
	zmq_msg_copy(&copy.body, &call->message.body);
	zmq_msg_copy(&copy.payload, &call->message.payload);
	/* What left before on_connected would be sent twice. */
	if (connection_state(self->connection) == LINK_UP &&
	    message_send(&copy, connection_socket(self->connection)) ==
		STATUS_OK) {
		call->sent_ms = now;
		call->due_ms = now + call->resend_ms;
		call->resend_ms =
		    min_of(call->resend_ms * 2, (uint64_t)RESEND_MS_MAX);
	} else {
		call->sent_ms = 0;
		call->due_ms = now + TICK_MS; /* or when it is connected */
	}
	message_clear(&copy);
}

static void note_movement(struct caller *self, uint64_t now)
{
	uint64_t bytes = connection_bytes(self->connection);

	if (bytes != self->bytes)
		self->moved_ms = now;
	self->bytes = bytes;
}

/*
 * Whether what was sent is on its way still, as far as one can see: to send
 * it again would only make a slow link slower.
 */
static bool is_on_its_way(
    const struct caller *self, const struct call *call, uint64_t now)
{
	return call->sent_ms > 0 && now - call->sent_ms < SLOW_MS_MAX &&
	       now - self->moved_ms < RESEND_MS_FIRST;
}

/* A call that is due: to be sent, or after a silence again. */
static void send_due(struct caller *self, struct call *call, uint64_t now)
{
	if (self->far && is_on_its_way(self, call, now))
		return;
	/* The link is there, and who is at the other end does nothing. */
	if (self->far && call->sent_ms > 0 && now - self->heard_ms >= SILENT_MS)
		connection_silent(self->connection);
	send_call(self, call, now);
}

static void on_tick(void *arg)
{
	struct caller *self = arg;
	uint64_t now = clock_interval_ms();
	struct call *next;

	note_movement(self, now);
	for (struct call *call = self->first; call; call = next) {
		next = call->next;
		if (now >= call->deadline_ms)
			give_up(self, call);
		else if (now >= call->due_ms)
			send_due(self, call, now);
	}
	if (self->count > 0)
		loop_timer_set(self->loop, &self->tick, TICK_MS);
}

static void on_connected(void *arg)
{
	struct caller *self = arg;
	uint64_t now = clock_interval_ms();

	self->heard_ms = now;
	for (struct call *call = self->first; call; call = call->next)
		if (call->last_status == STATUS_OK || now >= call->due_ms)
			send_call(self, call, now);
}

static bool wants_retry(const struct header *header)
{
	return (header->status == STATUS_BUSY ||
		   header->status == STATUS_UNAVAILABLE) &&
	       header->retry_after_ms > 0;
}

static void retry_later(
    const struct caller *self, struct call *call, const struct header *header)
{
	call->due_ms = clock_interval_ms();
	call->sent_ms = 0;
	/* Else as soon as it is connected elsewhere. */
	if (!connection_leaves(self->connection, header))
		call->due_ms +=
		    max_of(header->retry_after_ms, (uint32_t)RETRY_MS_MIN);
	call->resend_ms = RESEND_MS_FIRST;
	call->last_status = header->status;
	memcpy(call->last_detail, header->detail, sizeof(header->detail));
}

static void on_message(struct caller *self)
{
	struct message *message = &self->incoming;
	struct header header;
	enum status st = header_unpack(&header, frame_slice(&message->header));

	if (st != STATUS_OK) {
		log_warning(NULL, "answer_refused", "from=%s status=%s",
		    self->name, status_word(st));
		return;
	}
	self->heard_ms = clock_interval_ms();
	connection_judge(self->connection, &header);
	struct call *call = find_call(self, &header.request);
	if (!call) {
		/* A push, or the second answer to a repeated request. */
		if (self->pushed && header.type != TYPE_REPLY)
			self->pushed(self->arg, &header, message);
		return;
	}
	if (wants_retry(&header)) {
		retry_later(self, call, &header);
		return;
	}
	struct answer answer = {
		.status = header.status,
		.header = &header,
		.body = frame_slice(&message->body),
		.payload = message->has_payload ? &message->payload : NULL,
		.detail = header.detail,
	};
	finish(self, call, &answer);
}

static void on_readable(void *arg)
{
	struct caller *self = arg;
	void *socket = connection_socket(self->connection);

	for (int i = 0; i < RECEIVE_BURST; i++) {
		enum status st = message_receive(
		    &self->incoming, socket, self->envelope_count);
		if (st == STATUS_NOT_FOUND)
			return;
		if (st == STATUS_OK)
			on_message(self);
		message_clear(&self->incoming);
	}
}

/* End the calls that are under way, not what is asked meanwhile. */
static void give_up_all(struct caller *self)
{
	const struct call *last = self->last;
	bool more = last != NULL;

	while (more) {
		more = self->first != last;
		give_up(self, self->first);
	}
}

static void on_refused(void *arg)
{
	give_up_all(arg);
}

static enum status connect_to(
    struct caller *self, struct bus *bus, const struct caller_options *options)
{
	struct place places[PLACES_MAX] = {
		{ options->endpoint, options->server_key },
	};
	const struct connection_options connection = {
		.places = places,
		.places_count = 1 + options->others_count,
		.far = options->far,
		.refusals_max = options->refusals_max,
		.readable = on_readable,
		.connected = on_connected,
		.refused = on_refused,
		.arg = self,
	};

	assert(options->others_count < PLACES_MAX);
	for (size_t i = 0; i < options->others_count; i++)
		places[1 + i] = options->others[i];
	return connection_new(bus, self->loop, &connection, &self->connection);
}

enum status caller_new(struct bus *bus, struct loop *loop,
    const struct caller_options *options, struct caller **out)
{
	struct caller *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	message_init(&self->incoming);
	self->loop = loop;
	snprintf(self->name, sizeof(self->name), "%s", options->name);
	self->envelope_count = options->envelope_count;
	self->pushed = options->pushed;
	self->arg = options->arg;
	self->far = options->far;
	self->tick = (struct timer){ .fired = on_tick, .arg = self };
	enum status st = connect_to(self, bus, options);
	if (st != STATUS_OK)
		caller_destroy(&self);
	*out = self;
	return st;
}

void caller_destroy(struct caller **self_p)
{
	struct caller *self = *self_p;

	if (!self)
		return;
	self->closing = true;
	loop_timer_cancel(self->loop, &self->tick);
	give_up_all(self);
	connection_destroy(&self->connection);
	message_clear(&self->incoming);
	free(self);
	*self_p = NULL;
}

static enum status fill_message(struct message *message, size_t envelope_count,
    const struct header *header, struct slice body, zmq_msg_t *payload)
{
	struct bytes packed = { 0 };
	enum status st = header_pack(&packed, header);

	if (st == STATUS_OK)
		st = frame_copy(&message->header, bytes_slice(&packed));
	if (st == STATUS_OK)
		st = frame_copy(&message->body, body);
	if (st == STATUS_OK && payload) {
		zmq_msg_move(&message->payload, payload);
		message->has_payload = true;
	}
	message->envelope_count = envelope_count;
	bytes_clear(&packed);
	return st;
}

enum status caller_ask(struct caller *self, struct header *header,
    struct slice body, zmq_msg_t *payload, answer_fn *done, void *arg)
{
	assert(header->deadline_ms > 0);
	if (self->closing)
		return STATUS_UNAVAILABLE;
	if (self->count >= CALLS_MAX)
		return STATUS_BUSY;
	struct call *call = calloc(1, sizeof(*call));
	if (!call)
		return STATUS_NO_SPACE;
	message_init(&call->message);
	if (id_is_none(&header->request))
		randombytes_buf(header->request.bytes, ID_BYTES);
	enum status st = fill_message(
	    &call->message, self->envelope_count, header, body, payload);
	if (st != STATUS_OK) {
		message_clear(&call->message);
		free(call);
		return st;
	}
	uint64_t now = clock_interval_ms();
	call->request = header->request;
	call->trace = log_request();
	call->deadline_ms = now + header->deadline_ms;
	call->resend_ms = RESEND_MS_FIRST;
	call->done = done;
	call->arg = arg;
	if (self->count == 0)
		self->heard_ms = now; /* nothing was to be heard before */
	insert(self, call);
	send_call(self, call, now);
	if (!self->tick.is_set)
		loop_timer_set(self->loop, &self->tick, TICK_MS);
	return STATUS_OK;
}

enum link_state caller_link(const struct caller *self)
{
	return connection_state(self->connection);
}

unsigned int caller_connections(const struct caller *self)
{
	return connection_times(self->connection);
}

struct place caller_place(const struct caller *self)
{
	return connection_place(self->connection);
}

size_t caller_pending(const struct caller *self)
{
	return self->count;
}
