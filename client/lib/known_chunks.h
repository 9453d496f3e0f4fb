#ifndef KEEPSAKE_CLIENT_KNOWN_CHUNKS_H
#define KEEPSAKE_CLIENT_KNOWN_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "chunk.h"

/**
 * The chunks that this terminal has written or verified, and so may refer
 * to without asking (B-05), with their sealed lengths.  Holds 15 bytes of
 * each id: as good as all 32 for keyed ids.  Not thread-safe.
 */
struct known_chunks;

/** An empty set; NULL without memory. */
struct known_chunks *known_chunks_new(void);
void known_chunks_destroy(struct known_chunks **self_p);

/**
 * Add a chunk, or find that it is there.
 *
 * pages  of its sealed form, 1 to CHUNK_PAGES_MAX
 *
 * STATUS_OK, or STATUS_NO_SPACE without memory.
 */
enum status known_chunks_add(
    struct known_chunks *self, const struct chunk_id *id, unsigned int pages);

/**
 * Find a chunk, and note that it is in use: a cache keeps only those.
 * Returns its pages, or 0 where it is not known.
 */
unsigned int known_chunks_use(
    struct known_chunks *self, const struct chunk_id *id);

#define KNOWN_CHUNK_BYTES 16 /* packed, as a cache has it */

/**
 * Pack the next chunk that is in use, in no order.
 *
 * at  where to go on; 0 to begin, and not touched between two calls
 *
 * Returns false where there is none.
 */
bool known_chunks_pack(const struct known_chunks *self, size_t *at,
    uint8_t out[static KNOWN_CHUNK_BYTES]);

/**
 * Add the chunks of ${packed}, none of them in use, one behind the other.
 *
 * STATUS_OK         all of them are added
 * STATUS_MALFORMED  one is none, and those before it are added
 * STATUS_NO_SPACE   no memory
 */
enum status known_chunks_unpack(struct known_chunks *self, struct slice packed);

#endif
