#include <sodium.h>

#include "change.h"

/*
 * Verification information: set with the first binding (D-01), and replaced
 * by who has proven it (D-02).
 */

static const char set_already[] = "verification information is set already";

/* A ticket that took the owner's code alone replaces nothing. */
static enum status check_replaces(const struct change *self)
{
	if (self->is_there && self->x->ticket.direction == DIRECTION_ENROL)
		return exchange_refuse(
		    self->x, STATUS_CONFLICT, "%s", set_already);
	return STATUS_OK;
}

enum status on_verification_begin(void *state, struct exchange *x)
{
	Auth__VerificationBegin *message;
	struct change change;

	change_begin(&change, state, x);
	change.slot = verification_slot;
	enum status st = sealed_unpack(&change.sealed, change.auth->keys,
	    &auth__verification_begin__descriptor, &message);
	if (st == STATUS_OK)
		st = change_read(&change);
	if (st == STATUS_OK)
		st = check_replaces(&change);
	if (st == STATUS_OK)
		st = change_offer(
		    &change, COOKIE_VERIFICATION, message->opaque_request);
	change_end(&change);
	return st;
}

enum status on_verification_finish(void *state, struct exchange *x)
{
	Auth__VerificationFinish *message;
	struct credential next = { 0 };
	struct change change;
	const char *why;

	change_begin(&change, state, x);
	change.slot = verification_slot;
	change.conflict =
	    x->ticket.direction == DIRECTION_ENROL
		? set_already
		: "verification information was changed meanwhile";
	enum status st = sealed_unpack(&change.sealed, change.auth->keys,
	    &auth__verification_finish__descriptor, &message);
	if (st == STATUS_OK)
		st = change_open(&change, COOKIE_VERIFICATION, message->cookie);
	if (st == STATUS_OK)
		st = check_replaces(&change);
	if (st != STATUS_OK)
		goto out;
	st = credential_verification(&next,
	    change.is_there ? change.found.revision + 1 : 1,
	    field_slice(message->opaque_record), &why);
	if (st == STATUS_OK)
		st = change_commit(&change, &next,
		    change.is_there ? "verification_changed"
				    : "verification_set");
	else
		exchange_refuse(x, st, "%s", why);
out:
	sodium_memzero(&next, sizeof(next));
	change_end(&change);
	return st;
}

enum status on_verification_state(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__VerificationAnswer reply = AUTH__VERIFICATION_ANSWER__INIT;
	Auth__VerificationQuery *message;
	struct account account;
	struct credential found;
	struct id id;

	enum status st =
	    exchange_unpack(x, &auth__verification_query__descriptor, &message);
	if (st == STATUS_OK)
		st = id_from(&id, field_slice(message->account_id));
	if (st == STATUS_OK)
		st = auth_db_account(&self->rows, &id, &account);
	sodium_memzero(&account, sizeof(account));
	if (st != STATUS_OK)
		return st;
	st = auth_db_credential(&self->rows, &id, &verification_slot, &found);
	sodium_memzero(&found, sizeof(found));
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return st;
	reply.set = st == STATUS_OK;
	return exchange_reply(x, &reply.base);
}
