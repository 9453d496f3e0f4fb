#ifndef KEEPSAKE_BUS_LOOP_H
#define KEEPSAKE_BUS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/*
 * One event loop a thread: ZeroMQ sockets, file descriptors, timers.
 * Nothing called from it may block.
 */

struct loop;

typedef void loop_fn(void *arg);

enum status loop_new(struct loop **out);
void loop_destroy(struct loop **self_p);

/**
 * Call ${ready}(${arg}) whenever ${socket}, a ZeroMQ socket, can be read.
 * It is level-triggered: what is left unread is called for again.
 *
 * STATUS_NO_SPACE  no memory
 * STATUS_INTERNAL  libzmq has no descriptor for it
 */
enum status loop_watch_socket(
    struct loop *self, void *socket, loop_fn *ready, void *arg);

/** The same for a file descriptor. */
enum status loop_watch_fd(struct loop *self, int fd, loop_fn *ready, void *arg);

/** Watch it no longer; unknown ones are fine.  Allowed inside callbacks. */
void loop_forget_socket(struct loop *self, const void *socket);
void loop_forget_fd(struct loop *self, int fd);

/** A timer; its owner's, all zero but the first two until it is set. */
struct timer {
	loop_fn *fired;
	void *arg;
	uint64_t due_ms; /* on clock_interval_ms */
	struct timer *next, *previous;
	bool is_set;
};

/** Let ${timer} fire once, in ${in_ms} from now; a set one is set anew. */
void loop_timer_set(struct loop *self, struct timer *timer, uint64_t in_ms);

/** Not to fire after all; fine for one that is not set. */
void loop_timer_cancel(struct loop *self, struct timer *timer);

/** Run until loop_stop. */
enum status loop_run(struct loop *self);

/** Make loop_run return after the callback that runs; from its thread. */
void loop_stop(struct loop *self);

#endif
