#include "cookie.h"

#include <string.h>

#include "base/clock.h"

/* Raised whenever a struct in a cookie changes: older ones are refused. */
#define COOKIE_LAYOUT 3

#define EXPIRY_BYTES     8
#define ASSOCIATED_BYTES (3 + PEER_ID_BYTES)

static const uint64_t good_ms[] = {
	[COOKIE_REGISTRATION] = 10 * 60 * 1000,
	[COOKIE_LOGIN] = 10 * 60 * 1000,
	[COOKIE_VERIFICATION] = 10 * 60 * 1000,
	[COOKIE_CODE] = 10 * 60 * 1000,
	[COOKIE_GRANT] = 2 * 60 * 1000,
};

static void associate(uint8_t out[static ASSOCIATED_BYTES],
    enum cookie_purpose purpose, const struct peer *peer)
{
	memset(out, 0, ASSOCIATED_BYTES);
	out[0] = COOKIE_LAYOUT;
	out[1] = (uint8_t)purpose;
	out[2] = (uint8_t)peer->kind;
	memcpy(out + 3, peer->id, peer->id_len);
}

enum status cookie_seal(struct bytes *out, const uint8_t key[static KEY_BYTES],
    enum cookie_purpose purpose, const struct peer *peer, struct slice content)
{
	uint8_t associated[ASSOCIATED_BYTES], expiry[EXPIRY_BYTES];
	struct bytes plain = { 0 };

	associate(associated, purpose, peer);
	put_be64(expiry, clock_wall_ms() + good_ms[purpose]);
	enum status st = bytes_copy(&plain, slice_of(expiry, sizeof(expiry)));
	if (st == STATUS_OK)
		st = bytes_append(&plain, content);
	if (st == STATUS_OK)
		st = bytes_reserve(out, SEALED_BYTES(plain.len));
	if (st == STATUS_OK) {
		seal(out->data, key, bytes_slice(&plain),
		    slice_of(associated, sizeof(associated)));
		out->len = SEALED_BYTES(plain.len);
	}
	bytes_clear(&plain);
	return st;
}

enum status cookie_open(void *content, size_t len,
    const uint8_t key[static KEY_BYTES], enum cookie_purpose purpose,
    const struct peer *peer, struct slice cookie)
{
	uint8_t associated[ASSOCIATED_BYTES];
	struct bytes plain = { 0 };
	enum status st = STATUS_DENIED;

	if (cookie.len != SEALED_BYTES(EXPIRY_BYTES + len))
		goto out;
	st = bytes_reserve(&plain, EXPIRY_BYTES + len);
	if (st != STATUS_OK)
		goto out;
	plain.len = EXPIRY_BYTES + len;
	associate(associated, purpose, peer);
	st = seal_open(
	    plain.data, key, cookie, slice_of(associated, sizeof(associated)));
	if (st == STATUS_OK && get_be64(plain.data) <= clock_wall_ms())
		st = STATUS_EXPIRED;
	if (st == STATUS_OK)
		memcpy(content, plain.data + EXPIRY_BYTES, len);
out:
	bytes_clear(&plain);
	return st;
}
