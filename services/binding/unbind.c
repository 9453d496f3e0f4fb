#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

/*
 * UNBIND (D-02).  The ticket proves verification information.  The terminal
 * is found among the account's, and one batch removes it, releases its names,
 * and has the notice, word to auth that the terminal is gone, and the answer.
 * From then on it is free: any account may bind it.
 */

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK)
		self->figures.terminals--;
	return binding_committed(self, x, status);
}

static enum status on_last_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	if (status == STATUS_OK)
		self->figures.accounts--;
	return on_committed(x, status, generation, failed_op);
}

static enum status commit(struct binding *self, struct exchange *x,
    const struct account_view *account, const struct terminal *terminal)
{
	struct slice id = slice_of(terminal->id.bytes, ID_BYTES);
	Binding__Unbound unbound = BINDING__UNBOUND__INIT;
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	unbound.terminal_id = notice.terminal_id = field_of(id);
	notice.kind = NOTIFY__KIND__TERMINAL_UNBOUND;
	enum status st = exchange_reply(x, &unbound.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch = binding_db_batch(account);
	binding_db_delete_terminal(&self->db, batch, terminal);
	outbox_put(self->service->outbox, batch, &x->ticket.account, &notice);
	binding_tell_gone(self, batch, &x->ticket.account, &terminal->id);
	binding_note(self, batch, x,
	    &(struct audit_event){
		.action = "terminal_unbound", .terminal = &terminal->id });
	x->parked = self;
	return exchange_commit(x, &batch,
	    account->terminals_count == 1 ? on_last_committed : on_committed);
}

/* Whether ${terminal} is the one that ${msg} means. */
static bool is_meant(const struct terminal *terminal,
    const Binding__Unbind *msg, const uint8_t *peer_key)
{
	struct slice id = slice_of(terminal->id.bytes, ID_BYTES);

	if (msg->terminal_id.len == 0 && !msg->imei[0] && !msg->serial[0])
		return memcmp(terminal->peer_key, peer_key,
			   TERMINAL_KEY_BYTES) == 0;
	return (msg->terminal_id.len == 0 ||
		   slice_equal(field_slice(msg->terminal_id), id)) &&
	       (!msg->imei[0] || strcmp(terminal->imei, msg->imei) == 0) &&
	       (!msg->serial[0] || strcmp(terminal->serial, msg->serial) == 0);
}

enum status binding_on_unbind(void *state, struct exchange *x)
{
	struct account_view *account = NULL;
	const struct terminal *terminal = NULL;
	Binding__Unbind *msg;

	enum status st = exchange_unpack(x, &binding__unbind__descriptor, &msg);
	if (st != STATUS_OK)
		goto out;
	account = calloc(1, sizeof(*account));
	st = account ? binding_view(state, x, account) : STATUS_NO_SPACE;
	if (st != STATUS_OK)
		goto out;
	for (size_t i = 0; i < account->terminals_count; i++)
		if (is_meant(&account->terminals[i], msg, x->ticket.peer))
			terminal = &account->terminals[i];
	if (terminal)
		st = commit(state, x, account, terminal);
	else
		st = exchange_refuse(x, STATUS_NOT_FOUND,
		    "the account has no such terminal: keepsake terminals "
		    "lists those that it has");
out:
	if (account)
		sodium_memzero(account, sizeof(*account));
	free(account);
	return st;
}
