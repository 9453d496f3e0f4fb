#ifndef KEEPSAKE_BINDING_CLAIMS_H
#define KEEPSAKE_BINDING_CLAIMS_H

#include "binding_db.h"
#include "service/server.h"

/*
 * Claiming the names of a terminal or a card, one after the other, for the
 * account of a ticket, as a step of a request.
 */

/** The caller's, within what ${arg} points to. */
struct claims {
	const struct binding_db *db;
	struct exchange *exchange;
	struct names names;
	/* All are claimed: what to answer, or PENDING. */
	enum status (*claimed)(void *arg);
	/* Another account has one: what to answer. */
	enum status (*taken)(void *arg);
	void (*destroy)(void *arg); /* called last, whatever happened */
	void *arg;
	size_t count; /* claimed so far; 0 to begin */
};

/**
 * Begin; takes what ${arg} points to.  What was claimed when a later name is
 * refused runs out by itself.
 *
 * Returns what the handler must return.
 */
enum status claims_begin(struct claims *self);

#endif
