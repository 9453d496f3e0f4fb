#ifndef KEEPSAKE_CLIENT_PRIVILEGED_H
#define KEEPSAKE_CLIENT_PRIVILEGED_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * The privileged place of a terminal (K-02): a folder for keys that never
 * leave it.  It must be a folder of mode 0700, and what is in it files of
 * mode 0600, all of them root's or the user's whom this program runs as.
 * Open to others, a symlink, a foreign owner, a second name of a file: each
 * is refused, for reading and for writing, and privileged_why tells path and
 * what is wrong.  Tighter modes are fine.
 *
 * All checks are made on what was opened, so that nothing can be put in its
 * place between the look and the use.
 */

#define PRIVILEGED_NAME_BYTES_MAX 64 /* of a file, with its NUL */

struct privileged;

/**
 * Note where the place is; looks at nothing yet.
 *
 * folder  copied; slashes behind it count for nothing
 *
 * STATUS_OK         ${out} is the caller's
 * STATUS_MALFORMED  empty, or longer than a path may be
 * STATUS_NO_SPACE   no memory
 */
enum status privileged_new(struct privileged **out, const char *folder);
void privileged_destroy(struct privileged **self_p);

/** Where it is; good as long as ${self}. */
const char *privileged_folder(const struct privileged *self);

/** Why the last call failed: path and what is wrong with it, for people. */
const char *privileged_why(const struct privileged *self);

/**
 * Whether the caller may use the place.
 *
 * STATUS_OK         it is there, in order, and may be read
 * STATUS_NOT_FOUND  there is no such folder
 * STATUS_DENIED     refused; also who is neither its owner nor root
 */
enum status privileged_check(struct privileged *self);

/** Make the folder where it is missing, then as privileged_check. */
enum status privileged_make(struct privileged *self);

/**
 * Read a file.
 *
 * name     without a slash, not beginning with a dot
 * out      the caller's, ${room} bytes; on anything but OK it is wiped
 * len_out  how many there were
 *
 * STATUS_OK         read
 * STATUS_NOT_FOUND  no such folder, or no such file in it
 * STATUS_DENIED     refused, or not readable
 * STATUS_TOO_LARGE  more than ${room} bytes
 */
enum status privileged_read(struct privileged *self, const char *name,
    uint8_t *out, size_t room, size_t *len_out);

/**
 * Write a file, and make the folder where it is missing.  At any moment,
 * also after a power cut, the file is the old one or the new one.
 *
 * STATUS_OK        it is on the disk
 * STATUS_DENIED    refused, the folder or what bears the name, or not to be
 *                  written
 * STATUS_NO_SPACE  the disk is full
 */
enum status privileged_write(
    struct privileged *self, const char *name, struct slice contents);

/**
 * Remove a file; results as privileged_check, and OK where there is none.
 */
enum status privileged_remove(struct privileged *self, const char *name);

#endif
