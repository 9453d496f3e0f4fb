#ifndef KEEPSAKE_DB_FOLDER_H
#define KEEPSAKE_DB_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/*
 * The folder of a database: who has it open, and a file that holds back
 * disk space which is given up when deleting would fail without it.
 */
struct folder;

/**
 * Make the folder where it is missing (mode 0700) and lock it.
 *
 * reserve_bytes  of disk to hold back; where there is not so much, it is
 *                logged and tried again later
 *
 * STATUS_OK           out is the caller's
 * STATUS_BUSY         locked by another process, which is logged
 * STATUS_NO_SPACE     no memory, or none on the disk for a folder
 * STATUS_UNAVAILABLE  cannot be made, opened or locked
 */
enum status folder_open(
    struct folder **out, const char *path, uint64_t reserve_bytes);
void folder_close(struct folder **self_p);

/** Make what was made in the folder survive a power cut. */
enum status folder_sync(const struct folder *self);

/** How much more the disk takes, in bytes; 0 where that cannot be told. */
uint64_t folder_room(const struct folder *self);

/** Give up the space held back; false where none was. */
bool folder_reserve_release(struct folder *self);

/**
 * Hold it back again, if it was given up: as much as the disk has room for,
 * or what was given up to deletions would go to whoever writes next.
 */
void folder_reserve_hold(struct folder *self);

#endif
