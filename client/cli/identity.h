#ifndef KEEPSAKE_CLI_IDENTITY_H
#define KEEPSAKE_CLI_IDENTITY_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * What a terminal and the card in it are told apart by, from a file (T-02):
 *
 *	# a comment
 *	serial=R58M1234ABC
 *	imei=490154203237518
 *	imsi=262011234567890
 *
 * Each at most once, in any order; no spaces around.  They are no secrets,
 * but a code may have them in it, so the file is its owner's alone.
 */

#define IDENTITY_SERIAL_BYTES_MAX 256
#define IDENTITY_DIGITS_MAX       15

/** "" where the file does not say. */
struct identity {
	char serial[IDENTITY_SERIAL_BYTES_MAX + 1];
	char imei[IDENTITY_DIGITS_MAX + 1];
	char imsi[IDENTITY_DIGITS_MAX + 1];
};

/** What is wrong with a file. */
struct identity_fault {
	size_t line; /* from 1; 0: the file as a whole */
	const char *why;
};

/**
 * Read ${text}, the contents of such a file.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  as ${fault_out} says
 */
enum status identity_parse(
    struct identity *out, struct slice text, struct identity_fault *fault_out);

/**
 * Read the file ${path}.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  as ${fault_out} says, and so for the others
 * STATUS_NOT_FOUND  no such file
 * STATUS_DENIED     a symlink, another user's, or open to others
 * STATUS_NO_SPACE   no memory
 */
enum status identity_read(
    struct identity *out, const char *path, struct identity_fault *fault_out);

#endif
