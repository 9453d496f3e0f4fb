#include "dispatch_internal.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "notify.pb-c.h"
#include "registration.h"

#define BUSY_RETRY_MS 200
#define NAME_RETRY_MS 1000 /* while another claims the same name */

enum status on_register_begin(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__RegisterBegin *message;
	struct registration registration;
	struct sealed sealed;
	struct name name = { 0 };
	const struct id nobody = { 0 };
	struct id owner;

	sealed_begin(&sealed, x);
	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = auth_limit_address(self, x);
	if (st == STATUS_OK)
		st = sealed_unpack(&sealed, self->keys,
		    &auth__register_begin__descriptor, &message);
	if (st == STATUS_OK)
		st = auth_read_name(x, &name, slice_text(message->name));
	if (st != STATUS_OK)
		goto out;
	registration_begin(&registration, &name, self->keys->names_key);
	st = auth_db_name(self->db, registration.name_hash, &owner);
	bool taken = st == STATUS_OK;
	if (st == STATUS_NOT_FOUND) {
		name_unknown_account(&owner, &name, self->keys->names_key);
		st = STATUS_OK;
	}
	if (st == STATUS_OK)
		st = auth_limit_account(self, x, &owner, &nobody);
	if (st == STATUS_OK && taken && !name_is_address(name.kind))
		st = exchange_refuse(
		    x, STATUS_CONFLICT, "that nickname is taken");
	if (st != STATUS_OK)
		goto out;
	const struct offer offer = {
		.slot = &owner_slot,
		.account = &registration.account,
		.purpose = COOKIE_REGISTRATION,
		.content = slice_of(&registration, sizeof(registration)),
		.request = message->opaque_request,
	};
	st = auth_reply_offer(self, &sealed, &offer);
out:
	sodium_memzero(&name, sizeof(name));
	sodium_memzero(&registration, sizeof(registration));
	sealed_end(&sealed);
	return st;
}

/*
 * A registration on its way to the disk.  Its answer is set already, and is
 * the same for an address that is taken.  Each way takes two commits:
 *
 *   free    claim the name; write the account
 *   taken   note it for the owner; claim nothing
 *   repeat  claim the name again; claim nothing
 */
struct pending {
	struct auth *auth;
	struct exchange *x;
	struct registration registration;
	struct account account;
	struct credential credential;
	struct id owner; /* of a taken address */
};

static void pending_destroy(struct pending **self_p)
{
	struct pending *self = *self_p;

	if (!self)
		return;
	sodium_memzero(self, sizeof(*self));
	free(self);
	*self_p = NULL;
}

static void pending_end(struct pending **self_p, enum status st)
{
	struct exchange *x = (*self_p)->x;

	pending_destroy(self_p);
	exchange_finish(&x, st);
}

static void on_nothing_claimed(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct pending *self = arg;

	(void)generation;
	(void)failed_op;
	/* Another one claims it at this moment: that is work as well. */
	pending_end(&self, st == STATUS_CONFLICT ? STATUS_OK : st);
}

/* Do the second commit of a way that has none; returns as a handler. */
static enum status claim_nothing(struct pending **self_p)
{
	struct pending *self = *self_p;

	enum status st = auth_db_claim_nothing(self->auth->db,
	    &self->registration.account, on_nothing_claimed, self);
	if (st == STATUS_PENDING)
		*self_p = NULL;
	else
		pending_destroy(self_p);
	return st;
}

/* The account is there: whether by an earlier copy of this request. */
static enum status check_repeat(struct pending *self)
{
	const struct credential *want = &self->credential;
	struct credential found;

	enum status st = auth_db_credential(&self->auth->rows,
	    &self->registration.account, &owner_slot, &found);
	if (st == STATUS_OK &&
	    (sodium_memcmp(found.record, want->record, OPAQUE_RECORD_BYTES) !=
		    0 ||
		found.wrapped_root_len != want->wrapped_root_len ||
		sodium_memcmp(found.wrapped_root, want->wrapped_root,
		    want->wrapped_root_len) != 0))
		st = exchange_refuse(self->x, STATUS_CONFLICT,
		    "this registration was finished with another code");
	sodium_memzero(&found, sizeof(found));
	return st;
}

/*
 * The account was not written.  Who has no room comes back with another id,
 * for which the claim would be another's; who is to come again keeps it.
 */
static void not_registered(struct pending *self, enum status st)
{
	if (st == STATUS_NO_SPACE)
		auth_db_unclaim_name(self->auth->db,
		    self->registration.name_hash, &self->registration.account);
}

static enum status on_registered(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct pending *self = x->parked;
	struct auth *auth = self->auth;

	(void)failed_op;
	if (st == STATUS_OK) {
		auth->registrations++;
		outbox_kick(auth->service->outbox, &self->registration.account);
		audit_kick(auth->service->audit, auth->db,
		    &self->registration.account);
	} else if (st == STATUS_CONFLICT && generation > 0) {
		st = check_repeat(self);
		if (st == STATUS_OK)
			return claim_nothing(&self);
	} else if (st == STATUS_CONFLICT || st == STATUS_NOT_FOUND) {
		/* The claim ran out before this was written. */
		st = exchange_retry(x, STATUS_BUSY, NAME_RETRY_MS,
		    "the name was claimed by another meanwhile");
	}
	not_registered(self, st);
	pending_destroy(&self);
	return st;
}

static void write_account(struct pending *self)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	const struct id *account = &self->registration.account;
	struct db_batch *batch = db_batch_new(account, 0, NULL);

	auth_db_put_account(&self->auth->rows, batch, account, &self->account);
	auth_db_put_credential(
	    &self->auth->rows, batch, account, &owner_slot, &self->credential);
	auth_db_confirm_name(batch, self->registration.name_hash);
	notice.kind = NOTIFY__KIND__REGISTERED;
	outbox_put(self->auth->service->outbox, batch, account, &notice);
	audit_put(self->auth->service->audit, batch, account,
	    &(struct audit_event){ .action = "registered", .actor = "owner" });
	enum status st = exchange_commit(self->x, &batch, on_registered);
	if (st == STATUS_PENDING)
		return;
	not_registered(self, st);
	pending_end(&self, st);
}

static enum status on_owner_told(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct pending *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		outbox_kick(self->auth->service->outbox, &self->owner);
	/* CONFLICT: another one told the owner at the same moment. */
	if (st == STATUS_OK || st == STATUS_CONFLICT)
		return claim_nothing(&self);
	pending_destroy(&self);
	return st;
}

/* Tell the owner of a taken address, now and then. */
static void tell_owner(struct pending *self)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	uint64_t told_ms = 0, now_ms = clock_wall_ms();

	enum status st =
	    auth_db_asked_again(self->auth->db, &self->owner, &told_ms);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND) {
		pending_end(&self, st);
		return;
	}
	bool tells = registration_tells_owner(told_ms, now_ms);
	struct db_batch *batch =
	    db_batch_new(&self->owner, DB_GENERATION_ANY, NULL);
	auth_db_put_asked_again(batch, told_ms, tells ? now_ms : told_ms);
	notice.kind = NOTIFY__KIND__NAME_ASKED_AGAIN;
	if (tells)
		outbox_put(
		    self->auth->service->outbox, batch, &self->owner, &notice);
	st = exchange_commit(self->x, &batch, on_owner_told);
	if (st != STATUS_PENDING)
		pending_end(&self, st);
}

static void on_name_taken(struct pending *self)
{
	enum status st = STATUS_CONFLICT;

	if (!name_is_address(self->registration.name.kind)) {
		exchange_refuse(self->x, st, "that nickname is taken");
		pending_end(&self, st);
		return;
	}
	st = auth_db_name(
	    self->auth->db, self->registration.name_hash, &self->owner);
	if (st == STATUS_OK) {
		tell_owner(self);
		return;
	}
	if (st == STATUS_NOT_FOUND)
		st = exchange_retry(self->x, STATUS_BUSY, NAME_RETRY_MS,
		    "another registration of this name is under way");
	pending_end(&self, st);
}

static void on_name_claimed(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct pending *self = arg;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		write_account(self);
	else if (st == STATUS_CONFLICT)
		on_name_taken(self);
	else
		pending_end(&self, st);
}

/* Read what the last message brings into ${self}. */
static enum status pending_fill(
    struct pending *self, const Auth__RegisterFinish *message)
{
	const struct credential_parts parts = {
		.record = field_slice(message->opaque_record),
		.factors = message->factors,
		.wrapped_root = field_slice(message->wrapped_root),
	};
	const char *why;

	enum status st = auth_read_cookie(self->auth, self->x,
	    COOKIE_REGISTRATION, message->cookie, &self->registration,
	    sizeof(self->registration));
	if (st != STATUS_OK)
		return st;
	st = credential_owner(&self->credential, 1, &parts, &why);
	if (st == STATUS_OK)
		st = registration_account(&self->account, &self->registration,
		    field_slice(message->account_key), &why);
	if (st != STATUS_OK)
		return exchange_refuse(self->x, st, "%s", why);
	return st;
}

enum status on_register_finish(void *state, struct exchange *x)
{
	struct auth *self = state;
	Auth__Registered reply = AUTH__REGISTERED__INIT;
	Auth__RegisterFinish *message;
	struct sealed sealed;
	struct pending *pending = calloc(1, sizeof(*pending));
	enum status st = STATUS_NO_SPACE;

	sealed_begin(&sealed, x);
	if (!pending)
		goto out;
	pending->auth = self;
	pending->x = x;
	x->parked = pending;
	st = sealed_unpack(
	    &sealed, self->keys, &auth__register_finish__descriptor, &message);
	if (st == STATUS_OK)
		st = pending_fill(pending, message);
	if (st != STATUS_OK)
		goto out;
	reply.account_id =
	    field_of(slice_of(pending->registration.account.bytes, ID_BYTES));
	st = sealed_reply(&sealed, &reply.base);
	if (st != STATUS_OK)
		goto out;
	st = auth_db_claim_name(self->db, pending->registration.name_hash,
	    &pending->registration.account, on_name_claimed, pending);
	if (st == STATUS_PENDING)
		pending = NULL;
	else if (st == STATUS_BUSY)
		st = exchange_retry(
		    x, st, BUSY_RETRY_MS, "the database has much to do");
out:
	pending_destroy(&pending);
	sealed_end(&sealed);
	return st;
}
