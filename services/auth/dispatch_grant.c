#include "dispatch_internal.h"

#include <stdlib.h>
#include <string.h>

#include "grant_db.h"
#include "notify.pb-c.h"

/* Standing grants: given, listed and ended by the owner. */

static const char no_account[] = "there is no such account";

/* The owner's notice and the line of the audit log, in the same batch. */
static void tell(struct auth *self, struct db_batch *batch,
    const struct id *account, Notify__Kind kind, const char *actor,
    const struct id *terminal)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	notice.kind = kind;
	notice.terminal_id = field_of(slice_of(terminal->bytes, ID_BYTES));
	outbox_put(self->service->outbox, batch, account, &notice);
	audit_put(self->service->audit, batch, account,
	    &(struct audit_event){ .action = kind == NOTIFY__KIND__GRANT_GIVEN
						 ? "grant_given"
						 : "grant_removed",
		.actor = actor,
		.terminal = terminal });
}

static void told(struct auth *self, const struct id *account)
{
	outbox_kick(self->service->outbox, account);
	audit_kick(self->service->audit, self->db, account);
}

static enum status on_grant_written(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		told(x->parked, &x->ticket.account);
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
	grant_db_put(self->service->keyring, self->db, batch,
	    &x->ticket.account, &grant);
	tell(self, batch, &x->ticket.account, NOTIFY__KIND__GRANT_GIVEN,
	    "owner", &grant.terminal);
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

	enum status st = grant_db_list(self->service->keyring, self->db,
	    &x->ticket.account, &list, &count);
	if (st == STATUS_OK)
		st = reply_list(x, list, count);
	free(list);
	return st;
}

/* ---- the end of a grant ---- */

static const char none[] = "that terminal has no grant";

/* A GRANT_REMOVE until its tickets are revoked. */
struct removal {
	struct auth *auth;
	struct exchange *x;
	struct id terminal;
};

static enum status on_grant_gone(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		told(x->parked, &x->ticket.account);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st, "%s", none);
	return st;
}

static enum status remove_row(struct removal *self)
{
	struct exchange *x = self->x;

	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	grant_db_require(batch, &self->terminal);
	grant_db_delete(batch, &self->terminal);
	tell(self->auth, batch, &x->ticket.account, NOTIFY__KIND__GRANT_REMOVED,
	    "owner", &self->terminal);
	x->parked = self->auth;
	return exchange_commit(x, &batch, on_grant_gone);
}

static void on_revoked(
    void *arg, enum status st, const struct unconfirmed *unconfirmed)
{
	struct removal *self = arg;
	struct exchange *x = self->x;
	Auth__Revoked reply = AUTH__REVOKED__INIT;
	char *names[FOLLOWERS + 1];

	if (st == STATUS_OK) {
		auth_fill_names(names, unconfirmed);
		reply.unconfirmed = names;
		reply.n_unconfirmed = unconfirmed->count;
		st = exchange_reply(x, &reply.base);
	}
	if (st == STATUS_OK)
		st = remove_row(self);
	free(self);
	if (st != STATUS_PENDING)
		exchange_finish(&x, st);
}

/* The row goes last: whoever asks again begins here again. */
static enum status revoke_terminal(struct removal *self)
{
	struct order order = {
		.kind = ORDER_REVOKE_TERMINAL,
		.account = self->x->ticket.account,
		.subject = self->terminal,
	};

	enum status st =
	    issue_order(self->auth->issue, &order, on_revoked, self);
	if (st != STATUS_TOO_LARGE)
		return st;
	/* No room for one more: then all of the account log in again. */
	order.kind = ORDER_REVOKE_ACCOUNT;
	order.subject = (struct id){ 0 };
	return issue_order(self->auth->issue, &order, on_revoked, self);
}

static enum status find_grant(
    struct auth *self, struct exchange *x, const struct id *terminal)
{
	struct grant grant;

	enum status st = grant_db_get(self->service->keyring, self->db,
	    &x->ticket.account, terminal, &grant);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st, "%s", none);
	return st;
}

enum status on_grant_remove(void *state, struct exchange *x)
{
	Auth__GrantRemove *message;
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return STATUS_NO_SPACE;
	removal->auth = state;
	removal->x = x;
	enum status st =
	    exchange_unpack(x, &auth__grant_remove__descriptor, &message);
	if (st == STATUS_OK &&
	    id_from(&removal->terminal, field_slice(message->terminal_id)) !=
		STATUS_OK)
		st = exchange_refuse(
		    x, STATUS_MALFORMED, "a terminal's id has 16 bytes");
	if (st == STATUS_OK)
		st = find_grant(state, x, &removal->terminal);
	if (st == STATUS_OK)
		st = auth_refuse_order(x, revoke_terminal(removal));
	if (st != STATUS_PENDING)
		free(removal);
	return st;
}

/* ---- grants that go with what is revoked ---- */

/* Whether ${order} ends ${grant}; ${keeper} may be NULL. */
static bool is_revoked(const struct grant *grant, const struct order *order,
    const struct id *keeper)
{
	switch (order->kind) {
	case ORDER_REVOKE_TERMINAL:
		return id_equal(&grant->terminal, &order->subject);
	case ORDER_REVOKE_ACCOUNT:
		/* Not where the one who asks stays. */
		return !keeper || !id_equal(&grant->terminal, keeper);
	case ORDER_REVOKE_TICKET:
	case ORDER_DELETE_ACCOUNT:
	default:
		return false;
	}
}

enum status auth_end_grants(struct auth *self, const struct order *order,
    const struct id *keeper, const char *actor, db_done_fn *done, void *arg)
{
	const struct id *account = &order->account;
	struct grant *list = NULL;
	size_t count = 0, ended = 0;

	enum status st = grant_db_list(
	    self->service->keyring, self->db, account, &list, &count);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	for (size_t i = 0; i < count; i++) {
		if (!is_revoked(&list[i], order, keeper))
			continue;
		grant_db_delete(batch, &list[i].terminal);
		tell(self, batch, account, NOTIFY__KIND__GRANT_REMOVED, actor,
		    &list[i].terminal);
		ended++;
	}
	if (ended > 0)
		st = db_submit(self->db, &batch, done, arg);
	db_batch_destroy(&batch);
	free(list);
	return st;
}

void auth_grants_ended(struct auth *self, const struct id *account)
{
	told(self, account);
}
