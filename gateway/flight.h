#ifndef KEEPSAKE_GATEWAY_FLIGHT_H
#define KEEPSAKE_GATEWAY_FLIGHT_H

#include <stdbool.h>

#include "base/bytes.h"
#include "service/server.h"

/*
 * The requests that a gateway has passed on and not seen answered: to bound
 * them, and to tell who waits when a service goes away.  Nothing here
 * matters after a restart: terminals ask again.
 */

#define ROUTE_BYTES_MAX  32
#define FLIGHT_BYTES_MAX (128u * 1024 * 1024) /* of all requests */
#define FLIGHT_MS_MAX    (10 * 60 * 1000)

/** The way back to a terminal, as its bearer knows it. */
struct route {
	uint8_t bytes[ROUTE_BYTES_MAX];
	size_t len;
};

struct flight {
	struct id request;
	struct id trace;
	struct route route;
	enum role service;
	uint32_t type;
	uint64_t began_us; /* on histogram_now_us */
	size_t bytes;
	uint64_t expires_ms; /* on clock_interval_ms */
	struct flight *next_in_bucket;
	struct flight *next, *previous; /* oldest first */
};

struct flights;

enum status flights_new(struct flights **out);
void flights_destroy(struct flights **self_p);

/**
 * Note a request.  One that is under way already, a repeat, is only given
 * the new route.
 *
 * STATUS_OK    noted
 * STATUS_BUSY  this terminal, or all of them, have too much under way
 */
enum status flights_add(struct flights *self, const struct header *header,
    const struct route *route, enum role service, size_t bytes);

/** The request with this id; NULL: none. */
const struct flight *flights_find(
    struct flights *self, const struct id *request);

/** The request was answered; unknown ones are fine. */
void flights_remove(struct flights *self, const struct id *request);

/** The oldest that went to ${service}, or that is expired; NULL: none. */
const struct flight *flights_of(const struct flights *self, enum role service);
const struct flight *flights_expired(const struct flights *self);

size_t flights_count(const struct flights *self);
size_t flights_bytes(const struct flights *self);

#endif
