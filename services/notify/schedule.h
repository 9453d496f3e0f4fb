#ifndef KEEPSAKE_NOTIFY_SCHEDULE_H
#define KEEPSAKE_NOTIFY_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* When things are due: pure arithmetic, and the order of many deadlines. */

#define SCHEDULE_NEVER UINT64_MAX

/**
 * How long to wait after try number ${attempt}: retry_ms, doubling with each
 * try to retry_ms_max, which may be less than retry_ms.
 *
 * attempt  from 1; 0 is taken for 1
 */
uint64_t schedule_pause_ms(
    uint32_t attempt, uint64_t retry_ms, uint64_t retry_ms_max);

/** When the try after ${attempt} at ${now_ms} is due, on the same clock. */
uint64_t schedule_next_due_ms(uint64_t now_ms, uint32_t attempt,
    uint64_t retry_ms, uint64_t retry_ms_max);

/** Whether what is there since ${since_ms} is given up at ${now_ms}. */
bool schedule_is_over(uint64_t since_ms, uint64_t now_ms, uint64_t give_up_ms);

/** One deadline; its owner's, who sets kept and arg, the rest all zero. */
struct appointment {
	void (*kept)(void *arg);
	void *arg;
	uint64_t due_ms;
	size_t place; /* in the schedule, from 1; 0 while not in it */
};

/** Appointments, soonest first: a binary heap, O(log n) each. */
struct schedule {
	struct appointment **heap; /* [0] is the soonest */
	size_t count, capacity;
};

/** Free what ${self}, which may be all zero, holds; it is empty again. */
void schedule_clear(struct schedule *self);

/**
 * Enter ${appointment} for ${due_ms}, or move it there; SCHEDULE_NEVER takes
 * it out.  It must not move in memory until it is cancelled.
 *
 * STATUS_NO_SPACE  no memory; it is not entered
 */
enum status schedule_set(
    struct schedule *self, struct appointment *appointment, uint64_t due_ms);

/** Take it out; fine for one that is not in. */
void schedule_cancel(struct schedule *self, struct appointment *appointment);

/** When the soonest is due; SCHEDULE_NEVER without any. */
uint64_t schedule_soonest_ms(const struct schedule *self);

/** Take out the soonest if it is due at ${now_ms}; NULL: none is. */
struct appointment *schedule_take_due(struct schedule *self, uint64_t now_ms);

#endif
