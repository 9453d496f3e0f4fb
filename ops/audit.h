#ifndef KEEPSAKE_OPS_AUDIT_H
#define KEEPSAKE_OPS_AUDIT_H

#include "ask.h"
#include "common.pb-c.h"

/* The audit log of the services (O-06), as keepsakectl reads it. */

#define AUDIT_SERVICES 4

/** "auth", "store", "binding", "notify". */
extern const char *const audit_services[AUDIT_SERVICES];

/**
 * Ask for the page behind the sequence ${after}.
 *
 * account  16 bytes, or none for all
 * out      good until the next question
 *
 * Results as ops_ask, and MALFORMED where the page leads nowhere.
 */
enum status audit_page(struct ops *self, const char *service, uint64_t after,
    struct slice account, Common__AuditPage **out);

/** keepsakectl audit verify, on one service, or where it is NULL on all. */
void audit_verify(struct ops *self, const char *service);

#endif
