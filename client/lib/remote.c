#include "remote.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/util.h"
#include "bus/caller.h"
#include "bus/unpack.h"
#include "session.h"
#include "store.pb-c.h"

#define REFUSALS_MAX   3
#define ENDPOINT_BYTES (ENROLMENT_HOST_BYTES_MAX + 16)

_Static_assert(REMOTE_HAVE_MAX *CHUNK_ID_BYTES < BODY_BYTES_MAX,
    "one question asks for all of them");
_Static_assert(REMOTE_PUTS_MAX + REMOTE_FETCHES_MAX < TERMINAL_INFLIGHT_MAX,
    "the gateway takes our window, and questions besides");

/*
 * A request on its way.  Made by who asks; owned by the network thread from
 * the hand-over on, except that a question stays its asker's.
 */
struct request {
	struct remote *remote;
	struct request *next; /* waiting to be handed over */
	uint32_t type;
	struct bytes body;
	zmq_msg_t payload;
	bool has_payload;
	/* On the network thread; frees the request unless it is a question. */
	void (*ended)(struct request *self, enum status status,
	    const struct answer *answer);

	/* A put. */
	struct request *next_put, *previous_put; /* all not acknowledged */
	struct chunk_id id;
	struct chunk_id *refs;
	size_t refs_count;
	size_t waits; /* for so many earlier puts that it refers to */
	uint64_t number;
	bool under_way;
	size_t bytes;

	/* A fetch. */
	remote_fetched_fn *fetched;
	void *arg;

	/* A question: under the mutex. */
	bool done;
	enum status status;
	struct bytes answer;
};

struct remote {
	struct id account;
	uint8_t ticket[TICKET_BYTES_MAX]; /* both secret */
	size_t ticket_len;
	uint32_t timeout_ms;

	pthread_t thread;
	bool has_thread;
	int wake_fd; /* says to the thread: look at the queue */

	/* The network thread's own. */
	struct bus *bus;
	struct loop *loop;
	struct caller *caller;
	struct request *puts; /* not acknowledged, newest first */
	uint64_t puts_made;

	/* Under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* room in a window, an answer, a failure */
	struct request *queue, **queue_end;
	bool stopping;
	size_t puts_count, puts_bytes;
	size_t fetches_count;
	enum status failure; /* the one that sticks */
	char detail[DETAIL_BYTES_MAX + 1];
	const char *advice;
	struct id lease;
	struct remote_traffic traffic;
};

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

void snapshot_clear(struct snapshot *self)
{
	bytes_clear(&self->sealed_key);
	bytes_clear(&self->sealed_summary);
	memset(self, 0, sizeof(*self));
}

/* ---- requests ---- */

static struct request *request_new(struct remote *remote, uint32_t type)
{
	struct request *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->remote = remote;
	self->type = type;
	zmq_msg_init(&self->payload);
	return self;
}

static void request_destroy(struct request **self_p)
{
	struct request *self = *self_p;

	if (!self)
		return;
	zmq_msg_close(&self->payload);
	bytes_clear(&self->body);
	bytes_clear(&self->answer);
	free(self->refs);
	free(self);
	*self_p = NULL;
}

/* Note a failure for people, unless one is noted; the mutex is held. */
static void note_failure(struct remote *self, enum status status,
    const char *detail, enum link_state link)
{
	if (self->detail[0] != '\0')
		return;
	snprintf(self->detail, sizeof(self->detail), "%s",
	    detail && detail[0] ? detail : status_text(status));
	self->advice = session_advice_for(status, link);
}

/* A failure that sending again cannot cure; the mutex is held. */
static void fail(struct remote *self, enum status status, const char *detail,
    enum link_state link)
{
	if (self->failure != STATUS_OK)
		return;
	self->detail[0] = '\0'; /* more important than one that passed */
	note_failure(self, status, detail, link);
	self->failure = status;
	pthread_cond_broadcast(&self->changed);
}

/* The same where this side saw it, and the mutex is not held. */
static void fail_here(
    struct remote *self, enum status status, const char *detail)
{
	pthread_mutex_lock(&self->mutex);
	fail(self, status, detail, LINK_UP);
	pthread_mutex_unlock(&self->mutex);
}

/*
 * The same on the network thread, whose the caller is, with the mutex held.
 *
 * answer  what came instead of success; NULL: it was not even sent
 */
static void fail_there(
    struct remote *self, enum status status, const struct answer *answer)
{
	fail(self, status, answer ? answer->detail : NULL,
	    self->caller ? caller_link(self->caller) : LINK_UP);
}

/* Have the network thread look at its queue, and at what has failed. */
static void wake(struct remote *self)
{
	uint64_t one = 1;

	/* A full counter is no failure: the thread is awake then. */
	if (write(self->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* Give ${request} to the network thread; the mutex is held. */
static void hand_over(struct remote *self, struct request *request)
{
	request->next = NULL;
	*self->queue_end = request;
	self->queue_end = &request->next;
	wake(self);
}

/* ---- the network thread ---- */

static void on_answer(void *arg, const struct answer *answer)
{
	struct request *request = arg;

	request->ended(request, answer->status, answer);
}

static void send_request(struct request *request)
{
	struct remote *self = request->remote;
	struct header header = {
		.type = request->type,
		.account = self->account,
		.deadline_ms = self->timeout_ms,
		.ticket_len = self->ticket_len,
	};

	memcpy(header.ticket, self->ticket, self->ticket_len);
	enum status st =
	    caller_ask(self->caller, &header, bytes_slice(&request->body),
		request->has_payload ? &request->payload : NULL, on_answer,
		request);
	sodium_memzero(&header, sizeof(header));
	if (st != STATUS_OK)
		request->ended(request, st, NULL);
}

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
	send_request(put);
}

/* Add ${put}, and send it unless it must wait for what it refers to. */
static void begin_put(struct remote *self, struct request *put)
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
		fail_there(self, status, answer);
	}
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
	if (status == STATUS_OK)
		release_waiting(self, put);
	else
		wake(self); /* those that waited for it are to be dropped */
	request_destroy(&put);
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
		fail_there(self, status, answer);
	}
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
	fetch->fetched(fetch->arg, status, sealed, sealed_len);
	request_destroy(&fetch);
}

/* Whether a question that ends so leaves the rest as good as before. */
static bool passes(enum status status)
{
	return status == STATUS_NOT_FOUND || status == STATUS_CONFLICT;
}

static void question_ended(
    struct request *question, enum status status, const struct answer *answer)
{
	struct remote *self = question->remote;

	pthread_mutex_lock(&self->mutex);
	if (status == STATUS_OK)
		status = bytes_copy(&question->answer, answer->body);
	if (passes(status))
		note_failure(self, status, answer->detail, LINK_UP);
	else if (status != STATUS_OK)
		fail_there(self, status, answer);
	question->status = status;
	question->done = true;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
}

/* End the puts that wait for others: their turn will not come. */
static void drop_waiting(struct remote *self)
{
	struct request *next;

	for (struct request *put = self->puts; put; put = next) {
		next = put->next_put;
		if (!put->under_way)
			put->ended(put, STATUS_UNAVAILABLE, NULL);
	}
}

static void on_wake(void *arg)
{
	struct remote *self = arg;
	struct request *next;
	uint64_t count;

	if (read(self->wake_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&self->mutex);
	struct request *queue = self->queue;
	bool stopping = self->stopping;
	bool failed = self->failure != STATUS_OK;
	self->queue = NULL;
	self->queue_end = &self->queue;
	pthread_mutex_unlock(&self->mutex);

	for (struct request *request = queue; request; request = next) {
		next = request->next;
		if (request->ended == put_ended)
			begin_put(self, request);
		else
			send_request(request);
	}
	if (failed || stopping)
		drop_waiting(self);
	if (stopping)
		loop_stop(self->loop);
}

static void *run(void *arg)
{
	struct remote *self = arg;
	enum status st = loop_run(self->loop);

	if (st != STATUS_OK)
		fail_here(self, st, "the network thread cannot go on");
	caller_destroy(&self->caller); /* ends what is under way */
	drop_waiting(self);
	return NULL;
}

/* ---- made and ended ---- */

static enum status connect_to(
    struct remote *self, const struct remote_options *options)
{
	char endpoint[ENDPOINT_BYTES];

	snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u",
	    options->enrolment->host, options->enrolment->port);
	const struct caller_options link = {
		.name = "gateway",
		.endpoint = endpoint,
		.server_key = options->enrolment->gateway_key,
		.refusals_max = REFUSALS_MAX,
	};
	enum status st = bus_new(options->keys, &self->bus);
	if (st == STATUS_OK)
		st = loop_new(&self->loop);
	if (st == STATUS_OK)
		st = caller_new(self->bus, self->loop, &link, &self->caller);
	if (st == STATUS_OK)
		st = loop_watch_fd(self->loop, self->wake_fd, on_wake, self);
	return st;
}

enum status remote_new(
    struct remote **self_out, const struct remote_options *options)
{
	struct remote *self = calloc(1, sizeof(*self));
	enum status st = STATUS_NO_SPACE;

	assert(options->timeout_ms > 0);
	if (!self)
		return st;
	pthread_mutex_init(&self->mutex, NULL);
	pthread_cond_init(&self->changed, NULL);
	self->queue_end = &self->queue;
	self->advice = "";
	self->account = *options->account;
	self->timeout_ms =
	    min_of(options->timeout_ms, (uint32_t)DEADLINE_MS_MAX);
	self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->wake_fd < 0 || options->ticket.len > sizeof(self->ticket))
		goto out;
	self->ticket_len = options->ticket.len;
	memcpy(self->ticket, options->ticket.data, options->ticket.len);
	st = connect_to(self, options);
	if (st != STATUS_OK)
		goto out;
	/* Bus, loop and caller go over to the thread with its start. */
	self->has_thread = pthread_create(&self->thread, NULL, run, self) == 0;
	st = STATUS_NO_SPACE;
	if (!self->has_thread)
		goto out;
	*self_out = self;
	return STATUS_OK;
out:
	remote_destroy(&self);
	return st;
}

static void stop_thread(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	fail(self, STATUS_UNAVAILABLE, NULL, LINK_UP);
	self->stopping = true;
	wake(self);
	pthread_mutex_unlock(&self->mutex);
	pthread_join(self->thread, NULL);
}

void remote_destroy(struct remote **self_p)
{
	struct remote *self = *self_p;

	if (!self)
		return;
	if (self->has_thread)
		stop_thread(self);
	caller_destroy(&self->caller);
	loop_destroy(&self->loop);
	bus_destroy(&self->bus);
	if (self->wake_fd >= 0)
		close(self->wake_fd);
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->mutex);
	sodium_memzero(self->ticket, sizeof(self->ticket));
	free(self);
	*self_p = NULL;
}

/* ---- questions: the caller waits for the answer ---- */

/*
 * Ask, and wait.  The answer is unpacked into ${unpack}, which the caller
 * has begun; reply_type may be NULL.
 */
static enum status ask(struct remote *self, uint32_t type,
    const ProtobufCMessage *body, struct unpack *unpack,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out)
{
	struct request *question = request_new(self, type);
	enum status st = STATUS_NO_SPACE;

	if (question)
		st = pack_message(&question->body, body);
	if (st != STATUS_OK)
		goto out;
	question->ended = question_ended;
	pthread_mutex_lock(&self->mutex);
	st = self->failure;
	if (st == STATUS_OK) {
		hand_over(self, question);
		while (!question->done)
			pthread_cond_wait(&self->changed, &self->mutex);
		st = question->status;
	}
	pthread_mutex_unlock(&self->mutex);
	if (st != STATUS_OK || !reply_type)
		goto out;
	st = unpack_message(
	    unpack, reply_type, bytes_slice(&question->answer), reply_out);
	if (st != STATUS_OK)
		fail_here(
		    self, st, "the server's answer is not what was asked for");
out:
	request_destroy(&question);
	return st;
}

static struct id lease_of(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	struct id lease = self->lease;
	pthread_mutex_unlock(&self->mutex);
	return lease;
}

static ProtobufCBinaryData id_field(const struct id *id)
{
	return field_of(slice_of(id->bytes, ID_BYTES));
}

static ProtobufCBinaryData chunk_field(const struct chunk_id *id)
{
	return field_of(slice_of(id->bytes, CHUNK_ID_BYTES));
}

enum status remote_have(struct remote *self, const struct chunk_id *ids,
    size_t count, struct chunk_standing *out)
{
	Store__Have message = STORE__HAVE__INIT;
	Store__Presence *reply;
	struct unpack unpack;
	struct id lease = lease_of(self);

	assert(count > 0 && count <= REMOTE_HAVE_MAX);
	unpack_begin(&unpack);
	message.lease_id = id_field(&lease);
	message.chunk_ids = field_of(slice_of(ids, count * sizeof(*ids)));
	enum status st = ask(self, STORE__TYPE__HAVE, &message.base, &unpack,
	    &store__presence__descriptor, &reply);
	if (st == STATUS_OK &&
	    (reply->presence.len != count || reply->pages.len != count)) {
		st = STATUS_MALFORMED;
		fail_here(self, st, "an answer for another number of chunks");
	}
	for (size_t i = 0; st == STATUS_OK && i < count; i++) {
		uint8_t presence = reply->presence.data[i];
		/* What a newer server may say: safe is not to rely on it. */
		out[i].presence = presence <= CHUNK_OTHERS
				      ? (enum chunk_presence)presence
				      : CHUNK_ABSENT;
		out[i].pages = reply->pages.data[i];
	}
	unpack_end(&unpack);
	return st;
}

/* Begin a transfer: its lease goes into each later request. */
static enum status begin(struct remote *self, uint32_t type,
    struct unpack *unpack, Store__Lease **reply)
{
	Store__Empty message = STORE__EMPTY__INIT;
	struct id lease;
	enum status st = ask(self, type, &message.base, unpack,
	    &store__lease__descriptor, reply);

	if (st != STATUS_OK)
		return st;
	st = id_from(&lease, field_slice((*reply)->lease_id));
	if (st != STATUS_OK) {
		fail_here(self, st, "the server gave no lease");
		return st;
	}
	pthread_mutex_lock(&self->mutex);
	self->lease = lease;
	pthread_mutex_unlock(&self->mutex);
	return STATUS_OK;
}

/*
 * A chunk that was swept, or that another terminal was quicker to put, ends
 * one attempt at a backup, not the next.
 */
static void forgive(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	while (self->puts_count > 0)
		pthread_cond_wait(&self->changed, &self->mutex);
	if (passes(self->failure)) {
		self->failure = STATUS_OK;
		self->detail[0] = '\0';
	}
	pthread_mutex_unlock(&self->mutex);
}

enum status remote_backup_begin(
    struct remote *self, struct backup_lease *lease_out)
{
	Store__Lease *reply;
	struct unpack unpack;

	forgive(self);
	unpack_begin(&unpack);
	enum status st =
	    begin(self, STORE__TYPE__BACKUP_BEGIN, &unpack, &reply);
	if (st == STATUS_OK) {
		lease_out->id = lease_of(self);
		lease_out->chunks = reply->chunks;
		lease_out->last_ordinal = reply->last_ordinal;
	}
	unpack_end(&unpack);
	return st;
}

enum status remote_restore_begin(struct remote *self)
{
	Store__Lease *reply;
	struct unpack unpack;

	unpack_begin(&unpack);
	enum status st =
	    begin(self, STORE__TYPE__RESTORE_BEGIN, &unpack, &reply);
	unpack_end(&unpack);
	return st;
}

static enum status read_chunk_id(
    struct chunk_id *out, ProtobufCBinaryData field)
{
	if (field.len != CHUNK_ID_BYTES)
		return STATUS_MALFORMED;
	memcpy(out->bytes, field.data, CHUNK_ID_BYTES);
	return STATUS_OK;
}

/* Fill ${out} with copies; on failure it is empty. */
static enum status snapshot_read(
    struct snapshot *out, const Store__Snapshot *message)
{
	*out = (struct snapshot){
		.ordinal = message->ordinal,
		.taken_ms = message->taken_ms,
		.chunks = message->chunks,
		.sealed_bytes = message->sealed_bytes,
	};
	enum status st =
	    id_from(&out->terminal, field_slice(message->terminal_id));
	if (st == STATUS_OK)
		st = read_chunk_id(&out->root, message->root_id);
	if (st == STATUS_OK &&
	    (message->sealed_key.len > SNAPSHOT_SEALED_KEY_BYTES_MAX ||
		message->sealed_summary.len >
		    SNAPSHOT_SEALED_SUMMARY_BYTES_MAX))
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		st = bytes_copy(
		    &out->sealed_key, field_slice(message->sealed_key));
	if (st == STATUS_OK)
		st = bytes_copy(
		    &out->sealed_summary, field_slice(message->sealed_summary));
	if (st != STATUS_OK)
		snapshot_clear(out);
	return st;
}

enum status remote_publish(struct remote *self, struct snapshot *snapshot,
    const uint8_t root_hash[static 32])
{
	Store__Publish message = STORE__PUBLISH__INIT;
	Store__Snapshot *reply;
	struct unpack unpack;
	struct id lease = lease_of(self);

	unpack_begin(&unpack);
	message.lease_id = id_field(&lease);
	message.root_id = chunk_field(&snapshot->root);
	message.root_hash = field_of(slice_of(root_hash, 32));
	message.chunks = snapshot->chunks;
	message.sealed_bytes = snapshot->sealed_bytes;
	message.sealed_key = field_of(bytes_slice(&snapshot->sealed_key));
	message.sealed_summary =
	    field_of(bytes_slice(&snapshot->sealed_summary));
	enum status st = ask(self, STORE__TYPE__PUBLISH, &message.base, &unpack,
	    &store__snapshot__descriptor, &reply);
	if (st == STATUS_OK) {
		snapshot->ordinal = reply->ordinal;
		snapshot->taken_ms = reply->taken_ms;
		st = id_from(
		    &snapshot->terminal, field_slice(reply->terminal_id));
		if (st != STATUS_OK)
			fail_here(self, st, "a snapshot without terminal");
	}
	unpack_end(&unpack);
	return st;
}

enum status remote_backup_abandon(struct remote *self)
{
	Store__Abandon message = STORE__ABANDON__INIT;
	struct id lease = lease_of(self);

	message.lease_id = id_field(&lease);
	return ask(
	    self, STORE__TYPE__BACKUP_ABANDON, &message.base, NULL, NULL, NULL);
}

static void snapshots_destroy(struct snapshot **list_p, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshot_clear(&(*list_p)[i]);
	free(*list_p);
	*list_p = NULL;
}

/* Append what ${reply} has to the list, which grows. */
static enum status append_snapshots(
    struct snapshot **list_p, size_t *count, const Store__SnapshotList *reply)
{
	size_t total = *count + reply->n_snapshots;
	struct snapshot *list =
	    realloc(*list_p, max_of(total, (size_t)1) * sizeof(*list));

	if (!list)
		return STATUS_NO_SPACE;
	*list_p = list;
	for (size_t i = 0; i < reply->n_snapshots; i++) {
		uint64_t before = *count > 0 ? list[*count - 1].ordinal : 0;
		if (reply->snapshots[i]->ordinal <= before)
			return STATUS_MALFORMED;
		enum status st =
		    snapshot_read(&list[*count], reply->snapshots[i]);
		if (st != STATUS_OK)
			return st;
		(*count)++;
	}
	/* A list that promises more and brings none would never end. */
	return reply->more && reply->n_snapshots == 0 ? STATUS_MALFORMED
						      : STATUS_OK;
}

enum status remote_snapshots(
    struct remote *self, struct snapshot **out, size_t *count_out)
{
	struct snapshot *list = NULL;
	size_t count = 0;
	enum status st = STATUS_OK;
	bool more = true;

	while (st == STATUS_OK && more) {
		Store__SnapshotQuery message = STORE__SNAPSHOT_QUERY__INIT;
		Store__SnapshotList *reply;
		struct unpack unpack;

		unpack_begin(&unpack);
		message.after = count > 0 ? list[count - 1].ordinal : 0;
		st = ask(self, STORE__TYPE__SNAPSHOTS, &message.base, &unpack,
		    &store__snapshot_list__descriptor, &reply);
		if (st == STATUS_OK) {
			st = append_snapshots(&list, &count, reply);
			more = reply->more;
			if (st != STATUS_OK)
				fail_here(
				    self, st, "a list of snapshots amiss");
		}
		unpack_end(&unpack);
	}
	if (st != STATUS_OK) {
		snapshots_destroy(&list, count);
		return st;
	}
	*out = list;
	*count_out = count;
	return STATUS_OK;
}

/* ---- chunks: a window of them ---- */

static enum status pack_put(
    struct request *put, const struct chunk_out *chunk, const struct id *lease)
{
	Store__Put message = STORE__PUT__INIT;

	message.lease_id = id_field(lease);
	message.chunk_id = chunk_field(&chunk->id);
	message.refs = field_of(
	    slice_of(chunk->refs, chunk->refs_count * sizeof(*chunk->refs)));
	message.node = chunk->kind == CHUNK_NODE;
	return pack_message(&put->body, &message.base);
}

/* Turn ${chunk}, which is left without its arrays, into a request. */
static enum status put_new(
    struct remote *self, struct chunk_out *chunk, struct request **out)
{
	struct request *put = request_new(self, STORE__TYPE__PUT);
	struct id lease = lease_of(self);
	enum status st = STATUS_NO_SPACE;

	if (put)
		st = pack_put(put, chunk, &lease);
	if (st != STATUS_OK)
		goto out;
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
	request_destroy(&put);
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
		fail_here(self, st, NULL);
		return st;
	}
	pthread_mutex_lock(&self->mutex);
	while (self->failure == STATUS_OK && !window_takes(self, put->bytes))
		pthread_cond_wait(&self->changed, &self->mutex);
	st = self->failure;
	if (st == STATUS_OK) {
		self->puts_count++;
		self->puts_bytes += put->bytes;
		hand_over(self, put);
		put = NULL; /* the thread's */
	}
	pthread_mutex_unlock(&self->mutex);
	request_destroy(&put);
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
	struct request *fetch = request_new(self, STORE__TYPE__GET);
	struct id lease = lease_of(self);
	enum status st = STATUS_NO_SPACE;

	message.lease_id = id_field(&lease);
	message.chunk_id = chunk_field(id);
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
		hand_over(self, fetch);
		fetch = NULL; /* the thread's */
	}
	pthread_mutex_unlock(&self->mutex);
out:
	request_destroy(&fetch);
	return st;
}

/* ---- what became of it ---- */

const char *remote_detail(struct remote *self)
{
	return self->detail;
}

const char *remote_advice(struct remote *self)
{
	return self->advice;
}

struct remote_traffic remote_traffic(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	struct remote_traffic traffic = self->traffic;
	pthread_mutex_unlock(&self->mutex);
	return traffic;
}
