#ifndef KEEPSAKE_BUS_CALLER_H
#define KEEPSAKE_BUS_CALLER_H

#include "base/bytes.h"
#include "bus/bus.h"
#include "bus/connection.h"
#include "bus/header.h"
#include "bus/loop.h"
#include "bus/message.h"

/*
 * The asking end of a link: requests out, answers back, sent again through
 * a broken connection or a restarted peer until the deadline.  A request
 * keeps its id, so the peer knows a repeat.  Lives on one loop's thread.
 */

struct caller;

/** An answer, borrowed for the callback; payload may be moved out of it. */
struct answer {
	enum status status;
	const struct header *header; /* NULL where no answer came */
	struct slice body;
	zmq_msg_t *payload; /* NULL where there is none */
	const char *detail; /* "" or what and why, for people */
};

typedef void answer_fn(void *arg, const struct answer *answer);

struct caller_options {
	const char *name;     /* of the peer, for texts: "auth"; borrowed */
	const char *endpoint; /* borrowed during the call */
	const uint8_t *server_key; /* NULL for ipc */
	/*
	 * Other places where the same is had, less than PLACES_MAX; copied.
	 * One place is in use at a time, any of them at first: see
	 * bus/connection.h.
	 */
	const struct place *others;
	size_t others_count;
	size_t envelope_count; /* 0; 1 towards a service, which expects a
				  route */
	/* The peer is at the other end of a link that may be slow: while bytes
	 * come or go, what is not answered is on its way. */
	bool far;
	/* Refused handshakes at each place after which all calls end; 0: go
	 * on trying. */
	unsigned int refusals_max;
	/* Called for a message that answers nothing: a push.  Or NULL. */
	void (*pushed)(void *arg, const struct header *header,
	    const struct message *message);
	void *arg;
};

/** Connect; STATUS_OK also while nobody is there yet. */
enum status caller_new(struct bus *bus, struct loop *loop,
    const struct caller_options *options, struct caller **out);

/** Close; calls under way end with STATUS_UNAVAILABLE first. */
void caller_destroy(struct caller **self_p);

/**
 * Ask.  BUSY and UNAVAILABLE answers with retry_after_ms are asked again
 * until the deadline; ${done} is called exactly once, never from inside
 * this call.
 *
 * header   type, account and ticket are the caller's; request is drawn
 *          here where it is none; deadline_ms must be set
 * body     copied
 * payload  taken when OK, and left empty; NULL for none
 *
 * STATUS_OK           ${done} will be called
 * STATUS_BUSY         too many under way; ${done} will not be called
 * STATUS_NO_SPACE     no memory; likewise
 * STATUS_UNAVAILABLE  closing; likewise
 */
enum status caller_ask(struct caller *self, struct header *header,
    struct slice body, zmq_msg_t *payload, answer_fn *done, void *arg);

enum link_state caller_link(const struct caller *self);

/** How often it was connected: a peer forgets whom it pushes to. */
unsigned int caller_connections(const struct caller *self);

/** The place in use; good as long as ${self}. */
struct place caller_place(const struct caller *self);

/** Requests under way. */
size_t caller_pending(const struct caller *self);

#define CALLS_MAX 4096

#endif
