#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "backup_internal.h"
#include "base/util.h"

/* What the walk finds: read into the stream, cut, and into the manifest. */

#define READ_BYTES  (128 * 1024)
#define READ_TRIES  3    /* of a file that changes under the reader */
#define PENDING_MAX 2048 /* entries that wait for their chunks */

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

/* ---- the stream ---- */

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

/* ---- entries that wait ---- */

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
			st = manifest_writer_add(self->manifest, &first->entry);
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

/* ---- files ---- */

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
		backup_progress_tell(self);
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
	backup_trouble(self, error == ENOENT ? WALK_VANISHED : WALK_UNREADABLE,
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
		backup_trouble(self, WALK_CHANGED, path, 0);
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

enum status backup_store(struct backup *self, const struct walk_entry *from)
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
	backup_progress_tell(self);
out:
	pending_destroy(&pending);
	return st;
}

enum status backup_store_rest(struct backup *self)
{
	enum status st = stream_cuts(self, true);

	return st == STATUS_OK ? pending_drain(self, true) : st;
}

void backup_files_clear(struct backup *self)
{
	while (self->first) {
		struct pending *next = self->first->next;
		pending_destroy(&self->first);
		self->first = next;
	}
	XXH3_freeState(self->hash);
	self->hash = NULL;
}
