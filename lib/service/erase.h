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

/** Confirm a claimed name in a batch of its account; see db_batch_confirm. */
void names_confirm(struct db_batch *batch, uint8_t space, struct slice name);

/** Give a name up; see db_batch_release. */
void names_release(struct db_batch *batch, uint8_t space, struct slice name);

struct erase;

/** Told when an account is gone, or with why it could not be (tried again
 * by itself): OK once. */
typedef void erased_fn(void *arg, const struct id *account);

enum status erase_new(struct erase **out, struct db *db, struct loop *loop,
    erased_fn *erased, void *arg);
void erase_destroy(struct erase **self_p);

/**
 * Begin, or go on after a restart.  A batch of the account that comes
 * meanwhile does no harm: what it writes goes too.  Nothing there is fine.
 * Faults are logged and tried again.
 */
enum status erase_account(struct erase *self, const struct id *account);

#endif
