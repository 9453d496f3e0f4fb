#ifndef KEEPSAKE_SERVICE_MASTER_H
#define KEEPSAKE_SERVICE_MASTER_H

#include "base/conf.h"
#include "crypto/seal.h"

/*
 * The master key of a service, which wraps its account keys: a line of hex
 * in KEYS/SERVICE.master, mode 0600.  Lines below the first are former keys,
 * there while the account keys move to the first.
 */

#define MASTER_KEYS_MAX 4

struct master {
	uint8_t keys[MASTER_KEYS_MAX][KEY_BYTES];
	size_t count; /* 1 at least */
};

/**
 * Read the file into the arena.
 *
 * STATUS_OK         ${out} is the caller's, for master_destroy
 * STATUS_NOT_FOUND  no such file; logged
 * STATUS_MALFORMED  a line is not 64 hex digits, or there is none, or more
 *                   than MASTER_KEYS_MAX; logged
 * other             as file_read_secret; logged
 */
enum status master_read(
    struct master **out, const struct conf *conf, const char *service);

void master_destroy(struct master **self_p);

#define MASTER_ID_BYTES 16

/** By which a master key is named, without telling it. */
void master_id(uint8_t out[static MASTER_ID_BYTES],
    const uint8_t key[static KEY_BYTES], const char *service);

/**
 * Make the file with a new random key.
 *
 * STATUS_CONFLICT  there is one, which is good and not touched
 * other            as master_read of one that is there, or file_create
 */
enum status master_make(const struct conf *conf, const char *service);

/**
 * Put a new random key above the one in the file.
 *
 * STATUS_CONFLICT  there are two or more already: nothing is changed
 * other            as master_read and file_replace
 */
enum status master_renew(const struct conf *conf, const char *service);

/** Leave only the first key; results as master_read and file_replace. */
enum status master_settle(const struct conf *conf, const char *service);

#endif
