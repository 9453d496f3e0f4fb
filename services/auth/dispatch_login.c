#include "dispatch_internal.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/log.h"
#include "binding.pb-c.h"
#include "crypto/code.h"
#include "login.h"
#include "sessions_db.h"

#define BUSY_RETRY_MS    200
#define BINDING_RETRY_MS 1000

/* An owner's code, or what stands for it where a name is unknown. */
struct owner {
	struct id account;
	bool known;
	struct credential credential; /* where known */
};

/*
 * Find who has the name with ${hash}; an unknown one is read for like a known
 * one, as the account ${unknown}.  ${out} is to be wiped.
 */
static enum status owner_find(struct auth *self, struct owner *out,
    const uint8_t hash[static NAME_HASH_BYTES], const struct id *unknown)
{
	enum status st = auth_db_name(self->db, hash, &out->account);

	if (st == STATUS_NOT_FOUND)
		out->account = *unknown;
	else if (st != STATUS_OK)
		return st;
	st = auth_db_credential(
	    self->db, &out->account, CREDENTIAL_OWNER, &out->credential);
	out->known = st == STATUS_OK;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

/* What a sealed name comes to. */
struct asked_name {
	uint8_t hash[NAME_HASH_BYTES];
	struct id unknown; /* the account that it has where it has none */
};

static enum status open_name(struct auth *self, struct exchange *x,
    struct asked_name *out, ProtobufCBinaryData name_sealed)
{
	struct sealed sealed;
	struct name name = { 0 };

	sealed_begin(&sealed, x);
	enum status st =
	    sealed_open(&sealed, self->keys, field_slice(name_sealed));
	if (st == STATUS_OK)
		st = auth_read_name(x, &name, bytes_slice(&sealed.plain));
	if (st == STATUS_OK) {
		name_hash(out->hash, &name, self->keys->names_key);
		name_unknown_account(
		    &out->unknown, &name, self->keys->names_key);
	}
	sodium_memzero(&name, sizeof(name));
	sealed_end(&sealed);
	return st;
}

enum status on_factors(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__FactorList reply = AUTH__FACTOR_LIST__INIT;
	Auth__Factors *message;
	struct asked_name name;
	struct owner owner = { 0 };

	enum status st =
	    exchange_unpack(x, &auth__factors__descriptor, &message);
	if (st == STATUS_OK)
		st = open_name(self, x, &name, message->name_sealed);
	if (st == STATUS_OK)
		st = owner_find(self, &owner, name.hash, &name.unknown);
	if (st == STATUS_OK) {
		reply.factors =
		    owner.known ? owner.credential.factors : CODE_PASSWORD;
		st = exchange_reply(x, &reply.base);
	}
	sodium_memzero(&owner, sizeof(owner));
	return st;
}

/* A login whose terminal is looked up at binding. */
struct attempt {
	struct auth *auth;
	struct exchange *x;
	const Auth__LoginBegin *message; /* the exchange's */
	struct asked_name name;
};

static enum status read_binding(
    struct exchange *x, struct login_binding *out, const struct answer *answer)
{
	Binding__LookupAnswer *message;
	struct unpack unpack;

	*out = (struct login_binding){ 0 };
	if (answer->status == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (answer->status != STATUS_OK)
		return exchange_retry(x, STATUS_UNAVAILABLE, BINDING_RETRY_MS,
		    "the binding service does not answer");
	unpack_begin(&unpack);
	enum status st = unpack_message(&unpack,
	    &binding__lookup_answer__descriptor, answer->body, &message);
	if (st == STATUS_OK)
		st = id_from(&out->account, field_slice(message->account_id));
	if (st == STATUS_OK)
		st = id_from(&out->terminal, field_slice(message->terminal_id));
	unpack_end(&unpack);
	if (st == STATUS_OK)
		return st;
	log_error(&x->header.trace, "answer_malformed", "from=binding");
	return STATUS_INTERNAL;
}

/* Challenge whoever it is; what binding says is told after the proof only. */
static enum status attempt_challenge(
    struct attempt *self, const struct login_binding *binding)
{
	struct auth *auth = self->auth;
	Auth__LoginChallenge reply = AUTH__LOGIN_CHALLENGE__INIT;
	uint8_t ke2[OPAQUE_KE2_BYTES];
	struct owner owner = { 0 };
	struct bytes cookie = { 0 };
	struct login login = {
		.direction = (enum direction)self->message->direction,
	};

	enum status st =
	    owner_find(auth, &owner, self->name.hash, &self->name.unknown);
	if (st != STATUS_OK)
		goto out;
	login.account = owner.account;
	login.verdict = login_verdict(login.direction, &login.account, binding);
	if (login.direction != DIRECTION_ENROL)
		login.terminal = binding->terminal;
	st = login_challenge(ke2, &login, auth->keys,
	    owner.known ? &owner.credential : NULL,
	    field_slice(self->message->ke1));
	if (st != STATUS_OK) {
		exchange_refuse(self->x, st, "that is no OPAQUE KE1");
		goto out;
	}
	st = cookie_seal(&cookie, auth->keys->cookie_key, COOKIE_LOGIN,
	    &self->x->header.peer, slice_of(&login, sizeof(login)));
	if (st != STATUS_OK)
		goto out;
	reply.ke2 = field_of(slice_of(ke2, sizeof(ke2)));
	reply.cookie = field_of(bytes_slice(&cookie));
	st = exchange_reply(self->x, &reply.base);
out:
	sodium_memzero(&login, sizeof(login));
	sodium_memzero(&owner, sizeof(owner));
	bytes_clear(&cookie);
	return st;
}

static void on_looked_up(void *arg, const struct answer *answer)
{
	struct attempt *self = arg;
	struct exchange *x = self->x;
	struct login_binding binding;

	/* Stopped meanwhile: the exchanges have gone with their server. */
	if (!self->auth->service->server) {
		free(self);
		return;
	}
	enum status st = read_binding(x, &binding, answer);
	if (st == STATUS_OK)
		st = attempt_challenge(self, &binding);
	free(self);
	exchange_finish(&x, st);
}

static enum status look_up(struct attempt *self)
{
	Binding__Lookup lookup = BINDING__LOOKUP__INIT;
	const struct header *header = &self->x->header;

	lookup.peer_key =
	    field_of(slice_of(header->peer.id, header->peer.id_len));
	enum status st = service_ask(self->auth->service, ROLE_BINDING,
	    BINDING__TYPE__LOOKUP, NULL, header, &lookup.base, on_looked_up,
	    self);
	if (st == STATUS_OK)
		return STATUS_PENDING;
	if (st == STATUS_BUSY)
		return exchange_retry(self->x, st, BUSY_RETRY_MS,
		    "the binding service has much to do");
	return st;
}

enum status on_login_begin(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__LoginBegin *message;
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return STATUS_NO_SPACE;
	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = exchange_unpack(
		    x, &auth__login_begin__descriptor, &message);
	if (st == STATUS_OK && !login_direction_valid(message->direction))
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "there is no such direction");
	if (st == STATUS_OK)
		st = open_name(self, x, &attempt->name, message->name_sealed);
	if (st == STATUS_OK) {
		attempt->auth = self;
		attempt->x = x;
		attempt->message = message;
		st = look_up(attempt);
	}
	if (st != STATUS_PENDING)
		free(attempt);
	return st;
}

static void on_session_kept(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct exchange *x = arg;

	(void)generation;
	(void)failed_op;
	exchange_finish(&x, st);
}

/* A ticket leaves when its session is on the disk, so that it can be found
 * and revoked. */
static enum status keep_session(
    struct auth *self, struct exchange *x, const struct ticket *ticket)
{
	struct db *journal = self->service->journal;
	struct db_batch *batch =
	    db_batch_new(&ticket->account, DB_GENERATION_ANY, NULL);

	sessions_put(journal, batch, ticket);
	enum status st = db_submit(journal, &batch, on_session_kept, x);
	db_batch_destroy(&batch);
	if (st == STATUS_PENDING)
		self->tickets_issued++;
	return st;
}

/* Answer a right proof. */
static enum status reply_ticket(struct auth *self, struct exchange *x,
    const struct login *login, const struct credential *credential)
{
	Auth__LoginDone reply = AUTH__LOGIN_DONE__INIT;
	struct ticket ticket;
	uint8_t signed_ticket[TICKET_BYTES];
	uint8_t root[SEALED_BYTES(WRAPPED_ROOT_BYTES_MAX)];
	struct credential verification;

	enum status st = auth_db_credential(
	    self->db, &login->account, CREDENTIAL_VERIFICATION, &verification);
	sodium_memzero(&verification, sizeof(verification));
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return st;
	login_ticket(&ticket, login, x->header.peer.id, self->ticket_ms);
	ticket_sign(signed_ticket, &ticket, self->keys->ticket_secret);
	session_seal(root, login->expected.session_key, SESSION_TO_TERMINAL,
	    "wrapped root",
	    slice_of(credential->wrapped_root, credential->wrapped_root_len),
	    slice_of(NULL, 0));
	reply.ticket = field_of(slice_of(signed_ticket, sizeof(signed_ticket)));
	reply.expiry_ms = ticket.expiry_ms;
	reply.account_id = field_of(slice_of(login->account.bytes, ID_BYTES));
	reply.wrapped_root = field_of(
	    slice_of(root, SEALED_BYTES(credential->wrapped_root_len)));
	reply.verification_set = st == STATUS_OK;
	st = exchange_reply(x, &reply.base);
	if (st == STATUS_OK)
		st = keep_session(self, x, &ticket);
	sodium_memzero(&ticket, sizeof(ticket));
	sodium_memzero(signed_ticket, sizeof(signed_ticket));
	return st;
}

/* The verdict on a proof, ${login} being what the cookie held. */
static enum status judge(struct auth *self, struct exchange *x,
    const struct login *login, struct slice ke3)
{
	struct credential credential;
	const char *refusal = login_verdict_text(login->verdict);

	enum status st = auth_db_credential(
	    self->db, &login->account, CREDENTIAL_OWNER, &credential);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		goto out;
	st = login_proof(login, st == STATUS_OK ? &credential : NULL, ke3);
	if (st != STATUS_OK) {
		self->logins_denied++;
		exchange_refuse(x, st, "wrong name or password");
		goto out;
	}
	self->logins_ok++;
	if (refusal)
		st = exchange_refuse(x, STATUS_DENIED, "%s", refusal);
	else
		st = reply_ticket(self, x, login, &credential);
out:
	sodium_memzero(&credential, sizeof(credential));
	return st;
}

enum status on_login_finish(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__LoginFinish *message;
	struct login login;

	enum status st =
	    exchange_unpack(x, &auth__login_finish__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_read_cookie(self, x, COOKIE_LOGIN, message->cookie,
		    &login, sizeof(login));
	if (st == STATUS_OK)
		st = judge(self, x, &login, field_slice(message->ke3));
	sodium_memzero(&login, sizeof(login));
	return st;
}
