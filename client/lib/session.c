#include "session_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "crypto/envelope.h"
#include "gateways.h"

#define REFUSALS_MAX     3
#define WAITING_MS       3000 /* then a person is told */
#define PUSHES_MAX       16   /* more are dropped: they come again */
#define ASSOCIATED_BYTES (ID_BYTES + 4)

/* A push that was not asked for yet. */
struct push {
	uint32_t type;
	struct bytes body;
};

struct session {
	struct enrolment enrolment;
	struct bus *bus;
	struct loop *loop;
	struct caller *caller;
	uint32_t timeout_ms;
	struct slice invitation; /* borrowed; empty: none */
	void (*waiting)(void *arg, const char *what);
	void *arg;

	struct timer slow;    /* an answer is taking long */
	struct timer pausing; /* session_pushed has waited enough */
	bool answered;
	enum status status; /* of the answer */
	struct bytes body;  /* of the answer; opened, where it was sealed */
	struct unpack unpack;
	uint32_t tries_remaining; /* as on the wire: one more, 0 is not told */
	uint32_t retry_after_ms;
	char detail[DETAIL_BYTES_MAX + 1];
	const char *advice;

	struct push pushes[PUSHES_MAX]; /* oldest first */
	size_t pushes_count;
};

enum status session_refuse(
    struct session *self, enum status status, const char *detail)
{
	self->status = status;
	snprintf(self->detail, sizeof(self->detail), "%s",
	    detail && detail[0] ? detail : status_text(status));
	self->advice = session_advice_here(status);
	return status;
}

void session_advise(struct session *self, const char *advice)
{
	self->advice = advice;
}

void session_set_invitation(struct session *self, struct slice invitation)
{
	self->invitation = invitation;
}

const struct enrolment *session_enrolment(const struct session *self)
{
	return &self->enrolment;
}

static void on_slow(void *arg)
{
	struct session *self = arg;
	const char *endpoint = caller_place(self->caller).endpoint;

	if (self->waiting)
		self->waiting(self->arg, endpoint + strlen("tcp://"));
}

static void on_paused(void *arg)
{
	struct session *self = arg;

	loop_stop(self->loop);
}

static void on_push(
    void *arg, const struct header *header, const struct message *message)
{
	struct session *self = arg;

	if (self->pushes_count == PUSHES_MAX)
		return;
	struct push *push = &self->pushes[self->pushes_count];
	if (bytes_copy(&push->body, frame_slice(&message->body)) != STATUS_OK)
		return;
	push->type = header->type;
	self->pushes_count++;
	if (self->pausing.is_set)
		loop_stop(self->loop);
}

enum status session_new(
    struct session **self_out, const struct session_options *options)
{
	struct session *self = calloc(1, sizeof(*self));
	struct caller_options link = { .refusals_max = REFUSALS_MAX };
	struct gateways gateways;
	enum status st = STATUS_NO_SPACE;

	assert(options->timeout_ms > 0);
	if (!self)
		goto out;
	unpack_begin(&self->unpack);
	self->enrolment = *options->enrolment;
	self->timeout_ms = options->timeout_ms;
	self->waiting = options->waiting;
	self->arg = options->arg;
	self->advice = "";
	self->slow = (struct timer){ .fired = on_slow, .arg = self };
	self->pausing = (struct timer){ .fired = on_paused, .arg = self };
	gateways_fill(&link, &gateways, &self->enrolment);
	link.pushed = on_push;
	link.arg = self;
	st = bus_new(options->keys, &self->bus);
	if (st == STATUS_OK)
		st = loop_new(&self->loop);
	if (st == STATUS_OK)
		st = caller_new(self->bus, self->loop, &link, &self->caller);
	if (st != STATUS_OK)
		goto out;
	*self_out = self;
	self = NULL;
out:
	session_destroy(&self);
	return st;
}

void session_destroy(struct session **self_p)
{
	struct session *self = *self_p;

	if (!self)
		return;
	caller_destroy(&self->caller);
	loop_destroy(&self->loop);
	bus_destroy(&self->bus);
	unpack_end(&self->unpack);
	bytes_clear(&self->body);
	for (size_t i = 0; i < nitems(self->pushes); i++)
		bytes_clear(&self->pushes[i].body);
	free(self);
	*self_p = NULL;
}

const char *session_detail(const struct session *self)
{
	return self->detail;
}

const char *session_advice(const struct session *self)
{
	return self->advice;
}

bool session_tries_remaining(const struct session *self, uint32_t *out)
{
	if (self->tries_remaining == 0)
		return false;
	*out = self->tries_remaining - 1;
	return true;
}

uint32_t session_retry_after_ms(const struct session *self)
{
	return self->retry_after_ms;
}

/* ---- one question ---- */

static void on_answer(void *arg, const struct answer *answer)
{
	struct session *self = arg;
	enum status st = answer->status;

	self->answered = true;
	self->status = st;
	if (answer->header) {
		self->tries_remaining = answer->header->tries_remaining;
		self->retry_after_ms = answer->header->retry_after_ms;
	}
	if (st == STATUS_OK)
		st = bytes_copy(&self->body, answer->body);
	if (st != STATUS_OK)
		session_refuse(self, st, answer->detail);
	if (st == answer->status &&
	    (answer->header || st == STATUS_UNAVAILABLE))
		self->advice =
		    session_advice_for(st, caller_link(self->caller));
	loop_stop(self->loop);
}

static void forget_answer(struct session *self)
{
	unpack_end(&self->unpack);
	unpack_begin(&self->unpack);
	bytes_clear(&self->body);
	self->detail[0] = '\0';
	self->advice = "";
	self->tries_remaining = 0;
	self->retry_after_ms = 0;
}

/* Send ${body} and wait; the answer's body is in self->body then. */
static enum status ask(struct session *self, struct header *header,
    struct slice ticket, struct slice body)
{
	if (ticket.len > sizeof(header->ticket))
		return session_refuse(
		    self, STATUS_INTERNAL, "a ticket too long");
	if (ticket.len > 0)
		memcpy(header->ticket, ticket.data, ticket.len);
	header->ticket_len = ticket.len;
	header->deadline_ms = self->timeout_ms;
	self->answered = false;
	enum status st =
	    caller_ask(self->caller, header, body, NULL, on_answer, self);
	if (st != STATUS_OK)
		return session_refuse(self, st, NULL);
	loop_timer_set(self->loop, &self->slow, WAITING_MS);
	while (st == STATUS_OK && !self->answered)
		st = loop_run(self->loop);
	loop_timer_cancel(self->loop, &self->slow);
	return st == STATUS_OK ? self->status : session_refuse(self, st, NULL);
}

static enum status unpack_answer(
    struct session *self, const ProtobufCMessageDescriptor *type, void *out)
{
	if (!type)
		return STATUS_OK;
	enum status st =
	    unpack_message(&self->unpack, type, bytes_slice(&self->body), out);
	if (st != STATUS_OK)
		return session_refuse(
		    self, st, "the server's answer is not what was asked for");
	return STATUS_OK;
}

enum status session_ask(struct session *self, uint32_t type,
    struct slice ticket, const ProtobufCMessage *body,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out)
{
	struct header header = { .type = type };
	struct bytes packed = { 0 };
	enum status st = STATUS_OK;

	if (body)
		st = pack_message(&packed, body);
	forget_answer(self);
	if (st == STATUS_OK)
		st = ask(self, &header, ticket, bytes_slice(&packed));
	else
		session_refuse(self, st, NULL);
	if (st == STATUS_OK)
		st = unpack_answer(self, reply_type, reply_out);
	bytes_clear(&packed);
	sodium_memzero(&header, sizeof(header));
	return st;
}

/* ---- sealed to auth ---- */

/* One sealed exchange: the id is drawn first, for it is sealed in. */
struct sealed {
	struct header header;
	uint8_t associated[ASSOCIATED_BYTES];
	struct envelope_reply_key reply_key;
	struct bytes data;
};

static enum status sealed_begin(struct sealed *self, uint32_t type,
    const struct enrolment *enrolment, struct slice plain)
{
	*self = (struct sealed){ .header.type = type };
	randombytes_buf(self->header.request.bytes, ID_BYTES);
	memcpy(self->associated, self->header.request.bytes, ID_BYTES);
	put_be32(self->associated + ID_BYTES, type);
	enum status st =
	    bytes_reserve(&self->data, ENVELOPE_REQUEST_BYTES(plain.len));
	if (st != STATUS_OK)
		return st;
	self->data.len = ENVELOPE_REQUEST_BYTES(plain.len);
	return envelope_request_seal(self->data.data, &self->reply_key,
	    enrolment->auth_x25519, plain,
	    slice_of(self->associated, sizeof(self->associated)));
}

static void sealed_end(struct sealed *self)
{
	bytes_clear(&self->data);
	sodium_memzero(self, sizeof(*self));
}

/* Open the Sealed in self->body into self->body. */
static enum status open_answer(
    struct session *self, const struct sealed *sealed)
{
	struct bytes plain = { 0 };
	Auth__Sealed *answer = NULL;
	enum status st =
	    unpack_answer(self, &auth__sealed__descriptor, &answer);

	if (st != STATUS_OK)
		return st;
	if (answer->data.len < SEAL_EXTRA_BYTES)
		return session_refuse(self, STATUS_MALFORMED,
		    "the server's answer is too short to be sealed");
	st = bytes_reserve(&plain, answer->data.len);
	if (st == STATUS_OK) {
		plain.len = answer->data.len - SEAL_EXTRA_BYTES;
		st = envelope_reply_open(plain.data, &sealed->reply_key,
		    field_slice(answer->data),
		    slice_of(sealed->associated, sizeof(sealed->associated)));
	}
	if (st != STATUS_OK) {
		bytes_clear(&plain);
		return session_refuse(self, st,
		    "the answer was not sealed by the enrolled server");
	}
	bytes_clear(&self->body);
	self->body = plain;
	return STATUS_OK;
}

enum status session_ask_sealed(struct session *self, uint32_t type,
    struct slice ticket, const ProtobufCMessage *body,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out)
{
	Auth__Sealed message = AUTH__SEALED__INIT;
	struct bytes plain = { 0 }, packed = { 0 };
	struct sealed sealed = { 0 };
	enum status st = pack_message(&plain, body);

	forget_answer(self);
	if (st == STATUS_OK)
		st = sealed_begin(
		    &sealed, type, &self->enrolment, bytes_slice(&plain));
	message.data = field_of(bytes_slice(&sealed.data));
	if (st == STATUS_OK)
		st = pack_message(&packed, &message.base);
	if (st == STATUS_OK)
		st = ask(self, &sealed.header, ticket, bytes_slice(&packed));
	else
		session_refuse(self, st, NULL);
	if (st == STATUS_OK)
		st = open_answer(self, &sealed);
	if (st == STATUS_OK)
		st = unpack_answer(self, reply_type, reply_out);
	bytes_clear(&plain);
	bytes_clear(&packed);
	sealed_end(&sealed);
	return st;
}

/* The name as it is sealed: alone, or with a NUL and the invitation. */
static enum status who_asks(
    const struct session *self, const char *name, struct bytes *out)
{
	enum status st = bytes_copy(out, slice_text(name));

	if (self->invitation.len == 0 || st != STATUS_OK)
		return st;
	st = bytes_append(out, slice_of("", 1));
	return st == STATUS_OK ? bytes_append(out, self->invitation) : st;
}

enum status session_ask_named(struct session *self, uint32_t type,
    const char *name, const ProtobufCMessage *body,
    ProtobufCBinaryData *name_sealed,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out)
{
	struct bytes plain = { 0 }, packed = { 0 };
	struct sealed sealed = { 0 };
	enum status st = who_asks(self, name, &plain);

	forget_answer(self);
	if (st == STATUS_OK)
		st = sealed_begin(
		    &sealed, type, &self->enrolment, bytes_slice(&plain));
	*name_sealed = field_of(bytes_slice(&sealed.data));
	if (st == STATUS_OK)
		st = pack_message(&packed, body);
	if (st == STATUS_OK)
		st = ask(self, &sealed.header, (struct slice){ 0 },
		    bytes_slice(&packed));
	else
		session_refuse(self, st, NULL);
	if (st == STATUS_OK)
		st = unpack_answer(self, reply_type, reply_out);
	*name_sealed = (ProtobufCBinaryData){ 0 };
	bytes_clear(&plain);
	bytes_clear(&packed);
	sealed_end(&sealed);
	return st;
}

/* ---- pushes ---- */

static enum status take_push(struct session *self, uint32_t type,
    const ProtobufCMessageDescriptor *message_type, void *out)
{
	struct push push = self->pushes[0];

	self->pushes_count--;
	memmove(self->pushes, self->pushes + 1,
	    self->pushes_count * sizeof(self->pushes[0]));
	self->pushes[self->pushes_count] = (struct push){ 0 };
	forget_answer(self);
	self->body = push.body;
	if (push.type != type)
		return session_refuse(
		    self, STATUS_MALFORMED, "a push of another kind");
	return unpack_answer(self, message_type, out);
}

enum status session_pushed(struct session *self, uint32_t type,
    uint32_t wait_ms, const ProtobufCMessageDescriptor *message_type, void *out)
{
	enum status st = STATUS_OK;

	if (self->pushes_count == 0) {
		loop_timer_set(self->loop, &self->pausing, wait_ms);
		st = loop_run(self->loop);
		loop_timer_cancel(self->loop, &self->pausing);
	}
	if (st != STATUS_OK)
		return session_refuse(self, st, NULL);
	if (self->pushes_count == 0)
		return STATUS_NOT_FOUND;
	return take_push(self, type, message_type, out);
}

unsigned int session_connections(const struct session *self)
{
	return caller_connections(self->caller);
}
