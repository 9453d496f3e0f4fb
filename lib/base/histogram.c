#include "base/histogram.h"

#include <time.h>

#include "base/util.h"

/* From what an answer out of memory takes to what a deadline allows. */
static const uint64_t bounds_us[] = {
	100,
	250,
	500,
	1000,
	2500,
	5000,
	10000,
	25000,
	50000,
	100000,
	250000,
	500000,
	1000000,
	2500000,
	10000000,
	UINT64_MAX,
};
_Static_assert(nitems(bounds_us) == HISTOGRAM_BUCKETS, "a bound per bucket");

uint64_t histogram_bound_us(unsigned int bucket)
{
	return bounds_us[bucket];
}

void histogram_observe(struct histogram *self, uint64_t duration_us)
{
	unsigned int bucket = 0;

	while (duration_us > bounds_us[bucket])
		bucket++;
	self->counts[bucket]++;
	self->count++;
	self->sum_us += duration_us;
}

uint64_t histogram_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
