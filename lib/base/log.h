#ifndef KEEPSAKE_BASE_LOG_H
#define KEEPSAKE_BASE_LOG_H

#include <stdint.h>

#include "base/bytes.h"

/*
 * Structured log on standard error: one line an event,
 *
 *   2026-11-20T18:30:00Z level=error program=keepsake-store request=3f…
 *   event=commit_failed status=no_space …
 *
 * or, where log_format_set says so, one JSON object a line:
 *
 *   {"time":"2026-11-20T18:30:00Z","level":"error",…,"status":"no_space"}
 *
 * key=value, values with spaces or quotes in double quotes, every control
 * byte escaped.  Personal data (names, numbers, file names, contents) and
 * secrets are never logged: not even at LOG_DEBUG.  Thread-safe.
 */

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/** Name of the program in each line; borrowed for good. */
void log_program(const char *name);

/** Lines above ${level} are dropped; LOG_INFO from the start. */
void log_level_set(enum log_level level);

enum log_format { LOG_TEXT, LOG_JSON };

/** LOG_TEXT from the start. */
void log_format_set(enum log_format format);

/**
 * The request that this thread works for from now on, none where all is
 * zero: lines that name no other carry its id.  Returns the one before, to
 * be set again.
 */
struct id log_request_set(struct id request);

/** The request that this thread works for. */
struct id log_request(void);

/** Lines of a level that were logged so far. */
uint64_t log_count(enum log_level level);

/**
 * Have ${noted} called for each line of LOG_ERROR that is logged, from the
 * thread that logs: it must not log, nor wait.  NULL: nothing.
 */
void log_note_errors(
    void (*noted)(const char *event, const struct id *request));

/**
 * One line.
 *
 * request  the request it belongs to; NULL: that of log_request_set, if any
 * event    what happened, one lower_case word
 * format   NULL or "key=%s other=%d": the caller writes the keys; a value
 *          from outside goes through log_quoted first
 */
void log_line(enum log_level level, const struct id *request, const char *event,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#define log_error(request, event, ...) \
	log_line(LOG_ERROR, request, event, __VA_ARGS__)
#define log_warning(request, event, ...) \
	log_line(LOG_WARNING, request, event, __VA_ARGS__)
#define log_info(request, event, ...) \
	log_line(LOG_INFO, request, event, __VA_ARGS__)
#define log_debug(request, event, ...) \
	log_line(LOG_DEBUG, request, event, __VA_ARGS__)

#define LOG_QUOTED_BYTES 200

/**
 * ${text} in double quotes with quotes, backslashes and control bytes
 * escaped, cut with "..." where it is long.  Returns ${out}.
 */
const char *log_quoted(char out[static LOG_QUOTED_BYTES], const char *text);

#endif
