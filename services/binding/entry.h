#ifndef KEEPSAKE_BINDING_ENTRY_H
#define KEEPSAKE_BINDING_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "binding.pb-c.h"
#include "card/iccid.h"

/* What an account keeps of a card: an entry (D-09). */

#define ENTRY_NUMBER_BYTES_MAX 16 /* E.164: "+" and 15 digits */
#define ENTRY_DATA_BYTES_MAX   3500
#define ACCOUNT_ENTRIES_MAX    32

struct entry {
	char iccid[ICCID_DIGITS_MAX + 1];
	char number[ENTRY_NUMBER_BYTES_MAX + 1];
	uint64_t first_save_ms;  /* wall time; 0: not saved yet */
	uint64_t last_update_ms; /* likewise; never before the first */
	size_t data_len;
	uint8_t data[ENTRY_DATA_BYTES_MAX];
};

/**
 * Check what a terminal asks to be saved.
 *
 * why_out  what is wrong, for people; static; untouched when OK
 *
 * STATUS_OK         entry_update takes it
 * STATUS_MALFORMED  as ${why_out} says
 * STATUS_TOO_LARGE  likewise
 */
enum status entry_check(
    const Binding__EntrySave *message, const char **why_out);

/**
 * Take it: number, data where the message has some, the date of the update;
 * for a new one, all zero, the ICCID and the date of the first save too.
 *
 * message  as entry_check takes it, and of the same ICCID
 */
void entry_update(
    struct entry *self, const Binding__EntrySave *message, uint64_t now_ms);

/** Fill ${out}, initialised, but for the data; it borrows from ${self}. */
void entry_report(Binding__Entry *out, const struct entry *self);

#endif
