#include "store.h"

#include <stdlib.h>

#include "chunk.h"

/* A chunk that is being read, or waits for its turn. */
struct fetch {
	struct store *store;
	struct exchange *exchange;
	struct fetch *next; /* that waits */
	struct chunk_id id;
	struct chunk chunk;
};

static void fetch_done(void *arg, enum status st, uint8_t *data, size_t len);

static enum status fetch_submit(struct fetch *fetch)
{
	return db_blob_read(fetch->store->db, &fetch->exchange->ticket.account,
	    fetch->chunk.sequence, fetch_done, fetch);
}

static void fetch_end(struct fetch *fetch, enum status st)
{
	struct exchange *x = fetch->exchange;

	free(fetch);
	x->parked = NULL;
	exchange_finish(&x, st);
}

static void fetch_wait(struct fetch *fetch)
{
	struct store *self = fetch->store;

	if (self->waiting_last)
		self->waiting_last->next = fetch;
	else
		self->waiting_first = fetch;
	self->waiting_last = fetch;
}

/* A read is over: start those that waited. */
void store_reads_go_on(struct store *self)
{
	while (self->waiting_first) {
		struct fetch *fetch = self->waiting_first;
		enum status st = fetch_submit(fetch);
		if (st == STATUS_BUSY)
			return;
		self->waiting_first = fetch->next;
		if (!self->waiting_first)
			self->waiting_last = NULL;
		fetch->next = NULL;
		if (st != STATUS_PENDING)
			fetch_end(fetch, st);
	}
}

/*
 * It is not there as it was stored: the terminal goes on without it, and the
 * next backup that has it puts it again.
 */
static enum status refuse_damaged(struct exchange *x)
{
	return exchange_refuse(
	    x, STATUS_NOT_FOUND, "the chunk is damaged in the store");
}

/* What the read came to: OK, or what to answer. */
static enum status fetch_check(
    struct fetch *fetch, enum status st, struct slice blob)
{
	struct exchange *x = fetch->exchange;
	enum damage_kind kind = DAMAGE_CHANGED;

	if (st == STATUS_OK && chunk_is_whole(&fetch->chunk, blob))
		return STATUS_OK;
	if (st == STATUS_NOT_FOUND)
		kind = DAMAGE_MISSING;
	else if (st == STATUS_MALFORMED)
		kind = DAMAGE_UNREADABLE;
	else if (st != STATUS_OK)
		return st;
	store_found_damage(
	    fetch->store, &x->ticket.account, &fetch->id, &fetch->chunk, kind);
	return refuse_damaged(x);
}

static void fetch_done(void *arg, enum status st, uint8_t *data, size_t len)
{
	struct fetch *fetch = arg;
	struct store *self = fetch->store;
	struct exchange *x = fetch->exchange;
	Store__Chunk reply = STORE__CHUNK__INIT;

	st = fetch_check(fetch, st, slice_of(data, len));
	if (st != STATUS_OK) {
		free(data);
	} else {
		/* Without a copy, and without a node's refs behind it. */
		st = frame_take(
		    &x->reply_payload, data, fetch->chunk.sealed_bytes);
		x->reply_has_payload = true;
	}
	if (st == STATUS_OK) {
		reply.node = fetch->chunk.node;
		st = exchange_reply(x, &reply.base);
		self->counts.chunks_sent++;
		self->counts.bytes_sent += fetch->chunk.sealed_bytes;
	}
	fetch_end(fetch, st);
	store_reads_go_on(self);
}

enum status store_on_get(void *state, struct exchange *x)
{
	struct store *self = state;
	Store__Get *msg = NULL;
	struct chunk_id id;
	struct chunk chunk;
	struct lease lease;

	enum status st = exchange_unpack(x, &store__get__descriptor, &msg);
	if (st == STATUS_OK)
		st = store_read_chunk_id(x, "chunk_id", msg->chunk_id, &id);
	if (st == STATUS_OK)
		st = store_check_lease(self, x, msg->lease_id, &lease);
	if (st != STATUS_OK)
		return st;
	st = store_db_chunk(self->db, &x->ticket.account, &id, &chunk);
	if (st == STATUS_MALFORMED) {
		store_found_damage(
		    self, &x->ticket.account, &id, NULL, DAMAGE_ROW);
		return refuse_damaged(x);
	}
	if (st != STATUS_OK)
		return store_read_failed(x, st);
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return STATUS_NO_SPACE;
	*fetch = (struct fetch){
		.store = self,
		.exchange = x,
		.id = id,
		.chunk = chunk,
	};
	x->parked = fetch;
	st = self->waiting_first ? STATUS_BUSY : fetch_submit(fetch);
	if (st == STATUS_BUSY) {
		fetch_wait(fetch);
		st = STATUS_PENDING;
	}
	if (st != STATUS_PENDING) {
		x->parked = NULL;
		free(fetch);
	}
	return st;
}
