#ifndef KEEPSAKE_CLI_ARGUMENTS_H
#define KEEPSAKE_CLI_ARGUMENTS_H

#include "command.h"

/** What reading the command line ends with. */
enum parsed {
	PARSED_RUN,   /* the command is to be run */
	PARSED_DONE,  /* --help or --version, and it is printed */
	PARSED_WRONG, /* it was said what is wrong */
};

/**
 * Read the command line into the options and operands of ${run}, and into its
 * identity what --identity-file has.
 *
 * command_out  set where the result is PARSED_RUN
 */
enum parsed arguments_read(
    struct run *run, int argc, char **argv, command_fn **command_out);

#endif
