#include "keepsake_internal.h"

#include <sodium.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/util.h"
#include "crypto/arena.h"

/* What a call is made of: its beginning and end, its secrets, its proof. */

#define ANSWER_MS (60 * 1000)

_Static_assert(KEEPSAKE_SECRET_BYTES == CODE_PASSWORD_BYTES_MAX + 1,
    "the longest password fits");

void call_begin(struct keepsake *self)
{
	self->detail[0] = '\0';
	self->advice = "";
	self->tries_told = false;
	self->retry_after_ms = 0;
	self->password_typed = false;
}

static void wipe_answers(struct keepsake *self)
{
	void *answers = self->answers;

	secret_destroy(&answers, sizeof(*self->answers));
	self->answers = NULL;
}

static void wipe_keys(struct keepsake *self)
{
	void *keys = self->keys;

	secret_destroy(&keys, sizeof(*self->keys));
	self->keys = NULL;
}

void call_end(struct keepsake *self)
{
	remote_destroy(&self->remote);
	session_destroy(&self->session);
	call_wipe_key(self);
	account_keys_destroy(&self->account_keys);
	login_destroy(&self->login);
	wipe_answers(self);
	wipe_keys(self);
}

static enum status read_enrolment(struct keepsake *self)
{
	enum status st = state_enrolment(self->state, &self->enrolment);

	if (st == STATUS_NOT_FOUND)
		return call_refuse(self, st,
		    "get the enrolment string from the operator "
		    "('keepsakectl enrolment') and run: keepsake enrol STRING",
		    "this terminal does not know its server yet");
	return st == STATUS_OK ? st : call_refuse_file(self, st, "enrolment");
}

enum status call_keys(struct keepsake *self)
{
	self->keys = secret_new(sizeof(*self->keys));
	if (!self->keys)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	enum status st = state_keys(self->state, self->keys);
	return st == STATUS_OK ? st
			       : call_refuse_file(self, st, "terminal.key");
}

enum status call_account(struct keepsake *self, struct state_account *out)
{
	enum status st = state_account(self->state, out);

	if (st == STATUS_NOT_FOUND) {
		*out = (struct state_account){ .name = "" };
		st = STATUS_OK;
	}
	if (st != STATUS_OK)
		return call_refuse_file(self, st, "account");
	if (self->name[0] != '\0' && strcmp(self->name, out->name) != 0) {
		*out = (struct state_account){ .name = "" };
		memcpy(out->name, self->name, sizeof(out->name));
	}
	return STATUS_OK;
}

enum status call_keep_account(
    struct keepsake *self, const struct state_account *account)
{
	enum status st = state_set_account(self->state, account);

	return st == STATUS_OK ? st : call_refuse_file(self, st, "account");
}

enum status call_secret(
    struct keepsake *self, enum keepsake_secret secret, struct slice *out)
{
	bool typed = false;

	if (!self->answers)
		self->answers = secret_new(sizeof(*self->answers));
	if (!self->answers)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	char *text = self->answers->texts[secret];
	enum status st = self->ask(self->arg, secret, text, &typed);
	if (st != STATUS_OK)
		return st; /* who asked has said why */
	if (secret == KEEPSAKE_PASSWORD || secret == KEEPSAKE_NEW_PASSWORD)
		self->password_typed = typed; /* it is the account's */
	*out = slice_text(text);
	return STATUS_OK;
}

enum status call_collect(struct keepsake *self, unsigned int set,
    enum keepsake_secret password, struct code_factors *out)
{
	const struct {
		unsigned int factor;
		enum keepsake_secret secret;
		struct slice *value;
	} rows[] = {
		{ CODE_PASSWORD, password, &out->password },
		{ CODE_SERIAL, KEEPSAKE_SERIAL, &out->serial },
		{ CODE_IMEI, KEEPSAKE_IMEI, &out->imei },
		{ CODE_IMSI, KEEPSAKE_IMSI, &out->imsi },
	};
	enum status st = STATUS_OK;

	*out = (struct code_factors){ .set = set };
	for (size_t i = 0; st == STATUS_OK && i < nitems(rows); i++)
		if (set & rows[i].factor)
			st = call_secret(self, rows[i].secret, rows[i].value);
	return st;
}

void call_remember_password(struct keepsake *self, struct slice password)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = password,
	};
	struct code *code = NULL;
	uint64_t asked_ms;

	if (!self->password_typed &&
	    state_password_when(self->state, &asked_ms) == STATUS_OK)
		return;
	if (code_new(&code, &factors) == STATUS_OK)
		(void)state_set_password(
		    self->state, code_text(code), clock_wall_ms());
	code_destroy(&code);
}

enum status call_session(struct keepsake *self)
{
	enum status st = read_enrolment(self);

	if (st == STATUS_OK)
		st = call_keys(self);
	if (st != STATUS_OK)
		return st;
	const struct session_options options = {
		.enrolment = &self->enrolment,
		.keys = self->keys,
		.timeout_ms = self->timeout_ms ? self->timeout_ms : ANSWER_MS,
		.waiting = self->waiting,
		.arg = self->arg,
	};
	st = session_new(&self->session, &options);
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

enum status call_lock(struct keepsake *self)
{
	pid_t holder;
	enum status st = state_lock(self->state, &holder);

	if (st == STATUS_CONFLICT)
		return call_refuse(self, st,
		    "wait for it to end, or use another terminal's folder: "
		    "--state DIR",
		    "another backup of this terminal runs: process %ld",
		    (long)holder);
	return st == STATUS_OK ? st : call_refuse_file(self, st, "lock");
}

/* Note in the state whose terminal this turned out to be. */
static enum status note_account(
    struct keepsake *self, struct state_account *account)
{
	struct state_account kept;
	enum status st = state_account(self->state, &kept);

	/* --name for once does not change whose terminal it is. */
	if (st == STATUS_OK && strcmp(kept.name, account->name) != 0)
		return STATUS_OK;
	if (id_equal(&account->account, &self->login->account))
		return STATUS_OK;
	account->account = self->login->account;
	return call_keep_account(self, account);
}

enum status call_named(struct keepsake *self, struct state_account *account_out)
{
	struct slice invitation = { 0 };
	enum status st = call_session(self);

	if (st == STATUS_OK)
		st = call_account(self, account_out);
	if (st != STATUS_OK)
		return st;
	if (account_out->name[0] == '\0')
		return call_refuse(self, STATUS_NOT_FOUND,
		    "keepsake register NAME makes an account; one that you "
		    "have is named with --name NAME",
		    "this terminal does not know whose it is");
	if (!self->invited)
		return STATUS_OK;
	st = call_secret(self, KEEPSAKE_INVITATION, &invitation);
	if (st == STATUS_OK)
		session_set_invitation(self->session, invitation);
	return st;
}

/* What a refused login means for a terminal that stands so. */
static enum status refuse_login(struct keepsake *self, enum status status,
    const struct state_account *account)
{
	call_refuse_session(self, status);
	if (self->retry_after_ms > 0 && id_is_none(&account->terminal) &&
	    !self->invited && status != STATUS_BUSY &&
	    status != STATUS_UNAVAILABLE)
		self->advice =
		    "wait until then; or get an invitation from the account's "
		    "owner, which lets you in now: keepsake --name NAME "
		    "invite --ask sends one to the owner's terminals, and "
		    "--invitation-file FILE brings it";
	return status;
}

void call_note_factors(struct keepsake *self, unsigned int factors)
{
	uint64_t confirmed_ms;

	if (factors & (CODE_IMEI | CODE_IMSI))
		self->sim_pin =
		    state_sim_pin_when(self->state, &confirmed_ms) == STATUS_OK
			? KEEPSAKE_SIM_PIN_CONFIRMED
			: KEEPSAKE_SIM_PIN_DUE;
}

enum status call_prove(struct keepsake *self, enum direction direction,
    struct state_account *account_out)
{
	struct code_factors factors;
	struct code_wanted wanted = { 0 };
	enum status st = call_named(self, account_out);

	if (st != STATUS_OK)
		return st;
	st = session_factors(
	    self->session, account_out->name, direction, &wanted);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	st = call_collect(self, wanted.factors,
	    wanted.own ? KEEPSAKE_OWN_PASSWORD : KEEPSAKE_PASSWORD, &factors);
	if (st != STATUS_OK)
		return st;
	st = session_login(self->session, account_out->name, &factors,
	    direction, &self->login);
	if (st != STATUS_OK)
		return refuse_login(self, st, account_out);
	if (!wanted.own)
		call_remember_password(self, factors.password);
	call_note_factors(self, wanted.factors);
	return note_account(self, account_out);
}

/*
 * The code that was proved has no password in it, so it opened no key: the
 * account's does.  Its ticket, for no more than a binding, is let go.
 */
static enum status get_root(
    struct keepsake *self, const struct state_account *account)
{
	struct code_factors factors;
	struct login *owner = NULL;
	enum status st =
	    call_collect(self, CODE_PASSWORD, KEEPSAKE_PASSWORD, &factors);

	if (st == STATUS_AUTH_REQUIRED)
		return call_refuse(self, st,
		    "--password-file FILE brings the account's; a code with a "
		    "password in it opens the key by itself: keepsake code "
		    "set --factors password,…",
		    "this terminal's code has no password in it, so the key "
		    "of the backups stays closed: the account's password is "
		    "needed as well");
	if (st != STATUS_OK)
		return st;
	st = session_login(
	    self->session, account->name, &factors, DIRECTION_ENROL, &owner);
	if (st != STATUS_OK)
		return refuse_login(self, st, account);
	if (id_equal(&owner->account, &self->login->account)) {
		memcpy(
		    self->login->root, owner->root, sizeof(self->login->root));
		self->login->has_root = true;
		call_remember_password(self, factors.password);
	} else {
		st = call_refuse_plainly(self, STATUS_CONFLICT);
	}
	login_destroy(&owner);
	return st;
}

enum status call_account_keys(
    struct keepsake *self, const struct state_account *account)
{
	enum status st = STATUS_OK;

	if (!self->login->has_root)
		st = get_root(self, account);
	if (st != STATUS_OK)
		return st;
	if (!self->login->has_root)
		return call_refuse(self, STATUS_DENIED,
		    "give this terminal a code with a password in it: "
		    "keepsake code",
		    "this terminal's code has no password in it, and so does "
		    "not open the account's keys");
	st = account_keys_new(
	    &self->account_keys, &self->login->account, self->login->root);
	sodium_memzero(self->login->root, sizeof(self->login->root));
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

enum status call_remote(struct keepsake *self)
{
	session_destroy(&self->session); /* the transfer has a connection */
	const struct remote_options options = {
		.enrolment = &self->enrolment,
		.keys = self->keys,
		.account = &self->login->account,
		.ticket = login_ticket(self->login),
		.timeout_ms =
		    self->timeout_ms ? self->timeout_ms : DEADLINE_MS_MAX,
	};
	enum status st = remote_new(&self->remote, &options);
	return st == STATUS_OK ? st : call_refuse_plainly(self, st);
}

enum status call_transfer(struct keepsake *self, enum direction direction)
{
	struct state_account account;
	enum status st = call_prove(self, direction, &account);

	if (st == STATUS_OK)
		st = call_account_keys(self, &account);
	return st == STATUS_OK ? call_remote(self) : st;
}
