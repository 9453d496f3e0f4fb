#include "base/heap.h"

#include <malloc.h>

#define MAPPED_BYTES_MIN (4 * 1024 * 1024)  /* from here on mmap */
#define KEPT_BYTES_MAX   (16 * 1024 * 1024) /* free memory that is kept */

void heap_tune(void)
{
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
	mallopt(M_ARENA_MAX, 1);
}
