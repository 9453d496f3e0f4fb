#include "change.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/log.h"
#include "service/draft.h"

/* What the cookie holds. */
struct fixed {
	struct id account;
	struct code_slot slot;
	uint32_t revision; /* of what is replaced; 0: nothing */
	uint64_t changed_ms;
};

void change_begin(struct change *self, struct auth *auth, struct exchange *x)
{
	*self = (struct change){ .auth = auth, .x = x };
	sealed_begin(&self->sealed, x);
}

void change_end(struct change *self)
{
	sealed_end(&self->sealed);
	sodium_memzero(self, sizeof(*self));
}

enum status change_read(struct change *self)
{
	const struct id *account = &self->x->ticket.account;
	const struct auth_rows *rows = &self->auth->rows;
	struct account owner;

	enum status st = auth_db_account(rows, account, &owner);
	sodium_memzero(&owner, sizeof(owner));
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(self->x, st, "there is no such account");
	if (st != STATUS_OK)
		return st;
	st = auth_db_credential(rows, account, &self->slot, &self->found);
	self->is_there = st == STATUS_OK;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static void fix(struct fixed *out, const struct change *self)
{
	*out = (struct fixed){
		.account = self->x->ticket.account,
		.slot = self->slot,
	};
	if (!self->is_there)
		return;
	out->revision = self->found.revision;
	out->changed_ms = self->found.changed_ms;
}

enum status change_offer(struct change *self, enum cookie_purpose purpose,
    ProtobufCBinaryData request)
{
	struct fixed fixed;

	fix(&fixed, self);
	const struct offer offer = {
		.slot = &self->slot,
		.account = &fixed.account,
		.purpose = purpose,
		.content = slice_of(&fixed, sizeof(fixed)),
		.request = request,
	};
	return auth_reply_offer(self->auth, &self->sealed, &offer);
}

enum status change_open(struct change *self, enum cookie_purpose purpose,
    ProtobufCBinaryData cookie)
{
	struct fixed then, now;

	enum status st = auth_read_cookie(
	    self->auth, self->x, purpose, cookie, &then, sizeof(then));
	if (st != STATUS_OK)
		return st;
	if (!id_equal(&then.account, &self->x->ticket.account) ||
	    then.slot.kind != self->slot.kind ||
	    !id_equal(&then.slot.terminal, &self->slot.terminal))
		return exchange_refuse(self->x, STATUS_DENIED,
		    "the cookie is for another code: begin again");
	st = change_read(self);
	if (st != STATUS_OK)
		return st;
	fix(&now, self);
	if (then.revision != now.revision || then.changed_ms != now.changed_ms)
		return exchange_refuse(
		    self->x, STATUS_CONFLICT, "%s", self->conflict);
	return STATUS_OK;
}

/* ---- on the disk ---- */

/* A change on its way there, and then to the tries at the old code. */
struct settling {
	struct auth *auth;
	struct exchange *x;
	const char *conflict;
	bool replaced; /* a code that was there */
	struct turn turn;
};

static void on_renewed(void *arg, enum status st)
{
	struct settling *self = arg;
	struct exchange *x = self->x;

	/* The code is changed, whatever becomes of the tries. */
	if (st != STATUS_OK)
		log_warning(&x->header.trace, "tries_kept", "status=%s",
		    status_word(st));
	free(self);
	exchange_finish(&x, STATUS_OK);
}

static enum status on_changed(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct settling *self = x->parked;
	struct auth *auth = self->auth;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_CONFLICT || st == STATUS_NOT_FOUND)
		exchange_refuse(x, STATUS_CONFLICT, "%s", self->conflict);
	if (st == STATUS_OK) {
		outbox_kick(auth->service->outbox, &x->ticket.account);
		audit_kick(auth->service->audit, auth->db, &x->ticket.account);
	}
	/* Old guesses say nothing about a new code. */
	if (st == STATUS_OK && self->replaced &&
	    tries_renew(auth->tries, &self->turn) == STATUS_PENDING)
		return STATUS_PENDING;
	free(self);
	return st == STATUS_NOT_FOUND ? STATUS_CONFLICT : st;
}

static struct settling *settling_new(const struct change *change)
{
	const struct ticket *ticket = &change->x->ticket;
	struct settling *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->auth = change->auth;
	self->x = change->x;
	self->conflict = change->conflict;
	self->replaced = change->is_there;
	self->turn = (struct turn){
		.key = {
			.subject = { ticket->account, true },
			.code = change->slot.kind,
			.kind = id_is_none(&ticket->terminal) ? LANE_STRANGER
							      : LANE_BOUND,
			.terminal = ticket->terminal,
		},
		.done = on_renewed,
		.arg = self,
	};
	return self;
}

static void put_notice(const struct change *self, struct db_batch *batch)
{
	const struct ticket *ticket = &self->x->ticket;
	struct draft draft;

	if (self->slot.kind == CREDENTIAL_VERIFICATION && !self->is_there)
		return;
	draft_begin(&draft, NOTIFY__KIND__CODE_CHANGED, &ticket->terminal);
	draft_add(&draft, "code", self->slot.kind);
	outbox_put(self->auth->service->outbox, batch, &ticket->account,
	    &draft.notice);
}

enum status change_commit(
    struct change *self, const struct credential *next, const char *action)
{
	const struct ticket *ticket = &self->x->ticket;
	const struct auth_rows *rows = &self->auth->rows;
	const struct id *account = &ticket->account;
	Auth__Empty reply = AUTH__EMPTY__INIT;
	struct settling *settling = settling_new(self);
	enum status st = settling ? STATUS_OK : STATUS_NO_SPACE;

	if (st == STATUS_OK)
		st = sealed_reply(&self->sealed, &reply.base);
	if (st != STATUS_OK) {
		free(settling);
		return st;
	}
	/*
	 * The row is named, not the account's generation: strangers who try
	 * to register the owner's address raise that one.
	 */
	struct db_batch *batch =
	    db_batch_new(&ticket->account, DB_GENERATION_ANY, NULL);
	auth_db_require_account(batch);
	if (self->is_there)
		auth_db_expect_credential(
		    rows, batch, account, &self->slot, &self->found);
	else
		auth_db_forbid_credential(batch, &self->slot);
	if (next)
		auth_db_put_credential(rows, batch, account, &self->slot, next);
	else
		auth_db_delete_credential(batch, &self->slot);
	put_notice(self, batch);
	audit_put(self->auth->service->audit, batch, &ticket->account,
	    &(struct audit_event){ .action = action,
		.actor = "owner",
		.terminal = &ticket->terminal });
	self->x->parked = settling;
	st = exchange_commit(self->x, &batch, on_changed);
	if (st == STATUS_CONFLICT) /* seen before it was submitted */
		exchange_refuse(self->x, st, "%s", self->conflict);
	if (st != STATUS_PENDING)
		free(settling);
	return st;
}
