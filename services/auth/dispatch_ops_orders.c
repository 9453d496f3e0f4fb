#include "deed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "grant_db.h"

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

/* Terminals that sign in by themselves. */
enum status auth_list_grants(
    void *state, struct listing *listing, struct slice after)
{
	struct auth *self = state;
	struct grant *list = NULL;
	size_t count = 0, i = 0;

	enum status st = grant_db_list(
	    self->service->keyring, self->db, &listing->account, &list, &count);
	while (st == STATUS_OK && i < count && after.len > 0 &&
	       !slice_equal(slice_of(list[i].terminal.bytes, ID_BYTES), after))
		i++;
	for (i = after.len > 0 && i < count ? i + 1 : 0;
	     st == STATUS_OK && i < count; i++) {
		const struct grant *grant = &list[i];
		listing_row(listing, "grant");
		listing_id(listing, "terminal", &grant->terminal);
		listing_flag(
		    listing, "upload", grant_allows(grant, DIRECTION_UPLOAD));
		listing_flag(
		    listing, "report", grant_allows(grant, DIRECTION_REPORT));
		listing_time(listing, "given", grant->given_ms);
		if (grant->used_ms > 0)
			listing_time(listing, "used", grant->used_ms);
		else
			listing_nothing(listing, "used");
		if (!listing_row_end(
			listing, slice_of(grant->terminal.bytes, ID_BYTES)))
			break;
	}
	free(list);
	return st;
}

enum status on_ops_sessions(void *state, struct exchange *x)
{
	static listing_part_fn *const parts[] = { auth_list_sessions,
		auth_list_grants };

	return listing_answer(state, x, parts, nitems(parts), true);
}

/* ---- orders ---- */

struct ordering {
	struct deed deed;
	struct order order;
	bool ends_grants; /* of the terminals that it signs out */
};

static enum status reply_ordered(
    struct deed *deed, enum status st, const struct unconfirmed *unconfirmed)
{
	Ops__Ordered reply = OPS__ORDERED__INIT;
	char *names[FOLLOWERS + 1];

	if (st != STATUS_OK)
		return auth_refuse_order(deed->x, st);
	auth_fill_names(names, unconfirmed);
	reply.unconfirmed = names;
	reply.n_unconfirmed = unconfirmed->count;
	return exchange_reply(deed->x, &reply.base);
}

static void on_grants_ended(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct deed *deed = arg;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		auth_grants_ended(deed->auth, &deed->account);
	deed_end(&deed, st);
}

static void on_ordered(
    void *arg, enum status st, const struct unconfirmed *unconfirmed)
{
	struct ordering *self = arg;
	struct deed *deed = &self->deed;
	char actor[OPERATOR_ACTOR_BYTES];

	st = reply_ordered(deed, st, unconfirmed);
	operator_actor(actor, deed->by);
	if (st == STATUS_OK && self->ends_grants)
		st = auth_end_grants(deed->auth, &self->order, NULL, actor,
		    on_grants_ended, deed);
	if (st != STATUS_PENDING)
		deed_end(&deed, st);
}

static enum status act_order(struct deed *deed)
{
	const struct ordering *self = (const struct ordering *)deed;

	enum status st =
	    issue_order(deed->auth->issue, &self->order, on_ordered, deed);
	return auth_refuse_order(deed->x, st);
}

/* ---- REVOKE ---- */

static bool has_session(
    const struct session *sessions, size_t count, const struct order *order)
{
	for (size_t i = 0; i < count; i++)
		if (id_equal(&order->subject, order->kind == ORDER_REVOKE_TICKET
						  ? &sessions[i].id
						  : &sessions[i].terminal))
			return true;
	return false;
}

/* Whether there is what is to be revoked: else a slip would go unseen. */
static enum status check_target(struct auth *self, struct exchange *x,
    const struct id *account, const struct order *order)
{
	struct session sessions[SESSIONS_MAX];
	struct grant grant;
	size_t count;

	enum status st = auth_live_sessions(self, account, sessions, &count);
	if (st != STATUS_OK || order->kind == ORDER_REVOKE_ACCOUNT ||
	    has_session(sessions, count, order))
		return st;
	st = STATUS_NOT_FOUND;
	if (order->kind == ORDER_REVOKE_TERMINAL)
		st = grant_db_get(self->service->keyring, self->db, account,
		    &order->subject, &grant);
	if (st != STATUS_NOT_FOUND)
		return st;
	return exchange_refuse(x, st,
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
	struct ordering model = {
		.deed = { .auth = state,
		    .x = x,
		    .action = "revoked",
		    .act = act_order },
		.ends_grants = true,
	};
	struct deed *deed = &model.deed;
	Ops__Revoke *message;

	enum status st = exchange_unpack(x, &ops__revoke__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_NOTHING, &deed->account);
	if (st == STATUS_OK)
		st = read_target(x, message, &model.order);
	if (st == STATUS_OK)
		st = check_target(state, x, &deed->account, &model.order);
	if (st != STATUS_OK)
		return st;
	deed->by = message->by;
	model.order.account = deed->account;
	return deed_begin(deed, sizeof(model), whats[model.order.kind]);
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
	struct ordering model = {
		.deed = { .auth = state,
		    .x = x,
		    .action = "account_removed",
		    .lasting = true,
		    .act = act_remove },
	};
	struct deed *deed = &model.deed;
	Ops__Deed *message;

	enum status st = exchange_unpack(x, &ops__deed__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_REASON | OPERATOR_NEEDS_DOCUMENT,
		    &deed->account);
	if (st != STATUS_OK)
		return st;
	deed->by = message->by;
	model.order.account = deed->account;
	return deed_begin(deed, sizeof(model), "");
}

/* ---- DISABLE, ENABLE ---- */

static enum status check_state(
    struct auth *self, struct exchange *x, const struct id *account, bool want)
{
	bool disabled = false;

	enum status st = auth_db_disabled(self->db, account, &disabled);
	if (st != STATUS_OK || disabled != want)
		return st;
	return exchange_refuse(x, STATUS_CONFLICT, "the account is %s already",
	    want ? "disabled" : "enabled");
}

static enum status set_disabled(
    struct deed *deed, bool disabled, db_done_fn *done)
{
	struct db_batch *batch =
	    db_batch_new(&deed->account, DB_GENERATION_ANY, NULL);

	auth_db_require_account(batch);
	auth_db_put_disabled(batch, disabled, clock_wall_ms());
	enum status st = db_submit(deed->auth->db, &batch, done, deed);
	db_batch_destroy(&batch);
	return st;
}

/* Nobody can log in any more: now end what is going on. */
static void on_disabled(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct deed *deed = arg;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		st = act_order(deed);
	if (st != STATUS_PENDING)
		deed_end(&deed, st);
}

static enum status act_disable(struct deed *deed)
{
	return set_disabled(deed, true, on_disabled);
}

enum status on_disable(void *state, struct exchange *x)
{
	struct ordering model = {
		.deed = { .auth = state,
		    .x = x,
		    .action = "disabled",
		    .act = act_disable },
		.order.kind = ORDER_REVOKE_ACCOUNT,
	};
	struct deed *deed = &model.deed;
	Ops__Deed *message;

	enum status st = exchange_unpack(x, &ops__deed__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_REASON, &deed->account);
	if (st == STATUS_OK)
		st = check_state(state, x, &deed->account, true);
	if (st != STATUS_OK)
		return st;
	deed->by = message->by;
	model.order.account = deed->account;
	return deed_begin(deed, sizeof(model), "");
}

static void on_enabled(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct deed *deed = arg;

	(void)generation;
	(void)failed_op;
	deed_end(&deed, st);
}

static enum status act_enable(struct deed *deed)
{
	return set_disabled(deed, false, on_enabled);
}

enum status on_enable(void *state, struct exchange *x)
{
	struct deed deed = {
		.auth = state,
		.x = x,
		.action = "enabled",
		.act = act_enable,
	};
	Ops__Deed *message;

	enum status st = exchange_unpack(x, &ops__deed__descriptor, &message);
	if (st == STATUS_OK)
		st = deed_check(state, x, message->account_id, message->by,
		    OPERATOR_NEEDS_REASON, &deed.account);
	if (st == STATUS_OK)
		st = check_state(state, x, &deed.account, false);
	if (st != STATUS_OK)
		return st;
	deed.by = message->by;
	return deed_begin(&deed, sizeof(deed), "");
}
