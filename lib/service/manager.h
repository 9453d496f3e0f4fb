#ifndef KEEPSAKE_SERVICE_MANAGER_H
#define KEEPSAKE_SERVICE_MANAGER_H

#include "bus/loop.h"

/*
 * What a service manager that started the process is told, by datagrams to
 * the socket that NOTIFY_SOCKET names: sd_notify(3), of which this is all
 * that is needed.  Without NOTIFY_SOCKET nothing is told.
 */

struct manager {
	struct loop *loop;
	struct timer watchdog; /* sends that the loop turns */
	uint64_t watchdog_ms;  /* how often; 0: nobody waits for it */
};

/**
 * Tell that the process serves from now on, and, where WATCHDOG_USEC says
 * how long it may be silent, from then on twice as often that the loop
 * turns.  WATCHDOG_PID is not looked at: of the gateway it is the bearer that
 * serves.
 *
 * loop  outlives ${self}, or manager_end comes first
 */
void manager_ready(struct manager *self, struct loop *loop);

/** Tell that it stops; the watchdog goes on until manager_end. */
void manager_stopping(void);

void manager_end(struct manager *self);

#endif
