#ifndef KEEPSAKE_OPS_COMMAND_H
#define KEEPSAKE_OPS_COMMAND_H

#include <stdbool.h>

#include "base/conf.h"

/* Exit codes, as keepsakectl(8) has them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_SILENT = 5, /* a process does not answer */
};

/** One run of the tool. */
struct ops {
	struct conf *conf;
	bool json;
	enum exit_code exit_code; /* set by the command */
	struct asking *asking;    /* links to the processes: see ask.h */
};

/** A command: a row of the table that usage is printed from. */
struct command {
	const char *name;
	const char *arguments;
	const char *help;
	void (*run)(struct ops *self, int argc, char **argv);
};

void command_status(struct ops *self, int argc, char **argv);
void command_keys(struct ops *self, int argc, char **argv);
void command_enrolment(struct ops *self, int argc, char **argv);

#endif
