#include "crypto/hkdf.h"

#include <assert.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <sodium.h>
#include <string.h>

#define INFO_BYTES_MAX 512 /* ours are labels, ids and hashes */

_Static_assert(HKDF_HASH_BYTES == SHA512_DIGEST_SIZE, "SHA-512");

void hmac_sha512(uint8_t out[static HKDF_HASH_BYTES], struct slice key,
    const struct slice *parts, size_t count)
{
	struct hmac_sha512_ctx hmac;

	hmac_sha512_set_key(&hmac, key.len, key.data);
	for (size_t i = 0; i < count; i++)
		hmac_sha512_update(&hmac, parts[i].len, parts[i].data);
	hmac_sha512_digest(&hmac, HKDF_HASH_BYTES, out);
	sodium_memzero(&hmac, sizeof(hmac));
}

void hkdf_sha512_extract(uint8_t key_out[static HKDF_HASH_BYTES],
    const struct slice *parts, size_t count)
{
	/* HKDF-Extract is HMAC under the salt, clause 2.2. */
	hmac_sha512(key_out, slice_text(""), parts, count);
}

void hkdf_sha512_expand(uint8_t *out, size_t len,
    const uint8_t key[static HKDF_HASH_BYTES], const struct slice *info,
    size_t count)
{
	struct hmac_sha512_ctx hmac;
	uint8_t joined[INFO_BYTES_MAX];
	size_t joined_len = 0;

	assert(len <= HKDF_EXPAND_BYTES);
	for (size_t i = 0; i < count; i++) {
		assert(info[i].len <= sizeof(joined) - joined_len);
		if (info[i].len > 0)
			memcpy(joined + joined_len, info[i].data, info[i].len);
		joined_len += info[i].len;
	}
	hmac_sha512_set_key(&hmac, HKDF_HASH_BYTES, key);
	hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha512_update,
	    (nettle_hash_digest_func *)hmac_sha512_digest, HKDF_HASH_BYTES,
	    joined_len, joined, len, out);
	sodium_memzero(&hmac, sizeof(hmac));
	sodium_memzero(joined, sizeof(joined));
}
