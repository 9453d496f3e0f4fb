#ifndef KEEPSAKE_TESTS_DISK_H
#define KEEPSAKE_TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

/*
 * A disk whose power may be cut at any moment.  It plays the events of a
 * trace, knows what was synced, and makes images of what may be found after
 * a cut:
 *
 * - what a completed sync of a file covers is there;
 * - of what was written later each sector, of 512 or of 4,096 bytes, may be
 *   as before or as after any of the later writes, whatever others are; the
 *   size too;
 * - what was made, renamed or removed in a folder since its last completed
 *   sync may be missing, from some moment on.  The sync of a file does not
 *   make its name last.
 *
 * Stricter than any journalling file system, but for one thing: the changes
 * of one folder are kept in their order.
 */
struct disk;

struct disk *disk_new(void);
void disk_destroy(struct disk **self_p);

/** What lies in the folder ${path} now was there, synced, from the start. */
void disk_load(struct disk *self, const char *path);

/** Let one event happen; its data stays where it is until the end. */
void disk_play(struct disk *self, const struct trace_event *event);

/**
 * Write what a cut at this moment may leave into ${folder}, which is empty.
 * The same ${seed} makes the same image.  Seeds 0 and 1: nothing, and all, of
 * what was not synced.
 */
void disk_image(const struct disk *self, const char *folder, uint64_t seed);

#endif
