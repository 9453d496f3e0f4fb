#ifndef KEEPSAKE_AUTH_CHANGE_H
#define KEEPSAKE_AUTH_CHANGE_H

#include "dispatch_internal.h"

/*
 * One of an account's codes is set or replaced, in two sealed messages: the
 * first fixes in a cookie what it replaces, the last brings the credential,
 * which takes that place in one step, or not at all.
 */

/** Must not move between change_begin and change_end. */
struct change {
	struct auth *auth;
	struct exchange *x; /* with the ticket of the account */
	struct code_slot slot;
	const char *conflict; /* said where another one came first; static */

	struct sealed sealed;
	bool is_there;           /* whether the slot is taken */
	struct credential found; /* in it; secret */
};

/** Begin with one of the messages; undone by change_end. */
void change_begin(struct change *self, struct auth *auth, struct exchange *x);
void change_end(struct change *self);

/**
 * Read what is in the slot.
 *
 * STATUS_OK         is_there and found are filled
 * STATUS_NOT_FOUND  there is no such account; the reply says so
 * other             as db_get
 */
enum status change_read(struct change *self);

/** Answer the first message; results as auth_reply_offer. */
enum status change_offer(struct change *self, enum cookie_purpose purpose,
    ProtobufCBinaryData request);

/**
 * Open the cookie that came with the last message, and read the slot.
 *
 * STATUS_CONFLICT  it has changed meanwhile; the reply says so
 * other            as auth_read_cookie and change_read
 */
enum status change_open(struct change *self, enum cookie_purpose purpose,
    ProtobufCBinaryData cookie);

/**
 * Put ${next} into the slot, or empty it where that is NULL, and answer.
 * The owner is told, but of the first verification information.
 *
 * action  for the audit log
 *
 * Returns as a handler.
 */
enum status change_commit(
    struct change *self, const struct credential *next, const char *action);

#endif
