#ifndef KEEPSAKE_BINDING_BINDING_H
#define KEEPSAKE_BINDING_BINDING_H

#include "binding_db.h"
#include "service/service.h"

/* The state of the process; all that lasts is in the database. */
struct binding {
	struct service *service;
	struct binding_db db;
	struct binding_figures figures;
	uint64_t refused; /* requests to bind, since the start */
};

#define RETRY_AFTER_MS 200 /* lost a race, or much to do */

extern const struct handler binding_handlers[];
extern const size_t binding_handlers_count;

/** For service_kind. */
enum status binding_open(struct service *service, void **state_out);
void binding_close(void **state_p);
void binding_deleting(void *state, const struct id *account);
void binding_figures(void *state, struct exchange *exchange,
    void (*add)(struct exchange *exchange, const char *name, uint64_t value));

/* The requests that change something take several steps: a file each. */
enum status binding_on_bind(void *state, struct exchange *exchange);
enum status binding_on_rebind(void *state, struct exchange *exchange);
enum status binding_on_unbind(void *state, struct exchange *exchange);
enum status binding_on_entry_save(void *state, struct exchange *exchange);

/** Refuse with CONFLICT, and count it. */
enum status binding_refuse(
    struct binding *self, struct exchange *exchange, const char *why);

/** The same where a terminal, or one of its names, is another account's. */
enum status binding_refuse_other_account(
    struct binding *self, struct exchange *exchange);

/**
 * Read the account of the ticket, which is about to be changed.
 *
 * Results as binding_db_view; DENIED, refused, where it was deleted.
 */
enum status binding_view(
    struct binding *self, struct exchange *exchange, struct account_view *out);

/** Answer BIND or REBIND. */
enum status binding_reply_bound(
    struct exchange *exchange, const struct terminal *terminal);

/** Tell auth, once the batch is committed, that a terminal is gone. */
void binding_tell_gone(struct binding *self, struct db_batch *batch,
    const struct id *account, const struct id *terminal);

/** Add ${event}, whose actor is the owner, to a batch of the ticket's account.
 */
void binding_note(struct binding *self, struct db_batch *batch,
    struct exchange *exchange, struct audit_event *event);

/**
 * What the result of a batch means.  Where another change of the account came
 * first, or a claim ran out, the handler runs again, a few times.  Once it is
 * OK what the batch has in the outbox, and its event, leave.
 */
enum status binding_committed(
    struct binding *self, struct exchange *exchange, enum status status);

/* What keepsakectl asks: dispatch_ops.c. */
enum status binding_on_bindings(void *state, struct exchange *exchange);
enum status binding_on_export(void *state, struct exchange *exchange);

/* verify.c: what is looked at, see service/verify.h. */
extern const struct verify_tables binding_verify;

#endif
