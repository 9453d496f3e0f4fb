#include "manifest_message.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "manifest.pb-c.h"

#define VARINT_BYTES_MAX    5
#define NANOSECONDS         1000000000u
#define DECODER_ARENA_BYTES (256 * 1024)
#define ALIGNMENT           16

static enum status varint_append(struct bytes *out, size_t number)
{
	uint8_t bytes[VARINT_BYTES_MAX];
	size_t len = 0;

	assert(number <= UINT32_MAX);
	do {
		bytes[len] = (uint8_t)(number & 0x7f);
		number >>= 7;
		if (number > 0)
			bytes[len] |= 0x80;
		len++;
	} while (number > 0);
	return bytes_append(out, slice_of(bytes, len));
}

/** Take a message off the front of ${input}; false if there is none. */
static bool message_take(struct slice *input, struct slice *message_out)
{
	size_t len = 0, used = 0;

	do {
		if (used == input->len || used == VARINT_BYTES_MAX)
			return false;
		len |= (size_t)(input->data[used] & 0x7f) << (7 * used);
	} while (input->data[used++] & 0x80);
	if (len > ENTRY_MESSAGE_BYTES_MAX || len > input->len - used)
		return false;
	*message_out = slice_of(input->data + used, len);
	*input = slice_of(input->data + used + len, input->len - used - len);
	return true;
}

static ProtobufCBinaryData binary(const void *data, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)data };
}

static struct slice binary_slice(ProtobufCBinaryData data)
{
	return slice_of(data.data, data.len);
}

/** Append ${message} after its length. */
static enum status message_append(
    struct bytes *out, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	size_t before = out->len;
	enum status st = bytes_reserve(out, before + VARINT_BYTES_MAX + len);

	assert(len <= ENTRY_MESSAGE_BYTES_MAX);
	if (st == STATUS_OK)
		st = varint_append(out, len);
	if (st != STATUS_OK)
		return st;
	protobuf_c_message_pack(message, out->data + out->len);
	out->len += len;
	return STATUS_OK;
}

enum status entry_encode(
    const struct entry *entry, size_t at, size_t end, struct bytes *out)
{
	Manifest__Extent extents[ENTRY_EXTENTS_MAX];
	Manifest__Extent *pointers[ENTRY_EXTENTS_MAX];
	Manifest__Entry message = MANIFEST__ENTRY__INIT;
	Manifest__Owner owner = MANIFEST__OWNER__INIT;
	size_t count = end - at;

	assert(at <= end && end <= entry->extents_count);
	assert(count <= ENTRY_EXTENTS_MAX);
	message.type = MANIFEST__TYPE__MORE;
	if (at == 0) {
		message.type = (Manifest__Type)entry->type;
		message.path = binary(entry->path.data, entry->path.len);
		message.target = binary(entry->target.data, entry->target.len);
		message.mode = entry->mode;
		message.mtime_s = entry->mtime_s;
		message.mtime_ns = entry->mtime_ns;
		message.size = entry->size;
		message.category = (uint32_t)entry->category;
		message.changed = entry->changed;
		owner.user = entry->user;
		owner.group = entry->group;
		message.owner = &owner;
		if (entry->type == ENTRY_FILE)
			message.hash = binary(entry->hash, ENTRY_HASH_BYTES);
	}
	for (size_t i = 0; i < count; i++) {
		const struct extent *from = &entry->extents[at + i];
		manifest__extent__init(&extents[i]);
		if (!from->hole) {
			extents[i].chunk_id = binary(
			    from->chunk.id.bytes, sizeof(from->chunk.id.bytes));
			extents[i].chunk_key =
			    binary(from->chunk.key, sizeof(from->chunk.key));
		}
		extents[i].offset = from->offset;
		extents[i].length = from->length;
		pointers[i] = &extents[i];
	}
	message.n_extents = count;
	message.extents = pointers;
	message.more = end < entry->extents_count;
	return message_append(out, &message.base);
}

/* One message at a time, in memory that is there before it is read. */
struct entry_decoder {
	ProtobufCAllocator allocator;
	size_t used;
	bool begun;    /* an entry of which more must come */
	bool headless; /* a node was not read: what comes may begin with MORE */
	uint64_t size; /* of its extents so far */
	_Alignas(ALIGNMENT) uint8_t arena[DECODER_ARENA_BYTES];
};

static void *arena_alloc(void *arg, size_t len)
{
	struct entry_decoder *self = arg;
	size_t start = self->used;

	if (len > DECODER_ARENA_BYTES)
		return NULL;
	len = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (len > DECODER_ARENA_BYTES - start)
		return NULL;
	self->used = start + len;
	return self->arena + start;
}

static void arena_free(void *arg, void *pointer)
{
	(void)arg; /* the next message starts at the front again */
	(void)pointer;
}

struct entry_decoder *entry_decoder_new(void)
{
	struct entry_decoder *self = calloc(1, sizeof(*self));

	if (self)
		self->allocator =
		    (ProtobufCAllocator){ arena_alloc, arena_free, self };
	return self;
}

void entry_decoder_destroy(struct entry_decoder **self_p)
{
	assert(self_p);
	struct entry_decoder *self = *self_p;

	if (!self)
		return;
	sodium_memzero(self, sizeof(*self));
	free(self);
	*self_p = NULL;
}

/** What of ${message} the type of an entry allows. */
static bool head_is_valid(const Manifest__Entry *message)
{
	struct slice path = binary_slice(message->path);
	struct slice target = binary_slice(message->target);
	bool file = message->type == MANIFEST__TYPE__FILE;

	if (!path_is_valid(path) || message->mtime_ns >= NANOSECONDS ||
	    message->size > INT64_MAX || message->mode > ENTRY_MODE_MASK ||
	    !message->owner || message->category >= CATEGORY_COUNT)
		return false;
	if (message->hash.len != (file ? ENTRY_HASH_BYTES : 0))
		return false;
	if (!file && (message->size > 0 || message->n_extents > 0 ||
			 message->more || message->category != 0))
		return false;
	if (file && message->category == 0)
		return false;
	switch (message->type) {
	case MANIFEST__TYPE__FILE:
	case MANIFEST__TYPE__FOLDER:
		return target.len == 0;
	case MANIFEST__TYPE__SYMLINK:
		return target.len > 0 && target.len <= PATH_BYTES_MAX &&
		       !memchr(target.data, '\0', target.len);
	case MANIFEST__TYPE__HARD_LINK:
		return path_is_valid(target) && path_compare(target, path) < 0;
	default:
		return false;
	}
}

static enum status head_copy(struct entry *entry, const Manifest__Entry *from)
{
	entry_reset(entry);
	entry->type = (enum entry_type)from->type;
	entry->mode = from->mode;
	entry->mtime_s = from->mtime_s;
	entry->mtime_ns = from->mtime_ns;
	entry->size = from->size;
	entry->category = (enum category)from->category;
	entry->user = from->owner->user;
	entry->group = from->owner->group;
	entry->changed = from->changed;
	if (from->hash.len > 0)
		memcpy(entry->hash, from->hash.data, ENTRY_HASH_BYTES);
	enum status st = entry_set_text(&entry->path, binary_slice(from->path));
	if (st == STATUS_OK)
		st = entry_set_text(&entry->target, binary_slice(from->target));
	return st;
}

static enum status extents_copy(struct entry_decoder *self, struct entry *entry,
    const Manifest__Entry *from)
{
	struct chunk_name name;
	enum status st = STATUS_OK;

	if (from->n_extents > ENTRY_EXTENTS_MAX ||
	    (from->more && from->n_extents != ENTRY_EXTENTS_MAX))
		return STATUS_MALFORMED;
	for (size_t i = 0; i < from->n_extents && st == STATUS_OK; i++) {
		const Manifest__Extent *extent = from->extents[i];
		bool hole = extent->chunk_id.len == 0;
		if (extent->length == 0 ||
		    extent->length > entry->size - self->size)
			return STATUS_MALFORMED;
		self->size += extent->length;
		if (hole) {
			if (extent->chunk_key.len != 0 || extent->offset != 0)
				return STATUS_MALFORMED;
			st = entry_add_extent(entry, NULL, 0, extent->length);
			continue;
		}
		if (extent->chunk_id.len != CHUNK_ID_BYTES ||
		    extent->chunk_key.len != CHUNK_KEY_BYTES ||
		    extent->offset > CHUNK_BYTES_MAX ||
		    extent->length > CHUNK_BYTES_MAX - extent->offset)
			return STATUS_MALFORMED;
		memcpy(name.id.bytes, extent->chunk_id.data, CHUNK_ID_BYTES);
		memcpy(name.key, extent->chunk_key.data, CHUNK_KEY_BYTES);
		st = entry_add_extent(
		    entry, &name, extent->offset, extent->length);
	}
	sodium_memzero(&name, sizeof(name));
	return st;
}

enum status entry_decode(
    struct entry_decoder *self, struct slice *input, struct entry *entry)
{
	struct slice packed;
	enum status st = STATUS_OK;

	if (!self->begun && input->len == 0)
		return STATUS_NOT_FOUND;
	do {
		if (input->len == 0)
			return STATUS_PENDING;
		if (!message_take(input, &packed))
			return STATUS_MALFORMED;
		self->used = 0;
		Manifest__Entry *message = manifest__entry__unpack(
		    &self->allocator, packed.len, packed.data);
		if (!message)
			return STATUS_MALFORMED;
		if (!self->begun && self->headless &&
		    message->type == MANIFEST__TYPE__MORE)
			return STATUS_PENDING; /* of an entry before */
		if (!self->begun) {
			self->size = 0;
			self->headless = false;
			if (!head_is_valid(message))
				return STATUS_MALFORMED;
			st = head_copy(entry, message);
		} else if (message->type != MANIFEST__TYPE__MORE ||
			   message->n_extents == 0) {
			return STATUS_MALFORMED;
		}
		if (st == STATUS_OK)
			st = extents_copy(self, entry, message);
		if (st != STATUS_OK)
			return st;
		self->begun = message->more;
	} while (self->begun);
	return self->size == entry->size ? STATUS_OK : STATUS_MALFORMED;
}

bool entry_decoder_has_begun(const struct entry_decoder *self)
{
	return self->begun;
}

void entry_decoder_lose(struct entry_decoder *self)
{
	self->begun = false;
	self->headless = true;
}

/* Links */

enum status link_append(struct bytes *out, const struct chunk_name *child)
{
	Manifest__Link link = MANIFEST__LINK__INIT;

	link.chunk_id = binary(child->id.bytes, sizeof(child->id.bytes));
	link.chunk_key = binary(child->key, sizeof(child->key));
	return message_append(out, &link.base);
}

bool link_take(struct slice *input, struct chunk_name *name_out)
{
	struct slice packed;

	if (!message_take(input, &packed))
		return false;
	Manifest__Link *link =
	    manifest__link__unpack(NULL, packed.len, packed.data);
	if (!link)
		return false;
	bool good = link->chunk_id.len == CHUNK_ID_BYTES &&
		    link->chunk_key.len == CHUNK_KEY_BYTES;
	if (good) {
		memcpy(name_out->id.bytes, link->chunk_id.data, CHUNK_ID_BYTES);
		memcpy(name_out->key, link->chunk_key.data, CHUNK_KEY_BYTES);
		sodium_memzero(link->chunk_key.data, CHUNK_KEY_BYTES);
	}
	manifest__link__free_unpacked(link, NULL);
	return good;
}
