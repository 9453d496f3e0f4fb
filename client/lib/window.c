#include "window.h"

#include "base/util.h"

#define SOON_MS 2000  /* twice as much each time that all is answered */
#define LATE_MS 20000 /* half as much, with each answer */

void window_answered(struct window *self, size_t amount, uint64_t waited_ms)
{
	if (waited_ms <= SOON_MS)
		self->size += min_of(amount, self->max - self->size);
	else if (waited_ms >= LATE_MS)
		self->size = max_of(self->size / 2, self->min);
}
