#ifndef KEEPSAKE_CLIENT_CHUNK_H
#define KEEPSAKE_CLIENT_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/bounds.h"
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/seal.h"
#include "remote.h"

/*
 * One chunk, from plaintext to what the store keeps and back.
 *
 *   h    = BLAKE2b-512(plaintext)
 *   id   = BLAKE2b-256(h | variant, key = the account's chunk id secret)
 *   key  = BLAKE2b-256(h | variant, key = the account's chunk key secret)
 *
 *   inner  = method (1 byte: 0 as it is, 1 zstd)
 *            length of the plaintext (4 bytes, big-endian)
 *            the plaintext by that method
 *            zeros, so that the sealed chunk has n * 4096 - 16 bytes
 *   sealed = seal(key, inner, version byte | account id | chunk id)
 *
 * The variant byte is 0; 1, 2, ... name the same plaintext again where the
 * store holds something else under the earlier id (B-05).  Nodes of the
 * manifest have its top bit set, so that no file can name a node.
 */

#define CHUNK_VERSION    1
#define CHUNK_HEAD_BYTES 5
#define CHUNK_KEY_BYTES  SEAL_KEY_BYTES
#define CHUNK_HASH_BYTES 64
#define CHUNK_VARIANTS   8
#define CHUNK_NODE_BIT   0x80
#define CHUNK_PAGES_MAX  64 /* sealed: pages * 4096 - 16 bytes */
#define CHUNK_PARTS_MAX  4  /* cut in so many a chunk fits in any case */

/* What fits however badly it compresses; and what a chunk may hold. */
#define CHUNK_RAW_BYTES_MAX \
	(BLOB_BYTES_MAX - SEAL_EXTRA_BYTES - CHUNK_HEAD_BYTES)
#define CHUNK_BYTES_MAX (3 * CHUNK_RAW_BYTES_MAX)

struct chunk_hash {
	uint8_t bytes[CHUNK_HASH_BYTES];
};

/** How a manifest refers to a chunk; the key is secret. */
struct chunk_name {
	struct chunk_id id;
	uint8_t key[CHUNK_KEY_BYTES];
};

/** Hash ${plain}: the one pass over its bytes. */
void chunk_hash(struct chunk_hash *out, struct slice plain);

/**
 * The name of the chunk with ${hash}.
 *
 * variant  0 to CHUNK_VARIANTS - 1
 */
void chunk_name(struct chunk_name *out, const struct account_keys *keys,
    const struct chunk_hash *hash, enum chunk_kind kind, unsigned int variant);

/** Scratch memory for one thread's sealing or opening. */
struct chunk_codec;

/** For the account of ${keys}, borrowed for good; NULL without memory. */
struct chunk_codec *chunk_codec_new(const struct account_keys *keys);

/** Wipe and free, and leave NULL; NULL is fine. */
void chunk_codec_destroy(struct chunk_codec **self_p);

/**
 * Compress and seal ${plain}, at most CHUNK_BYTES_MAX bytes.
 *
 * sealed_out  malloc'ed, becomes the caller's
 * sealed_len  its length
 *
 * STATUS_OK         both are filled
 * STATUS_TOO_LARGE  does not fit a blob: only where ${plain} has more than
 *                   CHUNK_RAW_BYTES_MAX bytes; seal it in parts
 * STATUS_NO_SPACE   no memory
 * STATUS_INTERNAL   zstd failed otherwise; logged
 */
enum status chunk_seal(struct chunk_codec *self, const struct chunk_name *name,
    struct slice plain, uint8_t **sealed_out, size_t *sealed_len);

/**
 * Open ${sealed} and check that it is what ${name} says.
 *
 * plain_out  borrowed: good until the next call with ${self}
 *
 * STATUS_OK         ${plain_out} is filled
 * STATUS_MALFORMED  anything else than what this account sealed under this
 *                   name: tag, method, lengths, padding or id are wrong
 * STATUS_NO_SPACE   no memory
 */
enum status chunk_open(struct chunk_codec *self, const struct chunk_name *name,
    enum chunk_kind kind, struct slice sealed, struct slice *plain_out);

#endif
