#ifndef KEEPSAKE_STORE_CHUNK_H
#define KEEPSAKE_STORE_CHUNK_H

#include "store_db.h"

/* A chunk before it is stored: what is checked, counted and hashed. */

/** Whether a sealed chunk can have ${len} bytes: n * 4096 - 16, n in 1..64. */
bool chunk_length_is_valid(size_t len);

/**
 * Count what ${node} refers to: one chunk, or all that is below a node.
 *
 * STATUS_TOO_LARGE  the sum does not fit: no honest tree has so many
 */
enum status chunk_add_ref(struct chunk *node, const struct chunk *ref);

/** Set the hash of a chunk whose blob is ${blob}. */
void chunk_set_hash(struct chunk *self, struct slice blob);

/** Whether ${blob} is what was stored for ${self}: its length and hash. */
bool chunk_is_whole(const struct chunk *self, struct slice blob);

#endif
