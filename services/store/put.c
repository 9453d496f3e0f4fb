#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "chunk.h"
#include "quota.h"

/* Guards in the batch of a put, in this order; the refs come after them. */
enum put_op { PUT_OP_LEASE, PUT_OP_CHUNK, PUT_OP_REFS };

/* After the guards: the chunk's row, its blob, the usage; where it heals
 * also the blob before, and the record of the damage. */
_Static_assert(PUT_OP_REFS + NODE_REFS_MAX + 5 <= DB_BATCH_OPS_MAX,
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
	size_t counted; /* of usage_put_begin; 0: not under way */

	/* It is put in the place of one that is damaged. */
	bool heals;
	bool holds;          /* usage->heals is ours */
	struct bytes row;    /* of that, as it is stored */
	struct chunk before; /* the same, where it can be read: sequence > 0 */
	size_t before_bytes; /* of its blob; 0: there is none */
};

static void count_end(struct put *put)
{
	if (put->counted > 0)
		usage_put_end(put->usage, put->counted);
	put->counted = 0;
}

static enum status put_ended(struct exchange *x, enum status st)
{
	struct put *put = x->parked;

	if (st == STATUS_PENDING || !put)
		return st;
	if (put->holds)
		put->usage->heals = false;
	usage_unpin(&put->usage);
	bytes_clear(&put->row);
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

/* In the place of the damaged one, whose bytes and record go. */
static void put_heal(struct put *put, struct db_batch *batch)
{
	struct usage sums = put->usage->settled;

	if (put->before_bytes > 0) {
		sums.chunks--;
		sums.bytes -= put->before_bytes;
		db_batch_blob_delete(batch, put->before.sequence);
	}
	store_db_put_usage(batch, &sums);
	health_db_delete_damage(batch, slice_of(put->id.bytes, CHUNK_ID_BYTES));
}

static enum status put_submit(struct exchange *x)
{
	struct put *put = x->parked;

	/* Before another one is begun: they are decided in any order that
	 * the loop likes, and all of them together have to fit. */
	enum status st = STATUS_OK;
	if (!put->heals)
		st = quota_check(put->store, x, put->usage, put->blob.len);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	put->chunk.sequence = usage_take_sequence(put->usage);
	put->counted = put->blob.len;
	usage_put_begin(put->usage, put->counted);
	store_db_require_lease(batch, &put->lease);
	if (put->heals)
		store_db_expect_chunk(batch, &put->id, bytes_slice(&put->row));
	else
		store_db_forbid_chunk(batch, &put->id);
	for (size_t i = 0; i < put->chunk.refs_count; i++) {
		struct chunk_id ref = ref_at(put->refs, i);
		store_db_require_chunk(batch, &ref);
	}
	store_db_put_chunk(batch, &put->id, &put->chunk);
	/* By reference: the exchange and the put outlive the batch. */
	db_batch_blob_put(batch, put->chunk.sequence, put->blob.data,
	    put->blob.len, NULL, NULL);
	if (put->heals)
		put_heal(put, batch);
	else
		usage_save(put->usage, batch, USAGE_SAVE_EVERY);
	st = exchange_commit(x, &batch, put_decided);
	if (st != STATUS_PENDING)
		count_end(put);
	return st;
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

/* The sums were written so: now they are so here, too. */
static void healed(struct put *put, const struct id *account)
{
	char text[HEX_BYTES(ID_BYTES)];

	if (put->before_bytes > 0) {
		put->usage->settled.chunks--;
		put->usage->settled.bytes -= put->before_bytes;
	}
	put->store->counts.chunks_healed++;
	damages_changed(put->store->damages);
	hex_encode(text, slice_of(account->bytes, ID_BYTES));
	log_info(NULL, "damage_healed", "account=%s", text);
}

static enum status put_decided(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct put *put = x->parked;
	struct store *self = put->store;

	(void)generation;
	count_end(put);
	usage_settle(put->usage, put->chunk.sequence,
	    st == STATUS_OK ? put->blob.len : 0);
	if (st == STATUS_OK) {
		self->counts.chunks_put++;
		self->counts.bytes_put += put->blob.len;
		if (put->heals)
			healed(put, &x->ticket.account);
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

/*
 * See to it that what is put may take the place of the damaged chunk: nodes
 * above it count its length, so that has to be the same.
 */
static enum status heal_check(struct exchange *x, const struct put *put)
{
	const struct chunk *before = &put->before;

	if (before->sequence == 0 ||
	    (before->node == put->chunk.node &&
		before->sealed_bytes == put->chunk.sealed_bytes &&
		before->refs_count == put->chunk.refs_count &&
		before->data_chunks == put->chunk.data_chunks &&
		before->data_bytes == put->chunk.data_bytes))
		return STATUS_OK;
	return exchange_refuse(x, STATUS_CONFLICT,
	    "the chunk is damaged, and this one has another length");
}

/* One at a time for each account: the sums are written with it. */
static enum status heal_begin(struct exchange *x)
{
	struct put *put = x->parked;
	struct db *db = put->store->db;
	struct db_blob blob;
	size_t count = 0;

	enum status st = heal_check(x, put);
	if (st != STATUS_OK)
		return st;
	if (put->usage->heals)
		return exchange_retry(x, STATUS_BUSY, STORE_BUSY_RETRY_MS,
		    "another damaged chunk is being replaced");
	put->usage->heals = put->holds = true;
	if (put->before.sequence == 0)
		return STATUS_OK;
	st = db_blob_scan(
	    db, &x->ticket.account, put->before.sequence, &blob, 1, &count);
	if (st == STATUS_OK && count == 1 &&
	    blob.sequence == put->before.sequence)
		put->before_bytes = blob.len;
	return st == STATUS_OK ? st : store_read_failed(x, st);
}

static enum status put_start(struct store *self, struct exchange *x,
    const Store__Put *msg, const struct lease *lease, struct bytes *damaged)
{
	struct put *put = calloc(1, sizeof(*put));

	if (!put)
		return STATUS_NO_SPACE;
	x->parked = put;
	put->store = self;
	put->lease = lease->id;
	put->heals = damaged->len > 0;
	put->row = *damaged;
	*damaged = (struct bytes){ 0 };
	if (put->heals && store_db_chunk_unpack(&put->before,
			      bytes_slice(&put->row)) != STATUS_OK)
		put->before = (struct chunk){ 0 };
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
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	if (put->heals)
		st = heal_begin(x);
	return st == STATUS_OK ? put_submit(x) : st;
}

/*
 * Look whether the chunk is there: NOT_FOUND: no, or it is damaged, and
 * ${damaged} has its row then.
 */
static enum status look(struct store *self, struct exchange *x,
    const struct chunk_id *id, struct chunk *there, struct bytes *damaged)
{
	const struct id *account = &x->ticket.account;
	struct damage damage;
	struct bytes row = { 0 };
	enum status st = store_db_chunk_row(self->db, account, id, &row);

	if (st != STATUS_OK)
		goto out;
	st = store_db_chunk_unpack(there, bytes_slice(&row));
	bool broken = st == STATUS_MALFORMED;
	if (st == STATUS_OK)
		broken = health_db_damage(self->db, account, id, &damage) ==
			 STATUS_OK;
	if (broken) {
		*damaged = row;
		row = (struct bytes){ 0 };
		st = STATUS_NOT_FOUND;
	}
out:
	bytes_clear(&row);
	return st;
}

enum status store_on_put(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Put *msg = NULL;
	struct lease lease;
	struct chunk_id id;
	struct chunk there;
	struct bytes damaged = { 0 };

	enum status st = exchange_unpack(x, &store__put__descriptor, &msg);
	if (st == STATUS_OK)
		st = put_check(x, msg, frame_slice(&x->message.payload));
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st == STATUS_OK)
		st = store_read_chunk_id(x, "chunk_id", msg->chunk_id, &id);
	if (st != STATUS_OK)
		return st;
	st = look(self, x, &id, &there, &damaged);
	if (st == STATUS_OK)
		return put_there(x, &there);
	if (st != STATUS_NOT_FOUND)
		return store_read_failed(x, st);
	st = put_start(self, x, msg, &lease, &damaged);
	bytes_clear(&damaged);
	return put_ended(x, st);
}
