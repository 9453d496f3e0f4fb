#ifndef KEEPSAKE_CLIENT_CACHE_H
#define KEEPSAKE_CLIENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "account_keys.h"
#include "base/status.h"
#include "chunk.h"
#include "known_chunks.h"
#include "manifest_entry.h"
#include "remote.h"

/*
 * What this terminal remembers of its last snapshot, so that an unchanged
 * file need not be read: one file in the state folder, mode 0600, sealed
 * under the account's cache key.
 *
 *   "KSC1"  file id (16 random bytes)
 *   head    sealed: root id (32), root hash (32), entry frames (8),
 *           chunks (8), where their frames begin (8)
 *   frames  length (4), sealed: the files of the manifest in its order, each
 *           inode (8), ctime (8 + 4) and its Entry messages
 *   frames  length (4), sealed: the chunks, each 15 bytes of its id and the
 *           pages of its sealed form (1)
 *
 * Numbers are big-endian.  Associated data: "keepsake cache", account id,
 * file id, and the number of the frame (8), 0 for the head.
 */

/* The last snapshot, read */

struct cache;

/**
 * Open the cache at ${path}.
 *
 * keys   borrowed until it is destroyed
 * known  filled with its chunks; on failure maybe with some: start anew
 *
 * STATUS_OK         ${self_out} is the caller's
 * STATUS_NOT_FOUND  there is none
 * STATUS_MALFORMED  damaged, or another account's: go on without it
 * STATUS_DENIED     not a plain file of this user that nobody else may
 *                   read or write
 * STATUS_NO_SPACE   no memory
 */
enum status cache_open(struct cache **self_out, const char *path,
    const struct account_keys *keys, struct known_chunks *known);
void cache_close(struct cache **self_p);

/** The top node of the snapshot and the hash of its sealed bytes. */
const struct chunk_id *cache_root(const struct cache *self);
const uint8_t *cache_root_hash(const struct cache *self);

/**
 * Find the file ${path}; paths must come in the order of a manifest.
 *
 * stat       of the file now
 * entry_out  borrowed until the next call
 *
 * STATUS_OK         unchanged: ${entry_out} is how it was backed up
 * STATUS_NOT_FOUND  not there, or changed since
 * STATUS_MALFORMED  damaged; nothing more comes from it
 * STATUS_NO_SPACE   no memory
 */
enum status cache_find(struct cache *self, struct slice path,
    const struct stat *stat, const struct entry **entry_out);

/* The next one, written: cache_writer.c */

struct cache_writer;

/**
 * Begin a cache that is to replace the one at ${path}; both borrowed.
 *
 * STATUS_OK         ${self_out} is the caller's
 * STATUS_DENIED     the folder may not be written
 * STATUS_NO_SPACE   no memory, or the disk is full
 */
enum status cache_writer_new(struct cache_writer **self_out, const char *path,
    const struct account_keys *keys);

/** Drop what was written, unless it was finished; leaves NULL. */
void cache_writer_destroy(struct cache_writer **self_p);

/** Add a file; in the order of a manifest.  STATUS_NO_SPACE at worst. */
enum status cache_writer_add(struct cache_writer *self,
    const struct entry *entry, const struct stat *stat);

/** Add the chunks in use, make all of it durable and put it in place. */
enum status cache_writer_finish(struct cache_writer *self,
    const struct known_chunks *known, const struct chunk_id *root,
    const uint8_t root_hash[static 32]);

/**
 * Whether ${stat}, taken at ${now}, tells a later change: one made within
 * the clock tick of the last change leaves no trace.
 */
bool cache_may_trust(const struct stat *stat, const struct timespec *now);

#endif
