#include "base/completion.h"

#include <stdbool.h>
#include <string.h>

#include "base/util.h"

/* What follows an option. */
enum follows { FOLLOWS_NOTHING, FOLLOWS_FILE, FOLLOWS_FOLDER, FOLLOWS_OTHER };

static enum follows what_follows(const struct completion_option *option)
{
	if (!option->argument)
		return FOLLOWS_NOTHING;
	if (strcmp(option->argument, "FILE") == 0)
		return FOLLOWS_FILE;
	if (strcmp(option->argument, "DIR") == 0 ||
	    strcmp(option->argument, "FOLDER") == 0)
		return FOLLOWS_FOLDER;
	return FOLLOWS_OTHER;
}

/* A pattern of a case: all options that ${wanted} is true of, or none. */
static bool print_pattern(const struct completion *self, FILE *out,
    bool (*wanted)(enum follows follows, enum follows which),
    enum follows which)
{
	bool any = false;

	for (size_t i = 0; i < self->options_count; i++) {
		if (!wanted(what_follows(&self->options[i]), which))
			continue;
		fprintf(
		    out, "%s--%s", any ? " | " : "\t", self->options[i].name);
		if (self->options[i].letter)
			fprintf(out, " | -%c", self->options[i].letter);
		any = true;
	}
	if (any)
		fprintf(out, ")");
	return any;
}

static bool is_same(enum follows follows, enum follows which)
{
	return follows == which;
}

static bool is_any(enum follows follows, enum follows which)
{
	(void)which;
	return follows != FOLLOWS_NOTHING;
}

static void print_arguments_of_options(const struct completion *self, FILE *out)
{
	static const struct {
		enum follows follows;
		const char *action;
	} rows[] = {
		{ FOLLOWS_FILE, "_keepsake_paths -f \"$word\"; return" },
		{ FOLLOWS_FOLDER, "_keepsake_paths -d \"$word\"; return" },
		{ FOLLOWS_OTHER, "return" },
	};

	fprintf(out, "\tcase ${COMP_WORDS[COMP_CWORD - 1]} in\n");
	for (size_t i = 0; i < nitems(rows); i++)
		if (print_pattern(self, out, is_same, rows[i].follows))
			fprintf(out, " %s ;;\n", rows[i].action);
	fprintf(out, "\tesac\n");
}

/* The command is the first word that is neither an option nor its argument. */
static void print_search(const struct completion *self, FILE *out)
{
	fprintf(out, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\tcase ${COMP_WORDS[i]} in\n");
	if (print_pattern(self, out, is_any, FOLLOWS_NOTHING))
		fprintf(out, " i=$((i + 1)) ;;\n");
	fprintf(out, "\t-*) ;;\n"
		     "\t*) command=${COMP_WORDS[i]}; break ;;\n"
		     "\tesac\n"
		     "\tdone\n");
}

static bool is_first_row(const struct completion *self, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(self->commands[i].name,
			self->commands[index].name) == 0)
			return false;
	return true;
}

static void print_options(const struct completion *self, FILE *out)
{
	fprintf(out, "\twords='");
	for (size_t i = 0; i < self->options_count; i++)
		if (self->options[i].bit == 0)
			fprintf(out, " --%s", self->options[i].name);
	fprintf(out, "'\n\tcase $command in\n");
	for (size_t c = 0; c < self->commands_count; c++) {
		const struct completion_command *command = &self->commands[c];
		if (command->takes == 0 || !is_first_row(self, c))
			continue;
		fprintf(out, "\t%s) words+='", command->name);
		for (size_t i = 0; i < self->options_count; i++)
			if (command->takes & self->options[i].bit)
				fprintf(out, " --%s", self->options[i].name);
		fprintf(out, "' ;;\n");
	}
	fprintf(out, "\tesac\n");
}

#define LOWER "abcdefghijklmnopqrstuvwxyz-"

/* The words of "show|set|remove" or "[verify]", each with a space. */
static void print_words(const char *arguments, FILE *out)
{
	if (*arguments == '[')
		arguments++;
	while (*arguments != '-') {
		size_t len = strspn(arguments, LOWER);
		if (len == 0)
			return;
		fprintf(out, " %.*s", (int)len, arguments);
		arguments += len;
		if (*arguments != '|')
			return;
		arguments++;
	}
}

static void print_operands(const struct completion *self, FILE *out)
{
	fprintf(out, "\tcase $command in\n\t'') words='");
	for (size_t c = 0; c < self->commands_count; c++)
		if (is_first_row(self, c))
			fprintf(out, " %s", self->commands[c].name);
	fprintf(out, "' ;;\n");
	for (size_t c = 0; c < self->commands_count; c++) {
		const struct completion_command *command = &self->commands[c];
		if (!is_first_row(self, c))
			continue;
		if (strncmp(command->arguments, "FOLDER", 6) == 0) {
			fprintf(out,
			    "\t%s) _keepsake_paths -d \"$word\"; return ;;\n",
			    command->name);
			continue;
		}
		fprintf(out, "\t%s) words='", command->name);
		for (size_t i = c; i < self->commands_count; i++)
			if (strcmp(self->commands[i].name, command->name) == 0)
				print_words(self->commands[i].arguments, out);
		fprintf(out, "' ;;\n");
	}
	fprintf(out, "\t*) words= ;;\n\tesac\n");
}

static void print_bash(const struct completion *self, FILE *out)
{
	fprintf(out,
	    "# Completion of %s in bash, printed by: %s --completion bash\n"
	    "_keepsake_paths() {\n"
	    "\tcompopt -o filenames 2>/dev/null\n"
	    "\tmapfile -t COMPREPLY < <(compgen \"$1\" -- \"$2\")\n"
	    "}\n\n"
	    "_%s() {\n"
	    "\tlocal word=${COMP_WORDS[COMP_CWORD]} command='' words i\n"
	    "\tCOMPREPLY=()\n",
	    self->program, self->program, self->program);
	print_arguments_of_options(self, out);
	print_search(self, out);
	fprintf(out, "\tif [[ $word == -* ]]; then\n");
	print_options(self, out);
	fprintf(out, "\telse\n");
	print_operands(self, out);
	fprintf(out,
	    "\tfi\n"
	    "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
	    "}\n\n"
	    "complete -F _%s %s\n",
	    self->program, self->program);
}

enum status completion_print(
    const struct completion *self, const char *shell, FILE *out)
{
	if (strcmp(shell, "bash") != 0)
		return STATUS_NOT_FOUND;
	print_bash(self, out);
	return STATUS_OK;
}
