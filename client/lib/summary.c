#include "summary.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/seal.h"
#include "manifest.pb-c.h"

#define KEY_LABEL        "keepsake snapshot key"
#define SUMMARY_LABEL    "keepsake summary"
#define HEAD_BYTES       2 /* mode and origin; the length */
#define SEALED_KEY_BYTES (HEAD_BYTES + SEALED_BYTES(SEAL_KEY_BYTES))
#define PAD_BYTES        256
#define ASSOCIATED_MAX   128
#define UNPACKED_MAX     16384
#define ALIGNMENT        16

/*
 * Every field at its longest: 34 + 9 + 203 + 102 + 22, and 24 and 2 more for
 * each category.
 */
_Static_assert(
    SEALED_BYTES((HEAD_BYTES + 370 + 26 * CATEGORY_COUNT + PAD_BYTES - 1) /
		 PAD_BYTES * PAD_BYTES) <= SNAPSHOT_SEALED_SUMMARY_BYTES_MAX,
    "a summary always fits");
_Static_assert(SEALED_KEY_BYTES <= SNAPSHOT_SEALED_KEY_BYTES_MAX, "fits");

void summary_set_text(char *out, size_t room, const char *text)
{
	size_t len = strnlen(text, room);

	assert(room > 0);
	if (len == room) {
		len = room - 1;
		while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--; /* not within a character of UTF-8 */
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

/** ${label}, the account and ${tail} in a row; returns their length. */
static size_t associated_fill(uint8_t out[static ASSOCIATED_MAX],
    const char *label, const struct account_keys *keys, struct slice tail)
{
	size_t len = strlen(label);

	assert(len + ID_BYTES + tail.len <= ASSOCIATED_MAX);
	memcpy(out, label, len);
	memcpy(out + len, keys->account.bytes, ID_BYTES);
	len += ID_BYTES;
	memcpy(out + len, tail.data, tail.len);
	return len + tail.len;
}

static enum status key_seal(const uint8_t key[static SEAL_KEY_BYTES],
    const struct account_keys *keys, struct bytes *out)
{
	const uint8_t head[HEAD_BYTES] = { KEY_MODE_SEALED, KEY_ORIGIN_RANDOM };
	uint8_t associated[ASSOCIATED_MAX];
	size_t len = associated_fill(
	    associated, KEY_LABEL, keys, slice_of(head, HEAD_BYTES));
	enum status st = bytes_reserve(out, SEALED_KEY_BYTES);

	if (st != STATUS_OK)
		return st;
	memcpy(out->data, head, HEAD_BYTES);
	seal(out->data + HEAD_BYTES, keys->snapshot_wrap,
	    slice_of(key, SEAL_KEY_BYTES), slice_of(associated, len));
	out->len = SEALED_KEY_BYTES;
	return STATUS_OK;
}

static enum status key_open(uint8_t key[static SEAL_KEY_BYTES],
    const struct account_keys *keys, struct slice sealed)
{
	uint8_t associated[ASSOCIATED_MAX];

	if (sealed.len < HEAD_BYTES)
		return STATUS_MALFORMED;
	if (sealed.data[0] != KEY_MODE_SEALED)
		return STATUS_VERSION;
	if (sealed.len != SEALED_KEY_BYTES)
		return STATUS_MALFORMED;
	size_t len = associated_fill(
	    associated, KEY_LABEL, keys, slice_of(sealed.data, HEAD_BYTES));
	if (seal_open(key, keys->snapshot_wrap,
		slice_of(sealed.data + HEAD_BYTES, sealed.len - HEAD_BYTES),
		slice_of(associated, len)) != STATUS_OK)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

/** Encode ${summary} after its length, padded; ${out} is to be wiped. */
static enum status summary_pack(
    const struct summary *summary, struct bytes *out)
{
	Manifest__Summary message = MANIFEST__SUMMARY__INIT;
	Manifest__CategoryTotal totals[CATEGORY_COUNT];
	Manifest__CategoryTotal *pointers[CATEGORY_COUNT];

	message.root_key = (ProtobufCBinaryData){ CHUNK_KEY_BYTES,
		(uint8_t *)(uintptr_t)summary->root_key };
	message.started_ms = summary->started_ms;
	message.label = (char *)(uintptr_t)summary->label;
	message.host = (char *)(uintptr_t)summary->host;
	message.files = summary->files;
	message.errors = summary->errors;
	message.categories = pointers;
	for (size_t i = 0; i < CATEGORY_COUNT; i++) {
		Manifest__CategoryTotal *total = &totals[message.n_categories];
		if (summary->categories[i].files == 0)
			continue;
		manifest__category_total__init(total);
		total->category = (uint32_t)i;
		total->files = summary->categories[i].files;
		total->bytes = summary->categories[i].bytes;
		pointers[message.n_categories++] = total;
	}
	size_t len = manifest__summary__get_packed_size(&message);
	size_t padded =
	    (HEAD_BYTES + len + PAD_BYTES - 1) / PAD_BYTES * PAD_BYTES;
	enum status st = bytes_reserve(out, padded);
	if (st != STATUS_OK)
		return st;
	memset(out->data, 0, padded);
	put_be16(out->data, (uint16_t)len);
	manifest__summary__pack(&message, out->data + HEAD_BYTES);
	out->len = padded;
	return STATUS_OK;
}

/* Memory for one unpacked summary, and no more. */
struct arena {
	size_t used;
	_Alignas(ALIGNMENT) uint8_t memory[UNPACKED_MAX];
};

static void *arena_alloc(void *arg, size_t len)
{
	struct arena *self = arg;
	size_t start = self->used;

	if (len > UNPACKED_MAX - start)
		return NULL;
	self->used = (start + len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	self->used = min_of(self->used, UNPACKED_MAX);
	return self->memory + start;
}

static void arena_free(void *arg, void *pointer)
{
	(void)arg; /* all of it ends with the call */
	(void)pointer;
}

static enum status summary_unpack(struct summary *out, struct slice packed)
{
	struct arena arena = { 0 };
	ProtobufCAllocator allocator = { arena_alloc, arena_free, &arena };
	enum status st = STATUS_MALFORMED;

	if (packed.len < HEAD_BYTES ||
	    get_be16(packed.data) > packed.len - HEAD_BYTES)
		return st;
	Manifest__Summary *message = manifest__summary__unpack(
	    &allocator, get_be16(packed.data), packed.data + HEAD_BYTES);
	if (!message || message->root_key.len != CHUNK_KEY_BYTES ||
	    strlen(message->label) > SUMMARY_LABEL_BYTES_MAX ||
	    strlen(message->host) > SUMMARY_HOST_BYTES_MAX)
		goto out;
	*out = (struct summary){ .started_ms = message->started_ms,
		.files = message->files,
		.errors = message->errors };
	memcpy(out->root_key, message->root_key.data, CHUNK_KEY_BYTES);
	text_copy(out->label, sizeof(out->label), message->label);
	text_copy(out->host, sizeof(out->host), message->host);
	for (size_t i = 0; i < message->n_categories; i++) {
		const Manifest__CategoryTotal *total = message->categories[i];
		/* A newer terminal may know more categories. */
		uint32_t category = total->category < CATEGORY_COUNT
					? total->category
					: CATEGORY_OTHER;
		out->categories[category].files += total->files;
		out->categories[category].bytes += total->bytes;
	}
	st = STATUS_OK;
out:
	sodium_memzero(&arena, sizeof(arena));
	return st;
}

enum status summary_seal(const struct summary *summary,
    const struct account_keys *keys, struct snapshot *snapshot)
{
	uint8_t associated[ASSOCIATED_MAX];
	struct bytes packed = { 0 };
	void *key = secret_new(SEAL_KEY_BYTES);
	enum status st = STATUS_NO_SPACE;

	if (!key)
		goto out;
	randombytes_buf(key, SEAL_KEY_BYTES);
	st = key_seal(key, keys, &snapshot->sealed_key);
	if (st == STATUS_OK)
		st = summary_pack(summary, &packed);
	if (st == STATUS_OK)
		st = bytes_reserve(
		    &snapshot->sealed_summary, SEALED_BYTES(packed.len));
	if (st != STATUS_OK)
		goto out;
	size_t len = associated_fill(associated, SUMMARY_LABEL, keys,
	    slice_of(snapshot->root.bytes, CHUNK_ID_BYTES));
	seal(snapshot->sealed_summary.data, key, bytes_slice(&packed),
	    slice_of(associated, len));
	snapshot->sealed_summary.len = SEALED_BYTES(packed.len);
out:
	bytes_clear(&packed);
	secret_destroy(&key, SEAL_KEY_BYTES);
	return st;
}

enum status summary_open(struct summary *summary_out,
    const struct account_keys *keys, const struct snapshot *snapshot)
{
	uint8_t associated[ASSOCIATED_MAX];
	uint8_t plain[SNAPSHOT_SEALED_SUMMARY_BYTES_MAX];
	struct slice sealed = bytes_slice(&snapshot->sealed_summary);
	void *key = secret_new(SEAL_KEY_BYTES);
	enum status st = STATUS_NO_SPACE;

	if (!key)
		goto out;
	st = key_open(key, keys, bytes_slice(&snapshot->sealed_key));
	if (st != STATUS_OK)
		goto out;
	st = STATUS_MALFORMED;
	if (sealed.len < SEAL_EXTRA_BYTES || sealed.len > sizeof(plain))
		goto out;
	size_t len = associated_fill(associated, SUMMARY_LABEL, keys,
	    slice_of(snapshot->root.bytes, CHUNK_ID_BYTES));
	if (seal_open(plain, key, sealed, slice_of(associated, len)) !=
	    STATUS_OK)
		goto out;
	st = summary_unpack(
	    summary_out, slice_of(plain, sealed.len - SEAL_EXTRA_BYTES));
	sodium_memzero(plain, sizeof(plain));
out:
	secret_destroy(&key, SEAL_KEY_BYTES);
	return st;
}
