#include "base/util.h"
#include "ops.pb-c.h"
#include "quota.h"
#include "service/listing.h"
#include "store.h"

/* What keepsakectl asks the store. */

#define ORDINAL_BYTES    8
#define SNAPSHOTS_A_PAGE 64

/* Count the snapshots, and find the last one's time. */
static enum status count_snapshots(struct store *self, const struct id *account,
    uint64_t *count_out, uint64_t *last_ms_out)
{
	struct db_page page = { 0 };
	struct snapshot snapshot = { 0 };
	enum status st;

	*count_out = *last_ms_out = 0;
	do {
		st = store_db_snapshots(self->db, account, snapshot.ordinal,
		    DB_PAGE_ENTRIES_MAX, &page);
		if (st != STATUS_OK || page.count == 0)
			break;
		const struct db_entry *last = &page.entries[page.count - 1];
		st =
		    store_db_snapshot_unpack(&snapshot, last->key, last->value);
		*count_out += page.count;
		*last_ms_out = snapshot.taken_ms;
	} while (st == STATUS_OK && page.more);
	db_page_clear(&page);
	return st;
}

static enum status list_usage(
    void *state, struct listing *listing, struct slice after)
{
	struct store *self = state;
	struct account_usage *usage = NULL;
	uint64_t snapshots, last_ms;

	if (after.len > 0)
		return listing_refuse_place(listing);
	enum status st = usage_pin(self->usages, &listing->account, &usage);
	if (st == STATUS_OK)
		st = count_snapshots(
		    self, &listing->account, &snapshots, &last_ms);
	if (st == STATUS_OK) {
		listing_row(listing, "usage");
		listing_number(listing, "chunks", usage->settled.chunks);
		listing_number(listing, "bytes", usage->settled.bytes);
		listing_number(listing, "snapshots", snapshots);
		if (snapshots > 0)
			listing_time(listing, "last_snapshot", last_ms);
		else
			listing_nothing(listing, "last_snapshot");
		listing_row_end(listing, (struct slice){ 0 });
	}
	usage_unpin(&usage);
	return st;
}

static bool list_snapshot(
    struct listing *listing, const struct snapshot *snapshot)
{
	uint8_t place[ORDINAL_BYTES];

	put_be64(place, snapshot->ordinal);
	listing_row(listing, "snapshot");
	listing_number(listing, "ordinal", snapshot->ordinal);
	listing_time(listing, "taken", snapshot->taken_ms);
	listing_id(listing, "terminal", &snapshot->terminal);
	listing_number(listing, "chunks", snapshot->data_chunks);
	listing_number(listing, "sealed_bytes", snapshot->data_bytes);
	listing_number(
	    listing, "sealed_summary_bytes", snapshot->sealed_summary.len);
	return listing_row_end(listing, slice_of(place, sizeof(place)));
}

static enum status list_snapshots(
    void *state, struct listing *listing, struct slice after)
{
	struct store *self = state;
	struct db_page page = { 0 };
	struct snapshot snapshot = { 0 };
	enum status st;

	if (after.len > 0 && after.len != ORDINAL_BYTES)
		return listing_refuse_place(listing);
	if (after.len > 0)
		snapshot.ordinal = get_be64(after.data);
	do {
		st = store_db_snapshots(self->db, &listing->account,
		    snapshot.ordinal, SNAPSHOTS_A_PAGE, &page);
		for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
			const struct db_entry *entry = &page.entries[i];
			st = store_db_snapshot_unpack(
			    &snapshot, entry->key, entry->value);
			if (st == STATUS_OK &&
			    !list_snapshot(listing, &snapshot))
				break;
		}
	} while (st == STATUS_OK && page.more && !listing->full &&
		 listing->status == STATUS_OK);
	db_page_clear(&page);
	return st;
}

/* The transfers that are under way: one of each kind a terminal. */
static enum status list_leases(
    void *state, struct listing *listing, struct slice after)
{
	struct store *self = state;
	struct db_page page = { 0 };
	struct lease lease;

	enum status st =
	    store_db_leases(self->db, &listing->account, after, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		st = store_db_lease_unpack(&lease, entry->key, entry->value);
		if (st != STATUS_OK)
			break;
		listing_row(listing, "transfer");
		listing_text(listing, "kind",
		    lease.kind == LEASE_UPLOAD ? "backup" : "restore");
		listing_id(listing, "terminal", &lease.terminal);
		listing_time(listing, "opened", lease.opened_ms);
		listing_time(listing, "used", lease.touched_ms);
		if (!listing_row_end(listing, entry->key))
			break;
	}
	if (st == STATUS_OK && page.more && !listing->full)
		listing_pause(listing, page.entries[page.count - 1].key);
	db_page_clear(&page);
	return st;
}

enum status store_on_usage(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_usage, quota_list,
		store_list_drill };

	return listing_answer(state, x, parts, nitems(parts), true);
}

enum status store_on_export(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { list_usage, quota_list,
		store_list_drill, list_snapshots, list_leases };

	return listing_answer(state, x, parts, nitems(parts), true);
}
