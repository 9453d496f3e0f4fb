#ifndef KEEPSAKE_BASE_OPTIONS_H
#define KEEPSAKE_BASE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

/**
 * Whether every long option among the arguments is spelled out.  getopt_long
 * takes "--password x" for "--password-file x", and so would put a secret
 * where a file's name belongs; called before it, this says which is meant.
 *
 * options  as for getopt_long: ends with a row of zeros
 *
 * False: what was wrong is on standard error.
 */
bool options_exact(const char *program, const struct option *options, int argc,
    char *const *argv);

#endif
