#include "keepsake.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/text.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "grant_file.h"
#include "keepsake_internal.h"
#include "local_keys.h"

/* Who may come in, who is in, and the end of it all. */

_Static_assert(KEEPSAKE_INVITATION_BYTES == INVITATION_BYTES, "invitations");

static enum status invite(
    struct keepsake *self, struct keepsake_invitation *out)
{
	struct state_account account;
	struct invitation made;
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);

	if (st != STATUS_OK)
		return st;
	st = session_invite(self->session, self->login, &made);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	memcpy(out->code, made.code, sizeof(out->code));
	out->expiry_ms = made.expiry_ms;
	sodium_memzero(&made, sizeof(made));
	return STATUS_OK;
}

enum status keepsake_invite(
    struct keepsake *self, struct keepsake_invitation *out)
{
	call_begin(self);
	enum status st = invite(self, out);
	call_end(self);
	return st;
}

enum status keepsake_ask_invitation(struct keepsake *self)
{
	struct state_account account;

	call_begin(self);
	enum status st = call_named(self, &account);
	if (st == STATUS_OK) {
		st = session_ask_invitation(self->session, account.name);
		if (st != STATUS_OK)
			call_refuse_session(self, st);
	}
	call_end(self);
	return st;
}

/* ---- sessions ---- */

static enum status read_session(
    struct keepsake_session *out, const Auth__Session *from)
{
	struct id session, terminal = { { 0 } };

	if (id_from(&session, field_slice(from->session_id)) != STATUS_OK)
		return STATUS_MALFORMED;
	if (from->terminal_id.len > 0 &&
	    id_from(&terminal, field_slice(from->terminal_id)) != STATUS_OK)
		return STATUS_MALFORMED;
	memcpy(out->id, session.bytes, ID_BYTES);
	memcpy(out->terminal, terminal.bytes, ID_BYTES);
	out->direction = direction_word((enum direction)from->direction);
	out->issued_ms = from->issued_ms;
	out->expiry_ms = from->expiry_ms;
	out->ends_ms = from->ends_ms;
	out->current = from->current;
	return STATUS_OK;
}

static enum status list_sessions(struct keepsake *self,
    struct keepsake_session **list_out, size_t *count_out)
{
	struct state_account account;
	Auth__SessionList *answer;
	struct keepsake_session *list = NULL;
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);

	if (st != STATUS_OK)
		return st;
	st = session_ask(self->session, AUTH__TYPE__SESSIONS,
	    login_ticket(self->login), NULL, &auth__session_list__descriptor,
	    &answer);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	/* One at least: calloc may give NULL for none. */
	list = calloc(answer->n_sessions + 1, sizeof(*list));
	if (!list)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; st == STATUS_OK && i < answer->n_sessions; i++)
		st = read_session(&list[i], answer->sessions[i]);
	if (st != STATUS_OK) {
		free(list);
		return call_refuse(self, st, session_advice_here(st),
		    "the server's list of sessions is not one");
	}
	*list_out = list;
	*count_out = answer->n_sessions;
	return STATUS_OK;
}

enum status keepsake_sessions(struct keepsake *self,
    struct keepsake_session **list_out, size_t *count_out)
{
	call_begin(self);
	enum status st = list_sessions(self, list_out, count_out);
	call_end(self);
	return st;
}

void tell_unconfirmed(char *const *names, size_t count,
    keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	for (size_t i = 0; i < count; i++)
		if (text_is_clean(slice_text(names[i])))
			unconfirmed(arg, names[i]);
}

static enum status revoke(struct keepsake *self,
    const struct keepsake_revocation *what,
    keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	struct state_account account;
	Auth__Revoke message = AUTH__REVOKE__INIT;
	Auth__Revoked *answer;
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);

	if (st != STATUS_OK)
		return st;
	if (what->session)
		message.session_id =
		    field_of(slice_of(what->session, ID_BYTES));
	if (what->terminal)
		message.terminal_id =
		    field_of(slice_of(what->terminal, ID_BYTES));
	message.all = what->all;
	st = session_ask(self->session, AUTH__TYPE__REVOKE,
	    login_ticket(self->login), &message.base,
	    &auth__revoked__descriptor, &answer);
	if (st == STATUS_NOT_FOUND)
		return call_refuse(self, st,
		    "keepsake sessions lists those that are there, with their "
		    "terminals",
		    "no such session: it has ended, or never was this "
		    "account's");
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	tell_unconfirmed(
	    answer->unconfirmed, answer->n_unconfirmed, unconfirmed, arg);
	return STATUS_OK;
}

enum status keepsake_revoke(struct keepsake *self,
    const struct keepsake_revocation *what,
    keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	call_begin(self);
	enum status st = revoke(self, what, unconfirmed, arg);
	call_end(self);
	return st;
}

/* ---- the end ---- */

/* What this terminal has of the account, but for local keys: while the
 * account is there they are the only ones. */
static enum status forget_here(struct keepsake *self)
{
	enum status st = grant_remove(self->place);

	if (st != STATUS_OK)
		call_refuse_place(self, st); /* and on with the rest */
	enum status files = state_forget_account(self->state);
	if (files != STATUS_OK)
		return call_refuse(self, files,
		    "remove them by hand, all but terminal.key and enrolment",
		    "%s: files of the account cannot be removed",
		    state_folder(self->state));
	self->sim_pin = KEEPSAKE_SIM_PIN_NOT_NEEDED;
	return st;
}

static enum status forget(struct keepsake *self, const struct id *wanted,
    keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	struct state_account account, kept;
	Auth__Deregister message = AUTH__DEREGISTER__INIT;
	Auth__Deregistered *answer;
	enum status st = call_lock(self);

	if (st == STATUS_OK)
		st = call_prove(self, DIRECTION_MANAGE, &account);
	if (st != STATUS_OK)
		return st;
	if (!id_equal(&self->login->account, wanted))
		return call_refuse(self, STATUS_CONFLICT,
		    "keepsake status shows the id of this terminal's account",
		    "nothing was deleted: that is another account's id");
	message.account_id = field_of(slice_of(wanted->bytes, ID_BYTES));
	st = session_ask(self->session, AUTH__TYPE__DEREGISTER,
	    login_ticket(self->login), &message.base,
	    &auth__deregistered__descriptor, &answer);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	tell_unconfirmed(
	    answer->unconfirmed, answer->n_unconfirmed, unconfirmed, arg);
	/* With --name it may have been another account than this folder's. */
	st = state_account(self->state, &kept);
	if (st == STATUS_OK && !id_equal(&kept.account, wanted))
		return STATUS_OK;
	st = local_keys_forget(self->place, wanted);
	if (st != STATUS_OK)
		call_refuse_place(self, st); /* and on with the rest */
	enum status rest = forget_here(self);
	return st == STATUS_OK ? rest : st;
}

enum status keepsake_forget(struct keepsake *self,
    const uint8_t account[static KEEPSAKE_ID_BYTES],
    keepsake_unconfirmed_fn *unconfirmed, void *arg)
{
	struct id wanted;

	memcpy(wanted.bytes, account, ID_BYTES);
	call_begin(self);
	enum status st = forget(self, &wanted, unconfirmed, arg);
	call_end(self);
	return st;
}

enum status keepsake_forget_here(struct keepsake *self)
{
	struct state_account kept;

	call_begin(self);
	if (state_account(self->state, &kept) == STATUS_NOT_FOUND)
		return call_refuse(self, STATUS_NOT_FOUND,
		    "there is nothing to forget", "%s: no account",
		    state_folder(self->state));
	/* A backup that runs would write its cache again. */
	enum status st = call_lock(self);
	return st == STATUS_OK ? forget_here(self) : st;
}
