#ifndef KEEPSAKE_BINDING_BINDING_H
#define KEEPSAKE_BINDING_BINDING_H

#include "service/service.h"

/* The state of the process; all that lasts is in the database. */
struct binding {
	struct service *service;
	struct db *db;
	uint64_t terminals, accounts;
	uint64_t refused; /* requests to bind, since the start */
};

extern const struct handler binding_handlers[];
extern const size_t binding_handlers_count;

/** For service_kind. */
enum status binding_open(struct service *service, void **state_out);
void binding_close(void **state_p);
void binding_deleting(void *state, const struct id *account);
void binding_figures(void *state, struct exchange *exchange,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value));

/** BIND: the one request here that takes several steps; in bind.c. */
enum status binding_on_bind(void *state, struct exchange *exchange);

/* What keepsakectl asks: dispatch_ops.c. */
enum status binding_on_bindings(void *state, struct exchange *exchange);
enum status binding_on_export(void *state, struct exchange *exchange);

#endif
