#ifndef KEEPSAKE_BUS_KEYS_H
#define KEEPSAKE_BUS_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * CURVE keys on disk.  NAME.key, mode 0600, holds the secret key of a
 * process as a line of Z85 (ZeroMQ RFC 32); NAME.public, its public key
 * likewise.  The public one is derived, so the two cannot disagree.
 */

#define CURVE_KEY_BYTES 32
#define CURVE_Z85_BYTES 41 /* with the NUL */

struct curve_keys {
	uint8_t public_key[CURVE_KEY_BYTES];
	uint8_t secret_key[CURVE_KEY_BYTES]; /* wipe after use */
};

/** Make a new random pair. */
enum status curve_keys_make(struct curve_keys *out);

/**
 * Read a pair from its secret key file.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_NOT_FOUND  no such file
 * STATUS_DENIED     a symlink, another owner's, or open to others; logged
 * STATUS_MALFORMED  not a key
 * STATUS_TOO_LARGE  much more than a key
 */
enum status curve_keys_read(struct curve_keys *out, const char *path);

/**
 * Write the secret key to ${path}, a new file of mode 0600.
 *
 * STATUS_CONFLICT  there is such a file: it is not touched
 * STATUS_NO_SPACE, STATUS_DENIED  as the file system says; logged
 */
enum status curve_keys_write(const struct curve_keys *keys, const char *path);

/** Read a public key file; results as curve_keys_read. */
enum status curve_public_read(
    uint8_t out[static CURVE_KEY_BYTES], const char *path);

/** Write a public key file, mode 0644; results as curve_keys_write. */
enum status curve_public_write(
    const uint8_t key[static CURVE_KEY_BYTES], const char *path);

#endif
