#ifndef KEEPSAKE_WATCH_EXPOSITION_H
#define KEEPSAKE_WATCH_EXPOSITION_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/histogram.h"

/*
 * Prometheus's text format, version 0.0.4.  A metric is begun once, then
 * its samples follow, all of them before the next metric.
 */

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** A page while it is written; all zero but out to begin with. */
struct exposition {
	struct bytes *out;
	const char *metric; /* that was begun last; borrowed */
	enum status status; /* the first that went wrong: no memory */
};

/**
 * Begin a metric.
 *
 * metric  its name, borrowed until the next one begins
 * type    "counter", "gauge", "histogram" or "untyped"
 * help    one line
 */
void exposition_begin(struct exposition *self, const char *metric,
    const char *type, const char *help);

/**
 * One label, for what follows: NAME="VALUE", escaped.  Append it to a text
 * that is "" or has labels already; what does not fit is left out.
 */
#define LABELS_BYTES 256
void exposition_label(
    char labels[static LABELS_BYTES], const char *name, const char *value);

/** A sample; ${labels} as above, or "". */
void exposition_number(
    struct exposition *self, const char *labels, uint64_t value);

/** A sample that counts microseconds, in seconds. */
void exposition_seconds(
    struct exposition *self, const char *labels, uint64_t us);

/** A histogram of durations, in seconds. */
void exposition_histogram(struct exposition *self, const char *labels,
    const struct histogram *histogram);

#endif
