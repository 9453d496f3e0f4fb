#ifndef KEEPSAKE_SERVICE_OUTBOX_H
#define KEEPSAKE_SERVICE_OUTBOX_H

#include "bus/caller.h"
#include "bus/loop.h"
#include "db/db.h"
#include "notify.pb-c.h"
#include "service/keyring.h"
#include "service/role.h"

/*
 * What other services are to be told, most of it notify, kept in the rows of
 * the account from the batch that promises it until they have it (N-05):
 * nothing promised is lost by a crash, and their being down holds up nobody.
 */

struct outbox;

/**
 * Looks for what was left.
 *
 * db       holds what waits: the service's database, or its journal
 * keys     knows the accounts' keys: the service's database
 * keyring  seals what waits
 * peers    the links by role, ROLE_COUNT of them, borrowed for good; NULL: no
 *          peer, what is for it waits for another start
 */
enum status outbox_new(struct db *db, struct db *keys, struct keyring *keyring,
    struct loop *loop, struct caller *const *peers, struct outbox **out);

/** The links are about to close: from now on nothing is sent. */
void outbox_disconnect(struct outbox *self);

void outbox_destroy(struct outbox **self_p);

/**
 * Add a notice to a batch of ${account}: its id and time are set here.
 * Once the batch is committed call outbox_kick.  What goes wrong is
 * db_submit's answer; in a journal, CONFLICT for an account that has no key.
 */
void outbox_put(struct outbox *self, struct db_batch *batch,
    const struct id *account, Notify__Notice *notice);

/**
 * The same with any message to a service: it is sent until that answers OK,
 * or CONFLICT, which says that it has come too late to mean anything.  It may
 * come more than once.
 */
void outbox_put_for(struct outbox *self, struct db_batch *batch,
    const struct id *account, enum role peer, uint32_t type,
    const ProtobufCMessage *message);

/** Send what the account has in its outbox. */
void outbox_kick(struct outbox *self, const struct id *account);

/** Messages that their receivers do not have yet. */
size_t outbox_waiting(const struct outbox *self);

#endif
