#ifndef KEEPSAKE_NOTIFY_NOTIFY_H
#define KEEPSAKE_NOTIFY_NOTIFY_H

#include "notify_db.h"
#include "presence.h"
#include "service/service.h"

/*
 * The way of a notice: tell.c takes it from a service, expand.c finds out
 * for whom it is, push.c sends it, subscribe.c knows to where, patrol.c
 * looks after what an earlier run left and what is too old.  The rows are
 * the truth: memory only says what to look at next.
 */

struct expansion; /* one account whose notices have no deliveries yet */

struct notify {
	struct service *service;
	struct db *db;
	struct notify_db rows;                       /* of that database */
	uint64_t retry_ms, retry_ms_max, give_up_ms; /* settings */
	uint64_t started_ms;                         /* on clock_interval_ms */

	struct presences *presences;
	struct expansion *expansions;
	size_t expansions_count;

	struct schedule schedule; /* of presences, expansions, patrol */
	struct timer timer;       /* the soonest of them */

	struct appointment patrol;
	struct id patrolled;    /* the last account looked into */
	struct totals counting; /* of those */
	struct totals totals;   /* figures */
	uint64_t pushed, acknowledged, fetched;
};

/* ---- dispatch.c ---- */

extern const struct handler notify_handlers[];
extern const size_t notify_handlers_count;

/** For service_kind. */
enum status notify_open(struct service *service, void **state_out);
void notify_close(void **state_p);
enum status notify_migrate(
    struct service *service, struct db *db, uint32_t from);
void notify_figures(void *state, struct exchange *exchange,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value));

/** Set ${appointment} for ${due_ms}, on clock_interval_ms; or never. */
void notify_arrange(
    struct notify *self, struct appointment *appointment, uint64_t due_ms);

/** Lower a figure, not below 0. */
void notify_lower(uint64_t *figure, uint64_t by);

/* ---- tell.c ---- */

enum status notify_on_tell(void *state, struct exchange *exchange);

/* ---- expand.c ---- */

/** A notice of ${account} has arrived: have it delivered, at once. */
void expand_account(struct notify *self, const struct id *account);

/** The same for what an earlier try left, unless one is in hand. */
void expand_resume(struct notify *self, const struct id *account);

void expand_destroy_all(struct notify *self);

/* ---- subscribe.c ---- */

enum status notify_on_subscribe(void *state, struct exchange *exchange);

/**
 * Check the ticket of a terminal that wants its notices: a bound one's, and
 * either not expired or kept good by its subscription.
 *
 * STATUS_OK        it is good
 * STATUS_CONFLICT  the terminal is not bound
 * STATUS_EXPIRED   authenticate again
 */
enum status subscription_check(struct notify *self, struct exchange *exchange);

/** Something waits for ${terminal}: push it if it is present. */
void subscription_wake(struct notify *self, const struct id *terminal);

/** The same for all terminals of an account. */
void subscription_wake_account(struct notify *self, const struct id *account);

/** Arrange what comes next for a presence, after its times were changed. */
void subscription_arrange(struct notify *self, struct presence *presence);

/* ---- push.c ---- */

enum status notify_on_fetch(void *state, struct exchange *exchange);
enum status notify_on_ack(void *state, struct exchange *exchange);

/** Send what is due, and set when to come again. */
void push_due(struct notify *self, struct presence *presence);

/* ---- dispatch_rules.c ---- */

enum status notify_on_rules(void *state, struct exchange *exchange);
enum status notify_on_set_rules(void *state, struct exchange *exchange);

/* ---- dispatch_ops.c: what keepsakectl asks ---- */

enum status notify_on_queue(void *state, struct exchange *exchange);
enum status notify_on_dead_letters(void *state, struct exchange *exchange);
enum status notify_on_waiting(void *state, struct exchange *exchange);
enum status notify_on_export(void *state, struct exchange *exchange);
enum status notify_on_resend(void *state, struct exchange *exchange);

/* ---- patrol.c ---- */

/** Begin to look through all accounts, and again from time to time. */
void patrol_begin(struct notify *self);

/* verify.c: what is looked at, see service/verify.h. */
extern const struct verify_tables notify_verify;

#endif
