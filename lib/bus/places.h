#ifndef KEEPSAKE_BUS_PLACES_H
#define KEEPSAKE_BUS_PLACES_H

#include "base/bytes.h"
#include "bus/keys.h"

/*
 * Where one peer can be met: the gateways of a server, any of which will do.
 * One place is in use; who finds nobody there goes on to the next.
 */

#define PLACES_MAX         8
#define PLACES_PAUSE_MS    50
#define PLACES_PAUSE_MAXMS 1000

struct place {
	const char *endpoint;
	const uint8_t *server_key; /* NULL for ipc */
};

struct places;

/**
 * places  1 to PLACES_MAX; copied
 *
 * Begins at any of them, so that terminals spread over the gateways.
 */
enum status places_new(
    struct places **out, const struct place *places, size_t count);
void places_destroy(struct places **self_p);

size_t places_count(const struct places *self);

/** The one in use; good as long as ${self}. */
struct place places_current(const struct places *self);

/**
 * How long to wait before the next one is tried, in ms: not at all until each
 * was tried once since places_good, then longer with each round.
 */
uint32_t places_pause(const struct places *self);

/** How often all of them were tried since places_good. */
unsigned int places_rounds(const struct places *self);

/** Use the next one. */
void places_next(struct places *self);

/** The one in use answers: begin anew with the pauses. */
void places_good(struct places *self);

#endif
