#ifndef KEEPSAKE_BUS_ZAP_H
#define KEEPSAKE_BUS_ZAP_H

#include "bus/bus.h"

/*
 * The ZAP handler (ZeroMQ RFC 27): asked by libzmq for each CURVE
 * connection whether the key may come in by that door.
 */

struct zap;

#define SELF_TEST_DOOR "self-test" /* refusals there are as they should be */

/**
 * Start the thread of the handler.
 *
 * context  of libzmq; borrowed, must outlive the handler
 */
enum status zap_new(void *context, struct zap **out);

/** Stop the thread, once the doors are closed: none refuses without it. */
void zap_destroy(struct zap **self_p);

/** Set who may come in by ${door}; before that nobody may. */
enum status zap_allow(
    struct zap *self, const char *door, const struct allow_list *allow);

#endif
