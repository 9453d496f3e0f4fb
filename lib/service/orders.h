#ifndef KEEPSAKE_SERVICE_ORDERS_H
#define KEEPSAKE_SERVICE_ORDERS_H

#include "bus/loop.h"
#include "crypto/ticket.h"
#include "db/db.h"

/*
 * What auth decides and every service must obey: tickets that are revoked
 * accounts that are deleted.  auth numbers its orders and
 * sends them, with a sign of life every ORDERS_BEAT_MS, until a service
 * answers with the number it has; a service keeps them in its journal, which
 * no backup takes, and so knows them after a restart and after the restore
 * of an older database.
 */

#define ORDERS_BEAT_MS    1000
#define ORDERS_SILENCE_MS 10000 /* then auth counts as out of touch */

/** Stored: append, never renumber. */
enum order_kind {
	ORDER_REVOKE_TICKET = 1,   /* subject: the ticket's nonce */
	ORDER_REVOKE_TERMINAL = 2, /* subject: terminal; issued by when_ms */
	ORDER_REVOKE_ACCOUNT = 3,  /* every ticket issued by when_ms */
	ORDER_DELETE_ACCOUNT = 4,  /* and never let it come back */
};

struct order {
	uint64_t sequence; /* 1, 2, … as auth numbered it */
	enum order_kind kind;
	struct id account;
	struct id subject;
	uint64_t when_ms; /* wall time of auth */
};

struct orders;

struct orders_options {
	struct db *journal;
	struct loop *loop;
	/* An account is to be deleted: shred its key and begin to erase.
	 * Called when such an order comes, and for each that is known, once,
	 * after orders_new: a restored database may have the account again. */
	void (*delete_account)(void *arg, const struct id *account);
	void *arg;
};

enum status orders_new(
    struct orders **out, const struct orders_options *options);
void orders_destroy(struct orders **self_p);

/** Whether ${ticket} was revoked, or its account deleted. */
bool orders_refuse(const struct orders *self, const struct ticket *ticket);

/**
 * Whether auth was heard of lately.  Who has not, cannot know what was
 * revoked, and honours no ticket past its expiry.
 */
bool orders_in_touch(const struct orders *self);

/** The highest number kept; what auth is answered with. */
uint64_t orders_sequence(const struct orders *self);

#endif
