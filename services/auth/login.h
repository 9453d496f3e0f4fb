#ifndef KEEPSAKE_AUTH_LOGIN_H
#define KEEPSAKE_AUTH_LOGIN_H

#include "crypto/auth_keys.h"
#include "journal_db.h"

/*
 * A login: what auth must know between the challenge and the proof.
 * It travels in a cookie.  An account that is not there goes the same way
 * with a record that no password opens.
 */

/** Whether the terminal may have a ticket, if the proof is right. */
enum login_verdict {
	LOGIN_ALLOWED,
	LOGIN_NOT_BOUND,        /* the terminal is nobody's */
	LOGIN_BOUND_TO_ANOTHER, /* it is another account's */
	LOGIN_VERDICT_COUNT
};

struct login {
	struct lane_key lane;  /* by which it came; also: whose account */
	struct id try;         /* that it took there */
	struct code_slot slot; /* which code */
	uint32_t revision;     /* of the credential; 0: there is none */
	uint64_t changed_ms;   /* likewise */
	uint64_t begun_ms;     /* wall time */
	struct id terminal;    /* for the ticket; none: for no terminal */
	enum direction direction;
	enum login_verdict verdict;
	bool invited; /* by the invitation with this hash */
	uint8_t invitation[INVITATION_HASH_BYTES];
	struct opaque_expected expected; /* secret */
};

/** Whose the terminal is, as binding says; none: nobody's. */
struct login_binding {
	struct id account;
	struct id terminal;
};

/** Whether ${number}, off the wire, is a direction to log in for. */
bool login_direction_valid(unsigned int number);

/** What is to come of a right proof for ${account}. */
enum login_verdict login_verdict(enum direction direction,
    const struct id *account, const struct login_binding *binding);

/** The terminal that the ticket is to be for; none: for no one. */
struct id login_terminal(enum direction direction, const struct id *account,
    const struct login_binding *binding);

/** What is said to who may not, for people; NULL for LOGIN_ALLOWED. */
const char *login_verdict_text(enum login_verdict verdict);

/**
 * Answer KE1.
 *
 * out         all but revision, changed_ms and expected is filled already;
 *             to be wiped after use
 * credential  NULL where there is no such code
 *
 * STATUS_OK         ${ke2_out} may be sent
 * STATUS_MALFORMED  KE1 is none
 */
enum status login_challenge(uint8_t ke2_out[static OPAQUE_KE2_BYTES],
    struct login *out, const struct auth_keys *keys,
    const struct credential *credential, struct slice ke1);

/**
 * Check KE3.
 *
 * credential  as it is now; NULL where there is no such code
 *
 * STATUS_OK      the proof is right, and the code was not changed meanwhile
 * STATUS_DENIED  otherwise, whatever it was
 */
enum status login_proof(const struct login *self,
    const struct credential *credential, struct slice ke3);

/** Fill the ticket that was earned, for ${good_ms} from now. */
void login_ticket(struct ticket *out, const struct login *self,
    const uint8_t peer[static TICKET_PEER_BYTES], uint64_t good_ms);

#endif
