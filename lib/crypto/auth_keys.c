#include "crypto/auth_keys.h"

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/hkdf.h"

#define PUBLIC_BYTES 32 /* of each public key */

_Static_assert(sizeof(struct auth_public) == 3 * PUBLIC_BYTES, "alike");

/* clang-format off */
static const struct line {
	const char *prefix;
	size_t at;	/* in struct auth_public */
	const char *wrong;
} lines[] = {
	{ "x25519=", offsetof(struct auth_public, x25519), "line 1 is not x25519= and 64 hex digits" },
	{ "opaque=", offsetof(struct auth_public, opaque), "line 2 is not opaque= and 64 hex digits" },
	{ "ticket=", offsetof(struct auth_public, ticket), "line 3 is not ticket= and 64 hex digits" },
};
/* clang-format on */

static void derive(uint8_t *out, size_t len, const uint8_t key[HKDF_HASH_BYTES],
    const char *name)
{
	const struct slice info[] = {
		slice_text("keepsake auth "),
		slice_text(name),
	};

	hkdf_sha512_expand(out, len, key, info, nitems(info));
}

enum status auth_keys_new(
    struct auth_keys **keys_out, const uint8_t seed[static AUTH_SEED_BYTES])
{
	const struct slice secrets[] = { slice_of(seed, AUTH_SEED_BYTES) };
	struct auth_keys *self = secret_new(sizeof(*self));
	uint8_t key[HKDF_HASH_BYTES];
	uint8_t pair_seed[32];

	_Static_assert(sizeof(pair_seed) == OPAQUE_SEED_BYTES &&
			   sizeof(pair_seed) == crypto_kx_SEEDBYTES &&
			   sizeof(pair_seed) == crypto_sign_SEEDBYTES,
	    "one seed length for all pairs");
	if (!self)
		return STATUS_NO_SPACE;
	hkdf_sha512_extract(key, secrets, nitems(secrets));
	derive(self->opaque.oprf_seed, sizeof(self->opaque.oprf_seed), key,
	    "oprf");
	derive(pair_seed, sizeof(pair_seed), key, "opaque");
	opaque_key_pair(
	    self->opaque.secret_key, self->opaque.public_key, pair_seed);
	derive(pair_seed, sizeof(pair_seed), key, "x25519");
	crypto_kx_seed_keypair(
	    self->x25519_public, self->x25519_secret, pair_seed);
	derive(pair_seed, sizeof(pair_seed), key, "ticket");
	crypto_sign_seed_keypair(
	    self->ticket_public, self->ticket_secret, pair_seed);
	derive(pair_seed, sizeof(pair_seed), key, "fake record");
	opaque_fake_record(self->fake_record, pair_seed);
	derive(self->cookie_key, sizeof(self->cookie_key), key, "cookie");
	derive(self->names_key, sizeof(self->names_key), key, "names");
	sodium_memzero(key, sizeof(key));
	sodium_memzero(pair_seed, sizeof(pair_seed));
	*keys_out = self;
	return STATUS_OK;
}

void auth_keys_destroy(struct auth_keys **self_p)
{
	assert(self_p);
	void *secret = *self_p;

	secret_destroy(&secret, sizeof(struct auth_keys));
	*self_p = NULL;
}

void auth_keys_public(struct auth_public *out, const struct auth_keys *self)
{
	memcpy(out->x25519, self->x25519_public, sizeof(out->x25519));
	memcpy(out->opaque, self->opaque.public_key, sizeof(out->opaque));
	memcpy(out->ticket, self->ticket_public, sizeof(out->ticket));
}

void auth_public_format(char text_out[static AUTH_PUBLIC_TEXT_BYTES],
    const struct auth_public *keys)
{
	char *end = text_out;

	for (size_t i = 0; i < nitems(lines); i++) {
		const uint8_t *key = (const uint8_t *)keys + lines[i].at;

		end = stpcpy(end, lines[i].prefix);
		hex_encode(end, slice_of(key, PUBLIC_BYTES));
		end = stpcpy(end + 2 * PUBLIC_BYTES, "\n");
	}
}

/** Read one line of ${len} bytes. */
static enum status line_parse(struct auth_public *out, const struct line *line,
    const char *text, size_t len)
{
	size_t prefix_len = strlen(line->prefix);
	char hex[HEX_BYTES(PUBLIC_BYTES)];

	if (len != prefix_len + 2 * PUBLIC_BYTES ||
	    memcmp(text, line->prefix, prefix_len) != 0)
		return STATUS_MALFORMED;
	memcpy(hex, text + prefix_len, 2 * PUBLIC_BYTES);
	hex[2 * PUBLIC_BYTES] = '\0';
	return hex_decode((uint8_t *)out + line->at, PUBLIC_BYTES, hex);
}

enum status auth_public_parse(
    struct auth_public *out, const char *text, const char **why_out)
{
	struct auth_public parsed;

	for (size_t i = 0; i < nitems(lines); i++) {
		size_t len = strcspn(text, "\n");

		*why_out = lines[i].wrong;
		if (line_parse(&parsed, &lines[i], text, len) != STATUS_OK)
			return STATUS_MALFORMED;
		text += len;
		if (*text == '\n')
			text++;
	}
	*why_out = "there is more after line 3";
	if (*text != '\0')
		return STATUS_MALFORMED;
	*why_out = "opaque= is not an OPAQUE public key";
	if (!oprf_point_valid(parsed.opaque))
		return STATUS_MALFORMED;
	*why_out = NULL;
	*out = parsed;
	return STATUS_OK;
}
