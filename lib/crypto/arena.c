#include "crypto/arena.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#define UNIT_BYTES 16 /* what is given out is a multiple, so aligned */

/*
 * Free units are always zero: secret_destroy wipes.  Which units are taken
 * is kept outside, so that an overrun cannot change the bookkeeping.
 */
static struct {
	uint8_t *memory; /* the units; a guard page before and after; or NULL */
	bool *taken;     /* one for each unit */
	size_t units;
	size_t page_bytes;
} arena;

static pthread_mutex_t arena_mutex = PTHREAD_MUTEX_INITIALIZER;

static size_t units_of(size_t bytes)
{
	return bytes / UNIT_BYTES + (bytes % UNIT_BYTES != 0);
}

/** Map ${bytes} between two guard pages; NULL where there is no memory. */
static uint8_t *guarded_map(size_t bytes, size_t page_bytes)
{
	size_t all = bytes + 2 * page_bytes;
	uint8_t *map =
	    mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map + page_bytes, bytes, PROT_READ | PROT_WRITE) != 0) {
		munmap(map, all);
		return NULL;
	}
	return map + page_bytes;
}

enum status arena_open(size_t bytes)
{
	enum status st = STATUS_INTERNAL;
	char error[LOG_QUOTED_BYTES];
	struct rlimit limit = { 0, 0 };
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

	assert(!arena.memory);
	assert(bytes > 0 && bytes < SIZE_MAX / 2);
	if (sodium_init() < 0) {
		log_error(NULL, "sodium_init_failed", NULL);
		return STATUS_INTERNAL;
	}
	bytes = (bytes + page_bytes - 1) / page_bytes * page_bytes;
	arena.page_bytes = page_bytes;
	arena.units = bytes / UNIT_BYTES;
	arena.taken = calloc(arena.units, sizeof(*arena.taken));
	arena.memory = guarded_map(bytes, page_bytes);
	if (!arena.taken || !arena.memory) {
		log_error(NULL, "arena_no_memory", "bytes=%zu", bytes);
		st = STATUS_NO_SPACE;
		goto out;
	}
	if (mlock(arena.memory, bytes) != 0) {
		log_quoted(error, strerror(errno));
		getrlimit(RLIMIT_MEMLOCK, &limit);
		log_error(NULL, "arena_lock_failed",
		    "bytes=%zu limit=%llu error=%s hint=\"raise the limit on "
		    "locked memory: LimitMEMLOCK=, ulimit -l\"",
		    bytes, (unsigned long long)limit.rlim_cur, error);
		st = STATUS_NO_SPACE;
		goto out;
	}
	if (madvise(arena.memory, bytes, MADV_DONTDUMP) != 0) {
		log_error(NULL, "arena_dontdump_failed", "error=%s",
		    log_quoted(error, strerror(errno)));
		goto out;
	}
	st = STATUS_OK;
out:
	if (st != STATUS_OK)
		arena_close();
	return st;
}

void arena_close(void)
{
	size_t bytes = arena.units * UNIT_BYTES;

	if (arena.memory) {
		sodium_memzero(arena.memory, bytes);
		munmap(arena.memory - arena.page_bytes,
		    bytes + 2 * arena.page_bytes);
	}
	free(arena.taken);
	memset(&arena, 0, sizeof(arena));
}

/** The first of ${count} free units in a row; arena.units where none are. */
static size_t free_run(size_t count)
{
	size_t run = 0;

	for (size_t i = 0; i < arena.units; i++) {
		run = arena.taken[i] ? 0 : run + 1;
		if (run == count)
			return i + 1 - count;
	}
	return arena.units;
}

void *secret_new(size_t bytes)
{
	size_t count = units_of(bytes);
	void *secret = NULL;

	assert(bytes > 0);
	pthread_mutex_lock(&arena_mutex);
	size_t first = free_run(count);
	if (first < arena.units) {
		memset(arena.taken + first, true, count);
		secret = arena.memory + first * UNIT_BYTES;
	}
	pthread_mutex_unlock(&arena_mutex);
	return secret;
}

void secret_destroy(void **secret_p, size_t bytes)
{
	assert(secret_p);
	uint8_t *secret = *secret_p;
	size_t count = units_of(bytes);

	if (!secret)
		return;
	pthread_mutex_lock(&arena_mutex);
	size_t first = (size_t)(secret - arena.memory) / UNIT_BYTES;
	assert(first < arena.units && count <= arena.units - first);
	assert(arena.taken[first] && arena.taken[first + count - 1]);
	sodium_memzero(secret, count * UNIT_BYTES);
	memset(arena.taken + first, false, count);
	pthread_mutex_unlock(&arena_mutex);
	*secret_p = NULL;
}

enum status process_harden(void)
{
	static const struct rlimit none = { 0, 0 };
	char error[LOG_QUOTED_BYTES];

	if (setrlimit(RLIMIT_CORE, &none) == 0 &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
		return STATUS_OK;
	log_error(NULL, "harden_failed", "error=%s",
	    log_quoted(error, strerror(errno)));
	return STATUS_INTERNAL;
}
