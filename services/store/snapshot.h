#ifndef KEEPSAKE_STORE_SNAPSHOT_H
#define KEEPSAKE_STORE_SNAPSHOT_H

#include "store_db.h"

/* A backup that is published: only as it was verified (B-08). */

/**
 * Compare what a terminal claims of its backup with what is stored.
 *
 * root         the row of the root
 * sealed       the root's bytes as they are stored
 * detail_out   which of them differs, for people; static
 *
 * STATUS_OK         all agree
 * STATUS_CONFLICT   not a node, or count, size or hash differ
 */
enum status snapshot_verify(const struct snapshot *claim,
    const uint8_t root_hash[static ROOT_HASH_BYTES], const struct chunk *root,
    struct slice sealed, const char **detail_out);

#endif
