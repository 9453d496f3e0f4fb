#include "restore_internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Chunks on their way, and the threads that write what is in them. */

#define THREADS          2
#define SLOTS_FLYING_MAX 16   /* asked for, or waiting for a thread */
#define SLOT_WRITES_MAX  1024 /* then it is asked for, wanted again or not */

/** A chunk on its way. */
struct slot {
	struct slot *next; /* in the queue of those that are here */
	struct restore *owner;
	struct chunk_name name;
	struct write *writes; /* owned */
	size_t writes_count;
	size_t writes_capacity;
	enum status status;
	uint8_t *sealed; /* owned */
	size_t sealed_len;
};

static void slot_destroy(struct slot **self_p)
{
	struct slot *self = *self_p;

	*self_p = NULL;
	for (size_t i = 0; i < self->writes_count; i++)
		if (self->writes[i].output)
			output_release(&self->writes[i].output);
	free(self->writes);
	free(self->sealed);
	sodium_memzero(&self->name, sizeof(self->name));
	free(self);
}

/** A slot that will not be written: its files fail. */
static void slot_fail(struct slot *self, enum status st)
{
	bool damaged = st == STATUS_NOT_FOUND || st == STATUS_MALFORMED;

	if (!damaged)
		restore_fail(self->owner, st);
	for (size_t i = 0; i < self->writes_count; i++)
		output_fail(self->writes[i].output,
		    damaged ? RESTORE_DAMAGED : RESTORE_REFUSED,
		    damaged ? 0 : ECANCELED);
}

static void slot_arrived(
    void *arg, enum status status, uint8_t *sealed, size_t sealed_len)
{
	struct slot *slot = arg;
	struct restore *self = slot->owner;

	slot->status = status;
	slot->sealed = sealed;
	slot->sealed_len = sealed_len;
	slot->next = NULL;
	pthread_mutex_lock(&self->lock);
	if (self->first)
		self->last->next = slot;
	else
		self->first = slot;
	self->last = slot;
	self->result->bytes_fetched += sealed_len;
	pthread_cond_signal(&self->arrived);
	pthread_mutex_unlock(&self->lock);
}

/** Ask for the chunk; takes ${slot_p}.  Waits while too many are flying. */
static void slot_launch(struct restore *self, struct slot **slot_p)
{
	struct slot *slot = *slot_p;

	*slot_p = NULL;
	pthread_mutex_lock(&self->lock);
	while (self->flying >= SLOTS_FLYING_MAX)
		pthread_cond_wait(&self->landed, &self->lock);
	self->flying++;
	pthread_mutex_unlock(&self->lock);
	enum status st = restore_status(self);
	if (st == STATUS_OK)
		st = remote_fetch(
		    self->options->remote, &slot->name.id, slot_arrived, slot);
	if (st != STATUS_OK)
		slot_arrived(slot, st, NULL, 0);
}

void chunks_drain(struct restore *self)
{
	while (self->open_count > 0)
		slot_launch(self, &self->open[--self->open_count]);
	pthread_mutex_lock(&self->lock);
	while (self->flying > 0)
		pthread_cond_wait(&self->landed, &self->lock);
	pthread_mutex_unlock(&self->lock);
}

/** The open slot of chunk ${name}, made the first; NULL without memory. */
static struct slot *slot_get(
    struct restore *self, const struct chunk_name *name)
{
	struct slot *slot = NULL;
	size_t at = 0;

	while (at < self->open_count && memcmp(&self->open[at]->name.id,
					    &name->id, sizeof(name->id)) != 0)
		at++;
	if (at < self->open_count) {
		slot = self->open[at];
	} else {
		slot = calloc(1, sizeof(*slot));
		if (!slot)
			return NULL;
		slot->owner = self;
		slot->name = *name;
		if (self->open_count == RESTORE_SLOTS_OPEN_MAX)
			slot_launch(self, &self->open[--self->open_count]);
		at = self->open_count++;
	}
	memmove(self->open + 1, self->open, at * sizeof(self->open[0]));
	self->open[0] = slot;
	return slot;
}

enum status chunk_want(struct restore *self, const struct chunk_name *name,
    const struct write *write)
{
	struct slot *slot = slot_get(self, name);

	if (!slot)
		return STATUS_NO_SPACE;
	if (slot->writes_count == slot->writes_capacity) {
		size_t capacity = max_of(4, slot->writes_capacity * 2);
		struct write *grown =
		    realloc(slot->writes, capacity * sizeof(*grown));
		if (!grown)
			return STATUS_NO_SPACE;
		slot->writes = grown;
		slot->writes_capacity = capacity;
	}
	slot->writes[slot->writes_count++] = *write;
	atomic_fetch_add(&write->output->users, 1);
	if (slot->writes_count == SLOT_WRITES_MAX) {
		self->open_count--;
		memmove(self->open, self->open + 1,
		    self->open_count * sizeof(self->open[0]));
		slot_launch(self, &slot);
	}
	return STATUS_OK;
}

static struct slot *slot_take(struct restore *self)
{
	pthread_mutex_lock(&self->lock);
	while (!self->first && !self->stop)
		pthread_cond_wait(&self->arrived, &self->lock);
	struct slot *slot = self->first;
	if (slot)
		self->first = slot->next;
	pthread_mutex_unlock(&self->lock);
	return slot;
}

static void *thread_run(void *arg)
{
	struct restore *self = arg;
	struct chunk_codec *codec = chunk_codec_new(self->options->keys);
	struct slice plain;
	struct slot *slot;

	while ((slot = slot_take(self)) != NULL) {
		enum status st = codec ? slot->status : STATUS_NO_SPACE;
		if (st == STATUS_OK)
			st = chunk_open(codec, &slot->name, CHUNK_DATA,
			    slice_of(slot->sealed, slot->sealed_len), &plain);
		if (st != STATUS_OK)
			slot_fail(slot, st);
		for (size_t i = 0; i < slot->writes_count && st == STATUS_OK;
		     i++)
			output_write(&slot->writes[i], plain);
		slot_destroy(&slot);
		pthread_mutex_lock(&self->lock);
		self->flying--;
		pthread_cond_signal(&self->landed);
		pthread_mutex_unlock(&self->lock);
	}
	chunk_codec_destroy(&codec);
	return NULL;
}

enum status restore_threads_start(struct restore *self)
{
	size_t count =
	    self->options->threads ? self->options->threads : THREADS;

	while (self->threads_count < min_of(count, RESTORE_THREADS_MAX)) {
		if (pthread_create(&self->threads[self->threads_count], NULL,
			thread_run, self) != 0)
			return STATUS_NO_SPACE;
		self->threads_count++;
	}
	return STATUS_OK;
}

void restore_threads_end(struct restore *self)
{
	pthread_mutex_lock(&self->lock);
	self->stop = true;
	pthread_cond_broadcast(&self->arrived);
	pthread_mutex_unlock(&self->lock);
	for (size_t i = 0; i < self->threads_count; i++)
		pthread_join(self->threads[i], NULL);
}
