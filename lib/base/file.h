#ifndef KEEPSAKE_BASE_FILE_H
#define KEEPSAKE_BASE_FILE_H

#include <stdbool.h>

#include "base/bytes.h"

/* Small whole files: keys, secrets, state. */

/**
 * Read all of a file of at most ${len_max} bytes into ${out}.
 *
 * STATUS_OK         ${out} holds it
 * STATUS_NOT_FOUND  no such file, or a folder on the way is missing
 * STATUS_TOO_LARGE  more than ${len_max} bytes
 * STATUS_DENIED     not readable; logged
 */
enum status file_read(struct bytes *out, const char *path, size_t len_max);

/**
 * The same for a secret: refused as STATUS_DENIED, with the reason in the
 * log, where it is a symlink, no regular file, not owned by the caller or
 * root, or readable or writable for anyone else.
 */
enum status file_read_secret(
    struct bytes *out, const char *path, size_t len_max);

/**
 * Open a secret file for more than reading it whole; results as
 * file_read_secret.
 *
 * flags   of open(2); no file is made
 * fd_out  the caller's, when OK
 */
enum status file_open_secret(int *fd_out, const char *path, int flags);

/**
 * Make a new file with ${contents}, synced to disk, its folder too.
 *
 * mode  permission bits, not changed by the umask
 *
 * STATUS_CONFLICT   ${path} exists; it is not touched
 * STATUS_NOT_FOUND  a folder on the way is missing
 * STATUS_NO_SPACE, STATUS_DENIED  as the file system says; logged
 */
enum status file_create(
    const char *path, struct slice contents, unsigned int mode);

/**
 * Put ${contents} in the place of ${path}: at any moment, also after a
 * power cut, the file is the old one or the new one.  Where root
 * replaces it, it stays its owner's.  Errors as file_create without
 * STATUS_CONFLICT.
 */
enum status file_replace(
    const char *path, struct slice contents, unsigned int mode);

/** Write all of ${contents}; false: errno says why not. */
bool file_write(int fd, struct slice contents);

/** Sync the folder that holds ${path}: then a new name in it lasts. */
enum status file_sync_folder(const char *path);

/**
 * Make a folder and those above it that are missing, mode 0700.
 *
 * STATUS_OK         it is there, made now or before
 * STATUS_NOT_FOUND  something above it is no folder
 * STATUS_NO_SPACE, STATUS_DENIED  as the file system says; logged
 */
enum status folder_make(const char *path);

#endif
