#include "cache_internal.h"

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
	cache_associated(associated, self->keys, &self->file, ++self->frame);
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

	cache_stamp(stamp, stat);
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
	uint8_t one[KNOWN_CHUNK_BYTES];
	size_t at = 0;
	enum status st = STATUS_OK;

	*count_out = 0;
	while (st == STATUS_OK && known_chunks_pack(known, &at, one)) {
		st = bytes_append(&self->plain, slice_of(one, sizeof(one)));
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
	cache_associated(associated, self->keys, &self->file, 0);
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
