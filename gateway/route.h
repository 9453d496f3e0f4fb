#ifndef KEEPSAKE_GATEWAY_ROUTE_H
#define KEEPSAKE_GATEWAY_ROUTE_H

#include "bus/message.h"
#include "flight.h"
#include "service/program.h"
#include "service/request_counts.h"
#include "service/watch.h"

/*
 * The links to the services, behind every bearer: which message goes where,
 * and the answers back.  Body and payload are passed on as they came.
 */

struct router;

struct router_options {
	struct program *program; /* borrowed */
	/*
	 * An answer or a push for a terminal of this bearer: the message has
	 * no envelope yet; what the callee leaves in it is freed.
	 */
	void (*deliver)(
	    void *arg, const struct route *route, struct message *message);
	void *arg;
};

/** Connect to all services. */
enum status router_new(
    const struct router_options *options, struct router **out);
void router_destroy(struct router **self_p);

/**
 * Pass a request on.
 *
 * header   of the terminal, with the peer already stamped
 * message  body and payload are moved out of it when OK
 *
 * STATUS_OK           deliver will be called, or the terminal asks again
 * STATUS_CONFLICT     the request id is under way for another message type
 * STATUS_MALFORMED    no such message type for terminals
 * STATUS_BUSY         too much under way
 * STATUS_UNAVAILABLE  the service is not there; ${service_out} is its name
 * STATUS_NO_SPACE     no memory
 */
enum status router_forward(struct router *self, const struct header *header,
    const struct route *route, struct message *message,
    const char **service_out);

/**
 * Make a message of an answer that is nothing but its header, in which type
 * and server_time_ms are filled in here.
 */
enum status router_answer(struct message *out, struct header *answer);

const struct flights *router_flights(const struct router *self);

/** What was passed on, and how it was answered. */
const struct request_counts *router_counts(const struct router *self);

/** The links to the services; returns how many. */
size_t router_links(
    const struct router *self, struct watch_link out[static WATCH_LINKS_MAX]);

/** Repeats that were not passed on, as the first was under way. */
uint64_t router_repeats_held(const struct router *self);

#endif
