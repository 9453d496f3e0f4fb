#include "bus/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

struct watch {
	void *socket; /* NULL: it is a descriptor that is watched */
	loop_fn *ready;
	void *arg;
	bool due; /* it can be read */
};

struct loop {
	struct pollfd *fds; /* fds[i] belongs to watches[i] */
	struct watch *watches;
	size_t count, capacity;
	struct timer *timers; /* soonest first */
	bool stopping;
	bool changed; /* watches were added or removed while dispatching */
};

enum status loop_new(struct loop **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? STATUS_OK : STATUS_NO_SPACE;
}

void loop_destroy(struct loop **self_p)
{
	struct loop *self = *self_p;

	if (!self)
		return;
	free(self->fds);
	free(self->watches);
	free(self);
	*self_p = NULL;
}

static enum status watch(
    struct loop *self, void *socket, int fd, loop_fn *ready, void *arg)
{
	if (self->count == self->capacity) {
		size_t capacity = max_of(self->capacity * 2, (size_t)16);
		struct pollfd *fds =
		    realloc(self->fds, capacity * sizeof(*self->fds));
		if (!fds)
			return STATUS_NO_SPACE;
		self->fds = fds;
		struct watch *watches =
		    realloc(self->watches, capacity * sizeof(*self->watches));
		if (!watches)
			return STATUS_NO_SPACE;
		self->watches = watches;
		self->capacity = capacity;
	}
	self->fds[self->count] = (struct pollfd){ fd, POLLIN, 0 };
	self->watches[self->count] =
	    (struct watch){ socket, ready, arg, false };
	self->count++;
	self->changed = true;
	return STATUS_OK;
}

enum status loop_watch_socket(
    struct loop *self, void *socket, loop_fn *ready, void *arg)
{
	int fd;
	size_t size = sizeof(fd);

	assert(socket);
	if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0)
		return STATUS_INTERNAL;
	return watch(self, socket, fd, ready, arg);
}

enum status loop_watch_fd(struct loop *self, int fd, loop_fn *ready, void *arg)
{
	return watch(self, NULL, fd, ready, arg);
}

static void forget(struct loop *self, const void *socket, int fd)
{
	for (size_t i = 0; i < self->count; i++) {
		if (self->watches[i].socket != socket ||
		    (!socket && self->fds[i].fd != fd))
			continue;
		self->count--;
		self->fds[i] = self->fds[self->count];
		self->watches[i] = self->watches[self->count];
		self->changed = true;
		return;
	}
}

void loop_forget_socket(struct loop *self, const void *socket)
{
	forget(self, socket, 0);
}

void loop_forget_fd(struct loop *self, int fd)
{
	forget(self, NULL, fd);
}

void loop_timer_set(struct loop *self, struct timer *timer, uint64_t in_ms)
{
	struct timer *before = NULL, *after;

	loop_timer_cancel(self, timer);
	timer->due_ms = clock_interval_ms() + in_ms;
	for (after = self->timers; after && after->due_ms <= timer->due_ms;
	     after = after->next)
		before = after;
	timer->previous = before;
	timer->next = after;
	if (before)
		before->next = timer;
	else
		self->timers = timer;
	if (after)
		after->previous = timer;
	timer->is_set = true;
}

void loop_timer_cancel(struct loop *self, struct timer *timer)
{
	if (!timer->is_set)
		return;
	if (timer->previous)
		timer->previous->next = timer->next;
	else
		self->timers = timer->next;
	if (timer->next)
		timer->next->previous = timer->previous;
	timer->next = timer->previous = NULL;
	timer->is_set = false;
}

static void fire_timers(struct loop *self)
{
	uint64_t now = clock_interval_ms();

	while (self->timers && self->timers->due_ms <= now && !self->stopping) {
		struct timer *timer = self->timers;
		loop_timer_cancel(self, timer);
		timer->fired(timer->arg);
	}
}

static int wait_ms(const struct loop *self)
{
	if (!self->timers)
		return -1;
	uint64_t now = clock_interval_ms();
	return self->timers->due_ms <= now
		   ? 0
		   : (int)min_of(self->timers->due_ms - now, (uint64_t)INT_MAX);
}

static bool has_message(void *socket)
{
	int events = 0;
	size_t size = sizeof(events);

	while (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) != 0 &&
	       errno == EINTR)
		continue;
	return (events & ZMQ_POLLIN) != 0;
}

/*
 * A socket's descriptor says only that something has happened to it, and
 * whoever uses the socket takes that word away.  So before the wait each
 * socket is asked itself, for any callback may have sent by it; after it
 * those whose descriptor has spoken.  zmq_poll asks all of them both times.
 */
static bool ask_all(struct loop *self)
{
	bool any = false;

	for (size_t i = 0; i < self->count; i++) {
		struct watch *watch = &self->watches[i];
		watch->due = watch->socket && has_message(watch->socket);
		any |= watch->due;
	}
	return any;
}

static void ask_those_that_spoke(struct loop *self)
{
	for (size_t i = 0; i < self->count; i++) {
		struct watch *watch = &self->watches[i];
		if (self->fds[i].revents != 0 && !watch->due)
			watch->due =
			    !watch->socket || has_message(watch->socket);
	}
}

static void dispatch(struct loop *self)
{
	self->changed = false;
	for (size_t i = 0; i < self->count && !self->stopping; i++) {
		if (!self->watches[i].due)
			continue;
		self->watches[i].ready(self->watches[i].arg);
		/* The rest is asked again: it is level-triggered. */
		if (self->changed)
			return;
	}
}

enum status loop_run(struct loop *self)
{
	self->stopping = false;
	while (!self->stopping) {
		int wait = ask_all(self) ? 0 : wait_ms(self);
		int rc = poll(self->fds, (nfds_t)self->count, wait);
		if (rc < 0 && errno != EINTR) {
			log_error(NULL, "poll_failed", "error=%d", errno);
			return STATUS_INTERNAL;
		}
		if (rc > 0)
			ask_those_that_spoke(self);
		dispatch(self);
		fire_timers(self);
	}
	return STATUS_OK;
}

void loop_stop(struct loop *self)
{
	self->stopping = true;
}
