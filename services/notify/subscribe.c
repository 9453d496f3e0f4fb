#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "notify.h"

/*
 * A subscription is opened under a valid ticket and keeps that ticket good:
 * while it is renewed within PRESENCE_MS, and at most TRANSFER_MS_MAX after
 * the ticket was issued.  Opening it writes a lease row, which goes when the
 * subscription lapses; so, for PRESENCE_MS after a restart, a lease stands
 * for the presence that memory has lost.
 */

#define RETRY_AFTER_MS 1000

/* ---- presence ---- */

static void lapse(struct notify *self, struct presence **presence_p)
{
	struct presence *presence = *presence_p;
	struct db_batch *batch =
	    db_batch_new(&presence->account, DB_GENERATION_ANY, NULL);

	/* Where this fails the patrol deletes it. */
	notify_db_delete_lease(batch, &presence->terminal);
	db_submit(self->db, &batch, NULL, NULL);
	db_batch_destroy(&batch);
	presences_remove(self->presences, &self->schedule, presence_p);
}

/* Whether the ticket that the subscription was opened with was revoked. */
static bool is_revoked(
    const struct notify *self, const struct presence *presence)
{
	struct ticket ticket = {
		.direction = DIRECTION_NOTICES,
		.account = presence->account,
		.terminal = presence->terminal,
		.issued_ms = presence->issued_ms,
	};

	memcpy(ticket.nonce, presence->nonce, TICKET_NONCE_BYTES);
	return orders_refusal(self->service->orders, &ticket) != NULL;
}

static void on_appointment(void *arg)
{
	struct presence *presence = arg;
	struct notify *self = presence->notify;

	/* Nothing is pushed to who may not have it any more. */
	if (presence->expires_ms <= clock_interval_ms() ||
	    is_revoked(self, presence))
		lapse(self, &presence);
	else
		push_due(self, presence);
}

void subscription_arrange(struct notify *self, struct presence *presence)
{
	uint64_t due_ms = presence->expires_ms;

	/* One push at a time, so that the rows say what is due next. */
	if (presence->reachable && !presence->recording)
		due_ms = min_of(due_ms, presence->due_ms);
	notify_arrange(self, &presence->appointment, due_ms);
}

void subscription_wake(struct notify *self, const struct id *terminal)
{
	struct presence *presence = presences_find(self->presences, terminal);

	if (!presence)
		return;
	presence->due_ms = clock_interval_ms();
	subscription_arrange(self, presence);
}

void subscription_wake_account(struct notify *self, const struct id *account)
{
	struct lease leases[LEASES_A_PAGE];
	size_t count;

	/* Where they cannot be read they come when they are due as before. */
	if (notify_db_leases(&self->rows, account, leases, &count) != STATUS_OK)
		return;
	for (size_t i = 0; i < count; i++)
		subscription_wake(self, &leases[i].terminal);
}

/* ---- tickets ---- */

static bool same_ticket(const struct presence *presence, struct exchange *x)
{
	return id_equal(&presence->account, &x->ticket.account) &&
	       memcmp(presence->nonce, x->ticket.nonce, TICKET_NONCE_BYTES) ==
		   0;
}

/* Whether the subscription of an expired ticket was renewed in time. */
static bool is_kept_good(struct notify *self, struct exchange *x)
{
	uint64_t now = clock_interval_ms();
	struct presence *presence =
	    presences_find(self->presences, &x->ticket.terminal);
	struct lease lease;

	if (schedule_is_over(
		x->ticket.issued_ms, clock_wall_ms(), TRANSFER_MS_MAX))
		return false;
	if (presence)
		return same_ticket(presence, x) && now < presence->expires_ms;
	if (now - self->started_ms >= PRESENCE_MS)
		return false;
	return notify_db_lease(&self->rows, &x->ticket.account,
		   &x->ticket.terminal, &lease) == STATUS_OK &&
	       memcmp(lease.nonce, x->ticket.nonce, TICKET_NONCE_BYTES) == 0;
}

enum status subscription_check(struct notify *self, struct exchange *x)
{
	if (id_is_none(&x->ticket.terminal))
		return exchange_refuse(x, STATUS_CONFLICT,
		    "this terminal is not bound: bind it, then authenticate "
		    "again");
	if (x->ticket_expired && !is_kept_good(self, x))
		return exchange_refuse(x, STATUS_EXPIRED,
		    "the ticket has expired and no subscription keeps it good: "
		    "authenticate again");
	return STATUS_OK;
}

/* ---- SUBSCRIBE ---- */

/* The way that ${x} came by. */
static enum status way_of(struct way *out, const struct exchange *x)
{
	*out = (struct way){ .door = x->door };
	for (size_t i = 0; i < PRESENCE_WAY_FRAMES; i++) {
		struct slice frame = frame_slice(&x->message.envelope[i]);
		if (frame.len > PRESENCE_WAY_BYTES_MAX)
			return STATUS_MALFORMED;
		memcpy(out->frames[i].data, frame.data, frame.len);
		out->frames[i].len = frame.len;
	}
	return STATUS_OK;
}

static enum status reply_subscribed(struct notify *self, struct exchange *x)
{
	Notify__Subscribed answer = NOTIFY__SUBSCRIBED__INIT;
	uint64_t waiting;

	enum status st = notify_db_waiting(
	    &self->rows, &x->ticket.account, &x->ticket.terminal, &waiting);
	if (st != STATUS_OK)
		return st;
	answer.presence_ms = PRESENCE_MS;
	answer.waiting = (uint32_t)min_of(waiting, (uint64_t)UINT32_MAX);
	return exchange_reply(x, &answer.base);
}

/* Note the presence and answer; what is due leaves after the answer. */
static enum status enter(
    struct notify *self, struct exchange *x, int32_t utc_offset_min)
{
	struct presence *presence;
	struct way way;

	enum status st = way_of(&way, x);
	if (st != STATUS_OK)
		return exchange_refuse(
		    x, st, "the way back is longer than 64 bytes");
	st = reply_subscribed(self, x);
	if (st != STATUS_OK)
		return st;
	st = presences_add(self->presences, &x->ticket.terminal, &presence);
	if (st == STATUS_BUSY)
		return exchange_retry(
		    x, st, RETRY_AFTER_MS, "too many terminals are present");
	if (st != STATUS_OK)
		return st;
	uint64_t now = clock_interval_ms();
	if (presence->utc_offset_min != utc_offset_min) {
		presence->utc_offset_min = utc_offset_min;
		presence->due_ms = now;
	}
	if (!presence->reachable || !way_equal(&presence->way, &way)) {
		presence->way = way;
		presence->push_all = true;
		presence->pushed = (struct notice_key){ 0 };
		presence->due_ms = now;
	}
	presence->notify = self;
	presence->account = x->ticket.account;
	memcpy(presence->nonce, x->ticket.nonce, TICKET_NONCE_BYTES);
	presence->issued_ms = x->ticket.issued_ms;
	presence->expires_ms = now + PRESENCE_MS;
	presence->appointment.kept = on_appointment;
	presence->appointment.arg = presence;
	presences_set_reachable(self->presences, presence, true);
	subscription_arrange(self, presence);
	return STATUS_OK;
}

/* A subscription while its lease is committed. */
struct opening {
	struct notify *notify;
	int32_t utc_offset_min;
};

static enum status on_committed(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct opening *opening = x->parked;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK)
		status = enter(opening->notify, x, opening->utc_offset_min);
	free(opening);
	x->parked = NULL;
	return status;
}

/* Open the subscription: its lease first, then the presence. */
static enum status open_subscription(
    struct notify *self, struct exchange *x, int32_t utc_offset_min)
{
	struct opening *opening = malloc(sizeof(*opening));
	struct lease lease = {
		.terminal = x->ticket.terminal,
		.opened_ms = clock_wall_ms(),
		.issued_ms = x->ticket.issued_ms,
	};
	if (!opening)
		return STATUS_NO_SPACE;
	*opening = (struct opening){ self, utc_offset_min };
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	memcpy(lease.nonce, x->ticket.nonce, TICKET_NONCE_BYTES);
	memcpy(lease.peer, x->ticket.peer, TICKET_PEER_BYTES);
	notify_db_put_lease(&self->rows, batch, &x->ticket.account, &lease);
	x->parked = opening;
	enum status st = exchange_commit(x, &batch, on_committed);
	if (st != STATUS_PENDING) {
		free(opening);
		x->parked = NULL;
	}
	return st;
}

enum status notify_on_subscribe(void *state, struct exchange *x)
{
	struct notify *self = state;
	Notify__Subscribe *msg;

	enum status st =
	    exchange_unpack(x, &notify__subscribe__descriptor, &msg);
	if (st == STATUS_OK && (msg->utc_offset_min < -UTC_OFFSET_MAX ||
				   msg->utc_offset_min > UTC_OFFSET_MAX))
		return exchange_refuse(
		    x, STATUS_MALFORMED, "utc_offset_min: more than 18 hours");
	if (st == STATUS_OK)
		st = subscription_check(self, x);
	if (st != STATUS_OK)
		return st;
	struct presence *presence =
	    presences_find(self->presences, &x->ticket.terminal);
	/* An expired ticket that is good has its lease already. */
	if (x->ticket_expired || (presence && same_ticket(presence, x)))
		return enter(self, x, msg->utc_offset_min);
	return open_subscription(self, x, msg->utc_offset_min);
}
