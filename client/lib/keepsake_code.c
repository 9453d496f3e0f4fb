#include "keepsake.h"

#include "base/clock.h"
#include "card/imei.h"
#include "keepsake_internal.h"

/* A terminal's own code, and the PIN of the card in it. */

_Static_assert(KEEPSAKE_FACTOR_PASSWORD == CODE_PASSWORD &&
		   KEEPSAKE_FACTOR_SERIAL == CODE_SERIAL &&
		   KEEPSAKE_FACTOR_IMEI == CODE_IMEI &&
		   KEEPSAKE_FACTOR_IMSI == CODE_IMSI,
    "factors are factors");

static enum status find_codes(struct keepsake *self, struct keepsake_codes *out)
{
	struct state_account account;
	struct code_wanted manage = { 0 }, transfer = { 0 };
	enum status st = call_named(self, &account);

	if (st != STATUS_OK)
		return st;
	st = session_factors(
	    self->session, account.name, DIRECTION_MANAGE, &manage);
	if (st == STATUS_OK)
		st = session_factors(
		    self->session, account.name, DIRECTION_UPLOAD, &transfer);
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	out->account = manage.factors;
	out->own = transfer.own ? transfer.factors : 0;
	call_note_factors(self, out->own);
	return STATUS_OK;
}

enum status keepsake_codes(struct keepsake *self, struct keepsake_codes *out)
{
	call_begin(self);
	enum status st = find_codes(self, out);
	call_end(self);
	return st;
}

/* The server does not check it: it never sees one. */
static enum status check_imei(
    struct keepsake *self, const struct code_factors *factors)
{
	if (!(factors->set & CODE_IMEI) ||
	    imei_check((const char *)factors->imei.data) == STATUS_OK)
		return STATUS_OK;
	return call_refuse(self, STATUS_MALFORMED,
	    "dial *#06# to see it: 15 digits, the last of which is a check",
	    "not an IMEI: a code with it could not be repeated");
}

static enum status refuse_code(
    struct keepsake *self, enum status status, unsigned int factors)
{
	call_refuse_session(self, status);
	if (status == STATUS_DENIED && !(factors & CODE_PASSWORD))
		self->advice =
		    "put a password into it: keepsake code set --factors "
		    "password,…; the operator decides whether a code may do "
		    "without";
	return status;
}

static enum status set_code(struct keepsake *self, unsigned int set)
{
	struct state_account account;
	struct code_factors factors;

	if (!code_set_valid(set))
		return call_refuse(self, STATUS_MALFORMED,
		    "one or more of password, serial, imei, imsi",
		    "a code is not made of that");
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);
	if (st == STATUS_OK)
		st = call_collect(
		    self, set, KEEPSAKE_NEW_OWN_PASSWORD, &factors);
	if (st == STATUS_OK)
		st = check_imei(self, &factors);
	if (st != STATUS_OK)
		return st;
	/* Before the code is there: then it is urged in any case. */
	st = state_sim_pin_forget(self->state);
	if (st != STATUS_OK)
		return call_refuse_file(self, st, "sim-pin");
	st = session_set_own_code(self->session, self->login, &factors);
	if (st != STATUS_OK)
		return refuse_code(self, st, set);
	call_note_factors(self, set);
	return STATUS_OK;
}

enum status keepsake_set_code(struct keepsake *self, unsigned int factors)
{
	call_begin(self);
	enum status st = set_code(self, factors);
	call_end(self);
	return st;
}

static enum status remove_code(struct keepsake *self)
{
	struct state_account account;
	enum status st = call_prove(self, DIRECTION_MANAGE, &account);

	if (st != STATUS_OK)
		return st;
	st = session_remove_own_code(self->session, self->login);
	if (st == STATUS_NOT_FOUND)
		return call_refuse(self, st,
		    "its transfers are proved by the account's password",
		    "this terminal has no code of its own");
	if (st != STATUS_OK)
		return call_refuse_session(self, st);
	self->sim_pin = KEEPSAKE_SIM_PIN_NOT_NEEDED;
	return STATUS_OK;
}

enum status keepsake_remove_code(struct keepsake *self)
{
	call_begin(self);
	enum status st = remove_code(self);
	call_end(self);
	return st;
}

enum keepsake_sim_pin keepsake_sim_pin(const struct keepsake *self)
{
	return self->sim_pin;
}

enum status keepsake_confirm_sim_pin(struct keepsake *self)
{
	call_begin(self);
	enum status st = state_sim_pin_confirm(self->state, clock_wall_ms());
	if (st != STATUS_OK)
		return call_refuse_file(self, st, "sim-pin");
	if (self->sim_pin == KEEPSAKE_SIM_PIN_DUE)
		self->sim_pin = KEEPSAKE_SIM_PIN_CONFIRMED;
	return STATUS_OK;
}
