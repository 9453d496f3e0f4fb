#ifndef KEEPSAKE_CRYPTO_ARENA_H
#define KEEPSAKE_CRYPTO_ARENA_H

#include <stddef.h>

#include "base/status.h"

/*
 * The one place where secrets live longer than a call: memory that
 * is locked against swapping, left out of core dumps, and fenced by a guard
 * page on either side.  One arena for a process.  A forked child would have
 * an unlocked copy: fork before arena_open.  All functions are thread-safe,
 * but for open and close.
 */

/**
 * Open the arena, and initialise libsodium: the first thing in main.
 *
 * bytes  room for secrets, rounded up to whole pages
 *
 * STATUS_OK        secret_new may be called
 * STATUS_NO_SPACE  no memory, or the limit on locked memory is lower;
 *                  logged with what to raise
 * STATUS_INTERNAL  the system refuses in another way; logged
 */
enum status arena_open(size_t bytes);

/** Wipe and release the arena, with every secret in it.  Not open: fine. */
void arena_close(void);

/**
 * Room for a secret of ${bytes} (at least 1): zeroed, aligned to 16.  NULL
 * when the arena is full or not open.  To be ended with secret_destroy.
 */
void *secret_new(size_t bytes);

/**
 * Wipe and release ${secret_p}, which secret_new gave for the same
 * ${bytes}, and leave NULL; NULL is fine.
 */
void secret_destroy(void **secret_p, size_t bytes);

/**
 * Keep this process's memory out of core dumps and from other processes of
 * the same user.  Does not survive exec or a change of user: call it after.
 *
 * STATUS_OK        done
 * STATUS_INTERNAL  the system refuses; logged
 */
enum status process_harden(void);

#endif
