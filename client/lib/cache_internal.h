#ifndef KEEPSAKE_CLIENT_CACHE_INTERNAL_H
#define KEEPSAKE_CLIENT_CACHE_INTERNAL_H

#include "cache.h"
#include "crypto/seal.h"
#include "manifest_message.h"

/* For cache.c and cache_writer.c only: the form of the file, as in cache.h. */

#define MAGIC            "KSC1"
#define MAGIC_BYTES      4
#define LABEL            "keepsake cache"
#define LABEL_BYTES      14
#define ASSOCIATED_BYTES (LABEL_BYTES + ID_BYTES + ID_BYTES + 8)
#define ROOT_HASH_BYTES  32
#define HEAD_BYTES       (CHUNK_ID_BYTES + ROOT_HASH_BYTES + 3 * 8)
#define HEAD_AT          (MAGIC_BYTES + ID_BYTES)
#define FRAMES_AT        (HEAD_AT + SEALED_BYTES(HEAD_BYTES))
#define FRAME_BYTES      (64 * 1024) /* a frame ends when it has so many */
#define FRAME_BYTES_MAX  (FRAME_BYTES + ENTRY_MESSAGE_BYTES_MAX)
#define FRAME_LEN_BYTES  4
#define STAMP_BYTES      20

/** What frame number ${frame} of ${file} is sealed with; 0: the head. */
void cache_associated(uint8_t out[static ASSOCIATED_BYTES],
    const struct account_keys *keys, const struct id *file, uint64_t frame);

/** What of ${stat} changes with the file, and is not in its entry. */
void cache_stamp(uint8_t out[static STAMP_BYTES], const struct stat *stat);

#endif
