#ifndef KEEPSAKE_NOTIFY_DB_H
#define KEEPSAKE_NOTIFY_DB_H

#include <stdbool.h>

#include "crypto/ticket.h"
#include "db/db.h"
#include "delivery.h"
#include "notice.h"
#include "rules.h"
#include "service/keyring.h"

/*
 * The rows of notify, in the account that is told.  A notice arrives, waits
 * until the account's terminals are known, is then delivered to each of
 * them, and goes with its last delivery; what is given up is kept as a dead
 * letter.  Reading functions return, besides what they say, the errors of
 * db_get, STATUS_VERSION for a row that is newer than this code, and
 * STATUS_MALFORMED for a damaged one, both logged, and STATUS_EXPIRED where
 * the account's key was shredded.
 */

#define NOTIFY_DB_FORMAT 2

/** The database, and what its rows are sealed by; both borrowed. */
struct notify_db {
	struct db *db;
	struct keyring *keyring;
};

/** Bring a database of format 1 to NOTIFY_DB_FORMAT; for a migration. */
enum status notify_db_migrate(struct notify_db *self);

/* ---- notices ---- */

/** When ${id} was told; NOT_FOUND where it was not, or long ago. */
enum status notify_db_told(struct notify_db *self, const struct id *account,
    const struct id *id, struct notice_key *out);

/** Add a notice that has arrived, packed; CONFLICT where its id was told. */
void notify_db_put_arrived(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key,
    struct slice packed);

/** The same for one that is not to be told: only its id is kept. */
void notify_db_put_told(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key);

/** Forget a few of the ids that were told before ${before_ms}. */
void notify_db_forget_told(struct notify_db *self, struct db_batch *batch,
    const struct id *account, uint64_t before_ms);

/** Whether a notice has arrived that is not yet on its way to terminals. */
enum status notify_db_has_arrived(
    struct notify_db *self, const struct id *account, bool *out);

/**
 * Put the oldest notices that have arrived on their way to ${terminals}, due
 * at ${now_ms}, as many as one batch takes.
 *
 * count_out  how many; 0: there are none, and the batch is empty
 * more_out   whether there are others
 */
enum status notify_db_expand(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct recipients *terminals,
    uint64_t now_ms, size_t *count_out, bool *more_out);

/** Copy the packed notice; NOT_FOUND where it is gone. */
enum status notify_db_notice(struct notify_db *self, const struct id *account,
    const struct notice_key *key, struct bytes *packed_out);

/* ---- deliveries ---- */

/**
 * Read what waits for a terminal, oldest first.
 *
 * after     resume behind this one; NULL to begin
 * more_out  whether there are others
 */
enum status notify_db_deliveries(struct notify_db *self,
    const struct id *account, const struct id *terminal,
    const struct notice_key *after,
    struct delivery out[static DELIVERY_BATCH_MAX], size_t *count_out,
    bool *more_out);

/** Count what waits for a terminal. */
enum status notify_db_waiting(struct notify_db *self, const struct id *account,
    const struct id *terminal, uint64_t *count_out);

/** Note a try; NOT_FOUND where the delivery is gone meanwhile. */
void notify_db_put_attempt(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct id *terminal,
    const struct delivery *delivery);

/**
 * Delete a terminal's delivery of a notice, and with the last one the
 * notice; CONFLICT where the notice has changed meanwhile.
 *
 * last_out  whether it was the last
 *
 * STATUS_NOT_FOUND  it is gone already; nothing added to the batch
 */
enum status notify_db_acknowledge(struct notify_db *self,
    struct db_batch *batch, const struct id *account, const struct id *terminal,
    const struct id *notice, bool *last_out);

/* ---- what is given up: notify_db_bury.c ---- */

/** What a batch of dead letters changes. */
struct buried {
	uint64_t notices;    /* gone */
	uint64_t deliveries; /* gone */
	uint64_t letters;    /* new */
};

/**
 * Make dead letters of the oldest notices that came before ${before_ms}, as
 * many as one batch takes; none is OK with an empty batch.  CONFLICT or
 * NOT_FOUND where one of them has changed meanwhile.
 */
enum status notify_db_bury(struct notify_db *self, struct db_batch *batch,
    const struct id *account, uint64_t before_ms, uint64_t now_ms,
    struct buried *out);

/* ---- what the owner wants: notify_db_rules.c ---- */

/** Read the account's rules; none was set is OK. */
enum status notify_db_rules(
    struct notify_db *self, const struct id *account, struct rules *out);
void notify_db_put_rules(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct rules *rules);

/* ---- subscriptions: notify_db_leases.c ---- */

/** A subscription that outlives a restart. */
struct lease {
	struct id terminal;
	uint64_t opened_ms; /* wall time */
	uint64_t issued_ms; /* of its ticket, as the next two */
	uint8_t nonce[TICKET_NONCE_BYTES];
	uint8_t peer[TICKET_PEER_BYTES];
};

#define LEASES_A_PAGE 64

enum status notify_db_lease(struct notify_db *self, const struct id *account,
    const struct id *terminal, struct lease *out);
void notify_db_put_lease(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct lease *lease);
void notify_db_delete_lease(struct db_batch *batch, const struct id *terminal);

/** Read the leases of an account, the first page of them. */
enum status notify_db_leases(struct notify_db *self, const struct id *account,
    struct lease out[static LEASES_A_PAGE], size_t *count_out);

/* ---- for the operator: notify_db_letters.c ---- */

#define QUEUE_PLACE_BYTES_MAX 48
#define QUEUE_PAGE_MAX        100

/** Where a row stands in its account's list, to go on behind it. */
struct queue_place {
	uint8_t bytes[QUEUE_PLACE_BYTES_MAX];
	size_t len; /* 0: before the first */
};

#define GIST_FIGURES_BYTES 512

/** What a notice says, for people; all zero where it is gone. */
struct gist {
	unsigned int kind;
	char figures[GIST_FIGURES_BYTES]; /* "ordinal=3 chunks=40" */
};

/** A notice that waits: for a terminal, or for its terminals to be known. */
struct queued {
	struct queue_place place;
	struct delivery delivery; /* due_ms 0: no try is due yet */
	struct id terminal;       /* none: not known yet */
	struct gist gist;         /* of the notice */
};

/**
 * Read what waits in an account: deliveries, then what has arrived.
 *
 * after      go on behind this place, which may be anything
 * count_out  how many; fewer than QUEUE_PAGE_MAX is the end
 */
enum status notify_db_queue(struct notify_db *self, const struct id *account,
    const struct queue_place *after, struct queued out[static QUEUE_PAGE_MAX],
    size_t *count_out);

/** A delivery that was given up. */
struct letter {
	struct queue_place place;
	struct notice_key notice;
	struct id terminal; /* none: no terminal was known */
	uint64_t gave_up_ms;
	uint32_t attempts;
	struct gist gist;
};

/** The same for dead letters, oldest notice first. */
enum status notify_db_letters(struct notify_db *self, const struct id *account,
    const struct queue_place *after, struct letter out[static QUEUE_PAGE_MAX],
    size_t *count_out);

/**
 * Have dead letters arrive again, as if they came at ${now_ms}: as many as
 * one batch takes, oldest first.  A notice keeps its id, so a terminal that
 * had acknowledged it can drop the repeat.
 *
 * notice     only the letters of this one; NULL: all of the account
 * notices_out, letters_out  how many; 0: the batch is empty
 * more_out   whether there are others
 */
enum status notify_db_resend(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct id *notice, uint64_t now_ms,
    uint64_t *notices_out, uint64_t *letters_out, bool *more_out);

/**
 * List when ids were told that are still known, oldest first.
 *
 * after  go on behind this one; NULL to begin
 */
enum status notify_db_told_list(struct notify_db *self,
    const struct id *account, const struct notice_key *after,
    struct notice_key out[static QUEUE_PAGE_MAX], size_t *count_out);

/* ---- figures ---- */

struct totals {
	uint64_t notices;    /* arrived or on their way */
	uint64_t deliveries; /* not acknowledged */
	uint64_t letters;    /* dead */
};

/** Add the rows of ${account} to ${totals}. */
enum status notify_db_count(
    struct notify_db *self, const struct id *account, struct totals *totals);

#endif
