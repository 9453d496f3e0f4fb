#ifndef KEEPSAKE_SERVICE_ERASE_H
#define KEEPSAKE_SERVICE_ERASE_H

#include "bus/loop.h"
#include "db/db.h"

/*
 * Deleting all that a service has of an account, whatever it is:
 * blobs, rows and names, in slices, then the account itself, of which a
 * tombstone stays.
 *
 * So that names can be released without knowing what they are, whoever
 * confirms one keeps a row of it: names_confirm.
 */

/**
 * Confirm a claimed name in a batch of its account; see db_batch_confirm.
 * The name and what its bytes 0 and 1 are escaped by fill a row's key at
 * most: any name of 240 bytes fits.
 */
void names_confirm(struct db_batch *batch, uint8_t space, struct slice name);

/** Give a name up; see db_batch_release. */
void names_release(struct db_batch *batch, uint8_t space, struct slice name);

/**
 * Write the rows of all names that were confirmed before there were such
 * rows.  Waits for the disk: for a migration; can be repeated.  Results as
 * db_names and db_submit_wait.
 */
enum status names_migrate(struct db *db);

struct erase;

/** Told when an account is gone, once. */
typedef void erased_fn(void *arg, const struct id *account);

/** erased  may be NULL */
enum status erase_new(struct erase **out, struct db *db, struct loop *loop,
    erased_fn *erased, void *arg);

/** When its database has stopped: see db_stop. */
void erase_destroy(struct erase **self_p);

/**
 * Begin, or go on after a restart; the account's key was shredded.  A batch
 * of the account that comes meanwhile does no harm: what it writes goes too.
 * Nothing there is fine, and also leaves a tombstone; where that is there
 * already ${erased} is called at once.  Faults are logged and tried again.
 *
 * STATUS_OK        ${erased} is or will be called
 * STATUS_NO_SPACE  no memory
 */
enum status erase_account(struct erase *self, const struct id *account);

#endif
