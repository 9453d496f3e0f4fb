#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "command.h"
#include "output.h"

/* delete and thin: snapshots that go. */

struct deleted {
	const struct run *run;
	json_t *ordinals; /* with --json; else NULL */
};

static void on_deleted(void *arg, uint64_t ordinal)
{
	struct deleted *deleted = arg;

	if (deleted->ordinals)
		json_array_append_new(
		    deleted->ordinals, json_integer((json_int_t)ordinal));
	else if (!deleted->run->options.quiet)
		printf(
		    "Snapshot %llu is deleted.\n", (unsigned long long)ordinal);
}

enum exit_code command_delete(struct run *run)
{
	struct deleted deleted = {
		.run = run,
		.ordinals = run->options.json ? json_array() : NULL,
	};
	enum status st = keepsake_delete(run->keepsake, run->operands,
	    (size_t)run->operands_count, on_deleted, &deleted);

	if (st != STATUS_OK) {
		json_decref(deleted.ordinals);
		return command_failed(run, st);
	}
	if (!run->options.json)
		return EXIT_DONE;
	return json_print(json_pack("{s:o}", "deleted", deleted.ordinals))
		   ? EXIT_DONE
		   : EXIT_FAILED;
}

/* ---- thin ---- */

static const char *const rules[] = {
	[KEEPSAKE_KEEP_LAST] = "last",
	[KEEPSAKE_KEEP_DAILY] = "daily",
	[KEEPSAKE_KEEP_WEEKLY] = "weekly",
	[KEEPSAKE_KEEP_MONTHLY] = "monthly",
};
_Static_assert(nitems(rules) == KEEPSAKE_KEEP_COUNT, "one word each");

struct thinned {
	const struct run *run;
	json_t *snapshots; /* with --json; else NULL */
};

static json_t *rules_json(unsigned int kept)
{
	json_t *words = json_array();

	for (size_t i = 0; i < nitems(rules); i++)
		if (kept & 1u << i)
			json_array_append_new(words, json_string(rules[i]));
	return words;
}

static void print_thinned(
    const struct keepsake_snapshot *snapshot, unsigned int kept)
{
	char taken[CLOCK_TEXT_BYTES];
	char *label = path_text(snapshot->label);
	const char *before = "  (";

	clock_text(taken, snapshot->taken_ms);
	printf("%-6s  %8llu  %s  %s",
	    kept != 0 || !snapshot->readable ? "keep" : "delete",
	    (unsigned long long)snapshot->ordinal, taken,
	    snapshot->readable ? (label ? label : "?")
			       : "(its key does not open here)");
	for (size_t i = 0; i < nitems(rules); i++)
		if (kept & 1u << i) {
			printf("%s%s", before, rules[i]);
			before = ", ";
		}
	puts(kept != 0 ? ")" : "");
	free(label);
}

static void on_thinned(
    void *arg, const struct keepsake_snapshot *snapshot, unsigned int kept)
{
	struct thinned *thinned = arg;

	if (thinned->snapshots)
		json_array_append_new(thinned->snapshots,
		    json_pack("{s:I, s:o, s:o, s:b, s:b, s:o}", "snapshot",
			(json_int_t)snapshot->ordinal, "taken",
			json_of_time(snapshot->taken_ms), "label",
			json_path(snapshot->label), "readable",
			snapshot->readable, "kept",
			kept != 0 || !snapshot->readable, "by",
			rules_json(kept)));
	else if (!thinned->run->options.quiet)
		print_thinned(snapshot, kept);
}

static void print_counts(
    const struct run *run, const struct keepsake_thin_result *result)
{
	uint64_t kept = result->kept + result->unread;

	printf("%llu %s, %llu kept.\n", (unsigned long long)result->deleted,
	    run->options.dry_run ? "would be deleted" : "deleted",
	    (unsigned long long)kept);
}

enum exit_code command_thin(struct run *run)
{
	const struct options *options = &run->options;
	struct keepsake_thin_result result = { 0 };
	struct thinned thinned = {
		.run = run,
		.snapshots = options->json ? json_array() : NULL,
	};
	const struct keepsake_thin what = {
		.keep = {
			[KEEPSAKE_KEEP_LAST] = options->keep_last,
			[KEEPSAKE_KEEP_DAILY] = options->keep_daily,
			[KEEPSAKE_KEEP_WEEKLY] = options->keep_weekly,
			[KEEPSAKE_KEEP_MONTHLY] = options->keep_monthly,
		},
		.dry_run = options->dry_run,
		.each = on_thinned,
		.arg = &thinned,
	};
	enum status st = keepsake_thin(run->keepsake, &what, &result);

	if (st != STATUS_OK) {
		json_decref(thinned.snapshots);
		return command_failed(run, st);
	}
	uint64_t kept = result.kept + result.unread;
	if (options->json)
		return json_print(json_pack("{s:b, s:I, s:I, s:o}", "dry_run",
			   options->dry_run, "deleted",
			   (json_int_t)result.deleted, "kept", (json_int_t)kept,
			   "snapshots", thinned.snapshots))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!options->quiet)
		print_counts(run, &result);
	return EXIT_DONE;
}
