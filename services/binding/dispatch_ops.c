#include <sodium.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "binding.h"
#include "service/listing.h"

/* What keepsakectl asks binding. */

/* Of an account that was deleted there is nothing to show. */
static enum status of_deleted(enum status st)
{
	return st == STATUS_EXPIRED ? STATUS_OK : st;
}

static enum status list_terminals(
    void *state, struct listing *listing, struct slice after)
{
	struct binding *self = state;
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	size_t count, i = 0;

	enum status st = binding_db_terminals(
	    &self->db, &listing->account, terminals, &count);
	if (st != STATUS_OK)
		return of_deleted(st);
	/* They come in the order of their keys, which are the places. */
	while (
	    i < count && after.len > 0 &&
	    slice_compare(slice_of(terminals[i].peer_key, TERMINAL_KEY_BYTES),
		after) <= 0)
		i++;
	for (; i < count; i++) {
		const struct terminal *terminal = &terminals[i];
		struct slice key =
		    slice_of(terminal->peer_key, TERMINAL_KEY_BYTES);
		listing_row(listing, "terminal");
		listing_id(listing, "id", &terminal->id);
		listing_text(listing, "label", terminal->label);
		listing_text(listing, "imei", terminal->imei);
		listing_text(listing, "serial", terminal->serial);
		listing_time(listing, "bound", terminal->bound_ms);
		listing_flag(listing, "first", terminal->first);
		listing_data(listing, "key", key);
		if (!listing_row_end(listing, key))
			break;
	}
	sodium_memzero(terminals, sizeof(terminals));
	return STATUS_OK;
}

/*
 * A card's place is the hash of its ICCID, in whose order they come.  Its
 * data, which its terminal has sealed, is for an export only.
 */
static bool list_entry(const struct binding *self, struct listing *listing,
    const struct entry *entry, struct slice after, bool with_data)
{
	struct name name =
	    binding_db_name(&self->db, NAME_ICCID, slice_text(entry->iccid));
	struct slice place = slice_of(name.hash, NAME_HASH_BYTES);

	if (after.len > 0 && slice_compare(place, after) <= 0)
		return true;
	listing_row(listing, "card");
	listing_text(listing, "iccid", entry->iccid);
	listing_text(listing, "number", entry->number);
	listing_time(listing, "first_save", entry->first_save_ms);
	listing_time(listing, "last_update", entry->last_update_ms);
	listing_number(listing, "data_bytes", entry->data_len);
	if (with_data)
		listing_data(
		    listing, "data", slice_of(entry->data, entry->data_len));
	return listing_row_end(listing, place);
}

static enum status list_entries(struct binding *self, struct listing *listing,
    struct slice after, bool with_data)
{
	const size_t bytes = ACCOUNT_ENTRIES_MAX * sizeof(struct entry);
	struct entry *entries = calloc(1, bytes);
	size_t count = 0;

	if (!entries)
		return STATUS_NO_SPACE;
	enum status st =
	    binding_db_entries(&self->db, &listing->account, entries, &count);
	for (size_t i = 0; st == STATUS_OK && i < count; i++)
		if (!list_entry(self, listing, &entries[i], after, with_data))
			break;
	sodium_memzero(entries, bytes);
	free(entries);
	return of_deleted(st);
}

static enum status list_cards(
    void *state, struct listing *listing, struct slice after)
{
	return list_entries(state, listing, after, false);
}

static enum status list_cards_and_data(
    void *state, struct listing *listing, struct slice after)
{
	return list_entries(state, listing, after, true);
}

static listing_part_fn *const bindings[] = { list_terminals, list_cards };
static listing_part_fn *const all[] = { list_terminals, list_cards_and_data };

enum status binding_on_bindings(void *state, struct exchange *x)
{
	return listing_answer(state, x, bindings, nitems(bindings), true);
}

enum status binding_on_export(void *state, struct exchange *x)
{
	return listing_answer(state, x, all, nitems(all), true);
}
