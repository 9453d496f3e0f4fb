#ifndef KEEPSAKE_STORE_DISPATCH_H
#define KEEPSAKE_STORE_DISPATCH_H

#include "service/service.h"

/* The store's message table and what it works on: for struct service_kind. */

extern const struct handler store_handlers[];
extern const size_t store_handlers_count;

enum status store_open(struct service *service, void **state_out);
void store_close(void **state_p);
void store_figures(void *state, struct exchange *exchange,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value));

/* verify.c: what is looked at, see service/verify.h. */
extern const struct verify_tables store_verify;

#endif
