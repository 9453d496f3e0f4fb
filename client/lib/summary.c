#include "summary.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "crypto/seal.h"
#include "manifest.pb-c.h"

#define SUMMARY_LABEL    "keepsake summary"
#define HEAD_BYTES       2 /* the length */
#define PAD_BYTES        256
#define ASSOCIATED_BYTES (sizeof(SUMMARY_LABEL) - 1 + ID_BYTES + CHUNK_ID_BYTES)
#define UNPACKED_MAX     16384
#define ALIGNMENT        16

/*
 * Every field at its longest: 34 + 9 + 203 + 102 + 22, and 24 and 2 more for
 * each category.
 */
_Static_assert(
    SEALED_BYTES((HEAD_BYTES + 370 + 3 + SUMMARY_FOLDER_BYTES_MAX +
		     26 * CATEGORY_COUNT + PAD_BYTES - 1) /
		 PAD_BYTES * PAD_BYTES) <= SNAPSHOT_SEALED_SUMMARY_BYTES_MAX,
    "a summary always fits");

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

static void associate(uint8_t out[static ASSOCIATED_BYTES],
    const struct id *account, const struct chunk_id *root)
{
	const size_t label = sizeof(SUMMARY_LABEL) - 1;

	memcpy(out, SUMMARY_LABEL, label);
	memcpy(out + label, account->bytes, ID_BYTES);
	memcpy(out + label + ID_BYTES, root->bytes, CHUNK_ID_BYTES);
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
	message.folder = field_of(slice_text(summary->folder));
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

/* None, or a path from the root on that is not cut off by a NUL. */
static bool folder_is_good(struct slice folder)
{
	return folder.len == 0 || (folder.len <= SUMMARY_FOLDER_BYTES_MAX &&
				      folder.data[0] == '/' &&
				      !memchr(folder.data, '\0', folder.len));
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
	    strlen(message->host) > SUMMARY_HOST_BYTES_MAX ||
	    !folder_is_good(field_slice(message->folder)))
		goto out;
	*out = (struct summary){ .started_ms = message->started_ms,
		.files = message->files,
		.errors = message->errors };
	memcpy(out->root_key, message->root_key.data, CHUNK_KEY_BYTES);
	if (message->folder.len > 0)
		memcpy(out->folder, message->folder.data, message->folder.len);
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
    const struct id *account, const uint8_t key[static SEAL_KEY_BYTES],
    struct snapshot *snapshot)
{
	uint8_t associated[ASSOCIATED_BYTES];
	struct bytes packed = { 0 };
	enum status st = summary_pack(summary, &packed);

	if (st == STATUS_OK)
		st = bytes_reserve(
		    &snapshot->sealed_summary, SEALED_BYTES(packed.len));
	if (st == STATUS_OK) {
		associate(associated, account, &snapshot->root);
		seal(snapshot->sealed_summary.data, key, bytes_slice(&packed),
		    slice_of(associated, sizeof(associated)));
		snapshot->sealed_summary.len = SEALED_BYTES(packed.len);
	}
	bytes_clear(&packed);
	return st;
}

enum status summary_open(struct summary *summary_out, const struct id *account,
    const uint8_t key[static SEAL_KEY_BYTES], const struct snapshot *snapshot)
{
	uint8_t associated[ASSOCIATED_BYTES];
	uint8_t plain[SNAPSHOT_SEALED_SUMMARY_BYTES_MAX];
	struct slice sealed = bytes_slice(&snapshot->sealed_summary);

	if (sealed.len < SEAL_EXTRA_BYTES || sealed.len > sizeof(plain))
		return STATUS_MALFORMED;
	associate(associated, account, &snapshot->root);
	if (seal_open(plain, key, sealed,
		slice_of(associated, sizeof(associated))) != STATUS_OK)
		return STATUS_MALFORMED;
	enum status st = summary_unpack(
	    summary_out, slice_of(plain, sealed.len - SEAL_EXTRA_BYTES));
	sodium_memzero(plain, sizeof(plain));
	return st;
}
