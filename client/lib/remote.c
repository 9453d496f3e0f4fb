#include "remote_internal.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/util.h"
#include "bus/caller.h"
#include "bus/unpack.h"
#include "gateways.h"
#include "session.h"
#include "store.pb-c.h"

#define REFUSALS_MAX 3

/* The connection, the thread that moves its messages, and its failures. */

/* ---- requests ---- */

struct request *remote_request_new(struct remote *remote, uint32_t type)
{
	struct request *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->remote = remote;
	self->type = type;
	self->timeout_ms = remote->timeout_ms;
	zmq_msg_init(&self->payload);
	return self;
}

void remote_request_destroy(struct request **self_p)
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

void remote_note(struct remote *self, enum status status, const char *detail,
    const char *advice)
{
	if (self->detail[0] != '\0')
		return;
	snprintf(self->detail, sizeof(self->detail), "%s",
	    detail && detail[0] ? detail : status_text(status));
	self->advice = advice;
}

/* A failure that sending again cannot cure; the mutex is held. */
static void fail(struct remote *self, enum status status, const char *detail,
    const char *advice)
{
	if (self->failure != STATUS_OK)
		return;
	self->detail[0] = '\0'; /* more important than one that passed */
	remote_note(self, status, detail, advice);
	self->failure = status;
	pthread_cond_broadcast(&self->changed);
}

void remote_fail_here(
    struct remote *self, enum status status, const char *detail)
{
	pthread_mutex_lock(&self->mutex);
	fail(self, status, detail, session_advice_here(status));
	pthread_mutex_unlock(&self->mutex);
}

void remote_fail_there(
    struct remote *self, enum status status, const struct answer *answer)
{
	if (answer && (answer->header || status == STATUS_UNAVAILABLE))
		fail(self, status, answer->detail,
		    session_advice_for(status, caller_link(self->caller)));
	else
		fail(self, status, answer ? answer->detail : NULL,
		    session_advice_here(status));
}

void remote_wake(struct remote *self)
{
	uint64_t one = 1;

	/* A full counter is no failure: the thread is awake then. */
	if (write(self->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void remote_hand_over(struct remote *self, struct request *request)
{
	request->next = NULL;
	*self->queue_end = request;
	self->queue_end = &request->next;
	remote_wake(self);
}

/* ---- the network thread ---- */

static void on_answer(void *arg, const struct answer *answer)
{
	struct request *request = arg;

	request->ended(request, answer->status, answer);
}

void remote_send(struct request *request)
{
	struct remote *self = request->remote;
	struct header header = {
		.type = request->type,
		.account = self->account,
		.deadline_ms = request->timeout_ms,
		.ticket_len = self->ticket_len,
	};

	memcpy(header.ticket, self->ticket, self->ticket_len);
	request->sent_ms = clock_interval_ms();
	enum status st =
	    caller_ask(self->caller, &header, bytes_slice(&request->body),
		request->has_payload ? &request->payload : NULL, on_answer,
		request);
	sodium_memzero(&header, sizeof(header));
	if (st != STATUS_OK)
		request->ended(request, st, NULL);
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
		if (request->is_put)
			remote_put_begin(self, request);
		else
			remote_send(request);
	}
	if (failed || stopping)
		remote_puts_drop(self);
	else
		remote_puts_go_on(self);
	if (stopping)
		loop_stop(self->loop);
}

static void *run(void *arg)
{
	struct remote *self = arg;
	enum status st = loop_run(self->loop);

	if (st != STATUS_OK)
		remote_fail_here(self, st, "the network thread cannot go on");
	caller_destroy(&self->caller); /* ends what is under way */
	remote_puts_drop(self);
	return NULL;
}

/* ---- made and ended ---- */

static enum status connect_to(
    struct remote *self, const struct remote_options *options)
{
	struct caller_options link = { .refusals_max = REFUSALS_MAX };
	struct gateways gateways;

	gateways_fill(&link, &gateways, options->enrolment);
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
	self->held_end = &self->held;
	self->puts_window = (struct window){ REMOTE_PUT_BYTES_FIRST,
		REMOTE_PUT_BYTES_MIN, REMOTE_PUT_BYTES_MAX };
	self->fetches_window = (struct window){ REMOTE_FETCHES_FIRST,
		REMOTE_FETCHES_MIN, REMOTE_FETCHES_MAX };
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
	fail(self, STATUS_UNAVAILABLE, NULL, "");
	self->stopping = true;
	remote_wake(self);
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

/* ---- what became of it ---- */

const char *remote_detail(struct remote *self)
{
	return self->detail;
}

const char *remote_advice(struct remote *self)
{
	return self->advice;
}

struct id remote_lease(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	struct id lease = self->lease;
	pthread_mutex_unlock(&self->mutex);
	return lease;
}

struct remote_traffic remote_traffic(struct remote *self)
{
	pthread_mutex_lock(&self->mutex);
	struct remote_traffic traffic = self->traffic;
	pthread_mutex_unlock(&self->mutex);
	return traffic;
}
