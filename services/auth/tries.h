#ifndef KEEPSAKE_AUTH_TRIES_H
#define KEEPSAKE_AUTH_TRIES_H

#include "crypto/ticket.h"
#include "journal_db.h"
#include "service/service.h"

/*
 * Tries on their way to the disk: each turn reads a lane, does one thing to
 * it (lane.h), and is done when that is durable.  A turn that loses a race
 * begins again.  That a lane is shut its owner is told in the same commit
 * (N-04); also where silence shut it, which a timer looks for; and that
 * somebody has signed in on a terminal that is not bound.
 */

struct tries;

/** The journal of ${service}, which stays open as long as ${out}. */
enum status tries_new(struct tries **out, struct service *service);
void tries_destroy(struct tries **self_p);

/** Of one lane; the caller's, who keeps it where it is until it is done. */
struct turn {
	struct lane_key key;
	struct id id;              /* of the try; see tries_id */
	uint64_t created_ms;       /* of the account; 0: long ago, or unknown */
	const uint8_t *invitation; /* its hash: success uses it up; or NULL */

	/* Earned by a right proof, with tries_give_back: its session is
	 * written in the same commit.  Or NULL. */
	const struct ticket *ticket;

	/* What it led to; not called from inside a function of tries.h. */
	void (*done)(void *arg, enum status status);
	void *arg;

	struct lane lane;  /* as it is then */
	uint64_t retry_ms; /* with BUSY */

	/* From here on tries.c's own. */
	struct tries *tries;
	enum status (*act)(struct turn *turn, uint64_t now_ms, bool *shuts);
	struct lane found;
	bool is_there;
	bool shuts, signs_in;
	enum status outcome;
	unsigned int rounds;
};

/** The id of the try that a request takes: another body is another try. */
void tries_id(struct id *out, const struct header *header, struct slice body);

/*
 * Each returns PENDING, and calls turn->done when the outcome is durable, or
 * the outcome itself, where nothing had to be written:
 *
 * STATUS_OK        done
 * STATUS_BUSY      others are at it: again in turn->retry_ms
 * STATUS_INTERNAL  the lane cannot be read; logged
 * other            as below, or as db_done_fn
 */

/** CONFLICT, BUSY and LOCKED as lane_take. */
enum status tries_take(struct tries *self, struct turn *turn);

/** The proof was wrong, or is given up. */
enum status tries_fail(struct tries *self, struct turn *turn);

/** The proof was right. */
enum status tries_give_back(struct tries *self, struct turn *turn);

/** The code was replaced by one who had come by this lane. */
enum status tries_renew(struct tries *self, struct turn *turn);

/* ---- telling the owner ---- */

/**
 * Add a notice to a batch of the journal.  Who is nobody gets the same work
 * done, and is told nothing.  Once the batch is committed call tries_kick.
 */
enum status tries_tell(struct tries *self, struct db_batch *batch,
    const struct subject *subject, Notify__Notice *notice);

void tries_kick(struct tries *self, const struct subject *subject);

/* ---- for the operator (A-08) ---- */

/** Lift a lock; NOT_FOUND and DENIED as lane_unlock. */
enum status tries_unlock(struct tries *self, struct turn *turn);

/** The same without end; NOT_FOUND as lane_hand_back. */
enum status tries_hand_back(struct tries *self, struct turn *turn);

/**
 * Where the journal was lost every lane counts as shut that it does not
 * know: open those of an account.  ${done} as db_submit.
 */
enum status tries_trust(
    struct tries *self, const struct id *account, db_done_fn *done, void *arg);

#endif
