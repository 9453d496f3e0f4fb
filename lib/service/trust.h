#ifndef KEEPSAKE_SERVICE_TRUST_H
#define KEEPSAKE_SERVICE_TRUST_H

#include "base/conf.h"
#include "crypto/auth_keys.h"

/*
 * auth's keys on disk: KEYS/auth.seed, mode 0600, the seed of all of them
 * as hex, which only auth may read; KEYS/auth.trust, the public halves,
 * which every service and keepsakectl read.
 */

/**
 * Read the public halves.
 *
 * STATUS_OK         ${out} is filled
 * other             as file_read and auth_public_parse; logged
 */
enum status trust_read(struct auth_public *out, const struct conf *conf);

/** Read the seed and derive the keys; results as file_read_secret; logged. */
enum status trust_keys(struct auth_keys **out, const struct conf *conf);

/**
 * Make a new seed and write both files.
 *
 * STATUS_CONFLICT  there is a seed already: it is not touched, and the
 *                  public halves are written anew from it; or there are
 *                  public halves alone, of an auth elsewhere: nothing is
 *                  touched
 */
enum status trust_make(const struct conf *conf);

#endif
