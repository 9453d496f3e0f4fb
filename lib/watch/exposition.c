#include "watch/exposition.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES_MAX 1024

static void add_line(struct exposition *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct exposition *self, const char *format, ...)
{
	char line[LINE_BYTES_MAX];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (self->status != STATUS_OK)
		return;
	if (len < 0 || (size_t)len >= sizeof(line))
		self->status = STATUS_TOO_LARGE;
	else
		self->status =
		    bytes_append(self->out, slice_of(line, (size_t)len));
}

void exposition_begin(struct exposition *self, const char *metric,
    const char *type, const char *help)
{
	self->metric = metric;
	add_line(
	    self, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

void exposition_label(
    char labels[static LABELS_BYTES], const char *name, const char *value)
{
	size_t begin = strlen(labels), used = begin;
	int len = snprintf(labels + used, LABELS_BYTES - used, "%s%s=\"",
	    begin > 0 ? "," : "", name);

	used += len > 0 ? (size_t)len : 0;
	for (; used + 4 <= LABELS_BYTES && *value; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			labels[used++] = '\\';
		labels[used++] = *value == '\n' ? 'n' : *value;
	}
	if (*value || used + 2 > LABELS_BYTES)
		labels[begin] = '\0';
	else
		memcpy(labels + used, "\"", 2);
}

/* "{LABELS}", or nothing. */
static void braced(char out[static LABELS_BYTES + 2], const char *labels)
{
	snprintf(
	    out, LABELS_BYTES + 2, *labels ? "{%.253s}" : "%.253s", labels);
}

void exposition_number(
    struct exposition *self, const char *labels, uint64_t value)
{
	char in_braces[LABELS_BYTES + 2];

	braced(in_braces, labels);
	add_line(self, "%s%s %llu\n", self->metric, in_braces,
	    (unsigned long long)value);
}

void exposition_seconds(
    struct exposition *self, const char *labels, uint64_t us)
{
	char in_braces[LABELS_BYTES + 2];

	braced(in_braces, labels);
	add_line(self, "%s%s %llu.%06llu\n", self->metric, in_braces,
	    (unsigned long long)(us / 1000000),
	    (unsigned long long)(us % 1000000));
}

void exposition_histogram(struct exposition *self, const char *labels,
    const struct histogram *histogram)
{
	const char *comma = *labels ? "," : "";
	char in_braces[LABELS_BYTES + 2];
	uint64_t so_far = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		char bound[32] = "+Inf";
		uint64_t us = histogram_bound_us(i);
		if (us != UINT64_MAX)
			snprintf(
			    bound, sizeof(bound), "%.10g", (double)us / 1e6);
		so_far += histogram->counts[i];
		add_line(self, "%s_bucket{%s%sle=\"%s\"} %llu\n", self->metric,
		    labels, comma, bound, (unsigned long long)so_far);
	}
	braced(in_braces, labels);
	add_line(self, "%s_sum%s %llu.%06llu\n%s_count%s %llu\n", self->metric,
	    in_braces, (unsigned long long)(histogram->sum_us / 1000000),
	    (unsigned long long)(histogram->sum_us % 1000000), self->metric,
	    in_braces, (unsigned long long)histogram->count);
}
