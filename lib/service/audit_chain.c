#include "service/audit_chain.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "service/audit_heads.h"
#include "service/tables.h"

#define ROWS_MAX       768 /* events in memory; the rest is found again */
#define NOTES_MAX      256 /* events in memory that have no row */
#define APPEND_MAX     128 /* records of one batch */
#define RETRY_MS_FIRST 500
#define RETRY_MS_MAX   60000

_Static_assert(1 + APPEND_MAX * AUDIT_RECORD_OPS <= DB_BATCH_OPS_MAX,
    "a batch holds them");

/* An event on its way from its row, or from nowhere, into the chain. */
struct event {
	struct event *next, *previous;
	struct audit_fact fact;
	struct db *db; /* where its row is; NULL: it has none */
	enum { WAITING, APPENDING, RECORDED, REMOVING } state;
	size_t run; /* of the first one of a removal: how many it removes */
	audit_done_fn *done;
	void *arg;
	struct audit_chain *chain;
};

/* What is tried again, after longer and longer. */
struct again {
	struct timer timer;
	uint64_t pause_ms;
};

struct audit_chain {
	char service[AUDIT_SERVICE_BYTES_MAX + 1];
	struct loop *loop;
	struct db *journal;
	struct audit_signer *signer;
	bool connected; /* to the databases */

	struct event *first, *last; /* in order of arrival */
	size_t rows, notes;         /* those with a row, and without */
	loop_fn *emptied;
	void *emptied_arg;
	audit_recorded_fn *recorded;
	void *recorded_arg;

	struct audit_tip tip;  /* on the disk */
	struct audit_tip next; /* and with the batch under way */
	bool appending;        /* one batch at a time */
	struct again append, removal;

	struct timer export;
	uint64_t export_ms;
	bool export_begun;
	uint64_t exported; /* sequence of the latest head that was */
	char heads[AUDIT_PATH_BYTES];

	struct timer stop;
	loop_fn *stopped;
	void *stopped_arg;
};

/* ---- events in memory ---- */

static struct event *event_new(
    struct audit_chain *self, const struct audit_fact *fact, struct db *db)
{
	struct event *event = calloc(1, sizeof(*event));

	if (!event) {
		log_error(NULL, "no_memory", NULL);
		return NULL;
	}
	event->chain = self;
	event->fact = *fact;
	event->db = db;
	event->previous = self->last;
	if (self->last)
		self->last->next = event;
	else
		self->first = event;
	self->last = event;
	if (db)
		self->rows++;
	else
		self->notes++;
	return event;
}

static void event_destroy(struct event **event_p)
{
	struct event *event = *event_p;
	struct audit_chain *self = event->chain;

	if (event->previous)
		event->previous->next = event->next;
	else
		self->first = event->next;
	if (event->next)
		event->next->previous = event->previous;
	else
		self->last = event->previous;
	bool has_row = event->db != NULL;
	if (has_row)
		self->rows--;
	else
		self->notes--;
	free(event);
	*event_p = NULL;
	if (has_row && self->rows == 0 && self->connected)
		self->emptied(self->emptied_arg);
}

static bool is_known(const struct audit_chain *self, const struct db *db,
    const struct audit_fact *fact)
{
	const struct event *event = self->first;

	while (event &&
	       (event->db != db || !id_equal(&event->fact.event, &fact->event)))
		event = event->next;
	return event != NULL;
}

static void check_stopped(struct audit_chain *self)
{
	bool waits = self->appending;

	for (const struct event *event = self->first; event && !waits;
	     event = event->next)
		waits = event->state == WAITING;
	if (waits || !self->stopped)
		return;
	loop_fn *stopped = self->stopped;
	self->stopped = NULL;
	loop_timer_cancel(self->loop, &self->stop);
	stopped(self->stopped_arg);
}

static void try_again(struct audit_chain *self, struct again *again)
{
	if (!self->connected || again->timer.is_set)
		return;
	loop_timer_set(self->loop, &again->timer, again->pause_ms);
	again->pause_ms = min_of(again->pause_ms * 2, (uint64_t)RETRY_MS_MAX);
}

/* ---- heads ---- */

static void export_head(struct audit_chain *self)
{
	const struct audit_tip *tip = &self->tip;

	self->export_begun = true;
	if (tip->line[0] == '\0' || self->exported == tip->head.sequence)
		return;
	if (audit_heads_append(self->heads, tip->line) == STATUS_OK)
		self->exported = tip->head.sequence;
}

static void on_export(void *arg)
{
	struct audit_chain *self = arg;

	export_head(self);
	loop_timer_set(self->loop, &self->export, self->export_ms);
}

/* ---- out of the rows ---- */

static void on_removed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct event *event = arg, *next;
	struct audit_chain *self = event->chain;
	/* A removed account has taken its rows along. */
	bool gone = status == STATUS_OK || status == STATUS_CONFLICT;
	size_t run = event->run;

	(void)generation;
	(void)failed_op;
	for (size_t i = 0; i < run; i++, event = next) {
		next = event->next;
		if (gone)
			event_destroy(&event);
		else
			event->state = RECORDED;
	}
	if (!gone)
		try_again(self, &self->removal);
	else
		self->removal.pause_ms = RETRY_MS_FIRST;
}

/* Whether ${event} can go in one batch with ${first}. */
static bool goes_with(const struct event *event, const struct event *first)
{
	return event && event->state == RECORDED && event->db == first->db &&
	       id_equal(&event->fact.account, &first->fact.account);
}

/* Delete the rows of ${first} and of those of its account that follow. */
static void remove_run(struct event *first)
{
	struct db_batch *batch =
	    db_batch_new(&first->fact.account, DB_GENERATION_ANY, NULL);
	uint8_t key[AUDIT_STAMP_BYTES];
	struct event *event = first;

	first->run = 0;
	for (; goes_with(event, first) && first->run < APPEND_MAX;
	     event = event->next) {
		audit_pending_key(key, &event->fact);
		db_batch_delete(batch, TABLE_AUDIT, slice_of(key, sizeof(key)));
		first->run++;
	}
	event = first;
	if (db_submit(first->db, &batch, on_removed, first) == STATUS_PENDING)
		for (size_t i = 0; i < first->run; i++, event = event->next)
			event->state = REMOVING;
	else
		try_again(first->chain, &first->chain->removal);
	db_batch_destroy(&batch);
}

static void remove_rows(struct audit_chain *self)
{
	struct event *event = self->first;

	while (event && self->connected) {
		struct event *at = event;
		event = event->next;
		if (at->state != RECORDED)
			continue;
		remove_run(at);
		for (size_t i = 1; i < at->run; i++)
			event = event->next;
	}
}

/* ---- into the chain ---- */

static void append_next(struct audit_chain *self);

static void tell_recorded(
    const struct audit_chain *self, const struct event *event)
{
	if (self->recorded)
		self->recorded(self->recorded_arg, &event->fact);
}

/* What was under way is in the chain, or not; tell who waits for it. */
static void settle(struct audit_chain *self, enum status status)
{
	struct event *event = self->first, *next;

	for (; event; event = next) {
		next = event->next;
		if (event->state != APPENDING)
			continue;
		audit_done_fn *done = event->done;
		void *arg = event->arg;
		if (status == STATUS_OK)
			tell_recorded(self, event);
		if (status != STATUS_OK && !done)
			event->state = WAITING;
		else if (event->db)
			event->state = RECORDED;
		else
			event_destroy(&event);
		if (done)
			done(arg, status);
	}
}

/* After a batch of which nobody knows whether it happened. */
static void find_recorded(struct audit_chain *self)
{
	struct event *event = self->first, *next;

	for (; event; event = next) {
		next = event->next;
		if (event->state != WAITING ||
		    !audit_is_recorded(self->journal, &event->fact))
			continue;
		tell_recorded(self, event);
		if (event->db)
			event->state = RECORDED;
		else
			event_destroy(&event);
	}
}

static void append_failed(struct audit_chain *self, enum status status)
{
	log_error(NULL, "audit_waits", "status=%s", status_word(status));
	settle(self, status);
	self->appending = false;
	if (self->connected &&
	    (status == STATUS_UNKNOWN || status == STATUS_CONFLICT) &&
	    audit_tip_load(&self->tip, self->journal, self->service,
		self->signer) == STATUS_OK)
		find_recorded(self);
	try_again(self, &self->append);
	check_stopped(self);
}

static void on_appended(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct audit_chain *self = arg;

	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK) {
		append_failed(self, status);
		return;
	}
	self->append.pause_ms = RETRY_MS_FIRST;
	self->tip = self->next;
	settle(self, STATUS_OK);
	self->appending = false;
	/* The first one covers what the last run did not come to export. */
	if (!self->export_begun)
		export_head(self);
	remove_rows(self);
	append_next(self);
	check_stopped(self);
}

static void append_next(struct audit_chain *self)
{
	struct audit_tip *next = &self->next;
	size_t count = 0;

	if (self->appending || !self->connected || self->append.timer.is_set)
		return;
	struct db_batch *batch =
	    db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
	*next = self->tip;
	for (struct event *event = self->first; event && count < APPEND_MAX;
	     event = event->next) {
		if (event->state != WAITING)
			continue;
		audit_tip_put_record(next, batch, &event->fact);
		event->state = APPENDING;
		count++;
	}
	if (count == 0)
		goto out;
	audit_tip_put_head(next, batch, self->service, self->signer);
	self->appending = true;
	enum status st = db_submit(self->journal, &batch, on_appended, self);
	if (st != STATUS_PENDING)
		append_failed(self, st);
out:
	db_batch_destroy(&batch);
}

static void on_append_again(void *arg)
{
	append_next(arg);
}

static void on_removal_again(void *arg)
{
	remove_rows(arg);
}

/* ---- for audit.c ---- */

void audit_chain_tell(
    struct audit_chain *self, audit_recorded_fn *recorded, void *arg)
{
	self->recorded = recorded;
	self->recorded_arg = arg;
}

enum status audit_chain_add(struct audit_chain *self,
    const struct audit_fact *fact, struct db *db, audit_done_fn *done,
    void *arg)
{
	if (!self->connected)
		return STATUS_UNAVAILABLE;
	if (db && is_known(self, db, fact))
		return STATUS_OK;
	if (db ? self->rows >= ROWS_MAX : self->notes >= NOTES_MAX)
		return STATUS_BUSY;
	struct event *event = event_new(self, fact, db);
	if (!event)
		return STATUS_NO_SPACE;
	event->done = done;
	event->arg = arg;
	if (db && audit_is_recorded(self->journal, fact))
		event->state = RECORDED; /* by an earlier run */
	return STATUS_OK;
}

void audit_chain_go(struct audit_chain *self)
{
	remove_rows(self);
	append_next(self);
}

uint64_t audit_chain_records(const struct audit_chain *self)
{
	return self->tip.sequence - 1;
}

uint64_t audit_chain_pending(const struct audit_chain *self)
{
	uint64_t count = 0;

	for (const struct event *event = self->first; event;
	     event = event->next)
		count += event->state == WAITING || event->state == APPENDING;
	return count;
}

bool audit_chain_has_rows(const struct audit_chain *self)
{
	return self->rows > 0;
}

/* ---- life ---- */

static void on_stop_time(void *arg)
{
	struct audit_chain *self = arg;
	loop_fn *stopped = self->stopped;

	log_warning(NULL, "audit_left", "events=%llu",
	    (unsigned long long)audit_chain_pending(self));
	self->stopped = NULL;
	stopped(self->stopped_arg);
}

void audit_chain_stop(
    struct audit_chain *self, uint64_t in_ms, loop_fn *stopped, void *arg)
{
	self->stopped = stopped;
	self->stopped_arg = arg;
	loop_timer_set(self->loop, &self->stop, in_ms);
	check_stopped(self);
}

enum status audit_chain_new(struct audit_chain **out, const struct conf *conf,
    const char *service, struct loop *loop, struct db *journal,
    loop_fn *emptied, void *arg)
{
	struct audit_chain *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	snprintf(self->service, sizeof(self->service), "%s", service);
	self->loop = loop;
	self->journal = journal;
	self->emptied = emptied;
	self->emptied_arg = arg;
	self->append.timer =
	    (struct timer){ .fired = on_append_again, .arg = self };
	self->append.pause_ms = RETRY_MS_FIRST;
	self->removal.timer =
	    (struct timer){ .fired = on_removal_again, .arg = self };
	self->removal.pause_ms = RETRY_MS_FIRST;
	self->export = (struct timer){ .fired = on_export, .arg = self };
	self->stop = (struct timer){ .fired = on_stop_time, .arg = self };
	self->export_ms = conf_number(conf, "common", "audit_head_ms");
	audit_heads_path(self->heads, conf, service);
	enum status st = audit_signer_new(&self->signer, conf, service);
	if (st == STATUS_OK)
		st = audit_tip_load(
		    &self->tip, self->journal, self->service, self->signer);
	if (st != STATUS_OK) {
		audit_chain_destroy(&self);
		return st;
	}
	self->connected = true;
	loop_timer_set(loop, &self->export, self->export_ms);
	*out = self;
	return STATUS_OK;
}

void audit_chain_disconnect(struct audit_chain *self)
{
	struct event *event = self->first, *next;

	self->connected = false;
	for (; event; event = next) {
		next = event->next;
		if (event->state != WAITING || !event->done)
			continue;
		audit_done_fn *done = event->done;
		void *arg = event->arg;
		event_destroy(&event);
		done(arg, STATUS_UNAVAILABLE);
	}
}

void audit_chain_destroy(struct audit_chain **self_p)
{
	struct audit_chain *self = *self_p;

	if (!self)
		return;
	self->connected = false;
	loop_timer_cancel(self->loop, &self->append.timer);
	loop_timer_cancel(self->loop, &self->removal.timer);
	loop_timer_cancel(self->loop, &self->export);
	loop_timer_cancel(self->loop, &self->stop);
	if (self->signer)
		export_head(self);
	while (self->first) {
		struct event *event = self->first;
		event_destroy(&event);
	}
	audit_signer_destroy(&self->signer);
	free(self);
	*self_p = NULL;
}
