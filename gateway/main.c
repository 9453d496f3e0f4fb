#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/program.h"
#include "service/server.h"
#include "zmtp/bearer.h"

/*
 * One process for each bearer: "keepsake-gateway zmtp".  It holds no state
 * that matters: run as many as wanted, and restart them at will.
 */

struct gateway {
	struct program program;
	struct zmtp_bearer *bearer;
	struct server *server; /* the operator's door */
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
	add(x, "terminal_under_way", now.under_way);
	add(x, "terminal_under_way_bytes", now.under_way_bytes);
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

static enum status open_all(struct gateway *self)
{
	struct server_options options = {
		.state = self,
		.figures = figures,
	};

	enum status st = zmtp_bearer_new(&self->program, &self->bearer);
	if (st == STATUS_OK)
		st = server_new(&self->program, &options, &self->server);
	if (st == STATUS_OK)
		st = server_open_door(self->server, ROLE_OPS);
	return st;
}

int main(int argc, char **argv)
{
	struct gateway self = { 0 };
	int exit_code;

	/* The bearer is the first argument; there is one so far. */
	if (argc > 1 && argv[1][0] != '-') {
		if (strcmp(argv[1], "zmtp") != 0) {
			fprintf(stderr,
			    "keepsake-gateway: bearer \"%s\": expected zmtp\n",
			    argv[1]);
			return 2;
		}
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	if (program_begin(&self.program, "gateway",
		"the door for terminals: keepsake-gateway [zmtp] [options]",
		argc, argv, &exit_code) != PROGRAM_GO_ON)
		return exit_code;
	enum status st = open_all(&self);
	if (st == STATUS_OK) {
		self.program.stop_requested = on_stop_requested;
		self.program.stop_arg = &self;
		st = program_run(&self.program);
	} else {
		log_error(NULL, "start_failed", "status=%s", status_word(st));
	}
	server_destroy(&self.server);
	zmtp_bearer_destroy(&self.bearer);
	log_info(NULL, "stopped", NULL);
	program_end(&self.program);
	return st == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
