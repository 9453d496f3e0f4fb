#include "store.h"

#include <stdlib.h>

#include "base/clock.h"

/* BACKUP_BEGIN, RESTORE_BEGIN, BACKUP_ABANDON: leases. */

struct begin {
	struct store *store;
	enum lease_kind kind;
	unsigned int tries;
};

static enum status count_account(
    struct store *self, const struct id *account, Store__Lease *reply)
{
	struct account_usage *usage = NULL;
	enum status st = usage_pin(self->usages, account, &usage);

	if (st != STATUS_OK)
		return st;
	reply->chunks = usage->settled.chunks;
	usage_unpin(&usage);
	return store_db_last_ordinal(self->db, account, &reply->last_ordinal);
}

static enum status begin_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op);

/* Open the lease in the place of what the terminal has now. */
static enum status begin_submit(struct exchange *x)
{
	const struct begin *begin = x->parked;
	struct store *self = begin->store;
	const struct id *account = &x->ticket.account;
	Store__Lease reply = STORE__LEASE__INIT;
	uint64_t now = clock_wall_ms();
	struct lease lease, before;

	enum status st = store_db_lease(
	    self->db, account, begin->kind, &x->ticket.terminal, &before);
	bool found = st == STATUS_OK;
	if (st == STATUS_OK || st == STATUS_NOT_FOUND)
		st = count_account(self, account, &reply);
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, STORE_BUSY_RETRY_MS, "too many accounts at once");
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	bool live = found && lease_is_live(&before, now, self->lease_ms);
	lease_open(&lease, begin->kind, &x->ticket, live ? &before : NULL, now);

	reply.lease_id = field_of(slice_of(lease.id.bytes, ID_BYTES));
	reply.taken_over = live;
	st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	store_db_open_lease(batch, &lease, found ? &before : NULL);
	return exchange_commit(x, &batch, begin_decided);
}

static enum status begin_ended(struct exchange *x, enum status st)
{
	if (st != STATUS_PENDING) {
		free(x->parked);
		x->parked = NULL;
	}
	return st;
}

static enum status begin_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct begin *begin = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK) {
		begin->store->counts.leases_begun++;
		stream_tell(begin->store->service->stream,
		    &(struct stream_event){ .kind = begin->kind == LEASE_UPLOAD
							? "backup_begun"
							: "restore_begun",
			.account = &x->ticket.account });
	} else if (st == STATUS_CONFLICT && ++begin->tries < STORE_TRIES_MAX) {
		st = begin_submit(x);
	}
	return begin_ended(x, st);
}

static enum status begin_transfer(
    struct store *self, struct exchange *x, enum lease_kind kind)
{
	Store__Empty *msg = NULL;
	enum status st = exchange_unpack(x, &store__empty__descriptor, &msg);

	if (st != STATUS_OK)
		return st;
	struct begin *begin = calloc(1, sizeof(*begin));
	if (!begin)
		return STATUS_NO_SPACE;
	begin->store = self;
	begin->kind = kind;
	x->parked = begin;
	return begin_ended(x, begin_submit(x));
}

enum status store_on_backup_begin(void *state, struct exchange *x)
{
	return begin_transfer(state, x, LEASE_UPLOAD);
}

enum status store_on_restore_begin(void *state, struct exchange *x)
{
	return begin_transfer(state, x, LEASE_DOWNLOAD);
}

static enum status abandon_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	return st == STATUS_NOT_FOUND ? store_lease_over(x) : st;
}

enum status store_on_backup_abandon(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Abandon *msg = NULL;
	struct lease lease;

	enum status st = exchange_unpack(x, &store__abandon__descriptor, &msg);
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	store_db_require_lease(batch, &lease.id);
	store_db_end_lease(batch, &lease);
	return exchange_commit(x, &batch, abandon_decided);
}
