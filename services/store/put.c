#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "chunk.h"
#include "put_many.h"
#include "quota.h"

/* PUT, and PUT_MANY, whose chunks are put as by PUTs of their own, but all
 * of them or none. */

/* Guards in the batch of a put, in this order: the lease, each chunk that is
 * written, the refs. */
#define PUT_OP_LEASE  0
#define PUT_OP_CHUNKS 1

/* Of a chunk: its guard, its row, its blob; where it heals also the blob
 * before, and the record of the damage.  Once in a batch: the usage. */
#define PUT_CHUNK_OPS 5
_Static_assert(
    PUT_OP_CHUNKS + PUT_CHUNK_OPS + NODE_REFS_MAX + 1 <= DB_BATCH_OPS_MAX,
    "a node fits in a batch");
_Static_assert(
    PUT_OP_CHUNKS + PUT_MANY_MAX * PUT_CHUNK_OPS + 1 <= DB_BATCH_OPS_MAX,
    "all chunks of a message fit in a batch");

struct put_chunk {
	struct chunk_id id;
	struct chunk chunk;
	struct slice blob; /* in the payload, or joined */
	bool there;        /* already: nothing is written */

	/* It is put in the place of one that is damaged. */
	bool heals;
	struct bytes row;    /* of that, as it is stored */
	bool readable;       /* the row: the same is in … */
	struct chunk before; /* … this */
	size_t before_bytes; /* of its blob; 0: there is none */
};

struct put {
	struct store *store;
	struct account_usage *usage; /* pinned while under way */
	struct id lease;
	struct slice refs; /* lies in the exchange, as the payload does */
	uint8_t *joined;   /* owned: payload and refs of a node, or NULL */
	unsigned int tries;
	bool counted; /* by usage_put_begin: it is under way */
	bool holds;   /* usage->heals is ours */
	bool many;    /* a PUT_MANY: a refusal says which chunk */
	size_t count;
	struct put_chunk chunks[];
};

static void count_begin(struct put *put)
{
	for (size_t i = 0; i < put->count; i++)
		if (!put->chunks[i].there)
			usage_put_begin(put->usage, put->chunks[i].blob.len);
	put->counted = true;
}

static void count_end(struct put *put)
{
	for (size_t i = 0; put->counted && i < put->count; i++)
		if (!put->chunks[i].there)
			usage_put_end(put->usage, put->chunks[i].blob.len);
	put->counted = false;
}

static enum status put_ended(struct exchange *x, enum status st)
{
	struct put *put = x->parked;

	if (st == STATUS_PENDING || !put)
		return st;
	if (put->holds)
		put->usage->heals = false;
	usage_unpin(&put->usage);
	for (size_t i = 0; i < put->count; i++)
		bytes_clear(&put->chunks[i].row);
	free(put->joined);
	free(put);
	x->parked = NULL;
	return st;
}

/* ---- what is looked at before a batch is made ---- */

static enum status put_check(
    struct exchange *x, const Store__Put *msg, struct slice payload)
{
	size_t refs_len = msg->refs.len;

	if (msg->chunk_id.len != CHUNK_ID_BYTES)
		return store_refuse_length(
		    x, "chunk_id", msg->chunk_id.len, "32");
	if (refs_len % CHUNK_ID_BYTES != 0 || (refs_len > 0 && !msg->node))
		return store_refuse_length(x, "refs", refs_len,
		    "32 for each chunk a node refers to, none without node");
	if (refs_len > NODE_REFS_MAX * CHUNK_ID_BYTES)
		return exchange_refuse(x, STATUS_TOO_LARGE,
		    "refs: %zu of them, at most %d", refs_len / CHUNK_ID_BYTES,
		    NODE_REFS_MAX);
	if (!chunk_length_is_valid(payload.len))
		return store_refuse_length(x, "payload", payload.len,
		    "n * 4096 - 16 with n in 1 to 64");
	if (payload.len + refs_len > BLOB_BYTES_MAX)
		return exchange_refuse(x, STATUS_TOO_LARGE,
		    "payload and refs: %zu bytes together, at most %d",
		    payload.len + refs_len, BLOB_BYTES_MAX);
	return STATUS_OK;
}

static struct chunk_id ref_at(struct slice refs, size_t index)
{
	struct chunk_id id;

	memcpy(id.bytes, refs.data + index * CHUNK_ID_BYTES, CHUNK_ID_BYTES);
	return id;
}

static enum status ref_missing(struct exchange *x, size_t index)
{
	return exchange_refuse(x, STATUS_NOT_FOUND,
	    "refs: number %zu is not in the store", index + 1);
}

/* Refuse for one of the chunks. */
static enum status refuse_chunk(struct exchange *x, enum status st,
    const struct put_chunk *one, const char *why)
{
	const struct put *put = x->parked;

	if (!put->many)
		return exchange_refuse(x, st, "%s", why);
	return exchange_refuse(
	    x, st, "chunk %zu: %s", (size_t)(one - put->chunks) + 1, why);
}

/* Look at all that a node refers to, and count it. */
static enum status count_refs(
    struct exchange *x, const struct put *put, struct chunk *node)
{
	struct chunk ref;

	for (size_t i = 0; i < put->refs.len / CHUNK_ID_BYTES; i++) {
		struct chunk_id id = ref_at(put->refs, i);
		enum status st = store_db_chunk(
		    put->store->db, &x->ticket.account, &id, &ref);
		if (st == STATUS_NOT_FOUND)
			return ref_missing(x, i);
		if (st != STATUS_OK)
			return store_read_failed(x, st);
		if (chunk_add_ref(node, &ref) != STATUS_OK)
			return exchange_refuse(x, STATUS_TOO_LARGE,
			    "refs: more chunks below than can be counted");
	}
	return STATUS_OK;
}

/* A node's blob is its payload, which GET sends as it is, and its refs. */
static enum status join_refs(struct put *put, struct put_chunk *node)
{
	size_t len = store_db_blob_bytes(&node->chunk);

	put->joined = malloc(len);
	if (!put->joined)
		return STATUS_NO_SPACE;
	memcpy(put->joined, node->blob.data, node->blob.len);
	memcpy(put->joined + node->blob.len, put->refs.data, put->refs.len);
	node->blob = slice_of(put->joined, len);
	return STATUS_OK;
}

/*
 * Look whether the chunk is there: NOT_FOUND: no, or it is damaged, and
 * ${one} has its row then.
 */
static enum status look(struct store *self, struct exchange *x,
    struct put_chunk *one, struct chunk *there)
{
	const struct id *account = &x->ticket.account;
	struct damage damage;
	struct bytes row = { 0 };

	one->heals = false;
	enum status st = store_db_chunk_row(self->db, account, &one->id, &row);
	if (st != STATUS_OK)
		goto out;
	st = store_db_chunk_unpack(there, bytes_slice(&row));
	one->heals = st == STATUS_MALFORMED;
	one->readable = st == STATUS_OK;
	if (st == STATUS_OK)
		one->heals = health_db_damage(self->db, account, &one->id,
				 &damage) == STATUS_OK;
	if (one->heals) {
		bytes_clear(&one->row);
		one->row = row;
		row = (struct bytes){ 0 };
		if (one->readable)
			one->before = *there;
		st = STATUS_NOT_FOUND;
	}
out:
	bytes_clear(&row);
	return st;
}

/*
 * Look at each chunk.  One that is there is a repeat, and changes nothing.
 * What another terminal put may be anything under that id, so who asks must
 * not count it as its own (B-05).
 */
static enum status look_at_all(struct exchange *x, size_t *absent)
{
	struct put *put = x->parked;
	struct chunk there;

	*absent = 0;
	for (size_t i = 0; i < put->count; i++) {
		struct put_chunk *one = &put->chunks[i];
		enum status st = look(put->store, x, one, &there);
		one->there = st == STATUS_OK;
		if (st == STATUS_NOT_FOUND)
			++*absent;
		else if (st != STATUS_OK)
			return store_read_failed(x, st);
		else if (!id_equal(&there.terminal, &x->ticket.terminal))
			return refuse_chunk(x, STATUS_CONFLICT, one,
			    "another terminal put this chunk: verify it first");
	}
	return STATUS_OK;
}

/*
 * See to it that what is put may take the place of the damaged chunk: nodes
 * above it count its length, so that has to be the same.
 */
static enum status heal_check(struct exchange *x, const struct put_chunk *one)
{
	const struct chunk *before = &one->before;

	if (!one->readable ||
	    (before->node == one->chunk.node &&
		before->sealed_bytes == one->chunk.sealed_bytes &&
		before->refs_count == one->chunk.refs_count &&
		before->data_chunks == one->chunk.data_chunks &&
		before->data_bytes == one->chunk.data_bytes))
		return STATUS_OK;
	return refuse_chunk(x, STATUS_CONFLICT, one,
	    "the chunk is damaged, and this one has another length");
}

/* What goes with the chunk that ${one} takes the place of. */
static enum status heal_weigh(struct exchange *x, struct put_chunk *one)
{
	const struct put *put = x->parked;
	struct db_blob blob;
	size_t count = 0;

	one->before_bytes = 0;
	if (!one->readable)
		return STATUS_OK;
	enum status st = db_blob_scan(put->store->db, &x->ticket.account,
	    one->before.sequence, &blob, 1, &count);
	if (st == STATUS_OK && count == 1 &&
	    blob.sequence == one->before.sequence)
		one->before_bytes = blob.len;
	return st == STATUS_OK ? st : store_read_failed(x, st);
}

/* One put at a time for each account: the sums are written with it. */
static enum status heal_begin(struct exchange *x)
{
	struct put *put = x->parked;

	for (size_t i = 0; i < put->count; i++) {
		struct put_chunk *one = &put->chunks[i];
		if (!one->heals)
			continue;
		enum status st = heal_check(x, one);
		if (st != STATUS_OK)
			return st;
		if (put->usage->heals && !put->holds)
			return exchange_retry(x, STATUS_BUSY,
			    STORE_BUSY_RETRY_MS,
			    "another damaged chunk is being replaced");
		put->usage->heals = put->holds = true;
		st = heal_weigh(x, one);
		if (st != STATUS_OK)
			return st;
	}
	return STATUS_OK;
}

/* Before another one is begun: they are decided in any order that the loop
 * likes, and all of them together have to fit. */
static enum status put_weigh(struct exchange *x)
{
	const struct put *put = x->parked;
	size_t chunks = 0, bytes = 0;

	for (size_t i = 0; i < put->count; i++) {
		const struct put_chunk *one = &put->chunks[i];
		if (one->there || one->heals)
			continue;
		chunks++;
		bytes += one->blob.len;
	}
	if (chunks == 0)
		return STATUS_OK;
	return quota_check(put->store, x, put->usage, chunks, bytes);
}

/* ---- the batch ---- */

static enum status put_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op);

static void put_guards(const struct put *put, struct db_batch *batch)
{
	store_db_require_lease(batch, &put->lease);
	for (size_t i = 0; i < put->count; i++) {
		const struct put_chunk *one = &put->chunks[i];
		if (one->there)
			continue;
		if (one->heals)
			store_db_expect_chunk(
			    batch, &one->id, bytes_slice(&one->row));
		else
			store_db_forbid_chunk(batch, &one->id);
	}
	for (size_t i = 0; i < put->refs.len / CHUNK_ID_BYTES; i++) {
		struct chunk_id ref = ref_at(put->refs, i);
		store_db_require_chunk(batch, &ref);
	}
}

static void put_write(
    struct put *put, struct put_chunk *one, struct db_batch *batch)
{
	one->chunk.sequence = usage_take_sequence(put->usage);
	chunk_set_hash(&one->chunk, one->blob);
	store_db_put_chunk(batch, &one->id, &one->chunk);
	/* By reference: the exchange and the put outlive the batch. */
	db_batch_blob_put(batch, one->chunk.sequence, one->blob.data,
	    one->blob.len, NULL, NULL);
}

/* In the place of the damaged one, whose bytes and record go. */
static void put_heal(
    const struct put_chunk *one, struct db_batch *batch, struct usage *sums)
{
	if (one->before_bytes > 0) {
		sums->chunks--;
		sums->bytes -= one->before_bytes;
		db_batch_blob_delete(batch, one->before.sequence);
	}
	health_db_delete_damage(batch, slice_of(one->id.bytes, CHUNK_ID_BYTES));
}

static enum status put_submit(struct exchange *x)
{
	struct put *put = x->parked;
	bool heals = false;

	enum status st = heal_begin(x);
	if (st == STATUS_OK)
		st = put_weigh(x);
	if (st != STATUS_OK)
		return st;
	struct usage sums = put->usage->settled;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	count_begin(put);
	put_guards(put, batch);
	for (size_t i = 0; i < put->count; i++) {
		struct put_chunk *one = &put->chunks[i];
		if (one->there)
			continue;
		put_write(put, one, batch);
		if (one->heals)
			put_heal(one, batch, &sums);
		heals = heals || one->heals;
	}
	if (heals)
		store_db_put_usage(batch, &sums);
	else
		usage_save(put->usage, batch, USAGE_SAVE_EVERY);
	st = exchange_commit(x, &batch, put_decided);
	if (st != STATUS_PENDING)
		count_end(put);
	return st;
}

/*
 * Another put of a chunk came first, or a sequence was taken, which only a
 * fault can do: look again, and begin above it.
 */
static enum status put_again(struct exchange *x)
{
	struct put *put = x->parked;
	size_t absent;

	if (++put->tries == STORE_TRIES_MAX)
		return STATUS_CONFLICT;
	enum status st = usage_catch_up(put->store->usages, put->usage);
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	st = look_at_all(x, &absent);
	return st == STATUS_OK && absent > 0 ? put_submit(x) : st;
}

/* The sums were written so: now they are so here, too. */
static void healed(
    struct put *put, const struct put_chunk *one, const struct id *account)
{
	char text[HEX_BYTES(ID_BYTES)];

	if (one->before_bytes > 0) {
		put->usage->settled.chunks--;
		put->usage->settled.bytes -= one->before_bytes;
	}
	put->store->counts.chunks_healed++;
	damages_changed(put->store->damages);
	hex_encode(text, slice_of(account->bytes, ID_BYTES));
	log_info(NULL, "damage_healed", "account=%s", text);
}

/* Note how the batch ended in the account's usage, and count it. */
static void put_settle(struct put *put, bool written, const struct id *account)
{
	struct store *self = put->store;

	count_end(put);
	for (size_t i = 0; i < put->count; i++) {
		const struct put_chunk *one = &put->chunks[i];
		if (one->there)
			continue;
		usage_settle(put->usage, one->chunk.sequence,
		    written ? one->blob.len : 0);
		if (!written)
			continue;
		self->counts.chunks_put++;
		self->counts.bytes_put += one->blob.len;
		if (one->heals)
			healed(put, one, account);
	}
}

static enum status put_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct put *put = x->parked;

	(void)generation;
	put_settle(put, st == STATUS_OK, &x->ticket.account);
	if (st == STATUS_NOT_FOUND && failed_op == PUT_OP_LEASE)
		st = store_lease_over(x);
	else if (st == STATUS_NOT_FOUND) /* a node, which comes alone */
		st = ref_missing(x, failed_op - PUT_OP_CHUNKS - 1);
	else if (st == STATUS_CONFLICT && failed_op != DB_OP_NONE)
		st = put_again(x);
	return put_ended(x, st);
}

/* ---- the handlers ---- */

/* Leave a put of ${count} chunks in x->parked. */
static enum status put_new(struct store *self, struct exchange *x,
    const struct lease *lease, const struct sealed_chunk *chunks, size_t count)
{
	struct put *put =
	    calloc(1, sizeof(*put) + count * sizeof(*put->chunks));

	if (!put)
		return STATUS_NO_SPACE;
	x->parked = put;
	put->store = self;
	put->lease = lease->id;
	put->count = count;
	for (size_t i = 0; i < count; i++) {
		struct put_chunk *one = &put->chunks[i];
		one->id = chunks[i].id;
		one->blob = chunks[i].sealed;
		one->chunk.terminal = x->ticket.terminal;
		one->chunk.sealed_bytes = (uint32_t)one->blob.len;
	}
	return STATUS_OK;
}

static enum status put_start(struct exchange *x)
{
	struct put *put = x->parked;
	struct put_chunk *first = &put->chunks[0];
	size_t absent;

	enum status st = look_at_all(x, &absent);
	if (st != STATUS_OK || absent == 0)
		return st;
	if (put->refs.len > 0) {
		st = count_refs(x, put, &first->chunk);
		if (st == STATUS_OK)
			st = join_refs(put, first);
	}
	if (st != STATUS_OK)
		return st;
	st = usage_pin(put->store->usages, &x->ticket.account, &put->usage);
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, STORE_BUSY_RETRY_MS, "too many accounts at once");
	return st == STATUS_OK ? put_submit(x) : store_read_failed(x, st);
}

enum status store_on_put(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Put *msg = NULL;
	struct sealed_chunk chunk;
	struct lease lease;

	chunk.sealed = frame_slice(&x->message.payload);
	enum status st = exchange_unpack(x, &store__put__descriptor, &msg);
	if (st == STATUS_OK)
		st = put_check(x, msg, chunk.sealed);
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st == STATUS_OK)
		st = store_read_chunk_id(
		    x, "chunk_id", msg->chunk_id, &chunk.id);
	if (st == STATUS_OK)
		st = put_new(self, x, &lease, &chunk, 1);
	if (st != STATUS_OK)
		return st;
	struct put *put = x->parked;
	put->refs = field_slice(msg->refs);
	put->chunks[0].chunk.node = msg->node;
	put->chunks[0].chunk.refs_count =
	    (uint32_t)(put->refs.len / CHUNK_ID_BYTES);
	return put_ended(x, put_start(x));
}

enum status store_on_put_many(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__PutMany *msg = NULL;
	struct sealed_chunk chunks[PUT_MANY_MAX];
	size_t count = 0, at = 0;
	const char *detail = "";
	struct lease lease;

	enum status st = exchange_unpack(x, &store__put_many__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	st = put_many_read(chunks, &count, field_slice(msg->chunk_ids),
	    field_slice(msg->pages), frame_slice(&x->message.payload), &at,
	    &detail);
	if (st != STATUS_OK && at > 0)
		return exchange_refuse(x, st, "chunk %zu: %s", at, detail);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", detail);
	st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st == STATUS_OK)
		st = put_new(self, x, &lease, chunks, count);
	if (st != STATUS_OK)
		return st;
	((struct put *)x->parked)->many = true;
	return put_ended(x, put_start(x));
}
