#include "snapshot_key.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "local_keys.h"

#define HEAD_BYTES     2 /* mode and origin */
#define EXCHANGE_BYTES crypto_scalarmult_BYTES
#define SEALED_AT      HEAD_BYTES
#define ACCOUNT_AT     (HEAD_BYTES + EXCHANGE_BYTES)

#define SEALED_KEY_BYTES  (SEALED_AT + SEALED_BYTES(SEAL_KEY_BYTES))
#define LOCAL_KEY_BYTES   (HEAD_BYTES + ID_BYTES)
#define ACCOUNT_ALL_BYTES (ACCOUNT_AT + SEALED_BYTES(SEAL_KEY_BYTES))

#define ASSOCIATED_BYTES \
	(sizeof(SNAPSHOT_KEY_LABEL_ASSOCIATED) - 1 + ID_BYTES + HEAD_BYTES)

_Static_assert(ACCOUNT_KEY_BYTES == EXCHANGE_BYTES, "X25519");
_Static_assert(ACCOUNT_ALL_BYTES <= SNAPSHOT_SEALED_KEY_BYTES_MAX &&
		   SEALED_KEY_BYTES <= SNAPSHOT_SEALED_KEY_BYTES_MAX,
    "all of them fit");

static void associate(uint8_t out[static ASSOCIATED_BYTES],
    const struct account_keys *keys, const uint8_t head[static HEAD_BYTES])
{
	const size_t label = sizeof(SNAPSHOT_KEY_LABEL_ASSOCIATED) - 1;

	memcpy(out, SNAPSHOT_KEY_LABEL_ASSOCIATED, label);
	memcpy(out + label, keys->account.bytes, ID_BYTES);
	memcpy(out + label + ID_BYTES, head, HEAD_BYTES);
}

/*
 * The key of ACCOUNT, from ${secret}, one half's, and ${point}, the other's.
 *
 * STATUS_MALFORMED  they make no secret
 */
static enum status agree(uint8_t out[static KEY_BYTES],
    const struct account_keys *keys,
    const uint8_t secret[static EXCHANGE_BYTES],
    const uint8_t point[static EXCHANGE_BYTES],
    const uint8_t ephemeral[static EXCHANGE_BYTES])
{
	uint8_t context[3 * EXCHANGE_BYTES];
	enum status st = STATUS_MALFORMED;

	if (crypto_scalarmult(context, secret, point) == 0) {
		memcpy(context + EXCHANGE_BYTES, ephemeral, EXCHANGE_BYTES);
		memcpy(context + 2 * (size_t)EXCHANGE_BYTES, keys->public_key,
		    EXCHANGE_BYTES);
		key_derive(out, keys->snapshot_writer,
		    SNAPSHOT_KEY_LABEL_ACCOUNT,
		    slice_of(context, sizeof(context)));
		st = STATUS_OK;
	}
	sodium_memzero(context, sizeof(context));
	return st;
}

static enum status seal_to_account(
    struct snapshot_key *self, const struct account_keys *keys)
{
	uint8_t associated[ASSOCIATED_BYTES];
	uint8_t secret[EXCHANGE_BYTES], key[KEY_BYTES];
	uint8_t *point = self->sealed + HEAD_BYTES;
	enum status st = STATUS_MALFORMED;

	randombytes_buf(secret, sizeof(secret));
	if (crypto_scalarmult_base(point, secret) == 0)
		st = agree(key, keys, secret, keys->public_key, point);
	if (st == STATUS_OK) {
		associate(associated, keys, self->sealed);
		seal(self->sealed + ACCOUNT_AT, key,
		    slice_of(self->key, SEAL_KEY_BYTES),
		    slice_of(associated, sizeof(associated)));
		self->sealed_len = ACCOUNT_ALL_BYTES;
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(key, sizeof(key));
	return st;
}

static enum status seal_under_root(
    struct snapshot_key *self, const struct account_keys *keys)
{
	uint8_t associated[ASSOCIATED_BYTES];

	if (!keys->may_read)
		return STATUS_DENIED;
	associate(associated, keys, self->sealed);
	seal(self->sealed + SEALED_AT, keys->snapshot_wrap,
	    slice_of(self->key, SEAL_KEY_BYTES),
	    slice_of(associated, sizeof(associated)));
	self->sealed_len = SEALED_KEY_BYTES;
	return STATUS_OK;
}

enum status snapshot_key_new(struct snapshot_key **self_out, enum key_mode mode,
    const struct account_keys *keys)
{
	struct snapshot_key *self = secret_new(sizeof(*self));
	enum status st = STATUS_OK;

	if (!self)
		return STATUS_NO_SPACE;
	self->mode = mode;
	self->sealed[0] = (uint8_t)mode;
	self->sealed[1] = KEY_ORIGIN_RANDOM;
	randombytes_buf(self->key, sizeof(self->key));
	switch (mode) {
	case KEY_MODE_SEALED:
		st = seal_under_root(self, keys);
		break;
	case KEY_MODE_LOCAL:
		randombytes_buf(self->id.bytes, ID_BYTES);
		memcpy(self->sealed + HEAD_BYTES, self->id.bytes, ID_BYTES);
		self->sealed_len = LOCAL_KEY_BYTES;
		break;
	case KEY_MODE_ACCOUNT:
		st = seal_to_account(self, keys);
		break;
	case KEY_MODE_ESCROW:
	case KEY_MODE_WRAPPED:
	default:
		assert(!"a mode that is written");
		st = STATUS_VERSION;
	}
	if (st != STATUS_OK)
		snapshot_key_destroy(&self);
	*self_out = self;
	return st;
}

void snapshot_key_destroy(struct snapshot_key **self_p)
{
	assert(self_p);
	void *self = *self_p;

	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}

/* How long a sealed key of each mode is; 0: not known here. */
static const size_t lengths[] = {
	[KEY_MODE_SEALED] = SEALED_KEY_BYTES,
	[KEY_MODE_LOCAL] = LOCAL_KEY_BYTES,
	[KEY_MODE_ESCROW] = 0,
	[KEY_MODE_WRAPPED] = 0,
	[KEY_MODE_ACCOUNT] = ACCOUNT_ALL_BYTES,
};

enum status sealed_key_read(struct sealed_key *out, struct slice sealed)
{
	if (sealed.len < HEAD_BYTES)
		return STATUS_MALFORMED;
	uint8_t mode = sealed.data[0], origin = sealed.data[1];
	if (mode >= nitems(lengths) || lengths[mode] == 0 || origin == 0 ||
	    origin > KEY_ORIGIN_TIME)
		return STATUS_VERSION;
	if (sealed.len != lengths[mode])
		return STATUS_MALFORMED;
	*out = (struct sealed_key){
		.mode = (enum key_mode)mode,
		.origin = (enum key_origin)origin,
	};
	if (out->mode == KEY_MODE_LOCAL) {
		memcpy(out->id.bytes, sealed.data + HEAD_BYTES, ID_BYTES);
		if (id_is_none(&out->id))
			return STATUS_MALFORMED;
	}
	return STATUS_OK;
}

/* Open ${sealed} behind its first ${at} bytes under ${key}. */
static enum status open_body(uint8_t key_out[static SEAL_KEY_BYTES],
    const uint8_t key[static KEY_BYTES], const struct account_keys *keys,
    struct slice sealed, size_t at)
{
	uint8_t associated[ASSOCIATED_BYTES];

	associate(associated, keys, sealed.data);
	return seal_open(key_out, key,
		   slice_of(sealed.data + at, sealed.len - at),
		   slice_of(associated, sizeof(associated))) == STATUS_OK
		   ? STATUS_OK
		   : STATUS_MALFORMED;
}

static enum status open_to_account(uint8_t key_out[static SEAL_KEY_BYTES],
    const struct account_keys *keys, struct slice sealed)
{
	const uint8_t *point = sealed.data + HEAD_BYTES;
	uint8_t key[KEY_BYTES];

	enum status st = agree(key, keys, keys->private_key, point, point);
	if (st == STATUS_OK)
		st = open_body(key_out, key, keys, sealed, ACCOUNT_AT);
	sodium_memzero(key, sizeof(key));
	return st;
}

static enum status open_local(uint8_t key_out[static SEAL_KEY_BYTES],
    const struct account_keys *keys, struct privileged *place,
    const struct id *id)
{
	void *memory = secret_new(sizeof(struct local_key));
	struct local_key *found = memory;

	if (!found)
		return STATUS_NO_SPACE;
	enum status st = local_key_find(place, id, &keys->account, found);
	if (st == STATUS_OK)
		memcpy(key_out, found->key, SEAL_KEY_BYTES);
	secret_destroy(&memory, sizeof(*found));
	return st;
}

enum status snapshot_key_open(uint8_t key_out[static SEAL_KEY_BYTES],
    const struct account_keys *keys, struct privileged *place,
    struct slice sealed)
{
	struct sealed_key head;
	enum status st = sealed_key_read(&head, sealed);

	if (st != STATUS_OK)
		return st;
	if (head.mode == KEY_MODE_LOCAL)
		return open_local(key_out, keys, place, &head.id);
	if (!keys->may_read)
		return STATUS_DENIED;
	if (head.mode == KEY_MODE_ACCOUNT)
		return open_to_account(key_out, keys, sealed);
	return open_body(key_out, keys->snapshot_wrap, keys, sealed, SEALED_AT);
}
