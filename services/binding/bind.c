#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "binding.h"
#include "claims.h"

/*
 * BIND, step by step (D-01):
 *
 *   1  what the terminal says of itself is checked, and whether it, or one
 *      of its names, is bound already
 *   2  for the first terminal of an account: auth is asked whether the
 *      account has verification information
 *   3  the names are claimed, one after the other
 *   4  one batch: the terminal, its names confirmed, the notice, the answer
 *
 * The batch names the account's generation of step 1: where another change
 * came between, all begins again.
 */

#define AUTH_RETRY_AFTER_MS 1000 /* auth does not answer */

/* One BIND while it waits for auth or for a claim; in the heap. */
struct bind {
	struct binding *binding;
	struct exchange *exchange;
	struct terminal terminal;
	struct account_view account;
	struct claims claims;
};

static void bind_destroy(void *arg)
{
	if (arg)
		sodium_memzero(arg, sizeof(struct bind));
	free(arg);
}

/* ---- step 4 ---- */

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK)
		self->figures.terminals++;
	return binding_committed(self, x, status);
}

static enum status on_first_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	if (status == STATUS_OK)
		self->figures.accounts++;
	return on_committed(x, status, generation, failed_op);
}

static enum status commit(void *arg)
{
	struct bind *bind = arg;
	struct exchange *x = bind->exchange;
	struct terminal *terminal = &bind->terminal;
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	terminal->bound_ms = clock_wall_ms();
	enum status st = binding_reply_bound(x, terminal);
	if (st != STATUS_OK)
		return st;
	notice.kind = NOTIFY__KIND__TERMINAL_BOUND;
	notice.terminal_id = field_of(slice_of(terminal->id.bytes, ID_BYTES));
	struct db_batch *batch = binding_db_batch(&bind->account);
	binding_db_put_terminal(
	    &bind->binding->db, batch, &x->ticket.account, terminal);
	outbox_put(
	    bind->binding->service->outbox, batch, &x->ticket.account, &notice);
	binding_note(bind->binding, batch, x,
	    &(struct audit_event){
		.action = "terminal_bound", .terminal = &terminal->id });
	x->parked = bind->binding;
	return exchange_commit(
	    x, &batch, terminal->first ? on_first_committed : on_committed);
}

/* ---- step 3 ---- */

static enum status refuse_taken(void *arg)
{
	struct bind *bind = arg;

	return binding_refuse_other_account(bind->binding, bind->exchange);
}

/* Takes ${bind}. */
static enum status claim_names(struct bind *bind)
{
	bind->claims = (struct claims){
		.db = &bind->binding->db,
		.exchange = bind->exchange,
		.names = binding_db_names(&bind->binding->db, &bind->terminal),
		.claimed = commit,
		.taken = refuse_taken,
		.destroy = bind_destroy,
		.arg = bind,
	};
	return claims_begin(&bind->claims);
}

/* ---- step 2 ---- */

static enum status read_verification(
    struct bind *bind, const struct answer *answer)
{
	struct exchange *x = bind->exchange;
	Auth__VerificationAnswer *msg;
	struct unpack unpack;
	bool set = false;

	if (answer->status != STATUS_OK)
		return exchange_retry(x, STATUS_UNAVAILABLE,
		    AUTH_RETRY_AFTER_MS,
		    "auth cannot say whether verification information is set");
	unpack_begin(&unpack);
	enum status st = unpack_message(&unpack,
	    &auth__verification_answer__descriptor, answer->body, &msg);
	if (st == STATUS_OK)
		set = msg->set;
	unpack_end(&unpack);
	if (st != STATUS_OK)
		return STATUS_INTERNAL;
	return set ? STATUS_OK
		   : binding_refuse(bind->binding, x,
			 "set verification information first");
}

static void on_verification(void *arg, const struct answer *answer)
{
	struct bind *bind = arg;
	struct exchange *x = bind->exchange;

	enum status st = read_verification(bind, answer);
	if (st == STATUS_OK)
		st = claim_names(bind);
	else
		bind_destroy(bind);
	if (st != STATUS_PENDING)
		exchange_finish(&x, st);
}

/* Takes ${bind}. */
static enum status ask_verification(struct bind *bind)
{
	struct exchange *x = bind->exchange;
	Auth__VerificationQuery query = AUTH__VERIFICATION_QUERY__INIT;

	query.account_id =
	    field_of(slice_of(x->ticket.account.bytes, ID_BYTES));
	enum status st = service_ask(bind->binding->service, ROLE_AUTH,
	    AUTH__TYPE__VERIFICATION_STATE, &x->ticket.account, &x->header,
	    &query.base, on_verification, bind);
	if (st == STATUS_OK)
		return STATUS_PENDING;
	bind_destroy(bind);
	return exchange_retry(
	    x, STATUS_BUSY, RETRY_AFTER_MS, "too much under way");
}

/* ---- step 1 ---- */

/*
 * Whether one of the names is somebody's.
 *
 * STATUS_OK        all are free
 * STATUS_CONFLICT  refused, with the detail set
 */
static enum status check_names(struct bind *bind)
{
	struct binding *self = bind->binding;
	struct exchange *x = bind->exchange;
	struct names names = binding_db_names(&self->db, &bind->terminal);
	struct id owner;

	for (size_t i = 0; i < names.count; i++) {
		enum status st =
		    binding_db_owner(&self->db, &names.list[i], &owner);
		if (st == STATUS_NOT_FOUND)
			continue;
		if (st != STATUS_OK)
			return st;
		if (!id_equal(&owner, &x->ticket.account))
			return binding_refuse_other_account(self, x);
		return binding_refuse(self, x,
		    "this terminal is bound with another key: with "
		    "verification information keepsake rebind gives it this "
		    "one");
	}
	return STATUS_OK;
}

/*
 * Whether the key is bound to the ticket's account already.
 *
 * STATUS_NOT_FOUND  no
 * STATUS_OK         yes, as the same terminal: the answer is set
 * STATUS_CONFLICT   yes, as another terminal: refused
 */
static enum status check_repeat(struct bind *bind)
{
	const struct account_view *account = &bind->account;
	const struct terminal_clue clue = {
		.peer_key = bind->terminal.peer_key,
		.imei = "",
		.serial = "",
	};
	const char *why;
	size_t index;

	enum status st = terminal_find(
	    account->terminals, account->terminals_count, &clue, &index, &why);
	if (st != STATUS_OK)
		return st;
	if (!terminal_same_identifiers(
		&account->terminals[index], &bind->terminal))
		return binding_refuse(bind->binding, bind->exchange,
		    "this key is bound with another imei or serial: with "
		    "verification information keepsake rebind changes them");
	return binding_reply_bound(bind->exchange, &account->terminals[index]);
}

enum status binding_on_bind(void *state, struct exchange *x)
{
	struct bind *bind = NULL;
	Binding__Bind *msg;
	const char *why;

	enum status st = exchange_unpack(x, &binding__bind__descriptor, &msg);
	if (st != STATUS_OK)
		goto out;
	bind = calloc(1, sizeof(*bind));
	if (!bind) {
		st = STATUS_NO_SPACE;
		goto out;
	}
	bind->binding = state;
	bind->exchange = x;
	randombytes_buf(bind->terminal.id.bytes, ID_BYTES);
	memcpy(bind->terminal.peer_key, x->ticket.peer, TERMINAL_KEY_BYTES);
	st = terminal_describe(
	    &bind->terminal, msg->imei, msg->serial, msg->label, &why);
	if (st != STATUS_OK) {
		st = exchange_refuse(x, st, "%s", why);
		goto out;
	}
	st = binding_view(state, x, &bind->account);
	if (st == STATUS_OK)
		st = check_repeat(bind);
	if (st != STATUS_NOT_FOUND)
		goto out;
	st = check_names(bind);
	if (st == STATUS_OK &&
	    bind->account.terminals_count == ACCOUNT_TERMINALS_MAX)
		st = binding_refuse(state, x,
		    "the account has 64 terminals already: release one with "
		    "keepsake unbind");
	if (st != STATUS_OK)
		goto out;
	bind->terminal.first = bind->account.terminals_count == 0;
	struct bind *going_on = bind;
	bind = NULL;
	st = going_on->terminal.first ? ask_verification(going_on)
				      : claim_names(going_on);
out:
	bind_destroy(bind);
	return st;
}
