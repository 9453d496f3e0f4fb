#include "keepsake.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "binding.pb-c.h"
#include "bus/unpack.h"
#include "grant_file.h"
#include "keepsake_internal.h"

/* The account's terminals: listed, and, with verification information,
 * changed and released (D-02). */

_Static_assert(KEEPSAKE_KEY_BYTES == CURVE_KEY_BYTES, "a terminal's key");

/* ---- the list ---- */

static enum status read_terminal(struct keepsake_terminal *out,
    const Binding__Terminal *message, const struct curve_keys *own)
{
	if (message->terminal_id.len != KEEPSAKE_ID_BYTES ||
	    message->peer_key.len != KEEPSAKE_KEY_BYTES ||
	    !text_copy(out->imei, sizeof(out->imei), message->imei) ||
	    !text_copy(out->serial, sizeof(out->serial), message->serial) ||
	    !text_copy(out->label, sizeof(out->label), message->label) ||
	    !text_is_clean(slice_text(out->imei)) ||
	    !text_is_clean(slice_text(out->serial)) ||
	    !text_is_clean(slice_text(out->label)))
		return STATUS_MALFORMED;
	memcpy(out->id, message->terminal_id.data, KEEPSAKE_ID_BYTES);
	memcpy(out->key, message->peer_key.data, KEEPSAKE_KEY_BYTES);
	out->bound_ms = message->bound_ms;
	out->is_this =
	    memcmp(out->key, own->public_key, KEEPSAKE_KEY_BYTES) == 0;
	return STATUS_OK;
}

static enum status read_terminals(struct keepsake *self,
    const Binding__TerminalList *list, struct keepsake_terminal **list_out)
{
	struct keepsake_terminal *terminals;
	enum status st = STATUS_OK;

	if (list->n_terminals == 0)
		return STATUS_OK;
	terminals = calloc(list->n_terminals, sizeof(*terminals));
	if (!terminals)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	for (size_t i = 0; i < list->n_terminals && st == STATUS_OK; i++)
		st = read_terminal(
		    &terminals[i], list->terminals[i], self->keys);
	if (st != STATUS_OK) {
		free(terminals);
		return call_refuse(self, st,
		    "update keepsake; if that does not help tell the operator",
		    "the server's list of terminals is not one");
	}
	*list_out = terminals;
	return STATUS_OK;
}

static enum status list_terminals(struct keepsake *self,
    struct keepsake_terminal **list_out, size_t *count_out)
{
	struct state_account account;
	Binding__TerminalList *list;

	/* One that is not bound can see them too: it may be to take the
	 * place of one of them. */
	enum status st = call_account(self, &account);
	if (st == STATUS_OK)
		st = call_prove(self,
		    id_is_none(&account.terminal) ? DIRECTION_ENROL
						  : DIRECTION_MANAGE,
		    &account);
	if (st != STATUS_OK)
		return st;
	st = session_ask(self->session, BINDING__TYPE__TERMINALS,
	    login_ticket(self->login), NULL,
	    &binding__terminal_list__descriptor, &list);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	st = read_terminals(self, list, list_out);
	if (st == STATUS_OK)
		*count_out = list->n_terminals;
	return st;
}

enum status keepsake_terminals(struct keepsake *self,
    struct keepsake_terminal **list_out, size_t *count_out)
{
	*list_out = NULL;
	*count_out = 0;
	call_begin(self);
	enum status st = list_terminals(self, list_out, count_out);
	call_end(self);
	return st;
}

/* ---- with verification information ---- */

/* Prove it: self->login has a BIND ticket then. */
static enum status prove_verification(
    struct keepsake *self, struct state_account *account_out)
{
	struct code_factors factors = { .set = CODE_PASSWORD };
	enum status st = call_named(self, account_out);

	if (st != STATUS_OK)
		return st;
	st = call_secret(self, KEEPSAKE_VERIFICATION_NOW, &factors.password);
	if (st != STATUS_OK)
		return st;
	st = session_login(self->session, account_out->name, &factors,
	    DIRECTION_BIND, &self->login);
	return st == STATUS_OK ? st : call_refuse_session(self, st);
}

static enum status rebind(
    struct keepsake *self, const struct keepsake_device *device)
{
	Binding__Rebind message = BINDING__REBIND__INIT;
	Binding__Bound *bound;
	struct state_account account;
	enum status st = prove_verification(self, &account);

	if (st != STATUS_OK)
		return st;
	message.imei = (char *)device->imei; /* protobuf-c only reads them */
	message.serial = (char *)device->serial;
	message.label = (char *)device->label;
	st = session_ask(self->session, BINDING__TYPE__REBIND,
	    login_ticket(self->login), &message.base,
	    &binding__bound__descriptor, &bound);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	account.account = self->login->account;
	st = id_from(&account.terminal, field_slice(bound->terminal_id));
	if (st != STATUS_OK)
		return call_refuse(self, st,
		    "it is bound all the same; update keepsake",
		    "the server gave no terminal id");
	return call_keep_account(self, &account);
}

enum status keepsake_rebind(
    struct keepsake *self, const struct keepsake_device *device)
{
	call_begin(self);
	enum status st = rebind(self, device);
	call_end(self);
	return st;
}

/* Forget ${terminal} where the state folder takes it for this one. */
static enum status forget_terminal(
    struct keepsake *self, const struct id *terminal)
{
	struct state_account kept;
	enum status st = state_account(self->state, &kept);

	if (st == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (st != STATUS_OK)
		return call_refuse_file(self, st, "account");
	if (!id_equal(&kept.terminal, terminal))
		return STATUS_OK;
	kept.terminal = (struct id){ 0 };
	st = grant_remove(self->place); /* it was this binding's */
	if (st != STATUS_OK)
		call_refuse_place(self, st);
	enum status kept_too = call_keep_account(self, &kept);
	return st == STATUS_OK ? kept_too : st;
}

static enum status unbind(struct keepsake *self, const uint8_t *terminal,
    const struct keepsake_device *device, struct id *unbound_out)
{
	Binding__Unbind message = BINDING__UNBIND__INIT;
	Binding__Unbound *unbound;
	struct state_account account;
	enum status st = prove_verification(self, &account);

	if (st != STATUS_OK)
		return st;
	if (terminal)
		message.terminal_id =
		    field_of(slice_of(terminal, KEEPSAKE_ID_BYTES));
	if (device) {
		/* protobuf-c only reads them */
		message.imei = (char *)device->imei;
		message.serial = (char *)device->serial;
	}
	st = session_ask(self->session, BINDING__TYPE__UNBIND,
	    login_ticket(self->login), &message.base,
	    &binding__unbound__descriptor, &unbound);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	st = id_from(unbound_out, field_slice(unbound->terminal_id));
	if (st != STATUS_OK)
		return call_refuse(self, st,
		    "it is released all the same; update keepsake",
		    "the server gave no terminal id");
	return forget_terminal(self, unbound_out);
}

enum status keepsake_unbind(struct keepsake *self, const uint8_t *terminal,
    const struct keepsake_device *device,
    uint8_t unbound_out[static KEEPSAKE_ID_BYTES])
{
	struct id unbound = { 0 };

	call_begin(self);
	enum status st = unbind(self, terminal, device, &unbound);
	memcpy(unbound_out, unbound.bytes, KEEPSAKE_ID_BYTES);
	call_end(self);
	return st;
}
