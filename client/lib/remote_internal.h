#ifndef KEEPSAKE_CLIENT_REMOTE_INTERNAL_H
#define KEEPSAKE_CLIENT_REMOTE_INTERNAL_H

#include <pthread.h>

#include "base/bounds.h"
#include "bus/caller.h"
#include "bus/unpack.h"
#include "remote.h"
#include "window.h"

/* What the files of remote.h share; the thread is remote.c's. */

/*
 * A request on its way.  Made by who asks; owned by the network thread from
 * the hand-over on, except that a question stays its asker's.
 */
struct request {
	struct remote *remote;
	struct request *next; /* waiting to be handed over */
	uint32_t type;
	uint32_t timeout_ms;
	struct bytes body;
	zmq_msg_t payload;
	bool has_payload;
	bool is_put;
	uint64_t sent_ms; /* on clock_interval_ms */
	/* On the network thread; frees the request unless it is a question. */
	void (*ended)(struct request *self, enum status status,
	    const struct answer *answer);

	/* A put. */
	struct request *next_put, *previous_put; /* all not acknowledged */
	struct chunk_id id;
	struct chunk_id *refs;
	size_t refs_count;
	size_t waits; /* for so many earlier puts that it refers to */
	uint64_t number;
	bool under_way;
	size_t bytes;
	size_t many_max; /* puts in a message that has it; 1: it goes alone */

	/* A message of several: those puts, owned. */
	struct request *many;

	/* A fetch. */
	remote_fetched_fn *fetched;
	void *arg;

	/* A question: under the mutex. */
	bool done;
	enum status status;
	struct bytes answer;
};

struct remote {
	struct id account;
	uint8_t ticket[TICKET_BYTES_MAX]; /* both secret */
	size_t ticket_len;
	uint32_t timeout_ms;

	pthread_t thread;
	bool has_thread;
	int wake_fd; /* says to the thread: look at the queue */

	/* The network thread's own. */
	struct bus *bus;
	struct loop *loop;
	struct caller *caller;
	struct request *puts; /* not acknowledged, newest first */
	uint64_t puts_made;
	size_t put_messages; /* not acknowledged */
	/* Small puts that go together once one of those is: oldest first. */
	struct request *held, **held_end;
	size_t held_count, held_bytes;

	/* Under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* room in a window, an answer, a failure */
	struct request *queue, **queue_end;
	bool stopping;
	size_t puts_count, puts_bytes;
	struct window puts_window; /* bytes */
	size_t put_many_max;       /* of the lease */
	size_t fetches_count;
	struct window fetches_window;
	enum status failure; /* the one that sticks */
	char detail[DETAIL_BYTES_MAX + 1];
	const char *advice;
	struct id lease;
	struct remote_traffic traffic;

	bool damaged; /* of who asks for snapshots: the last answer */
};

/* ---- remote.c ---- */

/** NULL without memory. */
struct request *remote_request_new(struct remote *remote, uint32_t type);

/** Free it, and leave NULL; NULL is fine. */
void remote_request_destroy(struct request **self_p);

/** Have the network thread look at its queue, and at what has failed. */
void remote_wake(struct remote *self);

/** Give ${request} to the network thread; the mutex is held. */
void remote_hand_over(struct remote *self, struct request *request);

/** Send it, on the network thread. */
void remote_send(struct request *request);

/** Note a failure for people, unless one is noted; the mutex is held. */
void remote_note(struct remote *self, enum status status, const char *detail,
    const char *advice);

/**
 * A failure that sending again cannot cure, which this side saw; the mutex is
 * not held.
 */
void remote_fail_here(
    struct remote *self, enum status status, const char *detail);

/**
 * The same on the network thread, whose the caller is, with the mutex held.
 *
 * answer  what came instead of success; NULL: it was not even sent
 */
void remote_fail_there(
    struct remote *self, enum status status, const struct answer *answer);

/** The lease of the transfer; none before it has begun. */
struct id remote_lease(struct remote *self);

static inline ProtobufCBinaryData remote_id_field(const struct id *id)
{
	return field_of(slice_of(id->bytes, ID_BYTES));
}

static inline ProtobufCBinaryData remote_chunk_field(const struct chunk_id *id)
{
	return field_of(slice_of(id->bytes, CHUNK_ID_BYTES));
}

/* ---- remote_store.c ---- */

/**
 * Ask, and wait.  The answer is unpacked into ${unpack}, which the caller has
 * begun; reply_type may be NULL.
 */
enum status remote_ask(struct remote *self, uint32_t type,
    const ProtobufCMessage *body, struct unpack *unpack,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out);

/* ---- remote_chunks.c; on the network thread ---- */

/**
 * Add ${put}, and send it, unless it must wait for what it refers to, or is
 * held so that others may go with it.
 */
void remote_put_begin(struct remote *self, struct request *put);

/** Send what is held if nothing is under way that would have it sent. */
void remote_puts_go_on(struct remote *self);

/** End the puts that wait, or are held: their turn will not come. */
void remote_puts_drop(struct remote *self);

#endif
