#ifndef KEEPSAKE_CLIENT_SESSION_H
#define KEEPSAKE_CLIENT_SESSION_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "account_keys.h"
#include "base/bytes.h"
#include "base/status.h"
#include "bus/caller.h"
#include "bus/keys.h"
#include "crypto/code.h"
#include "crypto/enrolment.h"
#include "crypto/ticket.h"

/*
 * A terminal's talk with a server, one question after the other: it proves
 * who it is and does all that needs no bulk bytes (for those, remote.h).
 * One thread.
 *
 * What a person must not see on the wire is sealed to auth: the body is
 * auth.Sealed with an envelope (crypto/envelope.h) whose associated data is
 * request id (16) | message type (4, big-endian); the answer likewise, with
 * the same associated data.
 *
 * The account's root key is 32 random bytes.  auth keeps it as
 *
 *   seal(key_derive(first 32 bytes of OPAQUE's export key,
 *            "keepsake wrap root", no context),
 *        root key, associated data: account id)
 *
 * and hands that out sealed once more under the session key, with the label
 * "wrapped root" and no associated data.
 */

#define SESSION_LABEL_WRAP_ROOT    "keepsake wrap root"
#define SESSION_LABEL_WRAPPED_ROOT "wrapped root"

#define INVITATION_BYTES 64 /* with its NUL */

struct session;

struct session_options {
	const struct enrolment *enrolment; /* copied */
	const struct curve_keys *keys;     /* copied; secret */
	uint32_t timeout_ms;               /* for one answer; at least 1 */
	/*
	 * Called once when an answer is taking long, with what it waits for,
	 * to tell a person; may be NULL.
	 */
	void (*waiting)(void *arg, const char *what);
	void *arg;
};

/**
 * Connect.
 *
 * STATUS_OK        also while nobody listens there yet
 * STATUS_NO_SPACE  no memory
 * STATUS_INTERNAL  libzmq refuses; logged
 */
enum status session_new(
    struct session **self_out, const struct session_options *options);
void session_destroy(struct session **self_p);

/** Why the last call failed, for people; "" where it did not. */
const char *session_detail(const struct session *self);

/** What a person can do about it; "" where it did not fail. */
const char *session_advice(const struct session *self);

/**
 * How many wrong tries are left, as the server's last answer told.
 *
 * Returns false, and leaves ${out}, where it did not.
 */
bool session_tries_remaining(const struct session *self, uint32_t *out);

/** When it is worth trying again, as that answer told; 0: it did not. */
uint32_t session_retry_after_ms(const struct session *self);

/**
 * What a person can do about a request that the server refused or that had
 * no answer.
 *
 * link  what the connection was like then
 *
 * Returns a static text, "" for STATUS_OK only.
 */
const char *session_advice_for(enum status status, enum link_state link);

/** The same where this machine failed, or what came is not to be used. */
const char *session_advice_here(enum status status);

/**
 * Ask, and wait for the answer.
 *
 * type        of the message
 * ticket      for it; empty: none
 * body        NULL: empty
 * reply_type  what the answer must be; NULL: whatever it is
 * reply_out   pointer to the unpacked answer, good until the next call
 *
 * STATUS_OK           *reply_out is set
 * STATUS_UNAVAILABLE  no answer in time, or none to be had
 * STATUS_MALFORMED    the answer is not one
 * others              what the server answered
 */
enum status session_ask(struct session *self, uint32_t type,
    struct slice ticket, const ProtobufCMessage *body,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out);

/**
 * The same with body and answer sealed to auth.
 *
 * STATUS_DENIED  also where the answer was not sealed by the auth that the
 *                enrolment names
 */
enum status session_ask_sealed(struct session *self, uint32_t type,
    struct slice ticket, const ProtobufCMessage *body,
    const ProtobufCMessageDescriptor *reply_type, void *reply_out);

/**
 * Wait for a push.
 *
 * STATUS_OK         *out is set, good until the next call
 * STATUS_NOT_FOUND  none came in ${wait_ms}
 * STATUS_MALFORMED  one came that is no ${type}
 */
enum status session_pushed(struct session *self, uint32_t type,
    uint32_t wait_ms, const ProtobufCMessageDescriptor *message_type,
    void *out);

/**
 * How often this was connected to a gateway.  Where it changes pushes must be
 * asked for again: they go by the connection that asked.
 */
unsigned int session_connections(const struct session *self);

/**
 * Make an account with ${code}, and its root key.
 *
 * account_out  its id.  For a phone number or an e-mail address STATUS_OK
 *              does not say that it was free: a message to it tells.
 *
 * STATUS_OK        the account is made (but see above)
 * STATUS_CONFLICT  the name is taken
 * others           as session_ask_sealed
 */
enum status session_register(struct session *self, const char *name,
    const struct code_factors *code, struct id *account_out);

/**
 * Come with an invitation, which the owner was sent: FACTORS and LOGIN_BEGIN
 * carry it behind the name from now on.
 *
 * invitation  borrowed as long as ${self}; empty: without one
 */
void session_set_invitation(struct session *self, struct slice invitation);

/** What the server wants to be proved by. */
struct code_wanted {
	unsigned int factors; /* CODE_ bits */
	bool own;             /* it is the code that this terminal has for
				 itself; else the account's */
};

/** Which code of ${name} is asked for in ${direction}. */
enum status session_factors(struct session *self, const char *name,
    enum direction direction, struct code_wanted *out);

/** What a proof earns; secret, in the arena. */
struct login {
	struct id account;
	enum direction direction;
	uint8_t ticket[TICKET_BYTES_MAX];
	size_t ticket_len;
	uint64_t expiry_ms; /* of the ticket, on the server's clock */
	bool verification_set;
	bool has_root; /* false where the code has no password in it */
	uint8_t root[ACCOUNT_KEY_BYTES];
};

/**
 * Prove ${code} for one direction.  A code that turns out wrong here is given
 * up at the server, which counts it and says what is left.
 *
 * STATUS_OK        ${login_out} is the caller's
 * STATUS_DENIED    a wrong code, an unknown name, or another server than
 *                  the enrolled one: which, nobody can tell; or a right one
 *                  of a terminal that may not
 * STATUS_LOCKED    too many wrong tries
 * others           as session_ask
 */
enum status session_login(struct session *self, const char *name,
    const struct code_factors *code, enum direction direction,
    struct login **login_out);

/** Wipe and release it, and leave NULL; NULL is fine. */
void login_destroy(struct login **self_p);

/** Its ticket; good as long as ${self}. */
struct slice login_ticket(const struct login *self);

/**
 * Set the account's verification information (D-01): an OPAQUE credential
 * of its own whose password is crypto/code.h's text of ${verification} as a
 * password.
 *
 * login  for DIRECTION_ENROL
 */
enum status session_set_verification(
    struct session *self, const struct login *login, struct slice verification);

/** Replace the owner's code; ${login} is for DIRECTION_MANAGE. */
enum status session_change_code(struct session *self, const struct login *login,
    const struct code_factors *code);

/** A one-time code, for who is to prove the account's code elsewhere. */
struct invitation {
	char code[INVITATION_BYTES]; /* secret until it is used */
	uint64_t expiry_ms;          /* on the server's clock */
};

/** Make an invitation; ${login} is for DIRECTION_MANAGE. */
enum status session_invite(
    struct session *self, const struct login *login, struct invitation *out);

/**
 * Have one sent to the owner of ${name}.
 *
 * STATUS_OK  also where there is no such account: nobody can tell
 */
enum status session_ask_invitation(struct session *self, const char *name);

/**
 * Give this terminal a code of its own, or replace it: its transfers
 * are proved by that one from now on.  ${login} is for DIRECTION_MANAGE.
 *
 * STATUS_DENIED  also where the server takes no code without a password
 */
enum status session_set_own_code(struct session *self,
    const struct login *login, const struct code_factors *code);

/**
 * Take it away again.
 *
 * STATUS_NOT_FOUND  it has none
 */
enum status session_remove_own_code(
    struct session *self, const struct login *login);

#endif
