#ifndef KEEPSAKE_SERVICE_SERVICE_H
#define KEEPSAKE_SERVICE_SERVICE_H

#include "bus/caller.h"
#include "db/db.h"
#include "service/audit.h"
#include "service/backup.h"
#include "service/erase.h"
#include "service/keyring.h"
#include "service/orders.h"
#include "service/outbox.h"
#include "service/server.h"
#include "service/stream.h"

/*
 * The shape that auth, store, binding and notify share: options, database,
 * ledger, doors, peers, loop.  A service brings its message table and its
 * state.
 */

struct service {
	const struct service_kind *kind;
	struct program program;
	struct db *db;
	struct db *journal; /* what an older copy of db must not undo */
	/* The journal was lost or exchanged since the last run. */
	bool journal_lost;
	/* Wall time when the journal came to this database; 0: at its first
	 * day. */
	uint64_t journal_since_ms;
	struct keyring *keyring;
	struct audit *audit;
	struct erase *erase;
	struct erase *journal_erase; /* the same, of the journal */
	struct orders *orders;
	struct backup *backup;
	struct server *server;
	struct watch *watch;
	struct stream *stream;
	struct caller *peers[ROLE_COUNT]; /* those it asks; else NULL */
	struct outbox *outbox; /* to peers; NULL where notify is none */
	void *state;
};

/** What makes a service that one. */
struct service_kind {
	const char *name;  /* "auth" */
	const char *about; /* one line for --help */
	uint32_t format;   /* of its database */
	/* As in db_options; the keyring is open, and the rows that every
	 * service has are migrated.  NULL: its own need nothing. */
	enum status (*migrate)(
	    struct service *service, struct db *db, uint32_t from);
	bool blob_reader;
	uint32_t doors; /* FROM bits: who comes in */
	uint32_t peers; /* FROM bits: whom it asks */
	const struct handler *handlers;
	size_t handlers_count;
	/* Make the state; databases and keyring are open, peers connected. */
	enum status (*open)(struct service *service, void **state_out);
	void (*close)(void **state_p);
	/* What there is of an account is about to be erased, its key
	 * first; or NULL. */
	void (*deleting)(void *state, const struct id *account);
	/* An account that was to be erased is gone, see erase.h; or NULL. */
	void (*erased)(void *state, const struct id *account);
	/* What VERIFY looks at, besides what every service has. */
	const struct verify_tables *verify;
	/* As in server_options; or NULL. */
	void (*figures)(void *state, struct exchange *exchange,
	    void (*add)(
		struct exchange *exchange, const char *name, uint64_t value));
};

/** Run it; returns the exit code of main. */
int service_main(const struct service_kind *kind, int argc, char **argv);

#define SERVICE_ASK_MS 10000

/**
 * Ask a peer service.
 *
 * account  for routing; NULL for none
 * behalf   of the request that it is for: its trace goes along, and who sent
 *          it is to have an answer before giving up.  NULL: nobody waits
 *
 * Results as caller_ask.
 */
enum status service_ask(struct service *self, enum role peer, uint32_t type,
    const struct id *account, const struct header *behalf,
    const ProtobufCMessage *body, answer_fn *done, void *arg);

#endif
