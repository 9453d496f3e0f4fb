#include "bus/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

struct watch {
	loop_fn *ready;
	void *arg;
};

struct loop {
	zmq_pollitem_t *items; /* items[i] belongs to watches[i] */
	struct watch *watches;
	size_t count, capacity;
	struct timer *timers; /* soonest first */
	bool stopping;
	bool changed; /* items were added or removed while dispatching */
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
	free(self->items);
	free(self->watches);
	free(self);
	*self_p = NULL;
}

static enum status watch(
    struct loop *self, void *socket, int fd, loop_fn *ready, void *arg)
{
	if (self->count == self->capacity) {
		size_t capacity = max_of(self->capacity * 2, (size_t)16);
		zmq_pollitem_t *items =
		    realloc(self->items, capacity * sizeof(*self->items));
		if (!items)
			return STATUS_NO_SPACE;
		self->items = items;
		struct watch *watches =
		    realloc(self->watches, capacity * sizeof(*self->watches));
		if (!watches)
			return STATUS_NO_SPACE;
		self->watches = watches;
		self->capacity = capacity;
	}
	self->items[self->count] =
	    (zmq_pollitem_t){ socket, fd, ZMQ_POLLIN, 0 };
	self->watches[self->count] = (struct watch){ ready, arg };
	self->count++;
	self->changed = true;
	return STATUS_OK;
}

enum status loop_watch_socket(
    struct loop *self, void *socket, loop_fn *ready, void *arg)
{
	assert(socket);
	return watch(self, socket, 0, ready, arg);
}

enum status loop_watch_fd(struct loop *self, int fd, loop_fn *ready, void *arg)
{
	return watch(self, NULL, fd, ready, arg);
}

static void forget(struct loop *self, const void *socket, int fd)
{
	for (size_t i = 0; i < self->count; i++) {
		const zmq_pollitem_t *item = &self->items[i];
		if (item->socket != socket || (!socket && item->fd != fd))
			continue;
		self->count--;
		self->items[i] = self->items[self->count];
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

static long wait_ms(const struct loop *self)
{
	if (!self->timers)
		return -1;
	uint64_t now = clock_interval_ms();
	return self->timers->due_ms <= now ? 0
					   : (long)(self->timers->due_ms - now);
}

static void dispatch(struct loop *self)
{
	self->changed = false;
	for (size_t i = 0; i < self->count && !self->stopping; i++) {
		if (self->items[i].revents == 0)
			continue;
		self->watches[i].ready(self->watches[i].arg);
		/* The rest is polled again: it is level-triggered. */
		if (self->changed)
			return;
	}
}

enum status loop_run(struct loop *self)
{
	self->stopping = false;
	while (!self->stopping) {
		int rc = zmq_poll(self->items, (int)self->count, wait_ms(self));
		if (rc < 0 && errno != EINTR) {
			log_error(NULL, "poll_failed", "error=%d", errno);
			return STATUS_INTERNAL;
		}
		if (rc > 0)
			dispatch(self);
		fire_timers(self);
	}
	return STATUS_OK;
}

void loop_stop(struct loop *self)
{
	self->stopping = true;
}
