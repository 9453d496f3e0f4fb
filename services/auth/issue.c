#include "issue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "common.pb-c.h"

#define ASK_MS 3000 /* then it is asked anew, with what is new by then */

/* A service that obeys. */
struct follower {
	struct issue *issue;
	enum role role;
	uint64_t confirmed; /* the highest number that it has, as it said */
	bool known;         /* it has said so */
	bool asked;         /* an answer is on its way */
	bool silent;        /* the last answer was none; logged */
};

/* Somebody who waits until an order is confirmed. */
struct waiter {
	struct issue *issue;
	uint64_t sequence; /* 0: it is not kept yet */
	bool not_here;     /* auth itself could not obey yet */
	struct timer deadline;
	issue_done_fn *done;
	void *arg;
	struct waiter *next;
};

struct issue {
	struct service *service;
	struct orders *orders;
	struct loop *loop;
	struct follower followers[FOLLOWERS];
	struct timer beat;
	struct waiter *waiters;
};

/* ---- who waits ---- */

static void forget_waiter(struct waiter **waiter_p)
{
	struct waiter *waiter = *waiter_p;
	struct waiter **at = &waiter->issue->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	loop_timer_cancel(waiter->issue->loop, &waiter->deadline);
	free(waiter);
	*waiter_p = NULL;
}

static void list_unconfirmed(
    const struct waiter *waiter, struct unconfirmed *out)
{
	*out = (struct unconfirmed){ 0 };
	if (waiter->not_here)
		out->names[out->count++] = role_word(ROLE_AUTH);
	for (size_t i = 0; i < FOLLOWERS; i++) {
		const struct follower *follower = &waiter->issue->followers[i];
		if (follower->confirmed < waiter->sequence)
			out->names[out->count++] = role_word(follower->role);
	}
}

static void tell(struct waiter **waiter_p, enum status status)
{
	struct waiter *waiter = *waiter_p;
	issue_done_fn *done = waiter->done;
	void *arg = waiter->arg;
	struct unconfirmed unconfirmed = { 0 };

	if (status == STATUS_OK)
		list_unconfirmed(waiter, &unconfirmed);
	forget_waiter(waiter_p);
	done(arg, status, &unconfirmed);
}

static void on_deadline(void *arg)
{
	struct waiter *waiter = arg;

	tell(&waiter, STATUS_OK);
}

/* Tell those whose order all services have. */
static void tell_confirmed(struct issue *self)
{
	struct waiter *next;

	for (struct waiter *waiter = self->waiters; waiter; waiter = next) {
		struct unconfirmed unconfirmed;
		next = waiter->next;
		if (waiter->sequence == 0)
			continue;
		list_unconfirmed(waiter, &unconfirmed);
		if (unconfirmed.count == (size_t)waiter->not_here)
			tell(&waiter, STATUS_OK);
	}
}

/* ---- sending ---- */

static void send_orders(struct follower *follower);

static enum status read_kept(uint64_t *out, const struct answer *answer)
{
	Common__OrdersKept *message;
	struct unpack unpack;

	if (answer->status != STATUS_OK)
		return answer->status;
	unpack_begin(&unpack);
	enum status st = unpack_message(
	    &unpack, &common__orders_kept__descriptor, answer->body, &message);
	if (st == STATUS_OK)
		*out = message->sequence;
	unpack_end(&unpack);
	return st;
}

/* Its journal is newer than ours: numbers that it knows mean nothing new. */
static void catch_up(struct issue *self, const struct follower *follower)
{
	if (follower->confirmed <= orders_sequence(self->orders))
		return;
	log_warning(NULL, "orders_ahead",
	    "peer=%s why=\"it has orders that are not in this journal\"",
	    role_word(follower->role));
	orders_number_above(self->orders, follower->confirmed);
}

static void note_silence(struct follower *follower, enum status st)
{
	bool silent = st != STATUS_OK;

	if (silent && !follower->silent)
		log_warning(NULL, "orders_wait", "peer=%s status=%s",
		    role_word(follower->role), status_word(st));
	else if (!silent && follower->silent)
		log_info(
		    NULL, "orders_go_on", "peer=%s", role_word(follower->role));
	follower->silent = silent;
}

/* Tell of orders up to ${sequence}, that there are or that ${peer} has. */
static void tell_orders(const struct issue *self, const char *kind,
    const char *peer, uint64_t sequence)
{
	stream_tell(self->service->stream, &(struct stream_event){ .kind = kind,
					       .subject = peer,
					       .figure = "order",
					       .value = sequence });
}

static void on_answer(void *arg, const struct answer *answer)
{
	struct follower *follower = arg;
	struct issue *self = follower->issue;
	uint64_t before = follower->confirmed;

	follower->asked = false;
	enum status st = read_kept(&follower->confirmed, answer);
	note_silence(follower, st);
	if (st != STATUS_OK)
		return; /* at the next beat */
	bool news = !follower->known || follower->confirmed != before;
	if (follower->known && follower->confirmed > before)
		tell_orders(self, "order_confirmed", role_word(follower->role),
		    follower->confirmed);
	follower->known = true;
	if (news)
		catch_up(self, follower);
	/* What it lacks, as long as it takes some. */
	if (news && follower->confirmed < orders_sequence(self->orders))
		send_orders(follower);
	tell_confirmed(self);
}

/* One message with what a service lacks. */
struct sending {
	Common__Orders message;
	Common__Order rows[ORDERS_A_MESSAGE_MAX];
	Common__Order *pointers[ORDERS_A_MESSAGE_MAX];
	struct order orders[ORDERS_A_MESSAGE_MAX];
};

static enum status fill(
    struct sending *sending, const struct follower *follower)
{
	const struct orders *orders = follower->issue->orders;
	Common__Orders *message = &sending->message;
	size_t count = 0;

	*message = (Common__Orders)COMMON__ORDERS__INIT;
	message->latest = orders_sequence(orders);
	if (!follower->known)
		return STATUS_OK; /* only to hear what it has */
	message->above = follower->confirmed;
	message->reaches = message->latest;
	if (follower->confirmed >= message->latest)
		return STATUS_OK;
	enum status st =
	    orders_above(orders, follower->confirmed, sending->orders, &count);
	for (size_t i = 0; i < count; i++) {
		sending->rows[i] = (Common__Order)COMMON__ORDER__INIT;
		order_to_message(&sending->rows[i], &sending->orders[i]);
		sending->pointers[i] = &sending->rows[i];
	}
	message->orders = sending->pointers;
	message->n_orders = count;
	if (count == ORDERS_A_MESSAGE_MAX)
		message->reaches = sending->orders[count - 1].sequence;
	return st;
}

static void send_orders(struct follower *follower)
{
	struct header header = { .type = TYPE_ORDERS, .deadline_ms = ASK_MS };
	struct caller *link = follower->issue->service->peers[follower->role];
	struct bytes packed = { 0 };
	struct sending sending;

	if (follower->asked || !link)
		return;
	/* Where this fails the service finds itself out of touch. */
	enum status st = fill(&sending, follower);
	if (st == STATUS_OK)
		st = pack_message(&packed, &sending.message.base);
	if (st == STATUS_OK)
		st = caller_ask(link, &header, bytes_slice(&packed), NULL,
		    on_answer, follower);
	follower->asked = st == STATUS_OK;
	bytes_clear(&packed);
}

static void send_all(struct issue *self)
{
	for (size_t i = 0; i < FOLLOWERS; i++)
		send_orders(&self->followers[i]);
}

static void on_beat(void *arg)
{
	struct issue *self = arg;

	send_all(self);
	loop_timer_set(self->loop, &self->beat, ORDERS_BEAT_MS);
}

/* ---- issuing ---- */

static void on_kept(void *arg, enum status status, uint64_t sequence)
{
	struct waiter *waiter = arg;
	struct issue *self = waiter->issue;

	if (sequence == 0) {
		tell(&waiter, status);
		return;
	}
	tell_orders(self, "order_issued", NULL, sequence);
	waiter->sequence = sequence;
	waiter->not_here = status != STATUS_OK;
	loop_timer_set(self->loop, &waiter->deadline, ORDERS_CONFIRM_MS);
	send_all(self);
}

enum status issue_order(struct issue *self, const struct order *order,
    issue_done_fn *done, void *arg)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return STATUS_NO_SPACE;
	*waiter = (struct waiter){
		.issue = self,
		.deadline = { .fired = on_deadline, .arg = waiter },
		.done = done,
		.arg = arg,
		.next = self->waiters,
	};
	self->waiters = waiter;
	enum status st = orders_issue(self->orders, order, on_kept, waiter);
	if (st != STATUS_PENDING)
		forget_waiter(&waiter);
	return st;
}

/* An order that nobody waits for. */
struct errand {
	struct issue *issue;
	orders_issued_fn *done;
	void *arg;
};

static void on_errand_kept(void *arg, enum status status, uint64_t sequence)
{
	struct errand *errand = arg;

	if (sequence > 0) {
		tell_orders(errand->issue, "order_issued", NULL, sequence);
		send_all(errand->issue);
	}
	errand->done(errand->arg, status, sequence);
	free(errand);
}

enum status issue_at_once(struct issue *self, const struct order *order,
    orders_issued_fn *done, void *arg)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		return STATUS_NO_SPACE;
	*errand = (struct errand){ self, done, arg };
	enum status st =
	    orders_issue(self->orders, order, on_errand_kept, errand);
	if (st != STATUS_PENDING)
		free(errand);
	return st;
}

size_t issue_behind(const struct issue *self)
{
	size_t count = 0;

	for (size_t i = 0; i < FOLLOWERS; i++)
		count += self->followers[i].confirmed <
			 orders_sequence(self->orders);
	return count;
}

/* ---- life ---- */

enum status issue_new(struct issue **out, struct service *service)
{
	static const enum role roles[FOLLOWERS] = { ROLE_STORE, ROLE_BINDING,
		ROLE_NOTIFY };
	struct issue *self = calloc(1, sizeof(*self));

	if (!self)
		return STATUS_NO_SPACE;
	self->service = service;
	self->orders = service->orders;
	self->loop = service->program.loop;
	for (size_t i = 0; i < FOLLOWERS; i++)
		self->followers[i] = (struct follower){
			.issue = self,
			.role = roles[i],
		};
	self->beat = (struct timer){ .fired = on_beat, .arg = self };
	loop_timer_set(self->loop, &self->beat, 0);
	*out = self;
	return STATUS_OK;
}

void issue_destroy(struct issue **self_p)
{
	struct issue *self = *self_p;

	if (!self)
		return;
	loop_timer_cancel(self->loop, &self->beat);
	while (self->waiters) {
		struct waiter *waiter = self->waiters;
		forget_waiter(&waiter);
	}
	free(self);
	*self_p = NULL;
}
