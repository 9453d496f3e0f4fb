#ifndef KEEPSAKE_BINDING_DB_H
#define KEEPSAKE_BINDING_DB_H

#include "db/db.h"
#include "entry.h"
#include "service/keyring.h"
#include "terminal.h"

/*
 * What binding keeps, in the account that it belongs to: a row for each
 * terminal, by its CURVE key, and for each card, by its ICCID.  They are
 * sealed under the account's key (K-08).  Keys, IMEIs, serial numbers and
 * ICCIDs are global names as well, which no two accounts can have; of those
 * the database has keyed hashes only.
 */

#define BINDING_DB_FORMAT 2

/** What the functions here work on; both are borrowed. */
struct binding_db {
	struct db *db;
	struct keyring *keyring;
};

/**
 * Bring a database of an older format to this one, as db_options.migrate
 * wants it; ${self} is of that database.  What fails is logged.
 */
enum status binding_db_migrate(const struct binding_db *self, uint32_t from);

/* ---- names ---- */

/** Kinds of global names.  Stored: append, never renumber. */
enum name_space {
	NAME_PEER_KEY = 1,
	NAME_IMEI = 2,
	NAME_SERIAL = 3,
	NAME_ICCID = 4,
};

#define NAME_HASH_BYTES    32
#define TERMINAL_NAMES_MAX 3

struct name {
	enum name_space space;
	uint8_t hash[NAME_HASH_BYTES]; /* keyed, of space and text */
};

struct names {
	struct name list[TERMINAL_NAMES_MAX];
	size_t count;
};

/** The name that ${text} is in ${space}. */
struct name binding_db_name(
    const struct binding_db *self, enum name_space space, struct slice text);

/** All names of ${terminal}, the key first. */
struct names binding_db_names(
    const struct binding_db *self, const struct terminal *terminal);

/** Whose a name is; results as db_name_get. */
enum status binding_db_owner(const struct binding_db *self,
    const struct name *name, struct id *account_out);

/**
 * Claim a name for 30 s.  What was won when a later claim is lost runs out
 * by itself: to release it could take it from another binding of the same
 * account that has confirmed it meanwhile.  Results as db_claim.
 */
enum status binding_db_claim(const struct binding_db *self,
    const struct name *name, const struct id *account, db_done_fn *done,
    void *arg);

/* ---- an account ---- */

/** What a change of an account begins with: personal data, to be wiped. */
struct account_view {
	struct id id;
	uint64_t generation; /* read first: the rows are no older */
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	size_t terminals_count;
	size_t entries_count;
};

/**
 * Read an account that is about to be changed.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_EXPIRED    the account was deleted
 * STATUS_VERSION    a row is newer than this code; logged
 * STATUS_MALFORMED  a row is damaged; logged
 * other             as db_get, or keyring_find
 */
enum status binding_db_view(const struct binding_db *self,
    const struct id *account, struct account_view *out);

/** A batch that expects the account as it was viewed. */
struct db_batch *binding_db_batch(const struct account_view *view);

/* ---- terminals ---- */

/**
 * Read the terminal of ${account} with this key.
 *
 * STATUS_NOT_FOUND  none
 * others            as binding_db_view
 */
enum status binding_db_terminal(const struct binding_db *self,
    const struct id *account, const uint8_t peer_key[static TERMINAL_KEY_BYTES],
    struct terminal *out);

/**
 * Read all terminals of ${account}; results as binding_db_view, and none is
 * OK with a count of 0.
 */
enum status binding_db_terminals(const struct binding_db *self,
    const struct id *account, struct terminal out[static ACCOUNT_TERMINALS_MAX],
    size_t *count_out);

/** Write ${terminal} and confirm its names, which are claimed. */
void binding_db_put_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct id *account,
    const struct terminal *terminal);

/** Remove ${terminal} and give its names up. */
void binding_db_delete_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct terminal *terminal);

/** Put ${after} into the place of ${before}, with its names. */
void binding_db_replace_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct id *account,
    const struct terminal *before, const struct terminal *after);

/* ---- entries ---- */

/**
 * Read an entry of ${account}; its data may be secret.
 *
 * STATUS_NOT_FOUND  none of this ICCID
 * others            as binding_db_view
 */
enum status binding_db_entry(const struct binding_db *self,
    const struct id *account, const char *iccid, struct entry *out);

/**
 * Read all entries of ${account}.
 *
 * out        room for ACCOUNT_ENTRIES_MAX
 *
 * Results as binding_db_view; none is OK with a count of 0.
 */
enum status binding_db_entries(const struct binding_db *self,
    const struct id *account, struct entry *out, size_t *count_out);

/** Write ${entry}; a new one's name is claimed. */
void binding_db_put_entry(const struct binding_db *self, struct db_batch *batch,
    const struct id *account, const struct entry *entry);

/* ---- figures ---- */

struct binding_figures {
	uint64_t accounts; /* that have a terminal */
	uint64_t terminals;
	uint64_t entries;
};

/** Add what ${account} has to ${out}. */
enum status binding_db_count_account(const struct binding_db *self,
    const struct id *account, struct binding_figures *out);

/** Count through the whole database. */
enum status binding_db_count(
    const struct binding_db *self, struct binding_figures *out);

#endif
