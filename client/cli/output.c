#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"

#define UTF8_BYTES_MAX 4
#define LINE_BYTES     160
#define COLUMNS_USUAL  80
#define DRAW_MS        200
#define RATE_MS_MIN    1000 /* before that no rate means anything */

/* Length of the clean character at ${at}, or 0. */
static size_t clean_length(const char *at)
{
	size_t left = strnlen(at, UTF8_BYTES_MAX);

	for (size_t len = 1; len <= left; len++)
		if (text_is_clean(slice_of(at, len)))
			return len;
	return 0;
}

char *path_text(const char *path)
{
	char *out = malloc(strlen(path) * (sizeof("\\xNN") - 1) + 1);
	char *to = out;

	if (!out)
		return NULL;
	while (*path) {
		size_t len = clean_length(path);
		if (*path == '\\')
			*to++ = '\\';
		if (len == 0) {
			to += sprintf(to, "\\x%02x", (uint8_t)*path);
			path++;
			continue;
		}
		memcpy(to, path, len);
		to += len;
		path += len;
	}
	*to = '\0';
	return out;
}

void print_report(const char *path, const char *why)
{
	char *text = path_text(path);

	fprintf(stderr, "keepsake: %s: %s\n", text ? text : "?", why);
	free(text);
}

json_t *json_path(const char *path)
{
	char *text = path_text(path);
	json_t *value = text ? json_string(text) : NULL;

	free(text);
	return value;
}

bool is_none(const uint8_t id[static KEEPSAKE_ID_BYTES])
{
	static const uint8_t none[KEEPSAKE_ID_BYTES];

	return memcmp(id, none, sizeof(none)) == 0;
}

json_t *json_of_id(const uint8_t id[static KEEPSAKE_ID_BYTES])
{
	char text[HEX_BYTES(KEEPSAKE_ID_BYTES)];

	if (is_none(id))
		return json_null();
	hex_encode(text, slice_of(id, KEEPSAKE_ID_BYTES));
	return json_string(text);
}

json_t *json_of_time(uint64_t wall_ms)
{
	char text[CLOCK_TEXT_BYTES];

	clock_text(text, wall_ms);
	return json_string(text);
}

json_t *json_of_totals(
    const struct keepsake_total totals[static KEEPSAKE_CATEGORIES])
{
	json_t *all = json_object();

	for (unsigned int i = 1; i < KEEPSAKE_CATEGORIES; i++) {
		if (totals[i].files == 0)
			continue;
		json_object_set_new(all, keepsake_category(i),
		    json_pack("{s:I, s:I}", "files",
			(json_int_t)totals[i].files, "bytes",
			(json_int_t)totals[i].bytes));
	}
	return all;
}

void time_text(
    char out[static TIME_TEXT_BYTES], int64_t seconds, uint32_t nanoseconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	size_t len = 0;

	if (gmtime_r(&when, &parts))
		len =
		    strftime(out, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
	if (len == 0)
		snprintf(out, TIME_TEXT_BYTES, "@%lld",
		    (long long)seconds); /* a year past all reason */
	else if (nanoseconds > 0)
		snprintf(out + len, TIME_TEXT_BYTES - len, ".%09uZ",
		    (unsigned int)nanoseconds % 1000000000u);
	else
		snprintf(out + len, TIME_TEXT_BYTES - len, "Z");
}

bool json_print(json_t *value)
{
	bool done = value && json_dumpf(value, stdout, JSON_COMPACT) == 0 &&
		    putchar('\n') != EOF && fflush(stdout) == 0;

	json_decref(value);
	return done;
}

/*
 * A line of progress, as it is put together: of whole parts, and no wider
 * than the terminal, for what wraps cannot be written over.
 */
struct line {
	char text[LINE_BYTES];
	size_t len;
	size_t len_max;
};

static void line_add(struct line *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line_add(struct line *self, const char *format, ...)
{
	size_t room = self->len_max - self->len;
	va_list args;

	va_start(args, format);
	int len = vsnprintf(self->text + self->len, room + 1, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len <= room) {
		self->len += (size_t)len;
	} else {
		self->text[self->len] = '\0';
		self->len_max = self->len; /* and nothing behind it */
	}
}

static void add_time_left(struct line *line, uint64_t seconds)
{
	unsigned long long minutes = seconds / 60;

	if (minutes < 60)
		line_add(line, "  %llu:%02u left", minutes,
		    (unsigned int)(seconds % 60));
	else
		line_add(line, "  %llu h %02llu min left", minutes / 60,
		    minutes % 60);
}

static void add_rate(struct line *line,
    const struct keepsake_progress *progress, uint64_t passed_ms)
{
	char rate[TEXT_SIZE_BYTES];
	uint64_t done = max_of(progress->bytes, (uint64_t)1);

	if (passed_ms < RATE_MS_MIN)
		return;
	text_of_size(rate, progress->bytes * 1000 / passed_ms);
	line_add(line, "  %s/s", rate);
	if (progress->bytes_total <= progress->bytes)
		return;
	double share =
	    (double)(progress->bytes_total - progress->bytes) / (double)done;
	add_time_left(line, (uint64_t)(share * (double)passed_ms / 1000.0));
}

static void add_done(
    struct line *line, const struct keepsake_progress *progress)
{
	char done[TEXT_SIZE_BYTES], total[TEXT_SIZE_BYTES];

	text_of_size(done, progress->bytes);
	if (progress->bytes_total == 0) {
		line_add(line, "  %llu files, %s",
		    (unsigned long long)progress->files, done);
		return;
	}
	text_of_size(total, progress->bytes_total);
	line_add(line, "  %3u%%  %s of %s",
	    (unsigned int)min_of(
		(uint64_t)100, progress->bytes * 100 / progress->bytes_total),
	    done, total);
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return COLUMNS_USUAL;
	return size.ws_col;
}

void progress_show(void *arg, const struct keepsake_progress *progress)
{
	struct progress *self = arg;
	uint64_t now = clock_interval_ms();
	struct line line = { .text = "" };

	if (!self->shown)
		return;
	if (self->begun_ms == 0)
		self->begun_ms = now;
	if (self->drawn && now - self->drawn_ms < DRAW_MS)
		return;
	self->drawn_ms = now;
	self->drawn = true;
	size_t columns = terminal_columns();
	line.len_max = min_of(columns, sizeof(line.text)) - 1;
	line_add(&line, "%s", self->verb);
	add_done(&line, progress);
	add_rate(&line, progress, now - self->begun_ms);
	fprintf(stderr, "\r\033[K%s", line.text);
	fflush(stderr);
}

void progress_clear(struct progress *self)
{
	if (!self->drawn)
		return;
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
	self->drawn = false;
}

void on_unconfirmed(void *arg, const char *service)
{
	struct unconfirmed *self = arg;

	if (self->names)
		json_array_append_new(self->names, json_string(service));
	else
		fprintf(stderr, "keepsake: %s has not confirmed: %s\n", service,
		    self->meaning);
}

const char *type_word(enum keepsake_type type)
{
	switch (type) {
	case KEEPSAKE_FILE:
		return "file";
	case KEEPSAKE_FOLDER:
		return "folder";
	case KEEPSAKE_SYMLINK:
		return "symlink";
	case KEEPSAKE_HARD_LINK:
	default:
		return "hard_link";
	}
}
