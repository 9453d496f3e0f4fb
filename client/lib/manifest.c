#include "manifest.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "manifest_message.h"
#include "manifest_node.h"

#define WANTED_LINKS 4 /* nodes asked for ahead of the one read */

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

	if (entry && entry_decoder_has_begun(self->decoder))
		broken = (const char *)entry->path.data;
	entry_decoder_lose(self->decoder);
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
	if (st == STATUS_NOT_FOUND && entry_decoder_has_begun(self->decoder))
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
	if (self->levels[0].rest.len > 0 ||
	    entry_decoder_has_begun(self->decoder))
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
		entry_decoder_lose(self->decoder);
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
