#ifndef KEEPSAKE_SERVICE_AUDIT_H
#define KEEPSAKE_SERVICE_AUDIT_H

#include "base/conf.h"
#include "bus/loop.h"
#include "db/db.h"
#include "service/audit_chain.h"
#include "service/keyring.h"

/*
 * Who did what to which entry when (O-06).  An event is a row of the
 * account's batch, so it is there if, and only if, the change is.  From
 * there it moves into the service's chain, in its journal: each record holds
 * the hash of the one before it.  Who did it and the details are sealed
 * under the account's key, so that they go with the account and the chain
 * stays whole.
 *
 * Each append signs the new head of the chain.  Every hour, and when the
 * service stops, that line is appended to the heads file, of which the
 * operator keeps copies elsewhere: a chain that is rewritten as a whole does
 * not fit them.
 */

struct audit;
struct stream;

/** An event.  Texts past their bounds are cut; control characters go. */
struct audit_event {
	const char *action; /* "code_changed": lower case and underscores */
	const char *actor;  /* "owner", "terminal", "operator NAME" */
	const struct id *terminal; /* it is about, or came by; may be NULL */
	const char *detail;        /* for people; may be NULL */
};

/**
 * Open the chain, and look for events that an earlier run left.
 *
 * All is borrowed for good.
 *
 * STATUS_OK  ${out} is the caller's, for audit_destroy
 * other      as audit_signer_new, or as db_get of the journal; logged
 */
enum status audit_new(struct audit **out, const struct conf *conf,
    const char *service, struct loop *loop, struct db *db, struct db *journal,
    struct keyring *keyring);

/**
 * Publish each event from now on, without its personal part, once it is on
 * record.  ${stream} is borrowed; NULL: no longer.
 */
void audit_publish(struct audit *self, struct stream *stream);

/** The databases are about to close: from now on nothing is moved. */
void audit_disconnect(struct audit *self);

/**
 * Export the head, and close: after both databases, whose completions come
 * here.  Events that are still in their rows are found at the next start.
 */
void audit_destroy(struct audit **self_p);

/**
 * Add an event to a batch of ${account} for the main database.  Once the
 * batch is committed call audit_kick.  Adds keyring_put, for an account that
 * has no key yet.  What goes wrong here makes the batch fail.
 */
void audit_put(struct audit *self, struct db_batch *batch,
    const struct id *account, const struct audit_event *event);

/**
 * The same for a batch of the journal.  An account without a key, also one
 * whose key was shredded, gets none: the service's own seals the event then.
 */
void audit_put_journal(struct audit *self, struct db_batch *batch,
    const struct id *account, const struct audit_event *event);

/** Move the account's events in ${db}, either database, into the chain. */
void audit_kick(struct audit *self, struct db *db, const struct id *account);

/**
 * Note an event of the service as a whole, or one that no batch belongs to.
 * A crash in the next moments may lose it.
 *
 * account  or NULL
 */
void audit_note(struct audit *self, const struct id *account,
    const struct audit_event *event);

/**
 * The same for what must be on record before it takes effect.
 *
 * STATUS_PENDING  ${done} will be called once
 * other           as audit_chain_add, or the account's key cannot be read
 */
enum status audit_write(struct audit *self, const struct id *account,
    const struct audit_event *event, audit_done_fn *done, void *arg);

/**
 * No more events come: call ${stopped} once all are in the chain, at the
 * latest after AUDIT_STOP_MS.
 */
void audit_stop(struct audit *self, loop_fn *stopped, void *arg);

#define AUDIT_STOP_MS 2000

struct audit_figures {
	uint64_t records; /* in the chain */
	uint64_t pending; /* not yet in it, as far as they are known */
};

struct audit_figures audit_figures(const struct audit *self);

/* ---- for audit_read.c ---- */

struct db *audit_journal(const struct audit *self);

/**
 * Open the personal part of a record; results as audit_open, and NOT_FOUND
 * or EXPIRED where the account's key is gone.
 */
enum status audit_reveal(struct audit *self, const struct audit_fact *fact,
    struct audit_person *out);

#endif
