#ifndef KEEPSAKE_STORE_SCRUB_H
#define KEEPSAKE_STORE_SCRUB_H

#include "damage.h"
#include "health_db.h"
#include "service/service.h"

/*
 * The store reads its own data: each chunk of each account, one at a time on
 * the reader thread, and compares it with the hash that was stored with it.
 * A pass through everything is spread over most of scrub_ms, and goes on
 * after a restart where it was.  What is wrong goes to damage.h.
 */

struct scrub;

/** All borrowed for good; the first chunk is read soon. */
enum status scrub_new(struct service *service, struct damages *damages,
    uint64_t scrub_ms, struct scrub **out);

/** The database is closed already: no read is under way. */
void scrub_destroy(struct scrub **self_p);

/**
 * Begin a pass now, as fast as serving allows; nothing where one of that
 * kind is under way.
 */
void scrub_now(struct scrub *self);

/**
 * Read one account now, before the pass goes on; nothing where that is under
 * way.  A restart forgets it.
 *
 * STATUS_BUSY  another account is being read
 */
enum status scrub_account(struct scrub *self, const struct id *account);

/** One account that was asked for. */
struct scrub_job {
	struct id account; /* none: there was no such thing since the start */
	bool over;
	uint64_t begun_ms;    /* wall time */
	uint64_t finished_ms; /* once it is over */
	uint64_t chunks, bytes, damaged;
};

const struct scrub_place *scrub_place(const struct scrub *self);
const struct scrub_job *scrub_job(const struct scrub *self);

#endif
