#ifndef KEEPSAKE_OPS_ROWS_H
#define KEEPSAKE_OPS_ROWS_H

#include <jansson.h>
#include <stdbool.h>

#include "ops.pb-c.h"

/* Printing what services show: for people, or as JSON. */

/**
 * The fields of ${row} as an object: times as RFC 3339 in UTC, bytes as hex,
 * null for what has no value.
 */
json_t *rows_json(const Ops__ListRow *row);

/**
 * Rows by their kind: {"terminal": [{…}, …], …}.  A list_fn, with an object
 * to add to as ${arg}.
 */
void rows_gather(void *arg, Ops__ListRow *const *rows, size_t count);

/**
 * A list on standard output, as it comes: a table, or a JSON array, in which
 * "row" says of what kind each is.
 */
struct rows_table {
	bool json;
	size_t printed; /* rows */
	char kind[64];  /* of the last row */
};

/** A list_fn, with a struct rows_table as ${arg}. */
void rows_table_add(void *arg, Ops__ListRow *const *rows, size_t count);

/** End what rows_table_add began; without a row that is an empty array. */
void rows_table_end(struct rows_table *self);

/** Print for people what rows_gather has gathered, a line for each field. */
void rows_print(const json_t *gathered);

/** Print ${value} on standard output, and release it. */
void rows_print_json(json_t *value);

#endif
