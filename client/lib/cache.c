#include "cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "crypto/seal.h"
#include "manifest_message.h"

#define MAGIC            "KSC1"
#define MAGIC_BYTES      4
#define LABEL            "keepsake cache"
#define LABEL_BYTES      14
#define ASSOCIATED_BYTES (LABEL_BYTES + ID_BYTES + ID_BYTES + 8)
#define ROOT_HASH_BYTES  32
#define HEAD_BYTES       (CHUNK_ID_BYTES + ROOT_HASH_BYTES + 3 * 8)
#define HEAD_AT          (MAGIC_BYTES + ID_BYTES)
#define FRAMES_AT        (HEAD_AT + SEALED_BYTES(HEAD_BYTES))
#define FRAME_BYTES      (64 * 1024) /* a frame ends when it has so many */
#define FRAME_BYTES_MAX  (FRAME_BYTES + ENTRY_MESSAGE_BYTES_MAX)
#define FRAME_LEN_BYTES  4
#define STAMP_BYTES      20
#define PREFIX_BYTES     15
#define KNOWN_BYTES      (PREFIX_BYTES + 1)
#define KNOWN_SLOTS_MIN  1024
#define KNOWN_SLOTS_MAX  ((size_t)1 << 32)
#define IN_USE           0x80
#define TICK_NS          50000000   /* kernels stamp times every 1 to 10 ms */
#define COARSE_TICK_NS   2000000000 /* FAT */
#define NANOSECONDS      1000000000

/* Known chunks */

struct known {
	uint8_t prefix[PREFIX_BYTES];
	uint8_t pages; /* 0: a free slot; IN_USE may be set */
};

struct known_chunks {
	struct known *slots; /* owned, a hash table */
	size_t capacity;     /* a power of two */
	size_t used;         /* at most three quarters */
};

struct known_chunks *known_chunks_new(void)
{
	struct known_chunks *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->capacity = KNOWN_SLOTS_MIN;
	self->slots = calloc(self->capacity, sizeof(*self->slots));
	if (!self->slots)
		known_chunks_destroy(&self);
	return self;
}

void known_chunks_destroy(struct known_chunks **self_p)
{
	assert(self_p);
	struct known_chunks *self = *self_p;

	if (!self)
		return;
	free(self->slots);
	free(self);
	*self_p = NULL;
}

/** The slot of ${prefix}, or the free one it would go to. */
static struct known *known_slot(
    const struct known_chunks *self, const uint8_t prefix[static PREFIX_BYTES])
{
	size_t mask = self->capacity - 1;
	size_t at = (size_t)get_be64(prefix) & mask; /* ids are random */

	while (self->slots[at].pages != 0 &&
	       memcmp(self->slots[at].prefix, prefix, PREFIX_BYTES) != 0)
		at = (at + 1) & mask;
	return &self->slots[at];
}

static enum status known_grow(struct known_chunks *self, size_t count)
{
	struct known_chunks grown = { .capacity = self->capacity,
		.used = self->used };

	if (count > KNOWN_SLOTS_MAX)
		return STATUS_NO_SPACE;
	while (count > grown.capacity / 4 * 3)
		grown.capacity *= 2;
	if (grown.capacity == self->capacity)
		return STATUS_OK;
	grown.slots = calloc(grown.capacity, sizeof(*grown.slots));
	if (!grown.slots)
		return STATUS_NO_SPACE;
	for (size_t i = 0; i < self->capacity; i++)
		if (self->slots[i].pages != 0)
			*known_slot(&grown, self->slots[i].prefix) =
			    self->slots[i];
	free(self->slots);
	*self = grown;
	return STATUS_OK;
}

static enum status known_put(struct known_chunks *self,
    const uint8_t prefix[static PREFIX_BYTES], uint8_t pages)
{
	enum status st = known_grow(self, self->used + 1);

	if (st != STATUS_OK)
		return st;
	struct known *slot = known_slot(self, prefix);
	if (slot->pages == 0) {
		memcpy(slot->prefix, prefix, PREFIX_BYTES);
		self->used++;
	}
	slot->pages = (uint8_t)((slot->pages & IN_USE) | pages);
	return STATUS_OK;
}

enum status known_chunks_add(
    struct known_chunks *self, const struct chunk_id *id, unsigned int pages)
{
	assert(pages > 0 && pages <= CHUNK_PAGES_MAX);
	return known_put(self, id->bytes, (uint8_t)(pages | IN_USE));
}

unsigned int known_chunks_use(
    struct known_chunks *self, const struct chunk_id *id)
{
	struct known *slot = known_slot(self, id->bytes);

	if (slot->pages == 0)
		return 0;
	slot->pages |= IN_USE;
	return slot->pages & ~(unsigned int)IN_USE;
}

/* Files and frames */

static bool read_at(int fd, uint8_t *data, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t got = pread(fd, data, len, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		data += got;
		len -= (size_t)got;
		offset += (size_t)got;
	}
	return true;
}

static enum status write_at(
    int fd, const uint8_t *data, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t put = pwrite(fd, data, len, (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return STATUS_NO_SPACE;
		data += put;
		len -= (size_t)put;
		offset += (size_t)put;
	}
	return STATUS_OK;
}

static void associated_fill(uint8_t out[static ASSOCIATED_BYTES],
    const struct account_keys *keys, const struct id *file, uint64_t frame)
{
	_Static_assert(sizeof(LABEL) == LABEL_BYTES + 1, "label");
	memcpy(out, LABEL, LABEL_BYTES);
	memcpy(out + LABEL_BYTES, keys->account.bytes, ID_BYTES);
	memcpy(out + LABEL_BYTES + ID_BYTES, file->bytes, ID_BYTES);
	put_be64(out + LABEL_BYTES + 2 * ID_BYTES, frame);
}

/* Reading */

struct cache {
	int fd;
	const struct account_keys *keys; /* borrowed */
	struct id file;
	uint8_t head[HEAD_BYTES]; /* root id, root hash, and the numbers */
	uint64_t frames;          /* with entries */
	uint64_t frame;           /* number of the last one read; 0: none */
	uint64_t offset;          /* of the next one */
	struct bytes plain;  /* of the last one; capacity for the longest */
	struct bytes sealed; /* scratch */
	struct slice rest;   /* of plain */
	struct entry_decoder *decoder; /* owned */
	struct entry entry;            /* read ahead, if have_entry */
	bool have_entry;
	uint8_t stamp[STAMP_BYTES]; /* of entry */
	bool broken;                /* or at its end */
};

/** Read the next frame into plain; any failure is MALFORMED. */
static enum status frame_read(struct cache *self)
{
	uint8_t associated[ASSOCIATED_BYTES], len_bytes[FRAME_LEN_BYTES];

	if (!read_at(self->fd, len_bytes, sizeof(len_bytes), self->offset))
		return STATUS_MALFORMED;
	size_t len = get_be32(len_bytes);
	if (len <= SEAL_EXTRA_BYTES || len > SEALED_BYTES(FRAME_BYTES_MAX) ||
	    !read_at(self->fd, self->sealed.data, len,
		self->offset + FRAME_LEN_BYTES))
		return STATUS_MALFORMED;
	associated_fill(associated, self->keys, &self->file, ++self->frame);
	if (seal_open(self->plain.data, self->keys->cache,
		slice_of(self->sealed.data, len),
		slice_of(associated, sizeof(associated))) != STATUS_OK)
		return STATUS_MALFORMED;
	self->plain.len = len - SEAL_EXTRA_BYTES;
	self->rest = bytes_slice(&self->plain);
	self->offset += FRAME_LEN_BYTES + len;
	return STATUS_OK;
}

static enum status head_read(struct cache *self)
{
	uint8_t start[FRAMES_AT], associated[ASSOCIATED_BYTES];

	if (!read_at(self->fd, start, sizeof(start), 0) ||
	    memcmp(start, MAGIC, MAGIC_BYTES) != 0)
		return STATUS_MALFORMED;
	memcpy(self->file.bytes, start + MAGIC_BYTES, ID_BYTES);
	associated_fill(associated, self->keys, &self->file, 0);
	if (seal_open(self->head, self->keys->cache,
		slice_of(start + HEAD_AT, SEALED_BYTES(HEAD_BYTES)),
		slice_of(associated, sizeof(associated))) != STATUS_OK)
		return STATUS_MALFORMED;
	return STATUS_OK;
}

/** Read the frames behind those with entries, ${count} chunks in all. */
static enum status known_read(
    struct cache *self, uint64_t count, struct known_chunks *known)
{
	enum status st = STATUS_OK;

	while (count > 0 && st == STATUS_OK) {
		st = frame_read(self);
		if (st != STATUS_OK)
			break;
		size_t here = self->rest.len / KNOWN_BYTES;
		if (self->rest.len % KNOWN_BYTES != 0 || here > count)
			return STATUS_MALFORMED;
		st = known_grow(known, known->used + here);
		for (size_t i = 0; i < here && st == STATUS_OK; i++) {
			const uint8_t *at = self->rest.data + i * KNOWN_BYTES;
			if (at[PREFIX_BYTES] == 0 ||
			    at[PREFIX_BYTES] > CHUNK_PAGES_MAX)
				return STATUS_MALFORMED;
			st = known_put(known, at, at[PREFIX_BYTES]);
		}
		count -= here;
	}
	return st;
}

enum status cache_open(struct cache **self_out, const char *path,
    const struct account_keys *keys, struct known_chunks *known)
{
	struct stat stat;
	struct cache *self = NULL;
	enum status st = STATUS_DENIED;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_DENIED;
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) ||
	    stat.st_uid != geteuid() || (stat.st_mode & 077) != 0)
		goto out;
	st = STATUS_NO_SPACE;
	self = calloc(1, sizeof(*self));
	if (!self)
		goto out;
	self->fd = fd;
	fd = -1;
	self->keys = keys;
	self->decoder = entry_decoder_new();
	if (!self->decoder ||
	    bytes_reserve(&self->plain, FRAME_BYTES_MAX) != STATUS_OK ||
	    bytes_reserve(&self->sealed, SEALED_BYTES(FRAME_BYTES_MAX)) !=
		STATUS_OK)
		goto out;
	st = head_read(self);
	if (st != STATUS_OK)
		goto out;
	const uint8_t *numbers = self->head + CHUNK_ID_BYTES + ROOT_HASH_BYTES;
	self->frames = get_be64(numbers);
	self->frame = self->frames;
	self->offset = get_be64(numbers + 16);
	st = known_read(self, get_be64(numbers + 8), known);
	if (st != STATUS_OK)
		goto out;
	self->frame = 0;
	self->offset = FRAMES_AT;
	self->rest = slice_of(NULL, 0);
	*self_out = self;
	self = NULL;
out:
	if (fd >= 0)
		close(fd);
	cache_close(&self);
	return st;
}

void cache_close(struct cache **self_p)
{
	assert(self_p);
	struct cache *self = *self_p;

	if (!self)
		return;
	close(self->fd);
	entry_decoder_destroy(&self->decoder);
	entry_clear(&self->entry);
	bytes_clear(&self->plain);
	bytes_clear(&self->sealed);
	free(self);
	*self_p = NULL;
}

const struct chunk_id *cache_root(const struct cache *self)
{
	return (const struct chunk_id *)self->head;
}

const uint8_t *cache_root_hash(const struct cache *self)
{
	return self->head + CHUNK_ID_BYTES;
}

/** Read the next entry ahead; NOT_FOUND at the end. */
static enum status entry_read(struct cache *self)
{
	enum status st = STATUS_OK;

	if (self->rest.len == 0) {
		if (self->frame == self->frames)
			return STATUS_NOT_FOUND;
		st = frame_read(self);
		if (st != STATUS_OK)
			return st;
	}
	if (self->rest.len < STAMP_BYTES)
		return STATUS_MALFORMED;
	memcpy(self->stamp, self->rest.data, STAMP_BYTES);
	self->rest.data += STAMP_BYTES;
	self->rest.len -= STAMP_BYTES;
	for (;;) {
		st = entry_decode(self->decoder, &self->rest, &self->entry);
		if (st != STATUS_PENDING)
			break;
		if (self->frame == self->frames)
			return STATUS_MALFORMED;
		st = frame_read(self);
		if (st != STATUS_OK)
			return st;
	}
	if (st == STATUS_NOT_FOUND || self->entry.type != ENTRY_FILE)
		return STATUS_MALFORMED;
	return st;
}

static void stamp_fill(uint8_t out[static STAMP_BYTES], const struct stat *stat)
{
	put_be64(out, (uint64_t)stat->st_ino);
	put_be64(out + 8, (uint64_t)stat->st_ctim.tv_sec);
	put_be32(out + 16, (uint32_t)stat->st_ctim.tv_nsec);
}

enum status cache_find(struct cache *self, struct slice path,
    const struct stat *stat, const struct entry **entry_out)
{
	uint8_t stamp[STAMP_BYTES];
	enum status st = STATUS_OK;

	while (!self->broken) {
		if (!self->have_entry) {
			st = entry_read(self);
			self->broken = st != STATUS_OK;
			self->have_entry = !self->broken;
			continue;
		}
		int order = path_compare(bytes_slice(&self->entry.path), path);
		if (order > 0)
			return STATUS_NOT_FOUND;
		if (order == 0)
			break;
		self->have_entry = false;
	}
	if (self->broken)
		return st == STATUS_OK ? STATUS_NOT_FOUND : st;
	stamp_fill(stamp, stat);
	if (memcmp(stamp, self->stamp, STAMP_BYTES) != 0 ||
	    self->entry.size != (uint64_t)stat->st_size ||
	    self->entry.mtime_s != stat->st_mtim.tv_sec ||
	    self->entry.mtime_ns != (uint32_t)stat->st_mtim.tv_nsec)
		return STATUS_NOT_FOUND;
	*entry_out = &self->entry;
	return STATUS_OK;
}

/* Writing */

struct cache_writer {
	int fd;
	const char *path; /* borrowed; the place it is for */
	char temporary[PATH_MAX];
	bool linked;                     /* the temporary file is there */
	const struct account_keys *keys; /* borrowed */
	struct id file;
	struct bytes plain;  /* of the frame that is being filled */
	struct bytes sealed; /* scratch */
	uint64_t frame;      /* number of the last one written */
	uint64_t offset;     /* where the next one goes */
};

enum status cache_writer_new(struct cache_writer **self_out, const char *path,
    const struct account_keys *keys)
{
	struct cache_writer *self = calloc(1, sizeof(*self));
	enum status st = STATUS_NO_SPACE;

	if (!self)
		return st;
	self->path = path;
	self->keys = keys;
	self->offset = FRAMES_AT;
	self->fd = -1;
	randombytes_buf(self->file.bytes, ID_BYTES);
	int len =
	    snprintf(self->temporary, sizeof(self->temporary), "%s.new", path);
	if (len < 0 || (size_t)len >= sizeof(self->temporary))
		goto out;
	if (bytes_reserve(&self->plain, FRAME_BYTES_MAX) != STATUS_OK)
		goto out;
	unlink(self->temporary); /* left behind by a killed backup */
	self->fd = open(self->temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (self->fd < 0) {
		st = errno == ENOSPC ? STATUS_NO_SPACE : STATUS_DENIED;
		goto out;
	}
	self->linked = true;
	*self_out = self;
	return STATUS_OK;
out:
	cache_writer_destroy(&self);
	return st;
}

void cache_writer_destroy(struct cache_writer **self_p)
{
	assert(self_p);
	struct cache_writer *self = *self_p;

	if (!self)
		return;
	if (self->fd >= 0)
		close(self->fd);
	if (self->linked)
		unlink(self->temporary);
	bytes_clear(&self->plain);
	bytes_clear(&self->sealed);
	free(self);
	*self_p = NULL;
}

static enum status frame_write(struct cache_writer *self)
{
	uint8_t associated[ASSOCIATED_BYTES];
	size_t sealed_len = SEALED_BYTES(self->plain.len);
	size_t len = FRAME_LEN_BYTES + sealed_len;
	enum status st = bytes_reserve(&self->sealed, len);

	assert(self->plain.len <= FRAME_BYTES_MAX);
	if (st != STATUS_OK)
		return st;
	associated_fill(associated, self->keys, &self->file, ++self->frame);
	put_be32(self->sealed.data, (uint32_t)sealed_len);
	seal(self->sealed.data + FRAME_LEN_BYTES, self->keys->cache,
	    bytes_slice(&self->plain),
	    slice_of(associated, sizeof(associated)));
	st = write_at(self->fd, self->sealed.data, len, self->offset);
	self->offset += len;
	self->plain.len = 0;
	return st;
}

enum status cache_writer_add(struct cache_writer *self,
    const struct entry *entry, const struct stat *stat)
{
	uint8_t stamp[STAMP_BYTES];
	size_t at = 0;

	stamp_fill(stamp, stat);
	enum status st =
	    bytes_append(&self->plain, slice_of(stamp, STAMP_BYTES));
	do {
		size_t end =
		    min_of(at + ENTRY_EXTENTS_MAX, entry->extents_count);
		if (st == STATUS_OK)
			st = entry_encode(entry, at, end, &self->plain);
		if (st == STATUS_OK && self->plain.len >= FRAME_BYTES / 2)
			st = frame_write(self);
		at = end;
	} while (st == STATUS_OK && at < entry->extents_count);
	return st;
}

static enum status known_write(struct cache_writer *self,
    const struct known_chunks *known, uint64_t *count_out)
{
	enum status st = STATUS_OK;

	*count_out = 0;
	for (size_t i = 0; i < known->capacity && st == STATUS_OK; i++) {
		struct known one = known->slots[i];
		if (!(one.pages & IN_USE))
			continue;
		one.pages &= (uint8_t)~IN_USE;
		st = bytes_append(&self->plain, slice_of(&one, KNOWN_BYTES));
		if (st == STATUS_OK && self->plain.len >= FRAME_BYTES)
			st = frame_write(self);
		++*count_out;
	}
	if (st == STATUS_OK && self->plain.len > 0)
		st = frame_write(self);
	return st;
}

enum status cache_writer_finish(struct cache_writer *self,
    const struct known_chunks *known, const struct chunk_id *root,
    const uint8_t root_hash[static ROOT_HASH_BYTES])
{
	uint8_t start[FRAMES_AT], head[HEAD_BYTES];
	uint8_t associated[ASSOCIATED_BYTES];
	uint64_t frames, known_at, known_count = 0;
	enum status st = STATUS_OK;

	_Static_assert(sizeof(struct known) == KNOWN_BYTES, "no padding");
	if (self->plain.len > 0)
		st = frame_write(self);
	frames = self->frame;
	known_at = self->offset;
	if (st == STATUS_OK)
		st = known_write(self, known, &known_count);
	if (st != STATUS_OK)
		return st;
	memcpy(head, root->bytes, CHUNK_ID_BYTES);
	memcpy(head + CHUNK_ID_BYTES, root_hash, ROOT_HASH_BYTES);
	uint8_t *numbers = head + CHUNK_ID_BYTES + ROOT_HASH_BYTES;
	put_be64(numbers, frames);
	put_be64(numbers + 8, known_count);
	put_be64(numbers + 16, known_at);
	memcpy(start, MAGIC, MAGIC_BYTES);
	memcpy(start + MAGIC_BYTES, self->file.bytes, ID_BYTES);
	associated_fill(associated, self->keys, &self->file, 0);
	seal(start + HEAD_AT, self->keys->cache, slice_of(head, sizeof(head)),
	    slice_of(associated, sizeof(associated)));
	st = write_at(self->fd, start, sizeof(start), 0);
	if (st != STATUS_OK)
		return st;
	if (fsync(self->fd) < 0 || rename(self->temporary, self->path) < 0)
		return STATUS_NO_SPACE;
	self->linked = false;
	return file_sync_folder(self->path);
}

bool cache_may_trust(const struct stat *stat, const struct timespec *now)
{
	bool coarse = stat->st_mtim.tv_nsec == 0 && stat->st_ctim.tv_nsec == 0;
	int64_t age_s = now->tv_sec - stat->st_ctim.tv_sec;
	int64_t age_ns = now->tv_nsec - stat->st_ctim.tv_nsec;

	if (age_s > COARSE_TICK_NS / NANOSECONDS + 1)
		return true;
	if (age_s < 0) /* written in the future: this clock was set back */
		return false;
	return age_s * NANOSECONDS + age_ns >
	       (coarse ? COARSE_TICK_NS : TICK_NS);
}
