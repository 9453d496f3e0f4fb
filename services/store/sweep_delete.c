#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "health_db.h"
#include "sweep_internal.h"

/*
 * Delete what is not marked.  Nodes go before what they refer to, so that
 * whatever is cut off in between no node is ever there without all below it:
 * who finds a node may rely on that.  A node was put after what it refers to,
 * so the one with the highest sequence goes first; then come the others.
 */

#define CHUNKS_A_PAGE 300 /* three operations each */
#define NODES_FIRST   64

static enum step delete_nodes(struct sweep *self);
static enum step delete_chunks(struct sweep *self);
static enum step finish_account(struct sweep *self);

static void batch_begin(struct sweep *self, struct db_batch **batch)
{
	self->batch_chunks = 0;
	self->batch_bytes = 0;
	*batch = db_batch_new(&self->account, self->generation, NULL);
}

static void batch_add(struct sweep *self, struct db_batch *batch,
    struct slice id, uint64_t sequence, uint64_t bytes)
{
	store_db_delete_chunk(batch, id, sequence);
	health_db_delete_damage(batch, id);
	self->batch_chunks++;
	self->batch_bytes += bytes;
}

/* The same batch says what is left. */
static enum step batch_submit(
    struct sweep *self, struct db_batch *batch, db_done_fn *done)
{
	struct usage usage = self->usage->settled;

	usage.chunks -= self->batch_chunks;
	usage.bytes -= self->batch_bytes;
	store_db_put_usage(batch, &usage);
	db_batch_frees(batch);
	return sweep_submit(self, batch, done);
}

static void count_deleted(struct sweep *self)
{
	self->usage->settled.chunks -= self->batch_chunks;
	self->usage->settled.bytes -= self->batch_bytes;
	self->counts.chunks += self->batch_chunks;
	self->counts.bytes += self->batch_bytes;
}

/* The next page of the account's chunks, or of the last of them. */
static enum status next_page(struct sweep *self)
{
	struct slice after = { 0 };

	if (self->has_last_chunk)
		after = slice_of(self->last_chunk.bytes, CHUNK_ID_BYTES);
	enum status st = store_db_chunks(self->options.db, &self->account,
	    after, CHUNKS_A_PAGE, &self->page);
	self->page_is_last = !self->page.more;
	return st;
}

/* Read an entry of the page; OK, or NOT_FOUND for one that stays. */
static enum status read_unmarked(
    struct sweep *self, const struct db_entry *entry, struct chunk *out)
{
	enum status st = store_db_chunk_unpack(out, entry->value);

	if (st != STATUS_OK || entry->key.len != CHUNK_ID_BYTES)
		return STATUS_MALFORMED;
	memcpy(self->last_chunk.bytes, entry->key.data, CHUNK_ID_BYTES);
	self->has_last_chunk = true;
	return out->sequence >= self->marks_count ||
		       sweep_is_marked(self, out->sequence)
		   ? STATUS_NOT_FOUND
		   : STATUS_OK;
}

/* ---- nodes ---- */

static enum status doom_node(struct sweep *self, const struct chunk *chunk)
{
	if (self->doomed_count == self->doomed_capacity) {
		size_t capacity =
		    max_of(self->doomed_capacity * 2, (size_t)NODES_FIRST);
		struct doomed_node *doomed =
		    reallocarray(self->doomed, capacity, sizeof(*doomed));
		if (!doomed)
			return STATUS_NO_SPACE;
		self->doomed = doomed;
		self->doomed_capacity = capacity;
	}
	self->doomed[self->doomed_count++] = (struct doomed_node){
		.sequence = chunk->sequence,
		.bytes = store_db_blob_bytes(chunk),
		.id = self->last_chunk,
	};
	return STATUS_OK;
}

static int by_sequence(const void *a, const void *b)
{
	uint64_t left = ((const struct doomed_node *)a)->sequence;
	uint64_t right = ((const struct doomed_node *)b)->sequence;

	return (left > right) - (left < right);
}

enum step sweep_gather_nodes(struct sweep *self)
{
	struct chunk chunk;
	enum status st = next_page(self);

	for (size_t i = 0; i < self->page.count && st == STATUS_OK; i++) {
		st = read_unmarked(self, &self->page.entries[i], &chunk);
		if (st == STATUS_OK && chunk.node)
			st = doom_node(self, &chunk);
		else if (st == STATUS_NOT_FOUND)
			st = STATUS_OK;
	}
	if (st != STATUS_OK)
		return sweep_give_up(self, "its chunks cannot be listed", st);
	if (!self->page_is_last)
		return STEP_GO_ON;
	if (self->doomed_count > 0)
		qsort(self->doomed, self->doomed_count, sizeof(*self->doomed),
		    by_sequence);
	self->has_last_chunk = false;
	self->next = delete_nodes;
	return STEP_GO_ON;
}

static void on_nodes_deleted(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct sweep *self = arg;

	(void)failed_op;
	if (st == STATUS_OK) {
		count_deleted(self);
		self->doomed_count -= self->batch_chunks;
		self->next = delete_nodes;
	}
	sweep_decided(self, st, generation);
	sweep_run(self);
}

static enum step delete_nodes(struct sweep *self)
{
	struct db_batch *batch;

	self->next = delete_chunks;
	if (self->doomed_count == 0)
		return STEP_GO_ON;
	batch_begin(self, &batch);
	while (self->batch_chunks <
	       min_of(self->doomed_count, (size_t)CHUNKS_A_PAGE)) {
		const struct doomed_node *node =
		    &self->doomed[self->doomed_count - 1 - self->batch_chunks];
		batch_add(self, batch, slice_of(node->id.bytes, CHUNK_ID_BYTES),
		    node->sequence, node->bytes);
	}
	return batch_submit(self, batch, on_nodes_deleted);
}

/* ---- the others ---- */

static void on_chunks_deleted(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct sweep *self = arg;

	(void)failed_op;
	if (st == STATUS_OK) {
		count_deleted(self);
		self->next =
		    self->page_is_last ? finish_account : delete_chunks;
	}
	sweep_decided(self, st, generation);
	sweep_run(self);
}

static enum step delete_chunks(struct sweep *self)
{
	struct db_batch *batch;
	struct chunk chunk;
	enum status st = next_page(self);

	if (st != STATUS_OK)
		return sweep_give_up(self, "its chunks cannot be listed", st);
	batch_begin(self, &batch);
	for (size_t i = 0; i < self->page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &self->page.entries[i];
		st = read_unmarked(self, entry, &chunk);
		if (st == STATUS_OK)
			batch_add(self, batch, entry->key, chunk.sequence,
			    store_db_blob_bytes(&chunk));
		else if (st == STATUS_NOT_FOUND)
			st = STATUS_OK;
	}
	if (st == STATUS_OK && self->batch_chunks > 0)
		return batch_submit(self, batch, on_chunks_deleted);
	db_batch_destroy(&batch);
	if (st != STATUS_OK)
		return sweep_give_up(self, "a chunk's row is damaged", st);
	if (self->page_is_last)
		self->next = finish_account;
	return STEP_GO_ON;
}

static void on_finished(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct sweep *self = arg;

	(void)failed_op;
	if (st == STATUS_OK) {
		self->counts.accounts++;
		sweep_leave(self);
	}
	sweep_decided(self, st, generation);
	sweep_run(self);
}

static enum step finish_account(struct sweep *self)
{
	struct db_batch *batch =
	    db_batch_new(&self->account, self->generation, NULL);

	/* The generation that this very batch makes. */
	store_db_put_swept(batch, self->generation + 1);
	return sweep_submit(self, batch, on_finished);
}
