#include "service/watch.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/figures.h"
#include "service/request_counts.h"
#include "watch/http.h"
#include "watch/process.h"

#define REASON_BYTES_MAX 128
#define TICK_MS          1000
#define FAULTS_MAX       32 /* told in a tick; the rest is in the log */

/* An error that was logged, by any thread. */
struct fault {
	char event[EVENT_WORD_BYTES_MAX + 1];
	struct id request;
};

static struct {
	pthread_mutex_t lock;
	struct fault faults[FAULTS_MAX];
	size_t count;
} noted = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The two databases of a service, as they are called. */
static const char *const database_names[] = { "main", "journal" };

struct watch {
	struct watch_options options;
	struct http *http; /* NULL where no address is set */
	/* What was told last, to see what has changed. */
	struct timer tick;
	struct watch_link links[WATCH_LINKS_MAX];
	size_t links_count;
	struct seen_db {
		enum db_state state;
		uint64_t times_full;
	} dbs[2];
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

/* ---- changes, for the stream ---- */

static void on_error(const char *event, const struct id *request)
{
	pthread_mutex_lock(&noted.lock);
	if (noted.count < FAULTS_MAX) {
		struct fault *fault = &noted.faults[noted.count++];
		snprintf(fault->event, sizeof(fault->event), "%s", event);
		fault->request = request ? *request : (struct id){ 0 };
	}
	pthread_mutex_unlock(&noted.lock);
}

/* Whether an error says that something stored is not what it was. */
static bool is_damage(const char *event)
{
	static const char *const others[] = {
		"row_missing",
		"row_unusable",
		"audit_unreadable",
		"audit_chain_changed",
		"audit_head_forged",
	};

	for (size_t i = 0; i < nitems(others); i++)
		if (strcmp(event, others[i]) == 0)
			return true;
	return strstr(event, "damage") != NULL;
}

static void tell_faults(const struct watch *self)
{
	struct fault faults[FAULTS_MAX];

	pthread_mutex_lock(&noted.lock);
	size_t count = noted.count;
	memcpy(faults, noted.faults, count * sizeof(*faults));
	noted.count = 0;
	pthread_mutex_unlock(&noted.lock);
	for (size_t i = 0; i < count; i++)
		stream_tell(self->options.stream,
		    &(struct stream_event){
			.kind = is_damage(faults[i].event) ? "damage_found"
							   : "fault",
			.subject = faults[i].event,
			.trace = &faults[i].request,
		    });
}

static void tell_links(struct watch *self)
{
	struct watch_link now[WATCH_LINKS_MAX];

	size_t count = self->options.links(self->options.arg, now);
	for (size_t i = 0; i < count; i++) {
		bool was = i < self->links_count && self->links[i].up;
		if (was != now[i].up)
			stream_tell(self->options.stream,
			    &(struct stream_event){
				.kind = now[i].up ? "link_up" : "link_lost",
				.subject = now[i].peer,
			    });
		self->links[i] = now[i];
	}
	self->links_count = count;
}

static void tell_db(
    const struct watch *self, const char *kind, const char *name)
{
	stream_tell(self->options.stream,
	    &(struct stream_event){ .kind = kind, .subject = name });
}

/* It may have been full, and not be any more, between two looks. */
static void tell_dbs(struct watch *self)
{
	struct db *dbs[] = { self->options.db, self->options.journal };

	for (size_t i = 0; i < nitems(dbs); i++) {
		struct seen_db *seen = &self->dbs[i];
		if (!dbs[i])
			continue;
		enum db_state now = db_state(dbs[i]);
		uint64_t times_full = db_times_full(dbs[i]);
		bool was_full = times_full != seen->times_full;
		if (was_full)
			tell_db(self, "database_full", database_names[i]);
		if (now == DB_STOPPED && seen->state != now)
			tell_db(self, "database_stopped", database_names[i]);
		if (now == DB_WRITES && (was_full || seen->state != now))
			tell_db(self, "database_writes", database_names[i]);
		*seen = (struct seen_db){ now, times_full };
	}
}

static void on_tick(void *arg)
{
	struct watch *self = arg;

	tell_links(self);
	tell_dbs(self);
	tell_faults(self);
	loop_timer_set(self->options.program->loop, &self->tick, TICK_MS);
}

/* ---- metrics ---- */

static void expose_log(struct exposition *out)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error",
		[LOG_WARNING] = "warning",
		[LOG_INFO] = "info",
	};

	exposition_begin(out, "keepsake_log_lines_total", "counter",
	    "Lines logged, by level.");
	for (enum log_level level = 0; level < nitems(names); level++) {
		char labels[LABELS_BYTES] = "";
		exposition_label(labels, "level", names[level]);
		exposition_number(out, labels, log_count(level));
	}
}

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

	for (size_t i = 0; i < nitems(dbs); i++) {
		char labels[LABELS_BYTES] = "";
		if (!dbs[i])
			continue;
		exposition_label(labels, "database", database_names[i]);
		visit(out, labels, dbs[i]);
	}
}

static void expose_full(
    struct exposition *out, const char *labels, struct db *db)
{
	exposition_number(out, labels, db_state(db) == DB_FULL);
}

static void expose_times_full(
    struct exposition *out, const char *labels, struct db *db)
{
	exposition_number(out, labels, db_times_full(db));
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
	exposition_begin(out, "keepsake_db_times_full_total", "counter",
	    "How often a write was the first to find no space.");
	each_db(self, out, expose_times_full);
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
	expose_log(&page);
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

void watch_errors(void)
{
	log_note_errors(on_error);
}

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
	self->tick = (struct timer){ .fired = on_tick, .arg = self };
	loop_timer_set(program->loop, &self->tick, 0);
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
	loop_timer_cancel(self->options.program->loop, &self->tick);
	http_destroy(&self->http);
	free(self);
	*self_p = NULL;
}
