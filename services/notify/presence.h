#ifndef KEEPSAKE_NOTIFY_PRESENCE_H
#define KEEPSAKE_NOTIFY_PRESENCE_H

#include "crypto/ticket.h"
#include "delivery.h"
#include "schedule.h"

/*
 * Where terminals can be reached: a lease in memory (G-04), for which a
 * terminal subscribes again and again.  The subscription also keeps the
 * ticket good that it was opened with.
 */

#define PRESENCES_MAX          100000
#define PRESENCE_WAY_FRAMES    2  /* identity of the gateway, and its route */
#define PRESENCE_WAY_BYTES_MAX 64 /* of one of them */

/** The way to a terminal: a door, and the envelope it takes there. */
struct way {
	size_t door;
	struct way_frame {
		uint8_t data[PRESENCE_WAY_BYTES_MAX];
		size_t len;
	} frames[PRESENCE_WAY_FRAMES];
};

bool way_equal(const struct way *a, const struct way *b);

struct notify;

struct presence {
	struct notify *notify; /* for the appointment */
	struct id terminal;
	struct id account;
	uint8_t nonce[TICKET_NONCE_BYTES]; /* of the ticket, as the next */
	uint64_t issued_ms;                /* wall time */
	uint64_t expires_ms;               /* these on clock_interval_ms */
	int32_t utc_offset_min;            /* of the terminal's clock */
	uint64_t due_ms; /* something is to be pushed; or SCHEDULE_NEVER */
	struct way way;  /* good while reachable */
	bool reachable;  /* false once a push found the way gone */
	bool recording;  /* the last push is not on the disk yet */
	bool push_all;   /* also what is not due: it has just come */
	struct notice_key pushed;       /* with push_all: how far */
	struct appointment appointment; /* the sooner of both times */
	struct presence *next_in_bucket;
};

struct presences;

enum status presences_new(struct presences **out);
void presences_destroy(struct presences **self_p);

/** NULL: not present.  Good until it is removed. */
struct presence *presences_find(
    struct presences *self, const struct id *terminal);

/**
 * Find it, or add it, all zero but the terminal.
 *
 * STATUS_OK        *out is the table's
 * STATUS_BUSY      PRESENCES_MAX are present
 * STATUS_NO_SPACE  no memory
 */
enum status presences_add(
    struct presences *self, const struct id *terminal, struct presence **out);

/** Remove and free it, and leave NULL; its appointment is cancelled. */
void presences_remove(struct presences *self, struct schedule *schedule,
    struct presence **presence_p);

/** Terminals that can be reached. */
size_t presences_reachable(const struct presences *self);

/** Note whether the way of ${presence} is good. */
void presences_set_reachable(
    struct presences *self, struct presence *presence, bool reachable);

#endif
