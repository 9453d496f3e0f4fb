#include "base/util.h"
#include "notify.pb-c.h"
#include "store.h"

/* RESTORE_END: a lease, and where something was restored a notice. */

static void put_notice(struct store *self, struct db_batch *batch,
    const struct exchange *x, const Store__RestoreEnd *msg)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	Notify__Figure figures[] = {
		NOTIFY__FIGURE__INIT,
		NOTIFY__FIGURE__INIT,
		NOTIFY__FIGURE__INIT,
	};
	Notify__Figure *pointers[] = { &figures[0], &figures[1], &figures[2] };

	figures[0].name = (char *)"ordinal";
	figures[0].value = msg->ordinal;
	figures[1].name = (char *)"files";
	figures[1].value = msg->files;
	figures[2].name = (char *)"failed";
	figures[2].value = msg->failed;
	notice.kind = NOTIFY__KIND__RESTORE_DONE;
	notice.n_figures = nitems(figures);
	notice.figures = pointers;
	notice.terminal_id =
	    field_of(slice_of(x->ticket.terminal.bytes, ID_BYTES));
	outbox_put(self->service->outbox, batch, &x->ticket.account, &notice);
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
