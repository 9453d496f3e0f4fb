#ifndef KEEPSAKE_SERVICE_ORDER_H
#define KEEPSAKE_SERVICE_ORDER_H

#include "common.pb-c.h"
#include "crypto/ticket.h"

/*
 * One order of auth that every service obeys: a ticket is revoked, or
 * an account is deleted.
 */

/** Stored and on the wire: append, never renumber. */
enum order_kind {
	ORDER_REVOKE_TICKET = 1,   /* subject: its nonce */
	ORDER_REVOKE_TERMINAL = 2, /* subject: terminal; issued by when_ms */
	/* Every ticket issued by when_ms; subject: nonce of one that is
	 * spared, or none. */
	ORDER_REVOKE_ACCOUNT = 3,
	ORDER_DELETE_ACCOUNT = 4, /* and never let it come back */
};

struct order {
	/* As auth numbered it: wall time in ms, or one above the last.  So
	 * numbers go on rising also where auth's journal was lost. */
	uint64_t sequence;
	enum order_kind kind;
	struct id account;
	struct id subject;
	uint64_t when_ms; /* wall time of auth */
};

/*
 * A revocation is kept for longer than any ticket lives: TRANSFER_MS_MAX
 * after it was issued, and the clocks' skew.  A deletion is kept for good.
 */
#define ORDER_KEPT_MS (25ull * 3600 * 1000)

/** Whether ${self} is a revocation that no ticket needs any more. */
bool order_is_over(const struct order *self, uint64_t now_ms);

/** Whether ${ticket} is good no more because of ${self}. */
bool order_refuses(const struct order *self, const struct ticket *ticket);

/**
 * Whether ${self}, the later one, refuses all that ${other} does, so that
 * ${other} need not be kept.
 */
bool order_covers(const struct order *self, const struct order *other);

/* ---- stored: key and value of a row ---- */

#define ORDER_KEY_BYTES   8
#define ORDER_VALUE_BYTES 42

void order_pack(uint8_t key[static ORDER_KEY_BYTES],
    uint8_t value[static ORDER_VALUE_BYTES], const struct order *order);

/**
 * STATUS_OK         ${out} is filled
 * STATUS_VERSION    newer than this code
 * STATUS_MALFORMED  damaged
 */
enum status order_unpack(
    struct order *out, struct slice key, struct slice value);

/* ---- on the wire ---- */

/** Fill ${out}, initialised; it borrows from ${order}. */
void order_to_message(Common__Order *out, const struct order *order);

/**
 * STATUS_OK         ${out} is filled
 * STATUS_VERSION    of a kind that this code does not know
 * STATUS_MALFORMED  a field of the wrong length, or missing
 */
enum status order_from_message(struct order *out, const Common__Order *message);

#endif
