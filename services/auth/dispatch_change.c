#include "dispatch_internal.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/log.h"
#include "notify.pb-c.h"

/* What the cookie of a change holds. */
struct change {
	struct id account;
	uint32_t revision; /* of the credential that is replaced; 0: none */
};

static enum status read_change(struct auth *self, struct exchange *x,
    enum cookie_purpose purpose, ProtobufCBinaryData cookie, struct change *out)
{
	enum status st =
	    auth_read_cookie(self, x, purpose, cookie, out, sizeof(*out));

	if (st == STATUS_OK && !id_equal(&out->account, &x->ticket.account))
		return exchange_refuse(
		    x, STATUS_DENIED, "the cookie is another account's");
	return st;
}

/* The credential that ${x}'s ticket is for; NOT_FOUND is said in words. */
static enum status read_owner(
    struct auth *self, struct exchange *x, struct credential *out)
{
	enum status st =
	    auth_db_credential(self->db, &x->ticket.account, &owner_slot, out);

	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st, "there is no such account");
	return st;
}

static const char verification_set[] =
    "verification information is set already";

enum status on_verification_begin(void *state, struct exchange *x)
{
	struct auth *self = state;
	const struct change change = { .account = x->ticket.account };
	Auth__VerificationBegin *message;
	struct credential found;
	struct sealed sealed;

	sealed_begin(&sealed, x);
	enum status st = sealed_unpack(&sealed, self->keys,
	    &auth__verification_begin__descriptor, &message);
	if (st == STATUS_OK)
		st = read_owner(self, x, &found);
	if (st != STATUS_OK)
		goto out;
	st = auth_db_credential(
	    self->db, &change.account, &verification_slot, &found);
	if (st == STATUS_OK)
		st =
		    exchange_refuse(x, STATUS_CONFLICT, "%s", verification_set);
	if (st != STATUS_NOT_FOUND)
		goto out;
	const struct offer offer = {
		.slot = &verification_slot,
		.account = &change.account,
		.purpose = COOKIE_VERIFICATION,
		.content = slice_of(&change, sizeof(change)),
		.request = message->opaque_request,
	};
	st = auth_reply_offer(self, &sealed, &offer);
out:
	sodium_memzero(&found, sizeof(found));
	sealed_end(&sealed);
	return st;
}

static enum status on_verification_kept(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct auth *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		audit_kick(self->service->audit, self->db, &x->ticket.account);
	if (st == STATUS_CONFLICT)
		return exchange_refuse(x, st, "%s", verification_set);
	if (st == STATUS_NOT_FOUND)
		return exchange_refuse(x, st, "there is no such account");
	return st;
}

enum status on_verification_finish(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__Empty reply = AUTH__EMPTY__INIT;
	Auth__VerificationFinish *message;
	struct credential credential = { 0 };
	struct change change;
	struct sealed sealed;
	const char *why;

	sealed_begin(&sealed, x);
	enum status st = sealed_unpack(&sealed, self->keys,
	    &auth__verification_finish__descriptor, &message);
	if (st == STATUS_OK)
		st = read_change(
		    self, x, COOKIE_VERIFICATION, message->cookie, &change);
	if (st != STATUS_OK)
		goto out;
	st = credential_verification(
	    &credential, field_slice(message->opaque_record), &why);
	if (st != STATUS_OK) {
		exchange_refuse(x, st, "%s", why);
		goto out;
	}
	st = sealed_reply(&sealed, &reply.base);
	if (st != STATUS_OK)
		goto out;
	struct db_batch *batch =
	    db_batch_new(&change.account, DB_GENERATION_ANY, NULL);
	auth_db_require_account(batch);
	auth_db_forbid_credential(batch, &verification_slot);
	auth_db_put_credential(batch, &verification_slot, &credential);
	audit_put(self->service->audit, batch, &change.account,
	    &(struct audit_event){
		.action = "verification_set", .actor = "owner" });
	x->parked = self;
	st = exchange_commit(x, &batch, on_verification_kept);
out:
	sodium_memzero(&credential, sizeof(credential));
	sealed_end(&sealed);
	return st;
}

enum status on_code_begin(void *state, struct exchange *x)
{
	struct auth *self = state;
	struct change change = { .account = x->ticket.account };
	Auth__CodeBegin *message;
	struct credential found;
	struct sealed sealed;

	sealed_begin(&sealed, x);
	enum status st = sealed_unpack(
	    &sealed, self->keys, &auth__code_begin__descriptor, &message);
	if (st == STATUS_OK)
		st = read_owner(self, x, &found);
	if (st != STATUS_OK)
		goto out;
	change.revision = found.revision;
	const struct offer offer = {
		.slot = &owner_slot,
		.account = &change.account,
		.purpose = COOKIE_CODE,
		.content = slice_of(&change, sizeof(change)),
		.request = message->opaque_request,
	};
	st = auth_reply_offer(self, &sealed, &offer);
out:
	sodium_memzero(&found, sizeof(found));
	sealed_end(&sealed);
	return st;
}

/* Old guesses say nothing about a new code: they go. */
struct renewal {
	struct exchange *x;
	struct turn turn;
};

static void on_renewed(void *arg, enum status st)
{
	struct renewal *self = arg;
	struct exchange *x = self->x;

	/* The code is changed, whatever becomes of them. */
	if (st != STATUS_OK)
		log_warning(&x->header.trace, "tries_kept", "status=%s",
		    status_word(st));
	free(self);
	exchange_finish(&x, STATUS_OK);
}

/* Renew the lane by which the ticket's terminal has proven the code. */
static enum status renew_lane(
    struct auth *self, struct exchange *x, enum credential_slot code)
{
	struct renewal *renewal = calloc(1, sizeof(*renewal));

	if (!renewal)
		return STATUS_OK;
	renewal->x = x;
	renewal->turn = (struct turn){
		.key = {
			.subject = { x->ticket.account, true },
			.code = code,
			.kind = LANE_BOUND,
			.terminal = x->ticket.terminal,
		},
		.done = on_renewed,
		.arg = renewal,
	};
	enum status st = tries_renew(self->tries, &renewal->turn);
	if (st == STATUS_PENDING)
		return st;
	free(renewal);
	return STATUS_OK;
}

static enum status on_code_changed(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct auth *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_CONFLICT)
		return exchange_refuse(x, st, "the code was changed meanwhile");
	if (st != STATUS_OK)
		return st;
	outbox_kick(self->service->outbox, &x->ticket.account);
	audit_kick(self->service->audit, self->db, &x->ticket.account);
	return renew_lane(self, x, CREDENTIAL_OWNER);
}

/* Put ${next} in the place of ${found}, in one step or not at all. */
static enum status replace_code(struct auth *self, struct exchange *x,
    const struct credential *found, const struct credential *next)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	const struct id *account = &x->ticket.account;

	/*
	 * The row is named, not the account's generation: strangers who try
	 * to register the owner's address raise that one.
	 */
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	auth_db_expect_credential(batch, &owner_slot, found);
	auth_db_put_credential(batch, &owner_slot, next);
	notice.kind = NOTIFY__KIND__CODE_CHANGED;
	notice.terminal_id =
	    field_of(slice_of(x->ticket.terminal.bytes, ID_BYTES));
	outbox_put(batch, account, &notice);
	audit_put(self->service->audit, batch, account,
	    &(struct audit_event){ .action = "code_changed",
		.actor = "owner",
		.terminal = &x->ticket.terminal });
	x->parked = self;
	return exchange_commit(x, &batch, on_code_changed);
}

enum status on_code_finish(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__Empty reply = AUTH__EMPTY__INIT;
	Auth__CodeFinish *message;
	struct credential found = { 0 }, next = { 0 };
	struct change change;
	struct sealed sealed;
	const char *why;

	sealed_begin(&sealed, x);
	enum status st = sealed_unpack(
	    &sealed, self->keys, &auth__code_finish__descriptor, &message);
	if (st == STATUS_OK)
		st =
		    read_change(self, x, COOKIE_CODE, message->cookie, &change);
	if (st == STATUS_OK)
		st = read_owner(self, x, &found);
	if (st != STATUS_OK)
		goto out;
	if (found.revision != change.revision) {
		st = exchange_refuse(
		    x, STATUS_CONFLICT, "the code was changed meanwhile");
		goto out;
	}
	const struct credential_parts parts = {
		.record = field_slice(message->opaque_record),
		.factors = message->factors,
		.wrapped_root = field_slice(message->wrapped_root),
	};
	st = credential_owner(&next, found.revision + 1, &parts, &why);
	if (st != STATUS_OK) {
		exchange_refuse(x, st, "%s", why);
		goto out;
	}
	st = sealed_reply(&sealed, &reply.base);
	if (st == STATUS_OK)
		st = replace_code(self, x, &found, &next);
out:
	sodium_memzero(&found, sizeof(found));
	sodium_memzero(&next, sizeof(next));
	sealed_end(&sealed);
	return st;
}

enum status on_verification_state(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__VerificationAnswer reply = AUTH__VERIFICATION_ANSWER__INIT;
	Auth__VerificationQuery *message;
	struct account account;
	struct credential found;
	struct id id;

	enum status st =
	    exchange_unpack(x, &auth__verification_query__descriptor, &message);
	if (st == STATUS_OK)
		st = id_from(&id, field_slice(message->account_id));
	if (st == STATUS_OK)
		st = auth_db_account(self->db, &id, &account);
	if (st != STATUS_OK)
		return st;
	st = auth_db_credential(self->db, &id, &verification_slot, &found);
	sodium_memzero(&found, sizeof(found));
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return st;
	reply.set = st == STATUS_OK;
	return exchange_reply(x, &reply.base);
}
