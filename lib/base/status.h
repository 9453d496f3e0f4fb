#ifndef KEEPSAKE_BASE_STATUS_H
#define KEEPSAKE_BASE_STATUS_H

/**
 * Outcome of an operation: one enum for the wire and for the code.
 *
 * Goes on the wire (proto/common.proto mirrors it): append, never renumber.
 */
enum status {
	STATUS_OK = 0,
	STATUS_NOT_FOUND,     /* a normal answer, never logged */
	STATUS_CONFLICT,      /* wrong state, or lost a race: re-read first */
	STATUS_DENIED,        /* no right to this */
	STATUS_AUTH_REQUIRED, /* no ticket, or not one for this direction */
	STATUS_LOCKED,        /* too many wrong tries */
	STATUS_FROZEN,        /* held back for now, the owner can cancel it */
	STATUS_EXPIRED,       /* was good once: prove again */
	STATUS_BUSY,          /* the same request again in retry_after_ms */
	STATUS_UNAVAILABLE,   /* a part that is needed does not answer */
	STATUS_MALFORMED,     /* the peer sent what we refuse to parse */
	STATUS_TOO_LARGE,     /* past a documented bound */
	STATUS_QUOTA,         /* the account's space is used up */
	STATUS_NO_SPACE,      /* disk or database full: the operator acts */
	STATUS_VERSION,       /* a protocol or format we do not speak */
	STATUS_UNKNOWN,       /* it may have happened: re-read, then decide */
	STATUS_INTERNAL,      /* our fault; logged where it was seen */
	STATUS_PENDING,       /* ours only: the answer comes later */
	STATUS_COUNT
};

/** The text of ${status} for people; never NULL, static. */
const char *status_text(enum status status);

/** The word of ${status} for logs and JSON ("not_found"); static. */
const char *status_word(enum status status);

/** Read a number off the wire; what no peer may send is INTERNAL. */
enum status status_from_wire(unsigned int number);

#endif
