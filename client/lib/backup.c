#include "backup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "cache.h"
#include "chunker.h"
#include "fetch.h"
#include "manifest.h"
#include "sender.h"

#define READ_BYTES      (128 * 1024)
#define READ_TRIES      3    /* of a file that changes under the reader */
#define PENDING_MAX     2048 /* entries that wait for their chunks */
#define NODES_HELD_MAX  16
#define ROOT_HASH_BYTES 32

/** A part of a file: somewhere in the stream, or a hole. */
struct range {
	uint64_t start; /* in the stream */
	uint64_t length;
	bool hole;
};

/** An entry that is not in the manifest yet. */
struct pending {
	struct pending *next;
	struct entry entry; /* without extents where there are ranges */
	struct stat stat;
	bool cached;          /* goes into the cache as well */
	bool dropped;         /* cannot be read, and this is reported */
	struct range *ranges; /* owned */
	size_t ranges_count;
	uint64_t end; /* of the stream, behind the ranges; 0: there are none */
};

/** A node of the manifest that is in the store. */
struct link {
	struct chunk_name name;
	uint64_t chunks;       /* data chunks below, with repeats */
	uint64_t sealed_bytes; /* of those */
	uint8_t sealed_hash[ROOT_HASH_BYTES];
	bool hash_known;
};

/** A node that waits for others, so that the store is asked less often. */
struct held {
	struct bytes plain;
	struct chunk_id *refs; /* owned */
	size_t refs_count;
	uint64_t chunks;
	uint64_t sealed_bytes;
};

struct links {
	struct link *links; /* owned */
	size_t count;
	size_t capacity;
};

struct backup {
	const struct backup_options *options;
	struct backup_result *result;
	struct backup_progress progress;
	struct backup_lease lease;
	struct known_chunks *known;
	struct cache *cache;         /* NULL: there is none */
	struct cache_writer *writer; /* NULL: none is written */
	struct walk *walk;
	struct sender *sender;
	struct chunker *chunker;
	struct chunk_codec *codec; /* for nodes */
	struct node_builder *builder;
	uint8_t *buffer; /* the sender's, being filled; NULL: none */
	size_t filled;
	uint64_t buffer_start; /* of the buffer in the stream */
	XXH3_state_t *hash;    /* of the file being read */
	int read_error;        /* errno of reading it, or 0 */
	struct pending *first; /* owned, a queue */
	struct pending *last;
	size_t pending_count;
	struct held held[NODES_HELD_MAX];
	size_t held_count;
	struct links links; /* of the level that is being built */
	struct links below; /* of the one below it */
	size_t below_at;    /* the first one that no node refers to yet */
};

void backup_result_clear(struct backup_result *self)
{
	snapshot_clear(&self->snapshot);
	sodium_memzero(self, sizeof(*self));
}

static bool cancelled(const struct backup_options *options)
{
	return options->cancel && atomic_load(options->cancel);
}

/* Reports */

static void progress_tell(struct backup *self)
{
	if (!self->options->progress)
		return;
	struct sender_figures figures = sender_figures(self->sender);
	self->progress.bytes_sent = figures.bytes_sent;
	self->progress.chunks_sent = figures.chunks_sent;
	self->options->progress(self->options->arg, &self->progress);
}

/** Count and pass on what a walk, or reading, could not do. */
static void trouble_note(
    void *arg, enum walk_trouble trouble, const char *path, int error)
{
	struct backup *self = arg;

	if (trouble != WALK_SPECIAL)
		self->result->summary.errors++;
	if (self->options->report)
		self->options->report(self->options->arg, trouble, path, error);
}

/* Nodes of the manifest */

static void held_clear(struct held *self)
{
	bytes_clear(&self->plain);
	free(self->refs);
	*self = (struct held){ 0 };
}

static enum status link_add(struct links *self, const struct link *link)
{
	if (self->count == self->capacity) {
		size_t capacity = max_of(64, self->capacity * 2);
		struct link *grown = calloc(capacity, sizeof(*grown));
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
static enum status held_send(struct backup *self)
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
		struct link link = { .name = batch[i].name,
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
    struct backup *self, const struct node *node, struct held *held)
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
    struct backup *self, const struct node *node, struct held *held)
{
	for (size_t i = 0; i < node->refs_count; i++) {
		const struct link *link = NULL;
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
	struct backup *self = arg;
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

/** Build the levels above the leaves until one node is left, the root. */
static enum status levels_build(struct backup *self)
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
		    self->options->keys->chunker_seed, level, node_hold, self);
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
	return st;
}

/* The stream */

/** Hand over the first ${len} bytes of the buffer, and keep the rest. */
static enum status stream_cut(struct backup *self, size_t len)
{
	uint8_t *next = NULL;
	size_t rest = self->filled - len;

	if (rest > 0) {
		enum status st = sender_buffer(self->sender, &next);
		if (st != STATUS_OK)
			return st;
		memcpy(next, self->buffer + len, rest);
	}
	sender_submit(self->sender, self->buffer, len);
	self->buffer = next;
	self->filled = rest;
	self->buffer_start += len;
	return STATUS_OK;
}

/** Cut where the content says so; ${last}: to the last byte. */
static enum status stream_cuts(struct backup *self, bool last)
{
	enum status st = STATUS_OK;
	size_t len;

	while (st == STATUS_OK && self->filled > 0 &&
	       (len = chunker_cut(
		    self->chunker, self->buffer, self->filled, last)) > 0)
		st = stream_cut(self, len);
	return st;
}

static uint64_t stream_end(const struct backup *self)
{
	return self->buffer_start + self->filled;
}

/* Entries that wait */

static void pending_destroy(struct pending **self_p)
{
	struct pending *self = *self_p;

	if (!self)
		return;
	entry_clear(&self->entry);
	free(self->ranges);
	free(self);
	*self_p = NULL;
}

static enum status range_add(
    struct pending *self, uint64_t start, uint64_t length, bool hole)
{
	if (self->ranges_count > 0) {
		struct range *last = &self->ranges[self->ranges_count - 1];
		if (last->hole == hole &&
		    (hole || last->start + last->length == start)) {
			last->length += length;
			return STATUS_OK;
		}
	}
	struct range *grown =
	    realloc(self->ranges, (self->ranges_count + 1) * sizeof(*grown));
	if (!grown)
		return STATUS_NO_SPACE;
	self->ranges = grown;
	grown[self->ranges_count++] = (struct range){ start, length, hole };
	return STATUS_OK;
}

/** Turn the ranges, all settled, into extents. */
static enum status extents_make(struct backup *self, struct pending *pending)
{
	struct sender_piece piece;
	enum status st = STATUS_OK;

	for (size_t i = 0; i < pending->ranges_count; i++) {
		struct range range = pending->ranges[i];
		if (range.hole)
			st = entry_add_extent(
			    &pending->entry, NULL, 0, range.length);
		while (st == STATUS_OK && !range.hole && range.length > 0) {
			sender_piece(self->sender, range.start, &piece);
			uint64_t length = min_of(piece.length, range.length);
			st = entry_add_extent(&pending->entry, &piece.chunk,
			    piece.offset, length);
			range.start += length;
			range.length -= length;
		}
		if (st != STATUS_OK)
			break;
	}
	sodium_memzero(&piece, sizeof(piece));
	return st;
}

/** A cache is a help, not a duty: where it cannot be written, go on. */
static void cache_write(struct backup *self, const struct pending *pending)
{
	if (!self->writer || !pending->cached)
		return;
	self->result->cache_status =
	    cache_writer_add(self->writer, &pending->entry, &pending->stat);
	if (self->result->cache_status != STATUS_OK)
		cache_writer_destroy(&self->writer);
}

/** Put into the manifest what is settled; ${all}: wait for the rest. */
static enum status pending_drain(struct backup *self, bool all)
{
	uint64_t settled = sender_settled(self->sender);
	enum status st = STATUS_OK;

	while (self->first && st == STATUS_OK) {
		struct pending *first = self->first;
		if (first->end > settled) {
			if (!all)
				break;
			st = sender_wait(self->sender, first->end);
			if (st != STATUS_OK)
				break;
			settled = sender_settled(self->sender);
		}
		if (first->ranges_count > 0)
			st = extents_make(self, first);
		if (st == STATUS_OK)
			st = node_builder_add_entry(
			    self->builder, &first->entry);
		if (st == STATUS_OK)
			cache_write(self, first);
		sender_forget(self->sender, first->end);
		self->first = first->next;
		self->pending_count--;
		pending_destroy(&first);
	}
	return st;
}

static enum status pending_add(struct backup *self, struct pending *pending)
{
	enum status st = STATUS_OK;

	if (self->first)
		self->last->next = pending;
	else
		self->first = pending;
	self->last = pending;
	if (++self->pending_count < PENDING_MAX)
		return pending_drain(self, false);
	/* Too many tiny files in one chunk: it ends here. */
	st = stream_cuts(self, true);
	if (st == STATUS_OK)
		st = pending_drain(self, true);
	return st;
}

/* Files */

/**
 * Read ${length} bytes from ${offset} on into the stream; ${got_out} is less
 * at the end of the file, and where read_error is set.
 */
static enum status data_read(struct backup *self, struct pending *pending,
    int fd, uint64_t offset, uint64_t length, uint64_t *got_out)
{
	enum status st = STATUS_OK;
	uint64_t got = 0;

	while (got < length) {
		if (!self->buffer) {
			st = sender_buffer(self->sender, &self->buffer);
			if (st != STATUS_OK)
				break;
		}
		size_t room = CHUNK_BYTES_MAX - self->filled;
		size_t want = min_of(min_of(room, READ_BYTES), length - got);
		uint8_t *at = self->buffer + self->filled;
		ssize_t len = pread(fd, at, want, (off_t)(offset + got));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			self->read_error = errno;
		if (len <= 0)
			break;
		XXH3_128bits_update(self->hash, at, (size_t)len);
		st = range_add(pending, stream_end(self), (uint64_t)len, false);
		self->filled += (size_t)len;
		got += (uint64_t)len;
		self->progress.bytes_read += (uint64_t)len;
		if (st == STATUS_OK)
			st = stream_cuts(self, false);
		if (st != STATUS_OK)
			break;
		progress_tell(self);
	}
	*got_out = got;
	return st;
}

/** Read an open file once; size and ranges of ${pending} tell how much. */
static enum status file_read(
    struct backup *self, struct pending *pending, int fd)
{
	struct entry *entry = &pending->entry;
	XXH128_canonical_t canonical;
	uint64_t length;
	enum status st = STATUS_OK;

	XXH3_128bits_reset(self->hash);
	self->read_error = 0;
	entry->size = 0;
	pending->ranges_count = 0;
	for (;;) {
		bool hole = walk_part(fd, &pending->stat, entry->size, &length);
		if (length == 0)
			break;
		uint64_t got = length;
		if (hole)
			st = range_add(pending, 0, length, true);
		else
			st = data_read(
			    self, pending, fd, entry->size, length, &got);
		entry->size += got;
		if (st != STATUS_OK || got < length)
			break; /* or it was cut short meanwhile */
	}
	pending->end = stream_end(self);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(self->hash));
	_Static_assert(sizeof(canonical) == ENTRY_HASH_BYTES, "128 bits");
	memcpy(entry->hash, &canonical, ENTRY_HASH_BYTES);
	return st;
}

static void entry_fill(struct entry *entry, const struct stat *stat)
{
	entry->mode = stat->st_mode & ENTRY_MODE_MASK;
	entry->mtime_s = stat->st_mtim.tv_sec;
	entry->mtime_ns = (uint32_t)stat->st_mtim.tv_nsec;
	entry->user = stat->st_uid;
	entry->group = stat->st_gid;
}

/** Sort a file that its name does not settle by its first bytes. */
static enum category file_category(
    struct backup *self, const char *path, int fd)
{
	uint8_t head[CATEGORY_HEAD_BYTES];
	enum category category;
	const struct backup_options *options = self->options;

	if (category_by_name(&category, options->rules, options->rules_count,
		path) == STATUS_OK)
		return category;
	ssize_t len = pread(fd, head, sizeof(head), 0);
	return category_of(options->rules, options->rules_count, path,
	    slice_of(head, len > 0 ? (size_t)len : 0));
}

/** Report that the file ${from} cannot be read. */
static void file_drop(struct backup *self, const struct walk_entry *from,
    struct pending *pending, int error)
{
	pending->dropped = true;
	trouble_note(self, error == ENOENT ? WALK_VANISHED : WALK_UNREADABLE,
	    (const char *)from->path.data, error);
}

/** Read the file ${from} into the stream, again where it changes meanwhile. */
static enum status file_store(
    struct backup *self, const struct walk_entry *from, struct pending *pending)
{
	const char *path = (const char *)from->path.data;
	struct timespec now;
	struct stat after;
	enum status st = STATUS_OK;
	int fd = -1;
	bool same = false;

	for (int try = 0; try < READ_TRIES && !same; try++) {
		fd = walk_open(from, &pending->stat);
		if (fd < 0) {
			file_drop(self, from, pending, errno);
			return STATUS_OK;
		}
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		clock_gettime(CLOCK_REALTIME, &now);
		st = file_read(self, pending, fd);
		if (st == STATUS_OK && self->read_error != 0)
			file_drop(self, from, pending, self->read_error);
		if (st != STATUS_OK || pending->dropped)
			goto out;
		same = fstat(fd, &after) == 0 &&
		       walk_same(&after, &pending->stat) &&
		       pending->entry.size == (uint64_t)after.st_size;
		pending->entry.category = file_category(self, path, fd);
		close(fd);
		fd = -1;
	}
	entry_fill(&pending->entry, &pending->stat);
	pending->entry.changed = !same;
	pending->cached = same && cache_may_trust(&pending->stat, &now);
	if (!same)
		trouble_note(self, WALK_CHANGED, path, 0);
out:
	if (fd >= 0)
		close(fd);
	return st;
}

/** Take over from the cache how a file was stored; NOT_FOUND: read it. */
static enum status file_recall(
    struct backup *self, const struct walk_entry *from, struct pending *pending)
{
	const struct entry *cached = NULL;
	struct entry *entry = &pending->entry;
	enum status st = STATUS_NOT_FOUND;

	if (!self->cache)
		return st;
	st = cache_find(self->cache, from->path, &from->stat, &cached);
	if (st == STATUS_MALFORMED) {
		self->result->cache_dropped = true;
		cache_close(&self->cache);
		st = STATUS_NOT_FOUND;
	}
	if (st != STATUS_OK)
		return st;
	entry_fill(entry, &from->stat);
	entry->size = cached->size;
	memcpy(entry->hash, cached->hash, ENTRY_HASH_BYTES);
	if (category_by_name(&entry->category, self->options->rules,
		self->options->rules_count,
		(const char *)from->path.data) != STATUS_OK)
		entry->category = cached->category;
	for (size_t i = 0; i < cached->extents_count && st == STATUS_OK; i++) {
		const struct extent *extent = &cached->extents[i];
		st = entry_add_extent(entry,
		    extent->hole ? NULL : &extent->chunk, extent->offset,
		    extent->length);
	}
	pending->stat = from->stat;
	pending->cached = true;
	self->result->files_unchanged++;
	return st;
}

/** One step of the walk; OK also where the entry cannot be stored. */
static enum status entry_store(
    struct backup *self, const struct walk_entry *from)
{
	struct summary *summary = &self->result->summary;
	struct pending *pending = calloc(1, sizeof(*pending));
	enum status st = STATUS_NO_SPACE;

	if (!pending)
		return st;
	struct entry *entry = &pending->entry;
	entry->type = from->type;
	st = entry_set_text(&entry->path, from->path);
	if (st == STATUS_OK)
		st = entry_set_text(&entry->target, from->target);
	if (st != STATUS_OK)
		goto out;
	if (from->type == ENTRY_FILE) {
		st = file_recall(self, from, pending);
		if (st == STATUS_NOT_FOUND)
			st = file_store(self, from, pending);
	} else {
		entry_fill(entry, &from->stat);
	}
	if (st != STATUS_OK || pending->dropped)
		goto out;
	summary->files++;
	summary->categories[entry->category].bytes += entry->size;
	if (from->type == ENTRY_FILE)
		summary->categories[entry->category].files++;
	self->progress.files++;
	self->progress.bytes += entry->size;
	st = pending_add(self, pending);
	pending = NULL;
	progress_tell(self);
out:
	pending_destroy(&pending);
	return st;
}

/** What the store has not found is what we relied on; see attempt. */
static enum status stale(enum status st)
{
	return st == STATUS_NOT_FOUND ? STATUS_CONFLICT : st;
}

static enum status tree_store(struct backup *self)
{
	struct walk_entry from;
	enum status st =
	    walk_new(&self->walk, self->options->root, trouble_note, self);

	if (st != STATUS_OK)
		return st;
	while ((st = walk_next(self->walk, &from)) == STATUS_OK) {
		if (cancelled(self->options))
			return STATUS_PENDING;
		st = stale(entry_store(self, &from));
		if (st != STATUS_OK)
			return st;
	}
	if (st != STATUS_NOT_FOUND)
		return st;
	st = stream_cuts(self, true);
	if (st == STATUS_OK)
		st = pending_drain(self, true);
	return stale(st);
}

/* The whole */

/** Open the cache, unless the store has lost the snapshot it is of. */
static enum status cache_begin(struct backup *self, bool use)
{
	const struct backup_options *options = self->options;
	struct chunk_standing root = { CHUNK_ABSENT, 0 };
	enum status st = STATUS_NOT_FOUND;

	self->known = known_chunks_new();
	if (!self->known)
		return STATUS_NO_SPACE;
	if (!options->cache_path)
		return STATUS_OK;
	if (use)
		st = cache_open(&self->cache, options->cache_path,
		    options->keys, self->known);
	if (st == STATUS_OK && self->lease.chunks > 0) {
		st = remote_have(
		    options->remote, cache_root(self->cache), 1, &root);
		if (st != STATUS_OK)
			return st;
	}
	if (st != STATUS_NOT_FOUND && root.presence == CHUNK_ABSENT) {
		self->result->cache_dropped = true;
		cache_close(&self->cache);
		known_chunks_destroy(&self->known);
		self->known = known_chunks_new();
		if (!self->known)
			return STATUS_NO_SPACE;
	}
	self->result->cache_status =
	    cache_writer_new(&self->writer, options->cache_path, options->keys);
	return STATUS_OK;
}

static enum status sender_begin(struct backup *self)
{
	const struct backup_options *options = self->options;
	const struct sender_options sender = { .remote = options->remote,
		.keys = options->keys,
		.known = self->known,
		.ask = self->lease.chunks > 0,
		.threads = options->threads,
		.cancel = options->cancel };

	self->chunker = chunker_new(options->keys->chunker_seed, CHUNKER_DATA);
	self->codec = chunk_codec_new(options->keys);
	self->builder =
	    node_builder_new(options->keys->chunker_seed, 0, node_hold, self);
	self->hash = XXH3_createState();
	self->sender = sender_new(&sender);
	if (!self->chunker || !self->codec || !self->builder || !self->hash ||
	    !self->sender)
		return STATUS_NO_SPACE;
	return STATUS_OK;
}

/** The hash of the root as the store has it, fetched where need be. */
static enum status root_hash(
    struct backup *self, uint8_t hash_out[static ROOT_HASH_BYTES])
{
	const struct link *root = &self->links.links[0];
	uint8_t *sealed = NULL;
	size_t len = 0;
	enum status st = STATUS_OK;

	if (root->hash_known) {
		memcpy(hash_out, root->sealed_hash, ROOT_HASH_BYTES);
		return STATUS_OK;
	}
	if (self->cache && memcmp(cache_root(self->cache), &root->name.id,
			       sizeof(root->name.id)) == 0) {
		memcpy(hash_out, cache_root_hash(self->cache), ROOT_HASH_BYTES);
		return STATUS_OK;
	}
	st = fetch_chunk(self->options->remote, &root->name.id, &sealed, &len);
	if (st == STATUS_OK)
		crypto_generichash(
		    hash_out, ROOT_HASH_BYTES, sealed, len, NULL, 0);
	free(sealed);
	return st;
}

static enum status publish(struct backup *self)
{
	const struct backup_options *options = self->options;
	const struct link *root = &self->links.links[0];
	struct backup_result *result = self->result;
	struct snapshot *snapshot = &result->snapshot;
	uint8_t hash[ROOT_HASH_BYTES];
	enum status st = remote_flush(options->remote);

	assert(self->links.count == 1);
	if (st == STATUS_OK)
		st = root_hash(self, hash);
	if (st != STATUS_OK)
		return st;
	snapshot->root = root->name.id;
	snapshot->chunks = root->chunks;
	snapshot->sealed_bytes = root->sealed_bytes;
	memcpy(result->summary.root_key, root->name.key, CHUNK_KEY_BYTES);
	st = bytes_copy(&snapshot->sealed_key,
	    slice_of(options->key->sealed, options->key->sealed_len));
	if (st == STATUS_OK)
		st = summary_seal(&result->summary, &options->keys->account,
		    options->key->key, snapshot);
	if (st == STATUS_OK && options->keep)
		st = options->keep(options->arg);
	if (st == STATUS_OK)
		st = remote_publish(options->remote, snapshot, hash);
	if (st != STATUS_OK || !self->writer)
		return st;
	result->cache_status = cache_writer_finish(
	    self->writer, self->known, &root->name.id, hash);
	return STATUS_OK;
}

static void backup_clear(struct backup *self)
{
	/* First the threads, who use what the rest owns. */
	sender_destroy(&self->sender);
	while (self->first) {
		struct pending *next = self->first->next;
		pending_destroy(&self->first);
		self->first = next;
	}
	for (size_t i = 0; i < NODES_HELD_MAX; i++)
		held_clear(&self->held[i]);
	links_clear(&self->links);
	links_clear(&self->below);
	node_builder_destroy(&self->builder);
	chunk_codec_destroy(&self->codec);
	chunker_destroy(&self->chunker);
	XXH3_freeState(self->hash);
	walk_destroy(&self->walk);
	cache_writer_destroy(&self->writer);
	cache_close(&self->cache);
	known_chunks_destroy(&self->known);
}

/** One attempt; CONFLICT: what the cache says is no longer so. */
static enum status attempt(const struct backup_options *options, bool use_cache,
    struct backup_result *result, const struct backup_survey *survey)
{
	struct backup self = { .options = options, .result = result };
	enum status st = remote_backup_begin(options->remote, &self.lease);

	if (st != STATUS_OK)
		return st;
	result->summary.started_ms = clock_wall_ms();
	summary_set_text(result->summary.label, sizeof(result->summary.label),
	    options->label);
	summary_set_text(
	    result->summary.host, sizeof(result->summary.host), options->host);
	self.progress.files_total = survey->files;
	self.progress.bytes_total = survey->bytes;
	st = cache_begin(&self, use_cache);
	if (st == STATUS_OK)
		st = sender_begin(&self);
	if (st == STATUS_OK)
		st = tree_store(&self);
	if (st == STATUS_OK)
		st = stale(levels_build(&self));
	if (st == STATUS_OK)
		st = stale(publish(&self));
	if (self.sender) {
		struct sender_figures figures = sender_figures(self.sender);
		result->bytes_sent = figures.bytes_sent;
		result->chunks_sent = figures.chunks_sent;
		result->chunks_reused = figures.chunks_reused;
		progress_tell(&self);
	}
	result->bytes_read = self.progress.bytes_read;
	backup_clear(&self);
	return st;
}

enum status backup_run(
    const struct backup_options *options, struct backup_result *result_out)
{
	struct backup_survey survey = { 0 };
	struct backup_options quiet = *options;
	enum status st = STATUS_OK;

	*result_out = (struct backup_result){ 0 };
	quiet.report = NULL;
	if (options->count_first)
		st = backup_look(&quiet, &survey);
	if (st == STATUS_OK)
		st = attempt(options, true, result_out, &survey);
	if (st == STATUS_CONFLICT && options->cache_path) {
		/* Something we relied on was swept: rely on nothing. */
		log_warning(NULL, "backup_cache_stale", "again=1");
		backup_result_clear(result_out);
		st = attempt(options, false, result_out, &survey);
		result_out->cache_dropped = true;
	}
	if (st != STATUS_OK)
		backup_result_clear(result_out);
	return st;
}

enum status backup_look(
    const struct backup_options *options, struct backup_survey *survey_out)
{
	struct walk *walk = NULL;
	struct walk_entry from;
	enum status st =
	    walk_new(&walk, options->root, options->report, options->arg);

	if (st != STATUS_OK)
		return st;
	*survey_out = (struct backup_survey){ 0 };
	while (
	    !cancelled(options) && (st = walk_next(walk, &from)) == STATUS_OK) {
		enum category category = CATEGORY_OTHER;
		survey_out->files++;
		if (from.type != ENTRY_FILE)
			continue;
		if (category_by_name(&category, options->rules,
			options->rules_count,
			(const char *)from.path.data) != STATUS_OK)
			category = CATEGORY_OTHER;
		survey_out->bytes += (uint64_t)from.stat.st_size;
		survey_out->categories[category].files++;
		survey_out->categories[category].bytes +=
		    (uint64_t)from.stat.st_size;
	}
	walk_destroy(&walk);
	if (cancelled(options))
		return STATUS_PENDING;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}
