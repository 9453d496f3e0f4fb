#include "remote_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store.pb-c.h"

/* Chunks out and in: a bounded window of them under way. */

_Static_assert(REMOTE_PUTS_MAX + REMOTE_FETCHES_MAX < TERMINAL_INFLIGHT_MAX,
    "the gateway takes our window, and questions besides");

void chunk_out_destroy(struct chunk_out **chunk_p)
{
	struct chunk_out *chunk = *chunk_p;

	if (!chunk)
		return;
	free(chunk->refs);
	free(chunk->sealed);
	free(chunk);
	*chunk_p = NULL;
}

/* ---- on the network thread ---- */

/* Whether ${node} refers to the chunk ${id}. */
static bool refers_to(const struct request *node, const struct chunk_id *id)
{
	for (size_t i = 0; i < node->refs_count; i++)
		if (memcmp(&node->refs[i], id, sizeof(*id)) == 0)
			return true;
	return false;
}

static void send_put(struct request *put)
{
	put->under_way = true;
	remote_send(put);
}

void remote_put_begin(struct remote *self, struct request *put)
{
	put->number = self->puts_made++;
	for (struct request *other = self->puts; other; other = other->next_put)
		if (refers_to(put, &other->id))
			put->waits++;
	put->next_put = self->puts;
	if (self->puts)
		self->puts->previous_put = put;
	self->puts = put;
	if (put->waits == 0)
		send_put(put);
}

static void withdraw_put(struct remote *self, struct request *put)
{
	if (put->previous_put)
		put->previous_put->next_put = put->next_put;
	else
		self->puts = put->next_put;
	if (put->next_put)
		put->next_put->previous_put = put->previous_put;
}

/* ${put} is in the store: those that waited for it alone may leave. */
static void release_waiting(struct remote *self, const struct request *put)
{
	struct request *next;

	for (struct request *node = self->puts; node; node = next) {
		next = node->next_put;
		if (node->waits == 0 || node->number < put->number ||
		    !refers_to(node, &put->id))
			continue;
		node->waits--;
		if (node->waits == 0)
			send_put(node);
	}
}

static void put_ended(
    struct request *put, enum status status, const struct answer *answer)
{
	struct remote *self = put->remote;

	withdraw_put(self, put);
	pthread_mutex_lock(&self->mutex);
	self->puts_count--;
	self->puts_bytes -= put->bytes;
	if (status == STATUS_OK) {
		self->traffic.chunks_sent++;
		self->traffic.bytes_sent += put->bytes;
	} else {
		remote_fail_there(self, status, answer);
	}
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
	if (status == STATUS_OK)
		release_waiting(self, put);
	else
		remote_wake(self); /* who waited for it is to be dropped */
	remote_request_destroy(&put);
}

/* The payload of ${answer} as the callback takes it. */
static enum status take_payload(
    const struct answer *answer, uint8_t **out, size_t *len_out)
{
	if (!answer->payload || zmq_msg_size(answer->payload) == 0)
		return STATUS_MALFORMED;
	*len_out = zmq_msg_size(answer->payload);
	*out = malloc(*len_out);
	if (!*out)
		return STATUS_NO_SPACE;
	memcpy(*out, zmq_msg_data(answer->payload), *len_out);
	return STATUS_OK;
}

static void fetch_ended(
    struct request *fetch, enum status status, const struct answer *answer)
{
	struct remote *self = fetch->remote;
	uint8_t *sealed = NULL;
	size_t sealed_len = 0;

	if (status == STATUS_OK)
		status = take_payload(answer, &sealed, &sealed_len);
	pthread_mutex_lock(&self->mutex);
	self->fetches_count--;
	if (status == STATUS_OK) {
		self->traffic.chunks_fetched++;
		self->traffic.bytes_fetched += sealed_len;
	} else if (status != STATUS_NOT_FOUND) {
		remote_fail_there(self, status, answer);
	}
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
	fetch->fetched(fetch->arg, status, sealed, sealed_len);
	remote_request_destroy(&fetch);
}

void remote_puts_drop(struct remote *self)
{
	struct request *next;

	for (struct request *put = self->puts; put; put = next) {
		next = put->next_put;
		if (!put->under_way)
			put->ended(put, STATUS_UNAVAILABLE, NULL);
	}
}

/* ---- a window of them ---- */

static enum status pack_put(
    struct request *put, const struct chunk_out *chunk, const struct id *lease)
{
	Store__Put message = STORE__PUT__INIT;

	message.lease_id = remote_id_field(lease);
	message.chunk_id = remote_chunk_field(&chunk->id);
	message.refs = field_of(
	    slice_of(chunk->refs, chunk->refs_count * sizeof(*chunk->refs)));
	message.node = chunk->kind == CHUNK_NODE;
	return pack_message(&put->body, &message.base);
}

/* Turn ${chunk}, which is left without its arrays, into a request. */
static enum status put_new(
    struct remote *self, struct chunk_out *chunk, struct request **out)
{
	struct request *put = remote_request_new(self, STORE__TYPE__PUT);
	struct id lease = remote_lease(self);
	enum status st = STATUS_NO_SPACE;

	if (put)
		st = pack_put(put, chunk, &lease);
	if (st != STATUS_OK)
		goto out;
	put->is_put = true;
	put->ended = put_ended;
	put->id = chunk->id;
	put->bytes = chunk->sealed_len;
	put->refs = chunk->refs;
	put->refs_count = chunk->refs_count;
	put->has_payload = true;
	chunk->refs = NULL;
	st = frame_take(&put->payload, chunk->sealed, chunk->sealed_len);
	chunk->sealed = NULL; /* taken, also where that failed */
	if (st != STATUS_OK)
		goto out;
	*out = put;
	put = NULL;
out:
	remote_request_destroy(&put);
	return st;
}

static bool window_takes(const struct remote *self, size_t bytes)
{
	return self->puts_count == 0 ||
	       (self->puts_count < REMOTE_PUTS_MAX &&
		   self->puts_bytes + bytes <= REMOTE_PUT_BYTES_MAX);
}

enum status remote_put(struct remote *self, struct chunk_out **chunk_p)
{
	struct request *put = NULL;
	enum status st = put_new(self, *chunk_p, &put);

	chunk_out_destroy(chunk_p);
	if (st != STATUS_OK) {
		remote_fail_here(self, st, NULL);
		return st;
	}
	pthread_mutex_lock(&self->mutex);
	while (self->failure == STATUS_OK && !window_takes(self, put->bytes))
		pthread_cond_wait(&self->changed, &self->mutex);
	st = self->failure;
	if (st == STATUS_OK) {
		self->puts_count++;
		self->puts_bytes += put->bytes;
		remote_hand_over(self, put);
		put = NULL; /* the thread's */
	}
	pthread_mutex_unlock(&self->mutex);
	remote_request_destroy(&put);
	return st;
}

enum status remote_flush(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	while (self->failure == STATUS_OK && self->puts_count > 0)
		pthread_cond_wait(&self->changed, &self->mutex);
	enum status st = self->failure;
	pthread_mutex_unlock(&self->mutex);
	return st;
}

enum status remote_fetch(struct remote *self, const struct chunk_id *id,
    remote_fetched_fn *fetched, void *arg)
{
	Store__Get message = STORE__GET__INIT;
	struct request *fetch = remote_request_new(self, STORE__TYPE__GET);
	struct id lease = remote_lease(self);
	enum status st = STATUS_NO_SPACE;

	message.lease_id = remote_id_field(&lease);
	message.chunk_id = remote_chunk_field(id);
	if (fetch)
		st = pack_message(&fetch->body, &message.base);
	if (st != STATUS_OK)
		goto out;
	fetch->ended = fetch_ended;
	fetch->fetched = fetched;
	fetch->arg = arg;
	pthread_mutex_lock(&self->mutex);
	while (self->failure == STATUS_OK &&
	       self->fetches_count >= REMOTE_FETCHES_MAX)
		pthread_cond_wait(&self->changed, &self->mutex);
	st = self->failure;
	if (st == STATUS_OK) {
		self->fetches_count++;
		remote_hand_over(self, fetch);
		fetch = NULL; /* the thread's */
	}
	pthread_mutex_unlock(&self->mutex);
out:
	remote_request_destroy(&fetch);
	return st;
}
