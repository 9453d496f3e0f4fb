#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "service/draft.h"
#include "store.h"

/*
 * SNAPSHOT_DELETE: their rows go at once, for good.  A backup or restore that
 * is under way loses nothing: while its lease lives the account is not swept.
 */

#define DELETE_MAX 100

/* Each is a snapshot, and named once. */
static enum status check_ordinals(
    struct store *self, struct exchange *x, const Store__SnapshotDelete *msg)
{
	if (msg->n_ordinals == 0 || msg->n_ordinals > DELETE_MAX)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "ordinals: %zu, not 1 to %d", msg->n_ordinals, DELETE_MAX);
	for (size_t i = 0; i < msg->n_ordinals; i++) {
		unsigned long long ordinal = msg->ordinals[i];
		if (ordinal <= (i > 0 ? msg->ordinals[i - 1] : 0))
			return exchange_refuse(x, STATUS_MALFORMED,
			    "ordinals: %llu: they begin with 1 and rise",
			    ordinal);
		enum status st = store_db_has_snapshot(
		    self->db, &x->ticket.account, ordinal);
		if (st == STATUS_NOT_FOUND)
			return exchange_refuse(x, st,
			    "there is no snapshot %llu; nothing was deleted",
			    ordinal);
		if (st != STATUS_OK)
			return store_read_failed(x, st);
	}
	return STATUS_OK;
}

static void put_notice(struct store *self, struct db_batch *batch,
    const struct exchange *x, const Store__SnapshotDelete *msg)
{
	struct draft draft;

	draft_begin(
	    &draft, NOTIFY__KIND__SNAPSHOTS_DELETED, &x->ticket.terminal);
	draft_add(&draft, "snapshots", msg->n_ordinals);
	draft_add(&draft, "first", msg->ordinals[0]);
	draft_add(&draft, "last", msg->ordinals[msg->n_ordinals - 1]);
	outbox_put(
	    self->service->outbox, batch, &x->ticket.account, &draft.notice);
}

/* One for each run of ordinals: "snapshots 3 to 7". */
static void put_events(struct store *self, struct db_batch *batch,
    const struct exchange *x, const Store__SnapshotDelete *msg)
{
	char detail[64];

	for (size_t i = 0, next; i < msg->n_ordinals; i = next) {
		unsigned long long first = msg->ordinals[i];
		next = i + 1;
		while (next < msg->n_ordinals &&
		       msg->ordinals[next] == first + (next - i))
			next++;
		if (next == i + 1)
			snprintf(
			    detail, sizeof(detail), "snapshot %llu", first);
		else
			snprintf(detail, sizeof(detail),
			    "snapshots %llu to %llu", first,
			    (unsigned long long)msg->ordinals[next - 1]);
		audit_put(self->service->audit, batch, &x->ticket.account,
		    &(struct audit_event){ .action = "snapshot_deleted",
			.actor = "owner",
			.terminal = &x->ticket.terminal,
			.detail = detail });
	}
}

struct deletion {
	struct store *store;
	const Store__SnapshotDelete *msg; /* lies in the exchange */
};

static enum status delete_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct deletion *deletion = x->parked;
	struct store *self = deletion->store;
	const Store__SnapshotDelete *msg = deletion->msg;
	const struct id *account = &x->ticket.account;

	(void)generation;
	if (st == STATUS_OK) {
		self->counts.snapshots_deleted += msg->n_ordinals;
		log_info(&x->header.trace, "snapshots_deleted", "count=%zu",
		    msg->n_ordinals);
		outbox_kick(self->service->outbox, account);
		audit_kick(self->service->audit, self->db, account);
		sweep_soon(self->sweep, account);
	} else if (st == STATUS_NOT_FOUND && failed_op < msg->n_ordinals) {
		exchange_refuse(x, st,
		    "snapshot %llu is gone already; nothing was deleted",
		    (unsigned long long)msg->ordinals[failed_op]);
	}
	free(deletion);
	x->parked = NULL;
	return st;
}

enum status store_on_snapshot_delete(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__SnapshotDelete *msg = NULL;
	Store__Empty reply = STORE__EMPTY__INIT;

	enum status st =
	    exchange_unpack(x, &store__snapshot_delete__descriptor, &msg);
	if (st == STATUS_OK)
		st = check_ordinals(self, x, msg);
	if (st == STATUS_OK)
		st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct deletion *deletion = calloc(1, sizeof(*deletion));
	if (!deletion)
		return STATUS_NO_SPACE;
	*deletion = (struct deletion){ self, msg };
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	/* First the guards: their places are those of the ordinals. */
	for (size_t i = 0; i < msg->n_ordinals; i++)
		store_db_require_snapshot(batch, msg->ordinals[i]);
	for (size_t i = 0; i < msg->n_ordinals; i++)
		store_db_delete_snapshot(batch, msg->ordinals[i]);
	store_db_put_sweep_owed(batch);
	put_notice(self, batch, x, msg);
	put_events(self, batch, x, msg);
	db_batch_frees(batch);
	x->parked = deletion;
	st = exchange_commit(x, &batch, delete_decided);
	if (st != STATUS_PENDING) {
		free(deletion);
		x->parked = NULL;
	}
	return st;
}
