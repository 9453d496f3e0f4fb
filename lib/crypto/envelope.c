#include "crypto/envelope.h"

#include <sodium.h>
#include <string.h>

#include "base/util.h"
#include "crypto/hkdf.h"

_Static_assert(crypto_kx_SESSIONKEYBYTES == SEAL_KEY_BYTES, "kx makes keys");
_Static_assert(crypto_kx_PUBLICKEYBYTES == ENVELOPE_PUBLIC_BYTES, "X25519");
_Static_assert(crypto_kx_SECRETKEYBYTES == ENVELOPE_SECRET_BYTES, "X25519");
_Static_assert(HKDF_HASH_BYTES == OPAQUE_KEY_BYTES, "a session key expands");

enum status envelope_request_seal(uint8_t *out,
    struct envelope_reply_key *reply_out,
    const uint8_t auth_public[static ENVELOPE_PUBLIC_BYTES], struct slice plain,
    struct slice associated)
{
	enum status st = STATUS_MALFORMED;
	uint8_t secret[ENVELOPE_SECRET_BYTES], request_key[SEAL_KEY_BYTES];

	crypto_kx_keypair(out, secret);
	if (crypto_kx_client_session_keys(
		reply_out->bytes, request_key, out, secret, auth_public) != 0)
		goto out;
	seal(out + ENVELOPE_PUBLIC_BYTES, request_key, plain, associated);
	st = STATUS_OK;
out:
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(request_key, sizeof(request_key));
	return st;
}

enum status envelope_request_open(uint8_t *out,
    struct envelope_reply_key *reply_out,
    const uint8_t auth_public[static ENVELOPE_PUBLIC_BYTES],
    const uint8_t auth_secret[static ENVELOPE_SECRET_BYTES],
    struct slice sealed, struct slice associated)
{
	enum status st = STATUS_MALFORMED;
	uint8_t request_key[SEAL_KEY_BYTES];

	if (sealed.len < ENVELOPE_REQUEST_EXTRA_BYTES)
		return STATUS_MALFORMED;
	if (crypto_kx_server_session_keys(request_key, reply_out->bytes,
		auth_public, auth_secret, sealed.data) != 0)
		goto out;
	st = seal_open(out, request_key,
	    slice_of(sealed.data + ENVELOPE_PUBLIC_BYTES,
		sealed.len - ENVELOPE_PUBLIC_BYTES),
	    associated);
out:
	sodium_memzero(request_key, sizeof(request_key));
	return st;
}

void envelope_reply_seal(uint8_t *out, const struct envelope_reply_key *key,
    struct slice plain, struct slice associated)
{
	seal(out, key->bytes, plain, associated);
}

enum status envelope_reply_open(uint8_t *out,
    const struct envelope_reply_key *key, struct slice sealed,
    struct slice associated)
{
	return seal_open(out, key->bytes, sealed, associated);
}

static void session_way_key(uint8_t key[SEAL_KEY_BYTES],
    const uint8_t session_key[OPAQUE_KEY_BYTES], enum session_way way,
    const char *label)
{
	static const char *const prefixes[] = {
		[SESSION_TO_AUTH] = "keepsake session to auth ",
		[SESSION_TO_TERMINAL] = "keepsake session to terminal ",
	};
	const struct slice info[] = {
		slice_text(prefixes[way]),
		slice_text(label),
	};

	hkdf_sha512_expand(
	    key, SEAL_KEY_BYTES, session_key, info, nitems(info));
}

void session_seal(uint8_t *out,
    const uint8_t session_key[static OPAQUE_KEY_BYTES], enum session_way way,
    const char *label, struct slice plain, struct slice associated)
{
	uint8_t key[SEAL_KEY_BYTES];

	session_way_key(key, session_key, way, label);
	seal(out, key, plain, associated);
	sodium_memzero(key, sizeof(key));
}

enum status session_open(uint8_t *out,
    const uint8_t session_key[static OPAQUE_KEY_BYTES], enum session_way way,
    const char *label, struct slice sealed, struct slice associated)
{
	uint8_t key[SEAL_KEY_BYTES];

	session_way_key(key, session_key, way, label);
	enum status st = seal_open(out, key, sealed, associated);
	sodium_memzero(key, sizeof(key));
	return st;
}
