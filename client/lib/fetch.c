#include "fetch.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "chunk.h"

#define FETCHES_MAX 16 /* nodes under way: 4 for each level in use */

/* One chunk */

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	bool done;
	enum status status;
	uint8_t *sealed;
	size_t sealed_len;
};

static void waiter_fetched(
    void *arg, enum status status, uint8_t *sealed, size_t sealed_len)
{
	struct waiter *self = arg;

	pthread_mutex_lock(&self->lock);
	self->status = status;
	self->sealed = sealed;
	self->sealed_len = sealed_len;
	self->done = true;
	pthread_cond_signal(&self->arrived);
	pthread_mutex_unlock(&self->lock);
}

enum status fetch_chunk(struct remote *remote, const struct chunk_id *id,
    uint8_t **sealed_out, size_t *sealed_len)
{
	struct waiter waiter = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.arrived = PTHREAD_COND_INITIALIZER };
	enum status st = remote_fetch(remote, id, waiter_fetched, &waiter);

	if (st != STATUS_OK)
		return st;
	pthread_mutex_lock(&waiter.lock);
	while (!waiter.done)
		pthread_cond_wait(&waiter.arrived, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
	pthread_mutex_destroy(&waiter.lock);
	pthread_cond_destroy(&waiter.arrived);
	if (waiter.status != STATUS_OK)
		return waiter.status;
	*sealed_out = waiter.sealed;
	*sealed_len = waiter.sealed_len;
	return STATUS_OK;
}

/* Nodes */

struct fetch {
	struct node_fetcher *owner;
	bool used;    /* from want to get */
	bool done;    /* it has arrived */
	uint64_t age; /* when it was wanted; the oldest is dropped first */
	struct chunk_id id;
	enum status status;
	uint8_t *sealed; /* owned, once done */
	size_t sealed_len;
};

struct node_fetcher {
	struct remote *remote;     /* borrowed */
	struct chunk_codec *codec; /* owned */
	pthread_mutex_t lock;      /* of the fetches */
	pthread_cond_t arrived;
	uint64_t clock;
	struct fetch fetches[FETCHES_MAX];
};

struct node_fetcher *node_fetcher_new(
    struct remote *remote, const struct account_keys *keys)
{
	struct node_fetcher *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->remote = remote;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->arrived, NULL);
	for (size_t i = 0; i < FETCHES_MAX; i++)
		self->fetches[i].owner = self;
	self->codec = chunk_codec_new(keys);
	if (!self->codec)
		node_fetcher_destroy(&self);
	return self;
}

void node_fetcher_destroy(struct node_fetcher **self_p)
{
	assert(self_p);
	struct node_fetcher *self = *self_p;

	if (!self)
		return;
	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < FETCHES_MAX; i++) {
		struct fetch *fetch = &self->fetches[i];
		while (fetch->used && !fetch->done)
			pthread_cond_wait(&self->arrived, &self->lock);
		free(fetch->sealed);
	}
	pthread_mutex_unlock(&self->lock);
	pthread_cond_destroy(&self->arrived);
	pthread_mutex_destroy(&self->lock);
	chunk_codec_destroy(&self->codec);
	free(self);
	*self_p = NULL;
}

static void node_fetched(
    void *arg, enum status status, uint8_t *sealed, size_t sealed_len)
{
	struct fetch *fetch = arg;
	struct node_fetcher *self = fetch->owner;

	pthread_mutex_lock(&self->lock);
	fetch->status = status;
	fetch->sealed = sealed;
	fetch->sealed_len = sealed_len;
	fetch->done = true;
	pthread_cond_signal(&self->arrived);
	pthread_mutex_unlock(&self->lock);
}

static struct fetch *fetch_find(
    struct node_fetcher *self, const struct chunk_id *id)
{
	for (size_t i = 0; i < FETCHES_MAX; i++)
		if (self->fetches[i].used &&
		    memcmp(&self->fetches[i].id, id, sizeof(*id)) == 0)
			return &self->fetches[i];
	return NULL;
}

/** A fetch that nobody needs: a free one, or the oldest that is done. */
static struct fetch *fetch_free(struct node_fetcher *self)
{
	struct fetch *oldest = NULL;

	for (size_t i = 0; i < FETCHES_MAX; i++) {
		struct fetch *fetch = &self->fetches[i];
		if (!fetch->used)
			return fetch;
		if (fetch->done && (!oldest || fetch->age < oldest->age))
			oldest = fetch;
	}
	return oldest;
}

static void node_want(void *arg, const struct chunk_name *name)
{
	struct node_fetcher *self = arg;
	struct fetch *fetch = NULL;

	pthread_mutex_lock(&self->lock);
	if (!fetch_find(self, &name->id))
		fetch = fetch_free(self);
	if (fetch) {
		free(fetch->sealed);
		fetch->sealed = NULL;
		fetch->used = true;
		fetch->done = false;
		fetch->age = ++self->clock;
		fetch->id = name->id;
	}
	pthread_mutex_unlock(&self->lock);
	if (!fetch)
		return;
	enum status st =
	    remote_fetch(self->remote, &name->id, node_fetched, fetch);
	if (st != STATUS_OK)
		node_fetched(fetch, st, NULL, 0);
}

/** Take what was wanted earlier, or fetch it now. */
static enum status sealed_take(struct node_fetcher *self,
    const struct chunk_name *name, uint8_t **sealed_out, size_t *sealed_len)
{
	enum status st = STATUS_OK;

	pthread_mutex_lock(&self->lock);
	struct fetch *fetch = fetch_find(self, &name->id);
	while (fetch && !fetch->done)
		pthread_cond_wait(&self->arrived, &self->lock);
	if (fetch) {
		st = fetch->status;
		*sealed_out = fetch->sealed;
		*sealed_len = fetch->sealed_len;
		fetch->sealed = NULL;
		fetch->used = false;
	}
	pthread_mutex_unlock(&self->lock);
	if (!fetch)
		st = fetch_chunk(
		    self->remote, &name->id, sealed_out, sealed_len);
	return st;
}

static enum status node_get(
    void *arg, const struct chunk_name *name, struct bytes *plain)
{
	struct node_fetcher *self = arg;
	struct slice opened;
	uint8_t *sealed = NULL;
	size_t sealed_len = 0;
	enum status st = sealed_take(self, name, &sealed, &sealed_len);

	if (st == STATUS_OK)
		st = chunk_open(self->codec, name, CHUNK_NODE,
		    slice_of(sealed, sealed_len), &opened);
	if (st == STATUS_OK)
		st = bytes_copy(plain, opened);
	free(sealed);
	return st;
}

struct node_source node_fetcher_source(struct node_fetcher *self)
{
	return (struct node_source){ self, node_want, node_get };
}
