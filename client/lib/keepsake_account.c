#include "keepsake.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "binding.pb-c.h"
#include "bus/unpack.h"
#include "keepsake_internal.h"

/* The account: made, a terminal bound to it, and its password. */

static enum status may_register(struct keepsake *self)
{
	struct state_account kept;
	enum status st = state_account(self->state, &kept);

	if (st == STATUS_NOT_FOUND)
		return STATUS_OK;
	if (st != STATUS_OK)
		return call_refuse_file(self, st, "account");
	if (id_is_none(&kept.terminal))
		return STATUS_OK; /* bound to nobody: it may begin anew */
	return call_refuse(self, STATUS_CONFLICT,
	    "for another account use another folder: --state DIR",
	    "%s belongs to an account already", state_folder(self->state));
}

static enum status register_name(struct keepsake *self, const char *name)
{
	struct state_account account = { .name = "" };
	struct code_factors factors = { .set = CODE_PASSWORD };

	if (name[0] == '\0' || strlen(name) > KEEPSAKE_NAME_BYTES_MAX ||
	    !text_is_clean(slice_text(name)))
		return call_refuse(self, STATUS_MALFORMED,
		    "a phone number (+…), an e-mail address or a nickname",
		    "not a name for an account");
	memcpy(account.name, name, strlen(name));
	enum status st = may_register(self);
	if (st == STATUS_OK)
		st = call_session(self);
	if (st == STATUS_OK)
		st =
		    call_secret(self, KEEPSAKE_NEW_PASSWORD, &factors.password);
	if (st != STATUS_OK)
		return st;
	st = session_register(self->session, name, &factors, &account.account);
	if (st == STATUS_CONFLICT)
		return call_refuse(self, st,
		    "choose another name; if it is yours, use it: keepsake "
		    "--name NAME bind --serial SERIAL",
		    "this name is taken");
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	call_remember_password(self, factors.password);
	return call_keep_account(self, &account);
}

enum status keepsake_register(struct keepsake *self, const char *name)
{
	call_begin(self);
	enum status st = register_name(self, name);
	call_end(self);
	return st;
}

static enum status bind_device(
    struct keepsake *self, const struct keepsake_device *device)
{
	Binding__Bind message = BINDING__BIND__INIT;
	Binding__Bound *bound;
	struct state_account account;
	struct slice verification;
	enum status st = call_prove(self, DIRECTION_ENROL, &account);

	if (st != STATUS_OK)
		return st;
	if (!self->login->verification_set) {
		st = call_secret(self, KEEPSAKE_VERIFICATION, &verification);
		if (st != STATUS_OK)
			return st;
		st = session_set_verification(
		    self->session, self->login, verification);
		if (st != STATUS_OK)
			return call_refuse_session(self, st);
	}
	message.imei = (char *)device->imei; /* protobuf-c only reads them */
	message.serial = (char *)device->serial;
	message.label = (char *)device->label;
	st = session_ask(self->session, BINDING__TYPE__BIND,
	    login_ticket(self->login), &message.base,
	    &binding__bound__descriptor, &bound);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	st = id_from(&account.terminal, field_slice(bound->terminal_id));
	if (st != STATUS_OK)
		return call_refuse(self, st, session_advice_here(st),
		    "the server gave no terminal id");
	return call_keep_account(self, &account);
}

enum status keepsake_bind(
    struct keepsake *self, const struct keepsake_device *device)
{
	call_begin(self);
	enum status st = bind_device(self, device);
	call_end(self);
	return st;
}

static enum status change_password(struct keepsake *self)
{
	struct state_account account;
	struct code_factors factors = { .set = CODE_PASSWORD };
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);

	if (st == STATUS_OK)
		st =
		    call_secret(self, KEEPSAKE_NEW_PASSWORD, &factors.password);
	if (st != STATUS_OK)
		return st;
	st = session_change_code(self->session, self->login, &factors);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	self->password_typed = true; /* a new one is remembered in any case */
	call_remember_password(self, factors.password);
	return STATUS_OK;
}

enum status keepsake_change_password(struct keepsake *self)
{
	call_begin(self);
	enum status st = change_password(self);
	call_end(self);
	return st;
}

bool keepsake_password_due(struct keepsake *self)
{
	uint64_t asked_ms;

	if (state_password_when(self->state, &asked_ms) != STATUS_OK)
		return false;
	return clock_wall_ms() > asked_ms &&
	       clock_wall_ms() - asked_ms > STATE_ASK_MS_MAX;
}

enum status keepsake_check_password(struct keepsake *self, const char *password)
{
	const struct code_factors factors = {
		.set = CODE_PASSWORD,
		.password = slice_text(password),
	};
	struct code *code = NULL;

	call_begin(self);
	enum status st = code_new(&code, &factors);
	if (st == STATUS_MALFORMED)
		st = STATUS_DENIED; /* no password at all */
	if (st == STATUS_OK)
		st = state_check_password(self->state, code_text(code));
	if (st == STATUS_OK)
		st = state_password_asked(self->state, clock_wall_ms());
	code_destroy(&code);
	return st;
}
