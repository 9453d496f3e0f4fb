#include "deed.h"

#include <stdlib.h>

#include "base/util.h"

/* Sessions that an operator ends, and accounts that one deletes. */

/* ---- SESSIONS ---- */

enum status auth_list_sessions(
    void *state, struct listing *listing, struct slice after)
{
	struct auth *self = state;
	struct session sessions[SESSIONS_MAX];
	size_t count, i = 0;

	enum status st =
	    auth_live_sessions(self, &listing->account, sessions, &count);
	if (st != STATUS_OK)
		return st;
	/* They come by the time they were issued; a place is one of them. */
	while (i < count && after.len > 0 &&
	       !slice_equal(slice_of(sessions[i].id.bytes, ID_BYTES), after))
		i++;
	for (i = after.len > 0 && i < count ? i + 1 : 0; i < count; i++) {
		const struct session *session = &sessions[i];
		listing_row(listing, "session");
		listing_id(listing, "id", &session->id);
		listing_text(
		    listing, "for", direction_word(session->direction));
		listing_id(listing, "terminal", &session->terminal);
		listing_time(listing, "issued", session->issued_ms);
		listing_time(listing, "expires", session->expiry_ms);
		listing_time(listing, "ends", session_ends_ms(session));
		listing_data(listing, "key",
		    slice_of(session->fingerprint, SESSION_FINGERPRINT_BYTES));
		if (!listing_row_end(
			listing, slice_of(session->id.bytes, ID_BYTES)))
			break;
	}
	return STATUS_OK;
}

enum status on_ops_sessions(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { auth_list_sessions };

	return listing_answer(state, x, parts, nitems(parts), true);
}

/* ---- orders ---- */

struct ordering {
	struct deed deed;
	struct order order;
};

static void on_ordered(
    void *arg, enum status st, const struct unconfirmed *unconfirmed)
{
	struct deed *deed = arg;
	Ops__Ordered reply = OPS__ORDERED__INIT;
	char *names[FOLLOWERS + 1];

	st = auth_refuse_order(deed->x, st);
	if (st == STATUS_OK) {
		auth_fill_names(names, unconfirmed);
		reply.unconfirmed = names;
		reply.n_unconfirmed = unconfirmed->count;
		st = exchange_reply(deed->x, &reply.base);
	}
	deed_end(&deed, st);
}

static enum status act_order(struct deed *deed)
{
	const struct ordering *self = (const struct ordering *)deed;

	enum status st =
	    issue_order(deed->auth->issue, &self->order, on_ordered, deed);
	return auth_refuse_order(deed->x, st);
}

/* Begin a deed that is an order. */
static enum status begin_order(
    const struct deed *deed, const struct order *order, const char *what)
{
	struct ordering *self = calloc(1, sizeof(*self));
	struct deed *begun = NULL;

	if (self) {
		self->deed = *deed;
		self->deed.act = act_order;
		self->order = *order;
		self->order.account = deed->account;
		begun = &self->deed;
	}
	return deed_begin(&begun, what);
}

/* ---- REVOKE ---- */

/* Whether there is what is to be revoked: else a slip would go unseen. */
static enum status check_target(struct auth *self, struct exchange *x,
    const struct id *account, const struct order *order)
{
	struct session sessions[SESSIONS_MAX];
	size_t count;

	enum status st = auth_live_sessions(self, account, sessions, &count);
	if (st != STATUS_OK || order->kind == ORDER_REVOKE_ACCOUNT)
		return st;
	for (size_t i = 0; i < count; i++)
		if (id_equal(&order->subject, order->kind == ORDER_REVOKE_TICKET
						  ? &sessions[i].id
						  : &sessions[i].terminal))
			return STATUS_OK;
	return exchange_refuse(x, STATUS_NOT_FOUND,
	    "the account has no such session now; keepsakectl sessions lists "
	    "those it has");
}

static enum status read_target(
    struct exchange *x, const Ops__Revoke *message, struct order *out)
{
	int wishes = (message->session_id.len > 0) +
		     (message->terminal_id.len > 0) + (message->all != 0);
	enum status st = STATUS_OK;

	*out = (struct order){ .kind = ORDER_REVOKE_ACCOUNT };
	if (wishes != 1)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "say one of session_id, terminal_id and all");
	if (message->session_id.len > 0) {
		out->kind = ORDER_REVOKE_TICKET;
		st = id_from(&out->subject, field_slice(message->session_id));
	} else if (message->terminal_id.len > 0) {
		out->kind = ORDER_REVOKE_TERMINAL;
		st = id_from(&out->subject, field_slice(message->terminal_id));
	}
	if (st != STATUS_OK)
		return exchange_refuse(
		    x, st, "session_id, terminal_id: not 16 bytes");
	return st;
}

enum status on_ops_revoke(void *state, struct exchange *x)
{
	static const char *const whats[] = {
		[ORDER_REVOKE_TICKET] = "a session",
		[ORDER_REVOKE_TERMINAL] = "the sessions of a terminal",
		[ORDER_REVOKE_ACCOUNT] = "all sessions",
	};
	struct deed deed = { .auth = state, .x = x, .action = "revoked" };
	Ops__Revoke *message;
	struct order order;

	enum status st = exchange_unpack(x, &ops__revoke__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_NOTHING, &deed.account);
	if (st == STATUS_OK)
		st = read_target(x, message, &order);
	if (st == STATUS_OK)
		st = check_target(state, x, &deed.account, &order);
	if (st != STATUS_OK)
		return st;
	deed.by = message->by;
	return begin_order(&deed, &order, whats[order.kind]);
}

/* ---- REMOVE ---- */

static enum status act_remove(struct deed *deed)
{
	char actor[OPERATOR_ACTOR_BYTES], detail[OPERATOR_DETAIL_BYTES];
	const struct audit_event event = {
		.action = "account_deleted",
		.actor = actor,
		.detail = detail,
	};

	operator_actor(actor, deed->by);
	operator_detail(detail, "", deed->by);
	return auth_delete_account(
	    deed->auth, &deed->account, &event, on_ordered, deed);
}

enum status on_remove(void *state, struct exchange *x)
{
	struct deed *deed = NULL;
	Ops__Deed *message;
	struct id account;

	enum status st = exchange_unpack(x, &ops__deed__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_REASON | OPERATOR_NEEDS_DOCUMENT, &account);
	if (st != STATUS_OK)
		return st;
	deed = calloc(1, sizeof(*deed));
	if (deed)
		*deed = (struct deed){
			.auth = state,
			.x = x,
			.account = account,
			.by = message->by,
			.action = "account_removed",
			.lasting = true,
			.act = act_remove,
		};
	return deed_begin(&deed, "");
}
