#include "service/order_table.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST     1024 /* powers of two */
#define BUCKETS_MAX       (1u << 20)
#define REVOCATIONS_FIRST 2

struct order_table {
	struct account_orders **buckets;
	size_t buckets_count;
	size_t accounts, revocations, deletions;
};

struct order_table *order_table_new(void)
{
	struct order_table *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->buckets_count = BUCKETS_FIRST;
	self->buckets = calloc(BUCKETS_FIRST, sizeof(struct account_orders *));
	if (!self->buckets)
		order_table_destroy(&self);
	return self;
}

void order_table_destroy(struct order_table **self_p)
{
	struct order_table *self = *self_p;

	if (!self)
		return;
	for (size_t i = 0; self->buckets && i < self->buckets_count; i++) {
		while (self->buckets[i]) {
			struct account_orders *entry = self->buckets[i];
			self->buckets[i] = entry->next;
			free(entry->revocations);
			free(entry);
		}
	}
	free(self->buckets);
	free(self);
	*self_p = NULL;
}

static struct account_orders **bucket_of(
    const struct order_table *self, const struct id *account)
{
	/* Account ids are random. */
	size_t index = get_be32(account->bytes) & (self->buckets_count - 1);

	return &self->buckets[index];
}

static struct account_orders *find(
    const struct order_table *self, const struct id *account)
{
	struct account_orders *entry = *bucket_of(self, account);

	while (entry && !id_equal(&entry->account, account))
		entry = entry->next;
	return entry;
}

const struct account_orders *order_table_find(
    const struct order_table *self, const struct id *account)
{
	return find(self, account);
}

/* Double the buckets; where there is no memory the chains grow instead. */
static void grow(struct order_table *self)
{
	size_t former_count = self->buckets_count;
	struct account_orders **former = self->buckets;
	struct account_orders **buckets =
	    calloc(former_count * 2, sizeof(*buckets));

	if (!buckets)
		return;
	self->buckets = buckets;
	self->buckets_count = former_count * 2;
	for (size_t i = 0; i < former_count; i++) {
		while (former[i]) {
			struct account_orders *entry = former[i];
			struct account_orders **bucket =
			    bucket_of(self, &entry->account);
			former[i] = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(former);
}

static struct account_orders *find_or_add(
    struct order_table *self, const struct id *account)
{
	struct account_orders *entry = find(self, account);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	if (self->accounts >= self->buckets_count &&
	    self->buckets_count < BUCKETS_MAX)
		grow(self);
	struct account_orders **bucket = bucket_of(self, account);
	entry->account = *account;
	entry->next = *bucket;
	*bucket = entry;
	self->accounts++;
	return entry;
}

/* Leave the revocations of ${entry} that ${stays} says. */
static void sift(struct order_table *self, struct account_orders *entry,
    bool (*stays)(const struct order *order, void *arg), void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < entry->revocations_count; i++)
		if (stays(&entry->revocations[i], arg))
			entry->revocations[kept++] = entry->revocations[i];
	self->revocations -= entry->revocations_count - kept;
	entry->revocations_count = kept;
	if (kept == 0) {
		free(entry->revocations);
		entry->revocations = NULL;
		entry->revocations_capacity = 0;
	}
}

static bool is_not_covered(const struct order *order, void *arg)
{
	const struct order *later = arg;

	return order->sequence != later->sequence &&
	       !order_covers(later, order);
}

static enum status reserve_one(struct account_orders *entry)
{
	size_t capacity = entry->revocations_capacity;

	if (entry->revocations_count < capacity)
		return STATUS_OK;
	capacity = capacity > 0 ? capacity * 2 : REVOCATIONS_FIRST;
	struct order *revocations =
	    reallocarray(entry->revocations, capacity, sizeof(*revocations));
	if (!revocations)
		return STATUS_NO_SPACE;
	entry->revocations = revocations;
	entry->revocations_capacity = capacity;
	return STATUS_OK;
}

enum status order_table_add(struct order_table *self, const struct order *order)
{
	struct account_orders *entry = find_or_add(self, &order->account);

	if (!entry)
		return STATUS_NO_SPACE;
	if (entry->deleted)
		return STATUS_OK;
	struct order later = *order;
	sift(self, entry, is_not_covered, &later);
	if (order->kind == ORDER_DELETE_ACCOUNT) {
		entry->deleted = true;
		self->deletions++;
		return STATUS_OK;
	}
	enum status st = reserve_one(entry);
	if (st == STATUS_OK) {
		entry->revocations[entry->revocations_count++] = *order;
		self->revocations++;
	}
	return st;
}

/* What is over goes to ${out}, as far as there is room. */
struct taking {
	uint64_t now_ms;
	struct order *out;
	size_t count, limit;
};

static bool is_not_taken(const struct order *order, void *arg)
{
	struct taking *taking = arg;

	if (taking->count == taking->limit ||
	    !order_is_over(order, taking->now_ms))
		return true;
	taking->out[taking->count++] = *order;
	return false;
}

size_t order_table_take_over(
    struct order_table *self, uint64_t now_ms, struct order *out, size_t limit)
{
	struct taking taking = { now_ms, out, 0, limit };

	for (size_t i = 0; i < self->buckets_count; i++) {
		struct account_orders **at = &self->buckets[i];
		while (*at) {
			struct account_orders *entry = *at;
			sift(self, entry, is_not_taken, &taking);
			if (entry->deleted || entry->revocations_count > 0) {
				at = &entry->next;
				continue;
			}
			*at = entry->next;
			free(entry);
			self->accounts--;
		}
	}
	return taking.count;
}

size_t order_table_revocations(const struct order_table *self)
{
	return self->revocations;
}

size_t order_table_deletions(const struct order_table *self)
{
	return self->deletions;
}
