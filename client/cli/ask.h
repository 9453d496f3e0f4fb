#ifndef KEEPSAKE_CLI_ASK_H
#define KEEPSAKE_CLI_ASK_H

#include "command.h"

/**
 * keepsake_ask_fn of this program; ${arg} is its struct run.  Secrets come
 * from the file that the options name, else from the terminal with echo off,
 * never from the arguments.
 *
 * STATUS_OK             ${out} is filled
 * STATUS_AUTH_REQUIRED  no file named, and nobody to ask
 * STATUS_DENIED         the file is refused
 * STATUS_MALFORMED      empty, too long, or two different answers
 * STATUS_NO_SPACE       no memory
 * STATUS_PENDING        interrupted, or the terminal is gone
 *
 * The run's detail and advice say why, unless it was STATUS_OK.
 */
enum status ask_secret(void *arg, enum keepsake_secret secret,
    char out[static KEEPSAKE_SECRET_BYTES], bool *typed_out);

/**
 * Ask a person for a line that is no secret.
 *
 * STATUS_OK             ${out} is filled
 * STATUS_AUTH_REQUIRED  nobody to ask
 * STATUS_MALFORMED      empty, or too long
 * STATUS_PENDING        interrupted, or the terminal is gone
 *
 * The run's detail and advice say why, unless it was STATUS_OK.
 */
enum status ask_line(
    struct run *run, const char *text, char out[static KEEPSAKE_SECRET_BYTES]);

/** Set the run's detail and advice (static); returns ${status}. */
enum status ask_refuse(struct run *run, enum status status, const char *advice,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * Where the password comes from a file and a person watches, ask for it once
 * a month, so that it is not forgotten (K-06).  A wrong answer is told, and
 * hinders nothing; an interruption is left to the caller, in interrupted.
 */
void ask_to_remember(struct run *run);

#endif
