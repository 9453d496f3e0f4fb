#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "base/text.h"
#include "base/util.h"
#include "command.h"
#include "output.h"

/* diff: what two snapshots have that is not the same. */

struct comparer {
	const struct run *run;
	json_t *list;   /* with --json; else NULL */
	json_t *damage; /* likewise: {"path", "why"} */
	bool lost;      /* parts of a list of files are damaged */
	bool unprinted; /* standard output takes no more */
};

static const char *const changes[] = {
	[KEEPSAKE_ADDED] = "added",
	[KEEPSAKE_REMOVED] = "removed",
	[KEEPSAKE_CHANGED] = "changed",
};

static json_t *difference_json(
    const struct keepsake_difference *difference, const char *category)
{
	return json_pack("{s:o, s:s, s:b, s:b, s:s, s:s?, s:I, s:I}", "path",
	    json_path(difference->path), "change", changes[difference->change],
	    "content", difference->content, "metadata", difference->metadata,
	    "type", type_word(difference->type), "category", category,
	    "before_bytes", (json_int_t)difference->before_bytes, "after_bytes",
	    (json_int_t)difference->after_bytes);
}

static bool print_difference(
    const struct keepsake_difference *difference, const char *category)
{
	char before[TEXT_SIZE_BYTES], after[TEXT_SIZE_BYTES];
	char *path = path_text(difference->path);
	bool file = difference->type == KEEPSAKE_FILE;
	const char *what = "";

	if (difference->change == KEEPSAKE_CHANGED)
		what = !difference->content   ? "  (metadata)"
		       : difference->metadata ? ""
					      : "  (content)";
	int done = printf("%-7s  %10s  %10s  %-10s  %s%s\n",
	    changes[difference->change],
	    difference->change == KEEPSAKE_ADDED ? ""
	    : file ? text_of_size(before, difference->before_bytes)
		   : type_word(difference->type),
	    difference->change == KEEPSAKE_REMOVED ? ""
	    : file ? text_of_size(after, difference->after_bytes)
		   : type_word(difference->type),
	    category ? category : "", path ? path : "?", what);
	free(path);
	return done > 0;
}

static bool on_difference(
    void *arg, const struct keepsake_difference *difference)
{
	struct comparer *comparer = arg;
	const char *wanted = comparer->run->options.category;
	const char *category = difference->type == KEEPSAKE_FILE
				   ? keepsake_category(difference->category)
				   : NULL;

	if (wanted && (!category || strcmp(wanted, category) != 0))
		return true;
	if (comparer->list)
		json_array_append_new(
		    comparer->list, difference_json(difference, category));
	else
		comparer->unprinted = !print_difference(difference, category);
	return !comparer->unprinted && !atomic_load(&interrupted);
}

static void on_lost(void *arg, const char *path, const char *why)
{
	struct comparer *comparer = arg;

	comparer->lost = true;
	if (comparer->damage)
		json_array_append_new(
		    comparer->damage, json_pack("{s:o, s:s}", "path",
					  json_path(path), "why", why));
	else
		print_report(path, why);
}

static json_t *comparison_json(const struct keepsake_comparison *result,
    json_t *differences, json_t *damage)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "before",
	    (json_int_t)result->before, "after", (json_int_t)result->after,
	    "added", (json_int_t)result->added, "removed",
	    (json_int_t)result->removed, "changed", (json_int_t)result->changed,
	    "differences", differences, "damage", damage);
}

static void print_comparison(const struct keepsake_comparison *result)
{
	printf("From snapshot %llu to %llu: %llu added, %llu removed, "
	       "%llu changed.\n",
	    (unsigned long long)result->before,
	    (unsigned long long)result->after,
	    (unsigned long long)result->added,
	    (unsigned long long)result->removed,
	    (unsigned long long)result->changed);
}

enum exit_code command_diff(struct run *run)
{
	struct keepsake_comparison result = { 0 };
	struct comparer comparer = { .run = run };
	enum exit_code code;

	if (run->options.json) {
		comparer.list = json_array();
		comparer.damage = json_array();
	}
	enum status st = keepsake_diff(run->keepsake, run->operands[0],
	    run->operands[1], on_difference, on_lost, &comparer, &result);
	code = comparer.lost ? EXIT_PARTLY : EXIT_DONE;
	if (st != STATUS_OK) {
		code = command_failed(run, st);
	} else if (atomic_load(&interrupted)) {
		code = command_failed(run,
		    ask_refuse(run, STATUS_PENDING,
			"nothing was changed: run it again", "interrupted"));
	} else if (run->options.json) {
		if (!json_print(comparison_json(
			&result, comparer.list, comparer.damage)))
			code = EXIT_FAILED;
	} else {
		if (!run->options.quiet)
			print_comparison(&result);
		if (comparer.unprinted)
			code = EXIT_FAILED;
	}
	json_decref(comparer.list);
	json_decref(comparer.damage);
	return code;
}
