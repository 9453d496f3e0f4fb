#include <sodium.h>
#include <stdlib.h>

#include "asked.h"
#include "base/clock.h"
#include "grant_db.h"
#include "journal_db.h"
#include "sessions_db.h"

/*
 * A ticket by a standing grant: a challenge, answered with a signature.  It
 * is the terminal's own affair, so what is missing is said plainly; a wrong
 * signature is no guess at a code, and no try is counted.
 */

static const char no_grant[] =
    "this terminal has no grant: it was never given one, or it was removed";

/* Read the grant that ${login} is by; refused in words. */
static enum status find_grant(struct auth *self, struct exchange *x,
    const struct grant_login *login, struct grant *out,
    uint64_t *generation_out)
{
	enum status st = grant_db_watch(self->service->keyring, self->db,
	    &login->account, &login->terminal, out, generation_out);

	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, STATUS_DENIED, "%s", no_grant);
	bool disabled = false;
	if (st == STATUS_OK)
		st = auth_db_disabled(self->db, &login->account, &disabled);
	if (st == STATUS_OK && disabled)
		return exchange_refuse(x, STATUS_DENIED, "%s", self->disabled);
	if (st == STATUS_OK && !grant_allows(out, login->direction))
		return exchange_refuse(x, STATUS_DENIED,
		    "this terminal's grant is not for %s",
		    direction_word(login->direction));
	return st;
}

/* A GRANT_LOGIN_BEGIN is answered once binding has said whose it is. */

static enum status challenge(const struct asked *asked)
{
	Auth__GrantChallenge reply = AUTH__GRANT_CHALLENGE__INIT;
	struct auth *auth = asked->auth;
	struct exchange *x = asked->x;
	struct bytes cookie = { 0 };
	struct grant grant;
	uint64_t generation;
	struct grant_login login = {
		.account = asked->binding.account,
		.terminal = asked->binding.terminal,
		.direction = asked->direction,
		.begun_ms = clock_wall_ms(),
	};

	if (id_is_none(&login.terminal))
		return exchange_refuse(x, STATUS_DENIED, "%s",
		    login_verdict_text(LOGIN_NOT_BOUND));
	enum status st =
	    auth_limit_account(auth, x, &login.account, &login.terminal);
	if (st == STATUS_OK)
		st = find_grant(auth, x, &login, &grant, &generation);
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

static void on_looked_up(struct asked *asked, enum status st)
{
	struct exchange *x = asked->x;

	if (st == STATUS_OK)
		st = challenge(asked);
	free(asked);
	exchange_finish(&x, st);
}

enum status on_grant_login_begin(void *state, struct exchange *x)
{
	Auth__GrantLoginBegin *message;
	struct asked *asked = calloc(1, sizeof(*asked));

	if (!asked)
		return STATUS_NO_SPACE;
	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = auth_limit_address(state, x);
	if (st == STATUS_OK)
		st = exchange_unpack(
		    x, &auth__grant_login_begin__descriptor, &message);
	if (st == STATUS_OK && !login_direction_valid(message->direction))
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "there is no such direction");
	if (st == STATUS_OK) {
		asked->auth = state;
		asked->x = x;
		asked->direction = (enum direction)message->direction;
		asked->looked_up = on_looked_up;
		st = asked_look_up(asked);
	}
	if (st != STATUS_PENDING)
		free(asked);
	return st;
}

/* A GRANT_LOGIN_FINISH until it is answered. */
struct proof {
	struct auth *auth;
	struct exchange *x;
	struct grant_login login; /* what the cookie held */
	struct grant grant;
	uint64_t generation; /* of the account, with that grant */
	struct ticket ticket;
};

static void proof_destroy(struct proof **self_p)
{
	sodium_memzero(*self_p, sizeof(**self_p));
	free(*self_p);
	*self_p = NULL;
}

/*
 * Whether the terminal was signed out since the challenge: then the proof is
 * of before.
 */
static enum status check_revoked(const struct proof *self)
{
	struct ticket then = self->ticket;

	then.issued_ms = self->login.begun_ms;
	if (!orders_refusal(self->auth->service->orders, &then))
		return STATUS_OK;
	return exchange_refuse(self->x, STATUS_EXPIRED,
	    "this terminal was signed out meanwhile: begin again");
}

static enum status reply_ticket(struct proof *self)
{
	Auth__LoginDone reply = AUTH__LOGIN_DONE__INIT;
	uint8_t signed_ticket[TICKET_BYTES];

	ticket_sign(
	    signed_ticket, &self->ticket, self->auth->keys->ticket_secret);
	reply.ticket = field_of(slice_of(signed_ticket, sizeof(signed_ticket)));
	reply.expiry_ms = self->ticket.expiry_ms;
	reply.account_id =
	    field_of(slice_of(self->login.account.bytes, ID_BYTES));
	enum status st = exchange_reply(self->x, &reply.base);
	if (st == STATUS_OK)
		self->auth->tickets_issued++;
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

static enum status note_use(struct proof *self)
{
	if (!grant_use(&self->grant, clock_wall_ms()))
		return STATUS_OK;
	struct db_batch *batch =
	    db_batch_new(&self->login.account, self->generation, NULL);
	grant_db_put(self->auth->service->keyring, self->auth->db, batch,
	    &self->login.account, &self->grant);
	return exchange_commit(self->x, &batch, on_noted);
}

/* The session is on the disk: it can be listed and revoked. */
static void on_session_kept(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct proof *self = arg;
	struct exchange *x = self->x;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		st = check_revoked(self);
	if (st == STATUS_OK)
		st = reply_ticket(self);
	if (st == STATUS_OK)
		st = note_use(self);
	proof_destroy(&self);
	if (st != STATUS_PENDING)
		exchange_finish(&x, st);
}

static enum status keep_session(struct proof *self)
{
	const struct subject subject = {
		.account = self->login.account,
		.known = true,
	};
	struct db *journal = self->auth->service->journal;
	struct db_batch *batch = journal_db_batch(&subject);

	(void)sessions_put(journal, batch, &self->ticket);
	enum status st = db_submit(journal, &batch, on_session_kept, self);
	db_batch_destroy(&batch);
	return st;
}

/* Returns PENDING, or what to answer. */
static enum status judge(struct proof *self, struct slice signature)
{
	struct auth *auth = self->auth;
	struct exchange *x = self->x;

	enum status st =
	    find_grant(auth, x, &self->login, &self->grant, &self->generation);
	if (st != STATUS_OK)
		return st;
	st = grant_proven(
	    &self->grant, &self->login, x->header.peer.id, signature);
	if (st != STATUS_OK) {
		auth->logins_denied++;
		stream_tell(auth->service->stream,
		    &(struct stream_event){ .kind = "login_failed",
			.account = &self->login.account });
		return exchange_refuse(x, st,
		    "the signature is not of this terminal's grant: it was "
		    "given a newer one");
	}
	auth->logins_ok++;
	stream_tell(
	    auth->service->stream, &(struct stream_event){ .kind = "login_ok",
				       .account = &self->login.account });
	grant_ticket(
	    &self->ticket, &self->login, x->header.peer.id, auth->ticket_ms);
	st = check_revoked(self);
	return st == STATUS_OK ? keep_session(self) : st;
}

enum status on_grant_login_finish(void *state, struct exchange *x)
{
	Auth__GrantProof *message;
	struct proof *proof = calloc(1, sizeof(*proof));

	if (!proof)
		return STATUS_NO_SPACE;
	proof->auth = state;
	proof->x = x;
	/* Who has a cookie was counted when it began. */
	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = exchange_unpack(
		    x, &auth__grant_proof__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_read_cookie(proof->auth, x, COOKIE_GRANT,
		    message->cookie, &proof->login, sizeof(proof->login));
	if (st == STATUS_OK)
		st = judge(proof, field_slice(message->signature));
	if (st != STATUS_PENDING)
		proof_destroy(&proof);
	return st;
}
