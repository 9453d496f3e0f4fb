#ifndef KEEPSAKE_STORE_SWEEP_H
#define KEEPSAKE_STORE_SWEEP_H

#include "bus/loop.h"
#include "service/orders.h"
#include "usage.h"

/*
 * Mark and sweep: chunks that no snapshot refers to are deleted, leases that
 * are over are dropped.  One account after the other, in slices of a few
 * milliseconds on the loop.
 *
 * An account in which a transfer is under way is left for the next round:
 * what a backup put, or was told is there, stays until it is published, and
 * what a restore reads until that has ended, whatever was deleted, or until
 * it has read nothing for idle_restore_ms.  Each batch names the generation
 * of the account that was looked at, so whatever happens in between makes the
 * sweep of that account start over.  Damage that is met ends the sweep of its
 * account: nothing is deleted on account of it.
 */

struct sweep;

struct sweep_options {
	struct db *db; /* these four borrowed for good */
	struct loop *loop;
	struct usages *usages;
	const struct orders *orders; /* which accounts are deleted */
	uint64_t sweep_ms;           /* between two rounds */
	uint64_t lease_ms;
	uint64_t idle_restore_ms;
};

struct sweep_counts {
	uint64_t rounds;   /* through all accounts */
	uint64_t accounts; /* swept to the end */
	uint64_t chunks;   /* deleted */
	uint64_t bytes;    /* of those */
};

/** Make it; the first round is sweep_ms from now. */
enum status sweep_new(const struct sweep_options *options, struct sweep **out);

/**
 * Sweep ${account} soon, whenever its turn would be: snapshots of it were
 * deleted, or a transfer that held that up has ended.
 */
void sweep_soon(struct sweep *self, const struct id *account);

/** The database is closed already: no batch or read is under way. */
void sweep_destroy(struct sweep **self_p);

/** Since the start. */
struct sweep_counts sweep_counts(const struct sweep *self);

#endif
