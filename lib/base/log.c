#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_json.h"
#include "base/util.h"

#define LINE_BYTES_MAX 2048

static const char *program = "keepsake";
static _Atomic int level_max = LOG_INFO;
static _Atomic int line_format = LOG_TEXT;
static _Atomic uint64_t counts[LOG_DEBUG + 1];
static void (*_Atomic note_error)(const char *event, const struct id *request);
static _Thread_local struct id working_for;

static const char *const levels[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void log_program(const char *name)
{
	program = name;
}

void log_level_set(enum log_level level)
{
	atomic_store(&level_max, (int)level);
}

void log_format_set(enum log_format format)
{
	atomic_store(&line_format, (int)format);
}

uint64_t log_count(enum log_level level)
{
	return atomic_load(&counts[level]);
}

void log_note_errors(void (*noted)(const char *event, const struct id *request))
{
	atomic_store(&note_error, noted);
}

struct id log_request_set(struct id request)
{
	struct id before = working_for;

	working_for = request;
	return before;
}

struct id log_request(void)
{
	return working_for;
}

/* What every line begins with; ${hex} is the request, or "". */
static size_t begin_text(char line[static LINE_BYTES_MAX], enum log_level level,
    const char *hex, const char *event)
{
	char when[CLOCK_TEXT_BYTES];

	clock_text(when, clock_wall_ms());
	return (size_t)snprintf(line, LINE_BYTES_MAX,
	    "%s level=%s program=%s%s%s event=%s", when, levels[level], program,
	    *hex ? " request=" : "", hex, event);
}

static size_t begin_json(char line[static LINE_BYTES_MAX], enum log_level level,
    const char *hex, const char *event)
{
	char when[CLOCK_TEXT_BYTES];

	clock_text(when, clock_wall_ms());
	return (size_t)snprintf(line, LINE_BYTES_MAX,
	    "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\"%s%s%s,"
	    "\"event\":\"%s\"",
	    when, levels[level], program, *hex ? ",\"request\":\"" : "", hex,
	    *hex ? "\"" : "", event);
}

void log_line(enum log_level level, const struct id *request, const char *event,
    const char *format, ...)
{
	char line[LINE_BYTES_MAX], rest[LINE_BYTES_MAX] = "";
	char hex[HEX_BYTES(ID_BYTES)] = "";
	size_t used;
	va_list args;

	if ((int)level > atomic_load(&level_max))
		return;
	if (!request && !id_is_none(&working_for))
		request = &working_for;
	atomic_fetch_add(&counts[level], 1);
	void (*noted)(const char *, const struct id *) =
	    level == LOG_ERROR ? atomic_load(&note_error) : NULL;
	if (noted)
		noted(event, request);
	if (request)
		hex_encode(hex, slice_of(request->bytes, ID_BYTES));
	if (format) {
		va_start(args, format);
		vsnprintf(rest, sizeof(rest), format, args);
		va_end(args);
	}
	if (atomic_load(&line_format) == LOG_JSON) {
		used = begin_json(line, level, hex, event);
		used += log_json_members(
		    line + used, sizeof(line) - 2 - used, rest);
		line[used++] = '}';
	} else {
		used = begin_text(line, level, hex, event);
		if (*rest)
			used += (size_t)snprintf(
			    line + used, sizeof(line) - used, " %s", rest);
		used = min_of(used, sizeof(line) - 2);
	}
	line[used++] = '\n';

	/* One write, so that lines of several processes do not mix. */
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nowhere left to say so */
}

const char *log_quoted(char out[static LOG_QUOTED_BYTES], const char *text)
{
	size_t used = 0;

	out[used++] = '"';
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (used > LOG_QUOTED_BYTES - 9) {
			memcpy(out + used, "...", 3);
			used += 3;
			break;
		}
		if (c == '"' || c == '\\') {
			out[used++] = '\\';
			out[used++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			used += (size_t)snprintf(out + used, 5, "\\x%02x", c);
		} else {
			out[used++] = (char)c;
		}
	}
	out[used++] = '"';
	out[used] = '\0';
	return out;
}
