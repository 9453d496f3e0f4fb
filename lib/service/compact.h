#ifndef KEEPSAKE_SERVICE_COMPACT_H
#define KEEPSAKE_SERVICE_COMPACT_H

#include "service/audit.h"
#include "service/server.h"

/**
 * The handler of COMPACT: shrink the files of both databases, one after the
 * other, while serving.
 *
 * db     NULL: this process has none
 * audit  the operator's act goes there
 */
enum status compact_on_compact(struct db *db, struct db *journal,
    struct audit *audit, struct exchange *exchange);

#endif
