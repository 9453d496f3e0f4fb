#ifndef KEEPSAKE_CLI_ASK_H
#define KEEPSAKE_CLI_ASK_H

#include "command.h"

/**
 * keepsake_ask_fn of this program; ${arg} is its struct run.  Secrets come
 * from the file that the options name, else from the terminal with echo off,
 * never from the arguments.
 *
 * STATUS_OK             ${out} is filled
 * STATUS_AUTH_REQUIRED  no file named, and nobody to ask; said so
 * STATUS_DENIED         the file is refused; said so
 * STATUS_MALFORMED      empty, too long, or two different answers; said so
 * STATUS_PENDING        interrupted
 */
enum status ask_secret(void *arg, enum keepsake_secret secret,
    char out[static KEEPSAKE_SECRET_BYTES], bool *typed_out);

/**
 * Where the password comes from a file and a person watches, ask for it once
 * a month, so that it is not forgotten (K-06).  A wrong answer is told, and
 * hinders nothing.
 */
void ask_to_remember(struct run *run);

#endif
