#ifndef KEEPSAKE_NOTIFY_DELIVERY_H
#define KEEPSAKE_NOTIFY_DELIVERY_H

#include <stdbool.h>

#include "base/bounds.h"
#include "base/bytes.h"

#define DELIVERY_BATCH_MAX 100 /* in one list, and in one Ack */

/** Which notice, in the order they came in. */
struct notice_key {
	uint64_t stored_ms; /* wall time when notify took it */
	struct id id;
};

/** One notice on its way to one terminal. */
struct delivery {
	struct notice_key notice;
	uint32_t attempts; /* made so far */
	uint64_t due_ms;   /* wall time of the next */
};

/** The terminals that have not acknowledged a notice yet. */
struct recipients {
	struct id terminals[ACCOUNT_TERMINALS_MAX];
	size_t count;
};

/** Add a terminal once; false: there are too many. */
bool recipients_add(struct recipients *self, const struct id *terminal);

/** Take a terminal out; unknown ones are fine. */
void recipients_remove(struct recipients *self, const struct id *terminal);

/** Count a try at ${now_ms} and set when the next is due. */
void delivery_attempted(struct delivery *self, uint64_t now_ms,
    uint64_t retry_ms, uint64_t retry_ms_max);

#endif
