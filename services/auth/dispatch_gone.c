#include <sodium.h>
#include <stdlib.h>

#include "dispatch_internal.h"
#include "grant_db.h"
#include "journal_db.h"

/*
 * TERMINAL_GONE: a binding was removed or replaced.  First the terminal's
 * tickets are revoked, then what it had here goes: its own code, its grant,
 * its lanes.
 */

/* The terminal that goes, until what it had here is gone. */
struct leaving {
	struct auth *auth;
	struct exchange *x;
	struct id account, terminal;
};

static void on_rows_gone(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct exchange *x = arg;

	(void)generation;
	(void)failed_op;
	/* A removed account has taken them along. */
	exchange_finish(&x, st == STATUS_CONFLICT ? STATUS_OK : st);
}

/* Its lanes say nothing any more; where this fails they stay, to no harm. */
static void forget_lanes(
    struct auth *self, const struct id *account, const struct id *terminal)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	journal_db_delete_terminal(batch, account, terminal);
	(void)db_submit(self->service->journal, &batch, NULL, NULL);
	db_batch_destroy(&batch);
}

/* Its own code, and its grant. */
static enum status forget_terminal(struct auth *self, struct exchange *x,
    const struct id *account, const struct id *terminal)
{
	const struct code_slot own = {
		.kind = CREDENTIAL_TERMINAL,
		.terminal = *terminal,
	};
	struct account found;

	enum status st = auth_db_account(&self->rows, account, &found);
	sodium_memzero(&found, sizeof(found));
	if (st != STATUS_OK)
		return st == STATUS_NOT_FOUND ? STATUS_OK : st;
	forget_lanes(self, account, terminal);
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	auth_db_delete_credential(batch, &own);
	grant_db_delete(batch, terminal);
	st = db_submit(self->db, &batch, on_rows_gone, x);
	db_batch_destroy(&batch);
	return st;
}

static void on_terminal_revoked(void *arg, enum status st, uint64_t sequence)
{
	struct leaving *leaving = arg;
	struct exchange *x = leaving->x;

	(void)sequence;
	if (st == STATUS_OK)
		st = forget_terminal(
		    leaving->auth, x, &leaving->account, &leaving->terminal);
	free(leaving);
	if (st != STATUS_PENDING)
		exchange_finish(&x, st);
}

static enum status revoke_terminal(struct leaving *leaving)
{
	struct issue *issue = leaving->auth->issue;
	struct order order = {
		.kind = ORDER_REVOKE_TERMINAL,
		.account = leaving->account,
		.subject = leaving->terminal,
	};

	enum status st =
	    issue_at_once(issue, &order, on_terminal_revoked, leaving);
	if (st != STATUS_TOO_LARGE)
		return st;
	/* No room for one more: then all of the account log in again. */
	order.kind = ORDER_REVOKE_ACCOUNT;
	order.subject = (struct id){ 0 };
	return issue_at_once(issue, &order, on_terminal_revoked, leaving);
}

enum status on_terminal_gone(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__TerminalGone *message;
	struct leaving *leaving = NULL;

	enum status st =
	    exchange_unpack(x, &auth__terminal_gone__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	leaving = calloc(1, sizeof(*leaving));
	if (!leaving)
		return STATUS_NO_SPACE;
	leaving->auth = self;
	leaving->x = x;
	st = id_from(&leaving->account, field_slice(message->account_id));
	if (st == STATUS_OK)
		st = id_from(
		    &leaving->terminal, field_slice(message->terminal_id));
	if (st == STATUS_OK &&
	    (id_is_none(&leaving->account) || id_is_none(&leaving->terminal)))
		st = STATUS_MALFORMED;
	if (st != STATUS_OK)
		st = exchange_refuse(
		    x, st, "account_id, terminal_id: not 16 bytes, or zero");
	else if (!orders_deleted(self->service->orders, &leaving->account))
		st = revoke_terminal(leaving);
	if (st == STATUS_PENDING)
		return st;
	free(leaving);
	return auth_refuse_order(x, st);
}
