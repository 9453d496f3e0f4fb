#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define LINE_BYTES_MAX 2048

static const char *program = "keepsake";
static _Atomic int level_max = LOG_INFO;

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

void log_line(enum log_level level, const struct id *request, const char *event,
    const char *format, ...)
{
	char line[LINE_BYTES_MAX], when[CLOCK_TEXT_BYTES];
	char hex[HEX_BYTES(ID_BYTES)];
	size_t used;
	va_list args;

	if ((int)level > atomic_load(&level_max))
		return;
	clock_text(when, clock_wall_ms());
	used = (size_t)snprintf(line, sizeof(line), "%s level=%s program=%s",
	    when, levels[level], program);
	if (request) {
		hex_encode(hex, slice_of(request->bytes, ID_BYTES));
		used += (size_t)snprintf(
		    line + used, sizeof(line) - used, " request=%s", hex);
	}
	used += (size_t)snprintf(line + used, sizeof(line) - used,
	    " event=%s%s", event, format ? " " : "");
	if (format && used < sizeof(line)) {
		va_start(args, format);
		int more =
		    vsnprintf(line + used, sizeof(line) - used, format, args);
		va_end(args);
		used += more > 0 ? (size_t)more : 0;
	}
	used = min_of(used, sizeof(line) - 2);
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
