#ifndef KEEPSAKE_BASE_CLOCK_H
#define KEEPSAKE_BASE_CLOCK_H

#include <stdint.h>

/**
 * Milliseconds on CLOCK_BOOTTIME: for intervals and deadlines.  Goes on
 * while the machine sleeps, never jumps, means nothing after a reboot.
 */
uint64_t clock_interval_ms(void);

/**
 * Milliseconds since 1970-01-01 UTC, never below what it returned before
 * nor below clock_wall_floor: for anything that is stored or sent.
 */
uint64_t clock_wall_ms(void);

/** Raise the floor of clock_wall_ms to the highest time in the database. */
void clock_wall_floor(uint64_t wall_ms);

#define CLOCK_TEXT_BYTES sizeof("2026-11-20T18:30:00Z")

/** Write ${wall_ms} as UTC, RFC 3339, whole seconds, with a NUL. */
void clock_text(char text[static CLOCK_TEXT_BYTES], uint64_t wall_ms);

#endif
