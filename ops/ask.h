#ifndef KEEPSAKE_OPS_ASK_H
#define KEEPSAKE_OPS_ASK_H

#include "bus/bus.h"
#include "bus/caller.h"
#include "command.h"

/** Open the bus with the key of ops; what fails is said. */
enum status ask_open_bus(struct ops *self, struct bus **out);

/** Connect to the operator socket of ${process}: "auth", "gateway", …. */
enum status ask_connect(struct ops *self, struct bus *bus, struct loop *loop,
    const char *process, struct caller **out);

/**
 * Ask one process one thing, and wait for the answer.
 *
 * process  "auth", "gateway", …
 * ask_ms   how long to wait
 * body     packed
 * reply    NULL, or the caller's: the body of the answer, when OK
 *
 * Returns the answer's status; any but OK is said on standard error, with
 * the process's name and its detail.
 */
enum status ask_one(struct ops *self, const char *process, uint32_t type,
    uint32_t ask_ms, struct slice body, struct bytes *reply);

#endif
