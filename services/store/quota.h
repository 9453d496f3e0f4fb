#ifndef KEEPSAKE_STORE_QUOTA_H
#define KEEPSAKE_STORE_QUOTA_H

#include "health_db.h"
#include "service/listing.h"
#include "store.h"

/*
 * How much an account may have (B-12).  What it has are its sealed bytes and
 * the rows of its chunks.  A put is counted before its batch is submitted,
 * with all others that are under way, so however many come at once, no more
 * than the hard quota is ever taken.  Reading and deleting are always let.
 */

#define QUOTA_CHUNK_BYTES 256 /* what a chunk's rows cost */

/** What an account has; with those under way, where they are wanted. */
uint64_t quota_used(const struct account_usage *usage, bool under_way);

/** The account's quota; own_out (may be NULL): not that of the settings. */
enum status quota_of(struct store *self, const struct id *account,
    struct quota *out, bool *own_out);

/**
 * Whether ${chunks} blobs of ${bytes} together may be put.
 *
 * STATUS_OK     yes
 * STATUS_QUOTA  refused, with a detail; its owner is told, once
 * other         as db_get
 */
enum status quota_check(struct store *self, struct exchange *x,
    const struct account_usage *usage, size_t chunks, size_t bytes);

/**
 * Note in a batch of the account whether it is past its soft quota, and tell
 * its owner when it has just come to be.  With a guard: CONFLICT where that
 * was noted meanwhile.
 *
 * tells_out  outbox_kick is due once it is committed
 */
enum status quota_note(struct store *self, struct db_batch *batch,
    const struct id *account, bool *tells_out);

/** A listing_part_fn: the account's quota, a row. */
enum status quota_list(
    void *state, struct listing *listing, struct slice after);

/** What keepsakectl asks. */
enum status store_on_quota(void *state, struct exchange *x);
enum status store_on_quota_set(void *state, struct exchange *x);

#endif
