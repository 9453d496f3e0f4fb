#include "manifest_node.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "chunker.h"
#include "manifest_message.h"

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
	assert(self->level > 0);
	self->message.len = 0;
	enum status st = link_append(&self->message, child);
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
