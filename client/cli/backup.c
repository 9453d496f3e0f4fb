#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command.h"
#include "output.h"

/* backup and restore: the two that move files. */

/* What a transfer tells while it runs. */
struct transfer {
	struct progress progress; /* first: progress_show gets it */
	bool quiet;
	size_t reported;
	json_t *reports; /* {"path", "why"} each; NULL: for people */
};

/* One file was left out, or is not quite as it should be. */
static void on_report(void *arg, const char *path, const char *why)
{
	struct transfer *transfer = arg;

	transfer->reported++;
	if (transfer->reports) {
		json_array_append_new(
		    transfer->reports, json_pack("{s:o, s:s}", "path",
					   json_path(path), "why", why));
		return;
	}
	if (transfer->quiet)
		return;
	progress_clear(&transfer->progress);
	print_report(path, why);
}

static void transfer_begin(
    struct transfer *self, const struct run *run, const char *verb)
{
	*self = (struct transfer){
		.progress = { .shown = run->watched, .verb = verb },
		.quiet = run->options.quiet,
		.reports = run->options.json ? json_array() : NULL,
	};
}

/* Clear up; ${reports_out} is the caller's, NULL without --json. */
static void transfer_end(struct transfer *self, json_t **reports_out)
{
	progress_clear(&self->progress);
	*reports_out = self->reports;
	self->reports = NULL;
}

/* It went well, and soon one will not. */
static void warn_of_quota(const struct keepsake_backup_result *result)
{
	char used[TEXT_SIZE_BYTES], soft[TEXT_SIZE_BYTES];
	char quota[TEXT_SIZE_BYTES];

	if (result->quota_soft_bytes == 0 ||
	    result->used_bytes <= result->quota_soft_bytes)
		return;
	fprintf(stderr,
	    "keepsake: the account uses %s, which is more than %s; %s%s%s\n",
	    text_of_size(used, result->used_bytes),
	    text_of_size(soft, result->quota_soft_bytes),
	    result->quota_bytes > 0 ? "past " : "ask the operator for more",
	    result->quota_bytes > 0 ? text_of_size(quota, result->quota_bytes)
				    : "",
	    result->quota_bytes > 0 ? " nothing more is taken" : "");
}

static void print_backup(const struct keepsake_backup_result *result)
{
	char bytes[TEXT_SIZE_BYTES], sent[TEXT_SIZE_BYTES];

	printf("Snapshot %llu: %llu files, %s; %llu unchanged; sent %llu "
	       "chunks, %s.\n",
	    (unsigned long long)result->snapshot,
	    (unsigned long long)result->files,
	    text_of_size(bytes, result->bytes),
	    (unsigned long long)result->unchanged,
	    (unsigned long long)result->chunks_sent,
	    text_of_size(sent, result->bytes_sent));
	if (result->errors > 0)
		printf("%llu files are missing in it, or changed while they "
		       "were read: see above.\n",
		    (unsigned long long)result->errors);
	warn_of_quota(result);
	if (result->cache_lost)
		fprintf(stderr,
		    "keepsake: the state folder cannot be written: the next "
		    "backup reads every file\n");
}

static json_t *backup_json(const char *path,
    const struct keepsake_backup_result *result, json_t *reports)
{
	return json_pack(
	    "{s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I}",
	    "snapshot", (json_int_t)result->snapshot, "path", json_path(path),
	    "taken", json_of_time(result->taken_ms), "files",
	    (json_int_t)result->files, "bytes", (json_int_t)result->bytes,
	    "chunks_sent", (json_int_t)result->chunks_sent, "bytes_sent",
	    (json_int_t)result->bytes_sent, "unchanged",
	    (json_int_t)result->unchanged, "errors", reports, "used_bytes",
	    (json_int_t)result->used_bytes, "quota_soft_bytes",
	    (json_int_t)result->quota_soft_bytes, "quota_bytes",
	    (json_int_t)result->quota_bytes);
}

static enum exit_code backup_one(struct run *run, const char *path)
{
	struct transfer transfer;
	struct keepsake_backup_result result;
	json_t *reports;

	transfer_begin(&transfer, run, "backup");
	const struct keepsake_backup what = {
		.path = path,
		.label = run->options.label,
		.key =
		    run->options.key && strcmp(run->options.key, "local") == 0
			? KEEPSAKE_KEY_LOCAL
			: KEEPSAKE_KEY_USUAL,
		.unattended = run->options.unattended,
		.count_first = run->watched,
		.cancel = &interrupted,
		.progress = progress_show,
		.report = on_report,
		.arg = &transfer,
	};
	enum status st = keepsake_backup(run->keepsake, &what, &result);
	transfer_end(&transfer, &reports);
	if (st != STATUS_OK) {
		json_decref(reports);
		return command_failed(run, st);
	}
	if (run->options.json) {
		if (!json_print(backup_json(path, &result, reports)))
			return EXIT_FAILED;
	} else if (!run->options.quiet) {
		print_backup(&result);
	}
	return result.errors > 0 ? EXIT_PARTLY : EXIT_DONE;
}

static void print_survey(const char *path, const struct keepsake_survey *survey)
{
	char bytes[TEXT_SIZE_BYTES], *text = path_text(path);

	printf("%s: %llu files, %s; nothing was sent.\n", text ? text : "?",
	    (unsigned long long)survey->files,
	    text_of_size(bytes, survey->bytes));
	free(text);
	for (unsigned int i = 1; i < KEEPSAKE_CATEGORIES; i++)
		if (survey->categories[i].files > 0)
			printf("  %-10s  %8llu files  %10s\n",
			    keepsake_category(i),
			    (unsigned long long)survey->categories[i].files,
			    text_of_size(bytes, survey->categories[i].bytes));
}

/* --dry-run */
static enum exit_code look_at_one(struct run *run, const char *path)
{
	struct transfer transfer;
	struct keepsake_survey survey;
	json_t *reports;

	transfer_begin(&transfer, run, "look");
	const struct keepsake_backup what = {
		.path = path,
		.cancel = &interrupted,
		.report = on_report,
		.arg = &transfer,
	};
	enum status st = keepsake_look(run->keepsake, &what, &survey);
	transfer_end(&transfer, &reports);
	if (st != STATUS_OK) {
		json_decref(reports);
		return command_failed(run, st);
	}
	if (run->options.json) {
		if (!json_print(json_pack("{s:b, s:o, s:I, s:I, s:o, s:o}",
			"dry_run", 1, "path", json_path(path), "files",
			(json_int_t)survey.files, "bytes",
			(json_int_t)survey.bytes, "categories",
			json_of_totals(survey.categories), "errors", reports)))
			return EXIT_FAILED;
	} else if (!run->options.quiet) {
		print_survey(path, &survey);
	}
	return transfer.reported > 0 ? EXIT_PARTLY : EXIT_DONE;
}

enum exit_code command_backup(struct run *run)
{
	enum exit_code worst = EXIT_DONE;

	for (int i = 0; i < run->operands_count; i++) {
		const char *path = run->operands[i];
		enum exit_code code = run->options.dry_run
					  ? look_at_one(run, path)
					  : backup_one(run, path);
		if (code != EXIT_DONE && code != EXIT_PARTLY)
			return code;
		if (code == EXIT_PARTLY)
			worst = code;
	}
	return worst;
}

static void print_restore(
    const struct run *run, const struct keepsake_restore_result *result)
{
	char bytes[TEXT_SIZE_BYTES];

	char *target = path_text(result->target);

	printf("Snapshot %llu into %s: %llu files, %llu written (%s)",
	    (unsigned long long)result->snapshot, target ? target : "?",
	    (unsigned long long)result->files,
	    (unsigned long long)result->written,
	    text_of_size(bytes, result->bytes));
	free(target);
	if (result->there > 0)
		printf(
		    ", %llu there already", (unsigned long long)result->there);
	if (run->options.verify)
		printf(", %llu read again and right",
		    (unsigned long long)result->verified);
	printf(".\n");
	if (result->skipped > 0)
		printf("%llu were not restored: see above.\n",
		    (unsigned long long)result->skipped);
}

static json_t *restore_json(
    const struct keepsake_restore_result *result, json_t *reports)
{
	return json_pack("{s:I, s:o, s:I, s:I, s:I, s:o, s:I, s:I}", "snapshot",
	    (json_int_t)result->snapshot, "target", json_path(result->target),
	    "files", (json_int_t)result->files, "written",
	    (json_int_t)result->written, "there", (json_int_t)result->there,
	    "skipped", reports, "bytes", (json_int_t)result->bytes, "verified",
	    (json_int_t)result->verified);
}

enum exit_code command_restore(struct run *run)
{
	struct transfer transfer;
	struct keepsake_restore_result result;
	json_t *reports;

	if ((run->options.target != NULL) == run->options.in_place) {
		fprintf(stderr,
		    "keepsake: restore: where to?  --target DIR, a new or "
		    "empty folder, or --in-place\n");
		return EXIT_USAGE;
	}
	if (run->options.overwrite && !run->options.in_place) {
		fprintf(stderr,
		    "keepsake: restore: --overwrite goes with --in-place; "
		    "what is in a --target is replaced by --resume\n");
		return EXIT_USAGE;
	}
	transfer_begin(&transfer, run, "restore");
	const struct keepsake_restore what = {
		.which = run->operands[0],
		.target = run->options.target,
		.resume = run->options.resume,
		.overwrite = run->options.overwrite,
		.path = run->options.path,
		.verify = run->options.verify,
		.category = run->options.category,
		.cancel = &interrupted,
		.progress = progress_show,
		.report = on_report,
		.arg = &transfer,
	};
	enum status st = keepsake_restore(run->keepsake, &what, &result);
	transfer_end(&transfer, &reports);
	if (st != STATUS_OK) {
		json_decref(reports);
		return command_failed(run, st);
	}
	if (run->options.json) {
		if (!json_print(restore_json(&result, reports)))
			return EXIT_FAILED;
	} else if (!run->options.quiet) {
		print_restore(run, &result);
	}
	return result.skipped > 0 ? EXIT_PARTLY : EXIT_DONE;
}
