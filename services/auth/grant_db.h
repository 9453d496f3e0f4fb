#ifndef KEEPSAKE_AUTH_GRANT_DB_H
#define KEEPSAKE_AUTH_GRANT_DB_H

#include "db/db.h"
#include "grant.h"

/*
 * The grants of auth's database, and the only file that knows their rows:
 *
 *   table  key            value
 *   4      terminal (16)  the terminal's grant
 *
 * Errors as those of auth_db.h.
 */

/** Read the grant of ${terminal}; NOT_FOUND where it has none. */
enum status grant_db_get(struct db *db, const struct id *account,
    const struct id *terminal, struct grant *out);

/**
 * The same with the account's generation, which was read before it: a batch
 * that names it is CONFLICT if the grant changed since.
 */
enum status grant_db_watch(struct db *db, const struct id *account,
    const struct id *terminal, struct grant *out, uint64_t *generation_out);

#define GRANTS_MAX 256 /* past TERMINALS_MAX: those that are about to go */

/**
 * All grants of the account, at most GRANTS_MAX.
 *
 * list_out  to be freed with free; NULL where there are none
 */
enum status grant_db_list(struct db *db, const struct id *account,
    struct grant **list_out, size_t *count_out);

/* Parts of a batch. */

void grant_db_put(struct db_batch *batch, const struct grant *grant);

/** The terminal must have a grant, else NOT_FOUND. */
void grant_db_require(struct db_batch *batch, const struct id *terminal);

/** It need not have one. */
void grant_db_delete(struct db_batch *batch, const struct id *terminal);

#endif
