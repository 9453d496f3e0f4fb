#include "account_keys.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/seal.h"

_Static_assert(ACCOUNT_KEY_BYTES == crypto_scalarmult_BYTES, "X25519");
_Static_assert(ACCOUNT_KEY_BYTES == crypto_scalarmult_SCALARBYTES, "X25519");

enum status account_keys_new(struct account_keys **self_out,
    const struct id *account, const uint8_t root[static ACCOUNT_KEY_BYTES])
{
	struct account_keys *self = secret_new(sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	const struct {
		uint8_t *key;
		const char *label;
	} derived[] = {
		{ self->chunk_id, ACCOUNT_LABEL_CHUNK_ID },
		{ self->chunk_key, ACCOUNT_LABEL_CHUNK_KEY },
		{ self->chunker_seed, ACCOUNT_LABEL_CHUNKER },
		{ self->snapshot_wrap, ACCOUNT_LABEL_SNAPSHOT_WRAP },
		{ self->snapshot_writer, ACCOUNT_LABEL_WRITER },
		{ self->cache, ACCOUNT_LABEL_CACHE },
		{ self->card, ACCOUNT_LABEL_CARD },
		{ self->private_key, ACCOUNT_LABEL_X25519 },
	};
	self->account = *account;
	self->may_read = true;
	for (size_t i = 0; i < nitems(derived); i++)
		key_derive(derived[i].key, root, derived[i].label,
		    slice_of(account->bytes, ID_BYTES));
	if (crypto_scalarmult_base(self->public_key, self->private_key) != 0) {
		account_keys_destroy(&self);
		return STATUS_INTERNAL;
	}
	*self_out = self;
	return STATUS_OK;
}

void account_keys_for_writing(
    struct account_keys *out, const struct account_keys *from)
{
	sodium_memzero(out, sizeof(*out));
	out->account = from->account;
	memcpy(out->chunk_id, from->chunk_id, ACCOUNT_KEY_BYTES);
	memcpy(out->chunk_key, from->chunk_key, ACCOUNT_KEY_BYTES);
	memcpy(out->chunker_seed, from->chunker_seed, ACCOUNT_KEY_BYTES);
	memcpy(out->snapshot_writer, from->snapshot_writer, ACCOUNT_KEY_BYTES);
	memcpy(out->public_key, from->public_key, ACCOUNT_KEY_BYTES);
}

void account_keys_destroy(struct account_keys **self_p)
{
	assert(self_p);
	void *self = *self_p;

	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}
