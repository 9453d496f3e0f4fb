#ifndef KEEPSAKE_AUTH_ISSUE_H
#define KEEPSAKE_AUTH_ISSUE_H

#include "service/orders.h"
#include "service/service.h"

/*
 * Sends auth's orders to the services that obey them, until each has said
 * that it keeps them; with a sign of life every ORDERS_BEAT_MS, from which a
 * service knows that nothing was revoked behind its back.
 */

#define ORDERS_CONFIRM_MS 4000 /* what who revokes waits for */
#define FOLLOWERS         3    /* store, binding, notify */

/** Services that have not confirmed an order yet; static names. */
struct unconfirmed {
	const char *names[FOLLOWERS + 1]; /* auth itself may be among them */
	size_t count;
};

/**
 * Told what came of an order.
 *
 * status       OK: it is on the disk, and holds; who has not confirmed will
 *              when it is back.  Else as orders_issued_fn, and it does not
 *              hold
 * unconfirmed  borrowed for the call
 */
typedef void issue_done_fn(
    void *arg, enum status status, const struct unconfirmed *unconfirmed);

struct issue;

/** service: its orders and its links, borrowed for good. */
enum status issue_new(struct issue **out, struct service *service);

/** Who still waits is not called any more. */
void issue_destroy(struct issue **self_p);

/**
 * Issue an order; kind, account and subject are the caller's.
 *
 * STATUS_PENDING  ${done} will be called once: when all have confirmed, or
 *                 ORDERS_CONFIRM_MS after it was kept
 * other           as orders_issue
 */
enum status issue_order(struct issue *self, const struct order *order,
    issue_done_fn *done, void *arg);

/** The same without waiting for a service; ${done} as in orders_issue. */
enum status issue_at_once(struct issue *self, const struct order *order,
    orders_issued_fn *done, void *arg);

/** Services that lack an order. */
size_t issue_behind(const struct issue *self);

#endif
