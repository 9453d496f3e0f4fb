#include "cache_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define TICK_NS        50000000   /* kernels stamp times every 1 to 10 ms */
#define COARSE_TICK_NS 2000000000 /* FAT */
#define NANOSECONDS    1000000000

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

void cache_associated(uint8_t out[static ASSOCIATED_BYTES],
    const struct account_keys *keys, const struct id *file, uint64_t frame)
{
	_Static_assert(sizeof(LABEL) == LABEL_BYTES + 1, "label");
	memcpy(out, LABEL, LABEL_BYTES);
	memcpy(out + LABEL_BYTES, keys->account.bytes, ID_BYTES);
	memcpy(out + LABEL_BYTES + ID_BYTES, file->bytes, ID_BYTES);
	put_be64(out + LABEL_BYTES + 2 * ID_BYTES, frame);
}

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
	cache_associated(associated, self->keys, &self->file, ++self->frame);
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
	cache_associated(associated, self->keys, &self->file, 0);
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
		size_t here = self->rest.len / KNOWN_CHUNK_BYTES;
		if (self->rest.len % KNOWN_CHUNK_BYTES != 0 || here > count)
			return STATUS_MALFORMED;
		st = known_chunks_unpack(known, self->rest);
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

void cache_stamp(uint8_t out[static STAMP_BYTES], const struct stat *stat)
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
	cache_stamp(stamp, stat);
	if (memcmp(stamp, self->stamp, STAMP_BYTES) != 0 ||
	    self->entry.size != (uint64_t)stat->st_size ||
	    self->entry.mtime_s != stat->st_mtim.tv_sec ||
	    self->entry.mtime_ns != (uint32_t)stat->st_mtim.tv_nsec)
		return STATUS_NOT_FOUND;
	*entry_out = &self->entry;
	return STATUS_OK;
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
