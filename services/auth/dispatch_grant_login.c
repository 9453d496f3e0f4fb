#include "dispatch_internal.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "binding.pb-c.h"
#include "grant_db.h"
#include "login.h"

/*
 * A ticket by a standing grant: a challenge, answered with a signature.  It
 * is the terminal's own affair, so what is missing is said plainly; a wrong
 * signature is no guess at a code, and no try is counted.
 */

#define BUSY_RETRY_MS    200
#define BINDING_RETRY_MS 1000

static const char no_grant[] =
    "this terminal has no grant: it was never given one, or it was removed";

/* Read the grant that ${login} is by; refused in words. */
static enum status find_grant(struct auth *self, struct exchange *x,
    const struct grant_login *login, struct grant *out,
    uint64_t *generation_out)
{
	enum status st = grant_db_watch(
	    self->db, &login->account, &login->terminal, out, generation_out);

	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, STATUS_DENIED, "%s", no_grant);
	if (st == STATUS_OK && !grant_allows(out, login->direction))
		return exchange_refuse(x, STATUS_DENIED,
		    "this terminal's grant is not for %s",
		    direction_word(login->direction));
	return st;
}

/* A GRANT_LOGIN_BEGIN until it is answered. */
struct attempt {
	struct auth *auth;
	struct exchange *x;
	enum direction direction;
};

static enum status challenge(
    struct attempt *self, const struct login_binding *binding)
{
	Auth__GrantChallenge reply = AUTH__GRANT_CHALLENGE__INIT;
	struct auth *auth = self->auth;
	struct exchange *x = self->x;
	struct bytes cookie = { 0 };
	struct grant grant;
	uint64_t generation;
	struct grant_login login = {
		.account = binding->account,
		.terminal = binding->terminal,
		.direction = self->direction,
	};

	if (id_is_none(&binding->terminal))
		return exchange_refuse(x, STATUS_DENIED, "%s",
		    login_verdict_text(LOGIN_NOT_BOUND));
	enum status st = find_grant(auth, x, &login, &grant, &generation);
	if (st != STATUS_OK)
		return st;
	randombytes_buf(login.challenge, sizeof(login.challenge));
	st = cookie_seal(&cookie, auth->keys->cookie_key, COOKIE_GRANT,
	    &x->header.peer, slice_of(&login, sizeof(login)));
	if (st == STATUS_OK) {
		reply.challenge =
		    field_of(slice_of(login.challenge, GRANT_CHALLENGE_BYTES));
		reply.cookie = field_of(bytes_slice(&cookie));
		st = exchange_reply(x, &reply.base);
	}
	bytes_clear(&cookie);
	return st;
}

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
		st = challenge(self, &binding);
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

enum status on_grant_login_begin(void *state, struct exchange *x)
{
	Auth__GrantLoginBegin *message;
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return STATUS_NO_SPACE;
	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = exchange_unpack(
		    x, &auth__grant_login_begin__descriptor, &message);
	if (st == STATUS_OK && !login_direction_valid(message->direction))
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "there is no such direction");
	if (st == STATUS_OK) {
		attempt->auth = state;
		attempt->x = x;
		attempt->direction = (enum direction)message->direction;
		st = look_up(attempt);
	}
	if (st != STATUS_PENDING)
		free(attempt);
	return st;
}

/* Answer a right proof. */
static enum status reply_ticket(
    struct auth *self, struct exchange *x, const struct grant_login *login)
{
	Auth__LoginDone reply = AUTH__LOGIN_DONE__INIT;
	struct ticket ticket;
	uint8_t signed_ticket[TICKET_BYTES];

	grant_ticket(&ticket, login, x->header.peer.id, self->ticket_ms);
	ticket_sign(signed_ticket, &ticket, self->keys->ticket_secret);
	reply.ticket = field_of(slice_of(signed_ticket, sizeof(signed_ticket)));
	reply.expiry_ms = ticket.expiry_ms;
	reply.account_id = field_of(slice_of(login->account.bytes, ID_BYTES));
	enum status st = exchange_reply(x, &reply.base);
	if (st == STATUS_OK)
		self->tickets_issued++;
	sodium_memzero(&ticket, sizeof(ticket));
	sodium_memzero(signed_ticket, sizeof(signed_ticket));
	return st;
}

/* The note of when it was used: what comes between only makes it coarser. */
static enum status on_noted(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	(void)x;
	(void)generation;
	(void)failed_op;
	return st == STATUS_CONFLICT ? STATUS_OK : st;
}

enum status on_grant_login_finish(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__GrantProof *message;
	struct grant_login login;
	struct grant grant;
	uint64_t generation;

	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = exchange_unpack(
		    x, &auth__grant_proof__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_read_cookie(self, x, COOKIE_GRANT, message->cookie,
		    &login, sizeof(login));
	if (st == STATUS_OK)
		st = find_grant(self, x, &login, &grant, &generation);
	if (st != STATUS_OK)
		return st;
	st = grant_proven(
	    &grant, &login, x->header.peer.id, field_slice(message->signature));
	if (st != STATUS_OK) {
		self->logins_denied++;
		return exchange_refuse(x, st,
		    "the signature is not of this terminal's grant: it was "
		    "given a newer one");
	}
	self->logins_ok++;
	st = reply_ticket(self, x, &login);
	if (st != STATUS_OK || !grant_use(&grant, clock_wall_ms()))
		return st;
	struct db_batch *batch = db_batch_new(&login.account, generation, NULL);
	grant_db_put(batch, &grant);
	return exchange_commit(x, &batch, on_noted);
}
