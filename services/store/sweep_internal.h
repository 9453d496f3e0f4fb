#ifndef KEEPSAKE_STORE_SWEEP_INTERNAL_H
#define KEEPSAKE_STORE_SWEEP_INTERNAL_H

#include "sweep.h"

/*
 * What the files of the sweep share: sweep.c goes from account to account,
 * sweep_mark.c finds what snapshots reach, sweep_delete.c deletes the rest.
 */

#define WANTED_MAX 64 /* past it: a round through all */

/* What a step leaves to do. */
enum step {
	STEP_GO_ON,
	STEP_PAUSE,
	STEP_WAIT, /* a batch or a read is under way */
	STEP_REST, /* until the next account's time */
};

/* A node that is marked and whose references are not, yet. */
struct pending_node {
	uint64_t sequence;
	uint32_t sealed_bytes;
	uint32_t refs_count;
};

/* A node to be deleted. */
struct doomed_node {
	uint64_t sequence;
	uint64_t bytes;
	struct chunk_id id;
};

/* An account that is not to wait for the next round. */
struct wanted {
	struct id account;
	uint64_t at_ms; /* on clock_interval_ms */
};

struct sweep {
	struct sweep_options options;
	struct sweep_counts counts;
	struct timer timer;
	bool resting; /* the timer is set for what is not due yet */
	enum step (*next)(struct sweep *self);

	struct wanted wanted[WANTED_MAX];
	size_t wanted_count;
	bool in_round;
	struct id place;      /* in the round; none: at its first */
	uint64_t round_at_ms; /* of the next one, on clock_interval_ms */

	struct id account; /* at hand */
	bool hurried;      /* it was wanted */
	unsigned int tries;
	uint64_t generation;
	struct account_usage *usage; /* pinned */
	uint8_t *marks;              /* a bit for each sequence */
	uint64_t marks_count;
	struct pending_node *nodes; /* a stack */
	size_t nodes_count, nodes_capacity;
	uint64_t last_root; /* ordinal */

	struct doomed_node *doomed; /* by sequence; the last goes first */
	size_t doomed_count, doomed_capacity;
	struct chunk_id last_chunk;
	bool has_last_chunk;
	size_t batch_chunks; /* in the batch under way */
	uint64_t batch_bytes;
	bool page_is_last;
	struct db_page page;
};

/* ---- sweep.c ---- */

/** Go on with the next step; what waited for a batch or a read calls it. */
void sweep_run(struct sweep *self);

/** Free what is known of the account at hand. */
void sweep_let_go(struct sweep *self);

/** On to the next account. */
enum step sweep_leave(struct sweep *self);

/** It cannot be done now: who is in a hurry is not left for the next round. */
enum step sweep_put_off(struct sweep *self);

/** Something was met that should not be: an operator is to look. */
enum step sweep_give_up(struct sweep *self, const char *why, enum status st);

/** A batch of the account was decided, or could not be submitted. */
enum step sweep_decided(
    struct sweep *self, enum status st, uint64_t generation);

/** Submit ${batch}, which goes in any case. */
enum step sweep_submit(
    struct sweep *self, struct db_batch *batch, db_done_fn *done);

/* ---- sweep_mark.c: the first steps of an account ---- */

enum step sweep_start_account(struct sweep *self);

bool sweep_is_marked(const struct sweep *self, uint64_t sequence);

/* ---- sweep_delete.c: those that follow ---- */

enum step sweep_gather_nodes(struct sweep *self);

#endif
