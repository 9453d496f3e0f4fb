#include "keepsake.h"

#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "crypto/arena.h"
#include "grant_file.h"
#include "keepsake_internal.h"

/* Standing grants: given, listed, ended, and used. */

_Static_assert(KEEPSAKE_GRANT_UPLOAD == 1u << DIRECTION_UPLOAD &&
		   KEEPSAKE_GRANT_REPORT == 1u << DIRECTION_REPORT,
    "directions are directions");

#define DIRECTIONS_MAX 32

static enum status refuse_answer(struct keepsake *self)
{
	return call_refuse(self, STATUS_MALFORMED,
	    session_advice_for(STATUS_MALFORMED, LINK_UP),
	    "the server's answer is not what was asked for");
}

static enum status ask_to_add(struct keepsake *self, unsigned int directions,
    const uint8_t seed[static GRANT_SEED_BYTES])
{
	Auth__GrantAdd message = AUTH__GRANT_ADD__INIT;
	Common__Direction wanted[DIRECTIONS_MAX];
	uint8_t key[GRANT_PUBLIC_BYTES];

	grant_public_key(key, seed);
	message.public_key = field_of(slice_of(key, sizeof(key)));
	message.directions = wanted;
	for (unsigned int i = 0; i < DIRECTIONS_MAX; i++)
		if (directions & (1u << i))
			wanted[message.n_directions++] = (Common__Direction)i;
	enum status st = session_ask(self->session, AUTH__TYPE__GRANT_ADD,
	    login_ticket(self->login), &message.base, NULL, NULL);
	return st == STATUS_OK ? st : call_refuse_session(self, st);
}

static enum status ask_to_remove(struct keepsake *self,
    const struct id *terminal, keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	Auth__GrantRemove message = AUTH__GRANT_REMOVE__INIT;
	Auth__Revoked *answer;

	message.terminal_id = field_of(slice_of(terminal->bytes, ID_BYTES));
	enum status st = session_ask(self->session, AUTH__TYPE__GRANT_REMOVE,
	    login_ticket(self->login), &message.base,
	    &auth__revoked__descriptor, &answer);
	if (st == STATUS_NOT_FOUND)
		return call_refuse(self, st,
		    "see which there are: keepsake grant list",
		    "that terminal has no grant");
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	if (unconfirmed)
		tell_unconfirmed(answer->unconfirmed, answer->n_unconfirmed,
		    unconfirmed, arg);
	return STATUS_OK;
}

/* What a grant is made of is derived now: the root key goes with the call. */
static enum status make_grant(struct keepsake *self,
    const struct state_account *account, struct grant **out)
{
	if (id_is_none(&account->terminal))
		return call_refuse(self, STATUS_NOT_FOUND,
		    "bind it first: keepsake bind --serial SERIAL",
		    "this terminal does not know that it is bound");
	enum status st = call_account_keys(self, account);
	if (st != STATUS_OK)
		return st;
	st = grant_new(out, &account->terminal, self->account_keys);
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

/* A grant that cannot be kept is not asked for. */
static enum status check_keeping(struct keepsake *self)
{
	struct grant *former = NULL;

	enum status st = call_place(self, true);
	if (st != STATUS_OK)
		return st;
	st = grant_read(&former, self->place);
	grant_destroy(&former);
	return st == STATUS_DENIED ? call_refuse_place(self, st) : STATUS_OK;
}

static enum status add_grant(
    struct keepsake *self, unsigned int directions, struct grant **grant)
{
	struct state_account account;

	enum status st = check_keeping(self);
	if (st == STATUS_OK)
		st = call_prove(self, DIRECTION_MANAGE, &account);
	if (st == STATUS_OK)
		st = make_grant(self, &account, grant);
	if (st == STATUS_OK)
		st = ask_to_add(self, directions, (*grant)->seed);
	if (st != STATUS_OK)
		return st;
	st = grant_write(*grant, self->place);
	if (st == STATUS_OK)
		return st;
	/* Nobody has the key now: better that there is no grant either. */
	(void)ask_to_remove(self, &account.terminal, NULL, NULL);
	return st == STATUS_NO_SPACE && privileged_why(self->place)[0] == '\0'
		   ? call_refuse_plainly(self, st)
		   : call_refuse_place(self, st);
}

enum status keepsake_grant_add(struct keepsake *self, unsigned int directions)
{
	struct grant *grant = NULL;

	call_begin(self);
	enum status st = add_grant(self, directions, &grant);
	grant_destroy(&grant);
	call_end(self);
	return st;
}

static enum status read_grant(
    const Auth__Grant *message, struct keepsake_grant *out)
{
	*out = (struct keepsake_grant){
		.given_ms = message->given_ms,
		.used_ms = message->used_ms,
	};
	if (message->terminal_id.len != ID_BYTES)
		return STATUS_MALFORMED;
	memcpy(out->terminal, message->terminal_id.data, ID_BYTES);
	for (size_t i = 0; i < message->n_directions; i++) {
		unsigned int direction = (unsigned int)message->directions[i];
		/* A newer server may grant what is not known here. */
		if (direction < DIRECTIONS_MAX)
			out->directions |= 1u << direction;
	}
	return STATUS_OK;
}

static enum status list_grants(
    struct keepsake *self, struct keepsake_grant **list_out, size_t *count_out)
{
	struct state_account account;
	Auth__GrantList *answer;

	enum status st = call_prove(self, DIRECTION_MANAGE, &account);
	if (st != STATUS_OK)
		return st;
	st = session_ask(self->session, AUTH__TYPE__GRANT_LIST,
	    login_ticket(self->login), NULL, &auth__grant_list__descriptor,
	    &answer);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	/* One at least: calloc may give NULL for none. */
	struct keepsake_grant *list =
	    calloc(max_of(answer->n_grants, (size_t)1), sizeof(*list));
	if (!list)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; st == STATUS_OK && i < answer->n_grants; i++) {
		st = read_grant(answer->grants[i], &list[i]);
		list[i].here = memcmp(list[i].terminal, account.terminal.bytes,
				   ID_BYTES) == 0;
	}
	if (st != STATUS_OK) {
		free(list);
		return refuse_answer(self);
	}
	*list_out = list;
	*count_out = answer->n_grants;
	return STATUS_OK;
}

enum status keepsake_grants(
    struct keepsake *self, struct keepsake_grant **list_out, size_t *count_out)
{
	call_begin(self);
	enum status st = list_grants(self, list_out, count_out);
	call_end(self);
	return st;
}

static enum status remove_grant(struct keepsake *self, const uint8_t *which,
    keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	struct state_account account;
	struct id terminal;

	enum status st = call_prove(self, DIRECTION_MANAGE, &account);
	if (st != STATUS_OK)
		return st;
	terminal = account.terminal;
	if (which)
		memcpy(terminal.bytes, which, ID_BYTES);
	if (id_is_none(&terminal))
		return call_refuse(self, STATUS_NOT_FOUND,
		    "name the terminal: keepsake grant list shows them",
		    "this terminal does not know that it is bound");
	st = ask_to_remove(self, &terminal, unconfirmed, arg);
	/* What the server does not know, this terminal need not keep. */
	if ((st == STATUS_OK || st == STATUS_NOT_FOUND) &&
	    id_equal(&terminal, &account.terminal)) {
		enum status forgotten = grant_remove(self->place);
		if (st == STATUS_OK && forgotten != STATUS_OK)
			st = call_refuse_place(self, forgotten);
	}
	return st;
}

enum status keepsake_grant_remove(struct keepsake *self,
    const uint8_t *terminal, keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	call_begin(self);
	enum status st = remove_grant(self, terminal, unconfirmed, arg);
	call_end(self);
	return st;
}

/* ---- a proof by the grant ---- */

/* Read the grant, before anybody is asked anything. */
static enum status find_grant(struct keepsake *self, struct grant **out)
{
	struct state_account account;

	enum status st = call_place(self, false);
	if (st == STATUS_OK)
		st = call_account(self, &account);
	if (st != STATUS_OK)
		return st;
	st = grant_read(out, self->place);
	switch (st) {
	case STATUS_OK:
		break;
	case STATUS_NOT_FOUND:
		return call_refuse(self, st,
		    "give it one, with the password: keepsake grant add",
		    "this terminal has no grant in %s",
		    privileged_folder(self->place));
	case STATUS_DENIED:
		return call_refuse_place(self, st);
	case STATUS_MALFORMED:
		return call_refuse(self, st,
		    "make it anew, with the password: keepsake grant add",
		    "%s/grant: damaged", privileged_folder(self->place));
	default:
		return call_refuse_plainly(self, st);
	}
	if (!id_equal(&account.account, &(*out)->keys.account))
		return call_refuse(self, STATUS_CONFLICT,
		    "leave --name out, or make one: keepsake grant add",
		    "the grant in %s is of another account",
		    privileged_folder(self->place));
	if (!id_equal(&account.terminal, &(*out)->terminal))
		return call_refuse(self, STATUS_CONFLICT,
		    "make it anew, with the password: keepsake grant add",
		    "the grant in %s is of before this terminal was bound "
		    "anew",
		    privileged_folder(self->place));
	return STATUS_OK;
}

static enum status refuse_proof(struct keepsake *self, enum status status)
{
	call_refuse_session(self, status);
	if (status == STATUS_DENIED)
		self->advice =
		    "ask the account's owner: with the password, 'keepsake "
		    "bind' binds a terminal and 'keepsake grant add' gives it "
		    "a grant";
	return status;
}

static enum status take_ticket(struct keepsake *self, const struct grant *grant,
    enum direction direction, const Auth__LoginDone *done)
{
	struct login *login = secret_new(sizeof(*login));

	self->login = login; /* released by call_end */
	if (!login)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	if (done->ticket.len == 0 || done->ticket.len > sizeof(login->ticket) ||
	    id_from(&login->account, field_slice(done->account_id)) !=
		STATUS_OK ||
	    !id_equal(&login->account, &grant->keys.account))
		return refuse_answer(self);
	memcpy(login->ticket, done->ticket.data, done->ticket.len);
	login->ticket_len = done->ticket.len;
	login->expiry_ms = done->expiry_ms;
	login->direction = direction;
	return STATUS_OK;
}

/* Answer the challenge; ${self->login} is there afterwards. */
static enum status prove(
    struct keepsake *self, const struct grant *grant, enum direction direction)
{
	Auth__GrantLoginBegin begin = AUTH__GRANT_LOGIN_BEGIN__INIT;
	Auth__GrantProof proof = AUTH__GRANT_PROOF__INIT;
	Auth__GrantChallenge *challenge;
	Auth__LoginDone *done;
	struct bytes cookie = { 0 };
	uint8_t signature[GRANT_SIGNATURE_BYTES];
	struct grant_claim claim = {
		.direction = direction,
		.account = grant->keys.account,
		.terminal = grant->terminal,
	};

	memcpy(claim.peer, self->keys->public_key, sizeof(claim.peer));
	begin.direction = (Common__Direction)direction;
	enum status st = session_ask(self->session,
	    AUTH__TYPE__GRANT_LOGIN_BEGIN, (struct slice){ 0 }, &begin.base,
	    &auth__grant_challenge__descriptor, &challenge);
	if (st != STATUS_OK)
		return refuse_proof(self, st);
	if (challenge->challenge.len != GRANT_CHALLENGE_BYTES)
		return refuse_answer(self);
	memcpy(claim.challenge, challenge->challenge.data,
	    sizeof(claim.challenge));
	/* The next question ends the answer that it is in. */
	st = bytes_copy(&cookie, field_slice(challenge->cookie));
	if (st != STATUS_OK)
		return call_refuse_plainly(self, st);
	grant_sign(signature, &claim, grant->seed);
	proof.signature = field_of(slice_of(signature, sizeof(signature)));
	proof.cookie = field_of(bytes_slice(&cookie));
	st = session_ask(self->session, AUTH__TYPE__GRANT_LOGIN_FINISH,
	    (struct slice){ 0 }, &proof.base, &auth__login_done__descriptor,
	    &done);
	bytes_clear(&cookie);
	if (st != STATUS_OK)
		return refuse_proof(self, st);
	return take_ticket(self, grant, direction, done);
}

/* Only what writes is there, for the rest of the call. */
static enum status take_keys(struct keepsake *self, const struct grant *grant)
{
	self->account_keys = secret_new(sizeof(*self->account_keys));
	if (!self->account_keys)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	account_keys_for_writing(self->account_keys, &grant->keys);
	return STATUS_OK;
}

enum status call_transfer_by_grant(
    struct keepsake *self, enum direction direction)
{
	struct grant *grant = NULL;

	enum status st = find_grant(self, &grant);
	if (st == STATUS_OK)
		st = call_session(self);
	if (st == STATUS_OK)
		st = prove(self, grant, direction);
	if (st == STATUS_OK)
		st = take_keys(self, grant);
	if (st == STATUS_OK)
		st = call_remote(self);
	grant_destroy(&grant);
	return st;
}
