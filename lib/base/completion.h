#ifndef KEEPSAKE_BASE_COMPLETION_H
#define KEEPSAKE_BASE_COMPLETION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/*
 * Completion of a command line in the shell, printed from the tables by which
 * the program reads it, so that the two cannot disagree.
 */

struct completion_command {
	const char *name;
	const char *arguments; /* as in the usage; see below */
	uint64_t takes;        /* bits of the options that it takes */
};

struct completion_option {
	const char *name;     /* without the dashes */
	const char *argument; /* FILE, DIR and FOLDER are completed; or NULL */
	uint64_t bit;         /* 0: every command takes it */
	char letter;          /* its short form, or 0 */
};

struct completion {
	const char *program;
	const struct completion_command *commands;
	size_t commands_count;
	const struct completion_option *options;
	size_t options_count;
};

/**
 * Print the script.  Of a command's arguments the first is completed: words
 * ("show|set|remove", "[verify]") or a folder ("FOLDER...").  A command may
 * have several rows.
 *
 * shell  "bash", so far
 *
 * STATUS_NOT_FOUND  another shell; nothing is printed
 */
enum status completion_print(
    const struct completion *self, const char *shell, FILE *out);

#endif
