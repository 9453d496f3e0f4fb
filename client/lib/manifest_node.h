#ifndef KEEPSAKE_CLIENT_MANIFEST_NODE_H
#define KEEPSAKE_CLIENT_MANIFEST_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/bytes.h"
#include "base/status.h"
#include "chunk.h"
#include "manifest_entry.h"

/*
 * The nodes of a manifest, as they are built: a byte that is the level, then
 * messages.  Where one ends depends on what is in it, so that a change moves
 * few of them.
 */

#define MANIFEST_NODE_BYTES_MAX (128 * 1024)
#define MANIFEST_LEVELS_MAX     8

/** A node that is full. */
struct node {
	unsigned int level;
	struct slice plain;
	const struct chunk_id *refs; /* each once, in the order of use */
	size_t refs_count;
};

/** Called for each node; everything in it is borrowed for the call. */
typedef enum status node_full_fn(void *arg, const struct node *node);

/** Gathers the messages of one level into nodes. */
struct node_builder;

/** A builder for ${level}; ${full} gets ${arg}.  NULL without memory. */
struct node_builder *node_builder_new(
    const uint8_t chunker_seed[static ACCOUNT_KEY_BYTES], unsigned int level,
    node_full_fn *full, void *arg);
void node_builder_destroy(struct node_builder **self_p);

/**
 * Add all messages of ${entry}, which is level 0.  Results of ${full}, or
 * STATUS_NO_SPACE.
 */
enum status node_builder_add_entry(
    struct node_builder *self, const struct entry *entry);

/** Add a link to ${child}: level 1 and above; results likewise. */
enum status node_builder_add_link(
    struct node_builder *self, const struct chunk_name *child);

/** Give the last node to ${full}; an empty one if there was none at all. */
enum status node_builder_finish(struct node_builder *self);

#endif
