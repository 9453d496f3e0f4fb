#ifndef KEEPSAKE_CLIENT_THIN_H
#define KEEPSAKE_CLIENT_THIN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Which snapshots are kept when they are thinned (B-06): those that at least
 * one rule keeps.  Nothing here touches a file or the network.
 */

enum thin_rule {
	THIN_LAST,    /* the newest */
	THIN_DAILY,   /* the newest of each of the last days that have one */
	THIN_WEEKLY,  /* likewise of ISO 8601 weeks, Monday to Sunday */
	THIN_MONTHLY, /* likewise of months */
	THIN_RULE_COUNT
};

/** A snapshot. */
struct thin_item {
	uint64_t taken_ms; /* wall time */
	size_t series;     /* each is thinned by itself */
	unsigned int kept; /* bits of enum thin_rule: which keep it; 0: none */
};

/**
 * Fill in kept.  Days, weeks and months begin and end by the local time of
 * this process (TZ).  A series of which a rule keeps at least one keeps its
 * newest.
 *
 * items  oldest first
 * keep   how many each rule keeps of each series; 0: none
 */
void thin_select(struct thin_item *items, size_t count,
    const uint32_t keep[static THIN_RULE_COUNT]);

#endif
