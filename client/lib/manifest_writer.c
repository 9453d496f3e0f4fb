#include "manifest_writer.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "chunker.h"
#include "manifest_node.h"

#define NODES_HELD_MAX 16

/** A node that waits for others, so that the store is asked less often. */
struct held {
	struct bytes plain;
	struct chunk_id *refs; /* owned */
	size_t refs_count;
	uint64_t chunks;
	uint64_t sealed_bytes;
};

struct links {
	struct stored_node *links; /* owned */
	size_t count;
	size_t capacity;
};

struct manifest_writer {
	const struct account_keys *keys; /* borrowed, as the sender */
	struct sender *sender;
	struct chunk_codec *codec;
	struct node_builder *builder;
	struct held held[NODES_HELD_MAX];
	size_t held_count;
	struct links links; /* of the level that is being built */
	struct links below; /* of the one below it */
	size_t below_at;    /* the first one that no node refers to yet */
};

static void held_clear(struct held *self)
{
	bytes_clear(&self->plain);
	free(self->refs);
	*self = (struct held){ 0 };
}

static enum status link_add(struct links *self, const struct stored_node *link)
{
	if (self->count == self->capacity) {
		size_t capacity = max_of(64, self->capacity * 2);
		struct stored_node *grown = calloc(capacity, sizeof(*grown));
		if (!grown)
			return STATUS_NO_SPACE;
		if (self->count > 0)
			memcpy(
			    grown, self->links, self->count * sizeof(*grown));
		free(self->links);
		self->links = grown;
		self->capacity = capacity;
	}
	self->links[self->count++] = *link;
	return STATUS_OK;
}

static void links_clear(struct links *self)
{
	if (self->links)
		sodium_memzero(
		    self->links, self->capacity * sizeof(*self->links));
	free(self->links);
	*self = (struct links){ 0 };
}

/** Bring the nodes held back to the store, asking for all of them at once. */
static enum status held_send(struct manifest_writer *self)
{
	struct settling batch[NODES_HELD_MAX] = { 0 };
	size_t count = self->held_count;

	for (size_t i = 0; i < count; i++) {
		const struct held *held = &self->held[i];
		batch[i].kind = CHUNK_NODE;
		batch[i].plain = bytes_slice(&held->plain);
		batch[i].refs = held->refs;
		batch[i].refs_count = held->refs_count;
	}
	enum status st =
	    sender_settle_batch(self->sender, self->codec, batch, count);
	for (size_t i = 0; i < count && st == STATUS_OK; i++) {
		struct stored_node link = { .name = batch[i].name,
			.chunks = self->held[i].chunks,
			.sealed_bytes = self->held[i].sealed_bytes,
			.hash_known = batch[i].hash_known };
		memcpy(link.sealed_hash, batch[i].sealed_hash,
		    sizeof(link.sealed_hash));
		st = link_add(&self->links, &link);
	}
	for (size_t i = 0; i < count; i++)
		held_clear(&self->held[i]);
	self->held_count = 0;
	sodium_memzero(batch, sizeof(batch));
	return st;
}

/** Add up what the ${node} of level 0 refers to. */
static enum status leaf_count(
    struct manifest_writer *self, const struct node *node, struct held *held)
{
	for (size_t i = 0; i < node->refs_count; i++) {
		unsigned int pages =
		    sender_known_use(self->sender, &node->refs[i]);
		if (pages == 0) /* the cache is not at one with itself */
			return STATUS_NOT_FOUND;
		held->chunks++;
		held->sealed_bytes +=
		    (uint64_t)pages * PAGE_BYTES - PAGE_HEAD_BYTES;
	}
	return STATUS_OK;
}

/** The same above level 0: references come in the order of the links. */
static void inner_count(
    struct manifest_writer *self, const struct node *node, struct held *held)
{
	for (size_t i = 0; i < node->refs_count; i++) {
		const struct stored_node *link = NULL;
		do {
			assert(self->below_at < self->below.count);
			link = &self->below.links[self->below_at++];
		} while (memcmp(&link->name.id, &node->refs[i],
			     sizeof(link->name.id)) != 0);
		held->chunks += link->chunks;
		held->sealed_bytes += link->sealed_bytes;
	}
}

/** A node is full: hold it until there are enough to send. */
static enum status node_hold(void *arg, const struct node *node)
{
	struct manifest_writer *self = arg;
	struct held *held = &self->held[self->held_count++];
	enum status st = bytes_copy(&held->plain, node->plain);

	if (st != STATUS_OK)
		return st;
	if (node->refs_count > 0) {
		held->refs = calloc(node->refs_count, sizeof(*held->refs));
		if (!held->refs)
			return STATUS_NO_SPACE;
		memcpy(held->refs, node->refs,
		    node->refs_count * sizeof(*held->refs));
	}
	held->refs_count = node->refs_count;
	if (node->level == 0)
		st = leaf_count(self, node, held);
	else
		inner_count(self, node, held);
	if (st == STATUS_OK && self->held_count == NODES_HELD_MAX)
		st = held_send(self);
	return st;
}

struct manifest_writer *manifest_writer_new(
    const struct account_keys *keys, struct sender *sender)
{
	struct manifest_writer *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->keys = keys;
	self->sender = sender;
	self->codec = chunk_codec_new(keys);
	self->builder =
	    node_builder_new(keys->chunker_seed, 0, node_hold, self);
	if (!self->codec || !self->builder)
		manifest_writer_destroy(&self);
	return self;
}

void manifest_writer_destroy(struct manifest_writer **self_p)
{
	struct manifest_writer *self = *self_p;

	if (!self)
		return;
	for (size_t i = 0; i < NODES_HELD_MAX; i++)
		held_clear(&self->held[i]);
	links_clear(&self->links);
	links_clear(&self->below);
	node_builder_destroy(&self->builder);
	chunk_codec_destroy(&self->codec);
	free(self);
	*self_p = NULL;
}

enum status manifest_writer_add(
    struct manifest_writer *self, const struct entry *entry)
{
	return node_builder_add_entry(self->builder, entry);
}

enum status manifest_writer_finish(
    struct manifest_writer *self, struct stored_node *root_out)
{
	enum status st = node_builder_finish(self->builder);

	if (st == STATUS_OK)
		st = held_send(self);
	for (unsigned int level = 1; st == STATUS_OK && self->links.count > 1;
	     level++) {
		if (level == MANIFEST_LEVELS_MAX)
			return STATUS_TOO_LARGE;
		links_clear(&self->below);
		self->below = self->links;
		self->links = (struct links){ 0 };
		self->below_at = 0;
		node_builder_destroy(&self->builder);
		self->builder = node_builder_new(
		    self->keys->chunker_seed, level, node_hold, self);
		if (!self->builder)
			return STATUS_NO_SPACE;
		for (size_t i = 0; i < self->below.count && st == STATUS_OK;
		     i++)
			st = node_builder_add_link(
			    self->builder, &self->below.links[i].name);
		if (st == STATUS_OK)
			st = node_builder_finish(self->builder);
		if (st == STATUS_OK)
			st = held_send(self);
	}
	if (st != STATUS_OK)
		return st;
	assert(self->links.count == 1);
	*root_out = self->links.links[0];
	return STATUS_OK;
}
