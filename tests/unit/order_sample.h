#ifndef KEEPSAKE_TESTS_ORDER_SAMPLE_H
#define KEEPSAKE_TESTS_ORDER_SAMPLE_H

#include <string.h>

#include "crypto/ticket.h"

/* Whom the orders of a test are about, and when. */

#define SECOND_MS 1000ull
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define NOON_MS   1790000000000ull /* some time */

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };
static const struct id phone = { "phone of anna" };
static const struct id nonce = { "nonce" };

static inline struct ticket ticket_at(const struct id *account,
    const struct id *terminal, const struct id *number, uint64_t issued_ms)
{
	struct ticket ticket = {
		.direction = DIRECTION_UPLOAD,
		.account = *account,
		.terminal = *terminal,
		.issued_ms = issued_ms,
		.expiry_ms = issued_ms + 5 * MINUTE_MS,
	};

	memcpy(ticket.nonce, number->bytes, TICKET_NONCE_BYTES);
	return ticket;
}

#define NONE ((struct id){ 0 })

#endif
