#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "notify.h"

/*
 * A list of notices leaves as a push or as the answer to FETCH; what is in
 * it stays queued until it is acknowledged.  The tries are written after
 * the list has left: a full disk must not keep it here.
 */

#define LIST_BYTES_MAX     (BODY_BYTES_MAX - 4096)
#define NOTICE_EXTRA_BYTES 16  /* tag, length and attempt in a list */
#define BUSY_PAUSE_MS      500 /* the door's queue is full */
#define ACK_TRIES_MAX      8   /* each lost one is another's success */
#define ACK_RETRY_AFTER_MS 200

/* ---- lists ---- */

/* A list being filled; its notices go with list_end. */
struct list {
	struct unpack unpack;
	Notify__NoticeList message;
	Notify__Notice *notices[DELIVERY_BATCH_MAX];
	struct delivery deliveries[DELIVERY_BATCH_MAX]; /* of the notices */
	size_t bytes;
	/* What holds notices back; NULL: they are asked for. */
	const struct rules *rules;
	int32_t utc_offset_min;
	bool full;            /* there was more */
	uint64_t next_due_ms; /* wall time, of what is not due yet */
};

static void list_begin(struct list *self)
{
	unpack_begin(&self->unpack);
	notify__notice_list__init(&self->message);
	self->message.notices = self->notices;
	self->rules = NULL;
	self->bytes = 0;
	self->full = false;
	self->next_due_ms = SCHEDULE_NEVER;
}

static void list_end(struct list *self)
{
	unpack_end(&self->unpack);
}

/* Whether ${notice} may not leave yet; then the list knows until when. */
static bool list_holds(struct list *self, const Notify__Notice *notice,
    const struct delivery *delivery)
{
	uint64_t now = clock_wall_ms();

	if (!self->rules)
		return false;
	uint64_t due = rules_due_ms(self->rules, (uint32_t)notice->kind,
	    delivery->notice.stored_ms, now, self->utc_offset_min);
	if (due <= now)
		return false;
	self->next_due_ms = min_of(self->next_due_ms, due);
	return true;
}

static enum status list_add(struct list *self, struct notify *notify,
    const struct id *account, const struct delivery *delivery)
{
	size_t count = self->message.n_notices;
	struct bytes packed = { 0 };
	Notify__Notice *notice;

	enum status st = notify_db_notice(
	    &notify->rows, account, &delivery->notice, &packed);
	if (st != STATUS_OK)
		goto out;
	self->full =
	    count == DELIVERY_BATCH_MAX ||
	    self->bytes + packed.len + NOTICE_EXTRA_BYTES > LIST_BYTES_MAX;
	if (self->full)
		goto out;
	st = unpack_message(&self->unpack, &notify__notice__descriptor,
	    bytes_slice(&packed), &notice);
	if (st != STATUS_OK || list_holds(self, notice, delivery))
		goto out;
	notice->attempt = delivery->attempts + 1;
	self->bytes += packed.len + NOTICE_EXTRA_BYTES;
	self->notices[count] = notice;
	self->deliveries[count] = *delivery;
	self->message.n_notices++;
out:
	bytes_clear(&packed);
	return st;
}

/*
 * Fill the list with what waits for a terminal.
 *
 * after  behind this one; NULL from the oldest
 * early  also what is not due yet
 */
static enum status list_fill(struct list *self, struct notify *notify,
    const struct id *account, const struct id *terminal,
    const struct notice_key *after, bool early)
{
	struct delivery page[DELIVERY_BATCH_MAX];
	struct notice_key last;
	uint64_t now = clock_wall_ms();
	size_t count = 0;
	bool more = true;
	enum status st = STATUS_OK;

	while (more && !self->full && st == STATUS_OK) {
		st = notify_db_deliveries(&notify->rows, account, terminal,
		    after, page, &count, &more);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			if (self->full)
				break;
			if (early || page[i].due_ms <= now)
				st = list_add(self, notify, account, &page[i]);
			else
				self->next_due_ms =
				    min_of(self->next_due_ms, page[i].due_ms);
		}
		if (count == 0)
			break;
		last = page[count - 1].notice;
		after = &last;
	}
	return st;
}

/* Count a try of each and submit that; results as db_submit. */
static enum status list_record(struct list *self, struct notify *notify,
    const struct id *account, const struct id *terminal, db_done_fn *done,
    void *arg)
{
	uint64_t now = clock_wall_ms();
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	for (size_t i = 0; i < self->message.n_notices; i++) {
		struct delivery *delivery = &self->deliveries[i];
		delivery_attempted(
		    delivery, now, notify->retry_ms, notify->retry_ms_max);
		notify_db_put_attempt(
		    &notify->rows, batch, account, terminal, delivery);
		self->next_due_ms = min_of(self->next_due_ms, delivery->due_ms);
	}
	enum status st = db_submit(notify->db, &batch, done, arg);
	db_batch_destroy(&batch);
	return st;
}

/* ---- PUSH ---- */

/* A push whose tries are being written; the terminal may go meanwhile. */
struct recording {
	struct notify *notify;
	struct id terminal;
};

static void on_recorded(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct recording *recording = arg;
	struct notify *self = recording->notify;
	struct presence *presence =
	    presences_find(self->presences, &recording->terminal);

	(void)generation;
	(void)failed_op;
	free(recording);
	if (!presence)
		return;
	presence->recording = false;
	/* NOT_FOUND: one was acknowledged meanwhile, look again.  Otherwise
	 * nothing was counted, so the pause is kept here. */
	if (status == STATUS_NOT_FOUND)
		presence->due_ms = clock_interval_ms();
	else if (status != STATUS_OK)
		presence->due_ms = clock_interval_ms() + self->retry_ms;
	subscription_arrange(self, presence);
}

static enum status fill_push(struct message *message,
    const struct presence *presence, const struct list *list)
{
	struct header header = {
		.type = NOTIFY__TYPE__PUSH,
		.account = presence->account,
		.server_time_ms = clock_wall_ms(),
	};
	struct bytes packed = { 0 };
	enum status st = STATUS_OK;

	randombytes_buf(header.request.bytes, ID_BYTES);
	header.trace = header.request;
	message->envelope_count = PRESENCE_WAY_FRAMES;
	for (size_t i = 0; i < PRESENCE_WAY_FRAMES && st == STATUS_OK; i++)
		st = frame_copy(&message->envelope[i],
		    slice_of(presence->way.frames[i].data,
			presence->way.frames[i].len));
	if (st == STATUS_OK)
		st = header_pack(&packed, &header);
	if (st == STATUS_OK)
		st = frame_copy(&message->header, bytes_slice(&packed));
	packed.len = 0;
	if (st == STATUS_OK)
		st = pack_message(&packed, &list->message.base);
	if (st == STATUS_OK)
		st = frame_copy(&message->body, bytes_slice(&packed));
	bytes_clear(&packed);
	return st;
}

static enum status send_push(struct notify *self,
    const struct presence *presence, const struct list *list)
{
	struct message message;

	message_init(&message);
	enum status st = fill_push(&message, presence, list);
	if (st == STATUS_OK)
		st = server_push(
		    self->service->server, presence->way.door, &message);
	message_clear(&message);
	return st;
}

/* A wall time of the rows on the clock of appointments. */
static uint64_t interval_of(uint64_t wall_due_ms)
{
	uint64_t wall = clock_wall_ms();

	if (wall_due_ms == SCHEDULE_NEVER)
		return SCHEDULE_NEVER;
	return clock_interval_ms() + (max_of(wall_due_ms, wall) - wall);
}

/* The list has left: have its tries written, and set what comes next. */
static void note_push(
    struct notify *self, struct presence *presence, struct list *list)
{
	uint64_t now = clock_interval_ms();
	size_t count = list->message.n_notices;
	struct recording *recording = calloc(1, sizeof(*recording));

	self->pushed += count;
	presence->due_ms = now + self->retry_ms;
	if (!recording)
		return;
	*recording = (struct recording){ self, presence->terminal };
	if (list_record(list, self, &presence->account, &presence->terminal,
		on_recorded, recording) != STATUS_PENDING) {
		free(recording);
		return;
	}
	presence->recording = true;
	if (presence->push_all) {
		presence->pushed = list->deliveries[count - 1].notice;
		presence->push_all = list->full;
		presence->due_ms = now; /* for the rest, or what was early */
	} else {
		presence->due_ms =
		    list->full ? now : interval_of(list->next_due_ms);
	}
}

void push_due(struct notify *self, struct presence *presence)
{
	uint64_t now = clock_interval_ms();
	bool resumed = presence->push_all && presence->pushed.stored_ms > 0;
	struct rules rules;
	struct list list;

	list_begin(&list);
	/* Rules that cannot be read hold nothing back. */
	if (notify_db_rules(&self->rows, &presence->account, &rules) ==
	    STATUS_OK)
		list.rules = &rules;
	list.utc_offset_min = presence->utc_offset_min;
	enum status st =
	    list_fill(&list, self, &presence->account, &presence->terminal,
		resumed ? &presence->pushed : NULL, presence->push_all);
	if (st == STATUS_OK && list.message.n_notices == 0) {
		if (resumed)
			presence->due_ms = now; /* for what was early */
		else
			presence->due_ms = interval_of(list.next_due_ms);
		presence->push_all = false;
		goto out;
	}
	if (st == STATUS_OK)
		st = send_push(self, presence, &list);
	if (st == STATUS_OK) {
		note_push(self, presence, &list);
	} else if (st == STATUS_UNAVAILABLE) {
		presences_set_reachable(self->presences, presence, false);
	} else {
		log_warning(NULL, "push_waits", "status=%s", status_word(st));
		presence->due_ms = now + BUSY_PAUSE_MS;
	}
out:
	list_end(&list);
	subscription_arrange(self, presence);
}

/* ---- FETCH ---- */

enum status notify_on_fetch(void *state, struct exchange *x)
{
	struct notify *self = state;
	Notify__Fetch *msg;
	struct list list;

	enum status st = exchange_unpack(x, &notify__fetch__descriptor, &msg);
	if (st == STATUS_OK)
		st = subscription_check(self, x);
	if (st != STATUS_OK)
		return st;
	list_begin(&list);
	st = list_fill(
	    &list, self, &x->ticket.account, &x->ticket.terminal, NULL, true);
	if (st == STATUS_OK)
		st = exchange_reply(x, &list.message.base);
	if (st == STATUS_OK && list.message.n_notices > 0) {
		self->fetched += list.message.n_notices;
		/* Where this fails the next try has the same number. */
		list_record(&list, self, &x->ticket.account,
		    &x->ticket.terminal, NULL, NULL);
	}
	list_end(&list);
	return st;
}

/* ---- ACK ---- */

/* One ACK while it is committed. */
struct acking {
	struct notify *notify;
	Notify__Ack *msg; /* lives as long as the exchange */
	size_t tries;
	uint64_t deliveries, notices; /* which the batch deletes */
};

static bool named_before(const Notify__Ack *msg, size_t index)
{
	struct slice id = field_slice(msg->notice_ids[index]);

	for (size_t i = 0; i < index; i++)
		if (slice_equal(field_slice(msg->notice_ids[i]), id))
			return true;
	return false;
}

static enum status build_ack(
    struct acking *acking, struct exchange *x, struct db_batch *batch)
{
	const Notify__Ack *msg = acking->msg;

	acking->deliveries = acking->notices = 0;
	for (size_t i = 0; i < msg->n_notice_ids; i++) {
		struct id id;
		bool last;
		enum status st = id_from(&id, field_slice(msg->notice_ids[i]));
		if (st == STATUS_OK && named_before(msg, i))
			continue;
		if (st == STATUS_OK)
			st = notify_db_acknowledge(&acking->notify->rows, batch,
			    &x->ticket.account, &x->ticket.terminal, &id,
			    &last);
		if (st == STATUS_NOT_FOUND)
			continue; /* gone already: a repeat */
		if (st != STATUS_OK)
			return st;
		acking->deliveries++;
		acking->notices += last;
	}
	return STATUS_OK;
}

static enum status on_acknowledged(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op);

/* Returns STATUS_PENDING once ${acking} is on_acknowledged's. */
static enum status submit_ack(struct acking *acking, struct exchange *x)
{
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);

	enum status st = build_ack(acking, x, batch);
	if (st == STATUS_OK && acking->deliveries > 0) {
		/* A notice that is written again has a terminal less. */
		db_batch_frees(batch);
		x->parked = acking;
		st = exchange_commit(x, &batch, on_acknowledged);
	}
	db_batch_destroy(&batch);
	return st;
}

static enum status on_acknowledged(struct exchange *x, enum status status,
    uint64_t generation, size_t failed_op)
{
	struct acking *acking = x->parked;
	struct notify *self = acking->notify;

	(void)generation;
	(void)failed_op;
	/* Another terminal has acknowledged the same notice. */
	if (status == STATUS_CONFLICT && acking->tries < ACK_TRIES_MAX) {
		acking->tries++;
		status = submit_ack(acking, x);
		if (status == STATUS_PENDING)
			return status;
	} else if (status == STATUS_CONFLICT) {
		status = exchange_retry(x, STATUS_BUSY, ACK_RETRY_AFTER_MS,
		    "other terminals acknowledge the same notices");
	} else if (status == STATUS_OK) {
		self->acknowledged += acking->deliveries;
		stream_tell(self->service->stream,
		    &(struct stream_event){ .kind = "notice_delivered",
			.account = &x->ticket.account,
			.figure = "deliveries",
			.value = acking->deliveries });
		notify_lower(&self->totals.deliveries, acking->deliveries);
		notify_lower(&self->totals.notices, acking->notices);
	}
	free(acking);
	x->parked = NULL;
	return status;
}

static enum status check_ack(struct exchange *x, const Notify__Ack *msg)
{
	if (msg->n_notice_ids == 0)
		return exchange_refuse(x, STATUS_MALFORMED, "notice_ids: none");
	if (msg->n_notice_ids > DELIVERY_BATCH_MAX)
		return exchange_refuse(
		    x, STATUS_TOO_LARGE, "notice_ids: more than 100");
	for (size_t i = 0; i < msg->n_notice_ids; i++)
		if (msg->notice_ids[i].len != ID_BYTES)
			return exchange_refuse(x, STATUS_MALFORMED,
			    "notice_ids: one has not 16 bytes");
	return STATUS_OK;
}

enum status notify_on_ack(void *state, struct exchange *x)
{
	struct notify *self = state;
	struct acking *acking = NULL;
	Notify__Ack *msg;

	enum status st = exchange_unpack(x, &notify__ack__descriptor, &msg);
	if (st == STATUS_OK)
		st = check_ack(x, msg);
	if (st == STATUS_OK)
		st = subscription_check(self, x);
	if (st != STATUS_OK)
		return st;
	acking = calloc(1, sizeof(*acking));
	if (!acking)
		return STATUS_NO_SPACE;
	acking->notify = self;
	acking->msg = msg;
	st = submit_ack(acking, x);
	if (st != STATUS_PENDING)
		free(acking);
	return st;
}
