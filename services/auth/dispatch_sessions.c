#include "dispatch_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

/* Who is logged in, and who is to be no more. */

#define BUSY_RETRY_MS 1000

/* ---- SESSIONS ---- */

enum status auth_live_sessions(struct auth *self, const struct id *account,
    struct session out[static SESSIONS_MAX], size_t *count_out)
{
	struct service *service = self->service;
	size_t live = 0;

	enum status st =
	    sessions_list(service->journal, account, out, count_out);
	for (size_t i = 0; i < *count_out && st == STATUS_OK; i++) {
		const struct ticket ticket = session_ticket(&out[i], account);
		if (!orders_refusal(service->orders, &ticket))
			out[live++] = out[i];
	}
	*count_out = live;
	return st;
}

static bool is_current(const struct session *session, const struct exchange *x)
{
	return memcmp(session->id.bytes, x->ticket.nonce, TICKET_NONCE_BYTES) ==
	       0;
}

static void fill_session(
    Auth__Session *out, const struct session *session, const struct exchange *x)
{
	*out = (Auth__Session)AUTH__SESSION__INIT;
	out->session_id = field_of(slice_of(session->id.bytes, ID_BYTES));
	out->direction = (Common__Direction)session->direction;
	if (!id_is_none(&session->terminal))
		out->terminal_id =
		    field_of(slice_of(session->terminal.bytes, ID_BYTES));
	out->issued_ms = session->issued_ms;
	out->expiry_ms = session->expiry_ms;
	out->current = is_current(session, x);
	out->fingerprint =
	    field_of(slice_of(session->fingerprint, SESSION_FINGERPRINT_BYTES));
	out->ends_ms = session_ends_ms(session);
}

enum status on_sessions(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__SessionList reply = AUTH__SESSION_LIST__INIT;
	Auth__Session rows[SESSIONS_MAX], *pointers[SESSIONS_MAX];
	struct session sessions[SESSIONS_MAX];
	Auth__Empty *message;
	size_t count;

	enum status st = exchange_unpack(x, &auth__empty__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_live_sessions(
		    self, &x->ticket.account, sessions, &count);
	if (st != STATUS_OK)
		return st;
	for (size_t i = 0; i < count; i++) {
		fill_session(&rows[i], &sessions[i], x);
		pointers[i] = &rows[i];
	}
	reply.sessions = pointers;
	reply.n_sessions = count;
	return exchange_reply(x, &reply.base);
}

/* ---- REVOKE ---- */

static enum status check_session(
    struct auth *self, struct exchange *x, const struct id *session)
{
	struct session sessions[SESSIONS_MAX];
	size_t count;

	enum status st =
	    auth_live_sessions(self, &x->ticket.account, sessions, &count);
	if (st != STATUS_OK)
		return st;
	for (size_t i = 0; i < count; i++)
		if (id_equal(&sessions[i].id, session))
			return STATUS_OK;
	return exchange_refuse(x, STATUS_NOT_FOUND,
	    "there is no such session: it is over, or was revoked");
}

/* What ${message} asks for, as an order. */
static enum status read_revoke(struct auth *self, struct exchange *x,
    const Auth__Revoke *message, struct order *out)
{
	int wishes = (message->session_id.len > 0) +
		     (message->terminal_id.len > 0) + (message->all != 0);
	enum status st = STATUS_OK;

	*out = (struct order){
		.kind = ORDER_REVOKE_ACCOUNT,
		.account = x->ticket.account,
	};
	if (wishes != 1)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "say one of session_id, terminal_id and all");
	if (message->keep_current && !message->all)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "keep_current goes with all only");
	if (message->session_id.len > 0) {
		out->kind = ORDER_REVOKE_TICKET;
		st = id_from(&out->subject, field_slice(message->session_id));
		if (st == STATUS_OK)
			return check_session(self, x, &out->subject);
	} else if (message->terminal_id.len > 0) {
		out->kind = ORDER_REVOKE_TERMINAL;
		st = id_from(&out->subject, field_slice(message->terminal_id));
	} else if (message->keep_current) {
		memcpy(out->subject.bytes, x->ticket.nonce, ID_BYTES);
	}
	return st == STATUS_OK ? st
			       : exchange_refuse(x, st,
				     "session_id, terminal_id: not 16 bytes");
}

enum status auth_refuse_order(struct exchange *x, enum status st)
{
	if (st == STATUS_TOO_LARGE)
		return exchange_refuse(x, STATUS_CONFLICT,
		    "so much was revoked today that only all can be: revoke "
		    "all");
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, BUSY_RETRY_MS, "too much is revoked at once");
	return st;
}

void auth_fill_names(
    char *out[static FOLLOWERS + 1], const struct unconfirmed *unconfirmed)
{
	for (size_t i = 0; i < unconfirmed->count; i++)
		/* protobuf-c reads only, but its type has no const. */
		out[i] = (char *)unconfirmed->names[i];
}

/* A REVOKE until it is answered. */
struct revoking {
	struct auth *auth;
	struct exchange *x;
	struct order order;
	struct unconfirmed unconfirmed;
};

static void finish_revoking(struct revoking **self_p, enum status st)
{
	struct revoking *self = *self_p;
	struct exchange *x = self->x;
	Auth__Revoked reply = AUTH__REVOKED__INIT;
	char *names[FOLLOWERS + 1];

	if (st == STATUS_OK) {
		auth_fill_names(names, &self->unconfirmed);
		reply.unconfirmed = names;
		reply.n_unconfirmed = self->unconfirmed.count;
		st = exchange_reply(x, &reply.base);
	} else {
		audit_note(self->auth->service->audit, &x->ticket.account,
		    &(struct audit_event){
			.action = "revoke_failed", .actor = "owner" });
	}
	free(self);
	*self_p = NULL;
	exchange_finish(&x, st);
}

static void on_grants_ended(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct revoking *self = arg;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		auth_grants_ended(self->auth, &self->order.account);
	finish_revoking(&self, st);
}

static void on_revoked(
    void *arg, enum status st, const struct unconfirmed *unconfirmed)
{
	struct revoking *self = arg;
	bool stays = !id_is_none(&self->order.subject);

	self->unconfirmed = *unconfirmed;
	if (st == STATUS_OK)
		st = auth_end_grants(self->auth, &self->order,
		    stays ? &self->x->ticket.terminal : NULL, "owner",
		    on_grants_ended, self);
	if (st != STATUS_PENDING)
		finish_revoking(&self, st);
}

/* It is on record: now it may take effect. */
static void on_recorded(void *arg, enum status st)
{
	struct revoking *self = arg;
	struct exchange *x = self->x;

	if (st == STATUS_OK)
		st = auth_refuse_order(x, issue_order(self->auth->issue,
					      &self->order, on_revoked, self));
	if (st != STATUS_PENDING)
		finish_revoking(&self, st);
}

enum status on_revoke(void *state, struct exchange *x)
{
	Auth__Revoke *message;
	struct revoking *revoking = calloc(1, sizeof(*revoking));

	if (!revoking)
		return STATUS_NO_SPACE;
	revoking->auth = state;
	revoking->x = x;
	enum status st =
	    exchange_unpack(x, &auth__revoke__descriptor, &message);
	if (st == STATUS_OK)
		st = read_revoke(state, x, message, &revoking->order);
	if (st == STATUS_OK)
		st = auth_refuse_order(
		    x, audit_write(revoking->auth->service->audit,
			   &x->ticket.account,
			   &(struct audit_event){ .action = "sessions_revoked",
			       .actor = "owner",
			       .terminal = &x->ticket.terminal },
			   on_recorded, revoking));
	if (st != STATUS_PENDING)
		free(revoking);
	return st;
}
