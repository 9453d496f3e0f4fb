#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "command.h"
#include "output.h"

/* rules: when notices are pushed. */

static const char *const tell_words[] = {
	[KEEPSAKE_TELL_USUAL] = "usual",
	[KEEPSAKE_TELL_AT_ONCE] = "at-once",
	[KEEPSAKE_TELL_IN_TIME] = "in-time",
	[KEEPSAKE_TELL_NEVER] = "never",
};

static const char *tell_word(enum keepsake_tell tell)
{
	return (size_t)tell < nitems(tell_words) ? tell_words[tell] : "other";
}

/* "07:05" as a minute of the day. */
static bool read_clock(uint32_t *out, const char *text, size_t len)
{
	if (len != 5 || text[2] != ':')
		return false;
	for (size_t i = 0; i < len; i++)
		if (i != 2 && (text[i] < '0' || text[i] > '9'))
			return false;
	uint32_t hour = (uint32_t)((text[0] - '0') * 10 + text[1] - '0');
	uint32_t minute = (uint32_t)((text[3] - '0') * 10 + text[4] - '0');
	*out = hour * 60 + minute;
	return hour < 24 && minute < 60;
}

static bool read_quiet(struct keepsake_rules *out, const char *text)
{
	if (strcmp(text, "off") == 0) {
		out->quiet_from = out->quiet_to = 0;
		return true;
	}
	return strlen(text) == 11 && text[5] == '-' &&
	       read_clock(&out->quiet_from, text, 5) &&
	       read_clock(&out->quiet_to, text + 6, 5) &&
	       out->quiet_from != out->quiet_to;
}

/* "KIND=WHEN" or "KIND=WHEN/DURATION"; cuts ${text}, which stays in use. */
static bool read_rule(struct keepsake_rule *out, char *text)
{
	char *when = strchr(text, '=');
	uint64_t together_ms = 0;

	if (!when)
		return false;
	*when++ = '\0';
	char *duration = strchr(when, '/');
	if (duration) {
		*duration++ = '\0';
		if (text_duration(&together_ms, duration) != STATUS_OK)
			return false;
	}
	for (size_t i = 0; i < nitems(tell_words); i++) {
		if (strcmp(tell_words[i], when) != 0)
			continue;
		*out = (struct keepsake_rule){
			.kind = text,
			.tell = (enum keepsake_tell)i,
			.together_s =
			    (uint32_t)min_of(together_ms / 1000, UINT32_MAX),
		};
		return true;
	}
	return false;
}

static bool read_list(struct keepsake_rules *out, char *text)
{
	char *rest = NULL;

	for (char *item = strtok_r(text, ",", &rest); item;
	     item = strtok_r(NULL, ",", &rest)) {
		if (out->count == KEEPSAKE_RULES_MAX ||
		    !read_rule(&out->rules[out->count], item))
			return false;
		out->count++;
	}
	return out->count > 0;
}

static bool print_json(const struct keepsake_rules *rules)
{
	json_t *kinds = json_object(), *quiet = NULL;
	char text[32];

	for (size_t i = 0; i < rules->count; i++)
		json_object_set_new(kinds, rules->rules[i].kind,
		    json_pack("{s:s, s:I}", "tell",
			tell_word(rules->rules[i].tell), "together_s",
			(json_int_t)rules->rules[i].together_s));
	if (rules->quiet_from != rules->quiet_to) {
		snprintf(text, sizeof(text), "%02u:%02u-%02u:%02u",
		    rules->quiet_from / 60, rules->quiet_from % 60,
		    rules->quiet_to / 60, rules->quiet_to % 60);
		quiet = json_string(text);
	}
	return json_print(json_pack("{s:o?, s:o}", "quiet_hours",
	    quiet ? quiet : json_null(), "kinds", kinds));
}

static void print_rules(const struct keepsake_rules *rules)
{
	char every[TEXT_DURATION_BYTES];

	if (rules->quiet_from == rules->quiet_to)
		puts("no quiet hours");
	else
		printf("quiet from %02u:%02u to %02u:%02u, each terminal's "
		       "local time\n",
		    rules->quiet_from / 60, rules->quiet_from % 60,
		    rules->quiet_to / 60, rules->quiet_to % 60);
	for (size_t i = 0; i < rules->count; i++) {
		printf("%s: %s", rules->rules[i].kind,
		    tell_word(rules->rules[i].tell));
		if (rules->rules[i].together_s > 0)
			printf(", together, at most every %s",
			    text_of_duration(
				every, rules->rules[i].together_s * 1000ull));
		putchar('\n');
	}
}

enum exit_code command_rules(struct run *run)
{
	const struct options *options = &run->options;
	struct keepsake_rules rules = { .keep_quiet = !options->quiet_hours };
	char *list = NULL;
	enum exit_code code = EXIT_USAGE;
	enum status st;

	if (options->quiet_hours && !read_quiet(&rules, options->quiet_hours)) {
		fprintf(stderr,
		    "keepsake: --quiet-hours %s: two different "
		    "times, 22:00-07:00, or off\n",
		    options->quiet_hours);
		goto out;
	}
	if (options->tell) {
		list = strdup(options->tell);
		if (!list || !read_list(&rules, list)) {
			fprintf(stderr,
			    "keepsake: --tell %s: KIND=WHEN, with commas "
			    "between; WHEN is usual, at-once, in-time or "
			    "never, and /DURATION behind (1h, 1d): together, "
			    "at most that often\n",
			    options->tell);
			goto out;
		}
	}
	st = options->quiet_hours || options->tell
		 ? keepsake_rules_change(run->keepsake, &rules)
		 : keepsake_rules_get(run->keepsake, &rules);
	if (st != STATUS_OK) {
		code = command_failed(run, st);
		goto out;
	}
	code = EXIT_DONE;
	if (options->json) {
		if (!print_json(&rules))
			code = EXIT_FAILED;
	} else if (!options->quiet) {
		print_rules(&rules);
	}
out:
	free(list);
	return code;
}
