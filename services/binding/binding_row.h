#ifndef KEEPSAKE_BINDING_ROW_H
#define KEEPSAKE_BINDING_ROW_H

#include "entry.h"
#include "service/sealed_row.h"
#include "terminal.h"

/*
 * The bytes of binding's rows, which are sealed as service/sealed_row.h says.
 * The plain row of a terminal, whose key is its CURVE key:
 *
 *   first (1)  id (16)  bound_ms (8), then imei, serial, label: each its
 *   length (1) and bytes
 *
 * The plain row of an entry, whose key is the hash of its ICCID:
 *
 *   ICCID as in EF_ICCID (10)  first_save_ms (8)  last_update_ms (8)
 *   number: its length (1) and bytes; data: the rest
 *
 * Numbers are big-endian.
 */

#define TABLE_TERMINALS 1
#define TABLE_ENTRIES   2

#define TERMINAL_ROW_HEAD_BYTES (1 + ID_BYTES + 8)
#define TERMINAL_ROW_BYTES_MAX                           \
	(TERMINAL_ROW_HEAD_BYTES + 1 + IMEI_DIGITS + 1 + \
	    TERMINAL_SERIAL_BYTES_MAX + 1 + TERMINAL_LABEL_BYTES_MAX)

#define ENTRY_ROW_HEAD_BYTES (ICCID_BYTES + 8 + 8)
#define ENTRY_ROW_BYTES_MAX                                  \
	(ENTRY_ROW_HEAD_BYTES + 1 + ENTRY_NUMBER_BYTES_MAX + \
	    ENTRY_DATA_BYTES_MAX)

_Static_assert(ENTRY_ROW_BYTES_MAX <= SEALED_PLAIN_BYTES_MAX, "it fits");

/** Write the plain row; returns its length. */
size_t terminal_row_encode(uint8_t out[static TERMINAL_ROW_BYTES_MAX],
    const struct terminal *terminal);
size_t entry_row_encode(
    uint8_t out[static ENTRY_ROW_BYTES_MAX], const struct entry *entry);

/**
 * Read a plain row.
 *
 * STATUS_OK         ${out} is filled; for a terminal but for peer_key
 * STATUS_MALFORMED  damaged; what ${out} holds is not to be used
 */
enum status terminal_row_decode(struct terminal *out, struct slice row);
enum status entry_row_decode(struct entry *out, struct slice row);

#endif
