#include "grant_file.h"

#include <assert.h>
#include <sodium.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "key_text.h"

#define FILE_NAME "grant"
#define HEAD      "keepsake grant 1"

#define FIELDS_COUNT 8

static void fields_of(
    struct key_field out[static FIELDS_COUNT], struct grant *self)
{
	struct account_keys *keys = &self->keys;
	const struct key_field fields[FIELDS_COUNT] = {
		{ "account", keys->account.bytes, ID_BYTES },
		{ "terminal", self->terminal.bytes, ID_BYTES },
		{ "seed", self->seed, GRANT_SEED_BYTES },
		{ "chunk_id", keys->chunk_id, ACCOUNT_KEY_BYTES },
		{ "chunk_key", keys->chunk_key, ACCOUNT_KEY_BYTES },
		{ "chunker_seed", keys->chunker_seed, ACCOUNT_KEY_BYTES },
		{ "snapshot_writer", keys->snapshot_writer, ACCOUNT_KEY_BYTES },
		{ "account_key", keys->public_key, ACCOUNT_KEY_BYTES },
	};

	for (size_t i = 0; i < FIELDS_COUNT; i++)
		out[i] = fields[i];
}

enum status grant_new(struct grant **self_out, const struct id *terminal,
    const struct account_keys *keys)
{
	struct grant *self = secret_new(sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->terminal = *terminal;
	randombytes_buf(self->seed, sizeof(self->seed));
	account_keys_for_writing(&self->keys, keys);
	*self_out = self;
	return STATUS_OK;
}

void grant_destroy(struct grant **self_p)
{
	assert(self_p);
	void *self = *self_p;

	secret_destroy(&self, sizeof(**self_p));
	*self_p = NULL;
}

enum status grant_write(struct grant *self, struct privileged *place)
{
	struct key_field fields[FIELDS_COUNT];
	void *text = secret_new(KEY_TEXT_BYTES_MAX);

	if (!text)
		return STATUS_NO_SPACE;
	fields_of(fields, self);
	key_text_format(text, HEAD, fields, FIELDS_COUNT);
	enum status st = privileged_write(place, FILE_NAME,
	    slice_of(text, key_text_bytes(HEAD, fields, FIELDS_COUNT)));
	secret_destroy(&text, KEY_TEXT_BYTES_MAX);
	return st;
}

enum status grant_parse(struct grant *out, struct slice text)
{
	struct key_field fields[FIELDS_COUNT];

	sodium_memzero(out, sizeof(*out));
	fields_of(fields, out);
	enum status st = key_text_parse(text, HEAD, fields, FIELDS_COUNT);
	if (st != STATUS_OK)
		sodium_memzero(out, sizeof(*out));
	return st;
}

enum status grant_read(struct grant **self_out, struct privileged *place)
{
	struct grant *self = secret_new(sizeof(*self));
	void *text = secret_new(KEY_TEXT_BYTES_MAX);
	size_t len = 0;
	enum status st = STATUS_NO_SPACE;

	if (self && text)
		st = privileged_read(
		    place, FILE_NAME, text, KEY_TEXT_BYTES_MAX, &len);
	if (st == STATUS_TOO_LARGE)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		st = grant_parse(self, slice_of(text, len));
	secret_destroy(&text, KEY_TEXT_BYTES_MAX);
	if (st != STATUS_OK)
		grant_destroy(&self);
	*self_out = self;
	return st;
}

enum status grant_remove(struct privileged *place)
{
	enum status st = privileged_remove(place, FILE_NAME);

	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}
