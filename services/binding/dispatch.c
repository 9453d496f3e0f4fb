#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "binding.h"
#include "binding_db.h"
#include "ops.pb-c.h"

/* Answer with all terminals of ${account}. */
static enum status reply_terminals(
    struct binding *self, struct exchange *x, const struct id *account)
{
	Binding__TerminalList list = BINDING__TERMINAL_LIST__INIT;
	Binding__Terminal reports[ACCOUNT_TERMINALS_MAX],
	    *pointers[ACCOUNT_TERMINALS_MAX];
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	size_t count;

	enum status st =
	    binding_db_terminals(self->db, account, terminals, &count, NULL);
	if (st != STATUS_OK)
		return st;
	for (size_t i = 0; i < count; i++) {
		binding__terminal__init(&reports[i]);
		terminal_report(&reports[i], &terminals[i]);
		pointers[i] = &reports[i];
	}
	list.n_terminals = count;
	list.terminals = pointers;
	return exchange_reply(x, &list.base);
}

static enum status on_terminals(void *state, struct exchange *x)
{
	struct binding *self = state;

	return reply_terminals(self, x, &x->ticket.account);
}

static enum status on_terminals_of(void *state, struct exchange *x)
{
	struct binding *self = state;
	Binding__TerminalsOf *msg;
	struct id account;

	enum status st =
	    exchange_unpack(x, &binding__terminals_of__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	if (id_from(&account, field_slice(msg->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	return reply_terminals(self, x, &account);
}

static enum status on_lookup(void *state, struct exchange *x)
{
	struct binding *self = state;
	Binding__LookupAnswer answer = BINDING__LOOKUP_ANSWER__INIT;
	Binding__Lookup *msg;
	struct terminal terminal;
	struct id account;

	enum status st = exchange_unpack(x, &binding__lookup__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	if (msg->peer_key.len != TERMINAL_KEY_BYTES)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "peer_key: not 32 bytes");
	struct name name = { NAME_PEER_KEY, field_slice(msg->peer_key) };
	st = binding_db_owner(self->db, &name, &account);
	if (st != STATUS_OK)
		return st; /* NOT_FOUND is the answer: bound to nobody */
	st = binding_db_terminal(
	    self->db, &account, msg->peer_key.data, &terminal);
	if (st == STATUS_NOT_FOUND) {
		/* Name and row are written by one batch. */
		log_error(&x->header.trace, "row_missing", "table=terminals");
		return STATUS_INTERNAL;
	}
	if (st != STATUS_OK)
		return st;
	answer.terminal_id = field_of(slice_of(terminal.id.bytes, ID_BYTES));
	answer.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	return exchange_reply(x, &answer.base);
}

/* clang-format off */
#define ENROL  GOOD_FOR(DIRECTION_ENROL)
#define MANAGE GOOD_FOR(DIRECTION_MANAGE)

const struct handler binding_handlers[] = {
	{ BINDING__TYPE__BIND,         "BIND",         FROM(ROLE_GATEWAY), ENROL,          KEPT,  binding_on_bind },
	{ BINDING__TYPE__TERMINALS,    "TERMINALS",    FROM(ROLE_GATEWAY), ENROL | MANAGE, PLAIN, on_terminals },
	{ BINDING__TYPE__LOOKUP,       "LOOKUP",       FROM(ROLE_AUTH),    NO_TICKET,      PLAIN, on_lookup },
	{ BINDING__TYPE__TERMINALS_OF, "TERMINALS_OF", FROM(ROLE_NOTIFY),  NO_TICKET,      PLAIN, on_terminals_of },
	{ OPS__TYPE__BINDINGS,         "BINDINGS",     FROM(ROLE_OPS),     NO_TICKET,      PLAIN, binding_on_bindings },
	{ OPS__TYPE__EXPORT,           "EXPORT",       FROM(ROLE_OPS),     NO_TICKET,      PLAIN, binding_on_export },
};
/* clang-format on */

const size_t binding_handlers_count = nitems(binding_handlers);

void binding_figures(void *state, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	const struct binding *self = state;

	add(x, "terminals", self->terminals);
	add(x, "accounts", self->accounts);
	add(x, "bindings_refused", self->refused);
	add(x, "outbox_waiting", outbox_waiting(self->service->outbox));
}

/* For the figures only: the rows go by themselves. */
void binding_deleting(void *state, const struct id *account)
{
	struct binding *self = state;
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	size_t count;

	if (binding_db_terminals(self->db, account, terminals, &count, NULL) !=
		STATUS_OK ||
	    count == 0)
		return;
	self->terminals -= min_of(self->terminals, (uint64_t)count);
	self->accounts -= min_of(self->accounts, (uint64_t)1);
}

enum status binding_open(struct service *service, void **state_out)
{
	struct binding *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->db = service->db;
	*state_out = self;
	/* Before the doors open, so that no binding is counted twice. */
	return binding_db_count(self->db, &self->terminals, &self->accounts);
}

void binding_close(void **state_p)
{
	free(*state_p);
	*state_p = NULL;
}
