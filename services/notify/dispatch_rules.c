#include "base/log.h"
#include "notify.h"

/* What the owner wants of notices: asked for, and set. */

enum status notify_on_rules(void *state, struct exchange *x)
{
	struct notify *self = state;
	Notify__Rules reply = NOTIFY__RULES__INIT;
	Notify__Rule list[RULES_MAX], *pointers[RULES_MAX];
	Notify__Empty *message;
	struct rules rules;

	enum status st =
	    exchange_unpack(x, &notify__empty__descriptor, &message);
	if (st == STATUS_OK)
		st = notify_db_rules(&self->rows, &x->ticket.account, &rules);
	if (st != STATUS_OK)
		return st;
	rules_fill(&reply, list, pointers, &rules);
	return exchange_reply(x, &reply.base);
}

static enum status on_set(
    struct exchange *x, enum status st, uint64_t generation, size_t failed_op)
{
	struct notify *self = x->parked;

	(void)generation;
	(void)failed_op;
	x->parked = NULL;
	if (st != STATUS_OK)
		return st;
	audit_kick(self->service->audit, self->db, &x->ticket.account);
	subscription_wake_account(self, &x->ticket.account);
	return st;
}

enum status notify_on_set_rules(void *state, struct exchange *x)
{
	struct notify *self = state;
	Notify__Empty reply = NOTIFY__EMPTY__INIT;
	Notify__Rules *message;
	struct rules rules;
	const char *why;

	enum status st =
	    exchange_unpack(x, &notify__rules__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	st = rules_read(&rules, message, &why);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	notify_db_put_rules(&self->rows, batch, &x->ticket.account, &rules);
	audit_put(self->service->audit, batch, &x->ticket.account,
	    &(struct audit_event){ .action = "notice_rules_set",
		.actor = "owner",
		.terminal = &x->ticket.terminal });
	x->parked = self;
	return exchange_commit(x, &batch, on_set);
}
