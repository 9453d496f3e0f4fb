#ifndef KEEPSAKE_STORE_TOUCH_H
#define KEEPSAKE_STORE_TOUCH_H

#include "health_db.h"

/*
 * Which snapshots of an account the damage in it touches: all nodes that
 * they reach are read, one after the other.  Only for accounts that have
 * damage, and when somebody asks.
 */

#define TOUCHES_MAX 4 /* accounts that are walked at once */

/**
 * ordinals  of the snapshots, rising; borrowed for the call
 *
 * STATUS_OK           that is all of them
 * STATUS_MALFORMED    the account's snapshots cannot be listed
 * STATUS_NO_SPACE     no memory
 * STATUS_UNAVAILABLE  the database is closing
 */
typedef void touch_done_fn(
    void *arg, enum status status, const uint64_t *ordinals, size_t count);

/**
 * Begin; the walk is on its own from then on.
 *
 * STATUS_PENDING   ${done} will be called once
 * STATUS_BUSY      TOUCHES_MAX are under way
 * STATUS_NO_SPACE  no memory
 * other            as db_scan
 */
enum status touch_start(
    struct db *db, const struct id *account, touch_done_fn *done, void *arg);

#endif
