#ifndef KEEPSAKE_SERVICE_STREAM_H
#define KEEPSAKE_SERVICE_STREAM_H

#include "service/event.h"
#include "service/program.h"

/*
 * The stream of events of a process (N-07): published to who is let in as
 * keepsakectl is, by CURVE key over tcp, by folder over ipc.  Nobody waits
 * for a subscriber: who has STREAM_QUEUE_MAX events before it loses what
 * comes then, and sees that from the numbers.
 *
 * What happens in the first moments of a process is held back until the
 * first subscriber is there, at most STREAM_HOLD_MS: one that follows
 * through a restart sees the start.
 */

#define STREAM_QUEUE_MAX 1024
#define STREAM_HOLD_MS   3000
#define STREAM_HELD_MAX  64
#define STREAM_HELLO_MS  10000
#define STREAM_KINDS_MAX 64 /* numbered apart; further ones share the last */

struct stream;

/**
 * Open it at the endpoint that events of the program's section names, or by
 * ipc in RUN/NAME.events.  Results as bus_bind and program_allow.
 */
enum status stream_new(struct stream **out, struct program *program);

/** Close it; what is under way may still leave.  NULL is fine. */
void stream_destroy(struct stream **self_p);

/** What a caller knows of an event; all but kind may be left out. */
struct stream_event {
	const char *kind;         /* a word, as event.h has it */
	const char *subject;      /* likewise */
	const struct id *account; /* random id */
	const struct id *trace;   /* NULL: log_request() */
	const char *figure;       /* name of one figure */
	uint64_t value;
};

/** Publish one.  NULL where there is no stream: nothing happens. */
void stream_tell(struct stream *self, const struct stream_event *event);

#endif
