#ifndef KEEPSAKE_AUTH_SESSIONS_DB_H
#define KEEPSAKE_AUTH_SESSIONS_DB_H

#include "crypto/ticket.h"
#include "db/db.h"

/*
 * Who is logged in: a row for each ticket that was issued and can
 * still be used, in the journal, in the ticket's account; and the only file
 * that knows how.
 *
 *   table  key                   value
 *   0x10   issued (8) nonce (16)  a session
 *
 * The first byte of each value is the version of its layout.
 */

#define SESSIONS_TABLE            0x10
#define SESSIONS_MAX              256 /* of an account; the oldest go */
#define SESSION_FINGERPRINT_BYTES 8

struct session {
	struct id id; /* the ticket's nonce */
	enum direction direction;
	struct id terminal; /* none: it was for binding one */
	uint64_t issued_ms, expiry_ms;
	/* Of the terminal's CURVE key: enough to tell one from another. */
	uint8_t fingerprint[SESSION_FINGERPRINT_BYTES];
};

/**
 * When the session is over at the latest: a transfer keeps its ticket good
 * until TRANSFER_MS_MAX after it was issued.  Wall time.
 */
uint64_t session_ends_ms(const struct session *self);

/** The ticket of ${self}, as far as orders_refusal looks at it. */
struct ticket session_ticket(
    const struct session *self, const struct id *account);

/**
 * Add the session of ${ticket} to a batch of its account, and drop those
 * that are over, and the oldest where there are too many.
 *
 * true   one that is not over was there of the same terminal's key
 * false  none was, or they could not be read
 */
bool sessions_put(
    struct db *journal, struct db_batch *batch, const struct ticket *ticket);

/**
 * Read those that are not over, the oldest first, revoked ones included.
 *
 * STATUS_OK        ${out} has ${count_out}
 * STATUS_INTERNAL  a row cannot be understood; logged
 * other            as db_scan
 */
enum status sessions_list(struct db *journal, const struct id *account,
    struct session out[static SESSIONS_MAX], size_t *count_out);

#endif
