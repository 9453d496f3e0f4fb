#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "common.pb-c.h"

#define ASK_MS 3000

static const char *const processes[] = { "gateway", "auth", "store", "binding",
	"notify" };

/* Asking all processes at once. */
struct asking {
	struct ops *ops;
	struct bus *bus;
	struct loop *loop;
	struct caller *callers[nitems(processes)];
	size_t pending;
	json_t *reports; /* an object for each process, by name */
};

/* One process's part of it. */
struct part {
	struct asking *asking;
	const char *name;
};

static json_t *report_json(const struct answer *answer)
{
	Common__StatusReport *report = NULL;
	struct unpack unpack;
	json_t *object = json_object();

	unpack_begin(&unpack);
	if (answer->status != STATUS_OK ||
	    unpack_message(&unpack, &common__status_report__descriptor,
		answer->body, &report) != STATUS_OK) {
		json_object_set_new(object, "status",
		    json_string(status_word(answer->status == STATUS_OK
						? STATUS_MALFORMED
						: answer->status)));
		json_object_set_new(
		    object, "detail", json_string(answer->detail));
		goto out;
	}
	json_object_set_new(object, "status", json_string("ok"));
	json_object_set_new(object, "version", json_string(report->version));
	json_object_set_new(object, "pid", json_integer(report->pid));
	json_object_set_new(
	    object, "uptime_ms", json_integer((json_int_t)report->uptime_ms));
	for (size_t i = 0; i < report->n_figures; i++)
		json_object_set_new(object, report->figures[i]->name,
		    json_integer((json_int_t)report->figures[i]->value));
out:
	unpack_end(&unpack);
	return object;
}

static void on_answer(void *arg, const struct answer *answer)
{
	const struct part *part = arg;
	struct asking *asking = part->asking;

	if (answer->status != STATUS_OK)
		asking->ops->exit_code = EXIT_SILENT;
	json_object_set_new(asking->reports, part->name, report_json(answer));
	if (--asking->pending == 0)
		loop_stop(asking->loop);
}

static enum status ask(struct asking *asking, size_t index, struct part *part)
{
	struct caller **caller = &asking->callers[index];
	struct header header = {
		.type = TYPE_STATUS_QUERY,
		.deadline_ms = ASK_MS,
	};

	*part = (struct part){ asking, processes[index] };
	enum status st = ask_connect(
	    asking->ops, asking->bus, asking->loop, part->name, caller);
	if (st == STATUS_OK)
		st = caller_ask(*caller, &header, (struct slice){ 0 }, NULL,
		    on_answer, part);
	if (st == STATUS_OK)
		asking->pending++;
	return st;
}

static void print_people(const struct asking *asking)
{
	for (size_t i = 0; i < nitems(processes); i++) {
		json_t *report = json_object_get(asking->reports, processes[i]);
		const char *status =
		    json_string_value(json_object_get(report, "status"));
		const char *key;
		json_t *value;
		printf("%s: %s\n", processes[i], status ? status : "not asked");
		json_object_foreach(report, key, value)
		{
			if (json_is_integer(value))
				printf("  %-26s %" JSON_INTEGER_FORMAT "\n",
				    key, json_integer_value(value));
			else if (strcmp(key, "status") != 0)
				printf("  %-26s %s\n", key,
				    json_string_value(value));
		}
	}
}

void command_status(struct ops *self, int argc, char **argv)
{
	struct asking asking = { .ops = self, .reports = json_object() };
	struct part parts[nitems(processes)];

	(void)argv;
	if (argc != 0) {
		fprintf(stderr, "usage: keepsakectl status\n");
		self->exit_code = EXIT_USAGE;
		goto out;
	}
	self->exit_code = EXIT_FAILED;
	if (ask_open_bus(self, &asking.bus) != STATUS_OK ||
	    loop_new(&asking.loop) != STATUS_OK)
		goto out;
	self->exit_code = EXIT_OK;
	for (size_t i = 0; i < nitems(processes); i++)
		if (ask(&asking, i, &parts[i]) != STATUS_OK)
			self->exit_code = EXIT_FAILED;
	if (asking.pending > 0)
		loop_run(asking.loop);
	if (self->json) {
		json_dumpf(
		    asking.reports, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		print_people(&asking);
	}
out:
	for (size_t i = 0; i < nitems(processes); i++)
		caller_destroy(&asking.callers[i]);
	loop_destroy(&asking.loop);
	bus_destroy(&asking.bus);
	json_decref(asking.reports);
}
