#ifndef KEEPSAKE_SERVICE_LEDGER_H
#define KEEPSAKE_SERVICE_LEDGER_H

#include "base/conf.h"
#include "db/db.h"

/*
 * The folder LEDGER of a service holds what no backup takes: the account
 * keys, and the journal, a database of what must not be undone when an older
 * copy of the service's database is put back.
 */

/** Open the journal in ${ledger}, which is there; results as db_open. */
enum status ledger_open_journal(
    struct db **out, const char *ledger, const char *service);

/**
 * Make sure that journal and database belong to each other: both hold the
 * same random id, which is written where there is none.
 *
 * lost_out      the journal was lost or exchanged: it is the database's from
 *               now on, and a warning is in the log
 * since_ms_out  wall time when the journal came to this database; 0 where it
 *               was there from the first day
 *
 * STATUS_OK         both are filled
 * STATUS_MALFORMED  a note is damaged; logged
 * other             as db_note_get and db_note_put
 */
enum status ledger_bind(
    struct db *db, struct db *journal, bool *lost_out, uint64_t *since_ms_out);

#endif
