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

enum exit_code command_diff(struct run *run)
{
	struct keepsake_comparison result = { 0 };
	struct comparer comparer = {
		.run = run,
		.list = run->options.json ? json_array() : NULL,
	};
	enum status st = keepsake_diff(run->keepsake, run->operands[0],
	    run->operands[1], on_difference, &comparer, &result);

	if (st != STATUS_OK) {
		json_decref(comparer.list);
		return command_failed(run, st);
	}
	if (atomic_load(&interrupted)) {
		json_decref(comparer.list);
		return command_failed(run,
		    ask_refuse(run, STATUS_PENDING,
			"nothing was changed: run it again", "interrupted"));
	}
	if (run->options.json)
		return json_print(json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}",
			   "before", (json_int_t)result.before, "after",
			   (json_int_t)result.after, "added",
			   (json_int_t)result.added, "removed",
			   (json_int_t)result.removed, "changed",
			   (json_int_t)result.changed, "differences",
			   comparer.list))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		printf("From snapshot %llu to %llu: %llu added, %llu removed, "
		       "%llu changed.\n",
		    (unsigned long long)result.before,
		    (unsigned long long)result.after,
		    (unsigned long long)result.added,
		    (unsigned long long)result.removed,
		    (unsigned long long)result.changed);
	return comparer.unprinted ? EXIT_FAILED : EXIT_DONE;
}
