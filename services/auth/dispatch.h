#ifndef KEEPSAKE_AUTH_DISPATCH_H
#define KEEPSAKE_AUTH_DISPATCH_H

#include "service/service.h"

/** The message table. */
extern const struct handler auth_handlers[];
extern const size_t auth_handlers_count;

/** Bring the database to AUTH_DB_FORMAT; as service_kind wants it. */
enum status auth_migrate(struct service *service, struct db *db, uint32_t from);

/** Read the keys; as service_kind wants it. */
enum status auth_open(struct service *service, void **state_out);
void auth_close(void **state_p);

/** accounts; since the start: registrations, logins, tickets, limited. */
void auth_figures(void *state, struct exchange *exchange,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value));

/* verify.c: what is looked at, see service/verify.h. */
extern const struct verify_tables auth_verify;

#endif
