#ifndef KEEPSAKE_SERVICE_SEALED_ROW_H
#define KEEPSAKE_SERVICE_SEALED_ROW_H

#include "service/keyring.h"

/*
 * Rows sealed at rest (K-08): whatever a service could read of an account is
 * sealed under the account's key, and bound to service, table and row key,
 * so that a row that is put in another's place does not open.  The value is
 *
 *   version 2 (1), sealed plaintext (see crypto/seal.h)
 *
 * Version 1 of any table was in clear.
 */

#define SEALED_ROW_VERSION     2
#define SEALED_ROW_EXTRA       (1 + SEAL_EXTRA_BYTES)
#define SEALED_PLAIN_BYTES_MAX (DB_VALUE_BYTES_MAX - SEALED_ROW_EXTRA)

/**
 * Add a row to a batch of ${account}.  What goes wrong is db_submit's
 * answer: CONFLICT where the account's key was shredded, as for an account
 * that is gone; TOO_LARGE past SEALED_PLAIN_BYTES_MAX; or as keyring_take.
 *
 * db  the service's, which knows the account's key
 */
void sealed_row_put(struct keyring *keyring, struct db *db,
    struct db_batch *batch, const struct id *account, uint8_t table,
    struct slice key, struct slice plain);

/**
 * Open a value that was read.
 *
 * plain_out  the caller's; its former contents go
 *
 * STATUS_OK         ${plain_out} is what was sealed
 * STATUS_EXPIRED    the account's key was shredded
 * STATUS_VERSION    of a newer program; logged
 * STATUS_MALFORMED  damaged, or another's; logged
 * other             as keyring_find
 */
enum status sealed_row_open(struct keyring *keyring, struct db *db,
    const struct id *account, uint8_t table, struct slice key,
    struct slice value, struct bytes *plain_out);

/** Read a row and open it; results as db_get and sealed_row_open. */
enum status sealed_row_get(struct keyring *keyring, struct db *db,
    const struct id *account, uint8_t table, struct slice key,
    struct bytes *plain_out);

/**
 * Seal the rows of a table that are still in clear, in every account.  Waits
 * for the disk: for a migration.  Cut short anywhere it can be repeated.
 *
 * version  the first byte of a row in clear, which is not sealed with it;
 *          0: such rows have none, and are sealed whole
 *
 * STATUS_OK         all rows are sealed
 * STATUS_MALFORMED  a row is neither; logged
 * other             as db_scan and db_submit_wait
 */
enum status sealed_rows_migrate(
    struct keyring *keyring, struct db *db, uint8_t table, uint8_t version);

#endif
