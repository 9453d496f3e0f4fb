#ifndef KEEPSAKE_SERVICE_SANDBOX_H
#define KEEPSAKE_SERVICE_SANDBOX_H

#include "base/conf.h"

/*
 * What a server process gives up before it serves, so that somebody who takes
 * it over gains little: files but its own (Landlock), and system calls that it
 * never makes (seccomp).  [common] sandbox says whether: "auto" is as far as
 * the kernel can, "yes" insists, "no" is not at all.
 */

struct sandbox {
	unsigned int landlock; /* version of the kernel's; 0: not in force */
};

/**
 * Give up files.  Before any thread is made: it holds for the caller and what
 * it starts from then on.
 *
 * What stays: to write, the folders that [${name}] names and that of the ipc
 * sockets; to read, the key folder (of the gateway its own key and the public
 * ones), libraries, what finds a host's address, and /proc.  Folders that the
 * configuration names and that are missing are made.
 *
 * STATUS_OK           as far as it was asked for
 * STATUS_UNAVAILABLE  not to be had, and "yes" insists; logged
 */
enum status sandbox_files(
    struct sandbox *out, const struct conf *conf, const char *name);

/**
 * Give up system calls, in all threads: to start a program or another process,
 * to look into another, to change what the machine is, to make memory
 * executable, and sockets of kinds that are not used.  Logs what is in force.
 * Results as sandbox_files.
 */
enum status sandbox_calls(const struct sandbox *self, const struct conf *conf);

#endif
