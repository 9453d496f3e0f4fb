#include "service/request_counts.h"

#include <stdlib.h>

#define ROWS (2 * REQUEST_TYPES_MAX) /* a power of two, never full */

struct row {
	uint32_t type;
	const char *name; /* NULL: the row is free */
	uint64_t statuses[STATUS_COUNT];
	struct histogram durations;
};

struct request_counts {
	struct row rows[ROWS];
	size_t used;
	struct row others; /* types that are none, or too many */
};

enum status request_counts_new(struct request_counts **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return STATUS_NO_SPACE;
	(*out)->others.name = "other";
	return STATUS_OK;
}

void request_counts_destroy(struct request_counts **self_p)
{
	free(*self_p);
	*self_p = NULL;
}

static struct row *find(
    struct request_counts *self, uint32_t type, const char *name)
{
	size_t at = (type ^ type >> 4) & (ROWS - 1);

	if (!name)
		return &self->others;
	while (self->rows[at].name && self->rows[at].type != type)
		at = (at + 1) & (ROWS - 1);
	struct row *row = &self->rows[at];
	if (row->name)
		return row;
	if (self->used == REQUEST_TYPES_MAX)
		return &self->others;
	self->used++;
	row->type = type;
	row->name = name;
	return row;
}

void request_counts_note(struct request_counts *self, uint32_t type,
    const char *name, enum status status, uint64_t duration_us)
{
	struct row *row = find(self, type, name);

	row->statuses[status < STATUS_COUNT ? status : STATUS_INTERNAL]++;
	histogram_observe(&row->durations, duration_us);
}

static const struct {
	const char *total, *total_help;
	const char *duration, *duration_help;
} metrics[] = {
	[REQUESTS_ANSWERED] = {
		"keepsake_requests_total",
		"Requests answered, by message type and status.",
		"keepsake_request_duration_seconds",
		"From the arrival of a request to its answer, in seconds.",
	},
	[REQUESTS_FORWARDED] = {
		"keepsake_forwarded_requests_total",
		"Requests passed on to a service, by message type and the "
		"status of the answer.",
		"keepsake_forwarded_request_duration_seconds",
		"From passing a request on to its answer, in seconds.",
	},
};

static void expose_statuses(struct exposition *out, const struct row *row)
{
	for (enum status status = 0; status < STATUS_COUNT; status++) {
		char labels[LABELS_BYTES] = "";
		if (row->statuses[status] == 0)
			continue;
		exposition_label(labels, "type", row->name);
		exposition_label(labels, "status", status_word(status));
		exposition_number(out, labels, row->statuses[status]);
	}
}

static void expose_durations(struct exposition *out, const struct row *row)
{
	char labels[LABELS_BYTES] = "";

	if (row->durations.count == 0)
		return;
	exposition_label(labels, "type", row->name);
	exposition_histogram(out, labels, &row->durations);
}

void request_counts_expose(const struct request_counts *self,
    enum request_side side, struct exposition *out)
{
	exposition_begin(
	    out, metrics[side].total, "counter", metrics[side].total_help);
	for (size_t i = 0; i < ROWS; i++)
		expose_statuses(out, &self->rows[i]);
	expose_statuses(out, &self->others);
	exposition_begin(out, metrics[side].duration, "histogram",
	    metrics[side].duration_help);
	for (size_t i = 0; i < ROWS; i++)
		expose_durations(out, &self->rows[i]);
	expose_durations(out, &self->others);
}
