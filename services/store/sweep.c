#include "sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "health_db.h"
#include "lease.h"

#define SLICE_MS      2 /* at a time on the loop, about */
#define PAUSE_MS      1 /* before the next slice */
#define CHUNKS_A_PAGE 300 /* three operations each */
#define ROOTS_A_PAGE  32
#define TRIES_MAX     3 /* for an account that changes meanwhile */
#define NODES_FIRST   64

/* What a step leaves to do. */
enum step {
	STEP_GO_ON,
	STEP_PAUSE,
	STEP_WAIT, /* a batch or a read is under way */
	STEP_REST, /* until the next round */
};

/* A node that is marked and whose references are not, yet. */
struct pending_node {
	uint64_t sequence;
	uint32_t sealed_bytes;
	uint32_t refs_count;
};

struct sweep {
	struct sweep_options options;
	struct sweep_counts counts;
	struct timer timer;
	enum step (*next)(struct sweep *self);

	/* The account at hand; none: the round begins with the first. */
	struct id account;
	unsigned int tries;
	uint64_t generation;
	struct account_usage *usage; /* pinned */
	uint8_t *marks;              /* a bit for each sequence */
	uint64_t marks_count;
	struct pending_node *nodes; /* a stack */
	size_t nodes_count, nodes_capacity;
	uint64_t last_root; /* ordinal */
	struct chunk_id last_chunk;
	bool has_last_chunk;
	size_t batch_chunks; /* in the batch under way */
	uint64_t batch_bytes;
	bool page_is_last;
	struct db_page page;
};

static enum step start_account(struct sweep *self);
static enum step mark_roots(struct sweep *self);
static enum step mark_nodes(struct sweep *self);
static enum step sweep_chunks(struct sweep *self);
static enum step finish_account(struct sweep *self);

/* ---- one step after the other ---- */

static void run(struct sweep *self)
{
	uint64_t until = clock_interval_ms() + SLICE_MS;
	enum step step;

	do
		step = self->next(self);
	while (step == STEP_GO_ON && clock_interval_ms() < until);
	if (step == STEP_GO_ON || step == STEP_PAUSE)
		loop_timer_set(self->options.loop, &self->timer, PAUSE_MS);
	else if (step == STEP_REST)
		loop_timer_set(
		    self->options.loop, &self->timer, self->options.sweep_ms);
}

static void on_timer(void *arg)
{
	run(arg);
}

/* Its rows go anyway, and in no order that makes sense here. */
static bool is_deleted(const struct sweep *self, const struct id *account)
{
	return orders_deleted(self->options.orders, account);
}

static void let_account_go(struct sweep *self)
{
	usage_unpin(&self->usage);
	free(self->marks);
	self->marks = NULL;
	self->nodes_count = 0;
}

static enum step next_account(struct sweep *self)
{
	struct db_account account;
	size_t count = 0;

	let_account_go(self);
	const struct id *after =
	    id_is_none(&self->account) ? NULL : &self->account;
	enum status st =
	    db_accounts(self->options.db, after, &account, 1, &count);
	if (st != STATUS_OK || count == 0) {
		self->account = (struct id){ 0 };
		self->counts.rounds++;
		return STEP_REST;
	}
	self->account = account.id;
	self->tries = 0;
	if (!account.removed && !is_deleted(self, &account.id))
		self->next = start_account;
	return STEP_GO_ON;
}

static enum step leave_account(struct sweep *self)
{
	self->next = next_account;
	return STEP_GO_ON;
}

/* Something was met that should not be: an operator is to look. */
static enum step give_up(struct sweep *self, const char *why, enum status st)
{
	char account[HEX_BYTES(ID_BYTES)];

	if (is_deleted(self, &self->account))
		return leave_account(self);
	hex_encode(account, slice_of(self->account.bytes, ID_BYTES));
	log_error(NULL, "sweep_stopped", "account=%s status=%s why=\"%s\"",
	    account, status_word(st), why);
	return leave_account(self);
}

/* A batch of the account was decided, or could not be submitted. */
static enum step decided(
    struct sweep *self, enum status st, uint64_t generation)
{
	switch (st) {
	case STATUS_OK:
		self->generation = generation;
		return STEP_GO_ON;
	case STATUS_CONFLICT:
		/* It changed meanwhile: all that was marked may be wrong. */
		let_account_go(self);
		self->next =
		    ++self->tries < TRIES_MAX ? start_account : next_account;
		return STEP_GO_ON;
	case STATUS_BUSY:
	case STATUS_UNAVAILABLE:
		return leave_account(self);
	default:
		return give_up(self, "its batch was refused", st);
	}
}

static enum step submit(
    struct sweep *self, struct db_batch *batch, db_done_fn *done)
{
	enum status st = db_submit(self->options.db, &batch, done, self);

	db_batch_destroy(&batch);
	return st == STATUS_PENDING ? STEP_WAIT : decided(self, st, 0);
}

/* ---- leases ---- */

static void on_leases_dropped(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct sweep *self = arg;

	(void)failed_op;
	self->next = start_account; /* to see them gone */
	decided(self, st, generation);
	run(self);
}

/*
 * Look at the account's leases, all in one page unless hundreds of
 * terminals had one: then the rest comes once these are dropped.
 *
 * Returns whether a backup is under way, also where that is not known.
 */
static bool look_at_leases(
    struct sweep *self, struct db_batch *drop, size_t *drop_count)
{
	uint64_t now_ms = clock_wall_ms();
	struct lease lease;
	bool backup = false;

	for (size_t i = 0; i < self->page.count; i++) {
		const struct db_entry *entry = &self->page.entries[i];
		enum status st =
		    store_db_lease_unpack(&lease, entry->key, entry->value);
		if (st != STATUS_OK)
			return true;
		if (lease_is_live(&lease, now_ms, self->options.lease_ms)) {
			backup |= lease.kind == LEASE_UPLOAD;
		} else if (*drop_count < DB_BATCH_OPS_MAX / 2) {
			store_db_end_lease(drop, &lease);
			++*drop_count;
		}
	}
	return backup || self->page.more;
}

static enum step prepare_marks(struct sweep *self)
{
	enum status st =
	    usage_pin(self->options.usages, &self->account, &self->usage);

	if (st != STATUS_OK)
		return st == STATUS_BUSY
			   ? leave_account(self)
			   : give_up(self, "its blobs cannot be listed", st);
	self->marks_count = self->usage->next_sequence;
	self->marks = calloc(1, (size_t)(self->marks_count / 8 + 1));
	if (!self->marks)
		return give_up(self, "no memory for marks", STATUS_NO_SPACE);
	self->last_root = 0;
	self->has_last_chunk = false;
	self->next = mark_roots;
	return STEP_GO_ON;
}

static enum step start_account(struct sweep *self)
{
	struct db *db = self->options.db;
	struct db_account account;
	uint64_t swept = 0;
	size_t drop_count = 0;

	enum status st = db_account_get(db, &self->account, &account);
	if (st == STATUS_OK)
		st = store_db_swept(db, &self->account, &swept);
	if (st == STATUS_OK)
		st = store_db_leases(
		    db, &self->account, (struct slice){ 0 }, &self->page);
	if (st != STATUS_OK)
		return give_up(self, "its rows cannot be read", st);
	self->generation = account.generation;

	struct db_batch *drop =
	    db_batch_new(&self->account, self->generation, NULL);
	bool backup = look_at_leases(self, drop, &drop_count);
	if (drop_count > 0)
		return submit(self, drop, on_leases_dropped);
	db_batch_destroy(&drop);
	if (backup || account.removed || account.generation == swept)
		return leave_account(self);
	return prepare_marks(self);
}

/* ---- mark ---- */

static bool is_marked(const struct sweep *self, uint64_t sequence)
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
	    is_marked(self, chunk.sequence))
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
		return give_up(self, "a snapshot has no root", st);
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
		leave_account(self);
	else if (st != STATUS_OK)
		give_up(self, "a node cannot be followed", st);
	run(self);
}

static enum step mark_nodes(struct sweep *self)
{
	if (self->nodes_count == 0) {
		self->next = sweep_chunks;
		return STEP_GO_ON;
	}
	enum status st = db_blob_read(self->options.db, &self->account,
	    self->nodes[self->nodes_count - 1].sequence, on_node, self);
	if (st == STATUS_PENDING)
		return STEP_WAIT;
	/* Restores have all the reads: after them. */
	return st == STATUS_BUSY ? STEP_PAUSE : leave_account(self);
}

/* ---- sweep ---- */

static void on_chunks_deleted(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct sweep *self = arg;

	(void)failed_op;
	if (st == STATUS_OK) {
		self->usage->settled.chunks -= self->batch_chunks;
		self->usage->settled.bytes -= self->batch_bytes;
		self->counts.chunks += self->batch_chunks;
		self->counts.bytes += self->batch_bytes;
		self->next = self->page_is_last ? finish_account : sweep_chunks;
	}
	decided(self, st, generation);
	run(self);
}

/* Delete what is not marked on the page; how many that is. */
static enum status delete_unmarked(struct sweep *self, struct db_batch *batch)
{
	struct chunk chunk;

	self->batch_chunks = 0;
	self->batch_bytes = 0;
	for (size_t i = 0; i < self->page.count; i++) {
		const struct db_entry *entry = &self->page.entries[i];
		enum status st = store_db_chunk_unpack(&chunk, entry->value);
		if (st != STATUS_OK || entry->key.len != CHUNK_ID_BYTES)
			return STATUS_MALFORMED;
		memcpy(self->last_chunk.bytes, entry->key.data, CHUNK_ID_BYTES);
		self->has_last_chunk = true;
		if (chunk.sequence >= self->marks_count ||
		    is_marked(self, chunk.sequence))
			continue;
		store_db_delete_chunk(batch, entry->key, chunk.sequence);
		health_db_delete_damage(batch, entry->key);
		self->batch_chunks++;
		self->batch_bytes += store_db_blob_bytes(&chunk);
	}
	return STATUS_OK;
}

static enum step sweep_chunks(struct sweep *self)
{
	struct slice after = { 0 };

	if (self->has_last_chunk)
		after = slice_of(self->last_chunk.bytes, CHUNK_ID_BYTES);
	enum status st = store_db_chunks(self->options.db, &self->account,
	    after, CHUNKS_A_PAGE, &self->page);
	if (st != STATUS_OK)
		return give_up(self, "its chunks cannot be listed", st);
	self->page_is_last = !self->page.more;
	struct db_batch *batch =
	    db_batch_new(&self->account, self->generation, NULL);
	st = delete_unmarked(self, batch);
	if (st == STATUS_OK && self->batch_chunks > 0) {
		struct usage usage = self->usage->settled;
		usage.chunks -= self->batch_chunks;
		usage.bytes -= self->batch_bytes;
		store_db_put_usage(batch, &usage);
		db_batch_frees(batch);
		return submit(self, batch, on_chunks_deleted);
	}
	db_batch_destroy(&batch);
	if (st != STATUS_OK)
		return give_up(self, "a chunk's row is damaged", st);
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
		self->next = next_account;
	}
	decided(self, st, generation);
	run(self);
}

static enum step finish_account(struct sweep *self)
{
	struct db_batch *batch =
	    db_batch_new(&self->account, self->generation, NULL);

	/* The generation that this very batch makes. */
	store_db_put_swept(batch, self->generation + 1);
	return submit(self, batch, on_finished);
}

/* ---- life ---- */

enum status sweep_new(const struct sweep_options *options, struct sweep **out)
{
	struct sweep *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->options = *options;
	self->next = next_account;
	self->timer = (struct timer){ .fired = on_timer, .arg = self };
	loop_timer_set(options->loop, &self->timer, options->sweep_ms);
	*out = self;
	return STATUS_OK;
}

void sweep_destroy(struct sweep **self_p)
{
	struct sweep *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->options.loop, &self->timer);
	let_account_go(self);
	free(self->nodes);
	db_page_clear(&self->page);
	free(self);
	*self_p = NULL;
}

struct sweep_counts sweep_counts(const struct sweep *self)
{
	return self->counts;
}
