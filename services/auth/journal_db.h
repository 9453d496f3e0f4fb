#ifndef KEEPSAKE_AUTH_JOURNAL_DB_H
#define KEEPSAKE_AUTH_JOURNAL_DB_H

#include "crypto/seal.h"
#include "db/db.h"
#include "lane.h"

/*
 * What auth keeps in its journal, which no backup takes, and the only file
 * that knows how: an older copy of the database does not bring tries back.
 *
 *   table  key                                     value
 *   1      subject (16) code (1) kind (1)          a lane
 *          terminal (16)
 *   2      subject (16) hash (32)                  an invitation
 *   3      subject (16) what (1)                   a moment
 *
 * The hash of an invitation is under auth's names key.
 *
 * A subject is an account, whose rows these are, or stands for a name that
 * is nobody's: such rows lie in one of JOURNAL_BUCKETS accounts that
 * are no person's, by hash, at most JOURNAL_BUCKET_ROWS_MAX in a table, and
 * the one idle longest makes room.  The work is the same for both.
 *
 * Each value begins with the version of its layout (1) and a time (8).
 */

#define JOURNAL_BUCKETS         4096
#define JOURNAL_BUCKET_ROWS_MAX 16

/**
 * Read a lane.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  nobody came by it: ${out} is an empty one
 * STATUS_INTERNAL   the row is damaged; logged
 * other             as db_get
 */
enum status journal_db_lane(
    struct db *journal, const struct lane_key *key, struct lane *out);

/** Begin a batch of the account that has the subject's rows. */
struct db_batch *journal_db_batch(const struct subject *subject);

/**
 * Write a lane.
 *
 * found  as it was read, NULL for NOT_FOUND; CONFLICT where it has changed
 *        since
 *
 * Results as db_scan: the other rows are looked at, to make room.
 */
enum status journal_db_put_lane(struct db *journal, struct db_batch *batch,
    const struct lane_key *key, const struct lane *found,
    const struct lane *lane);

/** Part of a batch of the account: a terminal is gone, and its lanes too. */
void journal_db_delete_terminal(struct db_batch *batch,
    const struct id *account, const struct id *terminal);

/* ---- for the operator (A-08) ---- */

struct lane_listed {
	struct lane_key key;
	struct lane lane; /* aged, and shut */
};

#define LANE_KEY_BYTES (ID_BYTES + 2 + ID_BYTES) /* as stored */

/** Where a listing goes on; all zero to begin. */
struct lane_cursor {
	struct id account;              /* looked into last; none: the first */
	bool inside;                    /* it may have more, behind */
	uint8_t listed[LANE_KEY_BYTES]; /* this one */
	bool ended;
};

/**
 * List the lanes that are shut, in slices: call again until cursor->ended.
 * A call looks at some hundred accounts, and may find nothing in them.
 *
 * account    only this one's; NULL for all
 * out        room for ${limit}, at least 1
 * count_out  how many were written
 *
 * Errors as db_accounts.  A damaged row is logged and passed over.
 */
enum status journal_db_shut_lanes(struct db *journal, const struct id *account,
    uint64_t now_ms, struct lane_cursor *cursor, struct lane_listed *out,
    size_t limit, size_t *count_out);

/* ---- moments ---- */

/** Stored: append, never renumber. */
enum moment {
	MOMENT_INVITED = 1, /* a stranger last asked for an invitation */
	MOMENT_TRUSTED = 2, /* an operator opened all lanes without a row */
	MOMENT_NOTHING = 3, /* written instead of a notice to nobody */
};

/** When it was, wall time; NOT_FOUND: never.  Errors as journal_db_lane. */
enum status journal_db_moment(struct db *journal, const struct subject *subject,
    enum moment moment, uint64_t *when_ms_out);

/** Write it; results as journal_db_put_lane, but for the guard. */
enum status journal_db_put_moment(struct db *journal, struct db_batch *batch,
    const struct subject *subject, enum moment moment, uint64_t when_ms);

/** It must be as it was read (0: NOT_FOUND was), else CONFLICT. */
void journal_db_expect_moment(struct db_batch *batch,
    const struct subject *subject, enum moment moment, uint64_t when_ms);

void journal_db_delete_moment(
    struct db_batch *batch, const struct subject *subject, enum moment moment);

/* ---- invitations (A-07) ---- */

#define INVITATIONS_MAX       4 /* of a subject; the first to expire goes */
#define INVITATION_GOOD_MS    (24ull * 60 * 60 * 1000)
#define INVITATION_HASH_BYTES KEY_BYTES

/** When it expires; NOT_FOUND: there is none.  Errors as journal_db_lane. */
enum status journal_db_invitation(struct db *journal,
    const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES], uint64_t *expiry_ms_out);

/** Write it; results as journal_db_put_lane, but for the guard. */
enum status journal_db_put_invitation(struct db *journal,
    struct db_batch *batch, const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES], uint64_t expiry_ms);

void journal_db_delete_invitation(struct db_batch *batch,
    const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES]);

#endif
