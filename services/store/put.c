#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"

/* Guards in the batch of a put, in this order; the refs come after them. */
enum put_op { PUT_OP_LEASE, PUT_OP_CHUNK, PUT_OP_REFS };

/* After the guards: the chunk's row, its blob, the usage. */
_Static_assert(PUT_OP_REFS + NODE_REFS_MAX + 3 <= DB_BATCH_OPS_MAX,
    "a node fits in a batch");

struct put {
	struct store *store;
	struct account_usage *usage; /* pinned while under way */
	struct id lease;
	struct chunk_id id;
	struct chunk chunk;
	struct slice refs; /* lies in the exchange, as the payload does */
	struct slice blob; /* the payload, or joined */
	uint8_t *joined;   /* owned: payload and refs of a node, or NULL */
	unsigned int tries;
};

static enum status put_ended(struct exchange *x, enum status st)
{
	struct put *put = x->parked;

	if (st == STATUS_PENDING || !put)
		return st;
	usage_unpin(&put->usage);
	free(put->joined);
	free(put);
	x->parked = NULL;
	return st;
}

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

/* Look at all that a node refers to, and count it. */
static enum status count_refs(struct exchange *x, struct put *put)
{
	struct chunk ref;

	for (size_t i = 0; i < put->chunk.refs_count; i++) {
		struct chunk_id id = ref_at(put->refs, i);
		enum status st = store_db_chunk(
		    put->store->db, &x->ticket.account, &id, &ref);
		if (st == STATUS_NOT_FOUND)
			return ref_missing(x, i);
		if (st != STATUS_OK)
			return store_read_failed(x, st);
		if (chunk_add_ref(&put->chunk, &ref) != STATUS_OK)
			return exchange_refuse(x, STATUS_TOO_LARGE,
			    "refs: more chunks below than can be counted");
	}
	return STATUS_OK;
}

/* A node's blob is its payload, which GET sends as it is, and its refs. */
static enum status join_refs(struct put *put)
{
	size_t len = store_db_blob_bytes(&put->chunk);

	if (put->refs.len == 0)
		return STATUS_OK;
	put->joined = malloc(len);
	if (!put->joined)
		return STATUS_NO_SPACE;
	memcpy(put->joined, put->blob.data, put->blob.len);
	memcpy(put->joined + put->blob.len, put->refs.data, put->refs.len);
	put->blob = slice_of(put->joined, len);
	return STATUS_OK;
}

static enum status put_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op);

static enum status put_submit(struct exchange *x)
{
	struct put *put = x->parked;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);

	put->chunk.sequence = usage_take_sequence(put->usage);
	store_db_require_lease(batch, &put->lease);
	store_db_forbid_chunk(batch, &put->id);
	for (size_t i = 0; i < put->chunk.refs_count; i++) {
		struct chunk_id ref = ref_at(put->refs, i);
		store_db_require_chunk(batch, &ref);
	}
	store_db_put_chunk(batch, &put->id, &put->chunk);
	/* By reference: the exchange and the put outlive the batch. */
	db_batch_blob_put(batch, put->chunk.sequence, put->blob.data,
	    put->blob.len, NULL, NULL);
	usage_save(put->usage, batch, USAGE_SAVE_EVERY);
	return exchange_commit(x, &batch, put_decided);
}

/* The sequence was taken, which only a fault can do: once more, above it. */
static enum status put_again(struct exchange *x)
{
	struct put *put = x->parked;

	if (++put->tries == STORE_TRIES_MAX)
		return STATUS_CONFLICT;
	enum status st = usage_catch_up(put->store->usages, put->usage);
	return st == STATUS_OK ? put_submit(x) : store_read_failed(x, st);
}

/*
 * It is there: a repeat changes nothing.  What another terminal put may be
 * anything under that id, so who asks must not count it as its own (B-05).
 */
static enum status put_there(struct exchange *x, const struct chunk *there)
{
	if (id_equal(&there->terminal, &x->ticket.terminal))
		return STATUS_OK;
	return exchange_refuse(x, STATUS_CONFLICT,
	    "another terminal put this chunk: verify it first");
}

/* Another put of it came first. */
static enum status put_lost_race(struct exchange *x)
{
	const struct put *put = x->parked;
	struct chunk there;

	enum status st = store_db_chunk(
	    put->store->db, &x->ticket.account, &put->id, &there);
	return st == STATUS_OK ? put_there(x, &there)
			       : store_read_failed(x, st);
}

static enum status put_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct put *put = x->parked;
	struct store *self = put->store;

	(void)generation;
	usage_settle(put->usage, put->chunk.sequence,
	    st == STATUS_OK ? put->blob.len : 0);
	if (st == STATUS_OK) {
		self->counts.chunks_put++;
		self->counts.bytes_put += put->blob.len;
	} else if (st == STATUS_NOT_FOUND && failed_op == PUT_OP_LEASE) {
		st = store_lease_over(x);
	} else if (st == STATUS_NOT_FOUND) {
		st = ref_missing(x, failed_op - PUT_OP_REFS);
	} else if (st == STATUS_CONFLICT && failed_op == PUT_OP_CHUNK) {
		st = put_lost_race(x);
	} else if (st == STATUS_CONFLICT && failed_op != DB_OP_NONE) {
		st = put_again(x);
	}
	return put_ended(x, st);
}

static enum status put_start(struct store *self, struct exchange *x,
    const Store__Put *msg, const struct lease *lease)
{
	struct put *put = calloc(1, sizeof(*put));

	if (!put)
		return STATUS_NO_SPACE;
	x->parked = put;
	put->store = self;
	put->lease = lease->id;
	memcpy(put->id.bytes, msg->chunk_id.data, CHUNK_ID_BYTES);
	put->refs = field_slice(msg->refs);
	put->blob = frame_slice(&x->message.payload);
	put->chunk.terminal = x->ticket.terminal;
	put->chunk.node = msg->node;
	put->chunk.sealed_bytes = (uint32_t)put->blob.len;
	put->chunk.refs_count = (uint32_t)(put->refs.len / CHUNK_ID_BYTES);
	enum status st = count_refs(x, put);
	if (st == STATUS_OK)
		st = join_refs(put);
	if (st != STATUS_OK)
		return st;
	chunk_set_hash(&put->chunk, put->blob);
	st = usage_pin(self->usages, &x->ticket.account, &put->usage);
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, STORE_BUSY_RETRY_MS, "too many accounts at once");
	return st == STATUS_OK ? put_submit(x) : store_read_failed(x, st);
}

enum status store_on_put(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Put *msg = NULL;
	struct lease lease;
	struct chunk_id id;
	struct chunk there;

	enum status st = exchange_unpack(x, &store__put__descriptor, &msg);
	if (st == STATUS_OK)
		st = put_check(x, msg, frame_slice(&x->message.payload));
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st == STATUS_OK)
		st = store_read_chunk_id(x, "chunk_id", msg->chunk_id, &id);
	if (st != STATUS_OK)
		return st;
	st = store_db_chunk(self->db, &x->ticket.account, &id, &there);
	if (st == STATUS_OK)
		return put_there(x, &there);
	if (st != STATUS_NOT_FOUND)
		return store_read_failed(x, st);
	return put_ended(x, put_start(self, x, msg, &lease));
}
