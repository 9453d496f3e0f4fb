#ifndef KEEPSAKE_GATEWAY_FLIGHT_H
#define KEEPSAKE_GATEWAY_FLIGHT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "service/server.h"

/*
 * The requests that a gateway has passed on and not seen answered: to bound
 * them, to find who waits for an answer, and to tell who waits when a service
 * goes away.  Nothing here matters after a restart: terminals ask again.
 *
 * A request is known by its id and by the peer that asks: an id is the
 * terminal's own choice, so two terminals may use the same one.
 */

#define ROUTE_BYTES_MAX  32
#define FLIGHT_BYTES_MAX (128u * 1024 * 1024) /* of all requests */
#define FLIGHT_MS_MAX    (10 * 60 * 1000)

/* What a request takes besides its body and payload: header, notes of it. */
#define FLIGHT_NOTE_BYTES 1024

/*
 * So long after a request was passed on a repeat of it may be passed on too:
 * a little less than the 5 s that a terminal waits on a living link.
 */
#define FLIGHT_REPEAT_MS 4000

/** The way back to a terminal, as its bearer knows it. */
struct route {
	uint8_t bytes[ROUTE_BYTES_MAX];
	size_t len;
};

/** Which request it is; a peer's shorter id is padded with zeros. */
struct flight_key {
	struct id request;
	uint8_t peer[PEER_ID_BYTES];
};

struct flight_terminal;

struct flight {
	struct flight_key key;
	struct id trace;
	struct route route; /* the newest that it was asked by */
	enum role service;
	uint32_t type;
	uint64_t began_us; /* on histogram_now_us */
	size_t copies;     /* passed on: 1, and the repeats of it */
	size_t bytes;      /* of all copies */
	struct flight_terminal *terminal;
	uint64_t repeat_ms; /* these on clock_interval_ms */
	uint64_t expires_ms;
	struct flight *next_in_bucket;
	struct flight *next, *previous; /* oldest first */
};

struct flights;

enum status flights_new(struct flights **out);
void flights_destroy(struct flights **self_p);

/** The key of the request of ${header}, whose peer is stamped. */
struct flight_key flight_key_of(const struct header *header);

/**
 * Note a request that is to be passed on.  One that is under way already, a
 * repeat, gets the new route; it is passed on again only when FLIGHT_REPEAT_MS
 * have gone by and it fits into the bounds: its answer is on the way.
 *
 * bytes     of body and payload
 * pass_out  whether to pass it on
 *
 * STATUS_OK        noted
 * STATUS_BUSY      this terminal, or all of them, have too much under way
 * STATUS_CONFLICT  the id is under way for a message of another type
 */
enum status flights_add(struct flights *self, const struct header *header,
    const struct route *route, enum role service, size_t bytes, bool *pass_out);

/**
 * What flights_add let pass could not be sent: undo that.  Returns whether
 * the request is still under way, as a repeat of one that was sent is.
 */
bool flights_unsent(
    struct flights *self, const struct flight_key *key, size_t bytes);

/** NULL: not under way.  Good until it is removed. */
const struct flight *flights_find(
    const struct flights *self, const struct flight_key *key);

/** The request was answered; unknown ones are fine. */
void flights_remove(struct flights *self, const struct flight_key *key);

/** The oldest that went to ${service}, or that is expired; NULL: none. */
const struct flight *flights_of(const struct flights *self, enum role service);
const struct flight *flights_expired(const struct flights *self);

size_t flights_count(const struct flights *self);
size_t flights_bytes(const struct flights *self);

#endif
