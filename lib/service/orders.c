#include "service/orders.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "service/order_rows.h"
#include "service/order_table.h"
#include "service/server.h"

#define PRUNE_MS         (3600 * 1000)
#define PRUNE_AT_ONCE    500
#define COVERED_MAX      700 /* rows dropped by one batch */
#define DELETIONS_A_STEP 256
#define DELETE_RETRY_MS  10000

struct orders {
	struct orders_options options;
	struct order_table *table;
	uint64_t sequence;   /* the highest kept */
	uint64_t numbered;   /* the highest given out */
	uint64_t started_ms; /* this and the next on clock_interval_ms */
	uint64_t touched_ms; /* auth was heard of */
	bool touched;
	struct timer prune;
	struct timer search;  /* through the deletions that are known */
	uint64_t searched;    /* the last one looked at */
	bool deletion_failed; /* search again later */
};

/* ---- in force ---- */

const char *orders_refusal(
    const struct orders *self, const struct ticket *ticket)
{
	const struct account_orders *orders =
	    order_table_find(self->table, &ticket->account);

	if (!orders)
		return NULL;
	if (orders->deleted)
		return "the account was deleted";
	for (size_t i = 0; i < orders->revocations_count; i++)
		if (order_refuses(&orders->revocations[i], ticket))
			return "this session was revoked: log in again";
	return NULL;
}

bool orders_deleted(const struct orders *self, const struct id *account)
{
	const struct account_orders *orders =
	    order_table_find(self->table, account);

	return orders && orders->deleted;
}

bool orders_in_touch(const struct orders *self)
{
	return self->options.issuer ||
	       (self->touched &&
		   clock_interval_ms() - self->touched_ms < ORDERS_SILENCE_MS);
}

bool orders_settled(const struct orders *self)
{
	return self->options.issuer || self->touched ||
	       clock_interval_ms() - self->started_ms >= ORDERS_FIRST_MS;
}

uint64_t orders_sequence(const struct orders *self)
{
	return self->sequence;
}

size_t orders_revocations(const struct orders *self)
{
	return order_table_revocations(self->table);
}

size_t orders_deletions(const struct orders *self)
{
	return order_table_deletions(self->table);
}

/* ---- deletions that are known ---- */

static enum status delete_account(struct orders *self, const struct id *account)
{
	enum status st =
	    self->options.delete_account(self->options.arg, account);

	if (st == STATUS_OK)
		return st;
	log_error(NULL, "deletion_waits", "status=%s", status_word(st));
	self->deletion_failed = true;
	if (!self->search.is_set)
		loop_timer_set(
		    self->options.loop, &self->search, DELETE_RETRY_MS);
	return st;
}

enum status orders_stored(struct db *journal, uint64_t after, struct order *out,
    size_t *count_out, bool *more_out)
{
	return order_rows_read(
	    journal, after, out, ORDERS_STORED_MAX, count_out, more_out);
}

static void on_search(void *arg)
{
	struct orders *self = arg;
	struct order page[DELETIONS_A_STEP];
	size_t count;
	bool more;

	enum status st = order_rows_read(self->options.journal, self->searched,
	    page, nitems(page), &count, &more);
	for (size_t i = 0; i < count; i++) {
		self->searched = page[i].sequence;
		if (page[i].kind == ORDER_DELETE_ACCOUNT)
			delete_account(self, &page[i].account);
	}
	if (st == STATUS_OK && more) {
		loop_timer_set(self->options.loop, &self->search, 0);
		return;
	}
	self->searched = 0;
	if (st != STATUS_OK || self->deletion_failed)
		loop_timer_set(
		    self->options.loop, &self->search, DELETE_RETRY_MS);
	self->deletion_failed = false;
}

void orders_begin(struct orders *self)
{
	loop_timer_set(self->options.loop, &self->search, 0);
}

/* ---- keeping ---- */

/* Orders while they are written. */
struct keeping {
	struct orders *orders;
	orders_issued_fn *issued; /* of auth's own; else NULL */
	void *arg;
	struct exchange *exchange; /* of those that came; else NULL */
	uint64_t latest, reaches;  /* as auth said */
	size_t count;
	struct order all[ORDERS_A_MESSAGE_MAX];
};

/* Drop the rows that ${order} covers; at most ${budget} of them. */
static void delete_covered(const struct orders *self, struct db_batch *batch,
    const struct order *order, size_t *budget)
{
	const struct account_orders *orders =
	    order_table_find(self->table, &order->account);

	for (size_t i = 0; orders && i < orders->revocations_count; i++) {
		const struct order *former = &orders->revocations[i];
		if (former->sequence == order->sequence ||
		    !order_covers(order, former) || *budget == 0)
			continue;
		order_rows_delete(batch, former->sequence);
		--*budget;
	}
}

static enum status submit(struct keeping *keeping, db_done_fn *done)
{
	struct orders *self = keeping->orders;
	struct db_batch *batch = order_rows_batch();
	size_t budget = COVERED_MAX;
	uint64_t highest = max_of(self->sequence, keeping->reaches);

	for (size_t i = 0; i < keeping->count; i++) {
		const struct order *order = &keeping->all[i];
		delete_covered(self, batch, order, &budget);
		order_rows_put(batch, order);
		highest = max_of(highest, order->sequence);
	}
	order_rows_put_highest(batch, highest);
	/* What is deleted frees more than this; and it must not wait. */
	db_batch_frees(batch);
	enum status st =
	    db_submit(self->options.journal, &batch, done, keeping);
	db_batch_destroy(&batch);
	return st;
}

enum status orders_restore(struct db *journal, const struct order *order)
{
	uint64_t sequence;

	enum status st = order_rows_highest(journal, &sequence);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch = order_rows_batch();
	order_rows_forbid(batch, order->sequence);
	order_rows_put(batch, order);
	order_rows_put_highest(batch, max_of(sequence, order->sequence));
	db_batch_frees(batch);
	st = db_submit_wait(journal, &batch);
	db_batch_destroy(&batch);
	return st == STATUS_CONFLICT ? STATUS_OK : st;
}

/* They are on the disk: from now on they are obeyed. */
static enum status obey(struct keeping *keeping)
{
	struct orders *self = keeping->orders;

	for (size_t i = 0; i < keeping->count; i++) {
		enum status st = order_table_add(self->table, &keeping->all[i]);
		if (st != STATUS_OK)
			return st;
		self->sequence =
		    max_of(self->sequence, keeping->all[i].sequence);
		if (keeping->all[i].kind == ORDER_DELETE_ACCOUNT &&
		    self->options.deletion_kept)
			self->options.deletion_kept(
			    self->options.arg, &keeping->all[i]);
	}
	self->sequence = max_of(self->sequence, keeping->reaches);
	return STATUS_OK;
}

/* ---- those that come ---- */

static enum status reply_kept(const struct orders *self, struct exchange *x)
{
	Common__OrdersKept reply = COMMON__ORDERS_KEPT__INIT;

	reply.sequence = self->sequence;
	return exchange_reply(x, &reply.base);
}

/* Note that auth was heard of, if nothing that it ordered is missing. */
static void touch(struct orders *self, uint64_t latest)
{
	if (self->sequence < latest)
		return;
	self->touched = true;
	self->touched_ms = clock_interval_ms();
}

static void on_kept(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct keeping *keeping = arg;
	struct orders *self = keeping->orders;
	struct exchange *x = keeping->exchange;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK)
		status = obey(keeping);
	if (status == STATUS_OK) {
		touch(self, keeping->latest);
		status = reply_kept(self, x);
	}
	free(keeping);
	exchange_finish(&x, status);
}

static enum status read_orders(
    struct keeping *out, struct exchange *x, const Common__Orders *message)
{
	if (message->n_orders > ORDERS_A_MESSAGE_MAX)
		return exchange_refuse(
		    x, STATUS_TOO_LARGE, "orders: more than 100");
	for (size_t i = 0; i < message->n_orders; i++) {
		enum status st =
		    order_from_message(&out->all[i], message->orders[i]);
		if (st == STATUS_OK && i > 0 &&
		    out->all[i].sequence <= out->all[i - 1].sequence)
			st = STATUS_MALFORMED;
		if (st != STATUS_OK) {
			log_error(&x->header.trace, "order_refused",
			    "status=%s", status_word(st));
			return exchange_refuse(x, st,
			    st == STATUS_VERSION
				? "an order is newer than this service"
				: "an order is none");
		}
	}
	out->count = message->n_orders;
	out->latest = message->latest;
	out->reaches = message->reaches;
	return STATUS_OK;
}

/* Keys go before the order is answered, and before its row is written. */
static enum status delete_accounts(
    struct orders *self, const struct keeping *keeping)
{
	enum status st = STATUS_OK;

	for (size_t i = 0; i < keeping->count && st == STATUS_OK; i++)
		if (keeping->all[i].kind == ORDER_DELETE_ACCOUNT)
			st = delete_account(self, &keeping->all[i].account);
	return st;
}

enum status orders_on_orders(void *state, struct exchange *x)
{
	struct orders *self = server_orders(x->server);
	Common__Orders *message;
	struct keeping *keeping = NULL;

	(void)state;
	if (!self)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "no orders are taken here");
	enum status st =
	    exchange_unpack(x, &common__orders__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	keeping = calloc(1, sizeof(*keeping));
	if (!keeping)
		return STATUS_NO_SPACE;
	keeping->orders = self;
	keeping->exchange = x;
	st = read_orders(keeping, x, message);
	if (st == STATUS_OK && self->sequence < message->above) {
		/* Some between would be missing for good: our journal was
		 * lost, or is another. */
		st = reply_kept(self, x);
		goto out;
	}
	if (st == STATUS_OK && keeping->count == 0 &&
	    keeping->reaches <= self->sequence) {
		touch(self, keeping->latest);
		st = reply_kept(self, x);
		goto out;
	}
	if (st == STATUS_OK)
		st = delete_accounts(self, keeping);
	if (st == STATUS_OK)
		st = submit(keeping, on_kept);
	if (st == STATUS_PENDING)
		keeping = NULL; /* on_kept's */
out:
	free(keeping);
	return st;
}

/* ---- those that are issued ---- */

static void on_issued(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct keeping *keeping = arg;
	struct orders *self = keeping->orders;
	const struct order *order = &keeping->all[0];

	(void)generation;
	(void)failed_op;
	bool kept = status == STATUS_OK;
	if (kept)
		status = obey(keeping);
	if (status == STATUS_OK && order->kind == ORDER_DELETE_ACCOUNT)
		status = delete_account(self, &order->account);
	keeping->issued(keeping->arg, status, kept ? order->sequence : 0);
	free(keeping);
}

/* Whether there is room for another revocation of the account. */
static enum status check_room(
    const struct orders *self, const struct order *order)
{
	const struct account_orders *orders =
	    order_table_find(self->table, &order->account);

	if (order->kind == ORDER_DELETE_ACCOUNT)
		return STATUS_OK;
	if (orders_revocations(self) >= ORDERS_REVOCATIONS_MAX)
		return STATUS_BUSY;
	if (orders && orders->revocations_count >= ORDERS_OF_ACCOUNT_MAX &&
	    order->kind != ORDER_REVOKE_ACCOUNT)
		return STATUS_TOO_LARGE;
	return STATUS_OK;
}

enum status orders_issue(struct orders *self, const struct order *order,
    orders_issued_fn *done, void *arg)
{
	uint64_t now_ms = clock_wall_ms();
	enum status st = check_room(self, order);

	if (st != STATUS_OK)
		return st;
	struct keeping *keeping = calloc(1, sizeof(*keeping));
	if (!keeping)
		return STATUS_NO_SPACE;
	self->numbered = max_of(self->numbered + 1, now_ms);
	*keeping = (struct keeping){
		.orders = self,
		.issued = done,
		.arg = arg,
		.count = 1,
		.all = { *order },
	};
	keeping->all[0].sequence = self->numbered;
	keeping->all[0].when_ms = now_ms;
	st = submit(keeping, on_issued);
	if (st != STATUS_PENDING)
		free(keeping);
	return st;
}

void orders_number_above(struct orders *self, uint64_t sequence)
{
	self->numbered = max_of(self->numbered, sequence);
}

enum status orders_above(const struct orders *self, uint64_t sequence,
    struct order out[static ORDERS_A_MESSAGE_MAX], size_t *count_out)
{
	bool more;

	return order_rows_read(self->options.journal, sequence, out,
	    ORDERS_A_MESSAGE_MAX, count_out, &more);
}

/* ---- what is over ---- */

/* Where this fails the rows are dropped after the next start. */
static void delete_rows(
    struct orders *self, const struct order *orders, size_t count)
{
	struct db_batch *batch = order_rows_batch();

	for (size_t i = 0; i < count; i++)
		order_rows_delete(batch, orders[i].sequence);
	db_submit(self->options.journal, &batch, NULL, NULL);
	db_batch_destroy(&batch);
}

static void on_prune(void *arg)
{
	struct orders *self = arg;
	struct order over[PRUNE_AT_ONCE];

	size_t count = order_table_take_over(
	    self->table, clock_wall_ms(), over, nitems(over));
	if (count > 0)
		delete_rows(self, over, count);
	loop_timer_set(self->options.loop, &self->prune,
	    count == nitems(over) ? 0 : PRUNE_MS);
}

/* ---- life ---- */

static enum status read_orders_kept(struct orders *self)
{
	struct order page[ORDERS_A_MESSAGE_MAX];
	uint64_t after = 0;
	size_t count;
	bool more = true;
	enum status st = STATUS_OK;

	while (st == STATUS_OK && more) {
		st = order_rows_read(self->options.journal, after, page,
		    nitems(page), &count, &more);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			st = order_table_add(self->table, &page[i]);
			after = page[i].sequence;
			self->sequence = max_of(self->sequence, after);
		}
	}
	return st;
}

enum status orders_new(
    struct orders **out, const struct orders_options *options)
{
	struct orders *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->options = *options;
	self->started_ms = clock_interval_ms();
	self->prune = (struct timer){ .fired = on_prune, .arg = self };
	self->search = (struct timer){ .fired = on_search, .arg = self };
	self->table = order_table_new();
	enum status st = self->table ? STATUS_OK : STATUS_NO_SPACE;
	if (st == STATUS_OK)
		st = order_rows_highest(options->journal, &self->sequence);
	if (st == STATUS_OK)
		st = read_orders_kept(self);
	if (st != STATUS_OK) {
		orders_destroy(&self);
		return st;
	}
	self->numbered = self->sequence;
	loop_timer_set(options->loop, &self->prune, 0);
	*out = self;
	return st;
}

void orders_destroy(struct orders **self_p)
{
	struct orders *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->options.loop, &self->prune);
	loop_timer_cancel(self->options.loop, &self->search);
	order_table_destroy(&self->table);
	free(self);
	*self_p = NULL;
}
