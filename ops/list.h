#ifndef KEEPSAKE_OPS_LIST_H
#define KEEPSAKE_OPS_LIST_H

#include "ask.h"
#include "base/bytes.h"
#include "ops.pb-c.h"

/**
 * Called with the rows of each page, in order; they are good for the call.
 */
typedef void list_fn(void *arg, Ops__ListRow *const *rows, size_t count);

/**
 * Ask a service for rows, page by page to the last.
 *
 * account  whose; NULL or none: of all accounts
 * begin    the place to begin at, as the service has it; empty: the first
 * by       who asks, where that goes on record; else NULL
 *
 * STATUS_OK  ${each} had them all
 * other      as ops_ask; what came before was given to ${each}
 */
enum status ops_list(struct ops *self, const char *process, uint32_t type,
    const struct id *account, struct slice begin, Ops__By *by, list_fn *each,
    void *arg);

#endif
