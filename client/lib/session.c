#include "session.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "crypto/arena.h"
#include "crypto/envelope.h"
#include "crypto/opaque.h"

#define REFUSALS_MAX          3
#define WAITING_MS            3000 /* then a person is told */
#define PUSHES_MAX            16   /* more are dropped: they come again */
#define COOKIE_BYTES_MAX      1024
#define ENDPOINT_BYTES        (ENROLMENT_HOST_BYTES_MAX + 16)
#define ASSOCIATED_BYTES      (ID_BYTES + 4)
#define WRAPPED_ROOT_BYTES    SEALED_BYTES(ACCOUNT_KEY_BYTES)
#define WRAPPED_ROOT_BYTES_ON SEALED_BYTES(WRAPPED_ROOT_BYTES)

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
	void (*waiting)(void *arg, const char *what);
	void *arg;

	struct timer slow;    /* an answer is taking long */
	struct timer pausing; /* session_pushed has waited enough */
	bool answered;
	enum status status; /* of the answer */
	struct bytes body;  /* of the answer; opened, where it was sealed */
	struct unpack unpack;
	uint32_t tries_remaining;
	char detail[DETAIL_BYTES_MAX + 1];
	const char *advice;

	struct push pushes[PUSHES_MAX]; /* oldest first */
	size_t pushes_count;
};

const char *session_advice_for(enum status status, enum link_state link)
{
	switch (status) {
	case STATUS_UNAVAILABLE:
		break;
	case STATUS_BUSY:
		return "the server has much to do: try again in a minute";
	case STATUS_AUTH_REQUIRED:
	case STATUS_EXPIRED:
		return "run the command again and prove who you are; a "
		       "transfer goes on where it stopped";
	case STATUS_LOCKED:
		return "wait as long as it says, or ask the operator, who "
		       "can lift the lock in person";
	case STATUS_FROZEN:
		return "wait, or cancel the freeze from another terminal";
	case STATUS_VERSION:
		return "update the older side: this is "
		       "keepsake " KEEPSAKE_VERSION;
	case STATUS_QUOTA:
		return "delete old snapshots or ask the operator for more "
		       "space; nothing stored is harmed";
	case STATUS_NO_SPACE:
		return "ask the operator: the server's disk is full; nothing "
		       "stored is harmed";
	case STATUS_INTERNAL:
		return "tell the operator: the server's log has the reason";
	default:
		return "";
	}
	switch (link) {
	case LINK_NEVER:
		return "is the network up, the gateway running, and its "
		       "address right?  'keepsake status' shows it; an "
		       "operator prints the right enrolment string with "
		       "'keepsakectl enrolment'";
	case LINK_REFUSED:
		return "somebody else may be answering at that address, or "
		       "the server has new keys: get a new enrolment string "
		       "from the operator in a way you trust";
	case LINK_LOST:
		return "try again: what was sent is not sent again";
	case LINK_UP:
	default:
		return "the gateway is there, but not all behind it: try "
		       "again later, or tell the operator which part is down";
	}
}

/* Note why a call failed; returns ${status}. */
static enum status refuse(
    struct session *self, enum status status, const char *detail)
{
	self->status = status;
	snprintf(self->detail, sizeof(self->detail), "%s",
	    detail && detail[0] ? detail : status_text(status));
	self->advice = session_advice_for(status, caller_link(self->caller));
	return status;
}

static void on_slow(void *arg)
{
	struct session *self = arg;
	char what[ENDPOINT_BYTES];

	snprintf(what, sizeof(what), "%s:%u", self->enrolment.host,
	    self->enrolment.port);
	if (self->waiting)
		self->waiting(self->arg, what);
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
	char endpoint[ENDPOINT_BYTES];
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
	snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u",
	    self->enrolment.host, self->enrolment.port);
	const struct caller_options link = {
		.name = "gateway",
		.endpoint = endpoint,
		.server_key = self->enrolment.gateway_key,
		.refusals_max = REFUSALS_MAX,
		.pushed = on_push,
		.arg = self,
	};
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

uint32_t session_tries_remaining(const struct session *self)
{
	return self->tries_remaining;
}

/* ---- one question ---- */

static void on_answer(void *arg, const struct answer *answer)
{
	struct session *self = arg;
	enum status st = answer->status;

	self->answered = true;
	self->status = st;
	if (answer->header)
		self->tries_remaining = answer->header->tries_remaining;
	if (st == STATUS_OK)
		st = bytes_copy(&self->body, answer->body);
	if (st != STATUS_OK)
		refuse(self, st, answer->detail);
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
}

/* Send ${body} and wait; the answer's body is in self->body then. */
static enum status ask(struct session *self, struct header *header,
    struct slice ticket, struct slice body)
{
	if (ticket.len > sizeof(header->ticket))
		return refuse(self, STATUS_INTERNAL, "a ticket too long");
	if (ticket.len > 0)
		memcpy(header->ticket, ticket.data, ticket.len);
	header->ticket_len = ticket.len;
	header->deadline_ms = self->timeout_ms;
	self->answered = false;
	enum status st =
	    caller_ask(self->caller, header, body, NULL, on_answer, self);
	if (st != STATUS_OK)
		return refuse(self, st, NULL);
	loop_timer_set(self->loop, &self->slow, WAITING_MS);
	while (st == STATUS_OK && !self->answered)
		st = loop_run(self->loop);
	loop_timer_cancel(self->loop, &self->slow);
	return st == STATUS_OK ? self->status : refuse(self, st, NULL);
}

static enum status unpack_answer(
    struct session *self, const ProtobufCMessageDescriptor *type, void *out)
{
	if (!type)
		return STATUS_OK;
	enum status st =
	    unpack_message(&self->unpack, type, bytes_slice(&self->body), out);
	if (st != STATUS_OK)
		return refuse(
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
		refuse(self, st, NULL);
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
		return refuse(self, STATUS_MALFORMED,
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
		return refuse(self, st,
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
		refuse(self, st, NULL);
	if (st == STATUS_OK)
		st = open_answer(self, &sealed);
	if (st == STATUS_OK)
		st = unpack_answer(self, reply_type, reply_out);
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
		return refuse(self, STATUS_MALFORMED, "a push of another kind");
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
		return refuse(self, st, NULL);
	if (self->pushes_count == 0)
		return STATUS_NOT_FOUND;
	return take_push(self, type, message_type, out);
}

/* ---- registration, and every other credential ---- */

/* A credential in the making: secret, in the arena. */
struct credential {
	struct opaque_registration state;
	uint8_t request[OPAQUE_REQUEST_BYTES];
	uint8_t record[OPAQUE_RECORD_BYTES];
	uint8_t export_key[OPAQUE_KEY_BYTES];
	uint8_t root[ACCOUNT_KEY_BYTES];
	uint8_t wrapped_root[WRAPPED_ROOT_BYTES];
	uint8_t cookie[COOKIE_BYTES_MAX];
	size_t cookie_len;
	struct id account;
	struct code *code;
};

static void credential_destroy(struct credential **self_p)
{
	void *self = *self_p;

	if (self)
		code_destroy(&(*self_p)->code);
	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}

/* Begin one for ${factors}: its request may be sent then. */
static enum status credential_new(struct session *self,
    const struct code_factors *factors, struct credential **out)
{
	struct credential *made = secret_new(sizeof(*made));
	enum status st = STATUS_NO_SPACE;

	*out = made;
	if (made)
		st = code_new(&made->code, factors);
	if (st == STATUS_OK)
		st = opaque_registration_start(
		    &made->state, made->request, code_text(made->code));
	if (st == STATUS_MALFORMED)
		return refuse(self, st,
		    "a part of the code is empty, not text, or not of its "
		    "form");
	return st == STATUS_OK ? st : refuse(self, st, NULL);
}

/* Make record and export key from the server's answer. */
static enum status credential_take(struct session *self,
    struct credential *credential, const Auth__RegisterChallenge *challenge)
{
	enum status st = opaque_registration_finish(credential->record,
	    credential->export_key, &credential->state, &opaque_keepsake,
	    self->enrolment.auth_opaque, code_text(credential->code),
	    field_slice(challenge->opaque_response));

	if (st == STATUS_DENIED)
		return refuse(
		    self, st, "the server is not the one of the enrolment");
	if (st == STATUS_OK && challenge->cookie.len > COOKIE_BYTES_MAX)
		st = STATUS_MALFORMED;
	if (st != STATUS_OK)
		return refuse(self, st, NULL);
	credential->cookie_len = challenge->cookie.len;
	if (challenge->cookie.len > 0)
		memcpy(credential->cookie, challenge->cookie.data,
		    challenge->cookie.len);
	return STATUS_OK;
}

static struct slice credential_cookie(const struct credential *self)
{
	return slice_of(self->cookie, self->cookie_len);
}

/* The key that an export key makes, for the account's root key. */
static void root_key(uint8_t out[static KEY_BYTES],
    const uint8_t export_key[static OPAQUE_KEY_BYTES])
{
	key_derive(
	    out, export_key, SESSION_LABEL_WRAP_ROOT, (struct slice){ 0 });
}

static void wrap_root(struct credential *self, const struct id *account)
{
	uint8_t key[KEY_BYTES];

	root_key(key, self->export_key);
	seal(self->wrapped_root, key, slice_of(self->root, sizeof(self->root)),
	    slice_of(account->bytes, ID_BYTES));
	sodium_memzero(key, sizeof(key));
}

static enum status register_begin(
    struct session *self, const char *name, struct credential *credential)
{
	Auth__RegisterBegin message = AUTH__REGISTER_BEGIN__INIT;
	Auth__RegisterChallenge *challenge;

	message.name = (char *)name; /* protobuf-c only reads it */
	message.opaque_request =
	    field_of(slice_of(credential->request, OPAQUE_REQUEST_BYTES));
	enum status st = session_ask_sealed(self, AUTH__TYPE__REGISTER_BEGIN,
	    (struct slice){ 0 }, &message.base,
	    &auth__register_challenge__descriptor, &challenge);
	if (st == STATUS_OK)
		st = id_from(
		    &credential->account, field_slice(challenge->account_id));
	if (st == STATUS_OK)
		st = credential_take(self, credential, challenge);
	return st;
}

static enum status register_finish(struct session *self,
    const struct credential *credential, unsigned int factors,
    const struct account_keys *keys, struct id *account_out)
{
	Auth__RegisterFinish message = AUTH__REGISTER_FINISH__INIT;
	Auth__Registered *registered;

	message.cookie = field_of(credential_cookie(credential));
	message.opaque_record =
	    field_of(slice_of(credential->record, OPAQUE_RECORD_BYTES));
	message.factors = factors;
	message.wrapped_root =
	    field_of(slice_of(credential->wrapped_root, WRAPPED_ROOT_BYTES));
	message.account_key =
	    field_of(slice_of(keys->public_key, ACCOUNT_KEY_BYTES));
	enum status st = session_ask_sealed(self, AUTH__TYPE__REGISTER_FINISH,
	    (struct slice){ 0 }, &message.base, &auth__registered__descriptor,
	    &registered);
	if (st == STATUS_OK)
		st = id_from(account_out, field_slice(registered->account_id));
	if (st == STATUS_OK && !id_equal(account_out, &credential->account))
		st = refuse(self, STATUS_MALFORMED,
		    "the server changed its mind about the account's id");
	return st;
}

enum status session_register(struct session *self, const char *name,
    const struct code_factors *code, struct id *account_out)
{
	struct credential *credential = NULL;
	struct account_keys *keys = NULL;
	enum status st = credential_new(self, code, &credential);

	if (st == STATUS_OK)
		st = register_begin(self, name, credential);
	if (st != STATUS_OK)
		goto out;
	randombytes_buf(credential->root, sizeof(credential->root));
	wrap_root(credential, &credential->account);
	st = account_keys_new(&keys, &credential->account, credential->root);
	if (st != STATUS_OK) {
		refuse(self, st, NULL);
		goto out;
	}
	st = register_finish(self, credential, code->set, keys, account_out);
out:
	account_keys_destroy(&keys);
	credential_destroy(&credential);
	return st;
}

enum status session_set_verification(
    struct session *self, const struct login *login, struct slice verification)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = verification,
	};
	Auth__VerificationBegin begin = AUTH__VERIFICATION_BEGIN__INIT;
	Auth__VerificationFinish finish = AUTH__VERIFICATION_FINISH__INIT;
	Auth__RegisterChallenge *challenge;
	struct credential *credential = NULL;
	enum status st = credential_new(self, &factors, &credential);

	if (st != STATUS_OK)
		goto out;
	begin.opaque_request =
	    field_of(slice_of(credential->request, OPAQUE_REQUEST_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__VERIFICATION_BEGIN,
	    login_ticket(login), &begin.base,
	    &auth__register_challenge__descriptor, &challenge);
	if (st == STATUS_OK)
		st = credential_take(self, credential, challenge);
	if (st != STATUS_OK)
		goto out;
	finish.cookie = field_of(credential_cookie(credential));
	finish.opaque_record =
	    field_of(slice_of(credential->record, OPAQUE_RECORD_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__VERIFICATION_FINISH,
	    login_ticket(login), &finish.base, NULL, NULL);
out:
	credential_destroy(&credential);
	return st;
}

enum status session_change_code(struct session *self, const struct login *login,
    const struct code_factors *code)
{
	Auth__CodeBegin begin = AUTH__CODE_BEGIN__INIT;
	Auth__CodeFinish finish = AUTH__CODE_FINISH__INIT;
	Auth__RegisterChallenge *challenge;
	struct credential *credential = NULL;
	enum status st = credential_new(self, code, &credential);

	if (st != STATUS_OK)
		goto out;
	begin.opaque_request =
	    field_of(slice_of(credential->request, OPAQUE_REQUEST_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__CODE_BEGIN,
	    login_ticket(login), &begin.base,
	    &auth__register_challenge__descriptor, &challenge);
	if (st == STATUS_OK)
		st = credential_take(self, credential, challenge);
	if (st != STATUS_OK)
		goto out;
	memcpy(credential->root, login->root, sizeof(credential->root));
	wrap_root(credential, &login->account);
	finish.cookie = field_of(credential_cookie(credential));
	finish.opaque_record =
	    field_of(slice_of(credential->record, OPAQUE_RECORD_BYTES));
	finish.factors = code->set;
	finish.wrapped_root =
	    field_of(slice_of(credential->wrapped_root, WRAPPED_ROOT_BYTES));
	st = session_ask_sealed(self, AUTH__TYPE__CODE_FINISH,
	    login_ticket(login), &finish.base, NULL, NULL);
out:
	credential_destroy(&credential);
	return st;
}

/* ---- login ---- */

/*
 * FACTORS and LOGIN_BEGIN carry the name sealed, but their answers are
 * plain: there is nothing in them that a gateway must not see.
 */
static enum status ask_named(struct session *self, struct sealed *sealed,
    const ProtobufCMessage *body, const ProtobufCMessageDescriptor *reply_type,
    void *reply_out)
{
	struct bytes packed = { 0 };
	enum status st = pack_message(&packed, body);

	forget_answer(self);
	if (st == STATUS_OK)
		st = ask(self, &sealed->header, (struct slice){ 0 },
		    bytes_slice(&packed));
	else
		refuse(self, st, NULL);
	if (st == STATUS_OK)
		st = unpack_answer(self, reply_type, reply_out);
	bytes_clear(&packed);
	return st;
}

enum status session_factors(
    struct session *self, const char *name, unsigned int *factors_out)
{
	Auth__Factors message = AUTH__FACTORS__INIT;
	Auth__FactorList *list;
	struct sealed sealed;
	enum status st = sealed_begin(
	    &sealed, AUTH__TYPE__FACTORS, &self->enrolment, slice_text(name));

	message.name_sealed = field_of(bytes_slice(&sealed.data));
	if (st == STATUS_OK)
		st = ask_named(self, &sealed, &message.base,
		    &auth__factor_list__descriptor, &list);
	else
		refuse(self, st, NULL);
	if (st == STATUS_OK && !code_set_valid(list->factors))
		st = refuse(self, STATUS_VERSION,
		    "the server asks for a factor that is not known here");
	if (st == STATUS_OK)
		*factors_out = list->factors;
	sealed_end(&sealed);
	return st;
}

/* A login under way: secret, in the arena. */
struct proof {
	struct opaque_login state;
	struct opaque_login_keys keys;
	uint8_t ke1[OPAQUE_KE1_BYTES];
	uint8_t ke3[OPAQUE_KE3_BYTES];
	uint8_t cookie[COOKIE_BYTES_MAX];
	size_t cookie_len;
	uint8_t wrap_key[KEY_BYTES];
	uint8_t wrapped_root[WRAPPED_ROOT_BYTES];
};

static enum status login_begin(struct session *self, const char *name,
    struct slice code, enum direction direction, struct proof *proof)
{
	Auth__LoginBegin message = AUTH__LOGIN_BEGIN__INIT;
	Auth__LoginChallenge *challenge;
	struct sealed sealed;
	enum status st = sealed_begin(&sealed, AUTH__TYPE__LOGIN_BEGIN,
	    &self->enrolment, slice_text(name));

	if (st == STATUS_OK)
		st = opaque_login_start(&proof->state, proof->ke1, code);
	if (st != STATUS_OK) {
		refuse(self, st, NULL);
		goto out;
	}
	message.name_sealed = field_of(bytes_slice(&sealed.data));
	message.ke1 = field_of(slice_of(proof->ke1, OPAQUE_KE1_BYTES));
	message.direction = (Common__Direction)direction;
	st = ask_named(self, &sealed, &message.base,
	    &auth__login_challenge__descriptor, &challenge);
	if (st != STATUS_OK)
		goto out;
	if (challenge->cookie.len > COOKIE_BYTES_MAX) {
		st = refuse(self, STATUS_MALFORMED, "a cookie too long");
		goto out;
	}
	proof->cookie_len = challenge->cookie.len;
	if (challenge->cookie.len > 0)
		memcpy(proof->cookie, challenge->cookie.data,
		    challenge->cookie.len);
	st = opaque_login_finish(proof->ke3, &proof->keys, &proof->state,
	    &opaque_keepsake, self->enrolment.auth_opaque, code,
	    field_slice(challenge->ke2));
	if (st == STATUS_DENIED) {
		refuse(self, st, "name or password is wrong");
		self->advice = "check both; --name names another account";
	} else if (st != STATUS_OK) {
		refuse(self, st, NULL);
	}
out:
	sealed_end(&sealed);
	return st;
}

/* Open the root key that came with the verdict, which is in ${login}. */
static enum status unwrap_root(struct session *self, struct proof *proof,
    struct slice wrapped, struct login *login)
{
	enum status st = STATUS_MALFORMED;

	if (wrapped.len == WRAPPED_ROOT_BYTES_ON)
		st = session_open(proof->wrapped_root, proof->keys.session_key,
		    SESSION_TO_TERMINAL, SESSION_LABEL_WRAPPED_ROOT, wrapped,
		    (struct slice){ 0 });
	if (st == STATUS_OK) {
		root_key(proof->wrap_key, proof->keys.export_key);
		st = seal_open(login->root, proof->wrap_key,
		    slice_of(proof->wrapped_root, WRAPPED_ROOT_BYTES),
		    slice_of(login->account.bytes, ID_BYTES));
	}
	if (st != STATUS_OK)
		return refuse(self, STATUS_MALFORMED,
		    "the account's key does not open: it is damaged, or not "
		    "as this program wrote it");
	return STATUS_OK;
}

static enum status login_finish(
    struct session *self, struct proof *proof, struct login *login)
{
	Auth__LoginFinish message = AUTH__LOGIN_FINISH__INIT;
	Auth__LoginDone *done;

	message.ke3 = field_of(slice_of(proof->ke3, OPAQUE_KE3_BYTES));
	message.cookie = field_of(slice_of(proof->cookie, proof->cookie_len));
	enum status st =
	    session_ask(self, AUTH__TYPE__LOGIN_FINISH, (struct slice){ 0 },
		&message.base, &auth__login_done__descriptor, &done);
	if (st != STATUS_OK)
		return st;
	if (done->ticket.len == 0 || done->ticket.len > TICKET_BYTES_MAX ||
	    id_from(&login->account, field_slice(done->account_id)) !=
		STATUS_OK)
		return refuse(self, STATUS_MALFORMED,
		    "the server's verdict lacks a ticket or an account");
	memcpy(login->ticket, done->ticket.data, done->ticket.len);
	login->ticket_len = done->ticket.len;
	login->expiry_ms = done->expiry_ms;
	login->verification_set = done->verification_set;
	return unwrap_root(self, proof, field_slice(done->wrapped_root), login);
}

enum status session_login(struct session *self, const char *name,
    const struct code_factors *factors, enum direction direction,
    struct login **login_out)
{
	struct code *code = NULL;
	void *memory = secret_new(sizeof(struct proof));
	struct proof *proof = memory;
	struct login *login = secret_new(sizeof(*login));
	enum status st = proof && login ? STATUS_OK : STATUS_NO_SPACE;

	if (st == STATUS_OK)
		st = code_new(&code, factors);
	if (st != STATUS_OK) {
		refuse(self, st,
		    st == STATUS_MALFORMED
			? "a part of the code is empty, not text, or not of "
			  "its form"
			: NULL);
		goto out;
	}
	st = login_begin(self, name, code_text(code), direction, proof);
	if (st != STATUS_OK)
		goto out;
	login->direction = direction;
	st = login_finish(self, proof, login);
	if (st != STATUS_OK)
		goto out;
	*login_out = login;
	login = NULL;
out:
	login_destroy(&login);
	secret_destroy(&memory, sizeof(*proof));
	code_destroy(&code);
	return st;
}

void login_destroy(struct login **self_p)
{
	void *self = *self_p;

	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}

struct slice login_ticket(const struct login *self)
{
	return slice_of(self->ticket, self->ticket_len);
}
