#include "dispatch_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"

/*
 * Deleting an account.  The order is written to auth's journal; then
 * auth and every other service shred the account's key and erase what they
 * have of it, those that are down when they are back.
 */

#define FRESH_MS (60 * 1000) /* how old a proof may be for this */

/* A deletion that is being put on record. */
struct deletion {
	struct auth *auth;
	struct id account;
	issue_done_fn *done;
	void *arg;
};

static void on_recorded(void *arg, enum status st)
{
	struct deletion *self = arg;
	const struct unconfirmed nobody = { 0 };
	const struct order order = {
		.kind = ORDER_DELETE_ACCOUNT,
		.account = self->account,
	};

	if (st == STATUS_OK)
		st = issue_order(
		    self->auth->issue, &order, self->done, self->arg);
	if (st != STATUS_PENDING)
		self->done(self->arg, st, &nobody);
	free(self);
}

enum status auth_delete_account(struct auth *self, const struct id *account,
    const struct audit_event *event, issue_done_fn *done, void *arg)
{
	struct deletion *deletion = calloc(1, sizeof(*deletion));

	if (!deletion)
		return STATUS_NO_SPACE;
	*deletion = (struct deletion){ self, *account, done, arg };
	enum status st = audit_write(
	    self->service->audit, account, event, on_recorded, deletion);
	if (st != STATUS_PENDING)
		free(deletion);
	return st;
}

static enum status check_deregister(
    struct exchange *x, const Auth__Deregister *message)
{
	uint64_t now_ms = clock_wall_ms();
	struct id account;

	if (id_from(&account, field_slice(message->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	if (!id_equal(&account, &x->ticket.account))
		return exchange_refuse(
		    x, STATUS_DENIED, "account_id is not the ticket's account");
	if (now_ms > x->ticket.issued_ms &&
	    now_ms - x->ticket.issued_ms > FRESH_MS)
		return exchange_refuse(x, STATUS_EXPIRED,
		    "this needs a proof that is a minute old at most: "
		    "authenticate again");
	return STATUS_OK;
}

static void on_deleted(
    void *arg, enum status st, const struct unconfirmed *unconfirmed)
{
	struct exchange *x = arg;
	Auth__Deregistered reply = AUTH__DEREGISTERED__INIT;
	char *names[FOLLOWERS + 1];

	st = auth_refuse_order(x, st);
	if (st == STATUS_OK) {
		auth_fill_names(names, unconfirmed);
		reply.unconfirmed = names;
		reply.n_unconfirmed = unconfirmed->count;
		st = exchange_reply(x, &reply.base);
	}
	exchange_finish(&x, st);
}

enum status on_deregister(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__Deregister *message;

	enum status st =
	    exchange_unpack(x, &auth__deregister__descriptor, &message);
	if (st == STATUS_OK)
		st = check_deregister(x, message);
	if (st != STATUS_OK)
		return st;
	const struct audit_event event = {
		.action = "account_deleted",
		.actor = "owner",
		.terminal = &x->ticket.terminal,
	};
	st = auth_delete_account(
	    self, &x->ticket.account, &event, on_deleted, x);
	return auth_refuse_order(x, st);
}
