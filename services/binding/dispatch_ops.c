#include "base/log.h"
#include "base/util.h"
#include "binding.h"
#include "binding_db.h"
#include "service/listing.h"

/* What keepsakectl asks binding. */

static enum status list_terminals(
    void *state, struct listing *listing, struct slice after)
{
	struct binding *self = state;
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	size_t count, i = 0;

	enum status st = binding_db_terminals(
	    self->db, &listing->account, terminals, &count, NULL);
	if (st != STATUS_OK)
		return st;
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
	return STATUS_OK;
}

static listing_part_fn *const parts[] = { list_terminals };

enum status binding_on_bindings(void *state, struct exchange *x)
{
	return listing_answer(state, x, parts, nitems(parts), true);
}

enum status binding_on_export(void *state, struct exchange *x)
{
	return listing_answer(state, x, parts, nitems(parts), true);
}
