#include "remote_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "session.h"
#include "store.pb-c.h"

/* What the store is asked and answers, but for the chunks themselves. */

#define GOODBYE_MS 5000 /* for what nobody has to wait for */

_Static_assert(REMOTE_HAVE_MAX *CHUNK_ID_BYTES < BODY_BYTES_MAX,
    "one question asks for all of them");

void snapshot_clear(struct snapshot *self)
{
	bytes_clear(&self->sealed_key);
	bytes_clear(&self->sealed_summary);
	memset(self, 0, sizeof(*self));
}

enum status snapshot_copy(struct snapshot *out, const struct snapshot *from)
{
	enum status st;

	*out = *from;
	out->sealed_key = out->sealed_summary = (struct bytes){ 0 };
	st = bytes_copy(&out->sealed_key, bytes_slice(&from->sealed_key));
	if (st == STATUS_OK)
		st = bytes_copy(
		    &out->sealed_summary, bytes_slice(&from->sealed_summary));
	if (st != STATUS_OK)
		snapshot_clear(out);
	return st;
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
		remote_note(self, status, answer->detail,
		    session_advice_for(status, LINK_UP));
	else if (status != STATUS_OK)
		remote_fail_there(self, status, answer);
	question->status = status;
	question->done = true;
	pthread_cond_broadcast(&self->changed);
	pthread_mutex_unlock(&self->mutex);
}

/* ---- questions: the caller waits for the answer ---- */

/*
 * Ask, and wait.  The answer is unpacked into ${unpack}, which the caller
 * has begun; reply_type may be NULL.
 */
static enum status ask_within(struct remote *self, uint32_t timeout_ms,
    uint32_t type, const ProtobufCMessage *body, struct unpack *unpack,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out)
{
	struct request *question = remote_request_new(self, type);
	enum status st = STATUS_NO_SPACE;

	if (question)
		st = pack_message(&question->body, body);
	if (st != STATUS_OK)
		goto out;
	question->ended = question_ended;
	question->timeout_ms = timeout_ms;
	pthread_mutex_lock(&self->mutex);
	st = self->failure;
	if (st == STATUS_OK) {
		remote_hand_over(self, question);
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
		remote_fail_here(
		    self, st, "the server's answer is not what was asked for");
out:
	remote_request_destroy(&question);
	return st;
}

enum status remote_ask(struct remote *self, uint32_t type,
    const ProtobufCMessage *body, struct unpack *unpack,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out)
{
	return ask_within(
	    self, self->timeout_ms, type, body, unpack, reply_type, reply_out);
}

enum status remote_have(struct remote *self, const struct chunk_id *ids,
    size_t count, struct chunk_standing *out)
{
	Store__Have message = STORE__HAVE__INIT;
	Store__Presence *reply;
	struct unpack unpack;
	struct id lease = remote_lease(self);

	assert(count > 0 && count <= REMOTE_HAVE_MAX);
	unpack_begin(&unpack);
	message.lease_id = remote_id_field(&lease);
	message.chunk_ids = field_of(slice_of(ids, count * sizeof(*ids)));
	enum status st = remote_ask(self, STORE__TYPE__HAVE, &message.base,
	    &unpack, &store__presence__descriptor, &reply);
	if (st == STATUS_OK &&
	    (reply->presence.len != count || reply->pages.len != count)) {
		st = STATUS_MALFORMED;
		remote_fail_here(
		    self, st, "an answer for another number of chunks");
	}
	for (size_t i = 0; st == STATUS_OK && i < count; i++) {
		uint8_t presence = reply->presence.data[i];
		/* What a newer server may say: safe is not to rely on it. */
		out[i].presence = presence <= CHUNK_DAMAGED
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
	enum status st = remote_ask(self, type, &message.base, unpack,
	    &store__lease__descriptor, reply);

	if (st != STATUS_OK)
		return st;
	st = id_from(&lease, field_slice((*reply)->lease_id));
	if (st != STATUS_OK) {
		remote_fail_here(self, st, "the server gave no lease");
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
		lease_out->id = remote_lease(self);
		lease_out->chunks = reply->chunks;
		lease_out->last_ordinal = reply->last_ordinal;
		lease_out->used_bytes = reply->used_bytes;
		lease_out->quota_bytes = reply->quota_bytes;
		lease_out->quota_soft_bytes = reply->quota_soft_bytes;
		lease_out->room_bytes = reply->room_bytes;
		lease_out->damaged_chunks = reply->damaged_chunks;
		pthread_mutex_lock(&self->mutex);
		self->put_many_max = reply->put_many_max;
		pthread_mutex_unlock(&self->mutex);
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

void remote_restore_end(
    struct remote *self, uint64_t ordinal, uint64_t files, uint64_t failed)
{
	Store__RestoreEnd message = STORE__RESTORE_END__INIT;
	struct id lease = remote_lease(self);

	message.lease_id = remote_id_field(&lease);
	message.ordinal = ordinal;
	message.files = files;
	message.failed = failed;
	(void)ask_within(self, min_of(self->timeout_ms, (uint32_t)GOODBYE_MS),
	    STORE__TYPE__RESTORE_END, &message.base, NULL, NULL, NULL);
}

enum status remote_delete(
    struct remote *self, const uint64_t *ordinals, size_t count)
{
	Store__SnapshotDelete message = STORE__SNAPSHOT_DELETE__INIT;

	assert(count > 0 && count <= REMOTE_DELETE_MAX);
	message.n_ordinals = count;
	/* protobuf-c only reads them. */
	message.ordinals = (uint64_t *)(uintptr_t)ordinals;
	return remote_ask(self, STORE__TYPE__SNAPSHOT_DELETE, &message.base,
	    NULL, NULL, NULL);
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
	struct id lease = remote_lease(self);

	unpack_begin(&unpack);
	message.lease_id = remote_id_field(&lease);
	message.root_id = remote_chunk_field(&snapshot->root);
	message.root_hash = field_of(slice_of(root_hash, 32));
	message.chunks = snapshot->chunks;
	message.sealed_bytes = snapshot->sealed_bytes;
	message.sealed_key = field_of(bytes_slice(&snapshot->sealed_key));
	message.sealed_summary =
	    field_of(bytes_slice(&snapshot->sealed_summary));
	enum status st = remote_ask(self, STORE__TYPE__PUBLISH, &message.base,
	    &unpack, &store__snapshot__descriptor, &reply);
	if (st == STATUS_OK) {
		snapshot->ordinal = reply->ordinal;
		snapshot->taken_ms = reply->taken_ms;
		st = id_from(
		    &snapshot->terminal, field_slice(reply->terminal_id));
		if (st != STATUS_OK)
			remote_fail_here(
			    self, st, "a snapshot without terminal");
	}
	unpack_end(&unpack);
	return st;
}

/* Whether the server had no room for a chunk: nothing else is wrong. */
static bool is_full(enum status status)
{
	return status == STATUS_QUOTA || status == STATUS_NO_SPACE;
}

enum status remote_backup_abandon(struct remote *self)
{
	Store__Abandon message = STORE__ABANDON__INIT;
	struct id lease = remote_lease(self);

	pthread_mutex_lock(&self->mutex);
	enum status failure = self->failure;
	if (is_full(failure)) {
		remote_wake(self); /* puts that wait for others end */
		while (self->puts_count > 0)
			pthread_cond_wait(&self->changed, &self->mutex);
		self->failure = STATUS_OK;
	}
	pthread_mutex_unlock(&self->mutex);
	message.lease_id = remote_id_field(&lease);
	enum status st = remote_ask(
	    self, STORE__TYPE__BACKUP_ABANDON, &message.base, NULL, NULL, NULL);
	pthread_mutex_lock(&self->mutex);
	if (is_full(failure))
		self->failure = failure;
	pthread_mutex_unlock(&self->mutex);
	return st;
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
		st = remote_ask(self, STORE__TYPE__SNAPSHOTS, &message.base,
		    &unpack, &store__snapshot_list__descriptor, &reply);
		if (st == STATUS_OK) {
			st = append_snapshots(&list, &count, reply);
			more = reply->more;
			self->damaged = reply->damaged;
			if (st != STATUS_OK)
				remote_fail_here(
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
