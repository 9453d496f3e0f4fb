#ifndef KEEPSAKE_BASE_UTIL_H
#define KEEPSAKE_BASE_UTIL_H

#include <stddef.h>

/** Items of an array (not of a pointer). */
#define nitems(array) (sizeof(array) / sizeof((array)[0]))

/** The struct that ${member} at ${pointer} is part of. */
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Both are evaluated twice: no calls in them. */
#define max_of(a, b) ((a) > (b) ? (a) : (b))
#define min_of(a, b) ((a) < (b) ? (a) : (b))

#endif
