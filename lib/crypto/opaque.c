#include "crypto/opaque_internal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/util.h"
#include "crypto/hkdf.h"

/* What RFC 9807 calls OPAQUE's key stretching function; ours is Argon2id. */
#define STRETCH_PASSES       3
#define STRETCH_MEMORY_BYTES (64 * 1024 * 1024)

static enum status stretch_argon2id(uint8_t out[static OPRF_OUTPUT_BYTES],
    const uint8_t in[static OPRF_OUTPUT_BYTES])
{
	static const uint8_t salt[crypto_pwhash_SALTBYTES];

	/* The input is random to who does not know the password: no salt. */
	int rc = crypto_pwhash(out, OPRF_OUTPUT_BYTES, (const char *)in,
	    OPRF_OUTPUT_BYTES, salt, STRETCH_PASSES, STRETCH_MEMORY_BYTES,
	    crypto_pwhash_ALG_ARGON2ID13);
	return rc == 0 ? STATUS_OK : STATUS_NO_SPACE;
}

const struct opaque_parameters opaque_keepsake = {
	.stretch = stretch_argon2id,
};

enum status opaque_stretch_identity(uint8_t out[static OPRF_OUTPUT_BYTES],
    const uint8_t in[static OPRF_OUTPUT_BYTES])
{
	memcpy(out, in, OPRF_OUTPUT_BYTES);
	return STATUS_OK;
}

void opaque_key_pair(uint8_t secret_out[static OPAQUE_SECRET_BYTES],
    uint8_t public_out[static OPAQUE_PUBLIC_BYTES],
    const uint8_t seed[static OPAQUE_SEED_BYTES])
{
	oprf_key_derive(secret_out, public_out, seed,
	    slice_text("OPAQUE-DeriveDiffieHellmanKeyPair"));
}

struct slice opaque_identity(
    struct slice chosen, const uint8_t public_key[static OPAQUE_PUBLIC_BYTES])
{
	return chosen.len > 0 ? chosen
			      : slice_of(public_key, OPAQUE_PUBLIC_BYTES);
}

void opaque_mask(struct opaque_masked *masked,
    const uint8_t masking_key[static OPAQUE_KEY_BYTES],
    const uint8_t masking_nonce[static OPAQUE_NONCE_BYTES])
{
	const struct slice info[] = {
		slice_of(masking_nonce, OPAQUE_NONCE_BYTES),
		slice_text("CredentialResponsePad"),
	};
	uint8_t pad[sizeof(*masked)];
	uint8_t *bytes = (uint8_t *)masked;

	hkdf_sha512_expand(pad, sizeof(pad), masking_key, info, nitems(info));
	for (size_t i = 0; i < sizeof(pad); i++)
		bytes[i] ^= pad[i];
	sodium_memzero(pad, sizeof(pad));
}

/** Derive-Secret, clause 6.4.2.1: for ${label}, bound to ${context}. */
static void derive_secret(uint8_t out[OPAQUE_KEY_BYTES],
    const uint8_t secret[OPAQUE_KEY_BYTES], const char *label,
    struct slice context)
{
	const struct slice prefix = slice_text("OPAQUE-");
	const struct slice name = slice_text(label);
	const uint8_t out_len[2] = { 0, OPAQUE_KEY_BYTES };
	const uint8_t label_len = (uint8_t)(prefix.len + name.len);
	const uint8_t context_len = (uint8_t)context.len;
	const struct slice info[] = {
		slice_of(out_len, 2),
		slice_of(&label_len, 1),
		prefix,
		name,
		slice_of(&context_len, 1),
		context,
	};

	hkdf_sha512_expand(out, OPAQUE_KEY_BYTES, secret, info, nitems(info));
}

static void hash_prefixed(crypto_hash_sha512_state *hash, struct slice part)
{
	uint8_t len[2];

	assert(part.len <= UINT16_MAX);
	put_be16(len, (uint16_t)part.len);
	crypto_hash_sha512_update(hash, len, sizeof(len));
	if (part.len > 0)
		crypto_hash_sha512_update(hash, part.data, part.len);
}

/** MAC over all that ${said} has hashed so far, which goes on. */
static void transcript_mac(uint8_t mac[OPAQUE_MAC_BYTES],
    const uint8_t handshake_secret[OPAQUE_KEY_BYTES], const char *label,
    const crypto_hash_sha512_state *said)
{
	crypto_hash_sha512_state copy = *said;
	uint8_t key[OPAQUE_KEY_BYTES];
	uint8_t digest[crypto_hash_sha512_BYTES];
	const struct slice parts[] = { slice_of(digest, sizeof(digest)) };

	crypto_hash_sha512_final(&copy, digest);
	derive_secret(key, handshake_secret, label, slice_text(""));
	hmac_sha512(mac, slice_of(key, sizeof(key)), parts, nitems(parts));
	sodium_memzero(key, sizeof(key));
}

void opaque_schedule_derive(struct opaque_schedule *out,
    const struct opaque_shared *shared,
    const struct opaque_parameters *parameters,
    const uint8_t client_public[static OPAQUE_PUBLIC_BYTES],
    const uint8_t server_public[static OPAQUE_PUBLIC_BYTES],
    const struct opaque_ke1 *ke1, const struct opaque_ke2 *ke2)
{
	static const char version[] = "OPAQUEv1-";
	const struct slice secrets[] = { slice_of(shared, sizeof(*shared)) };
	crypto_hash_sha512_state said, copy;
	uint8_t preamble[crypto_hash_sha512_BYTES];
	uint8_t key[OPAQUE_KEY_BYTES], handshake_secret[OPAQUE_KEY_BYTES];

	crypto_hash_sha512_init(&said);
	crypto_hash_sha512_update(
	    &said, (const uint8_t *)version, sizeof(version) - 1);
	hash_prefixed(&said, parameters->context);
	hash_prefixed(
	    &said, opaque_identity(parameters->client_identity, client_public));
	crypto_hash_sha512_update(&said, (const uint8_t *)ke1, sizeof(*ke1));
	hash_prefixed(
	    &said, opaque_identity(parameters->server_identity, server_public));
	crypto_hash_sha512_update(
	    &said, (const uint8_t *)ke2, offsetof(struct opaque_ke2, mac));
	copy = said;
	crypto_hash_sha512_final(&copy, preamble);

	hkdf_sha512_extract(key, secrets, nitems(secrets));
	derive_secret(handshake_secret, key, "HandshakeSecret",
	    slice_of(preamble, sizeof(preamble)));
	derive_secret(out->session_key, key, "SessionKey",
	    slice_of(preamble, sizeof(preamble)));
	transcript_mac(out->server_mac, handshake_secret, "ServerMAC", &said);
	crypto_hash_sha512_update(
	    &said, out->server_mac, sizeof(out->server_mac));
	transcript_mac(out->client_mac, handshake_secret, "ClientMAC", &said);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(handshake_secret, sizeof(handshake_secret));
}
