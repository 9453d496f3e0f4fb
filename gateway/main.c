#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "service/program.h"
#include "service/server.h"
#include "service/watch.h"
#include "supervise.h"
#include "zmtp/bearer.h"

/*
 * One process for each bearer: "keepsake-gateway zmtp".  It holds no state
 * that matters: run as many as wanted, and restart them at will.  Without a
 * bearer it is the process that starts all of them, and starts them again.
 */

struct gateway {
	struct program program;
	struct zmtp_bearer *bearer;
	struct server *server; /* the operator's door */
	struct stream *stream;
	struct watch *watch;
};

static void figures(void *state, struct exchange *x,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value))
{
	const struct gateway *self = state;
	struct zmtp_figures now;

	zmtp_bearer_figures(self->bearer, &now);
	add(x, "terminal_requests", now.requests);
	add(x, "terminal_refused", now.refused);
	add(x, "terminal_answers", now.answers);
	add(x, "terminal_answers_dropped", now.dropped);
	add(x, "terminal_repeats_held", now.repeats_held);
	add(x, "terminal_under_way", now.under_way);
	add(x, "terminal_under_way_bytes", now.under_way_bytes);
}

static size_t find_links(
    const void *arg, struct watch_link out[static WATCH_LINKS_MAX])
{
	const struct gateway *self = arg;

	return router_links(zmtp_bearer_router(self->bearer), out);
}

static void expose_forwarded(const void *arg, struct exposition *out)
{
	const struct gateway *self = arg;

	request_counts_expose(router_counts(zmtp_bearer_router(self->bearer)),
	    REQUESTS_FORWARDED, out);
}

static void on_stopped(void *arg)
{
	struct gateway *self = arg;

	loop_stop(self->program.loop);
}

static void on_stop_requested(void *arg)
{
	struct gateway *self = arg;

	zmtp_bearer_stop(self->bearer, on_stopped, self);
}

/*
 * Memory that cannot be had ends the process, which is started again: the
 * services do not notice, and terminals ask again.
 */
static enum status limit_memory(const struct conf *conf)
{
	const uint64_t bytes = conf_number(conf, "gateway", "memory_max");
	const struct rlimit limit = { bytes, bytes };

	if (bytes == 0 || setrlimit(RLIMIT_DATA, &limit) == 0)
		return STATUS_OK;
	log_error(NULL, "memory_limit_failed", "bytes=%llu",
	    (unsigned long long)bytes);
	return STATUS_DENIED;
}

static enum status open_watch(struct gateway *self)
{
	enum status st = stream_new(&self->stream, &self->program);
	if (st != STATUS_OK)
		return st;
	stream_tell(
	    self->stream, &(struct stream_event){ .kind = "service_started" });
	const struct watch_options options = {
		.program = &self->program,
		.server = self->server,
		.stream = self->stream,
		.links = find_links,
		.expose = expose_forwarded,
		.arg = self,
	};

	return watch_new(&self->watch, &options);
}

static enum status open_all(struct gateway *self)
{
	struct server_options options = {
		.state = self,
		.figures = figures,
	};

	enum status st = limit_memory(self->program.conf);
	if (st == STATUS_OK)
		st = zmtp_bearer_new(&self->program, &self->bearer);
	if (st == STATUS_OK)
		st = server_new(&self->program, &options, &self->server);
	if (st == STATUS_OK)
		st = server_open_door(self->server, ROLE_OPS);
	if (st == STATUS_OK)
		st = open_watch(self);
	return st;
}

int main(int argc, char **argv)
{
	struct gateway self = { 0 };
	int exit_code;

	/* The bearer is the first argument; there is one so far. */
	if (argc < 2 || argv[1][0] == '-')
		return supervise(argv);
	if (strcmp(argv[1], "zmtp") != 0) {
		fprintf(stderr,
		    "keepsake-gateway: bearer \"%s\": expected zmtp\n",
		    argv[1]);
		return 2;
	}
	argv[1] = argv[0];
	argv++;
	argc--;
	if (program_begin(&self.program, "gateway",
		"the door for terminals: keepsake-gateway [zmtp] [options]",
		argc, argv, &exit_code) != PROGRAM_GO_ON)
		return exit_code;
	if (self.program.verify) {
		fprintf(stderr, "keepsake-gateway: it keeps nothing: --verify "
				"is for services\n");
		program_end(&self.program);
		return 2;
	}
	enum status st = open_all(&self);
	if (st == STATUS_OK) {
		self.program.stop_requested = on_stop_requested;
		self.program.stop_arg = &self;
		st = program_run(&self.program);
	} else {
		log_error(NULL, "start_failed", "status=%s", status_word(st));
	}
	watch_destroy(&self.watch);
	stream_tell(
	    self.stream, &(struct stream_event){ .kind = "service_stopped" });
	stream_destroy(&self.stream);
	server_destroy(&self.server);
	zmtp_bearer_destroy(&self.bearer);
	log_info(NULL, "stopped", NULL);
	program_end(&self.program);
	return st == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
