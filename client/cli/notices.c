#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "command.h"
#include "output.h"

/* notices: what the owner is to know. */

struct printer {
	const struct run *run;
	bool as_array; /* else a line each */
	bool begun;    /* something of the array is out */
};

static json_t *notice_json(const struct keepsake_notice *notice)
{
	json_t *figures = json_object();

	for (size_t i = 0; i < notice->figures_count; i++)
		json_object_set_new(figures, notice->figures[i].name,
		    json_integer((json_int_t)notice->figures[i].value));
	json_t *value =
	    json_pack("{s:o, s:s, s:o, s:o, s:o}", "id", json_of_id(notice->id),
		"kind", notice->kind, "when", json_of_time(notice->when_ms),
		"terminal", json_of_id(notice->terminal), "figures", figures);
	if (value && notice->text[0] != '\0')
		json_object_set_new(value, "text", json_path(notice->text));
	return value;
}

static bool print_notice(const struct keepsake_notice *notice)
{
	char when[CLOCK_TEXT_BYTES];
	char terminal[HEX_BYTES(KEEPSAKE_ID_BYTES)];

	clock_text(when, notice->when_ms);
	printf("%s  %s", when, notice->kind);
	for (size_t i = 0; i < notice->figures_count; i++) {
		char *name = path_text(notice->figures[i].name);
		printf("  %s=%llu", name ? name : "?",
		    (unsigned long long)notice->figures[i].value);
		free(name);
	}
	if (!is_none(notice->terminal)) {
		hex_encode(
		    terminal, slice_of(notice->terminal, KEEPSAKE_ID_BYTES));
		printf("  terminal=%s", terminal);
	}
	printf("\n    %s\n", notice->meaning);
	if (notice->text[0] != '\0') {
		char *text = path_text(notice->text);
		printf("    %s\n", text ? text : "?");
		free(text);
	}
	return fflush(stdout) == 0 && !ferror(stdout);
}

/* One of an array that is printed as they come; each is out when it is. */
static bool print_item(struct printer *printer, json_t *value)
{
	bool done = value && fputs(printer->begun ? "," : "[", stdout) != EOF &&
		    json_dumpf(value, stdout, JSON_COMPACT) == 0 &&
		    fflush(stdout) == 0;

	printer->begun |= value != NULL;
	json_decref(value);
	return done;
}

/* What was not printed is not taken: it will be told again. */
static bool on_notice(void *arg, const struct keepsake_notice *notice)
{
	struct printer *printer = arg;

	if (!printer->run->options.json)
		return print_notice(notice);
	if (printer->as_array)
		return print_item(printer, notice_json(notice));
	return json_print(notice_json(notice));
}

enum exit_code command_notices(struct run *run)
{
	struct printer printer = { .run = run };

	printer.as_array = run->options.json && !run->options.follow;
	enum status st = keepsake_notices(run->keepsake, run->options.follow,
	    &interrupted, on_notice, &printer);
	if (printer.as_array && (printer.begun || st == STATUS_OK))
		puts(printer.begun ? "]" : "[]");
	if (st != STATUS_OK && printer.begun)
		return command_failed_beside(run, st);
	return st == STATUS_OK ? EXIT_DONE : command_failed(run, st);
}
