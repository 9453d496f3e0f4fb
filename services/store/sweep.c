#include "sweep_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

#define SLICE_MS  2 /* at a time on the loop, about */
#define PAUSE_MS  1 /* before the next slice */
#define TRIES_MAX 3 /* for an account that changes meanwhile */

/* A deletion is followed by batches of the outbox and the audit log, each of
 * which would make a sweep start over. */
#define SOON_MS 200

static enum step next_account(struct sweep *self);

/* ---- one step after the other ---- */

/* Until the next round, or the first of the accounts that are wanted. */
static void rest(struct sweep *self)
{
	uint64_t now = clock_interval_ms(), at = self->round_at_ms;

	for (size_t i = 0; i < self->wanted_count; i++)
		at = min_of(at, self->wanted[i].at_ms);
	self->resting = true;
	loop_timer_set(self->options.loop, &self->timer,
	    at > now + PAUSE_MS ? at - now : PAUSE_MS);
}

void sweep_run(struct sweep *self)
{
	uint64_t until = clock_interval_ms() + SLICE_MS;
	enum step step;

	do
		step = self->next(self);
	while (step == STEP_GO_ON && clock_interval_ms() < until);
	if (step == STEP_GO_ON || step == STEP_PAUSE)
		loop_timer_set(self->options.loop, &self->timer, PAUSE_MS);
	else if (step == STEP_REST)
		rest(self);
}

static void on_timer(void *arg)
{
	struct sweep *self = arg;

	self->resting = false;
	sweep_run(self);
}

/* Its rows go anyway, and in no order that makes sense here. */
static bool is_deleted(const struct sweep *self, const struct id *account)
{
	return orders_deleted(self->options.orders, account);
}

void sweep_let_go(struct sweep *self)
{
	usage_unpin(&self->usage);
	free(self->marks);
	self->marks = NULL;
	self->nodes_count = 0;
}

/* Take the first wanted account that is due; false without one. */
static bool take_wanted(struct sweep *self)
{
	uint64_t now = clock_interval_ms();

	for (size_t i = 0; i < self->wanted_count; i++) {
		if (self->wanted[i].at_ms > now)
			continue;
		self->account = self->wanted[i].account;
		self->wanted_count--;
		memmove(&self->wanted[i], &self->wanted[i + 1],
		    (self->wanted_count - i) * sizeof(self->wanted[0]));
		return true;
	}
	return false;
}

static void want(struct sweep *self, const struct id *account)
{
	uint64_t at_ms = clock_interval_ms() + SOON_MS;

	for (size_t i = 0; i < self->wanted_count; i++)
		if (id_equal(&self->wanted[i].account, account))
			return;
	if (self->wanted_count < WANTED_MAX)
		self->wanted[self->wanted_count++] =
		    (struct wanted){ *account, at_ms };
	else
		self->round_at_ms = min_of(self->round_at_ms, at_ms);
}

/* The round's next one: false when it is over, or not due yet. */
static bool take_next(struct sweep *self)
{
	struct db_account account;
	size_t count = 0;

	if (!self->in_round && clock_interval_ms() < self->round_at_ms)
		return false;
	const struct id *after = self->in_round ? &self->place : NULL;
	enum status st =
	    db_accounts(self->options.db, after, &account, 1, &count);
	self->in_round = st == STATUS_OK && count > 0;
	if (!self->in_round) {
		self->counts.rounds++;
		self->round_at_ms =
		    clock_interval_ms() + self->options.sweep_ms;
		return false;
	}
	self->place = self->account = account.id;
	return true;
}

static enum step next_account(struct sweep *self)
{
	struct db_account account;

	sweep_let_go(self);
	self->hurried = take_wanted(self);
	if (!self->hurried && !take_next(self))
		return STEP_REST;
	self->tries = 0;
	if (db_account_get(self->options.db, &self->account, &account) ==
		STATUS_OK &&
	    !account.removed && !is_deleted(self, &account.id))
		self->next = sweep_start_account;
	return STEP_GO_ON;
}

enum step sweep_leave(struct sweep *self)
{
	self->next = next_account;
	return STEP_GO_ON;
}

/* It cannot be done now: who is in a hurry is not left for the next round. */
enum step sweep_put_off(struct sweep *self)
{
	if (self->hurried)
		want(self, &self->account);
	return sweep_leave(self);
}

/* Something was met that should not be: an operator is to look. */
enum step sweep_give_up(struct sweep *self, const char *why, enum status st)
{
	char account[HEX_BYTES(ID_BYTES)];

	if (is_deleted(self, &self->account))
		return sweep_leave(self);
	hex_encode(account, slice_of(self->account.bytes, ID_BYTES));
	log_error(NULL, "sweep_stopped", "account=%s status=%s why=\"%s\"",
	    account, status_word(st), why);
	return sweep_leave(self);
}

/* A batch of the account was decided, or could not be submitted. */
enum step sweep_decided(struct sweep *self, enum status st, uint64_t generation)
{
	switch (st) {
	case STATUS_OK:
		self->generation = generation;
		return STEP_GO_ON;
	case STATUS_CONFLICT:
		/* It changed meanwhile: all that was marked may be wrong. */
		sweep_let_go(self);
		if (++self->tries == TRIES_MAX)
			return sweep_put_off(self);
		self->next = sweep_start_account;
		return STEP_GO_ON;
	case STATUS_BUSY:
		return sweep_put_off(self);
	case STATUS_UNAVAILABLE:
		return sweep_leave(self);
	default:
		return sweep_give_up(self, "its batch was refused", st);
	}
}

enum step sweep_submit(
    struct sweep *self, struct db_batch *batch, db_done_fn *done)
{
	enum status st = db_submit(self->options.db, &batch, done, self);

	db_batch_destroy(&batch);
	return st == STATUS_PENDING ? STEP_WAIT : sweep_decided(self, st, 0);
}

/* ---- life ---- */

enum status sweep_new(const struct sweep_options *options, struct sweep **out)
{
	struct sweep *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->options = *options;
	self->next = next_account;
	self->timer = (struct timer){ .fired = on_timer, .arg = self };
	self->round_at_ms = clock_interval_ms() + options->sweep_ms;
	rest(self);
	*out = self;
	return STATUS_OK;
}

void sweep_destroy(struct sweep **self_p)
{
	struct sweep *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->options.loop, &self->timer);
	sweep_let_go(self);
	free(self->nodes);
	free(self->doomed);
	db_page_clear(&self->page);
	free(self);
	*self_p = NULL;
}

void sweep_soon(struct sweep *self, const struct id *account)
{
	want(self, account);
	if (self->resting)
		rest(self);
}

struct sweep_counts sweep_counts(const struct sweep *self)
{
	return self->counts;
}
