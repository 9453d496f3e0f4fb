#ifndef KEEPSAKE_BINDING_TERMINAL_H
#define KEEPSAKE_BINDING_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/bytes.h"
#include "binding.pb-c.h"
#include "card/imei.h"

/* A terminal as it is bound to an account (D-01, D-02). */

#define TERMINAL_KEY_BYTES        32 /* CURVE public key */
#define TERMINAL_SERIAL_BYTES_MAX 64
#define TERMINAL_LABEL_BYTES_MAX  64

struct terminal {
	struct id id;
	uint8_t peer_key[TERMINAL_KEY_BYTES];
	char imei[IMEI_DIGITS + 1];                 /* "" where it has none, */
	char serial[TERMINAL_SERIAL_BYTES_MAX + 1]; /* but never both */
	char label[TERMINAL_LABEL_BYTES_MAX + 1];   /* may be "" */
	uint64_t bound_ms;                          /* wall time */
	bool first; /* it was the first one of its account */
};

/**
 * Take what a terminal says of itself.  What is "" stays as it is, as do
 * key, id, time and first.
 *
 * why_out  what is wrong, for people; static; untouched when OK
 *
 * STATUS_OK         imei, serial and label of ${self} are set
 * STATUS_MALFORMED  as ${why_out} says; ${self} is untouched
 */
enum status terminal_describe(struct terminal *self, const char *imei,
    const char *serial, const char *label, const char **why_out);

/** Whether both have the same IMEI and serial number; the label is free. */
bool terminal_same_identifiers(
    const struct terminal *a, const struct terminal *b);

/** By what a terminal is looked for. */
struct terminal_clue {
	const uint8_t *peer_key; /* NULL: by any key */
	const char *imei;        /* "": by any IMEI; likewise */
	const char *serial;
};

/**
 * Which of an account's terminals a request to rebind means: the one that
 * has the IMEI or the serial number; where none has, the one with the key.
 *
 * why_out  why it is refused, for people; static; untouched when OK
 *
 * STATUS_OK         ${index_out} is set
 * STATUS_NOT_FOUND  none
 * STATUS_CONFLICT   the clues lead to different terminals
 */
enum status terminal_find(const struct terminal *terminals, size_t count,
    const struct terminal_clue *clue, size_t *index_out, const char **why_out);

/** Fill ${out}, initialised, for a message; it borrows from ${self}. */
void terminal_report(Binding__Terminal *out, const struct terminal *self);

#endif
