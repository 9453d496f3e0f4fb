#ifndef KEEPSAKE_SERVICE_ORDER_TABLE_H
#define KEEPSAKE_SERVICE_ORDER_TABLE_H

#include "service/order.h"

/*
 * The orders in force, by account, in memory: each request with a ticket
 * looks here.
 */

/** What is ordered of one account; its fields are for reading. */
struct account_orders {
	struct id account;
	bool deleted;
	struct order *revocations; /* owned; none where it is deleted */
	size_t revocations_count;
	/* From here on order_table.c's. */
	size_t revocations_capacity;
	struct account_orders *next;
};

struct order_table;

/** NULL without memory. */
struct order_table *order_table_new(void);
void order_table_destroy(struct order_table **self_p);

/** NULL: nothing is ordered of it.  Good until the table changes. */
const struct account_orders *order_table_find(
    const struct order_table *self, const struct id *account);

/**
 * Add an order, and drop those that it covers; one that is there already is
 * not added again.
 *
 * STATUS_OK        it is in force
 * STATUS_NO_SPACE  no memory
 */
enum status order_table_add(
    struct order_table *self, const struct order *order);

/**
 * Take revocations that are over out of the table.
 *
 * out  room for ${limit}; returns how many there are in it
 */
size_t order_table_take_over(
    struct order_table *self, uint64_t now_ms, struct order *out, size_t limit);

size_t order_table_revocations(const struct order_table *self);
size_t order_table_deletions(const struct order_table *self);

#endif
