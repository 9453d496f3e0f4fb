#include "crypto/hkdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/util.h"

_Static_assert(HKDF_HASH_BYTES == crypto_auth_hmacsha512_BYTES, "SHA-512");

static void hmac_update(
    crypto_auth_hmacsha512_state *hmac, const struct slice *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].len > 0)
			crypto_auth_hmacsha512_update(
			    hmac, parts[i].data, parts[i].len);
}

void hmac_sha512(uint8_t out[static HKDF_HASH_BYTES], struct slice key,
    const struct slice *parts, size_t count)
{
	crypto_auth_hmacsha512_state hmac;

	crypto_auth_hmacsha512_init(&hmac, key.data, key.len);
	hmac_update(&hmac, parts, count);
	crypto_auth_hmacsha512_final(&hmac, out);
	sodium_memzero(&hmac, sizeof(hmac));
}

void hkdf_extract(uint8_t key_out[static HKDF_HASH_BYTES],
    const struct slice *parts, size_t count)
{
	hmac_sha512(key_out, slice_text(""), parts, count);
}

void hkdf_expand(uint8_t *out, size_t len,
    const uint8_t key[static HKDF_HASH_BYTES], const struct slice *info,
    size_t count)
{
	crypto_auth_hmacsha512_state hmac;
	uint8_t block[HKDF_HASH_BYTES];

	assert(len <= HKDF_EXPAND_BYTES);
	for (uint8_t number = 1; len > 0; number++) {
		crypto_auth_hmacsha512_init(&hmac, key, HKDF_HASH_BYTES);
		if (number > 1) /* each block hashes the one before */
			crypto_auth_hmacsha512_update(
			    &hmac, block, sizeof(block));
		hmac_update(&hmac, info, count);
		crypto_auth_hmacsha512_update(&hmac, &number, 1);
		crypto_auth_hmacsha512_final(&hmac, block);

		size_t taken = min_of(len, sizeof(block));
		memcpy(out, block, taken);
		out += taken;
		len -= taken;
	}
	sodium_memzero(&hmac, sizeof(hmac));
	sodium_memzero(block, sizeof(block));
}
