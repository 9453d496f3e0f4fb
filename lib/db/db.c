#include "db/db.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "db/engine.h"

/*
 * Queue, threads and completions, whatever the engine.  One writer takes
 * all that has arrived, within these bounds, and has the engine decide it
 * in one transaction; meanwhile the next group gathers.
 */
#define GROUP_BATCHES_MAX 1024
#define GROUP_OPS_MAX     16384 /* LMDB holds 131071 changed pages at most */
#define GROUP_BYTES_MAX   (24u * 1024 * 1024)

struct batch_list {
	struct db_batch *first;
	struct db_batch **last; /* where the next one is hung */
};

struct read {
	struct read *next;
	struct id account;
	uint64_t sequence;
	db_read_fn *done;
	void *done_arg;
	struct id request; /* that it is for, as log_request */
	enum status status;
	uint8_t *data; /* owned until done is called */
	size_t len;
};

struct read_list {
	struct read *first;
	struct read **last;
};

struct db {
	struct engine *engine;
	int event_fd;
	pthread_t writer, reader;
	bool writer_runs, reader_runs; /* were started */
	bool stopped;                  /* and have ended */
	pthread_cond_t to_write, to_read;

	pthread_mutex_t lock; /* over all that follows */
	bool closing;
	bool completing; /* submissions wait for its end, for one group */
	bool signalled;  /* event_fd is readable */
	struct batch_list queue, decided;
	struct read_list reads, finished;
	struct histogram commits;
	size_t batches; /* submitted and not completed: bounds */
	size_t bytes;
	size_t reads_count;
};

static void batches_reset(struct batch_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void batches_push(struct batch_list *list, struct db_batch *batch)
{
	batch->next = NULL;
	*list->last = batch;
	list->last = &batch->next;
}

static void reads_reset(struct read_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void reads_push(struct read_list *list, struct read *read)
{
	read->next = NULL;
	*list->last = read;
	list->last = &read->next;
}

/* Under the lock: wake who waits for completions, once. */
static void completions_wake(struct db *self)
{
	if (self->signalled)
		return;
	self->signalled = true;
	eventfd_write(self->event_fd, 1);
}

/* Under the lock: cut a group off the front of the queue. */
static struct db_batch *queue_take(struct db *self)
{
	struct db_batch *group = self->queue.first, *last = group;
	size_t batches = 1, ops = group->ops_count, bytes = batch_bytes(group);

	for (struct db_batch *next = last->next; next; next = next->next) {
		if (group->compaction || next->compaction)
			break;
		batches++;
		ops += next->ops_count;
		bytes += batch_bytes(next);
		if (batches > GROUP_BATCHES_MAX || ops > GROUP_OPS_MAX ||
		    bytes > GROUP_BYTES_MAX)
			break;
		last = next;
	}
	self->queue.first = last->next;
	if (!self->queue.first)
		batches_reset(&self->queue);
	last->next = NULL;
	return group;
}

static void write_group(struct db *self, struct db_batch *group)
{
	if (!group->compaction) {
		engine_commit(self->engine, group);
		return;
	}
	group->status = engine_compact(self->engine, group->compaction);
	group->failed_op = DB_OP_NONE;
}

static void *writer_run(void *arg)
{
	struct db *self = arg;

	pthread_mutex_lock(&self->lock);
	for (;;) {
		while (!self->queue.first && !self->closing)
			pthread_cond_wait(&self->to_write, &self->lock);
		if (!self->queue.first)
			break;
		struct db_batch *group = queue_take(self), *next;
		pthread_mutex_unlock(&self->lock);
		uint64_t began_us = histogram_now_us();
		write_group(self, group);
		uint64_t took_us = histogram_now_us() - began_us;
		pthread_mutex_lock(&self->lock);
		histogram_observe(&self->commits, took_us);
		for (; group; group = next) {
			next = group->next;
			batches_push(&self->decided, group);
		}
		completions_wake(self);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

static void *reader_run(void *arg)
{
	struct db *self = arg;

	pthread_mutex_lock(&self->lock);
	for (;;) {
		while (!self->reads.first && !self->closing)
			pthread_cond_wait(&self->to_read, &self->lock);
		struct read *read = self->reads.first;
		if (!read)
			break;
		self->reads.first = read->next;
		if (!read->next)
			reads_reset(&self->reads);
		pthread_mutex_unlock(&self->lock);
		read->status = engine_blob_get(self->engine, &read->account,
		    read->sequence, &read->data, &read->len);
		pthread_mutex_lock(&self->lock);
		reads_push(&self->finished, read);
		completions_wake(self);
	}
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* A thread that takes no signals: those are the service loop's. */
static bool thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		log_error(NULL, "thread_refused", "errno=%d", rc);
	return rc == 0;
}

static enum status migrate(struct db *self, const struct db_options *options)
{
	uint32_t from = engine_format(self->engine);

	if (from == options->format)
		return STATUS_OK;
	log_info(NULL, "database_migrates", "service=%s from=%u to=%u",
	    options->service, (unsigned int)from,
	    (unsigned int)options->format);
	enum status st = options->migrate(options->migrate_arg, self, from);
	if (st == STATUS_OK)
		st = engine_format_set(self->engine, options->format);
	if (st != STATUS_OK)
		log_error(
		    NULL, "migration_failed", "status=%s", status_word(st));
	return st;
}

enum status db_open(const struct db_options *options, struct db **out)
{
	enum status st = STATUS_NO_SPACE;
	struct db *self = calloc(1, sizeof(*self));

	assert(options->format > 0);
	*out = NULL;
	if (!self)
		return st;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->to_write, NULL);
	pthread_cond_init(&self->to_read, NULL);
	batches_reset(&self->queue);
	batches_reset(&self->decided);
	reads_reset(&self->reads);
	reads_reset(&self->finished);
	self->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	st = engine_open(options, &self->engine);
	if (st != STATUS_OK)
		goto out;
	st = STATUS_UNAVAILABLE;
	if (self->event_fd < 0)
		goto out;
	self->writer_runs = thread_start(&self->writer, writer_run, self);
	if (!self->writer_runs)
		goto out;
	if (options->blob_reader)
		self->reader_runs =
		    thread_start(&self->reader, reader_run, self);
	if (options->blob_reader && !self->reader_runs)
		goto out;
	st = migrate(self, options);
	if (st != STATUS_OK)
		goto out;
	*out = self;
	self = NULL;
out:
	db_close(&self);
	return st;
}

void db_stop(struct db *self)
{
	pthread_mutex_lock(&self->lock);
	self->closing = true;
	pthread_cond_broadcast(&self->to_write);
	pthread_cond_broadcast(&self->to_read);
	pthread_mutex_unlock(&self->lock);
	if (self->writer_runs && !self->stopped)
		pthread_join(self->writer, NULL);
	if (self->reader_runs && !self->stopped)
		pthread_join(self->reader, NULL);
	self->stopped = true;
	db_complete(self);
}

void db_close(struct db **self_p)
{
	assert(self_p);
	struct db *self = *self_p;
	if (!self)
		return;
	db_stop(self);
	engine_close(&self->engine);
	if (self->event_fd >= 0)
		close(self->event_fd);
	pthread_cond_destroy(&self->to_write);
	pthread_cond_destroy(&self->to_read);
	pthread_mutex_destroy(&self->lock);
	free(self);
	*self_p = NULL;
}

struct engine *db_engine(const struct db *self)
{
	return self->engine;
}

/* ---- completions ---- */

int db_event_fd(const struct db *self)
{
	return self->event_fd;
}

static void batch_complete(struct db_batch *batch)
{
	db_done_fn *done = batch->done;
	void *arg = batch->done_arg;
	enum status status = batch->status;
	uint64_t generation = batch->generation;
	size_t failed_op = batch->failed_op;
	struct id before = log_request_set(batch->request);

	db_batch_destroy(&batch); /* first the blobs: done may free them */
	if (done)
		done(arg, status, generation, failed_op);
	log_request_set(before);
}

size_t db_complete(struct db *self)
{
	size_t batches = 0, bytes = 0, reads = 0;
	eventfd_t count;

	pthread_mutex_lock(&self->lock);
	if (self->signalled)
		eventfd_read(self->event_fd, &count);
	self->signalled = false;
	self->completing = true;
	struct db_batch *batch = self->decided.first, *next_batch;
	struct read *read = self->finished.first, *next_read;
	batches_reset(&self->decided);
	reads_reset(&self->finished);
	for (struct db_batch *b = batch; b; b = b->next) {
		batches++;
		bytes += batch_bytes(b);
	}
	for (struct read *r = read; r; r = r->next)
		reads++;
	self->batches -= batches;
	self->bytes -= bytes;
	self->reads_count -= reads;
	pthread_mutex_unlock(&self->lock);

	for (; batch; batch = next_batch) {
		next_batch = batch->next;
		batch_complete(batch);
	}
	for (; read; read = next_read) {
		next_read = read->next;
		struct id before = log_request_set(read->request);
		read->done(read->done_arg, read->status, read->data, read->len);
		log_request_set(before);
		free(read);
	}

	pthread_mutex_lock(&self->lock);
	self->completing = false;
	if (self->queue.first)
		pthread_cond_signal(&self->to_write);
	pthread_mutex_unlock(&self->lock);
	return batches + reads;
}

/* ---- submitting ---- */

enum status db_submit(
    struct db *self, struct db_batch **batch_p, db_done_fn *done, void *arg)
{
	struct db_batch *batch = *batch_p;
	enum status st = STATUS_PENDING;

	if (!batch)
		return STATUS_NO_SPACE;
	if (batch->mistake != STATUS_OK)
		return batch->mistake;
	size_t bytes = batch_bytes(batch);
	batch->done = done;
	batch->done_arg = arg;
	batch->request = log_request();

	pthread_mutex_lock(&self->lock);
	if (self->closing) {
		st = STATUS_UNAVAILABLE;
	} else if (self->batches == DB_QUEUE_BATCHES_MAX ||
		   self->bytes + bytes > DB_QUEUE_BYTES_MAX) {
		st = STATUS_BUSY;
	} else {
		/* Awake, the writer looks at the queue by itself. */
		bool wake = !self->queue.first && !self->completing;
		batches_push(&self->queue, batch);
		self->batches++;
		self->bytes += bytes;
		*batch_p = NULL;
		if (wake)
			pthread_cond_signal(&self->to_write);
	}
	pthread_mutex_unlock(&self->lock);
	return st;
}

static void on_decided(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *out = arg;

	(void)generation;
	(void)failed_op;
	*out = status;
}

static void wait_and_complete(struct db *self)
{
	struct pollfd event = { self->event_fd, POLLIN, 0 };

	poll(&event, 1, -1);
	db_complete(self);
}

enum status db_submit_wait(struct db *self, struct db_batch **batch_p)
{
	enum status decided = STATUS_PENDING;

	enum status st = db_submit(self, batch_p, on_decided, &decided);
	if (st != STATUS_PENDING)
		return st;
	while (decided == STATUS_PENDING)
		wait_and_complete(self);
	return decided;
}

enum status db_submit_patient(
    struct db *self, struct db_batch **batch_p, db_done_fn *done, void *arg)
{
	enum status st = db_submit(self, batch_p, done, arg);

	if (st != STATUS_BUSY)
		return st;
	db_drain(self);
	return db_submit(self, batch_p, done, arg);
}

static bool is_idle(struct db *self)
{
	pthread_mutex_lock(&self->lock);
	bool idle = self->batches == 0 && self->reads_count == 0;
	pthread_mutex_unlock(&self->lock);
	return idle;
}

void db_drain(struct db *self)
{
	while (!is_idle(self))
		wait_and_complete(self);
}

enum status db_claim(struct db *self, uint8_t space, struct slice name,
    const struct id *account, uint64_t lease_ms, db_done_fn *done, void *arg)
{
	struct db_batch *batch = batch_claim(space, name, account, lease_ms);
	enum status st = db_submit(self, &batch, done, arg);

	db_batch_destroy(&batch);
	return st;
}

enum status db_unclaim(struct db *self, uint8_t space, struct slice name,
    const struct id *account, db_done_fn *done, void *arg)
{
	struct db_batch *batch = batch_unclaim(space, name, account);
	enum status st = db_submit(self, &batch, done, arg);

	db_batch_destroy(&batch);
	return st;
}

enum status db_blob_read(struct db *self, const struct id *account,
    uint64_t sequence, db_read_fn *done, void *arg)
{
	enum status st = STATUS_PENDING;
	struct read *read = calloc(1, sizeof(*read));

	assert(self->reader_runs);
	if (!read)
		return STATUS_NO_SPACE;
	read->account = *account;
	read->sequence = sequence;
	read->done = done;
	read->done_arg = arg;
	read->request = log_request();

	pthread_mutex_lock(&self->lock);
	if (self->closing) {
		st = STATUS_UNAVAILABLE;
	} else if (self->reads_count == DB_READS_MAX) {
		st = STATUS_BUSY;
	} else {
		reads_push(&self->reads, read);
		self->reads_count++;
		read = NULL;
		pthread_cond_signal(&self->to_read);
	}
	pthread_mutex_unlock(&self->lock);
	free(read);
	return st;
}

enum status db_compact(
    struct db *self, struct db_compaction *out, db_done_fn *done, void *arg)
{
	struct db_batch *batch = batch_compaction(out);
	enum status st = db_submit(self, &batch, done, arg);

	db_batch_destroy(&batch);
	return st;
}

/* ---- notes ---- */

enum status db_note_put(struct db *self, const char *name, struct slice value)
{
	struct db_batch *batch = batch_note(name, value);
	enum status st = db_submit_wait(self, &batch);

	db_batch_destroy(&batch);
	return st;
}

enum status db_note_submit(struct db *self, const char *name,
    struct slice value, db_done_fn *done, void *arg)
{
	struct db_batch *batch = batch_note(name, value);
	enum status st = db_submit(self, &batch, done, arg);

	db_batch_destroy(&batch);
	return st;
}

/* ---- figures ---- */

void db_commit_durations(struct db *self, struct histogram *out)
{
	pthread_mutex_lock(&self->lock);
	*out = self->commits;
	pthread_mutex_unlock(&self->lock);
}

enum status db_stats(struct db *self, struct db_stats *out)
{
	*out = (struct db_stats){ 0 };
	enum status st = engine_stats(self->engine, out);

	pthread_mutex_lock(&self->lock);
	out->queue_batches = self->batches;
	out->queue_bytes = self->bytes;
	pthread_mutex_unlock(&self->lock);
	return st;
}
