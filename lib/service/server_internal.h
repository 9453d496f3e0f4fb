#ifndef KEEPSAKE_SERVICE_SERVER_INTERNAL_H
#define KEEPSAKE_SERVICE_SERVER_INTERNAL_H

#include "service/request_counts.h"
#include "service/server.h"

/*
 * For server.c, exchange.c and server_common.c only: the state, and what one
 * of them does for another.
 */

#define DOORS_MAX     8
#define BUCKETS       1024 /* a power of two */
#define BUSY_RETRY_MS 200

struct door {
	struct server *server;
	enum role role;
	void *socket;
};

struct server {
	struct program *program;
	struct server_options options;
	struct ticket_cache *tickets;
	struct request_counts *counts;
	struct door doors[DOORS_MAX];
	size_t doors_count;
	struct exchange *buckets[BUCKETS]; /* parked ones, by request id */
	struct exchange *first;
	size_t count;
	bool stopping;
	loop_fn *stopped;
	void *stopped_arg;
	struct timer stop_timer;
	struct message incoming;
};

/* ---- exchange.c ---- */

/** One that came in by ${door}; NULL without memory. */
struct exchange *exchange_new(struct server *self, size_t door);
void exchange_destroy(struct exchange **x_p);

/** From here on it is under way, until exchange_finish. */
void exchange_link(struct exchange *x);
void exchange_unlink(struct exchange *x);

/** The same request that is under way; NULL: none. */
struct exchange *exchange_under_way(const struct exchange *x);

/* ---- server.c ---- */

/** Tell who waits for the end, where that was the last exchange. */
void server_check_stopped(struct server *self);

/* ---- server_common.c ---- */

/** What every process answers. */
extern const struct handler server_common_handlers[];
extern const size_t server_common_handlers_count;

#endif
