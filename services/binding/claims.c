#include "claims.h"

#include <assert.h>

#include "binding.h"

/* What the claims ended with: what to answer.  ${self} is gone after it. */
static enum status conclude(struct claims *self, enum status status)
{
	if (status == STATUS_OK)
		status = self->claimed(self->arg);
	else if (status == STATUS_CONFLICT)
		status = self->taken(self->arg);
	else if (status == STATUS_BUSY)
		status = exchange_retry(self->exchange, status, RETRY_AFTER_MS,
		    "the database has much to do");
	self->destroy(self->arg);
	return status;
}

static db_done_fn on_claimed;

static enum status claim_next(struct claims *self)
{
	return binding_db_claim(self->db, &self->names.list[self->count],
	    &self->exchange->ticket.account, on_claimed, self);
}

static void on_claimed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct claims *self = arg;
	struct exchange *x = self->exchange;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK && ++self->count < self->names.count)
		status = claim_next(self);
	if (status == STATUS_PENDING)
		return;
	status = conclude(self, status);
	if (status != STATUS_PENDING)
		exchange_finish(&x, status);
}

enum status claims_begin(struct claims *self)
{
	assert(self->names.count > 0);
	enum status st = claim_next(self);
	return st == STATUS_PENDING ? st : conclude(self, st);
}
