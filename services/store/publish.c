#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "chunk.h"
#include "quota.h"
#include "service/draft.h"
#include "snapshot.h"

/* Guards in the batch of a publication, in this order. */
enum publish_op {
	PUBLISH_OP_LEASE,
	PUBLISH_OP_ROOT,
	PUBLISH_OP_ORDINAL /* and one more */
};

struct publication {
	struct store *store;
	struct lease lease;
	struct chunk root;
	struct snapshot snapshot; /* its slices lie in the exchange */
	uint8_t root_hash[ROOT_HASH_BYTES];
	unsigned int tries;
	bool tells; /* of the quota */
};

static enum status publish_ended(struct exchange *x, enum status st)
{
	if (st != STATUS_PENDING) {
		free(x->parked);
		x->parked = NULL;
	}
	return st;
}

static enum status publish_check(struct exchange *x, const Store__Publish *msg)
{
	if (msg->root_hash.len != ROOT_HASH_BYTES)
		return store_refuse_length(
		    x, "root_hash", msg->root_hash.len, "32");
	if (msg->sealed_key.len > SEALED_KEY_BYTES_MAX)
		return exchange_refuse(x, STATUS_TOO_LARGE,
		    "sealed_key: %zu bytes, at most %d", msg->sealed_key.len,
		    SEALED_KEY_BYTES_MAX);
	if (msg->sealed_summary.len > SEALED_SUMMARY_BYTES_MAX)
		return exchange_refuse(x, STATUS_TOO_LARGE,
		    "sealed_summary: %zu bytes, at most %d",
		    msg->sealed_summary.len, SEALED_SUMMARY_BYTES_MAX);
	return STATUS_OK;
}

/* Tell the owner, by the outbox, in the batch that makes it true. */
static void put_notice(struct store *self, struct db_batch *batch,
    const struct id *account, const struct snapshot *snapshot)
{
	struct draft draft;

	draft_begin(&draft, NOTIFY__KIND__BACKUP_DONE, &snapshot->terminal);
	draft_add(&draft, "ordinal", snapshot->ordinal);
	draft_add(&draft, "chunks", snapshot->data_chunks);
	draft_add(&draft, "sealed_bytes", snapshot->data_bytes);
	outbox_put(self->service->outbox, batch, account, &draft.notice);
}

static void put_event(struct store *self, struct db_batch *batch,
    const struct id *account, const struct snapshot *snapshot)
{
	char detail[48];

	snprintf(detail, sizeof(detail), "snapshot %llu",
	    (unsigned long long)snapshot->ordinal);
	audit_put(self->service->audit, batch, account,
	    &(struct audit_event){ .action = "snapshot_published",
		.actor = "terminal",
		.terminal = &snapshot->terminal,
		.detail = detail });
}

static void put_usage(
    struct store *self, struct db_batch *batch, const struct id *account)
{
	struct account_usage *usage = NULL;

	if (usage_pin(self->usages, account, &usage) != STATUS_OK)
		return; /* it is counted from the blobs when it is needed */
	usage_save(usage, batch, 1);
	usage_unpin(&usage);
}

static enum status publish_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op);

static enum status publish_submit(struct exchange *x)
{
	struct publication *publication = x->parked;
	struct store *self = publication->store;
	struct snapshot *snapshot = &publication->snapshot;
	const struct id *account = &x->ticket.account;
	Store__Snapshot reply;
	uint64_t last = 0;

	enum status st = store_db_last_ordinal(self->db, account, &last);
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	snapshot->ordinal = last + 1;
	snapshot->taken_ms = clock_wall_ms();
	store_fill_snapshot(&reply, snapshot);
	st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	store_db_require_lease(batch, &publication->lease.id);
	store_db_require_chunk(batch, &snapshot->root);
	store_db_put_snapshot(batch, snapshot);
	store_db_end_lease(batch, &publication->lease);
	st = quota_note(self, batch, account, &publication->tells);
	if (st != STATUS_OK) {
		db_batch_destroy(&batch);
		return store_read_failed(x, st);
	}
	put_usage(self, batch, account);
	put_notice(self, batch, account, snapshot);
	put_event(self, batch, account, snapshot);
	return exchange_commit(x, &batch, publish_decided);
}

static enum status publish_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct publication *publication = x->parked;
	struct store *self = publication->store;
	const struct snapshot *snapshot = &publication->snapshot;

	(void)generation;
	if (st == STATUS_OK) {
		self->counts.snapshots_published++;
		log_info(&x->header.trace, "snapshot_published",
		    "chunks=%llu sealed_bytes=%llu took_ms=%llu",
		    (unsigned long long)snapshot->data_chunks,
		    (unsigned long long)snapshot->data_bytes,
		    (unsigned long long)(snapshot->taken_ms -
					 publication->lease.opened_ms));
		outbox_kick(self->service->outbox, &x->ticket.account);
		audit_kick(self->service->audit, self->db, &x->ticket.account);
		store_lease_ended(self, &x->ticket.account);
	} else if (st == STATUS_NOT_FOUND && failed_op == PUBLISH_OP_LEASE) {
		st = store_lease_over(x);
	} else if (st == STATUS_CONFLICT && failed_op != DB_OP_NONE &&
		   failed_op >= PUBLISH_OP_ORDINAL &&
		   ++publication->tries < STORE_TRIES_MAX) {
		/* Another one took the ordinal, or noted the quota. */
		st = publish_submit(x);
	}
	return publish_ended(x, st);
}

static void root_read(void *arg, enum status st, uint8_t *data, size_t len)
{
	struct exchange *x = arg;
	const struct publication *publication = x->parked;
	struct store *self = publication->store;
	const struct chunk *root = &publication->root;
	const char *detail = "";

	bool damaged =
	    st == STATUS_NOT_FOUND || st == STATUS_MALFORMED ||
	    (st == STATUS_OK && !chunk_is_whole(root, slice_of(data, len)));
	if (damaged) {
		/* Known from now on: the next attempt puts it again. */
		store_found_damage(self, &x->ticket.account,
		    &publication->snapshot.root, root,
		    st == STATUS_NOT_FOUND ? DAMAGE_MISSING : DAMAGE_CHANGED);
		st = exchange_refuse(
		    x, STATUS_CONFLICT, "root_id: it is damaged in the store");
	} else if (st != STATUS_OK) {
		st = store_read_failed(x, st);
	} else {
		st = snapshot_verify(&publication->snapshot,
		    publication->root_hash, root,
		    slice_of(data, root->sealed_bytes), &detail);
		if (st != STATUS_OK)
			exchange_refuse(x, st, "%s", detail);
	}
	free(data);
	if (st == STATUS_OK)
		st = publish_submit(x);
	if (publish_ended(x, st) != STATUS_PENDING)
		exchange_finish(&x, st);
	store_reads_go_on(self);
}

/* Read the root, to see what is really stored. */
static enum status publish_start(struct store *self, struct exchange *x,
    const Store__Publish *msg, const struct lease *lease,
    const struct chunk_id *root_id)
{
	struct publication *publication = calloc(1, sizeof(*publication));

	if (!publication)
		return STATUS_NO_SPACE;
	x->parked = publication;
	publication->store = self;
	publication->lease = *lease;
	publication->snapshot = (struct snapshot){
		.terminal = x->ticket.terminal,
		.root = *root_id,
		.data_chunks = msg->chunks,
		.data_bytes = msg->sealed_bytes,
		.sealed_key = field_slice(msg->sealed_key),
		.sealed_summary = field_slice(msg->sealed_summary),
	};
	memcpy(publication->root_hash, msg->root_hash.data, ROOT_HASH_BYTES);
	enum status st = store_db_chunk(
	    self->db, &x->ticket.account, root_id, &publication->root);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(
		    x, st, "root_id: no such chunk in the store");
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	st = db_blob_read(self->db, &x->ticket.account,
	    publication->root.sequence, root_read, x);
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, STORE_BUSY_RETRY_MS, "too many reads at once");
	return st;
}

enum status store_on_publish(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Publish *msg = NULL;
	struct chunk_id root_id;
	struct lease lease;

	enum status st = exchange_unpack(x, &store__publish__descriptor, &msg);
	if (st == STATUS_OK)
		st = store_read_chunk_id(x, "root_id", msg->root_id, &root_id);
	if (st == STATUS_OK)
		st = publish_check(x, msg);
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st != STATUS_OK)
		return st;
	return publish_ended(x, publish_start(self, x, msg, &lease, &root_id));
}
