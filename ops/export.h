#ifndef KEEPSAKE_OPS_EXPORT_H
#define KEEPSAKE_OPS_EXPORT_H

#include "base/bytes.h"
#include "command.h"
#include "ops.pb-c.h"

/*
 * All that the server can read of one person, in a folder: a file of JSON for
 * each service.
 */

/**
 * Make the folder, mode 0700, or see that it is empty and nobody else's.
 *
 * STATUS_OK  it is there
 * other      said, and the exit code is set
 */
enum status export_folder(struct ops *self, const char *folder);

/**
 * Ask all services for what they have of ${account}, and write it: nothing
 * unless all have answered.
 *
 * by      who asks; it goes on record first
 * folder  export_folder has made it
 *
 * STATUS_OK  written and synced
 * other      said, and the exit code is set
 */
enum status export_write(struct ops *self, const struct id *account,
    Ops__By *by, const char *folder);

#endif
