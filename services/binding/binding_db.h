#ifndef KEEPSAKE_BINDING_DB_H
#define KEEPSAKE_BINDING_DB_H

#include "db/db.h"
#include "terminal.h"

/*
 * The rows of binding, in the account that a terminal is bound to: one for
 * each terminal, by its CURVE key.  Key, IMEI and serial number are global
 * names as well, which no two accounts can have.
 */

#define BINDING_DB_FORMAT 2

/** Kinds of global names.  Stored: append, never renumber. */
enum name_space {
	NAME_PEER_KEY = 1,
	NAME_IMEI = 2,
	NAME_SERIAL = 3,
};

struct name {
	enum name_space space;
	struct slice text;
};

#define TERMINAL_NAMES_MAX 3

/**
 * List the names of ${terminal}, the key first; they borrow from it.
 * Returns how many.
 */
size_t binding_db_names(struct name out[static TERMINAL_NAMES_MAX],
    const struct terminal *terminal);

/** Whose a name is; results as db_name_get. */
enum status binding_db_owner(
    struct db *db, const struct name *name, struct id *account_out);

/**
 * Claim a name for 30 s.  What was won when a later claim is lost runs out
 * by itself: to release it could take it from another binding of the same
 * account that has confirmed it meanwhile.  Results as db_claim.
 */
enum status binding_db_claim(struct db *db, const struct name *name,
    const struct id *account, db_done_fn *done, void *arg);

/**
 * Read the terminal of ${account} with this key.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  none
 * STATUS_VERSION    its row is newer than this code
 * STATUS_MALFORMED  its row is damaged
 * other             as db_get
 */
enum status binding_db_terminal(struct db *db, const struct id *account,
    const uint8_t peer_key[static TERMINAL_KEY_BYTES], struct terminal *out);

/**
 * Read all terminals of ${account}.
 *
 * generation_out  the account's, of the same moment; or NULL
 *
 * Errors as binding_db_terminal; none is OK with a count of 0.
 */
enum status binding_db_terminals(struct db *db, const struct id *account,
    struct terminal out[static ACCOUNT_TERMINALS_MAX], size_t *count_out,
    uint64_t *generation_out);

/** Add ${terminal} to its account's batch and confirm its names. */
void binding_db_put_terminal(
    struct db_batch *batch, const struct terminal *terminal);

/**
 * Count the terminals of all accounts, and the accounts that have one.
 * Reads through the whole database.
 */
enum status binding_db_count(
    struct db *db, uint64_t *terminals_out, uint64_t *accounts_out);

#endif
