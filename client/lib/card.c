#include "card.h"

#include <string.h>

#include "card/iccid.h"

#define ASSOCIATED_BYTES_MAX (1 + ID_BYTES + ICCID_DIGITS_MAX)

/* What must be the same to open it. */
struct associated {
	uint8_t bytes[ASSOCIATED_BYTES_MAX];
	size_t len;
};

static enum status associate(
    struct associated *out, const struct account_keys *keys, const char *iccid)
{
	if (iccid_check(iccid) != STATUS_OK)
		return STATUS_MALFORMED;
	out->bytes[0] = CARD_SEALED;
	memcpy(out->bytes + 1, keys->account.bytes, ID_BYTES);
	memcpy(out->bytes + 1 + ID_BYTES, iccid, strlen(iccid));
	out->len = 1 + ID_BYTES + strlen(iccid);
	return STATUS_OK;
}

enum status card_seal(struct bytes *out, const struct account_keys *keys,
    const char *iccid, struct slice data)
{
	struct associated with;
	enum status st = associate(&with, keys, iccid);

	if (st == STATUS_OK && data.len > CARD_DATA_MAX)
		st = STATUS_TOO_LARGE;
	if (st == STATUS_OK)
		st = bytes_reserve(out, CARD_EXTRA_BYTES + data.len);
	if (st != STATUS_OK)
		return st;
	out->data[0] = CARD_SEALED;
	seal(out->data + 1, keys->card, data, slice_of(with.bytes, with.len));
	out->len = CARD_EXTRA_BYTES + data.len;
	return STATUS_OK;
}

enum status card_open(struct bytes *out, const struct account_keys *keys,
    const char *iccid, struct slice stored)
{
	struct associated with;
	struct bytes plain = { 0 };
	enum status st;

	if (stored.len == 0 || stored.data[0] != CARD_SEALED)
		return STATUS_VERSION;
	if (stored.len < CARD_EXTRA_BYTES)
		return STATUS_MALFORMED;
	st = associate(&with, keys, iccid);
	if (st == STATUS_OK)
		st = bytes_reserve(&plain, stored.len);
	if (st != STATUS_OK)
		return st;
	plain.len = stored.len - CARD_EXTRA_BYTES;
	if (seal_open(plain.data, keys->card,
		slice_of(stored.data + 1, stored.len - 1),
		slice_of(with.bytes, with.len)) != STATUS_OK) {
		bytes_clear(&plain);
		return STATUS_MALFORMED;
	}
	bytes_clear(out);
	*out = plain;
	return STATUS_OK;
}
