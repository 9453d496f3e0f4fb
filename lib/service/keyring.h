#ifndef KEEPSAKE_SERVICE_KEYRING_H
#define KEEPSAKE_SERVICE_KEYRING_H

#include <stdbool.h>

#include "base/conf.h"
#include "crypto/seal.h"
#include "db/db.h"
#include "service/master.h"

/*
 * The keys that seal at rest what a service could read (K-08): one for each
 * account and one of the service itself, each in a slot of the file
 * LEDGER/account.keys, wrapped by the service's master key.  No backup takes
 * that file, and a slot is overwritten in place when its account is deleted:
 * the rows that are left in free pages and in older copies of the database
 * can then be read by nobody.
 *
 * Slots are made in advance, so a new account costs no sync of its own:
 * which slot is the account's is a row of its first batch.
 *
 * The master key is in KEYS/SERVICE.master, see master.h; how the file looks
 * is keyfile.h's affair.  All is for one thread.
 */

struct keyring;

/** The key of an account; to be wiped after use. */
struct account_key {
	uint8_t bytes[KEY_BYTES];
	uint32_t slot;
	bool fresh; /* the account had none: keyring_put is needed */
};

/**
 * Open the file, or make it.
 *
 * ledger   folder
 * create   whether a missing file is made: only for a database without
 *          anything sealed in it
 *
 * STATUS_OK         ${out} is the caller's, for keyring_destroy
 * STATUS_NOT_FOUND  there is none, and ${create} is false; logged
 * STATUS_DENIED     none of the master keys opens it; logged
 * STATUS_MALFORMED  it is damaged; logged
 * STATUS_CONFLICT   it is another service's; logged
 * STATUS_VERSION    a newer program has written it; logged
 * other             as master_read and file_read_secret; logged
 */
enum status keyring_new(struct keyring **out, const struct conf *conf,
    const char *service, const char *ledger, bool create);

void keyring_destroy(struct keyring **self_p);

/** Whose it is: "auth"; lives as long as the keyring. */
const char *keyring_service(const struct keyring *self);

/**
 * The account's key.
 *
 * db  the service's database, which knows the slot
 *
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  the account has none
 * STATUS_EXPIRED    it was shredded
 * STATUS_MALFORMED  its slot, or the row that says which, is damaged; logged
 * other             as db_get, or the file cannot be read; logged
 */
enum status keyring_find(struct keyring *self, struct db *db,
    const struct id *account, struct account_key *out);

/**
 * The same, and where the account has no key yet, a fresh one, which is its
 * own once a batch with keyring_put is committed.  Asked again before that
 * it is the same one.
 *
 * STATUS_NO_SPACE  the disk is full; logged
 */
enum status keyring_take(struct keyring *self, struct db *db,
    const struct id *account, struct account_key *out);

/**
 * Part of every batch that writes rows sealed under ${key}: adds nothing
 * where it is not fresh, else two operations.  CONFLICT where another batch
 * has given the account another key, which takes thousands of new accounts
 * at once: read again, and then decide.
 */
void keyring_put(struct db_batch *batch, const struct account_key *key);

/**
 * Give every account of ${db} a key that has none.  Waits for the disk: for
 * a migration; can be repeated.  Results as keyring_take and db_submit.
 */
enum status keyring_migrate(struct keyring *self, struct db *db);

/** A key of the service itself for what ${label} says; to be wiped. */
void keyring_derive(const struct keyring *self, const char *label,
    uint8_t out[static KEY_BYTES]);

/**
 * Overwrite the account's key, and sync.  From now on keyring_find says
 * EXPIRED.  Blocks for the time of the sync.
 *
 * STATUS_OK           it is gone, or there never was one
 * STATUS_UNAVAILABLE  the file cannot be written; logged
 * other               as db_get, or the row that says which is damaged
 */
enum status keyring_shred(
    struct keyring *self, struct db *db, const struct id *account);

/**
 * The file is an older copy of the one that ${db} was sealed by: see to it
 * that none of the slots that accounts have is given out again.  Before
 * anything else is done with it; can be repeated.
 *
 * lost_out  accounts whose key is in the copy no more: what is sealed under
 *           it can be read by nobody, as if it were shredded
 *
 * Results as keyring_take and db_accounts.
 */
enum status keyring_restored(
    struct keyring *self, struct db *db, uint64_t *lost_out);

/**
 * Read the master file again and wrap every slot under its first key: into
 * a new file, which takes the place of the old one; the old one is
 * overwritten.  Blocks; about a second for a million accounts.
 *
 * STATUS_OK  all slots are under the first key; ${count_out} of them, and
 *            ${id_out} says which key that is
 * other      as keyring_new; the former file stays as it was
 */
enum status keyring_rotate(struct keyring *self, const struct conf *conf,
    uint64_t *count_out, uint8_t id_out[static MASTER_ID_BYTES]);

#endif
