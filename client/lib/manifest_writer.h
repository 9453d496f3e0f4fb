#ifndef KEEPSAKE_CLIENT_MANIFEST_WRITER_H
#define KEEPSAKE_CLIENT_MANIFEST_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "account_keys.h"
#include "chunk.h"
#include "manifest_entry.h"
#include "sender.h"

/*
 * The manifest of a backup on its way to the store: entries become nodes,
 * nodes become the chunks of the levels above, up to one node, the root.  A
 * few nodes are held back and brought together, so that the store is asked
 * less often.  One thread.
 */

#define NODE_HASH_BYTES 32

/** A node of the manifest that is in the store. */
struct stored_node {
	struct chunk_name name; /* its key is secret */
	uint64_t chunks;        /* data chunks below, with repeats */
	uint64_t sealed_bytes;  /* of those */
	uint8_t sealed_hash[NODE_HASH_BYTES];
	bool hash_known;
};

struct manifest_writer;

/**
 * keys, sender  borrowed as long as the writer is used
 *
 * Returns NULL without memory.
 */
struct manifest_writer *manifest_writer_new(
    const struct account_keys *keys, struct sender *sender);

/** Wipe and free it, and leave NULL; NULL is fine.  The sender may be gone. */
void manifest_writer_destroy(struct manifest_writer **self_p);

/**
 * Add an entry whose chunks are settled.
 *
 * STATUS_NOT_FOUND  it refers to a chunk that the sender does not know
 * others            as sender_settle_batch
 */
enum status manifest_writer_add(
    struct manifest_writer *self, const struct entry *entry);

/**
 * Bring all that is left to the store, level by level.
 *
 * root_out  the one node of the topmost level; to be wiped
 *
 * STATUS_TOO_LARGE  more levels than a manifest may have
 * others            as manifest_writer_add
 */
enum status manifest_writer_finish(
    struct manifest_writer *self, struct stored_node *root_out);

#endif
