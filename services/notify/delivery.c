#include "delivery.h"

#include "schedule.h"

static size_t find(const struct recipients *self, const struct id *terminal)
{
	size_t index = 0;

	while (
	    index < self->count && !id_equal(&self->terminals[index], terminal))
		index++;
	return index;
}

bool recipients_add(struct recipients *self, const struct id *terminal)
{
	size_t index = find(self, terminal);

	if (index < self->count)
		return true;
	if (index == ACCOUNT_TERMINALS_MAX)
		return false;
	self->terminals[self->count++] = *terminal;
	return true;
}

void recipients_remove(struct recipients *self, const struct id *terminal)
{
	size_t index = find(self, terminal);

	if (index < self->count)
		self->terminals[index] = self->terminals[--self->count];
}

void delivery_attempted(struct delivery *self, uint64_t now_ms,
    uint64_t retry_ms, uint64_t retry_ms_max)
{
	if (self->attempts < UINT32_MAX)
		self->attempts++;
	self->due_ms = schedule_next_due_ms(
	    now_ms, self->attempts, retry_ms, retry_ms_max);
}
