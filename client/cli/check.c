#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "output.h"

/* check: is everything there? */

struct checking {
	const struct run *run;
	json_t *all;     /* with --json: an object for each snapshot */
	json_t *reports; /* {"path", "why"} of the one at hand */
	size_t not_whole;
};

/* clang-format off */
static const char *const conditions[] = {
	[KEEPSAKE_WHOLE]   = "whole",
	[KEEPSAKE_DAMAGED] = "damaged",
	[KEEPSAKE_BROKEN]  = "broken",
	[KEEPSAKE_CLOSED]  = "closed",
};
/* clang-format on */

static void on_report(
    void *arg, uint64_t snapshot, const char *path, const char *why)
{
	struct checking *checking = arg;

	if (checking->all) {
		json_array_append_new(
		    checking->reports, json_pack("{s:o, s:s}", "path",
					   json_path(path), "why", why));
		return;
	}
	char *text = path_text(path);
	fprintf(stderr, "keepsake: snapshot %llu: %s: %s\n",
	    (unsigned long long)snapshot, text ? text : "?", why);
	free(text);
}

static void print_checked(const struct keepsake_checked *result, bool drill)
{
	char taken[CLOCK_TEXT_BYTES], bytes[TEXT_SIZE_BYTES];

	clock_text(taken, result->taken_ms);
	printf("%8llu  %s  %-8s", (unsigned long long)result->snapshot, taken,
	    conditions[result->condition]);
	switch (result->condition) {
	case KEEPSAKE_WHOLE:
	case KEEPSAKE_DAMAGED:
		printf("%8llu files", (unsigned long long)result->files);
		if (drill)
			printf(", %llu restored and compared",
			    (unsigned long long)result->picked);
		else
			printf(", %llu chunks",
			    (unsigned long long)result->chunks);
		if (result->bytes_read > 0)
			printf(", %s read",
			    text_of_size(bytes, result->bytes_read));
		if (result->damaged > 0)
			printf(", %llu damaged",
			    (unsigned long long)result->damaged);
		if (result->lost > 0)
			printf(", and its list of files in %llu places",
			    (unsigned long long)result->lost);
		break;
	case KEEPSAKE_BROKEN:
		printf("its list of files: nothing of it can be restored");
		break;
	case KEEPSAKE_CLOSED:
		printf("its key is not here: check it where that is");
		break;
	}
	printf("\n");
}

static void on_checked(void *arg, const struct keepsake_checked *result)
{
	struct checking *checking = arg;
	const struct options *options = &checking->run->options;

	checking->not_whole += result->condition != KEEPSAKE_WHOLE;
	if (!checking->all) {
		if (!options->quiet || result->condition != KEEPSAKE_WHOLE)
			print_checked(result, options->sample > 0);
		return;
	}
	json_array_append_new(checking->all,
	    json_pack("{s:I, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		"snapshot", (json_int_t)result->snapshot, "taken",
		json_of_time(result->taken_ms), "condition",
		conditions[result->condition], "files",
		(json_int_t)result->files, "damaged",
		(json_int_t)result->damaged, "lost", (json_int_t)result->lost,
		"chunks", (json_int_t)result->chunks, "bytes_read",
		(json_int_t)result->bytes_read, "picked",
		(json_int_t)result->picked, "damage", checking->reports));
	checking->reports = json_array();
}

enum exit_code command_check(struct run *run)
{
	static const char *const latest[] = { "latest" };
	struct checking checking = { .run = run };
	const struct options *options = &run->options;

	if (options->sample > 0 && options->read_data) {
		fprintf(stderr,
		    "keepsake: check: --sample reads only some files, and "
		    "--read-data all: one of them\n");
		return EXIT_USAGE;
	}
	if (options->json) {
		checking.all = json_array();
		checking.reports = json_array();
	}
	const struct keepsake_check what = {
		.which = run->operands_count > 0 ? run->operands : latest,
		.which_count =
		    run->operands_count > 0 ? (size_t)run->operands_count : 1,
		.read_data = options->read_data,
		.sample = options->sample,
		.cancel = &interrupted,
		.report = on_report,
		.checked = on_checked,
		.arg = &checking,
	};
	enum status st = keepsake_check(run->keepsake, &what);
	json_decref(checking.reports);
	if (st != STATUS_OK) {
		json_decref(checking.all);
		return command_failed(run, st);
	}
	if (checking.all && !json_print(checking.all))
		return EXIT_FAILED;
	return checking.not_whole > 0 ? EXIT_PARTLY : EXIT_DONE;
}
