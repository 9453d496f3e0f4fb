#include "scratch_db.h"
#include "stage.h"

#include "order_sample.h"
#include "service/orders.h"

#define TYPE_READ    0x0701 /* gateway, DOWNLOAD */
#define TYPE_RENEWED 0x0702 /* gateway, DOWNLOAD, expired is fine */

/* ---- a service that takes orders ---- */

static struct asker auth = { .role = ROLE_AUTH };
static struct db *journal;
static struct orders *orders;

static struct deleting {
	unsigned int calls;
	struct id last;
	enum status says;
	uint64_t sequence_then; /* what was kept when it was called */
} deleting;

static enum status delete_account(void *arg, const struct id *account)
{
	ck_assert_ptr_eq(arg, &deleting);
	deleting.calls++;
	deleting.last = *account;
	deleting.sequence_then = orders ? orders_sequence(orders) : 0;
	return deleting.says;
}

static enum status on_read(void *arg, struct exchange *x)
{
	(void)arg;
	(void)x;
	return STATUS_OK;
}

/* clang-format off */
static const struct handler handlers[] = {
	{ TYPE_READ,    "READ",    FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_DOWNLOAD), PLAIN,   on_read },
	{ TYPE_RENEWED, "RENEWED", FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_DOWNLOAD), RENEWED, on_read },
};
/* clang-format on */

static void on_journal(void *arg)
{
	(void)arg;
	db_complete(journal);
}

static void journal_open(void)
{
	journal = scratch_db("journal", "journal", 1);
	ck_assert_int_eq(
	    loop_watch_fd(program.loop, db_event_fd(journal), on_journal, NULL),
	    STATUS_OK);
}

static void journal_close(void)
{
	loop_forget_fd(program.loop, db_event_fd(journal));
	db_close(&journal);
}

static enum status open_orders(bool issuer)
{
	const struct orders_options options = {
		.journal = journal,
		.loop = program.loop,
		.issuer = issuer,
		.delete_account = delete_account,
		.arg = &deleting,
	};

	return orders_new(&orders, &options);
}

static void on_moment(void *arg)
{
	*(bool *)arg = true;
	loop_stop(program.loop);
}

/* Run the loop until ${done}, or for a moment where that is NULL. */
static void run_until(bool (*done)(void))
{
	bool over = false;
	struct timer step = { .fired = on_moment, .arg = &over };
	uint64_t until = clock_interval_ms() + STAGE_WAIT_MS;

	do {
		over = false;
		loop_timer_set(program.loop, &step, 1);
		while (!over)
			ck_assert_int_eq(loop_run(program.loop), STATUS_OK);
		ck_assert_uint_lt(clock_interval_ms(), until);
	} while (done && !done());
}

/* Nobody is there to be heard of. */
static void pass_first_moments(void)
{
	skipped_ms += ORDERS_FIRST_MS;
}

static void setup(void)
{
	deleting = (struct deleting){ 0 };
	stage_options = (struct server_options){ 0 };
	stage_setup(handlers, nitems(handlers));
	journal_open();
	ck_assert_int_eq(open_orders(false), STATUS_OK);
	asker_disconnect(&gateway);
	asker_disconnect(&ops);
	stage_close();
	stage_options.orders = orders;
	stage_write_key("auth");
	stage_open();
	ck_assert_int_eq(server_open_door(server, ROLE_AUTH), STATUS_OK);
	asker_connect(&gateway);
	asker_connect(&ops);
	asker_connect(&auth);
	pass_first_moments();
}

static void teardown(void)
{
	journal_close();
	asker_disconnect(&auth);
	orders_destroy(&orders); /* its timers are the loop's */
	ck_assert_ptr_null(orders);
	stage_teardown();
}

/* The process ends, and another begins, as service_main has it. */
static void restart_at_once(void)
{
	asker_disconnect(&gateway);
	asker_disconnect(&ops);
	asker_disconnect(&auth);
	journal_close();
	stage_close();
	orders_destroy(&orders);
	journal_open();
	ck_assert_int_eq(open_orders(false), STATUS_OK);
	orders_begin(orders);
	stage_options.orders = orders;
	stage_open();
	ck_assert_int_eq(server_open_door(server, ROLE_AUTH), STATUS_OK);
	asker_connect(&gateway);
	asker_connect(&ops);
	asker_connect(&auth);
}

static void restart(void)
{
	restart_at_once();
	pass_first_moments();
}

/* ---- what auth sends ---- */

/* Orders by rising sequence; a test changes what it likes. */
struct sending {
	Common__Orders message;
	Common__Order orders[ORDERS_A_MESSAGE_MAX + 1];
	Common__Order *pointers[ORDERS_A_MESSAGE_MAX + 1];
	struct order values[ORDERS_A_MESSAGE_MAX + 1];
};

static struct sending sending;

static void sending_begin(uint64_t latest)
{
	sending.message = (Common__Orders)COMMON__ORDERS__INIT;
	sending.message.latest = latest;
	sending.message.orders = sending.pointers;
}

static Common__Order *sending_add(const struct order *order)
{
	size_t index = sending.message.n_orders++;

	sending.values[index] = *order;
	sending.orders[index] = (Common__Order)COMMON__ORDER__INIT;
	sending.pointers[index] = &sending.orders[index];
	order_to_message(&sending.orders[index], &sending.values[index]);
	return &sending.orders[index];
}

static enum status send_it(struct asker *from)
{
	struct request request = request_of(TYPE_ORDERS);
	struct bytes body = { 0 };

	ck_assert_int_eq(pack_message(&body, &sending.message.base), STATUS_OK);
	request.body = bytes_slice(&body);
	enum status st = asker_ask(from, &request);
	bytes_clear(&body);
	return st;
}

/* What the service says that it has. */
static uint64_t kept(void)
{
	Common__OrdersKept *message;
	struct unpack unpack;

	unpack_begin(&unpack);
	ck_assert_int_eq(
	    unpack_message(&unpack, &common__orders_kept__descriptor,
		frame_slice(&auth.answer.body), &message),
	    STATUS_OK);
	uint64_t sequence = message->sequence;
	unpack_end(&unpack);
	return sequence;
}

static struct order order_now(uint64_t sequence, enum order_kind kind,
    const struct id *account, const struct id *subject)
{
	return (struct order){
		.sequence = sequence,
		.kind = kind,
		.account = *account,
		.subject = *subject,
		.when_ms = clock_wall_ms(),
	};
}

static enum status send_one(const struct order *order)
{
	sending_begin(order->sequence);
	sending_add(order);
	return send_it(&auth);
}

/* ---- what a terminal is told ---- */

struct session {
	struct request request;
	struct ticket ticket;
};

static struct session session_of(const struct id *account)
{
	struct session session = { .request = request_of(TYPE_READ) };

	session.ticket =
	    ticket_for(&session.request, account, DIRECTION_DOWNLOAD);
	session.ticket.issued_ms -= SECOND_MS;
	request_sign(&session.request, &session.ticket);
	return session;
}

static struct id nonce_of(const struct session *session)
{
	struct id id;

	memcpy(id.bytes, session->ticket.nonce, ID_BYTES);
	return id;
}

static enum status use(struct session *session)
{
	randombytes_buf(session->request.header.request.bytes, ID_BYTES);
	return asker_ask(&gateway, &session->request);
}

START_TEST(revoked)
{
	struct session one = session_of(&anna), two = session_of(&anna);
	struct id number = nonce_of(&one);
	struct order order = order_now(5, ORDER_REVOKE_TICKET, &anna, &number);

	ck_assert_int_eq(use(&one), STATUS_OK);
	ck_assert_int_eq(send_one(&order), STATUS_OK);
	ck_assert_uint_eq(kept(), 5);
	ck_assert_uint_eq(orders_revocations(orders), 1);
	ck_assert_int_eq(use(&one), STATUS_DENIED);
	ck_assert_str_eq(
	    gateway.reply.detail, "this session was revoked: log in again");
	ck_assert_int_eq(use(&two), STATUS_OK);
	restart();
	ck_assert_int_eq(use(&one), STATUS_DENIED);
	ck_assert_int_eq(use(&two), STATUS_OK);
	sending_begin(5);
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_uint_eq(kept(), 5);
	ck_assert_uint_eq(deleting.calls, 0);
}
END_TEST

/* A revocation goes when no ticket is left that it could refuse. */
START_TEST(revoked_long_ago)
{
	struct session one = session_of(&anna);
	struct id number = nonce_of(&one);
	struct order order = order_now(5, ORDER_REVOKE_TICKET, &anna, &number);
	struct order deletion =
	    order_now(6, ORDER_DELETE_ACCOUNT, &bert, &NONE);
	struct db_stats stats;

	ck_assert_int_eq(send_one(&order), STATUS_OK);
	ck_assert_int_eq(send_one(&deletion), STATUS_OK);
	ck_assert_int_eq(db_stats(journal, &stats), STATUS_OK);
	ck_assert_uint_eq(stats.rows, 3); /* and the highest number */
	skipped_ms += 26 * HOUR_MS;
	restart();
	run_until(NULL);
	ck_assert_uint_eq(orders_revocations(orders), 0);
	ck_assert_uint_eq(orders_deletions(orders), 1);
	restart(); /* what was submitted is on the disk */
	ck_assert_int_eq(db_stats(journal, &stats), STATUS_OK);
	ck_assert_uint_eq(stats.rows, 2);
	ck_assert_uint_eq(orders_sequence(orders), 6);
}
END_TEST

/* What is missing for good is not passed over: the journal was another. */
START_TEST(gap)
{
	struct order order = order_now(9, ORDER_REVOKE_ACCOUNT, &anna, &NONE);
	struct session session = session_of(&anna);

	sending_begin(9);
	sending.message.above = 5;
	sending.message.reaches = 9;
	sending_add(&order);
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_uint_eq(kept(), 0);
	ck_assert_int_eq(use(&session), STATUS_OK);
	ck_assert(!orders_in_touch(orders));
	sending.message.above = 0;
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_uint_eq(kept(), 9);
	ck_assert_int_eq(use(&session), STATUS_DENIED);
	ck_assert(orders_in_touch(orders));
}
END_TEST

/* What was over before it came is not waited for. */
START_TEST(reaches)
{
	sending_begin(9);
	sending.message.reaches = 7;
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_uint_eq(kept(), 7);
	ck_assert(!orders_in_touch(orders));
	sending.message.above = 7;
	sending.message.reaches = 9;
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_uint_eq(kept(), 9);
	ck_assert(orders_in_touch(orders));
	restart();
	ck_assert_uint_eq(orders_sequence(orders), 9);
}
END_TEST

START_TEST(number_outlives_its_orders)
{
	struct order order = order_now(5, ORDER_REVOKE_ACCOUNT, &anna, &NONE);

	ck_assert_int_eq(send_one(&order), STATUS_OK);
	skipped_ms += 26 * HOUR_MS;
	restart();
	run_until(NULL);
	restart();
	ck_assert_uint_eq(orders_revocations(orders), 0);
	ck_assert_uint_eq(orders_sequence(orders), 5);
}
END_TEST

START_TEST(covered_rows_go)
{
	struct db_stats stats;

	for (uint8_t i = 0; i < 20; i++) {
		struct id subject = { { i } };
		struct order order =
		    order_now(5u + i, ORDER_REVOKE_TERMINAL, &anna, &subject);
		ck_assert_int_eq(send_one(&order), STATUS_OK);
	}
	struct order all = order_now(99, ORDER_REVOKE_ACCOUNT, &anna, &NONE);
	ck_assert_int_eq(send_one(&all), STATUS_OK);
	ck_assert_uint_eq(orders_revocations(orders), 1);
	ck_assert_int_eq(db_stats(journal, &stats), STATUS_OK);
	ck_assert_uint_eq(stats.rows, 2);
	restart();
	ck_assert_uint_eq(orders_revocations(orders), 1);
	ck_assert_uint_eq(orders_sequence(orders), 99);
}
END_TEST

/* ---- in touch ---- */

START_TEST(touch)
{
	struct session session = session_of(&anna);
	struct order order = order_now(9, ORDER_REVOKE_ACCOUNT, &bert, &NONE);

	session.request.header.type = TYPE_RENEWED;
	session.ticket.expiry_ms = clock_wall_ms() - MINUTE_MS;
	request_sign(&session.request, &session.ticket);

	/* never heard of auth */
	ck_assert_int_eq(use(&session), STATUS_UNAVAILABLE);
	ck_assert_uint_gt(gateway.reply.retry_after_ms, 0);
	ck_assert_ptr_nonnull(strstr(gateway.reply.detail, "auth"));
	sending_begin(0);
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_uint_eq(kept(), 0);
	ck_assert_int_eq(use(&session), STATUS_OK);

	/* too long ago */
	skipped_ms += ORDERS_SILENCE_MS + SECOND_MS;
	ck_assert_int_eq(use(&session), STATUS_UNAVAILABLE);

	/* auth has ordered what is not here: is it this session? */
	sending_begin(9);
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_int_eq(use(&session), STATUS_UNAVAILABLE);
	sending_begin(9);
	sending_add(&order);
	ck_assert_int_eq(send_it(&auth), STATUS_OK);
	ck_assert_int_eq(use(&session), STATUS_OK);

	/* a process that has just begun has heard of nobody */
	restart();
	ck_assert_int_eq(use(&session), STATUS_UNAVAILABLE);

	/* its expiry is what counts without */
	session.ticket.expiry_ms = clock_wall_ms() + MINUTE_MS;
	request_sign(&session.request, &session.ticket);
	ck_assert_int_eq(use(&session), STATUS_OK);
}
END_TEST

/* What was revoked while it was down is known before anybody is served. */
START_TEST(first_moments)
{
	struct session session = session_of(&anna);
	struct id number = nonce_of(&session);
	struct order order = order_now(5, ORDER_REVOKE_TICKET, &anna, &number);

	restart_at_once();
	ck_assert_int_eq(use(&session), STATUS_UNAVAILABLE);
	ck_assert_uint_gt(gateway.reply.retry_after_ms, 0);
	ck_assert_int_eq(send_one(&order), STATUS_OK);
	ck_assert_int_eq(use(&session), STATUS_DENIED);
	session = session_of(&anna);
	ck_assert_int_eq(use(&session), STATUS_OK);

	/* what it knows it says at once */
	restart_at_once();
	session.ticket = ticket_at(&anna, &phone, &number, NOON_MS);
	memcpy(session.ticket.peer, session.request.header.peer.id,
	    TICKET_PEER_BYTES);
	session.ticket.direction = DIRECTION_DOWNLOAD;
	session.ticket.expiry_ms = clock_wall_ms() + MINUTE_MS;
	request_sign(&session.request, &session.ticket);
	ck_assert_int_eq(use(&session), STATUS_DENIED);

	/* but where auth is not there either, it goes on without */
	session = session_of(&anna);
	ck_assert_int_eq(use(&session), STATUS_UNAVAILABLE);
	pass_first_moments();
	ck_assert_int_eq(use(&session), STATUS_OK);
}
END_TEST

/* ---- deletions ---- */

START_TEST(deleted)
{
	struct session session = session_of(&anna);
	struct order order = order_now(5, ORDER_DELETE_ACCOUNT, &anna, &NONE);

	ck_assert_int_eq(use(&session), STATUS_OK);
	ck_assert(!orders_deleted(orders, &anna));
	ck_assert_int_eq(send_one(&order), STATUS_OK);
	ck_assert_uint_eq(kept(), 5);
	ck_assert_uint_eq(deleting.calls, 1);
	ck_assert(id_equal(&deleting.last, &anna));
	/* the key went first, before anything was kept or answered */
	ck_assert_uint_eq(deleting.sequence_then, 0);
	ck_assert(orders_deleted(orders, &anna));
	ck_assert_int_eq(use(&session), STATUS_DENIED);
	ck_assert_str_eq(gateway.reply.detail, "the account was deleted");
	session = session_of(&bert);
	ck_assert_int_eq(use(&session), STATUS_OK);
}
END_TEST

static bool deleted_again(void)
{
	return deleting.calls == 1;
}

START_TEST(deleted_at_each_start)
{
	struct order order = order_now(5, ORDER_DELETE_ACCOUNT, &anna, &NONE);

	ck_assert_int_eq(send_one(&order), STATUS_OK);
	for (int i = 0; i < 2; i++) {
		deleting = (struct deleting){ 0 };
		restart();
		ck_assert(orders_deleted(orders, &anna));
		run_until(deleted_again);
		ck_assert(id_equal(&deleting.last, &anna));
	}
}
END_TEST

/* More than one step looks through, revocations between them. */
START_TEST(many_deleted)
{
	sending_begin(600);
	for (uint32_t i = 1; i <= 600; i++) {
		struct id account = { { 0 } };
		put_be32(account.bytes, i);
		struct order order = order_now(i,
		    i % 2 == 0 ? ORDER_DELETE_ACCOUNT : ORDER_REVOKE_ACCOUNT,
		    &account, &NONE);
		sending_add(&order);
		if (i % 100 == 0) {
			ck_assert_int_eq(send_it(&auth), STATUS_OK);
			ck_assert_uint_eq(kept(), i);
			sending_begin(600);
		}
	}
	ck_assert_uint_eq(deleting.calls, 300);
	deleting = (struct deleting){ 0 };
	restart();
	for (int i = 0; i < 10; i++)
		run_until(NULL);
	ck_assert_uint_eq(deleting.calls, 300);
	ck_assert_uint_eq(orders_deletions(orders), 300);
	ck_assert_uint_eq(orders_revocations(orders), 300);
}
END_TEST

START_TEST(key_stays)
{
	struct session session = session_of(&anna);
	struct order order = order_now(5, ORDER_DELETE_ACCOUNT, &anna, &NONE);

	deleting.says = STATUS_UNAVAILABLE;
	ck_assert_int_eq(send_one(&order), STATUS_UNAVAILABLE);
	ck_assert_uint_eq(orders_sequence(orders), 0);
	ck_assert_int_eq(use(&session), STATUS_OK);
	deleting.says = STATUS_OK;
	ck_assert_int_eq(send_one(&order), STATUS_OK);
	ck_assert_uint_eq(kept(), 5);
	ck_assert_int_eq(use(&session), STATUS_DENIED);
}
END_TEST

/* Where it fails at the start it is tried again by itself. */
START_TEST(key_stays_at_start)
{
	struct order order = order_now(5, ORDER_DELETE_ACCOUNT, &anna, &NONE);

	ck_assert_int_eq(send_one(&order), STATUS_OK);
	deleting = (struct deleting){ .says = STATUS_UNAVAILABLE };
	restart();
	run_until(deleted_again);
	run_until(NULL);
	deleting = (struct deleting){ .says = STATUS_OK };
	skipped_ms += MINUTE_MS;
	run_until(deleted_again);
	skipped_ms += MINUTE_MS;
	run_until(NULL);
	ck_assert_uint_eq(deleting.calls, 1);
}
END_TEST

/* ---- what is refused ---- */

static void break_kind(Common__Order *order)
{
	order->kind = 0;
}

static void break_newer(Common__Order *order)
{
	order->kind = 5;
}

static void break_sequence(Common__Order *order)
{
	order->sequence = 0;
}

static void break_order(Common__Order *order)
{
	order->sequence = 1; /* as the one before it */
}

static void break_account(Common__Order *order)
{
	order->account_id.len--;
}

static void break_no_account(Common__Order *order)
{
	static uint8_t zeros[ID_BYTES];

	order->account_id.data = zeros;
}

static void break_subject(Common__Order *order)
{
	order->subject.len = 0;
}

/* clang-format off */
static const struct {
	const char *name;
	void (*change)(Common__Order *order);
	enum status want;
} hostile[] = {
	{ "R-03 no kind",              break_kind,       STATUS_MALFORMED },
	{ "O-08 a kind of the future", break_newer,      STATUS_VERSION },
	{ "R-03 no sequence",          break_sequence,   STATUS_MALFORMED },
	{ "R-03 not by sequence",      break_order,      STATUS_MALFORMED },
	{ "R-03 a short account",      break_account,    STATUS_MALFORMED },
	{ "R-03 no account",           break_no_account, STATUS_MALFORMED },
	{ "R-03 no subject",           break_subject,    STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(hostile_order)
{
	struct order one = order_now(1, ORDER_REVOKE_ACCOUNT, &anna, &NONE);
	struct order two = order_now(2, ORDER_REVOKE_ACCOUNT, &bert, &NONE);
	struct session session = session_of(&anna);

	sending_begin(2);
	sending_add(&one);
	hostile[_i].change(sending_add(&two));
	enum status got = send_it(&auth);
	ck_assert_msg(got == hostile[_i].want, "%s: got '%s', want '%s'",
	    hostile[_i].name, status_text(got), status_text(hostile[_i].want));
	/* all or nothing */
	ck_assert_uint_eq(orders_sequence(orders), 0);
	ck_assert_int_eq(use(&session), STATUS_OK);
}
END_TEST

START_TEST(too_many)
{
	sending_begin(ORDERS_A_MESSAGE_MAX + 1);
	for (uint32_t i = 1; i <= ORDERS_A_MESSAGE_MAX + 1; i++) {
		struct order order =
		    order_now(i, ORDER_REVOKE_ACCOUNT, &anna, &NONE);
		sending_add(&order);
	}
	ck_assert_int_eq(send_it(&auth), STATUS_TOO_LARGE);
	ck_assert_uint_eq(orders_sequence(orders), 0);
}
END_TEST

START_TEST(from_others)
{
	struct order order = order_now(5, ORDER_REVOKE_ACCOUNT, &anna, &NONE);

	sending_begin(5);
	sending_add(&order);
	ck_assert_int_eq(send_it(&gateway), STATUS_DENIED);
	ck_assert_int_eq(send_it(&ops), STATUS_DENIED);
	ck_assert_uint_eq(orders_sequence(orders), 0);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	uint8_t table;
	size_t key_len, value_len;
	uint8_t version;
	enum status want;
} damage[] = {
	{ "R-03 a row cut short",      1, 8, 41, 1, STATUS_MALFORMED },
	{ "R-03 a row without number", 1, 3, 42, 1, STATUS_MALFORMED },
	{ "O-08 a newer row",          1, 8, 42, 9, STATUS_VERSION },
	{ "R-03 a number cut short",   2, 0, 8,  1, STATUS_MALFORMED },
	{ "O-08 a newer number",       2, 0, 9,  9, STATUS_VERSION },
};
/* clang-format on */

static void on_damaged(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	ck_assert_int_eq(status, STATUS_OK);
}

/* What is not understood is not passed over: the service does not start. */
START_TEST(damaged_journal)
{
	static const struct id reserved = { "keepsake orders " };
	const uint8_t key[8] = { 0, 0, 0, 0, 0, 0, 0, 7 };
	uint8_t value[42] = { damage[_i].version, ORDER_REVOKE_TICKET };
	struct orders *ours = orders;
	struct db_batch *batch =
	    db_batch_new(&reserved, DB_GENERATION_ANY, NULL);

	db_batch_put(batch, damage[_i].table, slice_of(key, damage[_i].key_len),
	    slice_of(value, damage[_i].value_len));
	ck_assert_int_eq(
	    db_submit(journal, &batch, on_damaged, NULL), STATUS_PENDING);
	journal_close();
	journal_open();
	enum status got = open_orders(false);
	ck_assert_msg(got == damage[_i].want, "%s: got '%s', want '%s'",
	    damage[_i].name, status_text(got), status_text(damage[_i].want));
	orders = ours;
}
END_TEST

/* ---- auth's own ---- */

static struct issued {
	enum status status;
	uint64_t sequence;
} issued;

static void on_issued(void *arg, enum status status, uint64_t sequence)
{
	ck_assert_ptr_eq(arg, &issued);
	issued = (struct issued){ status, sequence };
}

static bool is_issued(void)
{
	return issued.status != STATUS_PENDING;
}

static enum status issue(
    enum order_kind kind, const struct id *account, const struct id *subject)
{
	struct order order = order_now(0, kind, account, subject);

	issued = (struct issued){ STATUS_PENDING, 0 };
	enum status st = orders_issue(orders, &order, on_issued, &issued);
	if (st != STATUS_PENDING)
		return st;
	run_until(is_issued);
	return issued.status;
}

static void setup_issuer(void)
{
	setup();
	orders_destroy(&orders);
	ck_assert_int_eq(open_orders(true), STATUS_OK);
}

START_TEST(issue_numbers)
{
	uint64_t before = clock_wall_ms(), last = 0;
	struct order page[ORDERS_A_MESSAGE_MAX];
	size_t count;

	ck_assert(orders_in_touch(orders));
	for (int i = 0; i < 5; i++) {
		struct id subject = { { (uint8_t)(i + 1) } };
		ck_assert_int_eq(
		    issue(ORDER_REVOKE_TICKET, &anna, &subject), STATUS_OK);
		ck_assert_uint_gt(issued.sequence, last);
		last = issued.sequence;
		ck_assert_uint_eq(orders_sequence(orders), last);
	}
	/* Wall time, so that numbers rise where a journal was lost. */
	ck_assert_uint_ge(last, before);
	ck_assert_int_eq(orders_above(orders, 0, page, &count), STATUS_OK);
	ck_assert_uint_eq(count, 5);
	ck_assert_uint_ge(page[0].when_ms, before);
	ck_assert_int_eq(
	    orders_above(orders, page[3].sequence, page, &count), STATUS_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(page[0].sequence, last);

	/* Above what a service has, whatever the clock says. */
	orders_number_above(orders, last + 1000 * HOUR_MS);
	ck_assert_int_eq(issue(ORDER_REVOKE_ACCOUNT, &anna, &NONE), STATUS_OK);
	ck_assert_uint_eq(issued.sequence, last + 1000 * HOUR_MS + 1);
	orders_destroy(&orders);
	ck_assert_int_eq(open_orders(true), STATUS_OK);
	ck_assert_uint_eq(orders_sequence(orders), issued.sequence);
	ck_assert_int_eq(issue(ORDER_REVOKE_ACCOUNT, &bert, &NONE), STATUS_OK);
	ck_assert_uint_eq(issued.sequence, last + 1000 * HOUR_MS + 2);
}
END_TEST

START_TEST(issue_is_obeyed)
{
	struct ticket ticket =
	    ticket_at(&anna, &phone, &nonce, clock_wall_ms() - SECOND_MS);

	ck_assert_ptr_null(orders_refusal(orders, &ticket));
	ck_assert_int_eq(
	    issue(ORDER_REVOKE_TERMINAL, &anna, &phone), STATUS_OK);
	ck_assert_ptr_nonnull(orders_refusal(orders, &ticket));
	ck_assert_uint_eq(deleting.calls, 0);
	ck_assert_int_eq(issue(ORDER_DELETE_ACCOUNT, &bert, &NONE), STATUS_OK);
	ck_assert_uint_eq(deleting.calls, 1);
	ck_assert(orders_deleted(orders, &bert));
	/* on the disk before anything is deleted */
	ck_assert_uint_eq(deleting.sequence_then, issued.sequence);
}
END_TEST

/* It holds, though it could not be done here yet. */
START_TEST(issue_waits_for_key)
{
	deleting.says = STATUS_UNAVAILABLE;
	ck_assert_int_eq(
	    issue(ORDER_DELETE_ACCOUNT, &bert, &NONE), STATUS_UNAVAILABLE);
	ck_assert_uint_gt(issued.sequence, 0);
	ck_assert(orders_deleted(orders, &bert));
	deleting = (struct deleting){ .says = STATUS_OK };
	skipped_ms += MINUTE_MS;
	run_until(deleted_again);
}
END_TEST

START_TEST(issue_bound)
{
	for (uint32_t i = 0; i < ORDERS_OF_ACCOUNT_MAX; i++) {
		struct id subject = { { 1 } };
		put_be32(subject.bytes + 4, i);
		ck_assert_int_eq(
		    issue(ORDER_REVOKE_TERMINAL, &anna, &subject), STATUS_OK);
	}
	ck_assert_int_eq(
	    issue(ORDER_REVOKE_TERMINAL, &anna, &phone), STATUS_TOO_LARGE);
	ck_assert_int_eq(
	    issue(ORDER_REVOKE_TERMINAL, &bert, &phone), STATUS_OK);
	ck_assert_int_eq(issue(ORDER_REVOKE_ACCOUNT, &anna, &NONE), STATUS_OK);
	ck_assert_uint_eq(orders_revocations(orders), 2);
	ck_assert_int_eq(
	    issue(ORDER_REVOKE_TERMINAL, &anna, &phone), STATUS_OK);
}
END_TEST

static TCase *service_case(const char *name)
{
	TCase *test_case = tcase_create(name);

	tcase_add_checked_fixture(test_case, setup, teardown);
	tcase_set_timeout(test_case, 60);
	return test_case;
}

static TCase *issuer_case(const char *name)
{
	TCase *test_case = tcase_create(name);

	tcase_add_checked_fixture(test_case, setup_issuer, teardown);
	tcase_set_timeout(test_case, 60);
	return test_case;
}

static void add_service(Suite *suite)
{
	TCase *revoking = service_case("A-14 a revoked ticket is refused");
	tcase_add_test(revoking, revoked);
	tcase_add_test(revoking, revoked_long_ago);
	tcase_add_test(revoking, number_outlives_its_orders);
	tcase_add_test(revoking, covered_rows_go);
	tcase_add_test(revoking, gap);
	tcase_add_test(revoking, reaches);
	suite_add_tcase(suite, revoking);

	TCase *touching =
	    service_case("A-14 who is cut off from auth renews no ticket");
	tcase_add_test(touching, touch);
	tcase_add_test(touching, first_moments);
	suite_add_tcase(suite, touching);

	TCase *deletes = service_case("A-12 a deletion is obeyed, for good");
	tcase_add_test(deletes, deleted);
	tcase_add_test(deletes, deleted_at_each_start);
	tcase_add_test(deletes, many_deleted);
	tcase_add_test(deletes, key_stays);
	tcase_add_test(deletes, key_stays_at_start);
	suite_add_tcase(suite, deletes);

	TCase *refusing = service_case("R-03 orders that are refused");
	tcase_add_loop_test(refusing, hostile_order, 0, nitems(hostile));
	tcase_add_test(refusing, too_many);
	tcase_add_test(refusing, from_others);
	tcase_add_loop_test(refusing, damaged_journal, 0, nitems(damage));
	suite_add_tcase(suite, refusing);
}

int main(void)
{
	Suite *suite = suite_create("orders");

	if (sodium_init() < 0)
		return EXIT_FAILURE;

	add_service(suite);
	TCase *issuing = issuer_case("A-14 A-12 auth numbers and obeys");
	tcase_add_test(issuing, issue_numbers);
	tcase_add_test(issuing, issue_is_obeyed);
	tcase_add_test(issuing, issue_waits_for_key);
	tcase_add_test(issuing, issue_bound);
	suite_add_tcase(suite, issuing);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
