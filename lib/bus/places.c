#include "bus/places.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct kept {
	char *endpoint; /* owned */
	uint8_t key[CURVE_KEY_BYTES];
	bool has_key;
};

struct places {
	struct kept kept[PLACES_MAX];
	size_t count;
	size_t at;
	unsigned int tried; /* since one was good */
};

enum status places_new(
    struct places **out, const struct place *places, size_t count)
{
	struct places *self = calloc(1, sizeof(*self));

	assert(count > 0 && count <= PLACES_MAX);
	if (!self)
		return STATUS_NO_SPACE;
	self->count = count;
	for (size_t i = 0; i < count; i++) {
		struct kept *kept = &self->kept[i];
		kept->endpoint = strdup(places[i].endpoint);
		if (!kept->endpoint) {
			places_destroy(&self);
			return STATUS_NO_SPACE;
		}
		kept->has_key = places[i].server_key != NULL;
		if (kept->has_key)
			memcpy(
			    kept->key, places[i].server_key, CURVE_KEY_BYTES);
	}
	if (count > 1)
		self->at = randombytes_uniform((uint32_t)count);
	*out = self;
	return STATUS_OK;
}

void places_destroy(struct places **self_p)
{
	struct places *self = *self_p;

	if (!self)
		return;
	for (size_t i = 0; i < self->count; i++)
		free(self->kept[i].endpoint);
	free(self);
	*self_p = NULL;
}

size_t places_count(const struct places *self)
{
	return self->count;
}

struct place places_current(const struct places *self)
{
	const struct kept *kept = &self->kept[self->at];

	return (struct place){
		.endpoint = kept->endpoint,
		.server_key = kept->has_key ? kept->key : NULL,
	};
}

unsigned int places_rounds(const struct places *self)
{
	return self->tried / (unsigned int)self->count;
}

uint32_t places_pause(const struct places *self)
{
	size_t rounds = (self->tried + 1) / self->count;

	if (rounds == 0)
		return 0;
	return rounds > 5 ? PLACES_PAUSE_MAXMS
			  : min_of((uint32_t)PLACES_PAUSE_MS << (rounds - 1),
				(uint32_t)PLACES_PAUSE_MAXMS);
}

void places_next(struct places *self)
{
	self->at = (self->at + 1) % self->count;
	self->tried++;
}

void places_good(struct places *self)
{
	self->tried = 0;
}
