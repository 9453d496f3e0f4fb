#ifndef KEEPSAKE_AUTH_LANE_H
#define KEEPSAKE_AUTH_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "account.h"

/*
 * The tries at a code, by the way they come.  A code has a lane for
 * each terminal that is bound to the account, one for those who hold an
 * invitation, and one for strangers.  A try is taken before the answer that
 * would allow a guess leaves, and is open until its proof comes: the right
 * one gives it back, a wrong one or two minutes of silence make it wrong.
 * Three wrong ones shut the lane: for good, until an operator lifts that,
 * or, for strangers, for a time.
 *
 * A name that is nobody's has lanes like any other.  Here is only
 * what follows from what; times are wall time.
 */

#define LANE_TRIES_MAX     3
#define LANE_OPEN_MS_MAX   (2ull * 60 * 1000)  /* of a try: then it is wrong */
#define LANE_CLOSED_MS     (60ull * 60 * 1000) /* the first time; doubles */
#define LANE_CLOSED_MS_MAX (24ull * 60 * 60 * 1000)
#define LANE_CALM_MS       (7 * LANE_CLOSED_MS_MAX) /* then as the first */
#define LANE_UNLOCKS_MAX   10 /* then it can only be handed back */
#define LANE_DOUBLINGS_MAX 5  /* 32 hours, so past LANE_CLOSED_MS_MAX */

/** By which way a try came.  Stored: append, never renumber. */
enum lane_kind {
	LANE_BOUND = 1,    /* a terminal that is bound to the account */
	LANE_INVITED = 2,  /* with a one-time code that the owner was sent */
	LANE_STRANGER = 3, /* anybody; opens by itself */
};

/** Whose tries they are. */
struct subject {
	struct id account; /* or the id that an unknown name seems to have */
	bool known;
};

struct lane_key {
	struct subject subject;
	enum credential_slot code; /* which one is proven */
	enum lane_kind kind;
	struct id terminal; /* whose lane it is, if bound; else none */
};

struct lane_try {
	struct id id;      /* of the request that took it */
	uint64_t since_ms; /* when */
	bool wrong;        /* else open */
};

/** A lane; all zero but for kind is one that nobody has come by. */
struct lane {
	enum lane_kind kind;
	size_t tries_count;
	struct lane_try tries[LANE_TRIES_MAX]; /* oldest first */
	bool locked;              /* until an operator unlocks; no stranger's */
	unsigned int closings;    /* of a stranger's, without a calm week */
	uint64_t closed_ms;       /* the last of them; 0: never */
	uint64_t closed_until_ms; /* 0: open */
	unsigned int unlocks;     /* by operators, so far */
	uint64_t used_ms;         /* the last try */
	struct id finished;       /* the last try given back: not taken again */
};

/**
 * The lane of an account about which it is not known any more what was
 * tried: as if all tries had just been used up.
 *
 * lost_ms  since when tries are known
 */
void lane_forgotten(struct lane *out, enum lane_kind kind, uint64_t lost_ms);

/**
 * Do what the time has done since the lane was stored: open tries become
 * wrong, a closed lane opens, or three wrong tries shut it.
 *
 * Returns whether the lane was shut by this, so that its owner is told.
 */
bool lane_age(struct lane *self, uint64_t now_ms);

/** Whether no try can be taken until ${now_ms}: locked or closed. */
bool lane_shut(const struct lane *self);

/** In how many ms a shut lane opens by itself; 0: it does not. */
uint64_t lane_opens_ms(const struct lane *self, uint64_t now_ms);

/** How many tries are left, open ones counted as wrong. */
unsigned int lane_remaining(const struct lane *self);

/**
 * Take a try.  The lane was aged.
 *
 * id           of the request: a repeat takes no second try
 * retry_ms_out with BUSY: when it is decided
 *
 * STATUS_OK        it is taken, or was by the same request
 * STATUS_CONFLICT  that request's try has ended already
 * STATUS_BUSY      the tries that are left are open: others are proving
 * STATUS_LOCKED    the lane is shut
 */
enum status lane_take(struct lane *self, const struct id *id, uint64_t now_ms,
    uint64_t *retry_ms_out);

/**
 * A try was wrong, or given up.  The lane was aged.
 *
 * Returns whether the lane was shut by this.
 */
bool lane_fail(struct lane *self, const struct id *id, uint64_t now_ms);

/**
 * A try was right: it was none.  So what it helped to shut opens, and a try
 * that has ended otherwise meanwhile does no harm.
 */
void lane_give_back(struct lane *self, const struct id *id);

/** The code was replaced: old guesses say nothing about the new one. */
void lane_renew(struct lane *self);

/**
 * An operator lifts a lock or a closing.  The lane was aged.
 *
 * STATUS_OK         it is open, with all its tries
 * STATUS_NOT_FOUND  it is not shut; unchanged
 * STATUS_DENIED     that was done LANE_UNLOCKS_MAX times; unchanged
 */
enum status lane_unlock(struct lane *self);

/**
 * What is behind the lane is handed back to its owner: it opens,
 * however often that was done.  The lane was aged.
 *
 * STATUS_OK         it is open, with all its tries
 * STATUS_NOT_FOUND  it is not shut; unchanged
 */
enum status lane_hand_back(struct lane *self);

#endif
