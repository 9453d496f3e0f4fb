#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "binding.h"
#include "claims.h"

/*
 * REBIND, step by step (D-02).  The ticket proves verification information.
 *
 *   1  the terminal that is meant is found, and what it is to be is checked
 *   2  its names are claimed, one after the other: those of another account
 *      are refused
 *   3  one batch: the terminal in its new shape, the names that it has no
 *      longer released, the notice, the answer; and, where it has another
 *      key, word to auth that the terminal of before is gone
 *
 * The batch names the account's generation of step 1.
 */

/* One REBIND while it waits for a claim; in the heap. */
struct rebind {
	struct binding *binding;
	struct exchange *exchange;
	struct terminal before, after;
	struct account_view account;
	struct claims claims;
};

static void rebind_destroy(void *arg)
{
	if (arg)
		sodium_memzero(arg, sizeof(struct rebind));
	free(arg);
}

/* ---- step 3 ---- */

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	return binding_committed(x->parked, x, status);
}

static enum status commit(void *arg)
{
	struct rebind *rebind = arg;
	struct exchange *x = rebind->exchange;
	const struct terminal *after = &rebind->after;
	bool new_key = !id_equal(&rebind->before.id, &after->id);
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	enum status st = binding_reply_bound(x, after);
	if (st != STATUS_OK)
		return st;
	notice.kind = NOTIFY__KIND__TERMINAL_REBOUND;
	notice.terminal_id = field_of(slice_of(after->id.bytes, ID_BYTES));
	struct db_batch *batch = binding_db_batch(&rebind->account);
	binding_db_replace_terminal(&rebind->binding->db, batch,
	    &x->ticket.account, &rebind->before, after);
	outbox_put(rebind->binding->service->outbox, batch, &x->ticket.account,
	    &notice);
	binding_note(rebind->binding, batch, x,
	    &(struct audit_event){ .action = "terminal_rebound",
		.terminal = &after->id,
		.detail =
		    new_key ? "with another key" : "identifiers or label" });
	if (new_key)
		binding_tell_gone(rebind->binding, batch, &x->ticket.account,
		    &rebind->before.id);
	x->parked = rebind->binding;
	return exchange_commit(x, &batch, on_committed);
}

/* ---- step 2 ---- */

static enum status refuse_taken(void *arg)
{
	struct rebind *rebind = arg;

	return binding_refuse_other_account(rebind->binding, rebind->exchange);
}

/* Takes ${rebind}. */
static enum status claim_names(struct rebind *rebind)
{
	rebind->claims = (struct claims){
		.db = &rebind->binding->db,
		.exchange = rebind->exchange,
		.names = binding_db_names(&rebind->binding->db, &rebind->after),
		.claimed = commit,
		.taken = refuse_taken,
		.destroy = rebind_destroy,
		.arg = rebind,
	};
	return claims_begin(&rebind->claims);
}

/* ---- step 1 ---- */

/* Find the terminal that is meant: it is what changes. */
static enum status find(struct rebind *rebind, const Binding__Rebind *msg)
{
	struct exchange *x = rebind->exchange;
	const struct account_view *account = &rebind->account;
	const struct terminal_clue clue = {
		.peer_key = x->ticket.peer,
		.imei = msg->imei,
		.serial = msg->serial,
	};
	const char *why;
	size_t index;

	enum status st = terminal_find(
	    account->terminals, account->terminals_count, &clue, &index, &why);
	if (st == STATUS_CONFLICT)
		return binding_refuse(rebind->binding, x, why);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st,
		    "no terminal of the account has this imei or serial: "
		    "keepsake bind binds a new one");
	rebind->before = account->terminals[index];
	return STATUS_OK;
}

/* Make what it is to be. */
static enum status change(struct rebind *rebind, const Binding__Rebind *msg)
{
	struct exchange *x = rebind->exchange;
	struct terminal *after = &rebind->after;
	const char *why;

	*after = rebind->before;
	enum status st =
	    terminal_describe(after, msg->imei, msg->serial, msg->label, &why);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	if (memcmp(after->peer_key, x->ticket.peer, TERMINAL_KEY_BYTES) == 0)
		return STATUS_OK;
	/* Another key is another terminal to auth and store. */
	memcpy(after->peer_key, x->ticket.peer, TERMINAL_KEY_BYTES);
	randombytes_buf(after->id.bytes, ID_BYTES);
	after->bound_ms = clock_wall_ms();
	return STATUS_OK;
}

static bool nothing_changes(const struct rebind *rebind)
{
	const struct terminal *a = &rebind->before, *b = &rebind->after;

	return id_equal(&a->id, &b->id) && terminal_same_identifiers(a, b) &&
	       strcmp(a->label, b->label) == 0;
}

enum status binding_on_rebind(void *state, struct exchange *x)
{
	struct rebind *rebind = NULL;
	Binding__Rebind *msg;

	enum status st = exchange_unpack(x, &binding__rebind__descriptor, &msg);
	if (st != STATUS_OK)
		goto out;
	rebind = calloc(1, sizeof(*rebind));
	if (!rebind) {
		st = STATUS_NO_SPACE;
		goto out;
	}
	rebind->binding = state;
	rebind->exchange = x;
	st = binding_view(state, x, &rebind->account);
	if (st == STATUS_OK)
		st = find(rebind, msg);
	if (st == STATUS_OK)
		st = change(rebind, msg);
	if (st == STATUS_OK && nothing_changes(rebind)) {
		st = binding_reply_bound(x, &rebind->before);
	} else if (st == STATUS_OK) {
		struct rebind *going_on = rebind;
		rebind = NULL;
		st = claim_names(going_on);
	}
out:
	rebind_destroy(rebind);
	return st;
}
