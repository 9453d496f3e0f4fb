#ifndef KEEPSAKE_STORE_USAGE_H
#define KEEPSAKE_STORE_USAGE_H

#include "store_db.h"

/*
 * What each account has in the store, and the sequence its next blob gets.
 *
 * The blobs themselves are the books: they are listed by rising sequence,
 * so a row with the sums up to some sequence, written now and then, and the
 * blobs from there on are always the exact usage, whatever failed or was
 * cut off.  Sums of the accounts in use are kept in memory, a bounded
 * number of them.
 */

struct usages;

/** One account's; its fields are for reading. */
struct account_usage {
	struct id account;
	struct usage settled;   /* all that is decided */
	uint64_t next_sequence; /* > that of any blob, decided or not */
	/* Of puts that are not decided yet. */
	uint64_t under_way_chunks, under_way_bytes;
	bool heals; /* a chunk is being replaced: usage_save waits */
	/* From here on usage.c's. */
	uint64_t saved_sequence; /* of the row in the database */
	size_t pins;
	uint64_t used_at;
};

/** db: borrowed for good. */
enum status usages_new(struct db *db, struct usages **out);
void usages_destroy(struct usages **self_p);

/**
 * Find the account's usage, and keep it in memory until usage_unpin: while
 * a batch that puts or deletes blobs is under way.
 *
 * STATUS_OK    *out is borrowed until usage_unpin
 * STATUS_BUSY  too many accounts have batches under way
 * other        as db_get
 */
enum status usage_pin(
    struct usages *self, const struct id *account, struct account_usage **out);
void usage_unpin(struct account_usage **self_p);

/** The sequence for a new blob; each is given out once. */
uint64_t usage_take_sequence(struct account_usage *self);

/** See to it that the next sequence is above all blobs in the database. */
enum status usage_catch_up(struct usages *self, struct account_usage *entry);

/** A blob of ${bytes} is about to be put, and is decided. */
void usage_put_begin(struct account_usage *self, size_t bytes);
void usage_put_end(struct account_usage *self, size_t bytes);

/**
 * A put is decided.  Batches are decided in the order of submission, so all
 * below ${sequence} are, too.
 *
 * bytes  of the blob; 0: it was not put
 */
void usage_settle(struct account_usage *self, uint64_t sequence, size_t bytes);

#define USAGE_SAVE_EVERY 1000 /* blobs, and about as many a load lists */

/**
 * Write the sums to ${batch} if at least ${blobs_min} blobs were settled
 * since they were.  For batches that need a live upload lease: no sweep,
 * which writes them too, is under way then.
 */
void usage_save(
    struct account_usage *self, struct db_batch *batch, uint64_t blobs_min);

#endif
