#include "sender.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "fetch.h"

#define RESULTS_MIN 64

_Static_assert(CHUNK_PARTS_MAX *CHUNK_RAW_BYTES_MAX >= CHUNK_BYTES_MAX,
    "in so many parts a chunk fits in any case");

/** A chunk of the stream, from submission until it is forgotten. */
struct result {
	uint64_t start; /* in the stream */
	size_t len;
	bool settled;
	unsigned int parts_count; /* more than one where it did not fit */
	struct chunk_name parts[CHUNK_PARTS_MAX];
};

struct job {
	uint64_t number; /* of its result */
	uint8_t *buffer;
	size_t len;
};

struct sender {
	struct sender_options options;
	pthread_t threads[SENDER_THREADS_MAX];
	size_t threads_count;

	pthread_mutex_t lock; /* of all below, and of options.known */
	pthread_cond_t work;  /* jobs, or stop */
	pthread_cond_t freed; /* a buffer */
	pthread_cond_t moved; /* settled, or status */
	uint8_t *buffers[SENDER_BUFFERS]; /* owned */
	uint8_t *free[SENDER_BUFFERS];
	size_t free_count;
	struct job jobs[SENDER_BUFFERS]; /* a ring */
	size_t jobs_first;
	size_t jobs_count;
	struct result *results;   /* owned, a ring */
	size_t results_capacity;  /* a power of two */
	uint64_t results_first;   /* number of the oldest kept */
	uint64_t results_end;     /* of the next one submitted */
	uint64_t results_settled; /* of the first not settled */
	uint64_t submitted;       /* bytes of the stream */
	uint64_t settled;         /* likewise */
	struct sender_figures figures;
	enum status status; /* the first failure */
	bool stop;
};

static bool cancelled(const struct sender *self)
{
	return self->options.cancel && atomic_load(self->options.cancel);
}

static struct result *result_at(struct sender *self, uint64_t number)
{
	assert(number >= self->results_first && number < self->results_end);
	return &self->results[number & (self->results_capacity - 1)];
}

/* Settling one chunk */

static enum status chunk_put(
    struct sender *self, struct chunk_codec *codec, struct settling *chunk)
{
	struct chunk_out *out = calloc(1, sizeof(*out));
	enum status st = STATUS_NO_SPACE;
	size_t len = 0;

	if (!out)
		goto out;
	out->id = chunk->name.id;
	out->kind = chunk->kind;
	out->refs_count = chunk->refs_count;
	if (chunk->refs_count > 0) {
		out->refs = calloc(chunk->refs_count, sizeof(*out->refs));
		if (!out->refs)
			goto out;
		memcpy(out->refs, chunk->refs,
		    chunk->refs_count * sizeof(*out->refs));
	}
	st = chunk_seal(
	    codec, &chunk->name, chunk->plain, &out->sealed, &out->sealed_len);
	if (st != STATUS_OK)
		goto out;
	len = out->sealed_len;
	if (chunk->kind == CHUNK_NODE) {
		crypto_generichash(chunk->sealed_hash,
		    sizeof(chunk->sealed_hash), out->sealed, len, NULL, 0);
		chunk->hash_known = true;
	}
	chunk->pages = (unsigned int)((len + PAGE_HEAD_BYTES) / PAGE_BYTES);
	if (chunk->standing.presence == CHUNK_DAMAGED &&
	    chunk->standing.pages > 0 &&
	    chunk->standing.pages != chunk->pages) {
		st = STATUS_MALFORMED; /* another zstd: step round it */
		chunk->pages = 0;
		goto out;
	}
	if (!self->options.weigh)
		st = remote_put(self->options.remote, &out);
	if (st != STATUS_OK)
		goto out;
	chunk->sent = true;
	pthread_mutex_lock(&self->lock);
	self->figures.chunks_sent++;
	self->figures.bytes_sent += len;
	pthread_mutex_unlock(&self->lock);
out:
	chunk_out_destroy(&out);
	return st;
}

/** Fetch what another terminal stored under the id, and see if it is it. */
static enum status chunk_verify(
    struct sender *self, struct chunk_codec *codec, struct settling *chunk)
{
	uint8_t *sealed = NULL;
	size_t len = 0;
	struct slice opened;
	enum status st =
	    fetch_chunk(self->options.remote, &chunk->name.id, &sealed, &len);

	if (st == STATUS_OK)
		st = chunk_open(codec, &chunk->name, chunk->kind,
		    slice_of(sealed, len), &opened);
	if (st == STATUS_OK)
		chunk->pages =
		    (unsigned int)((len + PAGE_HEAD_BYTES) / PAGE_BYTES);
	free(sealed);
	return st;
}

/** Name the chunk, and look whether it is known; then pages is not 0. */
static void chunk_name_and_look(struct sender *self, struct settling *chunk)
{
	chunk_name(&chunk->name, self->options.keys, &chunk->hash, chunk->kind,
	    chunk->variant);
	chunk->pages = sender_known_use(self, &chunk->name.id);
}

/** Bring a chunk that is not known to where its presence says it goes. */
static enum status chunk_settle(
    struct sender *self, struct chunk_codec *codec, struct settling *chunk)
{
	enum status st = STATUS_OK;

	for (;;) {
		switch (chunk->standing.presence) {
		case CHUNK_ABSENT:
		case CHUNK_DAMAGED:
			st = chunk_put(self, codec, chunk);
			break;
		case CHUNK_OURS:
			chunk->pages = chunk->standing.pages;
			break;
		case CHUNK_OTHERS:
			st = chunk_verify(self, codec, chunk);
			break;
		}
		if (st == STATUS_OK)
			return sender_known_add(
			    self, &chunk->name.id, chunk->pages);
		if (st != STATUS_MALFORMED ||
		    (chunk->standing.presence != CHUNK_OTHERS &&
			chunk->standing.presence != CHUNK_DAMAGED) ||
		    chunk->variant + 1 == CHUNK_VARIANTS)
			return st;
		/* Somebody put something else there, or what is damaged
		 * there cannot be replaced: step round it (B-05). */
		chunk->variant++;
		chunk_name_and_look(self, chunk);
		if (chunk->pages > 0)
			return STATUS_OK;
		st = remote_have(
		    self->options.remote, &chunk->name.id, 1, &chunk->standing);
		if (st != STATUS_OK)
			return st;
	}
}

/** Ask the store for those of the batch that are not known. */
static enum status presence_ask(
    struct sender *self, struct settling *batch, size_t count)
{
	struct chunk_id *ids = calloc(count, sizeof(*ids));
	struct chunk_standing *standings = calloc(count, sizeof(*standings));
	size_t unknown = 0;
	enum status st = STATUS_NO_SPACE;

	if (!ids || !standings)
		goto out;
	for (size_t i = 0; i < count; i++)
		if (batch[i].pages == 0)
			ids[unknown++] = batch[i].name.id;
	st = STATUS_OK;
	if (unknown > 0)
		st = remote_have(self->options.remote, ids, unknown, standings);
	if (st != STATUS_OK)
		goto out;
	for (size_t i = count; i-- > 0;)
		if (batch[i].pages == 0)
			batch[i].standing = standings[--unknown];
out:
	free(ids);
	free(standings);
	return st;
}

enum status sender_settle_batch(struct sender *self, struct chunk_codec *codec,
    struct settling *batch, size_t count)
{
	enum status st = STATUS_OK;
	uint64_t reused = 0;

	assert(count <= REMOTE_HAVE_MAX);
	for (size_t i = 0; i < count; i++) {
		chunk_hash(&batch[i].hash, batch[i].plain);
		chunk_name_and_look(self, &batch[i]);
		batch[i].standing.presence = CHUNK_ABSENT;
	}
	if (self->options.ask && count > 0)
		st = presence_ask(self, batch, count);
	for (size_t i = 0; i < count && st == STATUS_OK; i++) {
		if (batch[i].pages == 0)
			st = chunk_settle(self, codec, &batch[i]);
		if (st == STATUS_OK && !batch[i].sent)
			reused++;
	}
	pthread_mutex_lock(&self->lock);
	self->figures.chunks_reused += reused;
	pthread_mutex_unlock(&self->lock);
	return st;
}

/* The threads */

/** How long each of ${parts} parts of ${len} bytes is, but the last. */
static size_t part_len(size_t len, unsigned int parts)
{
	return (len + parts - 1) / parts;
}

/** Bring ${plain} in as few parts as fit; they go to ${result}. */
static enum status settle_in_parts(struct sender *self,
    struct chunk_codec *codec, struct slice plain, struct result *result)
{
	struct settling batch[CHUNK_PARTS_MAX];
	enum status st = STATUS_TOO_LARGE;

	for (unsigned int parts = 2;
	     parts <= CHUNK_PARTS_MAX && st == STATUS_TOO_LARGE; parts *= 2) {
		size_t len = part_len(plain.len, parts);
		memset(batch, 0, sizeof(batch));
		for (unsigned int i = 0; i < parts; i++)
			batch[i].plain = slice_of(plain.data + i * len,
			    min_of(len, plain.len - i * len));
		st = sender_settle_batch(self, codec, batch, parts);
		for (unsigned int i = 0; i < parts; i++)
			result->parts[i] = batch[i].name;
		result->parts_count = parts;
	}
	sodium_memzero(batch, sizeof(batch));
	return st;
}

static enum status jobs_settle(struct sender *self, struct chunk_codec *codec,
    const struct job *jobs, size_t count, struct result *results)
{
	struct settling batch[SENDER_BATCH] = { 0 };
	size_t done = 0;
	enum status st;

	for (size_t i = 0; i < count; i++)
		batch[i].plain = slice_of(jobs[i].buffer, jobs[i].len);
	do {
		st = sender_settle_batch(
		    self, codec, batch + done, count - done);
		for (; done < count && batch[done].pages > 0; done++) {
			results[done].parts[0] = batch[done].name;
			results[done].parts_count = 1;
		}
		if (st != STATUS_TOO_LARGE)
			break;
		st = settle_in_parts(
		    self, codec, batch[done].plain, &results[done]);
		done++;
	} while (st == STATUS_OK && done < count);
	sodium_memzero(batch, sizeof(batch));
	return st;
}

/** Up to ${max} jobs off the queue; waits for one; 0: stop. */
static size_t jobs_take(struct sender *self, struct job *jobs, size_t max)
{
	size_t count = 0;

	pthread_mutex_lock(&self->lock);
	while (self->jobs_count == 0 && !self->stop)
		pthread_cond_wait(&self->work, &self->lock);
	while (!self->stop && self->jobs_count > 0 && count < max) {
		jobs[count++] = self->jobs[self->jobs_first];
		self->jobs_first = (self->jobs_first + 1) % SENDER_BUFFERS;
		self->jobs_count--;
	}
	pthread_mutex_unlock(&self->lock);
	return count;
}

/** Note how ${jobs} ended, and give their buffers back. */
static void jobs_done(struct sender *self, const struct job *jobs, size_t count,
    const struct result *results, enum status st)
{
	pthread_mutex_lock(&self->lock);
	if (self->status == STATUS_OK)
		self->status = st;
	for (size_t i = 0; i < count; i++) {
		self->free[self->free_count++] = jobs[i].buffer;
		if (st != STATUS_OK)
			continue;
		struct result *result = result_at(self, jobs[i].number);
		memcpy(result->parts, results[i].parts, sizeof(result->parts));
		result->parts_count = results[i].parts_count;
		result->settled = true;
	}
	while (self->results_settled < self->results_end &&
	       result_at(self, self->results_settled)->settled)
		self->settled += result_at(self, self->results_settled++)->len;
	pthread_cond_signal(&self->freed);
	pthread_cond_signal(&self->moved);
	pthread_mutex_unlock(&self->lock);
}

static void *thread_run(void *arg)
{
	struct sender *self = arg;
	struct chunk_codec *codec = chunk_codec_new(self->options.keys);
	struct job jobs[SENDER_BATCH];
	/* Without "ask" nothing is gained by a batch but waiting. */
	size_t max = self->options.ask ? SENDER_BATCH : 1;
	size_t count;

	while ((count = jobs_take(self, jobs, max)) > 0) {
		struct result results[SENDER_BATCH] = { 0 };
		enum status st = STATUS_NO_SPACE;
		if (codec)
			st = jobs_settle(self, codec, jobs, count, results);
		jobs_done(self, jobs, count, results, st);
		sodium_memzero(results, sizeof(results));
	}
	chunk_codec_destroy(&codec);
	return NULL;
}

/* The stream */

struct sender *sender_new(const struct sender_options *options)
{
	struct sender *self = calloc(1, sizeof(*self));
	size_t threads = options->threads ? options->threads : SENDER_THREADS;

	if (!self)
		return NULL;
	self->options = *options;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->work, NULL);
	pthread_cond_init(&self->freed, NULL);
	pthread_cond_init(&self->moved, NULL);
	self->results_capacity = RESULTS_MIN;
	self->results = calloc(RESULTS_MIN, sizeof(*self->results));
	if (!self->results)
		goto fail;
	for (size_t i = 0; i < SENDER_BUFFERS; i++) {
		self->buffers[i] = malloc(CHUNK_BYTES_MAX);
		if (!self->buffers[i])
			goto fail;
		self->free[self->free_count++] = self->buffers[i];
	}
	while (self->threads_count < min_of(threads, SENDER_THREADS_MAX)) {
		if (pthread_create(&self->threads[self->threads_count], NULL,
			thread_run, self) != 0)
			goto fail;
		self->threads_count++;
	}
	return self;
fail:
	sender_destroy(&self);
	return NULL;
}

void sender_destroy(struct sender **self_p)
{
	assert(self_p);
	struct sender *self = *self_p;

	if (!self)
		return;
	pthread_mutex_lock(&self->lock);
	self->stop = true;
	pthread_cond_broadcast(&self->work);
	pthread_mutex_unlock(&self->lock);
	for (size_t i = 0; i < self->threads_count; i++)
		pthread_join(self->threads[i], NULL);
	for (size_t i = 0; i < SENDER_BUFFERS; i++)
		free(self->buffers[i]);
	if (self->results)
		sodium_memzero(self->results,
		    self->results_capacity * sizeof(*self->results));
	free(self->results);
	pthread_cond_destroy(&self->moved);
	pthread_cond_destroy(&self->freed);
	pthread_cond_destroy(&self->work);
	pthread_mutex_destroy(&self->lock);
	free(self);
	*self_p = NULL;
}

/** What a caller is told who would have to wait; OK: wait. */
static enum status wait_status(const struct sender *self)
{
	if (self->status != STATUS_OK)
		return self->status;
	return cancelled(self) ? STATUS_PENDING : STATUS_OK;
}

enum status sender_buffer(struct sender *self, uint8_t **buffer_out)
{
	enum status st;

	pthread_mutex_lock(&self->lock);
	while ((st = wait_status(self)) == STATUS_OK && self->free_count == 0)
		pthread_cond_wait(&self->freed, &self->lock);
	if (st == STATUS_OK)
		*buffer_out = self->free[--self->free_count];
	pthread_mutex_unlock(&self->lock);
	return st;
}

/** Make room for one more result; false without memory. */
static bool results_grow(struct sender *self)
{
	size_t capacity = self->results_capacity * 2;

	if (self->results_end - self->results_first < self->results_capacity)
		return true;
	struct result *grown = calloc(capacity, sizeof(*grown));
	if (!grown)
		return false;
	for (uint64_t i = self->results_first; i < self->results_end; i++)
		grown[i & (capacity - 1)] = *result_at(self, i);
	sodium_memzero(
	    self->results, self->results_capacity * sizeof(*self->results));
	free(self->results);
	self->results = grown;
	self->results_capacity = capacity;
	return true;
}

void sender_submit(struct sender *self, uint8_t *buffer, size_t len)
{
	assert(len > 0 && len <= CHUNK_BYTES_MAX);
	pthread_mutex_lock(&self->lock);
	if (!results_grow(self)) {
		self->free[self->free_count++] = buffer;
		if (self->status == STATUS_OK)
			self->status = STATUS_NO_SPACE;
	} else {
		uint64_t number = self->results_end++;
		*result_at(self, number) =
		    (struct result){ .start = self->submitted, .len = len };
		size_t last = self->jobs_first + self->jobs_count++;
		self->jobs[last % SENDER_BUFFERS] =
		    (struct job){ number, buffer, len };
		self->submitted += len;
	}
	pthread_cond_signal(&self->work);
	pthread_mutex_unlock(&self->lock);
}

uint64_t sender_settled(struct sender *self)
{
	pthread_mutex_lock(&self->lock);
	uint64_t settled = self->settled;
	pthread_mutex_unlock(&self->lock);
	return settled;
}

enum status sender_wait(struct sender *self, uint64_t at)
{
	enum status st = STATUS_OK;

	pthread_mutex_lock(&self->lock);
	assert(at <= self->submitted || self->status != STATUS_OK);
	while (self->settled < at && (st = wait_status(self)) == STATUS_OK)
		pthread_cond_wait(&self->moved, &self->lock);
	pthread_mutex_unlock(&self->lock);
	return st;
}

void sender_piece(
    struct sender *self, uint64_t at, struct sender_piece *piece_out)
{
	pthread_mutex_lock(&self->lock);
	assert(at < self->settled);
	uint64_t low = self->results_first, high = self->results_settled;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (result_at(self, middle)->start <= at)
			low = middle;
		else
			high = middle;
	}
	const struct result *result = result_at(self, low);
	size_t offset = (size_t)(at - result->start);
	size_t len = part_len(result->len, result->parts_count);
	size_t part = offset / len;
	size_t part_end = min_of((part + 1) * len, result->len);
	piece_out->chunk = result->parts[part];
	piece_out->offset = (uint32_t)(offset - part * len);
	piece_out->length = (uint32_t)(part_end - offset);
	pthread_mutex_unlock(&self->lock);
}

void sender_forget(struct sender *self, uint64_t at)
{
	pthread_mutex_lock(&self->lock);
	while (self->results_first < self->results_settled) {
		struct result *result = result_at(self, self->results_first);
		if (result->start + result->len > at)
			break;
		sodium_memzero(result, sizeof(*result));
		self->results_first++;
	}
	pthread_mutex_unlock(&self->lock);
}

unsigned int sender_known_use(struct sender *self, const struct chunk_id *id)
{
	pthread_mutex_lock(&self->lock);
	unsigned int pages = known_chunks_use(self->options.known, id);
	pthread_mutex_unlock(&self->lock);
	return pages;
}

enum status sender_known_add(
    struct sender *self, const struct chunk_id *id, unsigned int pages)
{
	pthread_mutex_lock(&self->lock);
	enum status st = known_chunks_add(self->options.known, id, pages);
	pthread_mutex_unlock(&self->lock);
	return st;
}

struct sender_figures sender_figures(struct sender *self)
{
	pthread_mutex_lock(&self->lock);
	struct sender_figures figures = self->figures;
	pthread_mutex_unlock(&self->lock);
	return figures;
}
