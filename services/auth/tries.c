#include "tries.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "service/draft.h"
#include "sessions_db.h"

#define KICK_BATCHES  3
#define BUSY_RETRY_MS 200
#define ROUNDS_MAX    8    /* races lost in a row */
#define WATCHES_MAX   1024 /* others are looked at with the next try */

struct tries {
	struct service *service; /* borrowed */
	struct db *journal;      /* the service's */
	struct outbox *outbox;   /* of the journal */
	struct watch *watches;   /* lanes whose last try is open */
	size_t watches_count;
};

/* A lane that silence will shut, if nothing else is heard. */
struct watch {
	struct watch *next, *previous;
	struct tries *tries;
	struct timer timer;
	struct turn turn;
};

static void watch_end(struct watch *watch)
{
	struct tries *self = watch->tries;

	loop_timer_cancel(self->service->program.loop, &watch->timer);
	if (watch->previous)
		watch->previous->next = watch->next;
	else
		self->watches = watch->next;
	if (watch->next)
		watch->next->previous = watch->previous;
	self->watches_count--;
	free(watch);
}

enum status tries_new(struct tries **out, struct service *service)
{
	struct tries *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	*out = self; /* closed by tries_destroy, whatever follows */
	self->service = service;
	self->journal = service->journal;
	return outbox_new(self->journal, service->db, service->keyring,
	    service->program.loop, service->peers, &self->outbox);
}

void tries_destroy(struct tries **self_p)
{
	struct tries *self = *self_p;

	if (!self)
		return;
	while (self->watches)
		watch_end(self->watches);
	outbox_destroy(&self->outbox);
	free(self);
	*self_p = NULL;
}

void tries_id(struct id *out, const struct header *header, struct slice body)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, ID_BYTES);
	crypto_generichash_update(&state, header->request.bytes, ID_BYTES);
	crypto_generichash_update(
	    &state, header->peer.id, sizeof(header->peer.id));
	crypto_generichash_update(&state, body.data, body.len);
	crypto_generichash_final(&state, out->bytes, ID_BYTES);
}

/* ---- reading ---- */

/* A lane without a row, where the journal does not go back to its begin. */
static enum status lane_unknown(
    struct tries *self, const struct turn *turn, struct lane *lane)
{
	uint64_t since_ms = self->service->journal_since_ms, trusted_ms;

	if (since_ms == 0)
		return STATUS_OK;
	enum status st = journal_db_moment(
	    self->journal, &turn->key.subject, MOMENT_TRUSTED, &trusted_ms);
	if (st != STATUS_NOT_FOUND)
		return st;
	/* Names that are nobody's do as if they were old: so must all. */
	if (turn->key.kind == LANE_STRANGER || turn->created_ms < since_ms)
		lane_forgotten(lane, turn->key.kind, since_ms);
	return STATUS_OK;
}

static enum status read_lane(struct tries *self, struct turn *turn)
{
	enum status st =
	    journal_db_lane(self->journal, &turn->key, &turn->found);

	turn->is_there = st == STATUS_OK;
	turn->lane = turn->found;
	if (st == STATUS_NOT_FOUND)
		st = lane_unknown(self, turn, &turn->lane);
	return st;
}

/* ---- telling the owner ---- */

enum status tries_tell(struct tries *self, struct db_batch *batch,
    const struct subject *subject, Notify__Notice *notice)
{
	if (!subject->known)
		return journal_db_put_moment(self->journal, batch, subject,
		    MOMENT_NOTHING, clock_wall_ms());
	outbox_put(self->outbox, batch, &subject->account, notice);
	return STATUS_OK;
}

void tries_kick(struct tries *self, const struct subject *subject)
{
	if (subject->known) {
		audit_kick(
		    self->service->audit, self->journal, &subject->account);
		/* The link closes before the last commits are done. */
		if (self->service->peers[ROLE_NOTIFY])
			outbox_kick(self->outbox, &subject->account);
		return;
	}
	/* Of an owner what was told is deleted, and the event is put on record
	 * and off its row: so is nothing, in as many batches. */
	for (unsigned int i = 0; i < KICK_BATCHES; i++) {
		struct db_batch *batch = journal_db_batch(subject);
		journal_db_delete_moment(batch, subject, MOMENT_NOTHING);
		(void)db_submit(self->journal, &batch, NULL, NULL);
		db_batch_destroy(&batch);
	}
}

static void put_shut(
    struct tries *self, struct db_batch *batch, const struct lane_key *key)
{
	static const char *const ways[] = {
		[LANE_BOUND] = "three wrong tries by a bound terminal",
		[LANE_INVITED] = "three wrong tries with an invitation",
		[LANE_STRANGER] = "three wrong tries by strangers",
	};

	audit_put_journal(self->service->audit, batch, &key->subject.account,
	    &(struct audit_event){ .action = "code_locked",
		.actor = "system",
		.terminal = key->kind == LANE_BOUND ? &key->terminal : NULL,
		.detail = ways[key->kind] });
}

static enum status tell_shut(
    struct tries *self, struct db_batch *batch, const struct turn *turn)
{
	struct draft draft;

	draft_begin(&draft, NOTIFY__KIND__CODE_LOCKED,
	    turn->key.kind == LANE_BOUND ? &turn->key.terminal : NULL);
	draft_add(&draft, "lane", turn->key.kind);
	draft_add(&draft, "code", turn->key.code);
	if (turn->key.subject.known)
		put_shut(self, batch, &turn->key);
	return tries_tell(self, batch, &turn->key.subject, &draft.notice);
}

/* The first proof of late by a terminal that is not bound. */
static enum status tell_login(
    struct tries *self, struct db_batch *batch, const struct turn *turn)
{
	struct draft draft;

	draft_begin(&draft, NOTIFY__KIND__NEW_LOGIN, NULL);
	draft_add(&draft, "lane", turn->key.kind);
	audit_put_journal(self->service->audit, batch,
	    &turn->key.subject.account,
	    &(struct audit_event){ .action = "new_login",
		.actor =
		    turn->key.kind == LANE_INVITED ? "invited" : "stranger" });
	return tries_tell(self, batch, &turn->key.subject, &draft.notice);
}

/* ---- a turn ---- */

static enum status begin_round(struct turn *turn);
static enum status act_take(struct turn *turn, uint64_t now_ms, bool *shuts);
static enum status act_give_back(
    struct turn *turn, uint64_t now_ms, bool *shuts);
static void watch_lane(struct tries *self, const struct lane_key *key);

static void on_kept(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct turn *turn = arg;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK && (turn->shuts || turn->signs_in))
		tries_kick(turn->tries, &turn->key.subject);
	if (status == STATUS_OK && turn->act == act_take &&
	    turn->outcome == STATUS_OK && lane_remaining(&turn->lane) == 0)
		watch_lane(turn->tries, &turn->key);
	if (status == STATUS_OK)
		status = turn->outcome;
	else if (status == STATUS_CONFLICT)
		status = begin_round(turn);
	if (status != STATUS_PENDING)
		turn->done(turn->arg, status);
}

static enum status write_lane(struct tries *self, struct turn *turn)
{
	struct db_batch *batch = journal_db_batch(&turn->key.subject);

	enum status st = journal_db_put_lane(self->journal, batch, &turn->key,
	    turn->is_there ? &turn->found : NULL, &turn->lane);
	if (turn->act == act_give_back && turn->invitation)
		journal_db_delete_invitation(
		    batch, &turn->key.subject, turn->invitation);
	if (st == STATUS_OK && turn->shuts)
		st = tell_shut(self, batch, turn);
	turn->signs_in = false;
	if (st == STATUS_OK && turn->ticket)
		turn->signs_in =
		    !sessions_put(self->journal, batch, turn->ticket) &&
		    turn->key.kind != LANE_BOUND;
	if (st == STATUS_OK && turn->signs_in)
		st = tell_login(self, batch, turn);
	if (st == STATUS_OK)
		st = db_submit(self->journal, &batch, on_kept, turn);
	if (st == STATUS_BUSY)
		turn->retry_ms = BUSY_RETRY_MS;
	db_batch_destroy(&batch);
	return st;
}

/* Returns PENDING or the outcome. */
static enum status begin_round(struct turn *turn)
{
	struct tries *self = turn->tries;
	uint64_t now_ms = clock_wall_ms();

	turn->retry_ms = BUSY_RETRY_MS;
	if (turn->rounds++ == ROUNDS_MAX)
		return STATUS_BUSY;
	enum status st = read_lane(self, turn);
	if (st != STATUS_OK)
		return st;
	turn->shuts = lane_age(&turn->lane, now_ms);
	turn->outcome = turn->act(turn, now_ms, &turn->shuts);
	if (turn->outcome != STATUS_OK && !turn->shuts)
		return turn->outcome;
	return write_lane(self, turn);
}

static enum status begin(struct tries *self, struct turn *turn,
    enum status (*act)(struct turn *turn, uint64_t now_ms, bool *shuts))
{
	turn->tries = self;
	turn->act = act;
	turn->rounds = 0;
	return begin_round(turn);
}

static enum status act_take(struct turn *turn, uint64_t now_ms, bool *shuts)
{
	(void)shuts;
	return lane_take(&turn->lane, &turn->id, now_ms, &turn->retry_ms);
}

/* Only what the time has done. */
static enum status act_age(struct turn *turn, uint64_t now_ms, bool *shuts)
{
	(void)turn;
	(void)now_ms;
	return *shuts ? STATUS_OK : STATUS_NOT_FOUND;
}

static void on_watched(void *arg, enum status status)
{
	(void)status; /* where it failed the next try finds the same */
	watch_end(arg);
}

static void on_silence(void *arg)
{
	struct watch *watch = arg;

	enum status st = begin(watch->tries, &watch->turn, act_age);
	if (st != STATUS_PENDING)
		watch_end(watch);
}

/* The last try of a lane was taken: look what becomes of it. */
static void watch_lane(struct tries *self, const struct lane_key *key)
{
	struct watch *watch;

	if (self->watches_count == WATCHES_MAX)
		return;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return;
	watch->tries = self;
	watch->timer = (struct timer){ .fired = on_silence, .arg = watch };
	watch->turn = (struct turn){
		.key = *key,
		.done = on_watched,
		.arg = watch,
	};
	watch->next = self->watches;
	if (self->watches)
		self->watches->previous = watch;
	self->watches = watch;
	self->watches_count++;
	loop_timer_set(
	    self->service->program.loop, &watch->timer, LANE_OPEN_MS_MAX + 1);
}

static enum status act_fail(struct turn *turn, uint64_t now_ms, bool *shuts)
{
	*shuts |= lane_fail(&turn->lane, &turn->id, now_ms);
	return STATUS_OK;
}

static enum status act_give_back(
    struct turn *turn, uint64_t now_ms, bool *shuts)
{
	(void)now_ms;
	lane_give_back(&turn->lane, &turn->id);
	*shuts &= lane_shut(&turn->lane);
	return STATUS_OK;
}

static enum status act_renew(struct turn *turn, uint64_t now_ms, bool *shuts)
{
	(void)now_ms;
	(void)shuts;
	lane_renew(&turn->lane);
	return STATUS_OK;
}

static enum status act_unlock(struct turn *turn, uint64_t now_ms, bool *shuts)
{
	(void)now_ms;
	*shuts = false;
	return lane_unlock(&turn->lane);
}

static enum status act_hand_back(
    struct turn *turn, uint64_t now_ms, bool *shuts)
{
	(void)now_ms;
	*shuts = false;
	return lane_hand_back(&turn->lane);
}

enum status tries_take(struct tries *self, struct turn *turn)
{
	return begin(self, turn, act_take);
}

enum status tries_fail(struct tries *self, struct turn *turn)
{
	return begin(self, turn, act_fail);
}

enum status tries_give_back(struct tries *self, struct turn *turn)
{
	return begin(self, turn, act_give_back);
}

enum status tries_renew(struct tries *self, struct turn *turn)
{
	return begin(self, turn, act_renew);
}

enum status tries_unlock(struct tries *self, struct turn *turn)
{
	return begin(self, turn, act_unlock);
}

enum status tries_hand_back(struct tries *self, struct turn *turn)
{
	return begin(self, turn, act_hand_back);
}

enum status tries_trust(
    struct tries *self, const struct id *account, db_done_fn *done, void *arg)
{
	const struct subject subject = { .account = *account, .known = true };
	struct db_batch *batch = journal_db_batch(&subject);

	enum status st = journal_db_put_moment(
	    self->journal, batch, &subject, MOMENT_TRUSTED, clock_wall_ms());
	if (st == STATUS_OK)
		st = db_submit(self->journal, &batch, done, arg);
	db_batch_destroy(&batch);
	return st;
}
