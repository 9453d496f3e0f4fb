#ifndef KEEPSAKE_SERVICE_ORDER_ROWS_H
#define KEEPSAKE_SERVICE_ORDER_ROWS_H

#include "db/db.h"
#include "service/order.h"

/*
 * The orders of a service in its journal: a row for each, by its number, and
 * one that has the highest number there was.
 */

/** A batch that changes them; as db_batch_new. */
struct db_batch *order_rows_batch(void);

void order_rows_put(struct db_batch *batch, const struct order *order);
void order_rows_delete(struct db_batch *batch, uint64_t sequence);

/** There must be no order of that number yet, else CONFLICT. */
void order_rows_forbid(struct db_batch *batch, uint64_t sequence);

/** Keep the highest number: orders below it that are gone were here. */
void order_rows_put_highest(struct db_batch *batch, uint64_t sequence);

/**
 * Read a page of orders above ${after}, the lowest first.
 *
 * out        room for ${limit}
 * count_out  how many it has
 * more_out   there are others
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  a row is damaged; logged
 * STATUS_VERSION    a row is newer than this code; logged
 * other             as db_scan; logged
 */
enum status order_rows_read(struct db *journal, uint64_t after,
    struct order *out, size_t limit, size_t *count_out, bool *more_out);

/** Read the highest number, 0 where there is none; errors likewise. */
enum status order_rows_highest(struct db *journal, uint64_t *sequence_out);

#endif
