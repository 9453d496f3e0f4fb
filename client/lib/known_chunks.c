#include "known_chunks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "remote.h"

#define PREFIX_BYTES    (KNOWN_CHUNK_BYTES - 1)
#define KNOWN_SLOTS_MIN 1024
#define KNOWN_SLOTS_MAX ((size_t)1 << 32)
#define IN_USE          0x80

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

enum status known_chunks_unpack(struct known_chunks *self, struct slice packed)
{
	size_t count = packed.len / KNOWN_CHUNK_BYTES;
	enum status st = known_grow(self, self->used + count);

	for (size_t i = 0; i < count && st == STATUS_OK; i++) {
		const uint8_t *at = packed.data + i * KNOWN_CHUNK_BYTES;
		if (at[PREFIX_BYTES] == 0 || at[PREFIX_BYTES] > CHUNK_PAGES_MAX)
			return STATUS_MALFORMED;
		st = known_put(self, at, at[PREFIX_BYTES]);
	}
	return st;
}

bool known_chunks_pack(const struct known_chunks *self, size_t *at,
    uint8_t out[static KNOWN_CHUNK_BYTES])
{
	while (*at < self->capacity) {
		const struct known *one = &self->slots[(*at)++];
		if (!(one->pages & IN_USE))
			continue;
		memcpy(out, one->prefix, PREFIX_BYTES);
		out[PREFIX_BYTES] = one->pages & (uint8_t)~IN_USE;
		return true;
	}
	return false;
}
