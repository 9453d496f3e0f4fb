#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "command.h"
#include "output.h"

/* grant: let a terminal back up with nobody there to type a password. */

#define DIRECTION_WORDS_BYTES 64

static const struct {
	unsigned int bit;
	const char *word;
} directions[] = {
	{ KEEPSAKE_GRANT_UPLOAD, "upload" },
	{ KEEPSAKE_GRANT_REPORT, "report" },
};

/* "upload, report" */
static void directions_text(
    char out[static DIRECTION_WORDS_BYTES], unsigned int granted)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < nitems(directions); i++)
		if (granted & directions[i].bit)
			len += (size_t)snprintf(out + len,
			    DIRECTION_WORDS_BYTES - len, "%s%s",
			    len > 0 ? ", " : "", directions[i].word);
}

static json_t *directions_json(unsigned int granted)
{
	json_t *words = json_array();

	for (size_t i = 0; i < nitems(directions); i++)
		if (granted & directions[i].bit)
			json_array_append_new(
			    words, json_string(directions[i].word));
	return words;
}

static enum exit_code grant_add(struct run *run)
{
	const struct options *options = &run->options;
	unsigned int wanted = 0;

	if (options->upload)
		wanted |= KEEPSAKE_GRANT_UPLOAD;
	if (options->report)
		wanted |= KEEPSAKE_GRANT_REPORT;
	if (wanted == 0)
		wanted = KEEPSAKE_GRANT_UPLOAD | KEEPSAKE_GRANT_REPORT;
	enum status st = keepsake_grant_add(run->keepsake, wanted);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (options->json)
		return json_print(json_pack(
			   "{s:o}", "directions", directions_json(wanted)))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!options->quiet)
		puts("This terminal may act without a password now.  Next: "
		     "keepsake backup --unattended\nFOLDER.  What it keeps "
		     "for that opens no backup.");
	return EXIT_DONE;
}

static void print_grant(const struct keepsake_grant *grant)
{
	char id[HEX_BYTES(KEEPSAKE_ID_BYTES)], words[DIRECTION_WORDS_BYTES];
	char given[CLOCK_TEXT_BYTES], used[CLOCK_TEXT_BYTES] = "never used";

	hex_encode(id, slice_of(grant->terminal, KEEPSAKE_ID_BYTES));
	directions_text(words, grant->directions);
	clock_text(given, grant->given_ms);
	if (grant->used_ms > 0)
		clock_text(used, grant->used_ms);
	printf("%s  %-14s  given %s  %s%s%s\n", id, words, given,
	    grant->used_ms > 0 ? "used " : "", used,
	    grant->here ? "  (this terminal)" : "");
}

static json_t *grant_json(const struct keepsake_grant *grant)
{
	return json_pack("{s:o, s:b, s:o, s:o, s:o}", "terminal",
	    json_of_id(grant->terminal), "here", grant->here, "directions",
	    directions_json(grant->directions), "given",
	    json_of_time(grant->given_ms), "used",
	    grant->used_ms > 0 ? json_of_time(grant->used_ms) : json_null());
}

static enum exit_code grant_list(struct run *run)
{
	struct keepsake_grant *list = NULL;
	size_t count = 0;
	enum exit_code code = EXIT_DONE;

	enum status st = keepsake_grants(run->keepsake, &list, &count);
	if (st != STATUS_OK)
		return command_failed(run, st);
	if (run->options.json) {
		json_t *all = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(all, grant_json(&list[i]));
		code = json_print(all) ? EXIT_DONE : EXIT_FAILED;
	} else {
		for (size_t i = 0; i < count; i++)
			print_grant(&list[i]);
		if (count == 0 && !run->options.quiet)
			puts("No terminal has a grant: keepsake grant add");
	}
	free(list);
	return code;
}

static enum exit_code grant_remove(struct run *run)
{
	uint8_t terminal[KEEPSAKE_ID_BYTES];
	bool named = run->operands_count > 1;
	struct unconfirmed unconfirmed = { .meaning = MEANING_REVOKED };

	if (named && hex_decode(terminal, sizeof(terminal), run->operands[1]) !=
			 STATUS_OK) {
		fprintf(stderr,
		    "keepsake: %s: not a terminal's id, 32 hex digits: "
		    "keepsake grant list shows them\n",
		    run->operands[1]);
		return EXIT_USAGE;
	}
	unconfirmed.names = run->options.json ? json_array() : NULL;
	enum status st = keepsake_grant_remove(run->keepsake,
	    named ? terminal : NULL, on_unconfirmed, &unconfirmed);
	if (st != STATUS_OK) {
		json_decref(unconfirmed.names);
		return command_failed(run, st);
	}
	if (run->options.json)
		return json_print(json_pack("{s:b, s:o}", "removed", 1,
			   "unconfirmed", unconfirmed.names))
			   ? EXIT_DONE
			   : EXIT_FAILED;
	if (!run->options.quiet)
		puts("The grant has ended: that terminal asks for the password "
		     "again.");
	return EXIT_DONE;
}

static const struct {
	const char *word;
	int operands_max; /* with the word */
	command_fn *run;
} actions[] = {
	{ "add", 1, grant_add },
	{ "list", 1, grant_list },
	{ "remove", 2, grant_remove },
};

enum exit_code command_grant(struct run *run)
{
	for (size_t i = 0; i < nitems(actions); i++) {
		if (strcmp(run->operands[0], actions[i].word) != 0)
			continue;
		if (run->operands_count <= actions[i].operands_max)
			return actions[i].run(run);
		break;
	}
	fprintf(stderr, "usage: keepsake grant add [--upload] [--report]\n"
			"       keepsake grant list\n"
			"       keepsake grant remove [TERMINAL]\n");
	return EXIT_USAGE;
}
