#include "store.h"

#include <stdlib.h>

#include "base/clock.h"
#include "quota.h"

/* BACKUP_BEGIN, RESTORE_BEGIN, BACKUP_ABANDON: leases. */

#define ROOM_KEPT_MS     5000 /* to look again walks the free pages */
#define DAMAGED_TOLD_MAX 1000

struct begin {
	struct store *store;
	enum lease_kind kind;
	unsigned int tries;
	bool tells; /* of the quota */
};

static enum status count_account(
    struct store *self, const struct id *account, Store__Lease *reply)
{
	struct account_usage *usage = NULL;
	enum status st = usage_pin(self->usages, account, &usage);

	if (st != STATUS_OK)
		return st;
	reply->chunks = usage->settled.chunks;
	reply->used_bytes = quota_used(usage, true);
	usage_unpin(&usage);
	return store_db_last_ordinal(self->db, account, &reply->last_ordinal);
}

/* What disk and map have left, as of the last few seconds; 0: not known. */
static uint64_t room_left(struct store *self)
{
	uint64_t now_ms = clock_interval_ms();
	struct db_stats stats;

	if (self->room.at_ms > 0 && now_ms - self->room.at_ms < ROOM_KEPT_MS)
		return self->room.bytes;
	if (db_stats(self->db, &stats) != STATUS_OK)
		return 0;
	/* No room at all would say that it is not known. */
	self->room.bytes = stats.room_bytes > 0 ? stats.room_bytes : 1;
	self->room.at_ms = now_ms;
	return self->room.bytes;
}

/* What a backup is to know before it sends anything (B-12). */
static enum status count_room(
    struct store *self, const struct id *account, Store__Lease *reply)
{
	struct quota quota;
	size_t damaged = 0;
	enum status st = quota_of(self, account, &quota, NULL);

	if (st == STATUS_OK)
		st = health_db_damages_count(
		    self->db, account, DAMAGED_TOLD_MAX, &damaged);
	if (st != STATUS_OK)
		return st;
	reply->quota_bytes = quota.hard;
	reply->quota_soft_bytes = quota.soft;
	reply->damaged_chunks = (uint32_t)damaged;
	reply->room_bytes = room_left(self);
	reply->put_many_max = PUT_MANY_MAX;
	return STATUS_OK;
}

static enum status begin_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op);

/* Open the lease in the place of what the terminal has now. */
static enum status begin_submit(struct exchange *x)
{
	struct begin *begin = x->parked;
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
	if (st == STATUS_OK && begin->kind == LEASE_UPLOAD)
		st = count_room(self, account, &reply);
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
	if (begin->kind == LEASE_UPLOAD)
		st = quota_note(self, batch, account, &begin->tells);
	if (st != STATUS_OK) {
		db_batch_destroy(&batch);
		return store_read_failed(x, st);
	}
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
		if (begin->tells)
			outbox_kick(
			    begin->store->service->outbox, &x->ticket.account);
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

static enum status end_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		store_lease_ended(x->parked, &x->ticket.account);
	x->parked = NULL;
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
	x->parked = self;
	st = exchange_commit(x, &batch, end_decided);
	if (st != STATUS_PENDING)
		x->parked = NULL;
	return st;
}
