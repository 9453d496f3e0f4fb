#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "lease.h"
#include "sweep_internal.h"

/* What the snapshots of an account reach: a bit for each blob. */

#define ROOTS_A_PAGE 32
#define NODES_FIRST  64

static enum step mark_roots(struct sweep *self);
static enum step mark_nodes(struct sweep *self);

/* ---- leases ---- */

static void on_leases_dropped(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct sweep *self = arg;

	(void)failed_op;
	self->next = sweep_start_account; /* to see them gone */
	sweep_decided(self, st, generation);
	sweep_run(self);
}

/*
 * Look at the account's leases, all in one page unless hundreds of
 * terminals had one: then the rest comes once these are dropped.
 *
 * owed  snapshots were deleted since the last sweep
 *
 * Returns whether a transfer is under way, also where that is not known.
 */
static bool look_at_leases(
    struct sweep *self, bool owed, struct db_batch *drop, size_t *drop_count)
{
	uint64_t now_ms = clock_wall_ms();
	struct lease lease;
	bool transfer = false;

	for (size_t i = 0; i < self->page.count; i++) {
		const struct db_entry *entry = &self->page.entries[i];
		enum status st =
		    store_db_lease_unpack(&lease, entry->key, entry->value);
		if (st != STATUS_OK)
			return true;
		bool live =
		    lease_is_live(&lease, now_ms, self->options.lease_ms);
		if (live && !(owed && lease_yields(&lease, now_ms,
					  self->options.idle_restore_ms))) {
			transfer = true;
		} else if (*drop_count < DB_BATCH_OPS_MAX / 2) {
			store_db_end_lease(drop, &lease);
			++*drop_count;
		}
	}
	return transfer || self->page.more;
}

static enum step prepare_marks(struct sweep *self)
{
	enum status st =
	    usage_pin(self->options.usages, &self->account, &self->usage);

	if (st != STATUS_OK)
		return st == STATUS_BUSY
			   ? sweep_put_off(self)
			   : sweep_give_up(
				 self, "its blobs cannot be listed", st);
	self->marks_count = self->usage->next_sequence;
	self->marks = calloc(1, (size_t)(self->marks_count / 8 + 1));
	if (!self->marks)
		return sweep_give_up(
		    self, "no memory for marks", STATUS_NO_SPACE);
	self->last_root = 0;
	self->has_last_chunk = false;
	self->doomed_count = 0;
	self->next = mark_roots;
	return STEP_GO_ON;
}

enum step sweep_start_account(struct sweep *self)
{
	struct db *db = self->options.db;
	struct db_account account;
	uint64_t swept = 0;
	size_t drop_count = 0;
	bool owed = false;

	enum status st = db_account_get(db, &self->account, &account);
	if (st == STATUS_OK)
		st = store_db_swept(db, &self->account, &swept);
	if (st == STATUS_OK)
		st = store_db_sweep_owed(db, &self->account, &owed);
	if (st == STATUS_OK)
		st = store_db_leases(
		    db, &self->account, (struct slice){ 0 }, &self->page);
	if (st != STATUS_OK)
		return sweep_give_up(self, "its rows cannot be read", st);
	self->generation = account.generation;

	struct db_batch *drop =
	    db_batch_new(&self->account, self->generation, NULL);
	bool transfer = look_at_leases(self, owed, drop, &drop_count);
	if (drop_count > 0)
		return sweep_submit(self, drop, on_leases_dropped);
	db_batch_destroy(&drop);
	if (transfer || account.removed || account.generation == swept)
		return sweep_leave(self);
	return prepare_marks(self);
}

/* ---- mark ---- */

bool sweep_is_marked(const struct sweep *self, uint64_t sequence)
{
	return self->marks[sequence / 8] & 1u << sequence % 8;
}

static enum status push_node(struct sweep *self, const struct chunk *chunk)
{
	if (self->nodes_count == self->nodes_capacity) {
		size_t capacity =
		    max_of(self->nodes_capacity * 2, (size_t)NODES_FIRST);
		struct pending_node *nodes =
		    reallocarray(self->nodes, capacity, sizeof(*self->nodes));
		if (!nodes)
			return STATUS_NO_SPACE;
		self->nodes = nodes;
		self->nodes_capacity = capacity;
	}
	self->nodes[self->nodes_count++] = (struct pending_node){
		.sequence = chunk->sequence,
		.sealed_bytes = chunk->sealed_bytes,
		.refs_count = chunk->refs_count,
	};
	return STATUS_OK;
}

static enum status mark(struct sweep *self, const struct chunk_id *id)
{
	struct chunk chunk;
	enum status st =
	    store_db_chunk(self->options.db, &self->account, id, &chunk);

	if (st != STATUS_OK)
		return st;
	/* Newer than the marks: the account has changed, which the
	 * generation will tell. */
	if (chunk.sequence >= self->marks_count ||
	    sweep_is_marked(self, chunk.sequence))
		return STATUS_OK;
	self->marks[chunk.sequence / 8] |= (uint8_t)(1u << chunk.sequence % 8);
	return chunk.node ? push_node(self, &chunk) : STATUS_OK;
}

static enum step mark_roots(struct sweep *self)
{
	struct snapshot snapshot;
	enum status st = store_db_snapshots(self->options.db, &self->account,
	    self->last_root, ROOTS_A_PAGE, &self->page);

	for (size_t i = 0; i < self->page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &self->page.entries[i];
		st = store_db_snapshot_unpack(
		    &snapshot, entry->key, entry->value);
		if (st == STATUS_OK)
			st = mark(self, &snapshot.root);
		if (st == STATUS_OK)
			self->last_root = snapshot.ordinal;
	}
	if (st != STATUS_OK)
		return sweep_give_up(self, "a snapshot has no root", st);
	if (!self->page.more)
		self->next = mark_nodes;
	return STEP_GO_ON;
}

static enum status mark_refs(struct sweep *self,
    const struct pending_node *node, const uint8_t *data, size_t len)
{
	struct chunk_id id;
	enum status st = STATUS_OK;

	if (len !=
	    node->sealed_bytes + (size_t)node->refs_count * CHUNK_ID_BYTES)
		return STATUS_MALFORMED;
	const uint8_t *at = data + node->sealed_bytes;
	for (size_t i = 0; i < node->refs_count && st == STATUS_OK; i++) {
		memcpy(id.bytes, at, CHUNK_ID_BYTES);
		st = mark(self, &id);
		at += CHUNK_ID_BYTES;
	}
	return st;
}

static void on_node(void *arg, enum status st, uint8_t *data, size_t len)
{
	struct sweep *self = arg;
	struct pending_node node = self->nodes[--self->nodes_count];

	if (st == STATUS_OK)
		st = mark_refs(self, &node, data, len);
	free(data);
	if (st == STATUS_UNAVAILABLE)
		sweep_leave(self);
	else if (st != STATUS_OK)
		sweep_give_up(self, "a node cannot be followed", st);
	sweep_run(self);
}

static enum step mark_nodes(struct sweep *self)
{
	if (self->nodes_count == 0) {
		self->next = sweep_gather_nodes;
		return STEP_GO_ON;
	}
	enum status st = db_blob_read(self->options.db, &self->account,
	    self->nodes[self->nodes_count - 1].sequence, on_node, self);
	if (st == STATUS_PENDING)
		return STEP_WAIT;
	/* Restores have all the reads: after them. */
	return st == STATUS_BUSY ? STEP_PAUSE : sweep_leave(self);
}
