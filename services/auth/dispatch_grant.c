#include "dispatch_internal.h"

#include <stdlib.h>

#include "grant_db.h"
#include "notify.pb-c.h"

/* Standing grants: given, listed and ended by the owner. */

static const char no_account[] = "there is no such account";

static void tell_owner(struct auth *self, struct db_batch *batch,
    struct exchange *x, Notify__Kind kind, const struct id *terminal)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	notice.kind = kind;
	notice.terminal_id = field_of(slice_of(terminal->bytes, ID_BYTES));
	outbox_put(self->service->outbox, batch, &x->ticket.account, &notice);
}

static enum status on_grant_written(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct auth *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		outbox_kick(self->service->outbox, &x->ticket.account);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st, "%s", no_account);
	return st;
}

enum status on_grant_add(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__Empty reply = AUTH__EMPTY__INIT;
	Auth__GrantAdd *message;
	struct grant grant;
	const char *why;

	enum status st =
	    exchange_unpack(x, &auth__grant_add__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	if (id_is_none(&x->ticket.terminal))
		return exchange_refuse(x, STATUS_DENIED,
		    "a grant is for a terminal that is bound");
	st = grant_make(&grant, &x->ticket.terminal, message->directions,
	    message->n_directions, field_slice(message->public_key), &why);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	auth_db_require_account(batch);
	grant_db_put(batch, &grant);
	tell_owner(self, batch, x, NOTIFY__KIND__GRANT_GIVEN, &grant.terminal);
	x->parked = self;
	return exchange_commit(x, &batch, on_grant_written);
}

/* One grant as it is sent, with what its message points to. */
struct sent_grant {
	Auth__Grant message;
	Common__Direction directions[GRANT_DIRECTIONS_MAX];
};

static void sent_fill(struct sent_grant *self, const struct grant *grant)
{
	auth__grant__init(&self->message);
	self->message.terminal_id =
	    field_of(slice_of(grant->terminal.bytes, ID_BYTES));
	self->message.n_directions = grant_directions(self->directions, grant);
	self->message.directions = self->directions;
	self->message.given_ms = grant->given_ms;
	self->message.used_ms = grant->used_ms;
}

static enum status reply_list(
    struct exchange *x, const struct grant *list, size_t count)
{
	Auth__GrantList reply = AUTH__GRANT_LIST__INIT;
	struct sent_grant sent[GRANTS_MAX];
	Auth__Grant *pointers[GRANTS_MAX];

	for (size_t i = 0; i < count; i++) {
		sent_fill(&sent[i], &list[i]);
		pointers[i] = &sent[i].message;
	}
	reply.grants = pointers;
	reply.n_grants = count;
	return exchange_reply(x, &reply.base);
}

enum status on_grant_list(void *state, struct exchange *x)
{
	struct auth *self = state;
	struct grant *list = NULL;
	size_t count = 0;

	enum status st =
	    grant_db_list(self->db, &x->ticket.account, &list, &count);
	if (st == STATUS_OK)
		st = reply_list(x, list, count);
	free(list);
	return st;
}

static enum status on_grant_gone(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct auth *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		outbox_kick(self->service->outbox, &x->ticket.account);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st, "that terminal has no grant");
	return st;
}

enum status on_grant_remove(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__Empty reply = AUTH__EMPTY__INIT;
	Auth__GrantRemove *message;
	struct id terminal;

	enum status st =
	    exchange_unpack(x, &auth__grant_remove__descriptor, &message);
	if (st == STATUS_OK &&
	    id_from(&terminal, field_slice(message->terminal_id)) != STATUS_OK)
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "a terminal's id has 16 bytes");
	if (st == STATUS_OK)
		st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	grant_db_require(batch, &terminal);
	grant_db_delete(batch, &terminal);
	tell_owner(self, batch, x, NOTIFY__KIND__GRANT_REMOVED, &terminal);
	x->parked = self;
	return exchange_commit(x, &batch, on_grant_gone);
}
