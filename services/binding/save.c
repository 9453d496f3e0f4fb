#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "binding.h"
#include "claims.h"

/*
 * ENTRY_SAVE (D-09).  The ICCID of a new entry is claimed first; then one
 * batch writes the entry, confirms the name and keeps the answer.  An entry
 * that is there keeps the date of its first save.
 */

/* One ENTRY_SAVE while it waits for the claim; in the heap. */
struct save {
	struct binding *binding;
	struct exchange *exchange;
	struct entry entry;
	bool is_new;
	struct account_view account;
	struct claims claims;
};

static void save_destroy(void *arg)
{
	if (arg)
		sodium_memzero(arg, sizeof(struct save));
	free(arg);
}

static enum status refuse_taken(void *arg)
{
	struct save *save = arg;

	return exchange_refuse(save->exchange, STATUS_CONFLICT,
	    "another account has this card: if it is yours, ask the operator, "
	    "who can settle whose it is");
}

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	return binding_committed(x->parked, x, status);
}

static enum status on_new_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	if (status == STATUS_OK)
		self->figures.entries++;
	return on_committed(x, status, generation, failed_op);
}

static enum status commit(void *arg)
{
	struct save *save = arg;
	struct exchange *x = save->exchange;
	Binding__EntryDates dates = BINDING__ENTRY_DATES__INIT;

	dates.first_save_ms = save->entry.first_save_ms;
	dates.last_update_ms = save->entry.last_update_ms;
	enum status st = exchange_reply(x, &dates.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch = binding_db_batch(&save->account);
	binding_db_put_entry(
	    &save->binding->db, batch, &x->ticket.account, &save->entry);
	binding_note(save->binding, batch, x,
	    &(struct audit_event){
		.action = save->is_new ? "card_saved" : "card_updated",
		.terminal = &x->ticket.terminal });
	x->parked = save->binding;
	return exchange_commit(
	    x, &batch, save->is_new ? on_new_committed : on_committed);
}

/* Takes ${save}. */
static enum status claim_name(struct save *save)
{
	const struct binding_db *db = &save->binding->db;

	save->claims = (struct claims){
		.db = db,
		.exchange = save->exchange,
		.claimed = commit,
		.taken = refuse_taken,
		.destroy = save_destroy,
		.arg = save,
	};
	save->claims.names.list[0] =
	    binding_db_name(db, NAME_ICCID, slice_text(save->entry.iccid));
	save->claims.names.count = 1;
	return claims_begin(&save->claims);
}

/* Read the account, and the entry where there is one. */
static enum status read_entry(struct save *save, const char *iccid)
{
	struct exchange *x = save->exchange;

	enum status st = binding_view(save->binding, x, &save->account);
	if (st == STATUS_OK)
		st = binding_db_entry(&save->binding->db, &x->ticket.account,
		    iccid, &save->entry);
	if (st != STATUS_NOT_FOUND)
		return st;
	if (save->account.entries_count == ACCOUNT_ENTRIES_MAX)
		return exchange_refuse(x, STATUS_CONFLICT,
		    "the account has 32 cards already, and keeps no more");
	save->entry = (struct entry){ 0 };
	save->is_new = true;
	return STATUS_OK;
}

enum status binding_on_entry_save(void *state, struct exchange *x)
{
	struct save *save = NULL;
	Binding__EntrySave *msg;
	const char *why;

	enum status st =
	    exchange_unpack(x, &binding__entry_save__descriptor, &msg);
	if (st != STATUS_OK)
		goto out;
	st = entry_check(msg, &why);
	if (st != STATUS_OK) {
		st = exchange_refuse(x, st, "%s", why);
		goto out;
	}
	save = calloc(1, sizeof(*save));
	if (!save) {
		st = STATUS_NO_SPACE;
		goto out;
	}
	save->binding = state;
	save->exchange = x;
	st = read_entry(save, msg->iccid);
	if (st != STATUS_OK)
		goto out;
	entry_update(&save->entry, msg, clock_wall_ms());
	if (save->is_new) {
		struct save *going_on = save;
		save = NULL;
		st = claim_name(going_on);
	} else {
		st = commit(save);
	}
out:
	save_destroy(save);
	return st;
}
