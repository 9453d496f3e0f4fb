#ifndef KEEPSAKE_BASE_HISTOGRAM_H
#define KEEPSAKE_BASE_HISTOGRAM_H

#include <stdint.h>

/*
 * How long something took, counted in fixed buckets: an observation costs a
 * search among 16 numbers and three additions.  Not thread-safe.
 */

#define HISTOGRAM_BUCKETS 16 /* the last one takes all that is longer */

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS]; /* each bucket alone, not summed */
	uint64_t count;
	uint64_t sum_us;
};

/** The longest duration of a bucket; UINT64_MAX for the last one. */
uint64_t histogram_bound_us(unsigned int bucket);

/** Count a duration, in microseconds. */
void histogram_observe(struct histogram *self, uint64_t duration_us);

/** Microseconds on CLOCK_MONOTONIC, for durations. */
uint64_t histogram_now_us(void);

#endif
