#include "manifest.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "manifest.pb-c.h"

#define VARINT_BYTES_MAX    5
#define NANOSECONDS         1000000000u
#define WANTED_LINKS        4 /* nodes asked for ahead of the one read */
#define DECODER_ARENA_BYTES (256 * 1024)
#define ALIGNMENT           16

/* Entries */

void entry_clear(struct entry *self)
{
	if (self->extents)
		sodium_memzero(self->extents,
		    self->extents_capacity * sizeof(*self->extents));
	free(self->extents);
	bytes_clear(&self->path);
	bytes_clear(&self->target);
	*self = (struct entry){ 0 };
}

void entry_reset(struct entry *self)
{
	struct bytes path = self->path, target = self->target;
	struct extent *extents = self->extents;
	size_t capacity = self->extents_capacity;

	path.len = target.len = 0;
	*self = (struct entry){ .path = path,
		.target = target,
		.extents = extents,
		.extents_capacity = capacity };
}

enum status entry_set_text(struct bytes *to, struct slice source)
{
	enum status st = bytes_reserve(to, source.len + 1);

	if (st != STATUS_OK)
		return st;
	if (source.len > 0)
		memmove(to->data, source.data, source.len);
	to->data[source.len] = '\0';
	to->len = source.len;
	return STATUS_OK;
}

static enum status extents_grow(struct entry *self)
{
	size_t capacity = max_of(4, self->extents_capacity * 2);
	struct extent *grown = calloc(capacity, sizeof(*grown));

	if (!grown)
		return STATUS_NO_SPACE;
	if (self->extents_count > 0) {
		memcpy(
		    grown, self->extents, self->extents_count * sizeof(*grown));
		sodium_memzero(
		    self->extents, self->extents_count * sizeof(*grown));
	}
	free(self->extents);
	self->extents = grown;
	self->extents_capacity = capacity;
	return STATUS_OK;
}

/** Whether an extent of ${chunk} at ${offset} goes on where ${last} ends. */
static bool goes_on(
    const struct extent *last, const struct chunk_name *chunk, uint32_t offset)
{
	if (!chunk || last->hole)
		return !chunk && last->hole;
	return last->offset + last->length == offset &&
	       memcmp(&last->chunk.id, &chunk->id, sizeof(chunk->id)) == 0;
}

enum status entry_add_extent(struct entry *self, const struct chunk_name *chunk,
    uint32_t offset, uint64_t length)
{
	if (self->extents_count > 0) {
		struct extent *last = &self->extents[self->extents_count - 1];
		if (goes_on(last, chunk, offset)) {
			last->length += length;
			return STATUS_OK;
		}
	}
	if (self->extents_count == self->extents_capacity) {
		enum status st = extents_grow(self);
		if (st != STATUS_OK)
			return st;
	}
	struct extent *added = &self->extents[self->extents_count++];
	*added = (struct extent){
		.offset = offset, .length = length, .hole = !chunk
	};
	if (chunk)
		added->chunk = *chunk;
	return STATUS_OK;
}

int path_compare(struct slice a, struct slice b)
{
	size_t len = min_of(a.len, b.len), i = 0;

	while (i < len && a.data[i] == b.data[i])
		i++;
	if (i == len)
		return (a.len > b.len) - (a.len < b.len);
	if (a.data[i] == '/' || b.data[i] == '/')
		return a.data[i] == '/' ? -1 : 1;
	return a.data[i] < b.data[i] ? -1 : 1;
}

static bool name_is_valid(const uint8_t *name, size_t len)
{
	if (len == 0 || len > PATH_NAME_BYTES_MAX)
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

bool path_is_valid(struct slice path)
{
	size_t start = 0;

	if (path.len == 0 || path.len > PATH_BYTES_MAX ||
	    memchr(path.data, '\0', path.len))
		return false;
	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && path.data[i] != '/')
			continue;
		if (!name_is_valid(path.data + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

/* Messages */

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

/* Nodes, on their way out */

struct node_builder {
	unsigned int level;
	node_full_fn *full;
	void *arg;
	struct chunker *chunker; /* owned; cuts behind the level byte */
	struct bytes plain;      /* level byte, then the messages */
	struct bytes message;    /* scratch */
	struct chunk_id refs[NODE_REFS_MAX];
	size_t refs_count;
	size_t nodes_count; /* given out */
};

static enum status node_start(struct node_builder *self)
{
	uint8_t level = (uint8_t)self->level;

	sodium_memzero(self->plain.data, self->plain.len);
	self->plain.len = 0;
	self->refs_count = 0;
	chunker_reset(self->chunker);
	return bytes_append(&self->plain, slice_of(&level, 1));
}

struct node_builder *node_builder_new(
    const uint8_t chunker_seed[static ACCOUNT_KEY_BYTES], unsigned int level,
    node_full_fn *full, void *arg)
{
	struct node_builder *self = calloc(1, sizeof(*self));

	assert(level < MANIFEST_LEVELS_MAX);
	if (!self)
		return NULL;
	self->level = level;
	self->full = full;
	self->arg = arg;
	self->chunker = chunker_new(chunker_seed, CHUNKER_NODE);
	if (!self->chunker ||
	    bytes_reserve(&self->plain, MANIFEST_NODE_BYTES_MAX) != STATUS_OK ||
	    node_start(self) != STATUS_OK)
		node_builder_destroy(&self);
	return self;
}

void node_builder_destroy(struct node_builder **self_p)
{
	assert(self_p);
	struct node_builder *self = *self_p;

	if (!self)
		return;
	chunker_destroy(&self->chunker);
	bytes_clear(&self->plain);
	bytes_clear(&self->message);
	free(self);
	*self_p = NULL;
}

static enum status node_end(struct node_builder *self)
{
	const struct node node = { self->level, bytes_slice(&self->plain),
		self->refs, self->refs_count };
	enum status st = self->full(self->arg, &node);

	self->nodes_count++;
	if (st == STATUS_OK)
		st = node_start(self);
	return st;
}

static void ref_add(struct node_builder *self, const struct chunk_id *id)
{
	/* From the end: neighbours share chunks. */
	for (size_t i = self->refs_count; i > 0; i--)
		if (memcmp(&self->refs[i - 1], id, sizeof(*id)) == 0)
			return;
	assert(self->refs_count < NODE_REFS_MAX);
	self->refs[self->refs_count++] = *id;
}

/** Make room for scratch's message, which has up to ${refs} references. */
static enum status room_make(struct node_builder *self, size_t refs)
{
	if (self->plain.len + self->message.len <= MANIFEST_NODE_BYTES_MAX &&
	    self->refs_count + refs <= NODE_REFS_MAX)
		return STATUS_OK;
	return node_end(self);
}

/** Add scratch's message, and end the node where its content says so. */
static enum status message_add(struct node_builder *self)
{
	enum status st =
	    bytes_append(&self->plain, bytes_slice(&self->message));

	if (st == STATUS_OK && chunker_cut(self->chunker, self->plain.data + 1,
				   self->plain.len - 1, false) > 0)
		st = node_end(self);
	return st;
}

enum status node_builder_add_entry(
    struct node_builder *self, const struct entry *entry)
{
	size_t at = 0;
	enum status st = STATUS_OK;

	assert(self->level == 0);
	do {
		size_t end =
		    min_of(at + ENTRY_EXTENTS_MAX, entry->extents_count);
		self->message.len = 0;
		st = entry_encode(entry, at, end, &self->message);
		if (st == STATUS_OK)
			st = room_make(self, end - at);
		if (st != STATUS_OK)
			return st;
		for (; at < end; at++)
			if (!entry->extents[at].hole)
				ref_add(self, &entry->extents[at].chunk.id);
		st = message_add(self);
	} while (st == STATUS_OK && at < entry->extents_count);
	return st;
}

enum status node_builder_add_link(
    struct node_builder *self, const struct chunk_name *child)
{
	Manifest__Link link = MANIFEST__LINK__INIT;

	assert(self->level > 0);
	link.chunk_id = binary(child->id.bytes, sizeof(child->id.bytes));
	link.chunk_key = binary(child->key, sizeof(child->key));
	self->message.len = 0;
	enum status st = message_append(&self->message, &link.base);
	if (st == STATUS_OK)
		st = room_make(self, 1);
	if (st != STATUS_OK)
		return st;
	ref_add(self, &child->id);
	return message_add(self);
}

enum status node_builder_finish(struct node_builder *self)
{
	if (self->plain.len > 1 || self->nodes_count == 0)
		return node_end(self);
	return STATUS_OK;
}

/* Nodes, on their way back */

struct level {
	struct bytes plain; /* of the node that is being read */
	struct slice rest;  /* of it, unread */
	struct slice ahead; /* of it, not yet wanted */
	size_t ahead_count; /* wanted and not yet read */
};

struct manifest_reader {
	struct node_source source;
	struct entry_decoder *decoder; /* owned */
	struct chunk_name root;
	bool started;
	unsigned int top;   /* level of the root */
	unsigned int level; /* of the node to go on with */
	struct level levels[MANIFEST_LEVELS_MAX];
	struct bytes last_path; /* of the entry before */
	manifest_lost_fn *lost; /* NULL: nothing may be missing */
	void *lost_arg;
	bool has_lost; /* since the last entry, or node passed over */
	bool gap;      /* before the last entry */
};

struct manifest_reader *manifest_reader_new(
    const struct node_source *source, const struct chunk_name *root)
{
	struct manifest_reader *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->source = *source;
	self->root = *root;
	self->decoder = entry_decoder_new();
	if (!self->decoder)
		manifest_reader_destroy(&self);
	return self;
}

void manifest_reader_destroy(struct manifest_reader **self_p)
{
	assert(self_p);
	struct manifest_reader *self = *self_p;

	if (!self)
		return;
	entry_decoder_destroy(&self->decoder);
	for (size_t i = 0; i < nitems(self->levels); i++)
		bytes_clear(&self->levels[i].plain);
	bytes_clear(&self->last_path);
	sodium_memzero(&self->root, sizeof(self->root));
	free(self);
	*self_p = NULL;
}

void manifest_reader_tolerate(
    struct manifest_reader *self, manifest_lost_fn *lost, void *arg)
{
	self->lost = lost;
	self->lost_arg = arg;
}

/** Take a link off the front of ${input}. */
static bool link_take(struct slice *input, struct chunk_name *name_out)
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

/** Ask for the nodes that the links ahead in ${level} lead to. */
static void links_want(struct manifest_reader *self, struct level *level)
{
	struct chunk_name name;

	while (self->source.want && level->ahead_count < WANTED_LINKS &&
	       level->ahead.len > 0 && link_take(&level->ahead, &name)) {
		self->source.want(self->source.arg, &name);
		level->ahead_count++;
	}
}

/** Get the node ${name}, whose level must be ${level}, or is the root's. */
static enum status node_enter(struct manifest_reader *self,
    const struct chunk_name *name, unsigned int level)
{
	struct bytes plain = { 0 };
	enum status st = self->source.get(self->source.arg, name, &plain);

	if (st == STATUS_NOT_FOUND)
		st = STATUS_MALFORMED; /* here that would mean the end */
	if (st != STATUS_OK)
		goto out;
	st = STATUS_MALFORMED;
	if (plain.len == 0 || plain.len > MANIFEST_NODE_BYTES_MAX)
		goto out;
	if (!self->started) {
		level = plain.data[0];
		if (level >= MANIFEST_LEVELS_MAX)
			goto out;
		self->top = level;
		self->started = true;
	}
	if (plain.data[0] != level)
		goto out;
	struct level *entered = &self->levels[level];
	bytes_clear(&entered->plain);
	entered->plain = plain;
	entered->rest = slice_of(plain.data + 1, plain.len - 1);
	entered->ahead = entered->rest;
	entered->ahead_count = 0;
	plain = (struct bytes){ 0 };
	self->level = level;
	if (level > 0)
		links_want(self, entered);
	st = STATUS_OK;
out:
	bytes_clear(&plain);
	return st;
}

/**
 * A node below the root cannot be read: pass over it.
 *
 * entry  that was begun before it, if one was; else NULL will do
 */
static void node_lose(struct manifest_reader *self, const struct entry *entry)
{
	const char *broken = NULL;

	if (entry && self->decoder->begun)
		broken = (const char *)entry->path.data;
	self->decoder->begun = false;
	self->decoder->headless = true;
	self->level++;
	if (!self->has_lost || broken)
		self->lost(self->lost_arg,
		    self->last_path.len > 0 ? (const char *)self->last_path.data
					    : "",
		    broken);
	self->has_lost = true;
}

/** Go on to the next node of level 0; NOT_FOUND: there is none. */
static enum status leaf_next(
    struct manifest_reader *self, const struct entry *entry)
{
	struct chunk_name name;
	enum status st = STATUS_OK;

	do {
		while (self->started && self->levels[self->level].rest.len == 0)
			if (self->level++ == self->top) {
				self->level = self->top;
				return STATUS_NOT_FOUND;
			}
		name = self->root;
		if (self->started) {
			struct level *level = &self->levels[self->level];
			if (!link_take(&level->rest, &name))
				return STATUS_MALFORMED;
			if (level->ahead_count > 0)
				level->ahead_count--;
			links_want(self, level);
			self->level--;
		}
		bool is_root = !self->started;
		st = node_enter(self, &name, self->level);
		if (st == STATUS_MALFORMED && self->lost && !is_root) {
			node_lose(self, entry);
			st = STATUS_OK;
		}
	} while (st == STATUS_OK && self->level > 0);
	sodium_memzero(&name, sizeof(name));
	return st;
}

enum status manifest_reader_next(
    struct manifest_reader *self, struct entry *entry)
{
	enum status st;

	do {
		struct level *leaf = &self->levels[0];
		st = STATUS_OK;
		if (leaf->rest.len == 0)
			st = leaf_next(self, entry);
		if (st != STATUS_OK)
			break;
		st = entry_decode(self->decoder, &leaf->rest, entry);
	} while (st == STATUS_PENDING || st == STATUS_NOT_FOUND);
	self->gap = self->has_lost;
	if (st == STATUS_NOT_FOUND && self->decoder->begun)
		return STATUS_MALFORMED;
	if (st != STATUS_OK)
		return st;
	self->has_lost = false;
	if (self->last_path.len > 0 &&
	    path_compare(
		bytes_slice(&self->last_path), bytes_slice(&entry->path)) >= 0)
		return STATUS_MALFORMED;
	return entry_set_text(&self->last_path, bytes_slice(&entry->path));
}

bool manifest_reader_gap(const struct manifest_reader *self)
{
	return self->gap;
}

/** The link that comes next, and its level; 0: none, or within a node. */
static unsigned int link_next(
    struct manifest_reader *self, struct chunk_name *name_out)
{
	if (self->levels[0].rest.len > 0 || self->decoder->begun)
		return 0;
	while (self->levels[self->level].rest.len == 0) {
		if (self->level == self->top)
			return 0;
		self->level++;
	}
	struct slice rest = self->levels[self->level].rest;
	return link_take(&rest, name_out) ? self->level : 0;
}

/** Take the link ${name} off, and enter the node that it leads to, or not. */
static enum status link_pass(
    struct manifest_reader *self, struct chunk_name *name, bool enter)
{
	struct level *level = &self->levels[self->level];

	link_take(&level->rest, name);
	if (level->ahead_count > 0)
		level->ahead_count--;
	links_want(self, level);
	if (!enter) {
		/* What was lost lies before it, and an entry that does not
		 * end in it goes on in a node that is read. */
		self->has_lost = false;
		self->decoder->headless = true;
		return STATUS_OK;
	}
	self->level--;
	enum status st = node_enter(self, name, self->level);
	if (st == STATUS_MALFORMED && self->lost) {
		node_lose(self, NULL);
		st = STATUS_OK;
	}
	return st;
}

enum status manifest_readers_skip(
    struct manifest_reader *a, struct manifest_reader *b)
{
	struct chunk_name of_a = { 0 }, of_b = { 0 };
	enum status st = STATUS_OK;

	if (!a->started)
		st = node_enter(a, &a->root, 0);
	if (st == STATUS_OK && !b->started)
		st = node_enter(b, &b->root, 0);
	while (st == STATUS_OK) {
		unsigned int level_a = link_next(a, &of_a);
		unsigned int level_b = link_next(b, &of_b);
		if (level_a == 0 || level_b == 0)
			break;
		bool same = level_a == level_b &&
			    memcmp(&of_a.id, &of_b.id, sizeof(of_a.id)) == 0;
		/* Leaves that differ are for manifest_reader_next. */
		if (!same && level_a == 1 && level_b == 1)
			break;
		if (same || level_a >= level_b)
			st = link_pass(a, &of_a, !same);
		if (st == STATUS_OK && (same || level_b >= level_a))
			st = link_pass(b, &of_b, !same);
	}
	sodium_memzero(&of_a, sizeof(of_a));
	sodium_memzero(&of_b, sizeof(of_b));
	return st;
}
