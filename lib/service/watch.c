#include "service/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "service/figures.h"
#include "service/request_counts.h"
#include "watch/http.h"
#include "watch/process.h"

#define REASON_BYTES_MAX 128

struct watch {
	struct watch_options options;
	struct http *http; /* NULL where no address is set */
};

/* ---- ready? ---- */

/* Why it is not ready: a line each in ${out}, which may be NULL. */
struct reasons {
	struct bytes *out;
	size_t count;
};

static void add_reason(struct reasons *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_reason(struct reasons *self, const char *format, ...)
{
	char line[REASON_BYTES_MAX];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	self->count++;
	if (self->out && len > 0)
		bytes_append(self->out,
		    slice_of(line, min_of((size_t)len, sizeof(line) - 1)));
}

static void check_db(
    struct reasons *reasons, const struct db *db, const char *name)
{
	static const char *const texts[] = {
		[DB_FULL] = "has no space: see \"When the disk is full\"",
		[DB_STOPPED] = "has stopped writing after a fault: restart",
	};
	enum db_state state = db ? db_state(db) : DB_WRITES;

	if (state != DB_WRITES)
		add_reason(reasons, "%s %s\n", name, texts[state]);
}

static void find_reasons(const struct watch *self, struct reasons *reasons)
{
	const struct watch_options *options = &self->options;
	struct watch_link links[WATCH_LINKS_MAX];

	if (options->program->stopping)
		add_reason(reasons, "stopping\n");
	check_db(reasons, options->db, "database");
	check_db(reasons, options->journal, "journal");
	if (options->orders && !orders_in_touch(options->orders))
		add_reason(reasons, "auth was not heard of for %u s\n",
		    ORDERS_SILENCE_MS / 1000);
	size_t count = options->links(options->arg, links);
	for (size_t i = 0; i < count; i++)
		if (!links[i].up)
			add_reason(reasons, "no link to %s\n", links[i].peer);
}

static unsigned int on_ready(void *arg, struct bytes *out)
{
	struct reasons reasons = { .out = out };

	find_reasons(arg, &reasons);
	if (reasons.count > 0)
		return 503;
	bytes_append(out, slice_text("ready\n"));
	return 200;
}

static unsigned int on_healthy(void *arg, struct bytes *out)
{
	(void)arg;
	bytes_append(out, slice_text("healthy\n"));
	return 200;
}

/* ---- metrics ---- */

static void expose_build(const struct watch *self, struct exposition *out)
{
	char labels[LABELS_BYTES] = "";

	exposition_label(labels, "service", self->options.program->name);
	exposition_label(labels, "version", KEEPSAKE_VERSION);
	exposition_begin(out, "keepsake_build_info", "gauge",
	    "Always 1: the labels say what runs.");
	exposition_number(out, labels, 1);
}

static void expose_ready(const struct watch *self, struct exposition *out)
{
	struct watch_link links[WATCH_LINKS_MAX];
	struct reasons reasons = { 0 };

	find_reasons(self, &reasons);
	exposition_begin(out, "keepsake_ready", "gauge",
	    "1 where /readyz answers 200, else 0.");
	exposition_number(out, "", reasons.count == 0);
	exposition_begin(out, "keepsake_link_up", "gauge",
	    "1 where the peer is connected, else 0.");
	size_t count = self->options.links(self->options.arg, links);
	for (size_t i = 0; i < count; i++) {
		char labels[LABELS_BYTES] = "";
		exposition_label(labels, "peer", links[i].peer);
		exposition_number(out, labels, links[i].up);
	}
}

/* The two databases of a service; ${visit} exposes one of them. */
static void each_db(const struct watch *self, struct exposition *out,
    void (*visit)(struct exposition *out, const char *labels, struct db *db))
{
	struct db *dbs[] = { self->options.db, self->options.journal };
	static const char *const names[] = { "main", "journal" };

	for (size_t i = 0; i < nitems(dbs); i++) {
		char labels[LABELS_BYTES] = "";
		if (!dbs[i])
			continue;
		exposition_label(labels, "database", names[i]);
		visit(out, labels, dbs[i]);
	}
}

static void expose_full(
    struct exposition *out, const char *labels, struct db *db)
{
	exposition_number(out, labels, db_state(db) == DB_FULL);
}

static void expose_stopped(
    struct exposition *out, const char *labels, struct db *db)
{
	exposition_number(out, labels, db_state(db) == DB_STOPPED);
}

static void expose_durations(
    struct exposition *out, const char *labels, struct db *db)
{
	struct histogram durations;

	db_commit_durations(db, &durations);
	exposition_histogram(out, labels, &durations);
}

static void expose_dbs(const struct watch *self, struct exposition *out)
{
	if (!self->options.db)
		return;
	exposition_begin(out, "keepsake_db_full", "gauge",
	    "1 from a write that found no space until one fits again.");
	each_db(self, out, expose_full);
	exposition_begin(out, "keepsake_db_stopped", "gauge",
	    "1 where nothing is written until a restart: a sync failed.");
	each_db(self, out, expose_stopped);
	exposition_begin(out, "keepsake_db_commit_duration_seconds",
	    "histogram",
	    "To check a group of batches, write and sync it, in seconds.");
	each_db(self, out, expose_durations);
}

static unsigned int on_metrics(void *arg, struct bytes *out)
{
	const struct watch *self = arg;
	struct exposition page = { .out = out };

	expose_build(self, &page);
	expose_ready(self, &page);
	process_expose(&page);
	expose_dbs(self, &page);
	figures_expose(self->options.server, &page);
	request_counts_expose(
	    server_requests(self->options.server), REQUESTS_ANSWERED, &page);
	if (self->options.expose)
		self->options.expose(self->options.arg, &page);
	if (page.status == STATUS_OK)
		return 200;
	out->len = 0; /* half a page would look like a whole one */
	return 503;
}

/* ---- life ---- */

static const struct http_page pages[] = {
	{ "/metrics", EXPOSITION_TYPE, on_metrics },
	{ "/healthz", "text/plain; charset=utf-8", on_healthy },
	{ "/readyz", "text/plain; charset=utf-8", on_ready },
};

enum status watch_new(struct watch **out, const struct watch_options *options)
{
	const struct program *program = options->program;
	const char *address = conf_text(program->conf, program->name, "http");
	struct watch *self = calloc(1, sizeof(*self));
	enum status st = STATUS_OK;

	if (!self)
		return STATUS_NO_SPACE;
	self->options = *options;
	if (*address != '\0')
		st = http_new(&self->http, program->loop, address, pages,
		    nitems(pages), self);
	if (st == STATUS_OK) {
		*out = self;
		self = NULL;
	}
	watch_destroy(&self);
	return st;
}

void watch_destroy(struct watch **self_p)
{
	struct watch *self = *self_p;

	if (!self)
		return;
	http_destroy(&self->http);
	free(self);
	*self_p = NULL;
}
