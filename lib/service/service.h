#ifndef KEEPSAKE_SERVICE_SERVICE_H
#define KEEPSAKE_SERVICE_SERVICE_H

#include "bus/caller.h"
#include "db/db.h"
#include "service/outbox.h"
#include "service/server.h"

/*
 * The shape that auth, store, binding and notify share: options, database,
 * doors, peers, loop.  A service brings its message table and its state.
 */

struct service {
	struct program program;
	struct db *db;
	struct server *server;
	struct caller *peers[ROLE_COUNT]; /* those it asks; else NULL */
	struct outbox *outbox; /* to notify; NULL where notify is no peer */
	void *state;
};

/** What makes a service that one. */
struct service_kind {
	const char *name;  /* "auth" */
	const char *about; /* one line for --help */
	uint32_t format;   /* of its database */
	bool blob_reader;
	uint32_t doors; /* FROM bits: who comes in */
	uint32_t peers; /* FROM bits: whom it asks */
	const struct handler *handlers;
	size_t handlers_count;
	/* Make the state; the database is open, peers are connected. */
	enum status (*open)(struct service *service, void **state_out);
	void (*close)(void **state_p);
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
