#ifndef KEEPSAKE_CLIENT_CHUNKER_H
#define KEEPSAKE_CLIENT_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account_keys.h"

/*
 * Cuts a stream where its content says so, so that an insertion moves only
 * the cuts around it (B-05): a rolling gear hash with two masks round the
 * wanted length, as FastCDC (Xia et al., 2016).  The table of the hash is
 * the account's secret, so lengths tell the server nothing about content.
 *
 * Data is looked at in blocks of CHUNKER_BLOCK_BYTES from the last cut on.
 * What begins with bytes that compress is cut three times as long: measured
 * on text, 640 KiB against 190 KiB, zstd takes no longer and what is stored
 * is 7 % less.  Where such a chunk meets bytes that do not compress it ends.
 */

#define CHUNKER_BLOCK_BYTES 65536

enum chunker_shape {
	CHUNKER_DATA, /* 128 to 256 KiB, mean 242; 384 to 768, mean 635 */
	CHUNKER_NODE, /* 16 to 96 KiB, mean 36 */
	CHUNKER_SHAPE_COUNT
};

struct chunker;

/** A chunker at the start of a stream; NULL without memory. */
struct chunker *chunker_new(
    const uint8_t seed[static ACCOUNT_KEY_BYTES], enum chunker_shape shape);

/** Wipe and free the chunker and leave NULL; NULL is fine. */
void chunker_destroy(struct chunker **self_p);

/**
 * Look for the next cut.
 *
 * data  everything since the last cut, ${len} bytes; what an earlier call
 *       has seen of it is not looked at again and must be the same
 * last  nothing will follow ${data}
 *
 * Returns the length of the chunk at the start of ${data}, after which
 * the rest of it is ${data} for the next call; or 0: more bytes are needed,
 * or ${last} and ${len} is 0.  A chunk never has more than CHUNK_BYTES_MAX
 * bytes, and with CHUNK_BYTES_MAX of them 0 is never returned.
 */
size_t chunker_cut(
    struct chunker *self, const uint8_t *data, size_t len, bool last);

/** Forget what was seen since the last cut: the caller cut by itself. */
void chunker_reset(struct chunker *self);

/**
 * Whether ${len} bytes at ${data} look as if nothing could make them
 * shorter, from a sample: nearly all byte values equally often.
 */
bool chunker_is_noise(const uint8_t *data, size_t len);

#endif
