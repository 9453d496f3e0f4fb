#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "base/clock.h"
#include "base/util.h"

#define MINUTE_MS 60000

/* ---- what is said of a lane ---- */

static const char *const wrong_texts[] = {
	[CREDENTIAL_OWNER] = "wrong name or password",
	[CREDENTIAL_VERIFICATION] = "wrong name or verification information",
	[CREDENTIAL_TERMINAL] = "wrong name or code of this terminal",
};

/* Refuse, saying what has become of the lane. */
static enum status refuse_lane(struct auth *self, struct exchange *x,
    enum status st, const char *why, const struct lane *lane)
{
	uint64_t opens_ms = lane_opens_ms(lane, clock_wall_ms());
	uint64_t minutes = (opens_ms + MINUTE_MS - 1) / MINUTE_MS;

	x->reply.tries_remaining = 1 + lane_remaining(lane);
	x->reply.retry_after_ms = (uint32_t)opens_ms;
	if (!lane_shut(lane))
		return exchange_refuse(x, st, "%s", why);
	if (lane->kind == LANE_STRANGER)
		return exchange_refuse(x, st,
		    "%s: closed for %u min to terminals that are not bound; "
		    "ask %s",
		    why, (unsigned int)minutes, self->contact);
	return exchange_refuse(x, st,
	    "%s: locked %s until an operator unlocks it in person; ask %s", why,
	    lane->kind == LANE_BOUND ? "for this terminal" : "for invitations",
	    self->contact);
}

/* What an outcome of tries.h is answered with. */
static enum status refuse_turn(struct auth *self, struct exchange *x,
    enum status st, const struct turn *turn)
{
	switch (st) {
	case STATUS_LOCKED:
		return refuse_lane(
		    self, x, st, "too many wrong tries", &turn->lane);
	case STATUS_BUSY:
		return exchange_retry(x, st, (uint32_t)turn->retry_ms,
		    "other logins to this account are under way");
	case STATUS_CONFLICT:
		return exchange_refuse(
		    x, st, "this login has ended: begin again");
	default:
		return st;
	}
}

/* ---- the challenge ---- */

/* A LOGIN_BEGIN until it is answered. */
struct attempt {
	struct asked asked;
	const Auth__LoginBegin *message; /* the exchange's */
	struct turn turn;
};

static void attempt_destroy(struct attempt **self_p)
{
	sodium_memzero(*self_p, sizeof(**self_p));
	free(*self_p);
	*self_p = NULL;
}

static void attempt_end(struct attempt **self_p, enum status st)
{
	struct exchange *x = (*self_p)->asked.x;

	attempt_destroy(self_p);
	exchange_finish(&x, st);
}

/* Challenge whoever it is; what binding says is told after the proof only. */
static enum status challenge(struct attempt *self)
{
	struct asked *asked = &self->asked;
	struct auth *auth = asked->auth;
	Auth__LoginChallenge reply = AUTH__LOGIN_CHALLENGE__INIT;
	uint8_t ke2[OPAQUE_KE2_BYTES];
	struct bytes cookie = { 0 };
	const struct id *account = &asked->lane.subject.account;
	struct login login = {
		.lane = asked->lane,
		.try = self->turn.id,
		.slot = asked->slot,
		.terminal =
		    login_terminal(asked->direction, account, &asked->binding),
		.direction = asked->direction,
		.begun_ms = clock_wall_ms(),
		.verdict =
		    login_verdict(asked->direction, account, &asked->binding),
		.invited = asked->lane.kind == LANE_INVITED,
	};

	memcpy(
	    login.invitation, asked->invitation_hash, sizeof(login.invitation));
	enum status st = login_challenge(ke2, &login, auth->keys,
	    asked->has_credential ? &asked->credential : NULL,
	    field_slice(self->message->ke1));
	if (st == STATUS_OK)
		st = cookie_seal(&cookie, auth->keys->cookie_key, COOKIE_LOGIN,
		    &asked->x->header.peer, slice_of(&login, sizeof(login)));
	if (st == STATUS_OK) {
		reply.ke2 = field_of(slice_of(ke2, sizeof(ke2)));
		reply.cookie = field_of(bytes_slice(&cookie));
		st = exchange_reply(asked->x, &reply.base);
		asked->x->reply.tries_remaining =
		    1 + lane_remaining(&self->turn.lane);
	}
	sodium_memzero(&login, sizeof(login));
	bytes_clear(&cookie);
	return st;
}

/* The try is on the disk: now the answer that allows a guess may leave. */
static void on_taken(void *arg, enum status st)
{
	struct attempt *self = arg;

	if (st == STATUS_OK)
		st = challenge(self);
	else
		st = refuse_turn(
		    self->asked.auth, self->asked.x, st, &self->turn);
	attempt_end(&self, st);
}

static void on_looked_up(struct asked *asked, enum status st)
{
	struct attempt *self = container_of(asked, struct attempt, asked);

	if (st == STATUS_OK)
		st = asked_find(asked);
	if (st == STATUS_OK)
		st = auth_limit_account(asked->auth, asked->x,
		    &asked->lane.subject.account, &asked->lane.terminal);
	if (st == STATUS_OK) {
		self->turn.key = asked->lane;
		self->turn.created_ms = asked->created_ms;
		self->turn.done = on_taken;
		self->turn.arg = self;
		tries_id(&self->turn.id, &asked->x->header, asked->x->body);
		st = tries_take(asked->auth->tries, &self->turn);
		if (st == STATUS_PENDING)
			return;
		st = refuse_turn(asked->auth, asked->x, st, &self->turn);
	}
	attempt_end(&self, st);
}

enum status on_login_begin(void *state, struct exchange *x)
{
	Auth__LoginBegin *message;
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return STATUS_NO_SPACE;
	attempt->asked.auth = state;
	attempt->asked.x = x;
	attempt->asked.looked_up = on_looked_up;
	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = auth_limit_address(state, x);
	if (st == STATUS_OK)
		st = exchange_unpack(
		    x, &auth__login_begin__descriptor, &message);
	if (st == STATUS_OK && !login_direction_valid(message->direction))
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "there is no such direction");
	if (st == STATUS_OK &&
	    opaque_ke1_check(field_slice(message->ke1)) != STATUS_OK)
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "that is no OPAQUE KE1");
	if (st == STATUS_OK) {
		attempt->message = message;
		attempt->asked.direction = (enum direction)message->direction;
		st = asked_read(&attempt->asked, message->name_sealed);
	}
	if (st == STATUS_OK)
		st = asked_look_up(&attempt->asked);
	if (st != STATUS_PENDING)
		attempt_destroy(&attempt);
	return st;
}

/* ---- the verdict ---- */

/* A LOGIN_FINISH until it is answered. */
struct proof {
	struct auth *auth;
	struct exchange *x;
	struct login login;           /* what the cookie held */
	struct credential credential; /* as it is now, where there is one */
	struct ticket ticket;         /* that is earned by it */
	const char *refusal;          /* why there is none; or NULL */
	struct turn turn;
};

static void proof_destroy(struct proof **self_p)
{
	sodium_memzero(*self_p, sizeof(**self_p));
	free(*self_p);
	*self_p = NULL;
}

/* Whether the account, or the terminal, was signed out since the login
 * began: then the proof is of before. */
static bool was_revoked(const struct proof *self)
{
	const struct login *login = &self->login;
	struct ticket then = {
		.account = login->lane.subject.account,
		.terminal = login->terminal,
		.issued_ms = login->begun_ms,
	};

	memcpy(then.nonce, login->try.bytes, TICKET_NONCE_BYTES);
	return orders_refusal(self->auth->service->orders, &then) != NULL;
}

static enum status refuse_revoked(struct exchange *x)
{
	return exchange_refuse(x, STATUS_EXPIRED,
	    "the sessions of this terminal were revoked meanwhile: begin "
	    "again");
}

/* Answer a right proof. */
static enum status reply_ticket(struct proof *self)
{
	Auth__LoginDone reply = AUTH__LOGIN_DONE__INIT;
	struct auth *auth = self->auth;
	const struct login *login = &self->login;
	const struct id *account = &login->lane.subject.account;
	const struct credential *credential = &self->credential;
	uint8_t signed_ticket[TICKET_BYTES];
	uint8_t root[SEALED_BYTES(WRAPPED_ROOT_BYTES_MAX)];
	struct credential verification;

	enum status st = auth_db_credential(
	    &auth->rows, account, &verification_slot, &verification);
	sodium_memzero(&verification, sizeof(verification));
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return st;
	ticket_sign(signed_ticket, &self->ticket, auth->keys->ticket_secret);
	session_seal(root, login->expected.session_key, SESSION_TO_TERMINAL,
	    "wrapped root",
	    slice_of(credential->wrapped_root, credential->wrapped_root_len),
	    slice_of(NULL, 0));
	reply.ticket = field_of(slice_of(signed_ticket, sizeof(signed_ticket)));
	reply.expiry_ms = self->ticket.expiry_ms;
	reply.account_id = field_of(slice_of(account->bytes, ID_BYTES));
	reply.wrapped_root = field_of(
	    slice_of(root, SEALED_BYTES(credential->wrapped_root_len)));
	reply.verification_set = st == STATUS_OK;
	st = exchange_reply(self->x, &reply.base);
	if (st == STATUS_OK)
		auth->tickets_issued++;
	sodium_memzero(signed_ticket, sizeof(signed_ticket));
	return st;
}

static void proof_end(struct proof **self_p, enum status st)
{
	struct exchange *x = (*self_p)->x;

	proof_destroy(self_p);
	exchange_finish(&x, st);
}

/* The proof was right, and the try is given back. */
static void on_given_back(void *arg, enum status st)
{
	struct proof *self = arg;

	if (st != STATUS_OK)
		st = refuse_turn(self->auth, self->x, st, &self->turn);
	else if (self->refusal)
		st = exchange_refuse(
		    self->x, STATUS_DENIED, "%s", self->refusal);
	else if (was_revoked(self))
		st = refuse_revoked(self->x);
	else
		st = reply_ticket(self);
	proof_end(&self, st);
}

/* The proof was wrong, and that is on the disk. */
static void on_failed(void *arg, enum status st)
{
	struct proof *self = arg;

	if (st == STATUS_OK)
		st = refuse_lane(self->auth, self->x, STATUS_DENIED,
		    wrong_texts[self->turn.key.code], &self->turn.lane);
	else
		st = refuse_turn(self->auth, self->x, st, &self->turn);
	proof_end(&self, st);
}

static void tell_login(const struct proof *self, const char *kind)
{
	stream_tell(self->auth->service->stream,
	    &(struct stream_event){
		.kind = kind, .account = &self->login.lane.subject.account });
}

/* Returns PENDING, or what to answer. */
static enum status judge(struct proof *self, struct slice ke3)
{
	struct auth *auth = self->auth;
	const struct login *login = &self->login;

	enum status st = auth_db_credential(&auth->rows,
	    &login->lane.subject.account, &login->slot, &self->credential);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return st;
	bool known = st == STATUS_OK, disabled;
	st =
	    auth_db_disabled(auth->db, &login->lane.subject.account, &disabled);
	if (st != STATUS_OK)
		return st;
	st = login_proof(login, known ? &self->credential : NULL, ke3);
	self->turn.key = login->lane;
	self->turn.id = login->try;
	self->turn.invitation = login->invited ? login->invitation : NULL;
	self->turn.arg = self;
	if (st == STATUS_OK) {
		auth->logins_ok++;
		tell_login(self, "login_ok");
		self->refusal = disabled ? auth->disabled
					 : login_verdict_text(login->verdict);
		login_ticket(&self->ticket, login, self->x->header.peer.id,
		    auth->ticket_ms);
		if (!self->refusal && !was_revoked(self))
			self->turn.ticket = &self->ticket;
		self->turn.done = on_given_back;
		st = tries_give_back(auth->tries, &self->turn);
	} else {
		auth->logins_denied++;
		tell_login(self, "login_failed");
		self->turn.done = on_failed;
		st = tries_fail(auth->tries, &self->turn);
	}
	if (st != STATUS_PENDING)
		st = refuse_turn(auth, self->x, st, &self->turn);
	return st;
}

enum status on_login_finish(void *state, struct exchange *x)
{
	Auth__LoginFinish *message;
	struct proof *proof = calloc(1, sizeof(*proof));

	if (!proof)
		return STATUS_NO_SPACE;
	proof->auth = state;
	proof->x = x;
	enum status st =
	    exchange_unpack(x, &auth__login_finish__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_read_cookie(proof->auth, x, COOKIE_LOGIN,
		    message->cookie, &proof->login, sizeof(proof->login));
	if (st == STATUS_OK && orders_deleted(proof->auth->service->orders,
				   &proof->login.lane.subject.account))
		st = refuse_revoked(x);
	if (st == STATUS_OK)
		st = judge(proof, field_slice(message->ke3));
	if (st != STATUS_PENDING)
		proof_destroy(&proof);
	return st;
}
