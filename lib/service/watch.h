#ifndef KEEPSAKE_SERVICE_WATCH_H
#define KEEPSAKE_SERVICE_WATCH_H

#include "db/db.h"
#include "service/orders.h"
#include "service/server.h"
#include "service/stream.h"
#include "watch/exposition.h"

/*
 * How a process is, for those who watch it (O-03): by HTTP at the address
 * that http of its section names,
 *
 *   /metrics  in Prometheus's text format
 *   /healthz  200 as long as the event loop turns
 *   /readyz   200 where it can do all its work, else 503; a line for each
 *             reason
 *
 * Nothing here is about one account, terminal or person.
 */

struct watch;

/**
 * From now on errors that are logged are noted, to be told by the stream:
 * in program_begin, for what goes wrong before there is one.
 */
void watch_errors(void);

/** A link to a peer, of those this process asks. */
struct watch_link {
	const char *peer; /* "auth" */
	bool up;
};

#define WATCH_LINKS_MAX 8

struct watch_options {
	struct program *program;
	struct server *server;
	struct db *db, *journal; /* or NULL */
	struct orders *orders;   /* or NULL */
	struct stream *stream;   /* where changes are told; or NULL */
	/* Fill ${out} with all links there are; returns how many. */
	size_t (*links)(
	    const void *arg, struct watch_link out[static WATCH_LINKS_MAX]);
	/* Append metrics of its own; or NULL. */
	void (*expose)(const void *arg, struct exposition *out);
	const void *arg;
};

/**
 * Begin to watch; all in ${options} is borrowed for good.
 *
 * STATUS_OK  *out is the caller's
 * other      as http_new
 */
enum status watch_new(struct watch **out, const struct watch_options *options);

/** Before anything that it watches is destroyed. */
void watch_destroy(struct watch **self_p);

#endif
