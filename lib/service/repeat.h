#ifndef KEEPSAKE_SERVICE_REPEAT_H
#define KEEPSAKE_SERVICE_REPEAT_H

#include "service/server.h"

/**
 * ${x} is a repeat of ${under_way}: the answer goes to the newer sender, whose
 * envelope is moved out of ${x}.
 *
 * Where that is another gateway the former one is answered with UNAVAILABLE:
 * it would wait, and hold what it has under way, for an answer that goes
 * elsewhere.
 */
void repeat_take_over(struct exchange *x, struct exchange *under_way);

#endif
