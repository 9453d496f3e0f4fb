#include <sodium.h>
#include <stdlib.h>

#include "asked.h"
#include "base/clock.h"

/*
 * Invitations: a one-time code by which a new terminal proves the
 * account's code in another lane than strangers, who may have closed theirs.
 */

#define BUSY_RETRY_MS  200
#define ASKED_PAUSE_MS (60ull * 60 * 1000) /* between two for strangers */

/* An invitation on its way to the disk. */
struct invite {
	struct auth *auth;
	struct exchange *x;
	struct subject subject;
	bool tells; /* the owner, by a notice */
};

enum status auth_put_invitation(struct auth *self, struct db_batch *batch,
    const struct subject *subject, char code[static INVITATION_TEXT_BYTES],
    uint64_t expiry_ms)
{
	uint8_t characters[INVITATION_CODE_BYTES];
	uint8_t hash[INVITATION_HASH_BYTES];

	invitation_make(code);
	enum status st = invitation_read(characters, slice_text(code));
	if (st == STATUS_OK) {
		auth_hash_invitation(self, hash, &subject->account, characters);
		st = journal_db_put_invitation(
		    self->service->journal, batch, subject, hash, expiry_ms);
	}
	sodium_memzero(characters, sizeof(characters));
	return st;
}

static enum status submit(struct auth *self, struct exchange *x,
    struct db_batch **batch_p, db_done_fn *done, void *arg)
{
	enum status st = db_submit(self->service->journal, batch_p, done, arg);

	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, BUSY_RETRY_MS, "the database has much to do");
	return st;
}

static void put_event(struct auth *self, struct db_batch *batch,
    const struct id *account, const char *action, const char *actor)
{
	audit_put_journal(self->service->audit, batch, account,
	    &(struct audit_event){ .action = action, .actor = actor });
}

/* ---- asked for by somebody ---- */

static void on_invited(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct invite *self = arg;
	struct exchange *x = self->x;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK && self->tells)
		tries_kick(self->auth->tries, &self->subject);
	free(self);
	/* CONFLICT: another one asked at the same moment. */
	exchange_finish(&x, st == STATUS_CONFLICT ? STATUS_OK : st);
}

/*
 * Write what this comes to: an invitation and a notice with it, or that
 * nothing is due.  For a name that is nobody's the same is written.
 */
static enum status write_invite(struct invite *self)
{
	struct auth *auth = self->auth;
	struct db *journal = auth->service->journal;
	uint64_t asked_ms = 0, now_ms = clock_wall_ms();
	char code[INVITATION_TEXT_BYTES];
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	enum status st = journal_db_moment(
	    journal, &self->subject, MOMENT_INVITED, &asked_ms);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		return st;
	self->tells = asked_ms == 0 || asked_ms + ASKED_PAUSE_MS <= now_ms;
	struct db_batch *batch = journal_db_batch(&self->subject);
	journal_db_expect_moment(
	    batch, &self->subject, MOMENT_INVITED, asked_ms);
	st = journal_db_put_moment(journal, batch, &self->subject,
	    MOMENT_INVITED, self->tells ? now_ms : asked_ms);
	if (st == STATUS_OK && self->tells)
		st = auth_put_invitation(auth, batch, &self->subject, code,
		    now_ms + INVITATION_GOOD_MS);
	if (st == STATUS_OK && self->tells) {
		if (self->subject.known)
			put_event(auth, batch, &self->subject.account,
			    "invitation_asked", "anybody");
		notice.kind = NOTIFY__KIND__INVITATION;
		notice.text = code;
		st = tries_tell(auth->tries, batch, &self->subject, &notice);
	}
	if (st == STATUS_OK)
		st = submit(auth, self->x, &batch, on_invited, self);
	db_batch_destroy(&batch);
	sodium_memzero(code, sizeof(code));
	return st;
}

enum status on_invite(void *state, struct exchange *x)
{
	const struct id nobody = { 0 };
	struct asked asked = { .auth = state, .x = x };
	struct invite *invite = NULL;
	Auth__Invite *message;

	enum status st = auth_check_peer(x);
	if (st == STATUS_OK)
		st = auth_limit_address(state, x);
	if (st == STATUS_OK)
		st = exchange_unpack(x, &auth__invite__descriptor, &message);
	if (st == STATUS_OK)
		st = asked_read(&asked, message->name_sealed);
	if (st == STATUS_OK)
		st = asked_find_account(&asked);
	if (st == STATUS_OK)
		st = auth_limit_account(
		    state, x, &asked.lane.subject.account, &nobody);
	if (st != STATUS_OK)
		goto out;
	invite = calloc(1, sizeof(*invite));
	st = STATUS_NO_SPACE;
	if (!invite)
		goto out;
	*invite = (struct invite){
		.auth = state,
		.x = x,
		.subject = asked.lane.subject,
	};
	st = write_invite(invite);
	if (st == STATUS_PENDING)
		invite = NULL;
out:
	free(invite);
	sodium_memzero(&asked, sizeof(asked));
	return st;
}

/* ---- made by the owner ---- */

static void on_made(
    void *arg, enum status st, uint64_t generation, size_t failed_op)
{
	struct exchange *x = arg;
	struct auth *self = x->parked;

	(void)generation;
	(void)failed_op;
	if (st == STATUS_OK)
		audit_kick(self->service->audit, self->service->journal,
		    &x->ticket.account);
	exchange_finish(&x, st);
}

enum status on_invitation(void *state, struct exchange *x)
{
	struct auth *self = state;
	const struct subject subject = {
		.account = x->ticket.account,
		.known = true,
	};
	Auth__Invitation reply = AUTH__INVITATION__INIT;
	Auth__Empty *message;
	char code[INVITATION_TEXT_BYTES];
	struct db_batch *batch = NULL;
	struct sealed sealed;

	sealed_begin(&sealed, x);
	enum status st = sealed_unpack(
	    &sealed, self->keys, &auth__empty__descriptor, &message);
	if (st != STATUS_OK)
		goto out;
	batch = journal_db_batch(&subject);
	reply.expiry_ms = clock_wall_ms() + INVITATION_GOOD_MS;
	reply.code = code;
	st = auth_put_invitation(self, batch, &subject, code, reply.expiry_ms);
	if (st == STATUS_OK)
		st = sealed_reply(&sealed, &reply.base);
	put_event(self, batch, &subject.account, "invitation_made", "owner");
	x->parked = self;
	if (st == STATUS_OK)
		st = submit(self, x, &batch, on_made, x);
out:
	db_batch_destroy(&batch);
	sealed_end(&sealed);
	sodium_memzero(code, sizeof(code));
	return st;
}
