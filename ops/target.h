#ifndef KEEPSAKE_OPS_TARGET_H
#define KEEPSAKE_OPS_TARGET_H

#include "base/bytes.h"
#include "command.h"

/*
 * Which account a command is on.  It is named by its id, or by its login
 * name in a file: a name on the command line could be read by everybody on
 * the machine, and stays in a shell's history.
 */

/**
 * Find the account: from the first operand, which is taken off, or from
 * --name-file, whose name auth is asked for.
 *
 * optional  no operand and no --name-file is fine: ${out} is none then
 *
 * STATUS_OK  ${out} is filled; no account need have that id
 * other      said, and the exit code is set
 */
enum status ops_account(
    struct ops *self, int *argc, char ***argv, bool optional, struct id *out);

/**
 * Read an id of an option or operand.
 *
 * what  it is, for people: "session"
 *
 * STATUS_MALFORMED  said, and the exit code is set
 */
enum status ops_id(
    struct ops *self, const char *what, const char *text, struct id *out);

#endif
