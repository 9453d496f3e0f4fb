#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "ring.h"
#include "scratch_db.h"
#include "service/outbox.h"
#include "service/sealed_row.h"
#include "service/tables.h"
#include "skip_time.h"

#define GUARD_MS 30000 /* a test that would wait for good ends here */
#define MANY     1200  /* more than an outbox, or a page, holds at once */
#define ACCOUNTS 600   /* more than are looked into in one step */
#define ROWS     1     /* table */

static const struct id anna = { "account of anna" };

/* ---- the service: database, link, outbox ---- */

static struct loop *loop;
static struct bus *bus;
static struct db *db;
static struct caller *links[ROLE_COUNT]; /* to notify, and to auth */
static struct outbox *outbox;
static struct timer guard;
static char endpoint[2 * SCRATCH_BYTES], auth_endpoint[2 * SCRATCH_BYTES];

static void on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing happens any more");
}

static void on_db(void *arg)
{
	(void)arg;
	db_complete(db);
}

/* The process begins, as service_main has it. */
static void service_open(void)
{
	struct curve_keys keys;
	struct db_options options = {
		.path = scratch_path("data"),
		.service = "store",
		.format = 1,
		.map_bytes = 1 << 20,
		.map_bytes_max = 64 << 20,
		.reserve_bytes = 1 << 20,
	};
	const struct caller_options link = {
		.name = "notify",
		.endpoint = endpoint,
		.envelope_count = 1,
	};
	const struct caller_options auth_link = {
		.name = "auth",
		.endpoint = auth_endpoint,
		.envelope_count = 1,
	};

	ck_assert_int_eq(loop_new(&loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(loop, &guard, GUARD_MS);
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &bus), STATUS_OK);
	ck_assert_int_eq(db_open(&options, &db), STATUS_OK);
	ring_open("store");
	ck_assert_int_eq(
	    loop_watch_fd(loop, db_event_fd(db), on_db, NULL), STATUS_OK);
	ck_assert_int_eq(
	    caller_new(bus, loop, &link, &links[ROLE_NOTIFY]), STATUS_OK);
	ck_assert_int_eq(
	    caller_new(bus, loop, &auth_link, &links[ROLE_AUTH]), STATUS_OK);
	ck_assert_int_eq(
	    outbox_new(db, db, ring, loop, links, &outbox), STATUS_OK);
}

/* It ends, in the same order as there. */
static void service_close(void)
{
	loop_forget_fd(loop, db_event_fd(db));
	outbox_disconnect(outbox);
	caller_destroy(&links[ROLE_NOTIFY]);
	caller_destroy(&links[ROLE_AUTH]);
	db_close(&db);
	outbox_destroy(&outbox);
	ck_assert_ptr_null(outbox);
	outbox_destroy(&outbox);
	ring_close();
	bus_destroy(&bus);
	loop_timer_cancel(loop, &guard);
	loop_destroy(&loop);
}

/* ---- notify, as far as it is needed here ---- */

static struct notify {
	struct bus *bus;
	void *door;
	struct message message;
	enum status says; /* PENDING: nothing */
	unsigned int told;
	struct id account; /* of the latest Tell */
	struct id notice, first_notice;
	uint64_t when_ms;
	Notify__Kind kind;
	unsigned int distinct; /* notices, where fewer than MANY were told */
	struct id seen[MANY];
} notify;

static void note_notice(const struct id *id)
{
	for (unsigned int i = 0; i < notify.distinct; i++)
		if (id_equal(&notify.seen[i], id))
			return;
	ck_assert_uint_lt(notify.distinct, MANY);
	notify.seen[notify.distinct++] = *id;
}

static void answer_with(const struct header *asked, enum status status)
{
	struct header header = {
		.request = asked->request,
		.type = TYPE_REPLY,
		.status = status,
	};
	struct bytes packed = { 0 };

	ck_assert_int_eq(header_pack(&packed, &header), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&notify.message.header, bytes_slice(&packed)),
	    STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&notify.message.body, (struct slice){ 0 }), STATUS_OK);
	ck_assert_int_eq(message_send(&notify.message, notify.door), STATUS_OK);
	bytes_clear(&packed);
}

static void hear(void)
{
	struct header header;
	struct unpack unpack;
	Notify__Tell *tell;

	ck_assert_int_eq(
	    header_unpack(&header, frame_slice(&notify.message.header)),
	    STATUS_OK);
	ck_assert_uint_eq(header.type, NOTIFY__TYPE__TELL);
	unpack_begin(&unpack);
	ck_assert_int_eq(unpack_message(&unpack, &notify__tell__descriptor,
			     frame_slice(&notify.message.body), &tell),
	    STATUS_OK);
	ck_assert_int_eq(
	    id_from(&notify.account, field_slice(tell->account_id)), STATUS_OK);
	ck_assert(id_equal(&header.account, &notify.account));
	ck_assert_ptr_nonnull(tell->notice);
	ck_assert_int_eq(
	    id_from(&notify.notice, field_slice(tell->notice->notice_id)),
	    STATUS_OK);
	notify.when_ms = tell->notice->when_ms;
	notify.kind = tell->notice->kind;
	unpack_end(&unpack);
	if (notify.told++ == 0)
		notify.first_notice = notify.notice;
	note_notice(&notify.notice);
	if (notify.says != STATUS_PENDING)
		answer_with(&header, notify.says);
}

static void on_notify_readable(void *arg)
{
	(void)arg;
	while (message_receive(&notify.message, notify.door, 2) == STATUS_OK)
		hear();
}

static void notify_open(enum status says)
{
	struct curve_keys keys;

	notify.says = says;
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &notify.bus), STATUS_OK);
	ck_assert_int_eq(
	    bus_bind(notify.bus, "store", endpoint, NULL, &notify.door),
	    STATUS_OK);
	message_init(&notify.message);
	ck_assert_int_eq(
	    loop_watch_socket(loop, notify.door, on_notify_readable, NULL),
	    STATUS_OK);
}

static void notify_close(void)
{
	if (!notify.bus)
		return;
	loop_forget_socket(loop, notify.door);
	message_clear(&notify.message);
	bus_close(&notify.door);
	bus_destroy(&notify.bus);
}

/* ---- auth, likewise ---- */

static struct {
	struct bus *bus;
	void *door;
	struct message message;
	enum status says; /* PENDING: nothing */
	unsigned int told;
	struct header header; /* of the latest message */
	uint8_t body[64];
	size_t body_len;
} auth;

static void on_auth_readable(void *arg)
{
	struct header reply = { .type = TYPE_REPLY, .status = auth.says };
	struct bytes packed = { 0 };

	(void)arg;
	while (message_receive(&auth.message, auth.door, 2) == STATUS_OK) {
		struct slice body = frame_slice(&auth.message.body);
		ck_assert_int_eq(header_unpack(&auth.header,
				     frame_slice(&auth.message.header)),
		    STATUS_OK);
		ck_assert_uint_le(body.len, sizeof(auth.body));
		memcpy(auth.body, body.data, body.len);
		auth.body_len = body.len;
		auth.told++;
		if (auth.says == STATUS_PENDING)
			continue;
		reply.request = auth.header.request;
		ck_assert_int_eq(header_pack(&packed, &reply), STATUS_OK);
		ck_assert_int_eq(
		    frame_copy(&auth.message.header, bytes_slice(&packed)),
		    STATUS_OK);
		ck_assert_int_eq(
		    frame_copy(&auth.message.body, (struct slice){ 0 }),
		    STATUS_OK);
		ck_assert_int_eq(
		    message_send(&auth.message, auth.door), STATUS_OK);
		bytes_clear(&packed);
	}
}

static void auth_open(enum status says)
{
	struct curve_keys keys;

	auth.says = says;
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &auth.bus), STATUS_OK);
	ck_assert_int_eq(
	    bus_bind(auth.bus, "store", auth_endpoint, NULL, &auth.door),
	    STATUS_OK);
	message_init(&auth.message);
	ck_assert_int_eq(
	    loop_watch_socket(loop, auth.door, on_auth_readable, NULL),
	    STATUS_OK);
}

static void auth_close(void)
{
	if (!auth.bus)
		return;
	loop_forget_socket(loop, auth.door);
	message_clear(&auth.message);
	bus_close(&auth.door);
	bus_destroy(&auth.bus);
}

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	snprintf(endpoint, sizeof(endpoint), "ipc://%s", scratch_path("run/s"));
	snprintf(auth_endpoint, sizeof(auth_endpoint), "ipc://%s",
	    scratch_path("auth/s"));
	service_open();
}

static void teardown(void)
{
	notify_close();
	auth_close();
	service_close();
	arena_close();
	scratch_remove();
}

/* ---- waiting for something to be so ---- */

static struct timer look;
static bool (*is_so)(void);

static void on_look(void *arg)
{
	(void)arg;
	if (is_so())
		loop_stop(loop);
	else
		loop_timer_set(loop, &look, 2);
}

static void wait_until(bool (*condition)(void))
{
	is_so = condition;
	look = (struct timer){ .fired = on_look };
	loop_timer_set(loop, &look, 0);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
}

static bool nothing_waits(void)
{
	return outbox_waiting(outbox) == 0;
}

static bool one_waits(void)
{
	return outbox_waiting(outbox) == 1;
}

static bool told_once(void)
{
	return notify.told >= 1;
}

static bool told_twice(void)
{
	return notify.told >= 2;
}

static bool all_told(void)
{
	return notify.distinct == MANY && nothing_waits();
}

static bool each_told(void)
{
	return notify.distinct == ACCOUNTS && nothing_waits();
}

static unsigned int committed;

static bool all_committed(void)
{
	return committed == 0;
}

static void on_committed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	ck_assert_int_eq(status, STATUS_OK);
	committed--;
}

static void submit(struct db_batch *batch)
{
	committed++;
	ck_assert_int_eq(
	    db_submit(db, &batch, on_committed, NULL), STATUS_PENDING);
}

static void promise(const struct id *account)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	notice.kind = NOTIFY__KIND__BACKUP_DONE;
	db_batch_put(batch, ROWS, slice_text("change"), slice_text("1"));
	outbox_put(outbox, batch, account, &notice);
	submit(batch);
	ck_assert_uint_eq(notice.notice_id.len, 0); /* nothing dangles */
}

static size_t rows_of(const struct id *account)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(
	    db_scan(db, account, TABLE_OUTBOX, all, all, 0, false, &page),
	    STATUS_OK);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

/* Whether any of the account's rows holds the bytes of ${text}. */
static bool rows_show(const struct id *account, const void *bytes, size_t len)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };
	bool found = false;

	ck_assert_int_eq(
	    db_scan(db, account, TABLE_OUTBOX, all, all, 0, false, &page),
	    STATUS_OK);
	for (size_t i = 0; i < page.count; i++) {
		struct slice value = page.entries[i].value;
		found |= memmem(value.data, value.len, bytes, len) != NULL;
	}
	db_page_clear(&page);
	return found;
}

static struct id account_of(uint32_t number)
{
	struct id id = { { 1 } };

	put_be32(id.bytes + 12, number);
	return id;
}

/* ---- told ---- */

START_TEST(told)
{
	notify_open(STATUS_OK);
	promise(&anna);
	wait_until(all_committed);
	ck_assert_uint_eq(rows_of(&anna), 1);
	outbox_kick(outbox, &anna);
	ck_assert_uint_eq(outbox_waiting(outbox), 1);
	wait_until(nothing_waits);
	ck_assert_uint_eq(notify.told, 1);
	ck_assert(id_equal(&notify.account, &anna));
	ck_assert(!id_is_none(&notify.notice));
	ck_assert_int_eq(notify.kind, NOTIFY__KIND__BACKUP_DONE);
	ck_assert_uint_le(notify.when_ms, clock_wall_ms());
	ck_assert_uint_ge(notify.when_ms + 60000, clock_wall_ms());
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

START_TEST(kicked_twice)
{
	notify_open(STATUS_OK);
	promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	outbox_kick(outbox, &anna);
	ck_assert_uint_eq(outbox_waiting(outbox), 1);
	wait_until(nothing_waits);
	ck_assert_uint_eq(notify.distinct, 1);
	outbox_kick(outbox, &anna);
	ck_assert_uint_eq(outbox_waiting(outbox), 0);
}
END_TEST

/* The row is there until notify has it, however long that takes. */
START_TEST(kept_while_notify_is_down)
{
	promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	for (int i = 0; i < 3; i++) {
		skipped_ms += 61000; /* past the call's deadline */
		loop_timer_set(loop, &guard, GUARD_MS);
		wait_until(one_waits);
		ck_assert_uint_eq(rows_of(&anna), 1);
	}
	notify_open(STATUS_OK);
	wait_until(nothing_waits);
	ck_assert_uint_eq(notify.distinct, 1);
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

/* Whatever notify says but OK, it is told again. */
START_TEST(kept_while_notify_refuses)
{
	static const enum status refusals[] = { STATUS_INTERNAL,
		STATUS_NO_SPACE, STATUS_BUSY, STATUS_UNKNOWN };

	notify_open(refusals[_i]);
	promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	capture_begin(STDERR_FILENO);
	wait_until(told_twice);
	capture_end();
	ck_assert_uint_eq(rows_of(&anna), 1);
	notify.says = STATUS_OK;
	wait_until(nothing_waits);
	ck_assert_uint_eq(notify.distinct, 1); /* a repeat is known by its id */
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

START_TEST(account_removed)
{
	notify_open(STATUS_PENDING);
	promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	wait_until(told_once);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_remove_account(batch);
	submit(batch);
	wait_until(all_committed);
	/* told after all: there is no row to delete, and nothing to repeat */
	notify_close();
	notify_open(STATUS_OK);
	wait_until(nothing_waits);
}
END_TEST

START_TEST(too_large)
{
	static Notify__Figure figures[200];
	static Notify__Figure *pointers[nitems(figures)];
	static char name[] = "a name of a good many bytes";
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);

	for (size_t i = 0; i < nitems(figures); i++) {
		figures[i] = (Notify__Figure)NOTIFY__FIGURE__INIT;
		figures[i].name = name;
		pointers[i] = &figures[i];
	}
	notice.figures = pointers;
	notice.n_figures = nitems(figures);
	db_batch_put(batch, ROWS, slice_text("change"), slice_text("1"));
	outbox_put(outbox, batch, &anna, &notice);
	/* the change and its notice go together or not at all */
	ck_assert_int_eq(db_submit(db, &batch, NULL, NULL), STATUS_TOO_LARGE);
	db_batch_destroy(&batch);
}
END_TEST

/* ---- across a restart ---- */

static void restart(void)
{
	notify_close();
	auth_close();
	service_close();
	service_open();
}

/* The process ended between the commit and the kick. */
START_TEST(found_after_a_restart)
{
	promise(&anna);
	wait_until(all_committed);
	restart();
	ck_assert_uint_eq(rows_of(&anna), 1);
	notify_open(STATUS_OK);
	wait_until(told_once);
	wait_until(nothing_waits);
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

/* It ended when notify had it, and did not know. */
START_TEST(told_again_after_a_restart)
{
	notify_open(STATUS_PENDING);
	promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	wait_until(told_once);
	restart();
	ck_assert_uint_eq(rows_of(&anna), 1);
	notify_open(STATUS_OK);
	wait_until(told_twice);
	wait_until(nothing_waits);
	ck_assert(id_equal(&notify.notice, &notify.first_notice));
	ck_assert_uint_eq(rows_of(&anna), 0);
	/* and once more: gone is gone */
	notify.told = 0;
	restart();
	notify_open(STATUS_OK);
	promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	wait_until(nothing_waits);
	ck_assert_uint_eq(notify.told, 1);
	ck_assert_uint_eq(notify.distinct, 2);
}
END_TEST

START_TEST(many_accounts)
{
	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		struct id account = account_of(i);
		promise(&account);
	}
	wait_until(all_committed);
	restart();
	notify_open(STATUS_OK);
	wait_until(each_told);
	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		struct id account = account_of(i);
		ck_assert_uint_eq(rows_of(&account), 0);
	}
}
END_TEST

START_TEST(many_notices)
{
	for (int i = 0; i < MANY; i++)
		promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	notify_open(STATUS_OK);
	wait_until(all_told);
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

/* An outbox that goes while it is full leaves nothing in the loop. */
START_TEST(ended_when_full)
{
	for (int i = 0; i < MANY; i++)
		promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	loop_forget_fd(loop, db_event_fd(db));
	caller_destroy(&links[ROLE_NOTIFY]);
	caller_destroy(&links[ROLE_AUTH]);
	db_close(&db);
	outbox_destroy(&outbox);
	look = (struct timer){ .fired = on_look };
	is_so = all_committed;
	loop_timer_set(loop, &look, 20);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
	ring_close();
	bus_destroy(&bus);
	loop_timer_cancel(loop, &guard);
	loop_destroy(&loop);
	service_open();
}
END_TEST

/* ---- to another service than notify ---- */

#define GONE 0x0181 /* a type of auth's; any would do */

static bool auth_told(void)
{
	return auth.told >= 1;
}

static bool auth_told_twice(void)
{
	return auth.told >= 2;
}

/* Promise auth ${says} in a batch of its own. */
static void promise_auth(const struct id *account, const char *says)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	Notify__Figure message = NOTIFY__FIGURE__INIT;

	message.name = (char *)says; /* protobuf-c only reads it */
	outbox_put_for(outbox, batch, account, ROLE_AUTH, GONE, &message.base);
	submit(batch);
}

static void check_auth_was_told(const char *want)
{
	struct unpack unpack;
	Notify__Figure *message;

	ck_assert_uint_eq(auth.header.type, GONE);
	ck_assert(id_equal(&auth.header.account, &anna));
	unpack_begin(&unpack);
	ck_assert_int_eq(unpack_message(&unpack, &notify__figure__descriptor,
			     slice_of(auth.body, auth.body_len), &message),
	    STATUS_OK);
	ck_assert_str_eq(message->name, want);
	unpack_end(&unpack);
}

START_TEST(told_to_auth)
{
	notify_open(STATUS_OK);
	auth_open(STATUS_OK);
	promise_auth(&anna, "word");
	promise(&anna);
	wait_until(all_committed);
	ck_assert_uint_eq(rows_of(&anna), 2);
	outbox_kick(outbox, &anna);
	ck_assert_uint_eq(outbox_waiting(outbox), 2);
	wait_until(nothing_waits);
	ck_assert_uint_eq(auth.told, 1);
	check_auth_was_told("word");
	ck_assert_uint_eq(notify.told, 1); /* and of its own only */
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

START_TEST(told_to_auth_once_it_is_up)
{
	promise_auth(&anna, "word");
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	restart();
	ck_assert_uint_eq(rows_of(&anna), 1);
	auth_open(STATUS_UNAVAILABLE);
	wait_until(auth_told_twice);
	ck_assert_uint_eq(rows_of(&anna), 1);
	auth.says = STATUS_OK;
	wait_until(nothing_waits);
	check_auth_was_told("word");
	ck_assert_uint_eq(rows_of(&anna), 0);
}
END_TEST

/* However much notify has not heard yet, auth hears what is for it. */
START_TEST(auth_does_not_queue_behind_notify)
{
	for (int i = 0; i < MANY; i++)
		promise(&anna);
	wait_until(all_committed);
	outbox_kick(outbox, &anna);
	promise_auth(&anna, "word");
	wait_until(all_committed);
	auth_open(STATUS_OK);
	outbox_kick(outbox, &anna);
	wait_until(auth_told);
	check_auth_was_told("word");
}
END_TEST

/* Rows that no outbox has written stay, and hold up nothing. */
START_TEST(unusable_rows)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} values[] = {
		{ { 0x01 }, 1 }, { { 0x01, ROLE_AUTH, 0, 0, 1 }, 5 },
		{ { 0x01, ROLE_COUNT, 0, 0, 1, 0x81 }, 6 },
		{ { 0x01, ROLE_STORE, 0, 0, 2, 0x81 }, 6 }, /* no peer */
	};
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	uint8_t key[8 + ID_BYTES] = { 1 };

	for (size_t i = 0; i < nitems(values); i++) {
		key[8] = (uint8_t)(1 + i);
		sealed_row_put(ring, db, batch, &anna, TABLE_OUTBOX,
		    slice_of(key, sizeof(key)),
		    slice_of(values[i].bytes, values[i].len));
	}
	db_batch_put(batch, TABLE_OUTBOX, slice_of(key, 5), slice_of("x", 1));
	submit(batch);
	auth_open(STATUS_OK);
	notify_open(STATUS_OK);
	promise_auth(&anna, "word");
	promise(&anna);
	wait_until(all_committed);
	capture_begin(STDERR_FILENO);
	outbox_kick(outbox, &anna);
	wait_until(nothing_waits);
	ck_assert_ptr_nonnull(
	    strstr(capture_end(), "event=row_unusable table=outbox"));
	ck_assert_uint_eq(auth.told, 1);
	ck_assert_uint_eq(notify.told, 1);
	ck_assert_uint_eq(rows_of(&anna), nitems(values) + 1);
}
END_TEST

/* Rows of format 1 were packed Tells in clear. */
static void write_clear(const struct id *account, const struct id *id)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	Notify__Tell tell = NOTIFY__TELL__INIT;
	struct bytes value = { 0 };
	uint8_t key[8 + ID_BYTES];

	notice.kind = NOTIFY__KIND__BACKUP_DONE;
	notice.when_ms = 1234;
	notice.notice_id = field_of(slice_of(id->bytes, ID_BYTES));
	tell.account_id = field_of(slice_of(account->bytes, ID_BYTES));
	tell.notice = &notice;
	ck_assert_int_eq(pack_message(&value, &tell.base), STATUS_OK);
	put_be64(key, notice.when_ms);
	memcpy(key + 8, id->bytes, ID_BYTES);
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, TABLE_OUTBOX, slice_of(key, sizeof(key)),
	    bytes_slice(&value));
	submit(batch);
	wait_until(all_committed);
	bytes_clear(&value);
}

/* ---- at rest ---- */

START_TEST(sealed)
{
	promise(&anna);
	wait_until(all_committed);
	ck_assert_uint_eq(rows_of(&anna), 1);
	/* the account's id is in each Tell */
	ck_assert(!rows_show(&anna, anna.bytes, ID_BYTES));
}
END_TEST

START_TEST(migrated)
{
	const struct id id = { "told long before" };

	write_clear(&anna, &id);
	ck_assert(rows_show(&anna, anna.bytes, ID_BYTES));
	/* cut short after one, and again: none is sealed twice */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    sealed_rows_migrate(ring, db, TABLE_OUTBOX, 0), STATUS_OK);
		ck_assert(!rows_show(&anna, anna.bytes, ID_BYTES));
	}
	notify_open(STATUS_OK);
	outbox_kick(outbox, &anna);
	wait_until(told_once);
	wait_until(nothing_waits);
	ck_assert(id_equal(&notify.notice, &id));
	ck_assert(id_equal(&notify.account, &anna));
	ck_assert_uint_eq(notify.when_ms, 1234);
}
END_TEST

/* One row is damaged: the others are told. */
START_TEST(damaged)
{
	uint8_t key[8 + ID_BYTES] = { 0 };
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);

	db_batch_put(batch, TABLE_OUTBOX, slice_of(key, sizeof(key)),
	    slice_text("\002not what was sealed, however long it may be"));
	submit(batch);
	promise(&anna);
	wait_until(all_committed);
	notify_open(STATUS_OK);
	capture_begin(STDERR_FILENO);
	outbox_kick(outbox, &anna);
	ck_assert_ptr_nonnull(strstr(capture_end(), "event=row_unusable"));
	wait_until(told_once);
	wait_until(nothing_waits);
	ck_assert_uint_eq(notify.told, 1);
	ck_assert_uint_eq(rows_of(&anna), 1);
}
END_TEST

/* The account is being deleted: nothing is promised, nothing is told. */
START_TEST(shredded)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;

	promise(&anna);
	wait_until(all_committed);
	ck_assert_int_eq(keyring_shred(ring, db, &anna), STATUS_OK);
	notify_open(STATUS_OK);
	outbox_kick(outbox, &anna);
	ck_assert_uint_eq(outbox_waiting(outbox), 0);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	notice.kind = NOTIFY__KIND__BACKUP_DONE;
	outbox_put(outbox, batch, &anna, &notice);
	ck_assert_int_eq(db_submit(db, &batch, NULL, NULL), STATUS_CONFLICT);
	db_batch_destroy(&batch);
}
END_TEST

static bool nothing_asked(void)
{
	return caller_pending(links[ROLE_NOTIFY]) == 0;
}

/* In a journal: the account's key is noted in the database only. */
START_TEST(in_a_journal)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	struct outbox *other = NULL;
	struct db *journal = scratch_db("journal", "journal", 1);
	struct bytes row = { 0 };

	ck_assert_int_eq(
	    outbox_new(journal, db, ring, loop, links, &other), STATUS_OK);
	notice.kind = NOTIFY__KIND__BACKUP_DONE;
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	outbox_put(other, batch, &anna, &notice);
	ck_assert_int_eq(db_submit_wait(journal, &batch), STATUS_CONFLICT);
	db_batch_destroy(&batch);

	promise(&anna); /* which brings a key */
	wait_until(all_committed);
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	outbox_put(other, batch, &anna, &notice);
	ck_assert_int_eq(db_submit_wait(journal, &batch), STATUS_OK);
	ck_assert_int_eq(db_get(journal, &anna, TABLE_ACCOUNT_KEY,
			     (struct slice){ 0 }, &row),
	    STATUS_NOT_FOUND);
	notify_open(STATUS_OK);
	outbox_kick(other, &anna);
	wait_until(told_once);
	wait_until(nothing_asked); /* its parcel is not to be answered later */
	outbox_disconnect(other);
	db_stop(journal);
	outbox_destroy(&other);
	db_close(&journal);
	bytes_clear(&row);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outbox");
	TCase *others = tcase_create("D-02 what other services are told");
	TCase *promises = tcase_create("N-05 what was promised is told");
	TCase *restarts = tcase_create("N-05 R-01 told after a restart");
	TCase *numbers = tcase_create("N-05 G-05 much to tell");

	tcase_add_checked_fixture(promises, setup, teardown);
	tcase_add_checked_fixture(restarts, setup, teardown);
	tcase_add_checked_fixture(numbers, setup, teardown);
	tcase_set_timeout(numbers, 60);
	tcase_add_test(promises, told);
	tcase_add_test(promises, kicked_twice);
	tcase_add_test(promises, kept_while_notify_is_down);
	tcase_add_loop_test(promises, kept_while_notify_refuses, 0, 4);
	tcase_add_test(promises, account_removed);
	tcase_add_test(promises, too_large);
	tcase_add_test(restarts, found_after_a_restart);
	tcase_add_test(restarts, told_again_after_a_restart);
	tcase_add_test(numbers, many_accounts);
	tcase_add_test(numbers, many_notices);
	tcase_add_test(numbers, ended_when_full);
	tcase_add_checked_fixture(others, setup, teardown);
	tcase_set_timeout(others, 60);
	tcase_add_test(others, told_to_auth);
	tcase_add_test(others, told_to_auth_once_it_is_up);
	tcase_add_test(others, auth_does_not_queue_behind_notify);
	tcase_add_test(others, unusable_rows);
	TCase *rest = tcase_create("K-08 N-05 what waits is sealed");
	tcase_add_checked_fixture(rest, setup, teardown);
	tcase_add_test(rest, sealed);
	tcase_add_test(rest, migrated);
	tcase_add_test(rest, damaged);
	tcase_add_test(rest, shredded);
	tcase_add_test(rest, in_a_journal);
	suite_add_tcase(suite, rest);
	suite_add_tcase(suite, promises);
	suite_add_tcase(suite, others);
	suite_add_tcase(suite, restarts);
	suite_add_tcase(suite, numbers);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	log_level_set(LOG_WARNING);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
