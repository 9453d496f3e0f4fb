#include "service/draft.h"
#include "store.h"

/* RESTORE_END: a lease, and where something was restored a notice. */

static void put_notice(struct store *self, struct db_batch *batch,
    const struct exchange *x, const Store__RestoreEnd *msg)
{
	struct draft draft;

	draft_begin(&draft, NOTIFY__KIND__RESTORE_DONE, &x->ticket.terminal);
	draft_add(&draft, "ordinal", msg->ordinal);
	draft_add(&draft, "files", msg->files);
	draft_add(&draft, "failed", msg->failed);
	outbox_put(
	    self->service->outbox, batch, &x->ticket.account, &draft.notice);
}

static enum status on_ended(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct store *self = x->parked;

	(void)generation;
	(void)failed_op;
	x->parked = NULL;
	if (st == STATUS_OK) {
		store_lease_ended(self, &x->ticket.account);
		outbox_kick(self->service->outbox, &x->ticket.account);
		audit_kick(self->service->audit, self->db, &x->ticket.account);
	}
	return st == STATUS_NOT_FOUND ? store_lease_over(x) : st;
}

enum status store_on_restore_end(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Empty reply = STORE__EMPTY__INIT;
	Store__RestoreEnd *msg = NULL;
	struct lease lease;

	enum status st =
	    exchange_unpack(x, &store__restore_end__descriptor, &msg);
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st == STATUS_OK)
		st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	store_db_require_lease(batch, &lease.id);
	store_db_end_lease(batch, &lease);
	if (msg->ordinal > 0) {
		put_notice(self, batch, x, msg);
		audit_put(self->service->audit, batch, &x->ticket.account,
		    &(struct audit_event){ .action = "restored",
			.actor = "terminal",
			.terminal = &x->ticket.terminal });
	}
	x->parked = self;
	return exchange_commit(x, &batch, on_ended);
}
