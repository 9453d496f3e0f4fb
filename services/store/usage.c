#include "usage.h"

#include <assert.h>
#include <stdlib.h>

#include "base/util.h"

/* A cache of 128 sets of 8: the account's id, being random, names the set. */
#define SETS         128
#define WAYS         8
#define BLOBS_A_SCAN DB_PAGE_ENTRIES_MAX

struct usages {
	struct db *db;
	uint64_t uses; /* a clock for what was used last */
	struct account_usage entries[SETS][WAYS];
};

enum status usages_new(struct db *db, struct usages **out)
{
	struct usages *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->db = db;
	*out = self;
	return STATUS_OK;
}

void usages_destroy(struct usages **self_p)
{
	free(*self_p);
	*self_p = NULL;
}

/* Add the blobs that came after the sums were written. */
static enum status add_blobs(
    struct db *db, const struct id *account, struct usage *sums)
{
	struct db_blob blobs[BLOBS_A_SCAN];
	size_t count;

	do {
		enum status st = db_blob_scan(
		    db, account, sums->sequence, blobs, nitems(blobs), &count);
		if (st != STATUS_OK)
			return st;
		for (size_t i = 0; i < count; i++) {
			sums->sequence = blobs[i].sequence + 1;
			sums->chunks++;
			sums->bytes += blobs[i].len;
		}
	} while (count == nitems(blobs));
	return STATUS_OK;
}

static enum status load(
    struct usages *self, struct account_usage *entry, const struct id *account)
{
	struct usage sums;
	enum status st = store_db_usage(self->db, account, &sums);

	if (st != STATUS_OK)
		return st;
	uint64_t saved_sequence = sums.sequence;
	st = add_blobs(self->db, account, &sums);
	if (st != STATUS_OK)
		return st;
	*entry = (struct account_usage){
		.account = *account,
		.settled = sums,
		.next_sequence = sums.sequence,
		.saved_sequence = saved_sequence,
	};
	return STATUS_OK;
}

enum status usage_pin(
    struct usages *self, const struct id *account, struct account_usage **out)
{
	struct account_usage *set = self->entries[account->bytes[0] % SETS];
	struct account_usage *oldest = NULL;

	self->uses++;
	for (size_t i = 0; i < WAYS; i++) {
		struct account_usage *entry = &set[i];
		if (entry->used_at > 0 && id_equal(&entry->account, account)) {
			entry->pins++;
			entry->used_at = self->uses;
			*out = entry;
			return STATUS_OK;
		}
		if (entry->pins == 0 &&
		    (!oldest || entry->used_at < oldest->used_at))
			oldest = entry;
	}
	if (!oldest)
		return STATUS_BUSY;
	enum status st = load(self, oldest, account);
	if (st != STATUS_OK)
		return st;
	oldest->pins = 1;
	oldest->used_at = self->uses;
	*out = oldest;
	return STATUS_OK;
}

void usage_unpin(struct account_usage **self_p)
{
	if (!*self_p)
		return;
	assert((*self_p)->pins > 0);
	(*self_p)->pins--;
	*self_p = NULL;
}

uint64_t usage_take_sequence(struct account_usage *self)
{
	return self->next_sequence++;
}

enum status usage_catch_up(struct usages *self, struct account_usage *entry)
{
	struct db_blob last;
	enum status st = db_blob_last(self->db, &entry->account, &last);

	if (st == STATUS_OK)
		entry->next_sequence =
		    max_of(entry->next_sequence, last.sequence + 1);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

void usage_put_begin(struct account_usage *self, size_t bytes)
{
	self->under_way_chunks++;
	self->under_way_bytes += bytes;
}

void usage_put_end(struct account_usage *self, size_t bytes)
{
	assert(self->under_way_chunks > 0 && self->under_way_bytes >= bytes);
	self->under_way_chunks--;
	self->under_way_bytes -= bytes;
}

void usage_settle(struct account_usage *self, uint64_t sequence, size_t bytes)
{
	assert(sequence >= self->settled.sequence);
	self->settled.sequence = sequence + 1;
	if (bytes > 0)
		self->settled.chunks++;
	self->settled.bytes += bytes;
}

void usage_save(
    struct account_usage *self, struct db_batch *batch, uint64_t blobs_min)
{
	if (self->heals ||
	    self->settled.sequence - self->saved_sequence < blobs_min)
		return;
	store_db_put_usage(batch, &self->settled);
	self->saved_sequence = self->settled.sequence;
}
