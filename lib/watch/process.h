#ifndef KEEPSAKE_WATCH_PROCESS_H
#define KEEPSAKE_WATCH_PROCESS_H

#include "watch/exposition.h"

/**
 * What the kernel says of this process, under the names that Prometheus's
 * own libraries give it: process_cpu_seconds_total and so on.  What cannot
 * be read is left out.
 */
void process_expose(struct exposition *out);

#endif
