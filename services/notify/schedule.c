#include "schedule.h"

#include <stdlib.h>

#include "base/util.h"

#define CAPACITY_FIRST 64

uint64_t schedule_pause_ms(
    uint32_t attempt, uint64_t retry_ms, uint64_t retry_ms_max)
{
	uint64_t pause = retry_ms;

	for (uint32_t i = 1; i < attempt && pause < retry_ms_max; i++)
		pause = pause > retry_ms_max / 2 ? retry_ms_max : pause * 2;
	return min_of(pause, retry_ms_max);
}

uint64_t schedule_next_due_ms(
    uint64_t now_ms, uint32_t attempt, uint64_t retry_ms, uint64_t retry_ms_max)
{
	return now_ms + schedule_pause_ms(attempt, retry_ms, retry_ms_max);
}

bool schedule_is_over(uint64_t since_ms, uint64_t now_ms, uint64_t give_up_ms)
{
	return now_ms > since_ms && now_ms - since_ms >= give_up_ms;
}

void schedule_clear(struct schedule *self)
{
	free(self->heap);
	*self = (struct schedule){ 0 };
}

static void put(
    struct schedule *self, struct appointment *appointment, size_t index)
{
	self->heap[index] = appointment;
	appointment->place = index + 1;
}

static void move_up(struct schedule *self, size_t index)
{
	struct appointment *moved = self->heap[index];

	while (index > 0) {
		size_t parent = (index - 1) / 2;
		if (self->heap[parent]->due_ms <= moved->due_ms)
			break;
		put(self, self->heap[parent], index);
		index = parent;
	}
	put(self, moved, index);
}

static void move_down(struct schedule *self, size_t index)
{
	struct appointment *moved = self->heap[index];

	for (size_t child = 2 * index + 1; child < self->count;
	     child = 2 * index + 1) {
		if (child + 1 < self->count &&
		    self->heap[child + 1]->due_ms < self->heap[child]->due_ms)
			child++;
		if (moved->due_ms <= self->heap[child]->due_ms)
			break;
		put(self, self->heap[child], index);
		index = child;
	}
	put(self, moved, index);
}

static enum status make_room(struct schedule *self)
{
	if (self->count < self->capacity)
		return STATUS_OK;
	size_t capacity = max_of(self->capacity * 2, (size_t)CAPACITY_FIRST);
	struct appointment **heap =
	    realloc(self->heap, capacity * sizeof(struct appointment *));
	if (!heap)
		return STATUS_NO_SPACE;
	self->heap = heap;
	self->capacity = capacity;
	return STATUS_OK;
}

enum status schedule_set(
    struct schedule *self, struct appointment *appointment, uint64_t due_ms)
{
	schedule_cancel(self, appointment);
	if (due_ms == SCHEDULE_NEVER)
		return STATUS_OK;
	enum status st = make_room(self);
	if (st != STATUS_OK)
		return st;
	appointment->due_ms = due_ms;
	put(self, appointment, self->count++);
	move_up(self, self->count - 1);
	return STATUS_OK;
}

void schedule_cancel(struct schedule *self, struct appointment *appointment)
{
	if (appointment->place == 0)
		return;
	size_t index = appointment->place - 1;
	struct appointment *last = self->heap[--self->count];
	appointment->place = 0;
	if (last == appointment)
		return;
	/* The last one takes the free place, and then its own. */
	put(self, last, index);
	move_up(self, index);
	move_down(self, last->place - 1);
}

uint64_t schedule_soonest_ms(const struct schedule *self)
{
	return self->count > 0 ? self->heap[0]->due_ms : SCHEDULE_NEVER;
}

struct appointment *schedule_take_due(struct schedule *self, uint64_t now_ms)
{
	if (self->count == 0 || self->heap[0]->due_ms > now_ms)
		return NULL;
	struct appointment *soonest = self->heap[0];
	schedule_cancel(self, soonest);
	return soonest;
}
