#ifndef KEEPSAKE_AUTH_DEED_H
#define KEEPSAKE_AUTH_DEED_H

#include "dispatch_internal.h"
#include "service/listing.h"
#include "service/operator.h"

/*
 * What an operator does to an account: first it is put on record, and only
 * when that is on the disk it is done (A-08, O-06).  A deed that then fails
 * is on record as failed, too.
 */

/** The first member of each deed's own struct. */
struct deed {
	struct auth *auth;
	struct exchange *x;
	struct id account;
	const Ops__By *by;  /* the exchange's */
	const char *action; /* for the record; static */
	/* The record is to outlive the account: it is sealed under the
	 * service's own key, and says nothing of the document. */
	bool lasting;
	/* Do it; PENDING: deed_end will be called.  Else what is answered. */
	enum status (*act)(struct deed *self);
	struct deed *next; /* deed.c's */
};

/**
 * Check what every deed has: a known account, and who does it.
 *
 * account  as it came off the wire
 * by       likewise; may be NULL
 * needs    bits of operator_needs
 * out      the account's id
 *
 * STATUS_MALFORMED, STATUS_NOT_FOUND  refused; the reply's detail says why
 * other                               as auth_db_account
 */
enum status deed_check(struct auth *auth, struct exchange *x,
    ProtobufCBinaryData account, const Ops__By *by, unsigned int needs,
    struct id *out);

/**
 * Put it on record, then do it.
 *
 * model  begins a struct of ${size} bytes, which is copied; auth, x, account,
 *        by, action and act are filled
 * what   more for the record, or ""
 *
 * Returns as a handler does.
 */
enum status deed_begin(const struct deed *model, size_t size, const char *what);

/** It is done, or not: answer, and free it. */
void deed_end(struct deed **self_p, enum status status);

/** Parts of listings, which an export has, too. */
listing_part_fn auth_list_lanes, auth_list_sessions, auth_list_grants;

/** Free those that have not ended, as the service ends. */
void deed_destroy_all(struct auth *auth);

#endif
