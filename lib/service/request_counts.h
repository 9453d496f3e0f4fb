#ifndef KEEPSAKE_SERVICE_REQUEST_COUNTS_H
#define KEEPSAKE_SERVICE_REQUEST_COUNTS_H

#include "watch/exposition.h"

/*
 * The requests that a process has answered, by message type and status, and
 * how long they took.  Nothing is counted for one account or terminal.
 */

struct request_counts;

enum status request_counts_new(struct request_counts **out);
void request_counts_destroy(struct request_counts **self_p);

/**
 * Count an answer.
 *
 * type    of the request; past REQUEST_TYPES_MAX types the rest is one
 * name    of the type, "PUT"; borrowed for good.  NULL: none of ours
 * status  of the answer
 */
void request_counts_note(struct request_counts *self, uint32_t type,
    const char *name, enum status status, uint64_t duration_us);

#define REQUEST_TYPES_MAX 128

/** What is counted: each has two metrics, a counter and a histogram. */
enum request_side {
	REQUESTS_ANSWERED,  /* keepsake_requests_total, … */
	REQUESTS_FORWARDED, /* keepsake_forwarded_requests_total, … */
};

void request_counts_expose(const struct request_counts *self,
    enum request_side side, struct exposition *out);

#endif
