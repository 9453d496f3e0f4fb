#ifndef KEEPSAKE_SERVICE_ANSWERS_H
#define KEEPSAKE_SERVICE_ANSWERS_H

#include "service/server.h"
#include "service/tables.h"

/*
 * Answers to changing requests, kept per terminal key and request id for
 * 24 hours in the account's own rows (G-04).  A repeat gets the first
 * answer; the same id with another body is refused.
 */

/**
 * Look for the answer to ${exchange}, which has a ticket.
 *
 * STATUS_OK         found: reply and reply_body are filled
 * STATUS_NOT_FOUND  asked for the first time
 * STATUS_CONFLICT   the id was used for another request
 * STATUS_DENIED     the account is being deleted
 */
enum status answers_find(struct exchange *exchange);

/** Write the answer that ${exchange} will give, and drop expired ones. */
void answers_put(struct db_batch *batch, struct exchange *exchange);

#endif
