#ifndef KEEPSAKE_NOTIFY_RULES_H
#define KEEPSAKE_NOTIFY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "notify.pb-c.h"

/*
 * When an account's notices may be pushed: its quiet hours, and what its
 * owner wants of a kind.  Pure arithmetic.  What tells of a danger to the
 * account is always pushed at once, whatever anybody set: who got in must
 * not be able to keep the owner from knowing.
 */

#define RULES_MAX       32 /* kinds that have one */
#define DAY_MINUTES     1440
#define TOGETHER_S_MIN  60
#define TOGETHER_S_MAX  (24 * 3600)
#define UTC_OFFSET_MAX  (18 * 60) /* minutes, either way */
#define RULES_BYTES_MAX 1024      /* packed */

struct rule {
	uint32_t kind; /* as notify.proto numbers them */
	enum urgency {
		URGENCY_USUAL, /* as its kind has it */
		URGENCY_AT_ONCE,
		URGENCY_IN_TIME,
		URGENCY_NEVER,
		URGENCY_COUNT
	} urgency;
	uint32_t together_s; /* 0: each by itself */
};

/** All zero: no quiet hours, and every kind as usual. */
struct rules {
	uint32_t quiet_from, quiet_to; /* minutes of the local day */
	struct rule rules[RULES_MAX];
	size_t count;
};

/**
 * Check what an owner sets.
 *
 * why_out  what is wrong, for people; static; untouched when OK
 *
 * STATUS_OK         ${out} has it
 * STATUS_MALFORMED  as ${why_out} says
 * STATUS_DENIED     likewise: it is a kind that cannot be held back
 */
enum status rules_read(
    struct rules *out, const Notify__Rules *message, const char **why_out);

/** As it is sent and stored; ${out} borrows ${list} and ${pointers}. */
void rules_fill(Notify__Rules *out, Notify__Rule list[static RULES_MAX],
    Notify__Rule *pointers[static RULES_MAX], const struct rules *from);

/** Whether a notice of ${kind} is to be told at all. */
bool rules_wanted(const struct rules *self, uint32_t kind);

/**
 * When a notice may be pushed that is due at ${due_ms}; not before that.
 *
 * stored_ms       when it came
 * utc_offset_min  of the terminal's clock, within UTC_OFFSET_MAX
 *
 * Wall time all of it.
 */
uint64_t rules_due_ms(const struct rules *self, uint32_t kind,
    uint64_t stored_ms, uint64_t due_ms, int32_t utc_offset_min);

#endif
