#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "bus/unpack.h"
#include "common.pb-c.h"
#include "rows.h"

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

/* Ask every process; false: none could be asked. */
static bool take_survey(struct survey *survey)
{
	struct part parts[OPS_PROCESSES];
	struct ops *ops = survey->ops;
	bool failed = false;

	ops->exit_code = EXIT_FAILED;
	if (ops_open(ops) != STATUS_OK)
		return false;
	ops->exit_code = EXIT_OK;
	for (size_t i = 0; i < OPS_PROCESSES; i++) {
		parts[i] = (struct part){ survey, ops_processes[i] };
		failed |= ops_begin(ops, ops_processes[i], TYPE_STATUS_QUERY,
			      NULL, ASK_MS, on_answer, &parts[i]) != STATUS_OK;
	}
	ops_await(ops);
	if (failed)
		ops->exit_code = EXIT_FAILED;
	return true;
}

void command_status(struct ops *self, int argc, char **argv)
{
	struct survey survey = { self, json_object() };

	(void)argc;
	(void)argv;
	if (!take_survey(&survey))
		goto out;
	if (self->json)
		rows_print_json(json_incref(survey.reports));
	else
		print_people(&survey);
out:
	json_decref(survey.reports);
}

/* Add "process.figure": number for each of ${report}. */
static void add_figures(json_t *figures, const char *process, json_t *report)
{
	char name[128];
	const char *key;
	json_t *value;

	json_object_foreach(report, key, value)
	{
		if (!json_is_integer(value) || strcmp(key, "pid") == 0)
			continue;
		snprintf(name, sizeof(name), "%s.%s", process, key);
		json_object_set(figures, name, value);
	}
}

void command_figures(struct ops *self, int argc, char **argv)
{
	struct survey survey = { self, json_object() };
	json_t *figures = json_object(), *report, *value;
	const char *name;

	(void)argc;
	(void)argv;
	if (!take_survey(&survey))
		goto out;
	for (size_t i = 0; i < OPS_PROCESSES; i++) {
		name = ops_processes[i];
		report = json_object_get(survey.reports, name);
		const char *status =
		    json_string_value(json_object_get(report, "status"));
		if (!status || strcmp(status, "ok") != 0)
			fprintf(stderr, "keepsakectl: %s: %s\n", name,
			    status ? status : "not asked");
		add_figures(figures, name, report);
	}
	if (self->json) {
		rows_print_json(json_incref(figures));
		goto out;
	}
	json_object_foreach(figures, name, value)
	{
		printf("%s %" JSON_INTEGER_FORMAT "\n", name,
		    json_integer_value(value));
	}
out:
	json_decref(figures);
	json_decref(survey.reports);
}
