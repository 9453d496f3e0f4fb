#ifndef KEEPSAKE_SERVICE_KEYFILE_H
#define KEEPSAKE_SERVICE_KEYFILE_H

#include <stdbool.h>

#include "service/master.h"

/*
 * The file account.keys: random keys in slots that never move, each wrapped
 * by the master key.  What is in which slot is keyring.c's affair; slot 0
 * is the service's own key.
 *
 *   0     header; 2048: the same again, for when a write is cut short
 *           magic (8), version (4), bytes of a slot (4), blocks (4),
 *           service (32), id of the master key (16), checksum (16)
 *   4096  slots, made in blocks of KEYFILE_BLOCK_SLOTS; each
 *           state (1), key sealed by the master key (72)
 *
 * Slots are given out by rising number and in groups of KEYFILE_GROUP_SLOTS:
 * that a group is begun is on the disk, as the state of its first slot,
 * before any of it is given out.  After a start the next group is begun, so
 * no number is given out twice, whatever copy of the database is there.
 */

#define KEYFILE_BLOCK_SLOTS 1024
#define KEYFILE_GROUP_SLOTS 64
#define KEYFILE_SERVICE_MAX 32 /* bytes of its name */

struct keyfile;

/**
 * Open the file, or make it, and clear away what a rotation that was cut
 * short has left.
 *
 * path     borrowed for this call
 * service  borrowed for good
 * master   the keys that may be the one that wraps it
 * create   whether a missing file is made, under the first of them
 *
 * Results as keyring_new.
 */
enum status keyfile_open(struct keyfile **out, const char *path,
    const char *service, const struct master *master, bool create);

void keyfile_close(struct keyfile **self_p);

/**
 * Unwrap a key.
 *
 * STATUS_OK           ${out} is it, to be wiped
 * STATUS_EXPIRED      shredded
 * STATUS_MALFORMED    no such slot was given out, or it is damaged; logged
 * STATUS_UNAVAILABLE  the file cannot be read; logged
 */
enum status keyfile_key(
    const struct keyfile *self, uint32_t slot, uint8_t out[static KEY_BYTES]);

/** The service's own key, borrowed. */
const uint8_t *keyfile_service_key(const struct keyfile *self);

/**
 * Give out the next slot.
 *
 * STATUS_NO_SPACE     the disk is full, or every slot is given out; logged
 * STATUS_UNAVAILABLE  the file cannot be written; logged
 */
enum status keyfile_next(struct keyfile *self, uint32_t *slot_out);

/** Overwrite a slot for good, and sync; errors as keyfile_next. */
enum status keyfile_shred(struct keyfile *self, uint32_t slot);

/**
 * Give out no slot up to ${slot} any more, as the database has rows that
 * name it: this file is an older copy of the one they were sealed by.  Slots
 * that it has are what they were; those of blocks that it lacks are lost,
 * and count as shredded.  Errors as keyfile_next.
 */
enum status keyfile_raise(struct keyfile *self, uint32_t slot);

/** Wrap every slot by the first key of ${master}; see keyring_rotate. */
enum status keyfile_rewrap(
    struct keyfile *self, const struct master *master, uint64_t *count_out);

#endif
