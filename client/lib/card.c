#include "card.h"

#include <sodium.h>
#include <string.h>

#include "card/iccid.h"

#define CARD_LABEL       "keepsake card"
#define ASSOCIATED_BYTES (1 + ID_BYTES + ICCID_DIGITS_MAX)

/* What both ends need: the key, and what must be the same. */
struct lock {
	uint8_t key[KEY_BYTES];
	uint8_t associated[ASSOCIATED_BYTES];
	size_t associated_len;
};

static enum status lock_make(struct lock *out, const struct id *account,
    const uint8_t root[static ACCOUNT_KEY_BYTES], const char *iccid)
{
	struct slice id = slice_of(account->bytes, ID_BYTES);

	if (iccid_check(iccid) != STATUS_OK)
		return STATUS_MALFORMED;
	key_derive(out->key, root, CARD_LABEL, id);
	out->associated[0] = CARD_SEALED;
	memcpy(out->associated + 1, id.data, id.len);
	memcpy(out->associated + 1 + id.len, iccid, strlen(iccid));
	out->associated_len = 1 + id.len + strlen(iccid);
	return STATUS_OK;
}

enum status card_seal(struct bytes *out, const struct id *account,
    const uint8_t root[static ACCOUNT_KEY_BYTES], const char *iccid,
    struct slice data)
{
	struct lock lock;
	enum status st =
	    data.len <= CARD_DATA_MAX ? STATUS_OK : STATUS_TOO_LARGE;

	if (st == STATUS_OK)
		st = lock_make(&lock, account, root, iccid);
	if (st == STATUS_OK)
		st = bytes_reserve(out, CARD_EXTRA_BYTES + data.len);
	if (st == STATUS_OK) {
		out->data[0] = CARD_SEALED;
		seal(out->data + 1, lock.key, data,
		    slice_of(lock.associated, lock.associated_len));
		out->len = CARD_EXTRA_BYTES + data.len;
	}
	sodium_memzero(&lock, sizeof(lock));
	return st;
}

enum status card_open(struct bytes *out, const struct id *account,
    const uint8_t root[static ACCOUNT_KEY_BYTES], const char *iccid,
    struct slice stored)
{
	struct lock lock;
	struct bytes plain = { 0 };
	enum status st = STATUS_OK;

	if (stored.len == 0 || stored.data[0] != CARD_SEALED)
		return STATUS_VERSION;
	if (stored.len < CARD_EXTRA_BYTES)
		return STATUS_MALFORMED;
	st = lock_make(&lock, account, root, iccid);
	if (st == STATUS_OK)
		st = bytes_reserve(&plain, stored.len);
	if (st == STATUS_OK) {
		plain.len = stored.len - CARD_EXTRA_BYTES;
		st = seal_open(plain.data, lock.key,
		    slice_of(stored.data + 1, stored.len - 1),
		    slice_of(lock.associated, lock.associated_len));
	}
	if (st == STATUS_DENIED)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK) {
		bytes_clear(out);
		*out = plain;
		plain = (struct bytes){ 0 };
	}
	bytes_clear(&plain);
	sodium_memzero(&lock, sizeof(lock));
	return st;
}
