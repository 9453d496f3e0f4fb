#ifndef KEEPSAKE_BUS_CONNECTION_H
#define KEEPSAKE_BUS_CONNECTION_H

#include "bus/bus.h"
#include "bus/header.h"
#include "bus/loop.h"
#include "bus/places.h"

/*
 * A connection to one of the places where a peer is met.  libzmq makes it
 * again where it is lost; with several places this goes on to the next: when
 * it is lost, or not to be had, when the peer says that it stops, and when it
 * has nothing but UNAVAILABLE.  Lives on one loop's thread.
 */

struct connection;

/** What it is like, to tell a person why nothing comes. */
enum link_state {
	LINK_NEVER,   /* nobody listens there, so far */
	LINK_REFUSED, /* somebody does, but the keys do not agree */
	LINK_UP,
	LINK_LOST, /* was up; it is made again */
};

struct connection_options {
	const struct place *places; /* 1 to PLACES_MAX; copied */
	size_t places_count;
	bool far;                  /* see bus_connect_far */
	unsigned int refusals_max; /* at each place; 0: go on trying */
	loop_fn *readable;         /* the socket has a message */
	loop_fn *connected;        /* to this place or the next */
	loop_fn *refused;          /* as often as refusals_max says */
	void *arg;
};

/** Connect; STATUS_OK also while nobody is there yet. */
enum status connection_new(struct bus *bus, struct loop *loop,
    const struct connection_options *options, struct connection **out);
void connection_destroy(struct connection **self_p);

/** NULL for as long as the next place cannot even be tried. */
void *connection_socket(const struct connection *self);

/** How many bytes went over it so far, both ways; 0 where it is not known. */
uint64_t connection_bytes(const struct connection *self);

/** Nothing comes from the place in use for too long: leave it for another. */
void connection_silent(struct connection *self);

/** Note what the header of an answer says of the place in use. */
void connection_judge(struct connection *self, const struct header *header);

/** Whether the place that sent ${header} is left for another at once. */
bool connection_leaves(
    const struct connection *self, const struct header *header);

enum link_state connection_state(const struct connection *self);

/** How often it was made. */
unsigned int connection_times(const struct connection *self);

/** The place in use; good as long as ${self}. */
struct place connection_place(const struct connection *self);

#endif
