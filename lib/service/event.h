#ifndef KEEPSAKE_SERVICE_EVENT_H
#define KEEPSAKE_SERVICE_EVENT_H

#include "base/bytes.h"

/* One event of the stream, as proto/events.proto has it. */

#define EVENT_WORD_BYTES_MAX   32
#define EVENT_FIGURE_BYTES_MAX 24
#define EVENT_FIGURES_MAX      8
#define EVENT_BYTES_MAX        1024 /* packed */
#define EVENT_TOPIC_BYTES      (2 * EVENT_WORD_BYTES_MAX + 2)
#define EVENT_HELLO            "hello"

struct event_figure {
	char name[EVENT_FIGURE_BYTES_MAX + 1];
	uint64_t value;
};

struct event {
	char service[EVENT_WORD_BYTES_MAX + 1];
	char kind[EVENT_WORD_BYTES_MAX + 1];
	char subject[EVENT_WORD_BYTES_MAX + 1]; /* "": none */
	uint64_t run_ms, sequence, kind_sequence, when_ms;
	struct id account, trace; /* none: all zero */
	struct event_figure figures[EVENT_FIGURES_MAX];
	size_t figures_count;
};

/** Append ${event} to ${out}; errors as bytes_reserve. */
enum status event_pack(const struct event *event, struct bytes *out);

/**
 * Read one.
 *
 * STATUS_OK         ${out} is filled; its words have lower-case letters,
 *                   digits and underscores only
 * STATUS_MALFORMED  this is none, or one past the bounds
 */
enum status event_unpack(struct event *out, struct slice packed);

/** "SERVICE/KIND" to ${out}; returns ${out}. */
const char *event_topic(
    char out[static EVENT_TOPIC_BYTES], const struct event *event);

/** How far a subscriber of all events of a service has come. */
struct event_place {
	uint64_t run_ms, sequence; /* 0: nothing seen yet */
};

/** Go on to ${event}; returns how many before it are lost, as far as known. */
uint64_t event_follow(struct event_place *self, const struct event *event);

#endif
