#include "crypto/seal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/bounds.h"

_Static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    "key length");
_Static_assert(SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    "nonce length");
_Static_assert(
    SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag length");

void seal(uint8_t *out, const uint8_t key[static SEAL_KEY_BYTES],
    struct slice plain, struct slice associated)
{
	randombytes_buf(out, SEAL_NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEAL_NONCE_BYTES, NULL,
	    plain.data, plain.len, associated.data, associated.len, NULL, out,
	    key);
}

enum status seal_open(uint8_t *out, const uint8_t key[static SEAL_KEY_BYTES],
    struct slice sealed, struct slice associated)
{
	if (sealed.len < SEAL_EXTRA_BYTES)
		return STATUS_MALFORMED;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL,
		sealed.data + SEAL_NONCE_BYTES, sealed.len - SEAL_NONCE_BYTES,
		associated.data, associated.len, sealed.data, key) != 0)
		return STATUS_DENIED;
	return STATUS_OK;
}

size_t seal_padded_len(size_t len)
{
	assert(len <= SIZE_MAX - PAGE_BYTES - PAGE_HEAD_BYTES);
	size_t pages = (len + PAGE_HEAD_BYTES + PAGE_BYTES - 1) / PAGE_BYTES;

	return pages * PAGE_BYTES - PAGE_HEAD_BYTES;
}

void key_derive(uint8_t out[static KEY_BYTES],
    const uint8_t key[static KEY_BYTES], const char *label,
    struct slice context)
{
	crypto_generichash_state hash;

	crypto_generichash_init(&hash, key, KEY_BYTES, KEY_BYTES);
	crypto_generichash_update(
	    &hash, (const uint8_t *)label, strlen(label) + 1);
	if (context.len > 0)
		crypto_generichash_update(&hash, context.data, context.len);
	crypto_generichash_final(&hash, out, KEY_BYTES);
	sodium_memzero(&hash, sizeof(hash));
}
