#include <sodium.h>
#include <stdlib.h>

#include "auth.pb-c.h"
#include "base/log.h"
#include "base/util.h"
#include "binding.h"
#include "ops.pb-c.h"

#define ROUNDS_MAX 8 /* races lost in a row */

/* ---- what the requests that change something share ---- */

enum status binding_refuse(
    struct binding *self, struct exchange *x, const char *why)
{
	self->refused++;
	return exchange_refuse(x, STATUS_CONFLICT, "%s", why);
}

enum status binding_refuse_other_account(
    struct binding *self, struct exchange *x)
{
	return binding_refuse(self, x,
	    "this terminal is bound to another account: its owner must "
	    "release it (keepsake unbind)");
}

enum status binding_view(
    struct binding *self, struct exchange *x, struct account_view *out)
{
	enum status st = binding_db_view(&self->db, &x->ticket.account, out);

	if (st == STATUS_EXPIRED)
		return exchange_refuse(
		    x, STATUS_DENIED, "this account was deleted");
	return st;
}

enum status binding_reply_bound(
    struct exchange *x, const struct terminal *terminal)
{
	Binding__Bound bound = BINDING__BOUND__INIT;

	bound.terminal_id = field_of(slice_of(terminal->id.bytes, ID_BYTES));
	bound.first = terminal->first;
	return exchange_reply(x, &bound.base);
}

void binding_tell_gone(struct binding *self, struct db_batch *batch,
    const struct id *account, const struct id *terminal)
{
	Auth__TerminalGone gone = AUTH__TERMINAL_GONE__INIT;

	gone.account_id = field_of(slice_of(account->bytes, ID_BYTES));
	gone.terminal_id = field_of(slice_of(terminal->bytes, ID_BYTES));
	outbox_put_for(self->service->outbox, batch, account, ROLE_AUTH,
	    AUTH__TYPE__TERMINAL_GONE, &gone.base);
}

void binding_note(struct binding *self, struct db_batch *batch,
    struct exchange *x, struct audit_event *event)
{
	event->actor = "owner";
	audit_put(self->service->audit, batch, &x->ticket.account, event);
}

enum status binding_committed(
    struct binding *self, struct exchange *x, enum status status)
{
	bool lost = status == STATUS_CONFLICT || status == STATUS_NOT_FOUND;

	/* Also what the account had in the outbox, or in the audit log, and
	 * has no more, is a change of it. */
	if (lost && ++x->rounds < ROUNDS_MAX)
		return x->handler->run(self, x);
	if (lost)
		return exchange_retry(x, STATUS_BUSY, RETRY_AFTER_MS,
		    "other changes of the account came first");
	if (status == STATUS_OK) {
		outbox_kick(self->service->outbox, &x->ticket.account);
		audit_kick(
		    self->service->audit, self->db.db, &x->ticket.account);
	}
	return status;
}

/* ---- terminals ---- */

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
	    binding_db_terminals(&self->db, account, terminals, &count);
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
	struct name name = binding_db_name(
	    &self->db, NAME_PEER_KEY, field_slice(msg->peer_key));
	st = binding_db_owner(&self->db, &name, &account);
	if (st == STATUS_OK)
		st = binding_db_terminal(
		    &self->db, &account, msg->peer_key.data, &terminal);
	if (st != STATUS_OK)
		return st; /* NOT_FOUND is the answer: bound to nobody */
	answer.terminal_id = field_of(slice_of(terminal.id.bytes, ID_BYTES));
	answer.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	return exchange_reply(x, &answer.base);
}

/* ---- entries ---- */

static enum status on_entries(void *state, struct exchange *x)
{
	struct binding *self = state;
	const size_t bytes = ACCOUNT_ENTRIES_MAX * sizeof(struct entry);
	Binding__EntryList list = BINDING__ENTRY_LIST__INIT;
	Binding__Entry reports[ACCOUNT_ENTRIES_MAX],
	    *pointers[ACCOUNT_ENTRIES_MAX];
	struct entry *entries = calloc(1, bytes);
	size_t count;

	if (!entries)
		return STATUS_NO_SPACE;
	enum status st =
	    binding_db_entries(&self->db, &x->ticket.account, entries, &count);
	if (st != STATUS_OK)
		goto out;
	for (size_t i = 0; i < count; i++) {
		binding__entry__init(&reports[i]);
		entry_report(&reports[i], &entries[i]);
		pointers[i] = &reports[i];
	}
	list.n_entries = count;
	list.entries = pointers;
	st = exchange_reply(x, &list.base);
out:
	sodium_memzero(entries, bytes);
	free(entries);
	return st;
}

static enum status on_entry_fetch(void *state, struct exchange *x)
{
	struct binding *self = state;
	Binding__Entry report = BINDING__ENTRY__INIT;
	Binding__EntryFetch *msg;
	struct entry entry;

	enum status st =
	    exchange_unpack(x, &binding__entry_fetch__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	st =
	    binding_db_entry(&self->db, &x->ticket.account, msg->iccid, &entry);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st,
		    "the account has no such card: keepsake card list shows "
		    "those that it has");
	if (st != STATUS_OK)
		return st;
	entry_report(&report, &entry);
	report.data = field_of(slice_of(entry.data, entry.data_len));
	st = exchange_reply(x, &report.base);
	sodium_memzero(&entry, sizeof(entry));
	return st;
}

/* clang-format off */
#define UPLOAD   GOOD_FOR(DIRECTION_UPLOAD)
#define DOWNLOAD GOOD_FOR(DIRECTION_DOWNLOAD)
#define MANAGE   GOOD_FOR(DIRECTION_MANAGE)
#define REBIND   GOOD_FOR(DIRECTION_BIND)
#define ENROL    GOOD_FOR(DIRECTION_ENROL)

const struct handler binding_handlers[] = {
	{ BINDING__TYPE__BIND,         "BIND",         FROM(ROLE_GATEWAY), ENROL,                   KEPT,  binding_on_bind },
	{ BINDING__TYPE__TERMINALS,    "TERMINALS",    FROM(ROLE_GATEWAY), ENROL | MANAGE | REBIND, PLAIN, on_terminals },
	{ BINDING__TYPE__REBIND,       "REBIND",       FROM(ROLE_GATEWAY), REBIND,                  KEPT,  binding_on_rebind },
	{ BINDING__TYPE__UNBIND,       "UNBIND",       FROM(ROLE_GATEWAY), REBIND,                  KEPT,  binding_on_unbind },
	{ BINDING__TYPE__ENTRY_SAVE,   "ENTRY_SAVE",   FROM(ROLE_GATEWAY), UPLOAD,                  KEPT,  binding_on_entry_save },
	{ BINDING__TYPE__ENTRIES,      "ENTRIES",      FROM(ROLE_GATEWAY), DOWNLOAD | MANAGE,       PLAIN, on_entries },
	{ BINDING__TYPE__ENTRY_FETCH,  "ENTRY_FETCH",  FROM(ROLE_GATEWAY), DOWNLOAD,                PLAIN, on_entry_fetch },
	{ BINDING__TYPE__LOOKUP,       "LOOKUP",       FROM(ROLE_AUTH),    NO_TICKET,               PLAIN, on_lookup },
	{ BINDING__TYPE__TERMINALS_OF, "TERMINALS_OF", FROM(ROLE_NOTIFY),  NO_TICKET,               PLAIN, on_terminals_of },
	{ OPS__TYPE__BINDINGS,         "BINDINGS",     FROM(ROLE_OPS),     NO_TICKET,               PLAIN, binding_on_bindings },
	{ OPS__TYPE__EXPORT,           "EXPORT",       FROM(ROLE_OPS),     NO_TICKET,               PLAIN, binding_on_export },
};
/* clang-format on */

const size_t binding_handlers_count = nitems(binding_handlers);

void binding_figures(void *state, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	const struct binding *self = state;

	add(x, "terminals", self->figures.terminals);
	add(x, "accounts", self->figures.accounts);
	add(x, "entries", self->figures.entries);
	add(x, "bindings_refused", self->refused);
	add(x, "outbox_waiting", outbox_waiting(self->service->outbox));
}

/* For the figures only: the rows go by themselves. */
void binding_deleting(void *state, const struct id *account)
{
	struct binding *self = state;
	struct binding_figures gone = { 0 };

	if (binding_db_count_account(&self->db, account, &gone) != STATUS_OK)
		return; /* right again after the next start */
	self->figures.accounts -= gone.accounts;
	self->figures.terminals -= gone.terminals;
	self->figures.entries -= gone.entries;
}

enum status binding_open(struct service *service, void **state_out)
{
	struct binding *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->db = (struct binding_db){ service->db, service->keyring };
	*state_out = self;
	/* Before the doors open, so that no binding is counted twice. */
	return binding_db_count(&self->db, &self->figures);
}

void binding_close(void **state_p)
{
	free(*state_p);
	*state_p = NULL;
}
