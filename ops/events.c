#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "ask.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/event.h"
#include "service/settings.h"

/* keepsakectl events: the streams of the processes (N-07). */

#define RECEIVE_BURST 64

/* One process that is listened to. */
struct source {
	struct watching *watching;
	const char *name;
	void *socket, *monitor;
	struct event_place place;
	bool silent; /* that it does not answer was said */
};

struct watching {
	struct ops *ops;
	struct loop *loop;
	int signal_fd;
	uint64_t left; /* events to print; UINT64_MAX: no end */
	struct source sources[OPS_PROCESSES];
	size_t sources_count, refused;
};

/* ---- printing ---- */

static void print_people(const struct event *event)
{
	char when[CLOCK_TEXT_BYTES], hex[HEX_BYTES(ID_BYTES)];

	clock_text(when, event->when_ms);
	printf("%s %s %s", when, event->service, event->kind);
	if (*event->subject != '\0')
		printf(" %s", event->subject);
	hex_encode(hex, slice_of(event->account.bytes, ID_BYTES));
	if (!id_is_none(&event->account))
		printf(" account=%s", hex);
	hex_encode(hex, slice_of(event->trace.bytes, ID_BYTES));
	if (!id_is_none(&event->trace))
		printf(" request=%s", hex);
	for (size_t i = 0; i < event->figures_count; i++)
		printf(" %s=%" PRIu64, event->figures[i].name,
		    event->figures[i].value);
	putchar('\n');
}

static json_t *id_json(const struct id *id)
{
	char hex[HEX_BYTES(ID_BYTES)];

	hex_encode(hex, slice_of(id->bytes, ID_BYTES));
	return id_is_none(id) ? json_null() : json_string(hex);
}

static void print_json(const struct event *event)
{
	char when[CLOCK_TEXT_BYTES];
	json_t *figures = json_object();

	clock_text(when, event->when_ms);
	for (size_t i = 0; i < event->figures_count; i++)
		json_object_set_new(figures, event->figures[i].name,
		    json_integer((json_int_t)event->figures[i].value));
	json_t *object = json_pack("{ss sI sI ss ss so so so so}", "service",
	    event->service, "run_ms", (json_int_t)event->run_ms, "sequence",
	    (json_int_t)event->sequence, "when", when, "kind", event->kind,
	    "subject",
	    *event->subject ? json_string(event->subject) : json_null(),
	    "account", id_json(&event->account), "request",
	    id_json(&event->trace), "figures", figures);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void print_lost(const struct ops *ops, const char *name, uint64_t lost)
{
	if (ops->json)
		printf(
		    "{\"service\":\"%s\",\"lost\":%" PRIu64 "}\n", name, lost);
	else
		printf("%s: %" PRIu64 " events were lost\n", name, lost);
}

/* ---- what comes ---- */

static void take_event(struct source *source, const struct event *event)
{
	struct watching *self = source->watching;
	const char *kind = self->ops->options.kind;

	if (source->place.run_ms == 0)
		fprintf(stderr, "%s: listening\n", source->name);
	uint64_t lost = event_follow(&source->place, event);
	if (lost > 0)
		print_lost(self->ops, source->name, lost);
	if (strcmp(event->kind, EVENT_HELLO) == 0 ||
	    (kind && strcmp(event->kind, kind) != 0)) {
		fflush(stdout);
		return;
	}
	if (self->ops->json)
		print_json(event);
	else
		print_people(event);
	fflush(stdout);
	if (self->left != UINT64_MAX && --self->left == 0)
		loop_stop(self->loop);
}

/* Read the frames of one message; false where there is none. */
static bool receive(struct source *source, uint8_t *buffer, int *len)
{
	char topic[EVENT_TOPIC_BYTES];
	int more = 0;
	size_t size = sizeof(more);

	if (zmq_recv(source->socket, topic, sizeof(topic), ZMQ_DONTWAIT) < 0)
		return false;
	*len = -1; /* no second frame */
	for (int frame = 2;; frame++) {
		zmq_getsockopt(source->socket, ZMQ_RCVMORE, &more, &size);
		if (!more)
			return true;
		int got = zmq_recv(
		    source->socket, buffer, EVENT_BYTES_MAX + 1, ZMQ_DONTWAIT);
		*len = frame == 2 ? got : -1;
	}
}

static void on_readable(void *arg)
{
	struct source *source = arg;
	struct watching *self = source->watching;
	uint8_t buffer[EVENT_BYTES_MAX + 1];
	struct event event;
	int len;

	for (int i = 0; i < RECEIVE_BURST && self->left > 0; i++) {
		if (!receive(source, buffer, &len))
			return;
		if (len < 0 || len > EVENT_BYTES_MAX ||
		    event_unpack(&event, slice_of(buffer, (size_t)len)) !=
			STATUS_OK ||
		    strcmp(event.service, source->name) != 0) {
			fprintf(stderr,
			    "keepsakectl: %s sent what is no event\n",
			    source->name);
			self->ops->exit_code = EXIT_FAILED;
			continue;
		}
		take_event(source, &event);
	}
}

/* Say on standard error how the link is, once for each change. */
static void on_link(void *arg)
{
	struct source *source = arg;
	struct watching *self = source->watching;
	int64_t value;

	switch (bus_monitor_event(source->monitor, &value)) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		source->silent = false;
		break;
	case ZMQ_EVENT_CONNECT_RETRIED:
		if (!source->silent)
			fprintf(stderr,
			    "%s: does not answer; it is tried "
			    "again\n",
			    source->name);
		source->silent = true;
		break;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		fprintf(
		    stderr, "%s: refuses the key of this tool\n", source->name);
		self->ops->exit_code = EXIT_SILENT;
		if (++self->refused == self->sources_count)
			loop_stop(self->loop);
		break;
	default:
		break;
	}
}

static void on_signal(void *arg)
{
	struct watching *self = arg;

	loop_stop(self->loop);
}

/* ---- life ---- */

static enum status listen_to(struct watching *self, const char *name)
{
	struct source *source = &self->sources[self->sources_count];
	char path[SETTINGS_PATH_BYTES], endpoint[ENDPOINT_BYTES], key_name[64];
	char topic[EVENT_TOPIC_BYTES];
	uint8_t key[CURVE_KEY_BYTES];

	settings_key_path(self->ops->conf, name, ".public", path);
	enum status st = curve_public_read(key, path);
	if (st != STATUS_OK) {
		fprintf(stderr, "%s: %s: see keepsakectl keys make\n", path,
		    status_text(st));
		return st;
	}
	snprintf(key_name, sizeof(key_name), "%s_events", name);
	settings_endpoint(
	    self->ops->conf, "ops", key_name, name, "events", endpoint);
	snprintf(topic, sizeof(topic), "%s/", name);
	source->watching = self;
	source->name = name;
	st = bus_connect_stream(ops_bus(self->ops), endpoint, key, topic,
	    &source->socket, &source->monitor);
	if (st != STATUS_OK)
		return st;
	self->sources_count++;
	st = loop_watch_socket(self->loop, source->socket, on_readable, source);
	if (st != STATUS_OK)
		return st;
	return loop_watch_socket(self->loop, source->monitor, on_link, source);
}

static enum status watch_signals(struct watching *self)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return STATUS_INTERNAL;
	self->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (self->signal_fd < 0)
		return STATUS_INTERNAL;
	return loop_watch_fd(self->loop, self->signal_fd, on_signal, self);
}

static bool was_named(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 0;
}

static bool are_processes(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		size_t at = 0;
		while (at < OPS_PROCESSES &&
		       strcmp(ops_processes[at], argv[i]) != 0)
			at++;
		if (at < OPS_PROCESSES)
			continue;
		fprintf(stderr,
		    "keepsakectl: no process \"%s\": it is "
		    "gateway, auth, store, binding or notify\n",
		    argv[i]);
		return false;
	}
	return true;
}

static void stop(struct watching *self)
{
	for (size_t i = 0; i < self->sources_count; i++) {
		struct source *source = &self->sources[i];
		loop_forget_socket(self->loop, source->socket);
		loop_forget_socket(self->loop, source->monitor);
		bus_unmonitor(source->socket, &source->monitor);
		bus_close(&source->socket);
	}
	if (self->signal_fd >= 0) {
		loop_forget_fd(self->loop, self->signal_fd);
		close(self->signal_fd);
	}
}

void command_events(struct ops *self, int argc, char **argv)
{
	struct watching watching = {
		.ops = self, .signal_fd = -1, .left = UINT64_MAX
	};
	const char *count = self->options.count;

	self->exit_code = EXIT_USAGE;
	if (!are_processes(argc, argv))
		return;
	if (count &&
	    (text_number(&watching.left, count, UINT32_MAX) != STATUS_OK ||
		watching.left == 0)) {
		fprintf(stderr, "keepsakectl: --count: a number, from 1\n");
		return;
	}
	self->exit_code = EXIT_FAILED;
	/* Before libzmq's threads begin, which are to leave signals to us. */
	enum status st = loop_new(&watching.loop);
	if (st == STATUS_OK)
		st = watch_signals(&watching);
	if (st == STATUS_OK)
		st = ops_open(self);
	for (size_t i = 0; i < OPS_PROCESSES && st == STATUS_OK; i++)
		if (was_named(ops_processes[i], argc, argv))
			st = listen_to(&watching, ops_processes[i]);
	if (st == STATUS_OK) {
		self->exit_code = EXIT_OK;
		st = loop_run(watching.loop);
	}
	if (st != STATUS_OK)
		self->exit_code = EXIT_FAILED;
	if (watching.loop)
		stop(&watching);
	loop_destroy(&watching.loop);
}
