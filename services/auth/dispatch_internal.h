#ifndef KEEPSAKE_AUTH_DISPATCH_INTERNAL_H
#define KEEPSAKE_AUTH_DISPATCH_INTERNAL_H

#include "auth.pb-c.h"
#include "auth_db.h"
#include "cookie.h"
#include "crypto/auth_keys.h"
#include "crypto/invitation.h"
#include "dispatch.h"
#include "issue.h"
#include "limits.h"
#include "name.h"
#include "sealed.h"
#include "sessions_db.h"
#include "tries.h"

/*
 * For dispatch*.c only: the state, the handlers of the table, and what
 * several of them do.
 */

struct auth {
	struct service *service; /* borrowed */
	struct db *db;           /* the service's */
	struct auth_rows rows;   /* in it, as far as they are sealed */
	struct auth_keys *keys;
	struct tries *tries;
	struct issue *issue;
	struct deed *deeds; /* of operators, under way; deed.c's */
	struct limits *by_account, *by_address; /* how often who may ask */
	uint64_t ticket_ms;                     /* how long a ticket is good */
	bool allow_identifier_only;
	char disabled[DETAIL_BYTES_MAX + 1]; /* said of such an account */
	const char *contact; /* who is to be asked for help; the settings' */

	/* Since the start. */
	uint64_t registrations, logins_ok, logins_denied, tickets_issued;
	uint64_t limited;
};

/* Handlers: see struct handler for what they take and return. */

/* dispatch_register.c */
enum status on_register_begin(void *state, struct exchange *x);
enum status on_register_finish(void *state, struct exchange *x);

/* dispatch_factors.c */
enum status on_factors(void *state, struct exchange *x);

/* dispatch_invite.c */
enum status on_invite(void *state, struct exchange *x);
enum status on_invitation(void *state, struct exchange *x);

/* dispatch_login.c */
enum status on_login_begin(void *state, struct exchange *x);
enum status on_login_finish(void *state, struct exchange *x);

/* dispatch_verification.c */
enum status on_verification_begin(void *state, struct exchange *x);
enum status on_verification_finish(void *state, struct exchange *x);
enum status on_verification_state(void *state, struct exchange *x);

/* dispatch_code.c */
enum status on_code_begin(void *state, struct exchange *x);
enum status on_code_finish(void *state, struct exchange *x);
enum status on_code_remove(void *state, struct exchange *x);

/* dispatch_grant.c */
enum status on_grant_add(void *state, struct exchange *x);
enum status on_grant_list(void *state, struct exchange *x);
enum status on_grant_remove(void *state, struct exchange *x);

/**
 * End the grants of terminals that ${order} has signed out: else those would
 * sign in again by themselves.
 *
 * keeper  the terminal that asked for it and stays; NULL: none does
 * actor   for the record
 *
 * STATUS_OK       there are none
 * STATUS_PENDING  ${done} will be called; on OK auth_grants_ended is due
 * other           as db_submit
 */
enum status auth_end_grants(struct auth *self, const struct order *order,
    const struct id *keeper, const char *actor, db_done_fn *done, void *arg);

/** They are gone: tell of it. */
void auth_grants_ended(struct auth *self, const struct id *account);

/* dispatch_grant_login.c */
enum status on_grant_login_begin(void *state, struct exchange *x);
enum status on_grant_login_finish(void *state, struct exchange *x);

/* dispatch_ops.c */
enum status on_find_account(void *state, struct exchange *x);
enum status on_accounts(void *state, struct exchange *x);
enum status on_export(void *state, struct exchange *x);

/* dispatch_ops_locks.c */
enum status on_locks(void *state, struct exchange *x);
enum status on_unlock(void *state, struct exchange *x);
enum status on_hand_back(void *state, struct exchange *x);
enum status on_ops_invite(void *state, struct exchange *x);

/* dispatch_ops_orders.c */
enum status on_ops_sessions(void *state, struct exchange *x);
enum status on_ops_revoke(void *state, struct exchange *x);
enum status on_remove(void *state, struct exchange *x);
enum status on_disable(void *state, struct exchange *x);
enum status on_enable(void *state, struct exchange *x);

/** Refuse an account that is not there, which keepsakectl named. */
enum status auth_refuse_unknown(struct exchange *x);

/* dispatch_sessions.c */
enum status on_sessions(void *state, struct exchange *x);
enum status on_revoke(void *state, struct exchange *x);

/** The account's sessions that no order has ended; results as sessions_list. */
enum status auth_live_sessions(struct auth *self, const struct id *account,
    struct session out[static SESSIONS_MAX], size_t *count_out);

/** What is answered where an order could not be issued with ${st}. */
enum status auth_refuse_order(struct exchange *x, enum status st);

/** The names as a repeated field, which borrows them. */
void auth_fill_names(
    char *out[static FOLLOWERS + 1], const struct unconfirmed *unconfirmed);

/* dispatch_gone.c */
enum status on_terminal_gone(void *state, struct exchange *x);

/* deregister.c */
enum status on_deregister(void *state, struct exchange *x);

/**
 * Delete an account, for good, once ${event} is in the audit log.
 *
 * STATUS_PENDING  ${done} will be called, as by issue_order; where nothing
 *                 was done its status says why
 * other           nothing was done
 */
enum status auth_delete_account(struct auth *self, const struct id *account,
    const struct audit_event *event, issue_done_fn *done, void *arg);

/* Each of these says in the answer's detail what is wrong. */

/**
 * Whether ${x} comes from a CURVE key, which cookies and tickets are for;
 * else DENIED.
 */
enum status auth_check_peer(struct exchange *x);

/**
 * Count a question that comes before a proof, by where it comes from.
 *
 * STATUS_OK    it may be answered
 * STATUS_BUSY  too many lately; the reply says when again
 */
enum status auth_limit_address(struct auth *self, struct exchange *x);

/**
 * The same by whom it is about.  A bound terminal has a limit of its own: who
 * asks too often must not shut out the owner.
 *
 * terminal  none for one that is not bound to the account
 */
enum status auth_limit_account(struct auth *self, struct exchange *x,
    const struct id *account, const struct id *terminal);

/** Read a name; results as name_parse. */
enum status auth_read_name(
    struct exchange *x, struct name *out, struct slice text);

/**
 * Make an invitation, as a part of a batch of the journal.
 *
 * code       to be wiped after use
 * expiry_ms  wall time
 *
 * Results as journal_db_put_invitation.
 */
enum status auth_put_invitation(struct auth *self, struct db_batch *batch,
    const struct subject *subject, char code[static INVITATION_TEXT_BYTES],
    uint64_t expiry_ms);

/** What stands for an invitation to ${account} in the journal. */
void auth_hash_invitation(const struct auth *self,
    uint8_t out[static INVITATION_HASH_BYTES], const struct id *account,
    const uint8_t code[static INVITATION_CODE_BYTES]);

/** Open a cookie that came with ${x}; results as cookie_open. */
enum status auth_read_cookie(struct auth *self, struct exchange *x,
    enum cookie_purpose purpose, ProtobufCBinaryData cookie, void *content,
    size_t len);

/** A credential in the making: what its first message is answered with. */
struct offer {
	const struct code_slot *slot;
	const struct id *account;
	enum cookie_purpose purpose;
	struct slice content; /* of the cookie */
	ProtobufCBinaryData request;
};

/**
 * Answer with a RegisterChallenge.
 *
 * STATUS_OK         the answer is set
 * STATUS_MALFORMED  the request is none
 * STATUS_NO_SPACE   no memory
 */
enum status auth_reply_offer(
    struct auth *self, struct sealed *sealed, const struct offer *offer);

#endif
