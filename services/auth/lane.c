#include "lane.h"

#include <string.h>

#include "base/util.h"

void lane_forgotten(struct lane *out, enum lane_kind kind, uint64_t lost_ms)
{
	*out = (struct lane){ .kind = kind, .used_ms = lost_ms };
	if (kind != LANE_STRANGER) {
		out->locked = true;
		return;
	}
	out->closings = 1;
	out->closed_ms = lost_ms;
	out->closed_until_ms = lost_ms + LANE_CLOSED_MS;
}

static struct lane_try *find_try(struct lane *self, const struct id *id)
{
	for (size_t i = 0; i < self->tries_count; i++)
		if (id_equal(&self->tries[i].id, id))
			return &self->tries[i];
	return NULL;
}

static void forget_try(struct lane *self, const struct lane_try *found)
{
	size_t at = (size_t)(found - self->tries);

	self->tries_count--;
	memmove(&self->tries[at], &self->tries[at + 1],
	    (self->tries_count - at) * sizeof(self->tries[0]));
	self->tries[self->tries_count] = (struct lane_try){ 0 };
}

static void forget_tries(struct lane *self)
{
	self->tries_count = 0;
	memset(self->tries, 0, sizeof(self->tries));
}

/* How long the next closing lasts. */
static uint64_t closing_ms(const struct lane *self)
{
	uint64_t ms = LANE_CLOSED_MS
		      << min_of(self->closings, LANE_DOUBLINGS_MAX);

	return min_of(ms, LANE_CLOSED_MS_MAX);
}

/* Shut the lane at ${when_ms} if every try was used and wrong. */
static bool shut(struct lane *self, uint64_t when_ms)
{
	if (lane_shut(self) || self->tries_count < LANE_TRIES_MAX)
		return false;
	for (size_t i = 0; i < self->tries_count; i++)
		if (!self->tries[i].wrong)
			return false;
	if (self->kind != LANE_STRANGER) {
		self->locked = true;
		return true;
	}
	if (self->closed_ms + LANE_CALM_MS <= when_ms)
		self->closings = 0;
	self->closed_ms = when_ms;
	self->closed_until_ms = when_ms + closing_ms(self);
	self->closings++;
	return true;
}

bool lane_age(struct lane *self, uint64_t now_ms)
{
	uint64_t wrong_ms = 0; /* when the last open try became wrong */

	for (size_t i = 0; i < self->tries_count; i++) {
		struct lane_try *found = &self->tries[i];
		uint64_t until_ms = found->since_ms + LANE_OPEN_MS_MAX;
		if (found->wrong || until_ms > now_ms)
			continue;
		found->wrong = true;
		wrong_ms = max_of(wrong_ms, until_ms);
	}
	bool shuts = shut(self, wrong_ms > 0 ? wrong_ms : now_ms);
	if (self->closed_until_ms > 0 && self->closed_until_ms <= now_ms) {
		self->closed_until_ms = 0;
		forget_tries(self);
	}
	return shuts;
}

bool lane_shut(const struct lane *self)
{
	return self->locked || self->closed_until_ms > 0;
}

uint64_t lane_opens_ms(const struct lane *self, uint64_t now_ms)
{
	if (self->locked || self->closed_until_ms <= now_ms)
		return 0;
	return self->closed_until_ms - now_ms;
}

unsigned int lane_remaining(const struct lane *self)
{
	if (lane_shut(self))
		return 0;
	return LANE_TRIES_MAX - (unsigned int)self->tries_count;
}

/* In how many ms the first of the open tries is decided. */
static uint64_t decided_ms(const struct lane *self, uint64_t now_ms)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < self->tries_count; i++)
		if (!self->tries[i].wrong)
			first_ms = min_of(first_ms, self->tries[i].since_ms);
	return first_ms + LANE_OPEN_MS_MAX - now_ms;
}

enum status lane_take(struct lane *self, const struct id *id, uint64_t now_ms,
    uint64_t *retry_ms_out)
{
	if (lane_shut(self))
		return STATUS_LOCKED;
	const struct lane_try *found = find_try(self, id);
	if (found)
		return found->wrong ? STATUS_CONFLICT : STATUS_OK;
	if (id_equal(&self->finished, id))
		return STATUS_CONFLICT;
	if (self->tries_count == LANE_TRIES_MAX) {
		*retry_ms_out = decided_ms(self, now_ms);
		return STATUS_BUSY;
	}
	self->tries[self->tries_count++] = (struct lane_try){
		.id = *id,
		.since_ms = now_ms,
	};
	self->used_ms = now_ms;
	return STATUS_OK;
}

bool lane_fail(struct lane *self, const struct id *id, uint64_t now_ms)
{
	struct lane_try *found = find_try(self, id);

	self->used_ms = now_ms;
	if (!found)
		return false;
	found->wrong = true;
	return shut(self, now_ms);
}

void lane_give_back(struct lane *self, const struct id *id)
{
	const struct lane_try *found = find_try(self, id);

	self->finished = *id;
	if (!found)
		return;
	forget_try(self, found);
	self->locked = false;
	if (self->closed_until_ms > 0) {
		self->closed_until_ms = 0;
		self->closings--;
	}
}

void lane_renew(struct lane *self)
{
	if (lane_shut(self))
		return;
	for (size_t i = self->tries_count; i-- > 0;)
		if (self->tries[i].wrong)
			forget_try(self, &self->tries[i]);
}

static void open_lane(struct lane *self)
{
	self->locked = false;
	self->closed_until_ms = 0;
	forget_tries(self);
}

enum status lane_unlock(struct lane *self)
{
	if (!lane_shut(self))
		return STATUS_NOT_FOUND;
	if (self->unlocks >= LANE_UNLOCKS_MAX)
		return STATUS_DENIED;
	self->unlocks++;
	open_lane(self);
	return STATUS_OK;
}

enum status lane_hand_back(struct lane *self)
{
	if (!lane_shut(self))
		return STATUS_NOT_FOUND;
	open_lane(self);
	return STATUS_OK;
}
