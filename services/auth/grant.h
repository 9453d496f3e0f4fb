#ifndef KEEPSAKE_AUTH_GRANT_H
#define KEEPSAKE_AUTH_GRANT_H

#include "auth.pb-c.h"
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/grant_proof.h"
#include "crypto/ticket.h"

/*
 * A standing grant: the owner's word that a terminal may have tickets
 * for some directions by a key that it keeps, with nobody there to type a
 * code.  A terminal has one at most, and it ends with the binding: a
 * terminal that binding does not know gets no ticket.
 */

struct grant {
	struct id terminal;
	uint32_t directions; /* bits 1 << direction, of GRANT_DIRECTIONS */
	uint8_t key[GRANT_PUBLIC_BYTES];
	uint64_t given_ms; /* wall time */
	uint64_t used_ms;  /* wall time, see grant_use; 0: never */
};

/** What can be granted: to write and to report, never to read or manage. */
#define GRANT_DIRECTIONS (1u << DIRECTION_UPLOAD | 1u << DIRECTION_REPORT)

#define GRANT_DIRECTIONS_MAX 2 /* of them */

#define GRANT_USED_MS 3600000 /* how exactly used_ms is kept */

/**
 * Check what is asked for ${terminal}.
 *
 * directions  off the wire
 * why_out     what is wrong, for people; static
 *
 * STATUS_OK         ${out} is filled, given now
 * STATUS_DENIED     a direction that is not granted
 * STATUS_MALFORMED  no direction, one that there is not, or no key
 */
enum status grant_make(struct grant *out, const struct id *terminal,
    const Common__Direction *directions, size_t count, struct slice key,
    const char **why_out);

/** Write the directions to ${out}; returns how many. */
size_t grant_directions(Common__Direction out[static GRANT_DIRECTIONS_MAX],
    const struct grant *self);

/** Whether it is good for ${direction}. */
bool grant_allows(const struct grant *self, enum direction direction);

/**
 * Note that it was used at ${now_ms}.  False where the row need not be
 * written: it was less than GRANT_USED_MS ago.
 */
bool grant_use(struct grant *self, uint64_t now_ms);

/** A login by grant, between challenge and proof; travels in a cookie. */
struct grant_login {
	struct id account;
	struct id terminal;
	enum direction direction;
	uint64_t begun_ms; /* wall time */
	uint8_t challenge[GRANT_CHALLENGE_BYTES];
};

/**
 * Check a proof.
 *
 * STATUS_OK      ${signature} is right, and the grant is good for it
 * STATUS_DENIED  it is not
 */
enum status grant_proven(const struct grant *self,
    const struct grant_login *login,
    const uint8_t peer[static TICKET_PEER_BYTES], struct slice signature);

/** Fill the ticket that was earned, for ${good_ms} from now. */
void grant_ticket(struct ticket *out, const struct grant_login *login,
    const uint8_t peer[static TICKET_PEER_BYTES], uint64_t good_ms);

#endif
