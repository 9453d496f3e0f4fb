#ifndef KEEPSAKE_SERVICE_AUDIT_READ_H
#define KEEPSAKE_SERVICE_AUDIT_READ_H

#include "service/audit.h"
#include "service/server.h"

/**
 * Answer AUDIT_READ: a page of the chain, each record as it is stored and,
 * where its key is there, opened.  Returns as a handler.
 */
enum status audit_on_read(struct audit *self, struct exchange *exchange);

#endif
