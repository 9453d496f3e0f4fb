#ifndef KEEPSAKE_CRYPTO_HKDF_H
#define KEEPSAKE_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * HKDF and HMAC with SHA-512.  What is hashed is given in ${count} parts,
 * which count as if they stood in one piece.  Source: RFC 5869, RFC 2104.
 */

#define HKDF_HASH_BYTES   64                      /* HashLen of SHA-512 */
#define HKDF_EXPAND_BYTES (255 * HKDF_HASH_BYTES) /* the most, clause 2.3 */

/** HMAC of ${parts} under ${key} of any length into ${out}. */
void hmac_sha512(uint8_t out[static HKDF_HASH_BYTES], struct slice key,
    const struct slice *parts, size_t count);

/** Extract with an empty salt: ${parts} into a key for hkdf_sha512_expand. */
void hkdf_sha512_extract(uint8_t key_out[static HKDF_HASH_BYTES],
    const struct slice *parts, size_t count);

/** Expand ${key} for the purpose ${info} into ${len} bytes at ${out}. */
void hkdf_sha512_expand(uint8_t *out, size_t len,
    const uint8_t key[static HKDF_HASH_BYTES], const struct slice *info,
    size_t count);

#endif
