#ifndef KEEPSAKE_OPS_BACKUP_H
#define KEEPSAKE_OPS_BACKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "command.h"

/* What backup, restore and verify share. */

#define BACKUP_SERVICES 4

/** The service of that name, borrowed for good; NULL: none, and it is said. */
const char *backup_service(const char *name);

/**
 * The services that operands name; none or "all": all four.  In the order in
 * which they are backed up.
 *
 * False: one is none; said, and the exit code is set.
 */
bool backup_services(struct ops *self, int argc, char **argv,
    const char *out[static BACKUP_SERVICES], size_t *count_out);

#endif
