#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "binding.pb-c.h"
#include "notify.h"

/*
 * binding is asked for the terminals of the account, and each notice that
 * has arrived becomes a delivery to each of them.  While binding is down, or
 * the account has no terminal, the notices stay as they are.
 */

#define EXPANSIONS_MAX 4096 /* the patrol finds what is beyond */
#define ASK_RETRY_MS   500  /* first pause when binding does not answer */

struct expansion {
	struct notify *notify;
	struct id account;
	struct appointment appointment;
	uint32_t attempts;
	bool under_way; /* asking, or committing */
	bool again;     /* another notice came meanwhile */
	struct recipients terminals;
	size_t moved; /* notices, by the batch under way */
	struct expansion *next;
};

static struct expansion *find(struct notify *self, const struct id *account)
{
	struct expansion *expansion = self->expansions;

	while (expansion && !id_equal(&expansion->account, account))
		expansion = expansion->next;
	return expansion;
}

static void expansion_destroy(struct expansion **expansion_p)
{
	struct expansion *expansion = *expansion_p;
	struct notify *self = expansion->notify;
	struct expansion **at = &self->expansions;

	while (*at != expansion)
		at = &(*at)->next;
	*at = expansion->next;
	self->expansions_count--;
	schedule_cancel(&self->schedule, &expansion->appointment);
	free(expansion);
	*expansion_p = NULL;
}

void expand_destroy_all(struct notify *self)
{
	while (self->expansions) {
		struct expansion *expansion = self->expansions;
		expansion_destroy(&expansion);
	}
}

static void later(struct expansion *expansion, uint64_t first_pause_ms)
{
	struct notify *self = expansion->notify;

	expansion->under_way = false;
	if (expansion->attempts < UINT32_MAX)
		expansion->attempts++;
	notify_arrange(self, &expansion->appointment,
	    schedule_next_due_ms(clock_interval_ms(), expansion->attempts,
		first_pause_ms, self->retry_ms_max));
}

/* Begin again at once, or end where nothing is left to do. */
static void go_on(struct expansion *expansion, bool more)
{
	struct notify *self = expansion->notify;

	expansion->under_way = false;
	if (more || expansion->again) {
		expansion->again = false;
		expansion->attempts = 0;
		notify_arrange(
		    self, &expansion->appointment, clock_interval_ms());
	} else {
		expansion_destroy(&expansion);
	}
}

static void on_moved(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct expansion *expansion = arg;
	struct notify *self = expansion->notify;
	const struct recipients *to = &expansion->terminals;

	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK) {
		log_warning(
		    NULL, "expansion_waits", "status=%s", status_word(status));
		later(expansion, ASK_RETRY_MS);
		return;
	}
	self->totals.deliveries += expansion->moved * to->count;
	for (size_t i = 0; i < to->count; i++)
		subscription_wake(self, &to->terminals[i]);
	go_on(expansion, expansion->again);
}

static void move(struct expansion *expansion)
{
	struct notify *self = expansion->notify;
	struct db_batch *batch =
	    db_batch_new(&expansion->account, DB_GENERATION_ANY, NULL);
	bool more;

	enum status st = notify_db_expand(&self->rows, batch,
	    &expansion->account, &expansion->terminals, clock_wall_ms(),
	    &expansion->moved, &more);
	if (st == STATUS_OK && expansion->moved == 0) {
		go_on(expansion, false);
	} else {
		expansion->again |= more;
		if (st == STATUS_OK)
			st = db_submit(self->db, &batch, on_moved, expansion);
		if (st != STATUS_PENDING)
			later(expansion, ASK_RETRY_MS);
	}
	db_batch_destroy(&batch);
}

static enum status read_terminals(
    struct recipients *out, const struct answer *answer)
{
	Binding__TerminalList *msg;
	struct unpack unpack;

	if (answer->status != STATUS_OK)
		return answer->status;
	*out = (struct recipients){ 0 };
	unpack_begin(&unpack);
	enum status st = unpack_message(
	    &unpack, &binding__terminal_list__descriptor, answer->body, &msg);
	for (size_t i = 0; st == STATUS_OK && i < msg->n_terminals; i++) {
		struct id id;
		st = id_from(&id, field_slice(msg->terminals[i]->terminal_id));
		if (st == STATUS_OK && !recipients_add(out, &id))
			st = STATUS_TOO_LARGE;
	}
	unpack_end(&unpack);
	return st;
}

static void on_terminals(void *arg, const struct answer *answer)
{
	struct expansion *expansion = arg;

	enum status st = read_terminals(&expansion->terminals, answer);
	if (st != STATUS_OK) {
		log_info(NULL, "expansion_waits", "peer=binding status=%s",
		    status_word(st));
		later(expansion, ASK_RETRY_MS);
	} else if (expansion->terminals.count == 0) {
		/* Being bound is a notice itself, which comes here. */
		later(expansion, expansion->notify->retry_ms);
	} else {
		move(expansion);
	}
}

static void begin(void *arg)
{
	struct expansion *expansion = arg;
	struct notify *self = expansion->notify;
	Binding__TerminalsOf query = BINDING__TERMINALS_OF__INIT;

	if (orders_deleted(self->service->orders, &expansion->account)) {
		expansion_destroy(&expansion);
		return;
	}
	expansion->under_way = true;
	query.account_id =
	    field_of(slice_of(expansion->account.bytes, ID_BYTES));
	if (service_ask(self->service, ROLE_BINDING,
		BINDING__TYPE__TERMINALS_OF, &expansion->account, NULL,
		&query.base, on_terminals, expansion) != STATUS_OK)
		later(expansion, ASK_RETRY_MS);
}

static struct expansion *expansion_new(
    struct notify *self, const struct id *account)
{
	if (self->expansions_count == EXPANSIONS_MAX)
		return NULL;
	struct expansion *expansion = calloc(1, sizeof(*expansion));
	if (!expansion)
		return NULL;
	expansion->notify = self;
	expansion->account = *account;
	expansion->appointment.kept = begin;
	expansion->appointment.arg = expansion;
	expansion->next = self->expansions;
	self->expansions = expansion;
	self->expansions_count++;
	return expansion;
}

void expand_account(struct notify *self, const struct id *account)
{
	struct expansion *expansion = find(self, account);

	if (!expansion)
		expansion = expansion_new(self, account);
	if (!expansion)
		return;
	if (expansion->under_way)
		expansion->again = true;
	else
		go_on(expansion, true);
}

void expand_resume(struct notify *self, const struct id *account)
{
	if (!find(self, account))
		expand_account(self, account);
}
