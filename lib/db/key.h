#ifndef KEEPSAKE_DB_KEY_H
#define KEEPSAKE_DB_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/bytes.h"

/*
 * A row's key in an engine: [account 16][table 1][escaped key], at most
 * DB_KEY_BYTES_MAX.  Escaped, no byte is 0 and the order of memcmp stays:
 * 00 becomes 01 01, 01 becomes 01 02, every other byte is itself.  So the
 * prefix of a key, escaped, is a prefix of the escaped key.
 */
#define KEY_HEAD_BYTES (ID_BYTES + 1)

struct key {
	uint8_t data[DB_KEY_BYTES_MAX];
	size_t len;
};

/**
 * Build a row's key, or with a prefix for ${key}, the prefix of many.
 *
 * STATUS_OK         out holds it
 * STATUS_TOO_LARGE  longer than DB_KEY_BYTES_MAX
 */
enum status key_encode(
    struct key *out, const struct id *account, uint8_t table, struct slice key);

/**
 * Undo the escaping of what follows KEY_HEAD_BYTES.
 *
 * out  room for ${escaped}.len bytes
 *
 * STATUS_OK         out and len_out hold the key
 * STATUS_MALFORMED  not what key_encode writes
 */
enum status key_decode(uint8_t *out, size_t *len_out, struct slice escaped);

/**
 * Make of a prefix the first key behind all that begin with it.
 *
 * STATUS_OK         self is that key
 * STATUS_NOT_FOUND  every byte is 0xFF: no key is behind; self is empty
 */
enum status key_successor(struct key *self);

#endif
