#include <stdlib.h>

#include "base/clock.h"
#include "notify.h"

/*
 * An id is known as told for this long after its notice is given up: longer
 * than any sender goes on repeating it.
 */
#define TOLD_KEPT_MS ANSWER_KEPT_MS

/* One TELL while it is committed. */
struct telling {
	struct notify *notify;
	struct id account;
	struct id notice;
	bool wanted; /* else only its id is kept */
};

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct telling *telling = x->parked;
	struct notify *self = telling->notify;
	struct notice_key key;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK && telling->wanted) {
		self->totals.notices++;
		expand_account(self, &telling->account);
	} else if (status == STATUS_CONFLICT &&
		   notify_db_told(&self->rows, &telling->account,
		       &telling->notice, &key) == STATUS_OK) {
		status = STATUS_OK; /* the same, told twice at once */
	}
	free(telling);
	x->parked = NULL;
	return status;
}

/* Store the notice; answered once it is on the disk. */
static enum status store(struct notify *self, struct exchange *x,
    const struct id *account, const struct id *id, const Notify__Notice *notice,
    bool wanted)
{
	uint64_t now = clock_wall_ms();
	uint64_t kept = self->give_up_ms + TOLD_KEPT_MS;
	struct telling *telling = NULL;
	struct notice_key key = { now, *id };
	struct bytes packed = { 0 };

	enum status st = pack_message(&packed, &notice->base);
	if (st != STATUS_OK)
		goto out;
	telling = calloc(1, sizeof(*telling));
	if (!telling) {
		st = STATUS_NO_SPACE;
		goto out;
	}
	*telling = (struct telling){ self, *account, *id, wanted };
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	if (wanted)
		notify_db_put_arrived(
		    &self->rows, batch, account, &key, bytes_slice(&packed));
	else
		notify_db_put_told(&self->rows, batch, account, &key);
	if (now > kept)
		notify_db_forget_told(&self->rows, batch, account, now - kept);
	x->parked = telling;
	st = exchange_commit(x, &batch, on_committed);
	if (st == STATUS_PENDING)
		telling = NULL;
out:
	free(telling);
	bytes_clear(&packed);
	return st;
}

/* Rules that cannot be read keep nothing from the owner. */
static bool is_wanted(
    struct notify *self, const struct id *account, const Notify__Notice *notice)
{
	struct rules rules;

	return notify_db_rules(&self->rows, account, &rules) != STATUS_OK ||
	       rules_wanted(&rules, (uint32_t)notice->kind);
}

enum status notify_on_tell(void *state, struct exchange *x)
{
	struct notify *self = state;
	struct notice_key key;
	struct id account, id;
	Notify__Tell *msg;
	const char *why;

	enum status st = exchange_unpack(x, &notify__tell__descriptor, &msg);
	if (st != STATUS_OK)
		return st;
	if (id_from(&account, field_slice(msg->account_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	if (!msg->notice)
		return exchange_refuse(x, STATUS_MALFORMED, "notice: missing");
	st = notice_check(msg->notice, &id, &why);
	if (st != STATUS_OK)
		return exchange_refuse(x, st, "%s", why);
	if (orders_deleted(self->service->orders, &account))
		return exchange_refuse(
		    x, STATUS_CONFLICT, "the account was deleted");
	st = notify_db_told(&self->rows, &account, &id, &key);
	if (st != STATUS_NOT_FOUND)
		return st; /* OK: told before, this is a repeat */
	return store(self, x, &account, &id, msg->notice,
	    is_wanted(self, &account, msg->notice));
}
