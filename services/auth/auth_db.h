#ifndef KEEPSAKE_AUTH_AUTH_DB_H
#define KEEPSAKE_AUTH_AUTH_DB_H

#include "account.h"
#include "db/db.h"
#include "service/sealed_row.h"

/*
 * What auth keeps, and the only file that knows how.
 *
 *   table  key                       value
 *   1      (empty)                   the account
 *   2      slot (1)                  a credential: record, wrapped root
 *          slot (1) terminal (16)    the same, a terminal's own
 *   3      what (1)                  when the owner was last told of it
 *   5      (empty)                   whether it is disabled
 *
 * Names are in the database's space 1, as their keyed hashes.  Tables 1 and 2
 * are sealed under the account's key (service/sealed_row.h); format 1 had them
 * in clear.  The first byte of each value is the version of its layout, so
 * that another layout, like another table or slot, can come without a
 * migration.  Table 4 is grant_db.h's.
 */

#define AUTH_DB_FORMAT 2

/* For verify.c, which looks at the rows as they are. */
#define AUTH_TABLE_ACCOUNT     1
#define AUTH_TABLE_CREDENTIALS 2
#define AUTH_TABLE_GRANTS      4 /* grant_db.h */

/** Bring a database of an older format here; see struct service_kind. */
enum status auth_db_migrate(struct keyring *keyring, struct db *db);

#define FALSE_ROW_BYTES 320 /* about as long as the longest row */

/** Where the rows are, and what opens them. */
struct auth_rows {
	struct db *db; /* borrowed, as is: */
	struct keyring *keyring;
	/* Opened where there is no row, so that none costs as much. */
	uint8_t false_key[KEY_BYTES];
	uint8_t false_row[FALSE_ROW_BYTES];
};

void auth_rows_init(
    struct auth_rows *self, struct db *db, struct keyring *keyring);

/*
 * Reads.  A row that cannot be understood is logged and INTERNAL; otherwise
 * errors are those of db_get.  Of an account whose key was shredded there is
 * nothing left: NOT_FOUND.
 */

/** Whose name it is; NOT_FOUND where it is nobody's. */
enum status auth_db_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], struct id *account_out);

/**
 * Read an account; NOT_FOUND where there is none.  ${out} is to be wiped
 * after use.
 */
enum status auth_db_account(
    const struct auth_rows *rows, const struct id *id, struct account *out);

/**
 * Read a credential; NOT_FOUND where the account has none in ${slot}.
 * ${out} is to be wiped after use.
 */
enum status auth_db_credential(const struct auth_rows *rows,
    const struct id *id, const struct code_slot *slot, struct credential *out);

/** Whether an operator has disabled the account (O-02). */
enum status auth_db_disabled(
    struct db *db, const struct id *id, bool *disabled_out);

/**
 * Find the code that comes behind ${after} in the order of slots, NULL: the
 * first; NOT_FOUND where there is none.
 */
enum status auth_db_next_code(struct db *db, const struct id *id,
    const struct code_slot *after, struct code_slot *out);

/**
 * When the owner was last told that somebody tried to register the account's
 * address, wall time; NOT_FOUND where that never was.
 */
enum status auth_db_asked_again(
    struct db *db, const struct id *id, uint64_t *told_ms_out);

/** Registered accounts; 0 where the database cannot be read. */
uint64_t auth_db_accounts(struct db *db);

/* Parts of a batch of the account ${id}. */

void auth_db_put_account(const struct auth_rows *rows, struct db_batch *batch,
    const struct id *id, const struct account *account);

void auth_db_put_credential(const struct auth_rows *rows,
    struct db_batch *batch, const struct id *id, const struct code_slot *slot,
    const struct credential *credential);

/** Disable it, or enable it again, at ${now_ms}, wall time. */
void auth_db_put_disabled(
    struct db_batch *batch, bool disabled, uint64_t now_ms);

void auth_db_delete_credential(
    struct db_batch *batch, const struct code_slot *slot);

/** All that is a terminal's own, which is gone for good. */
void auth_db_delete_terminal(struct db_batch *batch, const struct id *terminal);

/** The account must exist, else NOT_FOUND. */
void auth_db_require_account(struct db_batch *batch);

/** The slot must be free, else CONFLICT. */
void auth_db_forbid_credential(
    struct db_batch *batch, const struct code_slot *slot);

/** The slot must hold ${credential} as it was read, else CONFLICT. */
void auth_db_expect_credential(const struct auth_rows *rows,
    struct db_batch *batch, const struct id *id, const struct code_slot *slot,
    const struct credential *credential);

/**
 * Note that the owner is told at ${now_ms}; CONFLICT where that was noted by
 * another since ${told_ms} was read (0: NOT_FOUND was).
 */
void auth_db_put_asked_again(
    struct db_batch *batch, uint64_t told_ms, uint64_t now_ms);

/** Make the name of the account its own for good; see names_confirm. */
void auth_db_confirm_name(
    struct db_batch *batch, const uint8_t hash[static NAME_HASH_BYTES]);

/* Names. */

/** Claim a name for as long as a registration takes; see db_claim. */
enum status auth_db_claim_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], const struct id *account,
    db_done_fn *done, void *arg);

/**
 * Give the claim up before it runs out; see db_unclaim.  A claim that comes
 * after this call, also before the disk has it, finds the name free.
 */
void auth_db_unclaim_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], const struct id *account);

/**
 * Do the work of a claim to no effect, so that two ways to an answer cost
 * the same; see db_claim.
 */
enum status auth_db_claim_nothing(
    struct db *db, const struct id *account, db_done_fn *done, void *arg);

#endif
