#include "remote_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
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
	put->remote->put_messages++;
	remote_send(put);
}

/* ${many} has put_many_max puts at most, and bytes for one payload. */
static enum status pack_many(struct request *many, size_t bytes)
{
	Store__PutMany message = STORE__PUT_MANY__INIT;
	uint8_t ids[PUT_MANY_MAX * CHUNK_ID_BYTES], pages[PUT_MANY_MAX];
	struct id lease = remote_lease(many->remote);
	size_t count = 0;

	zmq_msg_close(&many->payload);
	if (zmq_msg_init_size(&many->payload, bytes) != 0) {
		zmq_msg_init(&many->payload);
		return STATUS_NO_SPACE;
	}
	many->has_payload = true;
	uint8_t *at = zmq_msg_data(&many->payload);
	for (struct request *put = many->many; put; put = put->next) {
		struct slice sealed = frame_slice(&put->payload);
		memcpy(ids + count * CHUNK_ID_BYTES, put->id.bytes,
		    CHUNK_ID_BYTES);
		pages[count++] =
		    (uint8_t)((sealed.len + PAGE_HEAD_BYTES) / PAGE_BYTES);
		memcpy(at, sealed.data, sealed.len);
		at += sealed.len;
	}
	message.lease_id = remote_id_field(&lease);
	message.chunk_ids = field_of(slice_of(ids, count * CHUNK_ID_BYTES));
	message.pages = field_of(slice_of(pages, count));
	return pack_message(&many->body, &message.base);
}

static void many_ended(
    struct request *many, enum status status, const struct answer *answer);

/* A message of the puts from ${first} on; NULL without memory. */
static struct request *many_new(
    struct remote *self, struct request *first, size_t bytes)
{
	struct request *many = remote_request_new(self, STORE__TYPE__PUT_MANY);

	if (!many)
		return NULL;
	many->ended = many_ended;
	many->many = first;
	if (pack_many(many, bytes) != STATUS_OK)
		remote_request_destroy(&many);
	for (struct request *put = first; many && put; put = put->next) {
		put->under_way = true;
		zmq_msg_close(&put->payload); /* it has been copied */
		zmq_msg_init(&put->payload);
	}
	return many;
}

/* Send what is held: in one message where there are several. */
static void send_held(struct remote *self)
{
	struct request *first = self->held, *many = NULL, *next;

	if (self->held_count > 1)
		many = many_new(self, first, self->held_bytes);
	self->held = NULL;
	self->held_end = &self->held;
	self->held_count = self->held_bytes = 0;
	if (many) {
		send_put(many);
		return;
	}
	for (struct request *put = first; put; put = next) {
		next = put->next;
		send_put(put);
	}
}

/* Have ${put} go with others, in the next message or in the one behind. */
static void hold(struct remote *self, struct request *put)
{
	if (self->held_bytes + put->bytes > PAYLOAD_BYTES_MAX)
		send_held(self);
	put->next = NULL;
	*self->held_end = put;
	self->held_end = &put->next;
	self->held_count++;
	self->held_bytes += put->bytes;
	if (self->held_count >= put->many_max ||
	    PAYLOAD_BYTES_MAX - self->held_bytes < PAGE_BYTES - PAGE_HEAD_BYTES)
		send_held(self);
}

void remote_puts_go_on(struct remote *self)
{
	if (self->put_messages == 0)
		send_held(self);
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
	if (put->waits > 0)
		send_held(self); /* it may be what is waited for */
	else if (put->many_max > 1)
		hold(self, put);
	else
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

/* What became of one chunk. */
static void put_settled(
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

/*
 * A message of ${bytes} was answered: the window learns from it, and what has
 * come meanwhile leaves.
 */
static void message_ended(
    struct remote *self, enum status status, size_t bytes, uint64_t sent_ms)
{
	self->put_messages--;
	if (status != STATUS_OK)
		return;
	pthread_mutex_lock(&self->mutex);
	window_answered(
	    &self->puts_window, bytes, clock_interval_ms() - sent_ms);
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
	send_held(self);
}

static void put_ended(
    struct request *put, enum status status, const struct answer *answer)
{
	struct remote *self = put->remote;
	size_t bytes = put->bytes;
	uint64_t sent_ms = put->sent_ms;

	put_settled(put, status, answer);
	message_ended(self, status, bytes, sent_ms);
}

static void many_ended(
    struct request *many, enum status status, const struct answer *answer)
{
	struct remote *self = many->remote;
	uint64_t sent_ms = many->sent_ms;
	struct request *next;
	size_t bytes = 0;

	for (struct request *put = many->many; put; put = next) {
		next = put->next;
		bytes += put->bytes;
		put_settled(put, status, answer);
	}
	remote_request_destroy(&many);
	message_ended(self, status, bytes, sent_ms);
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
		window_answered(&self->fetches_window, 1,
		    clock_interval_ms() - fetch->sent_ms);
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

	self->held = NULL;
	self->held_end = &self->held;
	self->held_count = self->held_bytes = 0;
	for (struct request *put = self->puts; put; put = next) {
		next = put->next_put;
		if (!put->under_way)
			put_settled(put, STATUS_UNAVAILABLE, NULL);
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

/* How many puts may be in a message that has ${chunk}; 1: it goes alone. */
static size_t many_max_of(struct remote *self, const struct chunk_out *chunk)
{
	if (chunk->kind != CHUNK_DATA || chunk->sealed_len > REMOTE_SMALL_BYTES)
		return 1;
	pthread_mutex_lock(&self->mutex);
	size_t max = self->put_many_max;
	pthread_mutex_unlock(&self->mutex);
	return min_of(max_of(max, (size_t)1), (size_t)PUT_MANY_MAX);
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
	put->many_max = many_max_of(self, chunk);
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
		   self->puts_bytes + bytes <= self->puts_window.size);
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
	       self->fetches_count >= self->fetches_window.size)
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
