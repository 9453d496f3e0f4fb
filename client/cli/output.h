#ifndef KEEPSAKE_CLI_OUTPUT_H
#define KEEPSAKE_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keepsake.h"

/**
 * ${path} as text that is safe to print: what is no UTF-8, and every control
 * character, byte by byte as \xNN; a backslash as two.  To be freed; NULL
 * without memory.
 */
char *path_text(const char *path);

/** Say on standard error what was not done with ${path}, and why. */
void print_report(const char *path, const char *why);

/** A JSON string of path_text; NULL without memory. */
json_t *json_path(const char *path);

/** Whether every byte of ${id} is zero. */
bool is_none(const uint8_t id[static KEEPSAKE_ID_BYTES]);

/** A JSON string of an id as hex, null for one that is all zero. */
json_t *json_of_id(const uint8_t id[static KEEPSAKE_ID_BYTES]);

/** A JSON string of a wall time, RFC 3339 in UTC. */
json_t *json_of_time(uint64_t wall_ms);

/** The word for a type of entry ("file"); static. */
const char *type_word(enum keepsake_type type);

/** A JSON object {category: {files, bytes}} of those that have files. */
json_t *json_of_totals(
    const struct keepsake_total totals[static KEEPSAKE_CATEGORIES]);

#define TIME_TEXT_BYTES 48

/** A file's time as RFC 3339 in UTC; the fraction only where there is one. */
void time_text(
    char out[static TIME_TEXT_BYTES], int64_t seconds, uint32_t nanoseconds);

/**
 * Print ${value} on a line of standard output, and release it; returns
 * whether it went out.
 */
bool json_print(json_t *value);

/** Services that have not confirmed, as they are told. */
struct unconfirmed {
	const char *meaning;
	json_t *names; /* with --json; else NULL */
};

/** keepsake_unconfirmed_fn; ${arg} is a struct unconfirmed. */
void on_unconfirmed(void *arg, const char *service);

/** Its meaning where somebody was signed out. */
#define MEANING_REVOKED                                                \
	"it is down, or cut off from auth; when it is back it learns " \
	"of this before it moves anything, and one that is cut off "   \
	"takes these tickets until they expire"

/** A line of progress on standard error that is written over. */
struct progress {
	bool shown; /* a person watches */
	const char *verb;
	uint64_t begun_ms; /* on clock_interval_ms; 0: not yet */
	uint64_t drawn_ms;
	bool drawn; /* there is a line to be cleared */
};

/** keepsake_progress_fn; ${arg} points to what begins with struct progress. */
void progress_show(void *arg, const struct keepsake_progress *progress);

/** Clear the line, so that another may be printed. */
void progress_clear(struct progress *self);

#endif
