#include <sodium.h>

#include "change.h"

/* The owner's code and a terminal's own. */

static enum status choose_slot(struct change *self, unsigned int slot)
{
	const struct id *terminal = &self->x->ticket.terminal;

	self->conflict = "the code was changed meanwhile";
	switch (slot) {
	case AUTH__CODE_SLOT__OWNER_CODE:
		self->slot = owner_slot;
		return STATUS_OK;
	case AUTH__CODE_SLOT__TERMINAL_CODE:
		self->slot = (struct code_slot){ .kind = CREDENTIAL_TERMINAL,
			.terminal = *terminal };
		return STATUS_OK;
	default:
		return exchange_refuse(
		    self->x, STATUS_MALFORMED, "there is no such code");
	}
}

enum status on_code_begin(void *state, struct exchange *x)
{
	Auth__CodeBegin *message;
	struct change change;

	change_begin(&change, state, x);
	enum status st = sealed_unpack(&change.sealed, change.auth->keys,
	    &auth__code_begin__descriptor, &message);
	if (st == STATUS_OK)
		st = choose_slot(&change, message->slot);
	if (st == STATUS_OK)
		st = change_read(&change);
	if (st == STATUS_OK)
		st =
		    change_offer(&change, COOKIE_CODE, message->opaque_request);
	change_end(&change);
	return st;
}

/* What the last message brings, as it is to be kept. */
static enum status make_credential(const struct change *self,
    const Auth__CodeFinish *message, struct credential *out)
{
	const struct credential_parts parts = {
		.record = field_slice(message->opaque_record),
		.factors = message->factors,
		.wrapped_root = field_slice(message->wrapped_root),
	};
	uint32_t revision = self->is_there ? self->found.revision + 1 : 1;
	const char *why;
	enum status st;

	if (self->slot.kind == CREDENTIAL_OWNER)
		st = credential_owner(out, revision, &parts, &why);
	else
		st = credential_terminal(out, revision, &parts,
		    self->auth->allow_identifier_only, &why);
	if (st != STATUS_OK)
		return exchange_refuse(self->x, st, "%s", why);
	return st;
}

enum status on_code_finish(void *state, struct exchange *x)
{
	Auth__CodeFinish *message;
	struct credential next = { 0 };
	struct change change;

	change_begin(&change, state, x);
	enum status st = sealed_unpack(&change.sealed, change.auth->keys,
	    &auth__code_finish__descriptor, &message);
	if (st == STATUS_OK)
		st = choose_slot(&change, message->slot);
	if (st == STATUS_OK)
		st = change_open(&change, COOKIE_CODE, message->cookie);
	if (st == STATUS_OK)
		st = make_credential(&change, message, &next);
	if (st == STATUS_OK)
		st = change_commit(&change, &next,
		    change.slot.kind == CREDENTIAL_OWNER ? "code_changed"
							 : "terminal_code_set");
	sodium_memzero(&next, sizeof(next));
	change_end(&change);
	return st;
}

enum status on_code_remove(void *state, struct exchange *x)
{
	Auth__Empty *message;
	struct change change;

	change_begin(&change, state, x);
	enum status st = sealed_unpack(&change.sealed, change.auth->keys,
	    &auth__empty__descriptor, &message);
	if (st == STATUS_OK)
		st = choose_slot(&change, AUTH__CODE_SLOT__TERMINAL_CODE);
	if (st == STATUS_OK)
		st = change_read(&change);
	if (st == STATUS_OK && !change.is_there)
		st = exchange_refuse(x, STATUS_NOT_FOUND,
		    "this terminal has no code of its own");
	if (st == STATUS_OK)
		st = change_commit(&change, NULL, "terminal_code_removed");
	change_end(&change);
	return st;
}
