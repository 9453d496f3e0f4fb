#ifndef KEEPSAKE_SERVICE_LEDGER_H
#define KEEPSAKE_SERVICE_LEDGER_H

#include "base/conf.h"
#include "db/db.h"
#include "service/keyring.h"

/*
 * The folder LEDGER of a service holds what is not put back with its database,
 * though a backup has a copy of it apart: the account keys, and the journal, a
 * database of what must not be undone when an older copy of the service's
 * database is put back.
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

/*
 * keepsakectl restore --with-ledger leaves these in the ledger, before it
 * puts anything else there; the next start goes through them.
 */
#define LEDGER_RESTORED "restored"         /* it is older than it was */
#define LEDGER_DELETED  "deleted.restored" /* a list, see deletions.h */

/**
 * Where the ledger was put back from a copy: add the deletions that are
 * listed to the journal, and see to it that no account key is given out
 * twice.  Repeated until it was done once.
 *
 * Results as deletions_replay and keyring_restored; logged.
 */
enum status ledger_settle(const char *ledger, struct db *journal, struct db *db,
    struct keyring *keyring);

/**
 * The id that a journal and its database have in common; none where the
 * journal has not been served yet.  Errors as ledger_bind.
 */
enum status ledger_id(struct db *journal, struct id *out);

#endif
