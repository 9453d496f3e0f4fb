#include "base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic uint64_t floor_ms;

static uint64_t now_ms(clockid_t clock)
{
	struct timespec now;
	int rc = clock_gettime(clock, &now);

	assert(rc == 0);
	(void)rc;
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_interval_ms(void)
{
	return now_ms(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ms(void)
{
	uint64_t now = now_ms(CLOCK_REALTIME);
	uint64_t floor = atomic_load(&floor_ms);

	while (floor < now)
		if (atomic_compare_exchange_weak(&floor_ms, &floor, now))
			return now;
	return floor;
}

void clock_wall_floor(uint64_t wall_ms)
{
	uint64_t floor = atomic_load(&floor_ms);

	while (floor < wall_ms)
		if (atomic_compare_exchange_weak(&floor_ms, &floor, wall_ms))
			return;
}

void clock_text(char text[static CLOCK_TEXT_BYTES], uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) ||
	    strftime(text, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		snprintf(text, CLOCK_TEXT_BYTES, "beyond the calendar");
}
