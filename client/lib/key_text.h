#ifndef KEEPSAKE_CLIENT_KEY_TEXT_H
#define KEEPSAKE_CLIENT_KEY_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * The text of a file of the privileged place, so that a person can copy one
 * and see what it is: a line that says so, then NAME=HEX for each field, in
 * order, lower-case, each line with a newline behind.  Nothing else.
 */

struct key_field {
	const char *name;
	void *bytes; /* read by format, filled by parse */
	size_t len;
};

#define KEY_TEXT_BYTES_MAX 1024

/**
 * How long the text is; at most KEY_TEXT_BYTES_MAX.
 *
 * head  the first line, without its newline
 */
size_t key_text_bytes(
    const char *head, const struct key_field *fields, size_t count);

/** Write it to ${out}, key_text_bytes long; to be wiped. */
void key_text_format(uint8_t *out, const char *head,
    const struct key_field *fields, size_t count);

/**
 * Read it into the fields.
 *
 * STATUS_OK         all are filled
 * STATUS_MALFORMED  not that text, to the byte; some may be filled
 */
enum status key_text_parse(struct slice text, const char *head,
    const struct key_field *fields, size_t count);

#endif
