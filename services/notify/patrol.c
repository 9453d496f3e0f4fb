#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "notify.h"

/*
 * All accounts are looked through in slices, from the start on and again
 * from time to time: for notices that an earlier run left, for those that
 * are too old, for leases of subscriptions that lapsed while we were not
 * there, and to put the figures right.
 */

#define ACCOUNTS_A_STEP 64
#define PERIOD_PARTS    100 /* of give_up_ms: nothing stays 1 % too long */
#define PERIOD_MS_MIN   100
#define PERIOD_MS_MAX   (10 * 60 * 1000)

/* ---- dead letters ---- */

struct burial {
	struct notify *notify;
	struct id account;
	struct buried buried;
};

static void bury(struct notify *self, const struct id *account);

static void on_buried(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct burial *burial = arg;
	struct notify *self = burial->notify;
	const struct buried *buried = &burial->buried;

	(void)generation;
	(void)failed_op;
	/* What was acknowledged meanwhile waits for the next patrol. */
	if (status == STATUS_OK) {
		log_warning(NULL, "notices_given_up",
		    "notices=%llu dead_letters=%llu",
		    (unsigned long long)buried->notices,
		    (unsigned long long)buried->letters);
		notify_lower(&self->totals.notices, buried->notices);
		notify_lower(&self->totals.deliveries, buried->deliveries);
		self->totals.letters += buried->letters;
		audit_kick(self->service->audit, self->db, &burial->account);
		bury(self, &burial->account); /* there may be more */
	}
	free(burial);
}

static void put_event(
    struct notify *self, struct db_batch *batch, const struct burial *burial)
{
	char detail[64];

	snprintf(detail, sizeof(detail), "notices given up: %llu",
	    (unsigned long long)burial->buried.notices);
	audit_put(self->service->audit, batch, &burial->account,
	    &(struct audit_event){
		.action = "dead_letter", .actor = "system", .detail = detail });
}

static void bury(struct notify *self, const struct id *account)
{
	uint64_t now = clock_wall_ms();
	struct burial *burial = NULL;
	struct db_batch *batch = NULL;

	if (now < self->give_up_ms)
		goto out;
	burial = calloc(1, sizeof(*burial));
	batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	if (!burial || !batch)
		goto out;
	burial->notify = self;
	burial->account = *account;
	if (notify_db_bury(&self->rows, batch, account, now - self->give_up_ms,
		now, &burial->buried) != STATUS_OK ||
	    burial->buried.notices == 0)
		goto out;
	put_event(self, batch, burial);
	if (db_submit(self->db, &batch, on_buried, burial) == STATUS_PENDING)
		burial = NULL;
out:
	db_batch_destroy(&batch);
	free(burial);
}

/* ---- leases ---- */

static void sweep_leases(struct notify *self, const struct id *account)
{
	uint64_t now = clock_wall_ms();
	struct lease leases[LEASES_A_PAGE];
	struct db_batch *batch = NULL;
	size_t count;

	/* Those that a restart has cut may still be renewed. */
	if (clock_interval_ms() - self->started_ms < PRESENCE_MS ||
	    notify_db_leases(&self->rows, account, leases, &count) != STATUS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (presences_find(self->presences, &leases[i].terminal) ||
		    !schedule_is_over(leases[i].opened_ms, now, PRESENCE_MS))
			continue;
		if (!batch)
			batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
		notify_db_delete_lease(batch, &leases[i].terminal);
	}
	if (batch)
		db_submit(self->db, &batch, NULL, NULL);
	db_batch_destroy(&batch);
}

/* ---- the round ---- */

static void look_into(struct notify *self, const struct id *account)
{
	bool arrived;

	bury(self, account);
	if (notify_db_has_arrived(&self->rows, account, &arrived) ==
		STATUS_OK &&
	    arrived)
		expand_resume(self, account);
	sweep_leases(self, account);
	notify_db_count(&self->rows, account, &self->counting);
}

static void on_patrol(void *arg)
{
	struct notify *self = arg;
	uint64_t pause_ms = self->give_up_ms / PERIOD_PARTS;
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = 0;

	enum status st = db_accounts(self->db,
	    id_is_none(&self->patrolled) ? NULL : &self->patrolled, accounts,
	    nitems(accounts), &count);
	for (size_t i = 0; i < count && st == STATUS_OK; i++)
		if (!accounts[i].removed &&
		    !orders_deleted(self->service->orders, &accounts[i].id))
			look_into(self, &accounts[i].id);
	if (st == STATUS_OK && count == nitems(accounts)) {
		self->patrolled = accounts[count - 1].id;
		notify_arrange(self, &self->patrol, clock_interval_ms());
		return;
	}
	if (st == STATUS_OK)
		self->totals = self->counting;
	self->counting = (struct totals){ 0 };
	self->patrolled = (struct id){ 0 };
	pause_ms = max_of(pause_ms, (uint64_t)PERIOD_MS_MIN);
	pause_ms = min_of(pause_ms, (uint64_t)PERIOD_MS_MAX);
	notify_arrange(self, &self->patrol, clock_interval_ms() + pause_ms);
}

void patrol_begin(struct notify *self)
{
	self->patrol.kept = on_patrol;
	self->patrol.arg = self;
	notify_arrange(self, &self->patrol, clock_interval_ms());
}
