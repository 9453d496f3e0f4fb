#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "bus/unpack.h"
#include "common.pb-c.h"

#define ASK_MS 3000

/* Asking all processes at once. */
struct survey {
	struct ops *ops;
	json_t *reports; /* an object for each process, by name */
};

/* One process's part of it. */
struct part {
	struct survey *survey;
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
	struct survey *survey = part->survey;

	if (answer->status != STATUS_OK)
		survey->ops->exit_code = EXIT_SILENT;
	json_object_set_new(survey->reports, part->name, report_json(answer));
}

static void print_people(const struct survey *survey)
{
	for (size_t i = 0; i < OPS_PROCESSES; i++) {
		json_t *report =
		    json_object_get(survey->reports, ops_processes[i]);
		const char *status =
		    json_string_value(json_object_get(report, "status"));
		const char *key;
		json_t *value;
		printf("%s: %s\n", ops_processes[i],
		    status ? status : "not asked");
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
	struct survey survey = { self, json_object() };
	struct part parts[OPS_PROCESSES];
	bool failed = false;

	(void)argv;
	if (argc != 0) {
		fprintf(stderr, "usage: keepsakectl status\n");
		self->exit_code = EXIT_USAGE;
		goto out;
	}
	self->exit_code = EXIT_FAILED;
	if (ops_open(self) != STATUS_OK)
		goto out;
	self->exit_code = EXIT_OK;
	for (size_t i = 0; i < OPS_PROCESSES; i++) {
		parts[i] = (struct part){ &survey, ops_processes[i] };
		failed |= ops_begin(self, ops_processes[i], TYPE_STATUS_QUERY,
			      NULL, ASK_MS, on_answer, &parts[i]) != STATUS_OK;
	}
	ops_await(self);
	if (failed)
		self->exit_code = EXIT_FAILED;
	if (self->json) {
		json_dumpf(
		    survey.reports, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		print_people(&survey);
	}
out:
	json_decref(survey.reports);
}
