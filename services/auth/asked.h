#ifndef KEEPSAKE_AUTH_ASKED_H
#define KEEPSAKE_AUTH_ASKED_H

#include "dispatch_internal.h"
#include "login.h"

/*
 * Whom a request before a login is about, and who asks: the name that it
 * brings, sealed, with an invitation behind it or none; whose the terminal
 * is, as binding says; and the account, or, for a name that is nobody's, what
 * plays it with the same reads.
 */

struct asked {
	/* The caller's */
	struct auth *auth;
	struct exchange *x;
	enum direction direction; /* that is to be proven for */
	/* The terminal was looked up, or not; see asked_look_up. */
	void (*looked_up)(struct asked *self, enum status status);

	/* asked_read */
	uint8_t hash[NAME_HASH_BYTES];
	struct id unknown; /* the account that the name has where it has none */
	bool has_invitation; /* one that is written like one */
	uint8_t invitation[INVITATION_CODE_BYTES];

	/* asked_look_up */
	struct login_binding binding;

	/* asked_find */
	struct lane_key lane; /* by which the proof comes */
	uint8_t invitation_hash[INVITATION_HASH_BYTES]; /* where it is one */
	struct code_slot slot; /* of the code that is to be proven */
	/* Of the account; 0: there is none, or the journal is older than all */
	uint64_t created_ms;
	bool has_credential;
	struct credential credential; /* secret */
};

/**
 * Open and read the name, and an invitation behind a NUL.
 *
 * STATUS_OK  hash, unknown and invitation are filled
 * other      as sealed_open and name_parse; the reply's detail says why
 */
enum status asked_read(struct asked *self, ProtobufCBinaryData name_sealed);

/**
 * Ask binding whose the peer's terminal is.
 *
 * STATUS_PENDING  looked_up will be called, not from inside this call
 * other           what to answer; the reply's detail says why
 */
enum status asked_look_up(struct asked *self);

/**
 * Find the account: the lane's subject.  asked_find does it as well; results
 * as there.
 */
enum status asked_find_account(struct asked *self);

/**
 * Find the account, the code, and the lane.
 *
 * STATUS_OK  all is filled; ${self} is to be wiped after use
 * other      as db_get; logged
 */
enum status asked_find(struct asked *self);

#endif
