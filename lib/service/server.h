#ifndef KEEPSAKE_SERVICE_SERVER_H
#define KEEPSAKE_SERVICE_SERVER_H

#include <protobuf-c/protobuf-c.h>

#include "bus/header.h"
#include "bus/message.h"
#include "bus/unpack.h"
#include "crypto/ticket.h"
#include "db/db.h"
#include "service/keyring.h"
#include "service/program.h"
#include "service/role.h"

/*
 * The answering end of every link: doors, the message table, exchanges.
 * Bytes in, the row checked, the handler run, bytes out.
 */

#define FROM(role)          (1u << (role))
#define GOOD_FOR(direction) (1u << (direction))
#define NO_TICKET           0u

struct exchange;

/** One message: who may send it, with which ticket, and what runs. */
struct handler {
	uint32_t type;
	const char *name; /* for the log, spelled as in the .proto */
	uint32_t roles;   /* FROM bits */
	uint32_t rights;  /* GOOD_FOR bits, any of them; or NO_TICKET */
	enum handler_flags {
		PLAIN = 0,
		/* A change: a repeat within 24 h gets the first answer. */
		KEPT = 1,
		/* Part of a transfer: an expired ticket reaches the handler,
		 * which knows whether the transfer keeps it good; but not
		 * while auth, which may have revoked it, is out of touch. */
		RENEWED = 2,
	} flags;
	/*
	 * Returns what to answer, or STATUS_PENDING once somebody else will
	 * end the exchange: exchange_finish.
	 */
	enum status (*run)(void *state, struct exchange *exchange);
};

struct server;
struct audit;

/** One request and its answer to be. */
struct exchange {
	struct server *server;
	const struct handler *handler;
	enum role role;
	struct header header;   /* of the request */
	struct message message; /* its frames; the payload may be moved out */
	struct slice body;      /* lies in message */
	bool has_ticket;
	bool ticket_expired;  /* only RENEWED handlers see it true */
	struct ticket ticket; /* checked: signature, peer, direction, account,
				 and that it was not revoked */

	struct header reply;     /* status is set at the end */
	struct bytes reply_body; /* packed */
	zmq_msg_t reply_payload;
	bool reply_has_payload;

	/* The handler's own, until the exchange ends. */
	void *parked;
	unsigned int rounds; /* races lost so far */

	/* From here on the server's. */
	struct unpack unpack;
	uint64_t began_us; /* on histogram_now_us */
	size_t door;
	enum status (*committed)(struct exchange *exchange, enum status status,
	    uint64_t generation, size_t failed_op);
	struct exchange *next_in_bucket;
	struct exchange *next, *previous;
};

struct server_options {
	const struct handler *handlers; /* borrowed for good */
	size_t handlers_count;
	void *state;               /* for the handlers */
	struct db *db;             /* or NULL: no KEPT handlers then */
	struct db *journal;        /* or NULL; COMPACT shrinks both */
	struct keyring *keyring;   /* likewise; seals answers, does REKEY */
	struct audit *audit;       /* likewise; answers AUDIT_READ */
	struct backup *backup;     /* likewise; answers BACKUP */
	struct service *service;   /* likewise; answers VERIFY */
	const uint8_t *ticket_key; /* auth's; NULL: no handler takes one */
	struct orders *orders;     /* or NULL: none are taken nor obeyed */
	/* Append the figures of StatusReport; or NULL. */
	void (*figures)(void *state, struct exchange *exchange,
	    void (*add)(
		struct exchange *exchange, const char *name, uint64_t value));
};

enum status server_new(struct program *program,
    const struct server_options *options, struct server **out);

/** The database and the keyring it was given. */
struct db *server_db(const struct server *self);
struct keyring *server_keyring(const struct server *self);

/** The orders it was given, or NULL. */
struct orders *server_orders(const struct server *self);

/** Tell every figure of StatusReport to ${each}. */
void server_figures(struct server *self,
    void (*each)(void *arg, const char *name, uint64_t value), void *arg);

/** What it has answered so far. */
const struct request_counts *server_requests(const struct server *self);

/** Close the doors; exchanges that are still parked are dropped. */
void server_destroy(struct server **self_p);

/** Open the door for ${role}: the endpoint comes from the settings. */
enum status server_open_door(struct server *self, enum role role);

/**
 * Stop taking requests (they are answered UNAVAILABLE) and call ${stopped}
 * when the last exchange has ended, at the latest after 7 s.
 */
void server_stop(struct server *self, loop_fn *stopped, void *arg);

/**
 * Send a message that answers nothing (a push) by a door that ROLE came in
 * by, along the envelope of an earlier request.
 *
 * STATUS_UNAVAILABLE  that way is gone
 */
enum status server_push(
    struct server *self, size_t door, struct message *message);

/* ---- for handlers ---- */

/**
 * Unpack the body; the memory goes with the exchange.
 *
 * STATUS_MALFORMED  refused, and the reply's detail says so
 */
enum status exchange_unpack(
    struct exchange *self, const ProtobufCMessageDescriptor *type, void *out);

/** Set the answer's body. */
enum status exchange_reply(
    struct exchange *self, const ProtobufCMessage *message);

/** Set the answer's detail; returns ${status}, for "return exchange_…". */
enum status exchange_refuse(struct exchange *self, enum status status,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/** The same, with how long to wait before asking again. */
enum status exchange_retry(struct exchange *self, enum status status,
    uint32_t retry_after_ms, const char *detail);

/** End a parked exchange: the answer leaves, *self_p becomes NULL. */
void exchange_finish(struct exchange **self_p, enum status status);

/**
 * Submit the batch that the exchange asks for and answer once it is on the
 * disk.  In a KEPT handler the answer, which must be set already, is written
 * in the same batch, so the batch must be of the ticket's account.
 *
 * batch_p    taken
 * committed  called with db_submit's result to turn it into the answer's,
 *            or STATUS_PENDING; NULL: the result is the answer
 *
 * Returns STATUS_PENDING, or what the handler must return.
 */
enum status exchange_commit(struct exchange *self, struct db_batch **batch_p,
    enum status (*committed)(struct exchange *exchange, enum status status,
	uint64_t generation, size_t failed_op));

#endif
