#include "presence.h"

#include <stdlib.h>

#define BUCKETS 4096 /* a power of two */

struct presences {
	struct presence *buckets[BUCKETS]; /* by terminal, which is random */
	size_t count, reachable;
};

bool way_equal(const struct way *a, const struct way *b)
{
	bool equal = a->door == b->door;

	for (size_t i = 0; i < PRESENCE_WAY_FRAMES; i++)
		equal =
		    equal &&
		    slice_equal(slice_of(a->frames[i].data, a->frames[i].len),
			slice_of(b->frames[i].data, b->frames[i].len));
	return equal;
}

static struct presence **bucket_of(
    struct presences *self, const struct id *terminal)
{
	return &self->buckets[get_be16(terminal->bytes) & (BUCKETS - 1)];
}

enum status presences_new(struct presences **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? STATUS_OK : STATUS_NO_SPACE;
}

void presences_destroy(struct presences **self_p)
{
	struct presences *self = *self_p;

	if (!self)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct presence *next;
		for (struct presence *p = self->buckets[i]; p; p = next) {
			next = p->next_in_bucket;
			free(p);
		}
	}
	free(self);
	*self_p = NULL;
}

struct presence *presences_find(
    struct presences *self, const struct id *terminal)
{
	struct presence *presence = *bucket_of(self, terminal);

	while (presence && !id_equal(&presence->terminal, terminal))
		presence = presence->next_in_bucket;
	return presence;
}

enum status presences_add(
    struct presences *self, const struct id *terminal, struct presence **out)
{
	struct presence **bucket = bucket_of(self, terminal);

	*out = presences_find(self, terminal);
	if (*out)
		return STATUS_OK;
	if (self->count == PRESENCES_MAX)
		return STATUS_BUSY;
	struct presence *presence = calloc(1, sizeof(*presence));
	if (!presence)
		return STATUS_NO_SPACE;
	presence->terminal = *terminal;
	presence->next_in_bucket = *bucket;
	*bucket = presence;
	self->count++;
	*out = presence;
	return STATUS_OK;
}

void presences_remove(struct presences *self, struct schedule *schedule,
    struct presence **presence_p)
{
	struct presence *presence = *presence_p;
	struct presence **at = bucket_of(self, &presence->terminal);

	presences_set_reachable(self, presence, false);
	schedule_cancel(schedule, &presence->appointment);
	while (*at != presence)
		at = &(*at)->next_in_bucket;
	*at = presence->next_in_bucket;
	self->count--;
	free(presence);
	*presence_p = NULL;
}

size_t presences_reachable(const struct presences *self)
{
	return self->reachable;
}

void presences_set_reachable(
    struct presences *self, struct presence *presence, bool reachable)
{
	if (presence->reachable && !reachable)
		self->reachable--;
	else if (!presence->reachable && reachable)
		self->reachable++;
	presence->reachable = reachable;
}
