#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "output.h"

/* snapshots and show: what is on the server. */

static json_t *snapshot_json(const struct keepsake_snapshot *snapshot)
{
	return json_pack(
	    "{s:I, s:o, s:o, s:s, s:o, s:b, s:b, s:o, s:o, s:I, s:I, s:I, "
	    "s:I, s:o}",
	    "snapshot", (json_int_t)snapshot->ordinal, "taken",
	    json_of_time(snapshot->taken_ms), "terminal",
	    json_of_id(snapshot->terminal), "key",
	    keepsake_key_word(snapshot->key), "key_id",
	    json_of_id(snapshot->key_id), "damaged", snapshot->damaged,
	    "readable", snapshot->readable, "label", json_path(snapshot->label),
	    "host", json_path(snapshot->host), "files",
	    (json_int_t)snapshot->files, "bytes", (json_int_t)snapshot->bytes,
	    "sealed_bytes", (json_int_t)snapshot->sealed_bytes, "errors",
	    (json_int_t)snapshot->errors, "categories",
	    json_of_totals(snapshot->categories));
}

static void print_snapshot(const struct keepsake_snapshot *snapshot)
{
	char taken[CLOCK_TEXT_BYTES], bytes[TEXT_SIZE_BYTES];
	char *host = path_text(snapshot->host);
	char *label = path_text(snapshot->label);

	clock_text(taken, snapshot->taken_ms);
	if (snapshot->readable)
		printf("%8llu  %s  %-7s  %8llu files  %10s  %s  %s%s%s\n",
		    (unsigned long long)snapshot->ordinal, taken,
		    keepsake_key_word(snapshot->key),
		    (unsigned long long)snapshot->files,
		    text_of_size(bytes, snapshot->bytes), host ? host : "?",
		    label ? label : "?",
		    snapshot->errors > 0 ? "  (not complete)" : "",
		    snapshot->damaged ? "  (damaged: keepsake check)" : "");
	else
		printf("%8llu  %s  %-7s  %s%s\n",
		    (unsigned long long)snapshot->ordinal, taken,
		    keepsake_key_word(snapshot->key),
		    snapshot->key == KEEPSAKE_KEY_LOCAL
			? "(its key is kept on the terminal that made it; "
			  "'keepsake show' says which)"
			: "(its key does not open here)",
		    snapshot->damaged ? "  (damaged)" : "");
	free(host);
	free(label);
}

enum exit_code command_snapshots(struct run *run)
{
	struct keepsake_snapshot *list = NULL;
	size_t count = 0;
	enum exit_code code = EXIT_DONE;
	enum status st = keepsake_snapshots(run->keepsake, &list, &count);

	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json) {
		json_t *all = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(all, snapshot_json(&list[i]));
		code = json_print(all) ? EXIT_DONE : EXIT_FAILED;
	} else {
		for (size_t i = 0; i < count; i++)
			print_snapshot(&list[i]);
		if (count == 0 && !run->options.quiet)
			puts("There are no snapshots yet: keepsake backup "
			     "FOLDER");
	}
	free(list);
	return code;
}

struct shower {
	const struct run *run;
	bool lost;      /* parts of the list of files are damaged */
	bool begun;     /* something was printed */
	bool unprinted; /* standard output takes no more */
};

/* Of files only: what sorts folders and links is what is in them. */
static const char *category_of(const struct keepsake_entry *entry)
{
	return entry->type == KEEPSAKE_FILE ? keepsake_category(entry->category)
					    : NULL;
}

static json_t *entry_json(const struct keepsake_entry *entry)
{
	char mode[8], mtime[TIME_TEXT_BYTES];

	snprintf(mode, sizeof(mode), "%04o", (unsigned int)entry->mode & 07777);
	time_text(mtime, entry->mtime_s, entry->mtime_ns);
	json_t *value = json_pack("{s:o, s:s, s:I, s:s, s:s, s:s?, s:b}",
	    "path", json_path(entry->path), "type", type_word(entry->type),
	    "size", (json_int_t)entry->size, "mode", mode, "mtime", mtime,
	    "category", category_of(entry), "changed", entry->changed);
	if (value && entry->target[0] != '\0')
		json_object_set_new(value, "target", json_path(entry->target));
	return value;
}

/* One line of an array that is printed as it comes: it may be long. */
static bool print_json(struct shower *shower, json_t *value)
{
	bool done = fputs(shower->begun ? ",\n" : "[", stdout) >= 0 && value &&
		    json_dumpf(value, stdout, JSON_COMPACT) == 0;

	json_decref(value);
	return done;
}

static bool print_entry(const struct keepsake_entry *entry)
{
	char mtime[TIME_TEXT_BYTES], bytes[TEXT_SIZE_BYTES];
	const char *category = category_of(entry);
	char *path = path_text(entry->path);
	char *target = path_text(entry->target);

	time_text(mtime, entry->mtime_s, 0);
	int done = printf("%04o  %10s  %s  %-10s  %s%s%s%s\n",
	    (unsigned int)entry->mode & 07777,
	    entry->type == KEEPSAKE_FILE ? text_of_size(bytes, entry->size)
					 : type_word(entry->type),
	    mtime, category ? category : "", path ? path : "?",
	    entry->target[0] != '\0' ? " -> " : "", target ? target : "?",
	    entry->changed ? "  (changed while it was read)" : "");
	free(path);
	free(target);
	return done > 0;
}

static bool on_entry(void *arg, const struct keepsake_entry *entry)
{
	struct shower *shower = arg;
	const char *wanted = shower->run->options.category;
	const char *category = category_of(entry);
	bool done;

	if (wanted && (!category || strcmp(wanted, category) != 0))
		return true;
	if (shower->run->options.json)
		done = print_json(shower, entry_json(entry));
	else
		done = print_entry(entry);
	shower->begun = true;
	shower->unprinted = !done;
	return done && !atomic_load(&interrupted);
}

/* Beside the array, also with --json: it is printed as it comes. */
static void on_lost(void *arg, const char *path, const char *why)
{
	struct shower *shower = arg;

	shower->lost = true;
	print_report(path, why);
}

enum exit_code command_show(struct run *run)
{
	struct shower shower = { .run = run };
	enum status st = keepsake_show(
	    run->keepsake, run->operands[0], on_entry, on_lost, &shower, NULL);
	if (run->options.json && (st == STATUS_OK || shower.begun))
		puts(shower.begun ? "]" : "[]");
	if (st != STATUS_OK && shower.begun)
		return command_failed_beside(run, st);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (atomic_load(&interrupted))
		fprintf(stderr, "keepsake: interrupted\n");
	if (shower.unprinted || atomic_load(&interrupted))
		return EXIT_FAILED;
	return shower.lost ? EXIT_PARTLY : EXIT_DONE;
}
