#include "manifest_entry.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

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
