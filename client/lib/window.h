#ifndef KEEPSAKE_CLIENT_WINDOW_H
#define KEEPSAKE_CLIENT_WINDOW_H

#include <stddef.h>
#include <stdint.h>

/*
 * How much of a transfer may be under way at a time, in bytes or in requests:
 * what the link carries in some seconds.  More would wait in front of a slow
 * link until its deadline has passed; less would leave a fast one idle.
 */

struct window {
	size_t size;     /* may be under way */
	size_t min, max; /* bounds of it */
};

/** Note that ${amount} was answered, ${waited_ms} after it was sent. */
void window_answered(struct window *self, size_t amount, uint64_t waited_ms);

#endif
