#ifndef KEEPSAKE_SERVICE_DELETIONS_H
#define KEEPSAKE_SERVICE_DELETIONS_H

#include "db/db.h"
#include "service/order.h"

/*
 * The list of deleted accounts that lies beside the backups: where the
 * journal is lost, and a copy of it that is older is put back, the list knows
 * who was deleted since.  A line each:
 *
 *   SEQUENCE ACCOUNT TIME	(the order's number, 32 hex digits, wall ms)
 *
 * It is appended to at each deletion and written anew with each backup.  A
 * last line that was cut short is passed over.
 */

/**
 * Append a deletion that the journal has, and sync; what fails is logged and
 * returned.  OK where there is no list: the first backup makes it.  May be
 * called while another thread writes the list anew.
 */
enum status deletions_note(const char *path, const struct order *order);

/**
 * Write the list of what is in ${journal} to ${path}, with what is listed
 * there already: of a journal that was lost too.  May be called on any
 * thread, by one at a time.  Results as orders_stored and file_replace.
 */
enum status deletions_write(const char *path, struct db *journal);

/**
 * Add to ${journal}, which is not served yet, what is listed in ${path}.
 *
 * count_out  lines that were read
 *
 * STATUS_OK         also where there is no such file
 * STATUS_MALFORMED  a line is none; logged
 * other             as orders_restore
 */
enum status deletions_replay(
    const char *path, struct db *journal, uint64_t *count_out);

/**
 * Read one line, without its end.
 *
 * STATUS_MALFORMED  it is none
 */
enum status deletion_read(struct order *out, const char *line);

#endif
