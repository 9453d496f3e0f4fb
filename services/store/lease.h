#ifndef KEEPSAKE_STORE_LEASE_H
#define KEEPSAKE_STORE_LEASE_H

#include "store_db.h"

/* A transfer's lease: what it protects, and for how long (A-03, B-08). */

/** Whether the lease was used within the last ${lease_ms}. */
bool lease_is_live(
    const struct lease *self, uint64_t now_ms, uint64_t lease_ms);

/**
 * Whether the lease stands back where snapshots were deleted: a restore's that
 * was not used for ${idle_ms}.  Who began it is gone, or finds what is left.
 */
bool lease_yields(const struct lease *self, uint64_t now_ms, uint64_t idle_ms);

/**
 * A new lease for the ticket's terminal.
 *
 * before  what that terminal left behind, still live; or NULL
 */
void lease_open(struct lease *out, enum lease_kind kind,
    const struct ticket *ticket, const struct lease *before, uint64_t now_ms);

/**
 * Whether a request may go on under this lease.
 *
 * self            the one that the ticket's terminal has, or NULL
 * id              the one that the request names
 * ticket_expired  the ticket is over: only the lease can keep it good
 * detail_out      why not, for people; static
 *
 * STATUS_OK        yes
 * STATUS_EXPIRED   the ticket is over and this lease does not renew it
 * STATUS_CONFLICT  the lease has ended, or was taken over
 */
enum status lease_check(const struct lease *self, const struct id *id,
    const struct ticket *ticket, bool ticket_expired, uint64_t now_ms,
    uint64_t lease_ms, const char **detail_out);

/**
 * Note the use of the lease under ${ticket}; true where that is worth
 * writing: much time has passed, or the ticket is a newer one.
 *
 * known_ms  how much time matters: 1/16 of it is much
 */
bool lease_touch(struct lease *self, const struct ticket *ticket,
    bool ticket_expired, uint64_t now_ms, uint64_t known_ms);

#endif
