#ifndef KEEPSAKE_TESTS_SKIP_TIME_H
#define KEEPSAKE_TESTS_SKIP_TIME_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Time that a test can make pass: this clock_gettime stands before the C
 * library's, for the two clocks that lib/base/clock.c reads.
 */

static uint64_t skipped_ms; /* only ever raised, by whole seconds */

int clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, id, out);

	if (rc == 0 && (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME))
		out->tv_sec += (time_t)(skipped_ms / 1000);
	return rc;
}

#endif
