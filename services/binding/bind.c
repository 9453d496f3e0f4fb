#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth.pb-c.h"
#include "base/clock.h"
#include "binding.h"
#include "binding_db.h"

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
 * The batch names the account's generation of step 1: a binding that came
 * between makes it a conflict, and the terminal asks again.
 */

#define RETRY_AFTER_MS      200  /* lost a race, or much to do */
#define AUTH_RETRY_AFTER_MS 1000 /* auth does not answer */

/* One BIND while it waits for auth or for a claim. */
struct bind {
	struct binding *binding;
	struct exchange *exchange;
	struct terminal terminal;
	uint64_t generation;
	size_t claimed; /* of the terminal's names */
};

static enum status refuse(
    struct binding *self, struct exchange *x, const char *why)
{
	self->refused++;
	return exchange_refuse(x, STATUS_CONFLICT, "%s", why);
}

static enum status refuse_other_account(
    struct binding *self, struct exchange *x)
{
	return refuse(self, x,
	    "this terminal is bound to another account: its owner must "
	    "release it");
}

static void bind_destroy(struct bind **bind_p)
{
	free(*bind_p);
	*bind_p = NULL;
}

/* ---- step 4 ---- */

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	(void)generation;
	(void)failed_op;
	/* The account has changed meanwhile, or a claim ran out. */
	if (status == STATUS_CONFLICT || status == STATUS_NOT_FOUND)
		return exchange_retry(x, STATUS_BUSY, RETRY_AFTER_MS,
		    "another change of the account came first");
	if (status != STATUS_OK)
		return status;
	self->terminals++;
	outbox_kick(self->service->outbox, &x->ticket.account);
	audit_kick(self->service->audit, self->db, &x->ticket.account);
	return STATUS_OK;
}

static enum status on_first_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct binding *self = x->parked;

	if (status == STATUS_OK)
		self->accounts++;
	return on_committed(x, status, generation, failed_op);
}

static enum status reply_bound(
    struct exchange *x, const struct terminal *terminal)
{
	Binding__Bound bound = BINDING__BOUND__INIT;

	bound.terminal_id = field_of(slice_of(terminal->id.bytes, ID_BYTES));
	bound.first = terminal->first;
	return exchange_reply(x, &bound.base);
}

static enum status commit(struct bind *bind)
{
	struct exchange *x = bind->exchange;
	struct terminal *terminal = &bind->terminal;
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	terminal->bound_ms = clock_wall_ms();
	enum status st = reply_bound(x, terminal);
	if (st != STATUS_OK)
		return st;
	notice.kind = NOTIFY__KIND__TERMINAL_BOUND;
	notice.terminal_id = field_of(slice_of(terminal->id.bytes, ID_BYTES));
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, bind->generation, NULL);
	binding_db_put_terminal(batch, terminal);
	outbox_put(
	    bind->binding->service->outbox, batch, &x->ticket.account, &notice);
	audit_put(bind->binding->service->audit, batch, &x->ticket.account,
	    &(struct audit_event){ .action = "terminal_bound",
		.actor = "owner",
		.terminal = &terminal->id });
	x->parked = bind->binding;
	return exchange_commit(
	    x, &batch, terminal->first ? on_first_committed : on_committed);
}

/* ---- step 3 ---- */

static db_done_fn on_claimed;

/* Claim the next name, or go on where all are.  Takes ${bind}. */
static enum status claim_names(struct bind *bind)
{
	struct exchange *x = bind->exchange;
	struct name names[TERMINAL_NAMES_MAX];
	enum status st;

	if (bind->claimed == binding_db_names(names, &bind->terminal)) {
		st = commit(bind);
	} else {
		st = binding_db_claim(bind->binding->db, &names[bind->claimed],
		    &x->ticket.account, on_claimed, bind);
		if (st == STATUS_PENDING)
			return st; /* on_claimed has it */
		if (st == STATUS_BUSY)
			st = exchange_retry(x, st, RETRY_AFTER_MS,
			    "the database has much to do");
	}
	bind_destroy(&bind);
	return st;
}

static void on_claimed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct bind *bind = arg;
	struct exchange *x = bind->exchange;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK) {
		bind->claimed++;
		status = claim_names(bind);
	} else {
		if (status == STATUS_CONFLICT)
			status = refuse_other_account(bind->binding, x);
		bind_destroy(&bind);
	}
	if (status != STATUS_PENDING)
		exchange_finish(&x, status);
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
		   : refuse(bind->binding, x,
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
		bind_destroy(&bind);
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
	bind_destroy(&bind);
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
static enum status check_names(
    struct binding *self, struct exchange *x, const struct terminal *terminal)
{
	struct name names[TERMINAL_NAMES_MAX];
	size_t count = binding_db_names(names, terminal);
	struct id owner;

	for (size_t i = 0; i < count; i++) {
		enum status st = binding_db_owner(self->db, &names[i], &owner);
		if (st == STATUS_NOT_FOUND)
			continue;
		if (st != STATUS_OK)
			return st;
		if (!id_equal(&owner, &x->ticket.account))
			return refuse_other_account(self, x);
		return refuse(self, x,
		    "this terminal is bound with another key: rebinding needs "
		    "verification information");
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
static enum status check_repeat(
    struct binding *self, struct exchange *x, const struct terminal *terminal)
{
	struct terminal bound;

	enum status st = binding_db_terminal(
	    self->db, &x->ticket.account, terminal->peer_key, &bound);
	if (st != STATUS_OK)
		return st;
	if (!terminal_same_identifiers(&bound, terminal))
		return refuse(self, x,
		    "this key is bound with another imei or serial: rebinding "
		    "needs verification information");
	return reply_bound(x, &bound);
}

/* Read the account: its generation, and how many terminals it has. */
static enum status read_account(struct bind *bind, size_t *count_out)
{
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];

	return binding_db_terminals(bind->binding->db,
	    &bind->exchange->ticket.account, terminals, count_out,
	    &bind->generation);
}

enum status binding_on_bind(void *state, struct exchange *x)
{
	struct bind *bind = NULL;
	Binding__Bind *msg;
	const char *why;
	size_t count;

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
	st = terminal_describe(&bind->terminal, msg, &why);
	if (st != STATUS_OK) {
		st = exchange_refuse(x, st, "%s", why);
		goto out;
	}
	/* The generation is read first: what follows sees no older rows. */
	st = read_account(bind, &count);
	if (st == STATUS_OK)
		st = check_repeat(state, x, &bind->terminal);
	if (st != STATUS_NOT_FOUND)
		goto out;
	st = check_names(state, x, &bind->terminal);
	if (st == STATUS_OK && count == ACCOUNT_TERMINALS_MAX)
		st = refuse(state, x, "the account has 64 terminals already");
	if (st != STATUS_OK)
		goto out;
	bind->terminal.first = count == 0;
	struct bind *going_on = bind;
	bind = NULL;
	st = going_on->terminal.first ? ask_verification(going_on)
				      : claim_names(going_on);
out:
	bind_destroy(&bind);
	return st;
}
