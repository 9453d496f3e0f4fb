#ifndef KEEPSAKE_SERVICE_AUDIT_H
#define KEEPSAKE_SERVICE_AUDIT_H

#include "base/conf.h"
#include "bus/loop.h"
#include "db/db.h"
#include "service/keyring.h"

/*
 * Who did what to which entry when (O-06).  An event is a row of the
 * account's batch, so it is there if, and only if, the change is.  From
 * there it moves into the service's chain, in its journal: each record holds
 * the hash of the one before it.  Who did it and the details are sealed
 * under the account's key, so that they go with the account and the chain
 * stays whole.  Every hour, and when the service stops, the hash of the last
 * record is signed and appended to the heads file, of which the operator
 * keeps copies elsewhere: a chain that is rewritten as a whole does not fit
 * them.
 */

#define AUDIT_ACTION_BYTES_MAX 40
#define AUDIT_ACTOR_BYTES_MAX  100
#define AUDIT_DETAIL_BYTES_MAX 500

struct audit;

struct audit_event {
	const char *action;       /* "code_changed": lower case, no spaces */
	const char *actor;        /* "owner", "terminal", "operator NAME" */
	const struct id *terminal; /* it is about, or came by; may be NULL */
	const char *detail;       /* for people; may be NULL */
};

enum status audit_new(struct audit **out, const struct conf *conf,
    const char *service, struct loop *loop, struct db *db, struct db *journal,
    struct keyring *keyring);

/** Sign and export the head, and close. */
void audit_destroy(struct audit **self_p);

/**
 * Add an event to a batch of ${account}.  Once the batch is committed call
 * audit_kick.  What goes wrong here makes the batch fail.
 */
void audit_put(struct audit *self, struct db_batch *batch,
    const struct id *account, const struct audit_event *event);

/** Move the account's events into the chain. */
void audit_kick(struct audit *self, struct db *db, const struct id *account);

#endif
