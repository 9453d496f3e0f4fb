#ifndef KEEPSAKE_SERVICE_DRAFT_H
#define KEEPSAKE_SERVICE_DRAFT_H

#include "base/bytes.h"
#include "notify.pb-c.h"

/*
 * A notice while it is written, on the stack: then it goes to outbox_put,
 * which packs it.
 */

#define DRAFT_FIGURES_MAX 4

struct draft {
	Notify__Notice notice;
	Notify__Figure figures[DRAFT_FIGURES_MAX];
	Notify__Figure *pointers[DRAFT_FIGURES_MAX];
};

/**
 * Begin a notice.  ${self} must not move from then on.
 *
 * terminal  it is about, borrowed; NULL: about none
 */
void draft_begin(
    struct draft *self, Notify__Kind kind, const struct id *terminal);

/** Add a figure, at most DRAFT_FIGURES_MAX; the name is borrowed. */
void draft_add(struct draft *self, const char *name, uint64_t value);

#endif
