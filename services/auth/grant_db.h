#ifndef KEEPSAKE_AUTH_GRANT_DB_H
#define KEEPSAKE_AUTH_GRANT_DB_H

#include "grant.h"
#include "service/sealed_row.h"

/*
 * The grants of auth's database, and the only file that knows their rows:
 *
 *   table  key            value, sealed (service/sealed_row.h)
 *   4      terminal (16)  the terminal's grant
 *
 * A row that cannot be understood is logged and INTERNAL; otherwise errors
 * are those of sealed_row_get.
 */

/** Read the grant of ${terminal}; NOT_FOUND where it has none. */
enum status grant_db_get(struct keyring *keyring, struct db *db,
    const struct id *account, const struct id *terminal, struct grant *out);

/**
 * The same with the account's generation, which was read before it: a batch
 * that names it is CONFLICT if the grant changed since.
 */
enum status grant_db_watch(struct keyring *keyring, struct db *db,
    const struct id *account, const struct id *terminal, struct grant *out,
    uint64_t *generation_out);

#define GRANTS_MAX 256 /* past TERMINALS_MAX: those that are about to go */

/**
 * All grants of the account, at most GRANTS_MAX.
 *
 * list_out  to be freed with free; NULL where there are none
 */
enum status grant_db_list(struct keyring *keyring, struct db *db,
    const struct id *account, struct grant **list_out, size_t *count_out);

/* Parts of a batch. */

/** What goes wrong is db_submit's answer; see sealed_row_put. */
void grant_db_put(struct keyring *keyring, struct db *db,
    struct db_batch *batch, const struct id *account,
    const struct grant *grant);

/** The terminal must have a grant, else NOT_FOUND. */
void grant_db_require(struct db_batch *batch, const struct id *terminal);

/** It need not have one. */
void grant_db_delete(struct db_batch *batch, const struct id *terminal);

#endif
