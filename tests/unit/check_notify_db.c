#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/util.h"
#include "bus/unpack.h"
#include "ring.h"
#include "scratch_db.h"
#include "service/sealed_row.h"

/* What is tested, with its private parts. */
#include "../../services/notify/notify_db.c"
#include "../../services/notify/notice.c"
#include "../../services/notify/delivery.c"
#include "../../services/notify/schedule.c"

static struct db *db;
static struct notify_db rows;

static const struct id ann = { { 0xa1 } };
static const struct id phone = { { 1 } }, tablet = { { 2 } };

static void open_db(void)
{
	db = scratch_db("db", "notify", NOTIFY_DB_FORMAT);
	ring_open("notify");
	rows = (struct notify_db){ db, ring };
}

static void close_db(void)
{
	ring_close();
	db_close(&db);
}

static void set_up(void)
{
	scratch_make();
	ck_assert(arena_open(16384) == STATUS_OK);
	open_db();
}

static void tear_down(void)
{
	close_db();
	arena_close();
	scratch_remove();
}

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	*(enum status *)arg = status;
}

static struct db_batch *batch_of_ann(void)
{
	return db_batch_new(&ann, DB_GENERATION_ANY, NULL);
}

static enum status submit(struct db_batch *batch)
{
	zmq_pollitem_t item = { NULL, db_event_fd(db), ZMQ_POLLIN, 0 };
	enum status done = STATUS_PENDING;

	ck_assert(db_submit(db, &batch, on_done, &done) == STATUS_PENDING);
	for (int i = 0; i < 100 && done == STATUS_PENDING; i++) {
		zmq_poll(&item, 1, 100);
		db_complete(db);
	}
	return done;
}

/* Notice number ${number} that came at ${stored_ms}. */
static struct notice_key key_of(uint8_t number, uint64_t stored_ms)
{
	return (struct notice_key){ stored_ms, { { number, 0, 1 } } };
}

static enum status tell(uint8_t number, uint64_t stored_ms)
{
	struct notice_key key = key_of(number, stored_ms);
	struct db_batch *batch = batch_of_ann();
	char text[32];

	snprintf(text, sizeof(text), "notice %u", number);
	notify_db_put_arrived(&rows, batch, &ann, &key, slice_text(text));
	return submit(batch);
}

static size_t expand(uint64_t now_ms, bool *more)
{
	struct recipients to = { .terminals = { phone, tablet }, .count = 2 };
	struct db_batch *batch = batch_of_ann();
	size_t count;

	ck_assert(notify_db_expand(&rows, batch, &ann, &to, now_ms, &count,
		      more) == STATUS_OK);
	if (count > 0)
		ck_assert(submit(batch) == STATUS_OK);
	else
		db_batch_destroy(&batch);
	return count;
}

static size_t deliveries(
    const struct id *terminal, struct delivery out[static DELIVERY_BATCH_MAX])
{
	size_t count;
	bool more;

	ck_assert(notify_db_deliveries(&rows, &ann, terminal, NULL, out, &count,
		      &more) == STATUS_OK);
	ck_assert(!more);
	return count;
}

static void check_totals(uint64_t notices, uint64_t waiting, uint64_t letters)
{
	struct totals totals = { 0 };

	ck_assert(notify_db_count(&rows, &ann, &totals) == STATUS_OK);
	ck_assert_uint_eq(totals.notices, notices);
	ck_assert_uint_eq(totals.deliveries, waiting);
	ck_assert_uint_eq(totals.letters, letters);
}

START_TEST(told_once)
{
	struct notice_key key, want = key_of(1, 1000);

	ck_assert(
	    notify_db_told(&rows, &ann, &want.id, &key) == STATUS_NOT_FOUND);
	ck_assert(tell(1, 1000) == STATUS_OK);
	ck_assert(tell(1, 2000) == STATUS_CONFLICT);
	ck_assert(notify_db_told(&rows, &ann, &want.id, &key) == STATUS_OK);
	ck_assert_uint_eq(key.stored_ms, 1000);
	check_totals(1, 0, 0);
}
END_TEST

START_TEST(told_is_forgotten_when_old)
{
	struct notice_key old = key_of(1, 1000), young = key_of(2, 2000), key;
	struct db_batch *batch = batch_of_ann();

	ck_assert(tell(1, 1000) == STATUS_OK);
	ck_assert(tell(2, 2000) == STATUS_OK);
	notify_db_forget_told(&rows, batch, &ann, 2000);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(
	    notify_db_told(&rows, &ann, &old.id, &key) == STATUS_NOT_FOUND);
	ck_assert(notify_db_told(&rows, &ann, &young.id, &key) == STATUS_OK);
}
END_TEST

START_TEST(expanded_oldest_first)
{
	struct delivery list[DELIVERY_BATCH_MAX];
	struct bytes packed = { 0 };
	bool more, arrived;

	for (uint8_t i = 0; i < 10; i++)
		ck_assert(tell(i, 1000u + i) == STATUS_OK);
	ck_assert_uint_eq(expand(5000, &more), 8);
	ck_assert(more);
	ck_assert_uint_eq(expand(5000, &more), 2);
	ck_assert(!more);
	ck_assert_uint_eq(expand(5000, &more), 0);
	ck_assert(notify_db_has_arrived(&rows, &ann, &arrived) == STATUS_OK);
	ck_assert(!arrived);
	check_totals(10, 20, 0);
	close_db();
	open_db();
	ck_assert_uint_eq(deliveries(&tablet, list), 10);
	for (uint8_t i = 0; i < 10; i++) {
		ck_assert_uint_eq(list[i].notice.stored_ms, 1000u + i);
		ck_assert_uint_eq(list[i].attempts, 0);
		ck_assert_uint_eq(list[i].due_ms, 5000);
	}
	ck_assert(notify_db_notice(&rows, &ann, &list[7].notice, &packed) ==
		  STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&packed), slice_text("notice 7")));
	bytes_clear(&packed);
}
END_TEST

START_TEST(attempts_are_kept)
{
	struct delivery list[DELIVERY_BATCH_MAX];
	struct db_batch *batch = batch_of_ann();
	bool more;

	ck_assert(tell(1, 1000) == STATUS_OK);
	expand(1000, &more);
	deliveries(&phone, list);
	list[0].attempts = 3;
	list[0].due_ms = 9000;
	notify_db_put_attempt(&rows, batch, &ann, &phone, &list[0]);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert_uint_eq(deliveries(&phone, list), 1);
	ck_assert_uint_eq(list[0].attempts, 3);
	ck_assert_uint_eq(list[0].due_ms, 9000);
	/* Not for one that is gone: it must not come back. */
	list[0].notice.stored_ms++;
	batch = batch_of_ann();
	notify_db_put_attempt(&rows, batch, &ann, &phone, &list[0]);
	ck_assert(submit(batch) == STATUS_NOT_FOUND);
	ck_assert_uint_eq(deliveries(&phone, list), 1);
}
END_TEST

static enum status acknowledge(const struct id *terminal, bool *last)
{
	struct notice_key key = key_of(1, 1000);
	struct db_batch *batch = batch_of_ann();

	enum status st =
	    notify_db_acknowledge(&rows, batch, &ann, terminal, &key.id, last);
	if (st == STATUS_OK)
		return submit(batch);
	db_batch_destroy(&batch);
	return st;
}

START_TEST(gone_with_the_last)
{
	static const struct id stranger = { { 3 } };
	struct delivery list[DELIVERY_BATCH_MAX];
	uint64_t waiting;
	bool more, last;

	ck_assert(acknowledge(&phone, &last) == STATUS_NOT_FOUND);
	ck_assert(tell(1, 1000) == STATUS_OK);
	ck_assert(acknowledge(&phone, &last) == STATUS_NOT_FOUND);
	expand(1000, &more);
	ck_assert(acknowledge(&stranger, &last) == STATUS_NOT_FOUND);
	ck_assert(acknowledge(&phone, &last) == STATUS_OK);
	ck_assert(!last);
	ck_assert(acknowledge(&phone, &last) == STATUS_NOT_FOUND);
	ck_assert_uint_eq(deliveries(&phone, list), 0);
	ck_assert(
	    notify_db_waiting(&rows, &ann, &tablet, &waiting) == STATUS_OK);
	ck_assert_uint_eq(waiting, 1);
	check_totals(1, 1, 0);
	ck_assert(acknowledge(&tablet, &last) == STATUS_OK);
	ck_assert(last);
	check_totals(0, 0, 0);
	ck_assert(tell(1, 2000) == STATUS_CONFLICT); /* still known as told */
}
END_TEST

/* Two terminals acknowledge at once: the second batch must not commit. */
START_TEST(lost_race_is_seen)
{
	struct notice_key key = key_of(1, 1000);
	struct db_batch *one = batch_of_ann(), *two = batch_of_ann();
	bool more, last;

	ck_assert(tell(1, 1000) == STATUS_OK);
	expand(1000, &more);
	ck_assert(notify_db_acknowledge(
		      &rows, one, &ann, &phone, &key.id, &last) == STATUS_OK);
	ck_assert(notify_db_acknowledge(
		      &rows, two, &ann, &tablet, &key.id, &last) == STATUS_OK);
	ck_assert(submit(one) == STATUS_OK);
	ck_assert(submit(two) == STATUS_CONFLICT);
	check_totals(1, 1, 0);
}
END_TEST

START_TEST(dead_letters)
{
	struct db_batch *batch = batch_of_ann();
	struct buried buried;
	bool more, last;

	ck_assert(tell(1, 1000) == STATUS_OK);
	ck_assert(tell(2, 2000) == STATUS_OK);
	expand(2000, &more);
	ck_assert(tell(3, 1500) == STATUS_OK); /* nobody known for it */
	ck_assert(acknowledge(&tablet, &last) == STATUS_OK);
	ck_assert(notify_db_bury(&rows, batch, &ann, 2000, 9000, &buried) ==
		  STATUS_OK);
	ck_assert_uint_eq(buried.notices, 2);
	ck_assert_uint_eq(buried.deliveries, 1);
	ck_assert_uint_eq(buried.letters, 2);
	ck_assert(submit(batch) == STATUS_OK);
	check_totals(1, 2, 2);
	batch = batch_of_ann();
	ck_assert(notify_db_bury(&rows, batch, &ann, 2000, 9000, &buried) ==
		  STATUS_OK);
	ck_assert_uint_eq(buried.notices, 0);
	db_batch_destroy(&batch);
}
END_TEST

START_TEST(leases)
{
	struct lease lease = { phone, 1000, 900, { 7 }, { 8 } };
	struct lease read, list[LEASES_A_PAGE];
	struct db_batch *batch = batch_of_ann();
	size_t count;

	ck_assert(
	    notify_db_lease(&rows, &ann, &phone, &read) == STATUS_NOT_FOUND);
	notify_db_put_lease(&rows, batch, &ann, &lease);
	ck_assert(submit(batch) == STATUS_OK);
	close_db();
	open_db();
	ck_assert(notify_db_lease(&rows, &ann, &phone, &read) == STATUS_OK);
	ck_assert_mem_eq(&read, &lease, sizeof(lease));
	ck_assert(notify_db_leases(&rows, &ann, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_mem_eq(&list[0], &lease, sizeof(lease));
	batch = batch_of_ann();
	notify_db_delete_lease(batch, &phone);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(
	    notify_db_lease(&rows, &ann, &phone, &read) == STATUS_NOT_FOUND);
}
END_TEST

/* Rows of the right key; the last column is how they are read. */
static const struct {
	uint8_t table;
	bool sealed; /* else in clear, as they never should be */
	uint8_t version;
	size_t len;
	enum status want;
} damages[] = {
	{ TABLE_DELIVERIES, true, 1, 13, STATUS_OK },
	{ TABLE_DELIVERIES, true, 1, 12, STATUS_MALFORMED },
	{ TABLE_DELIVERIES, true, 0, 13, STATUS_MALFORMED },
	{ TABLE_DELIVERIES, true, 2, 13, STATUS_VERSION },
	{ TABLE_DELIVERIES, true, 0, 0, STATUS_MALFORMED },
	{ TABLE_DELIVERIES, false, 1, 13, STATUS_MALFORMED },
	{ TABLE_DELIVERIES, false, 2, 60, STATUS_MALFORMED },
	{ TABLE_DELIVERIES, false, 3, 13, STATUS_VERSION },
	{ TABLE_LEASES, true, 1, 65, STATUS_OK },
	{ TABLE_LEASES, true, 1, 64, STATUS_MALFORMED },
	{ TABLE_LEASES, true, 9, 65, STATUS_VERSION },
	{ TABLE_LEASES, false, 1, 65, STATUS_MALFORMED },
};

START_TEST(damaged_rows)
{
	uint8_t key[40] = { 1 }, row[80] = { damages[_i].version };
	size_t key_len = damages[_i].table == TABLE_DELIVERIES ? 40 : 16;
	struct delivery list[DELIVERY_BATCH_MAX];
	struct db_batch *batch = batch_of_ann();
	struct lease lease;
	enum status got;
	size_t count;
	bool more;

	if (damages[_i].sealed)
		sealed_row_put(ring, db, batch, &ann, damages[_i].table,
		    slice_of(key, key_len), slice_of(row, damages[_i].len));
	else
		db_batch_put(batch, damages[_i].table, slice_of(key, key_len),
		    slice_of(row, damages[_i].len));
	ck_assert(submit(batch) == STATUS_OK);
	if (damages[_i].table == TABLE_DELIVERIES)
		got = notify_db_deliveries(
		    &rows, &ann, &phone, NULL, list, &count, &more);
	else
		got = notify_db_lease(&rows, &ann, &phone, &lease);
	ck_assert_msg(
	    got == damages[_i].want, "row %d: got '%s'", _i, status_text(got));
}
END_TEST

/* ---- at rest ---- */

static const char secret[] = "nobody may read this";

/* Whether a value of any table holds the text, or the bytes of tablet. */
static bool shows(const char *what)
{
	struct db_page page = { 0 };
	bool found = false;

	for (unsigned int table = 1; table <= UINT8_MAX; table++) {
		ck_assert(db_scan(db, &ann, (uint8_t)table, all, all, 0, false,
			      &page) == STATUS_OK);
		for (size_t i = 0; i < page.count; i++) {
			struct slice value = page.entries[i].value;
			found |= memmem(value.data, value.len, what,
				     strlen(what)) != NULL;
		}
	}
	db_page_clear(&page);
	return found;
}

START_TEST(nothing_in_clear)
{
	static const struct id named = { "a terminal's id." };
	struct recipients to = { .terminals = { named }, .count = 1 };
	struct lease lease = { named, 1000, 900, "the ticket's one",
		"the key of a terminal, 32 bytes" };
	struct notice_key key = key_of(1, 1000);
	struct db_batch *batch = batch_of_ann();
	struct buried buried;
	size_t count;
	bool more;

	notify_db_put_arrived(&rows, batch, &ann, &key, slice_text(secret));
	notify_db_put_lease(&rows, batch, &ann, &lease);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(!shows(secret));
	ck_assert(!shows("the key of a terminal"));
	batch = batch_of_ann();
	ck_assert(notify_db_expand(&rows, batch, &ann, &to, 1000, &count,
		      &more) == STATUS_OK);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(!shows(secret));
	ck_assert(!shows("a terminal's id"));
	batch = batch_of_ann();
	ck_assert(notify_db_bury(&rows, batch, &ann, 5000, 9000, &buried) ==
		  STATUS_OK);
	ck_assert_uint_eq(buried.letters, 1);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(!shows(secret));
}
END_TEST

/* A row as format 1 of the database had it. */
static void put_clear(struct db_batch *batch, enum table table,
    struct slice key, const void *value, size_t len)
{
	db_batch_put(batch, (uint8_t)table, key, slice_of(value, len));
}

/* A database of format 1: one notice arrived, one on its way to phone, one
 * given up, and a subscription. */
static void write_format_1(void)
{
	static const uint8_t version = 1;
	struct notice_key keys[] = { key_of(1, 1000), key_of(2, 2000),
		key_of(3, 3000) };
	uint8_t name[NOTICE_KEY_BYTES], pair[NOTICE_KEY_BYTES + ID_BYTES];
	uint8_t value[256];
	struct slice notice = slice_of(name, sizeof(name));
	struct slice both = slice_of(pair, sizeof(pair));
	struct db_batch *batch = batch_of_ann();

	value[0] = version;
	for (size_t i = 0; i < nitems(keys); i++) {
		put_be64(name, keys[i].stored_ms);
		memcpy(name + 8, keys[i].id.bytes, ID_BYTES);
		put_be64(value + 1, keys[i].stored_ms);
		put_clear(batch, TABLE_TOLD,
		    slice_of(keys[i].id.bytes, ID_BYTES), value, 9);
		put_clear(batch, TABLE_TOLD_TIMES, notice, &version, 1);
		if (i == 0) {
			memcpy(value + 1, secret, strlen(secret));
			put_clear(batch, TABLE_ARRIVED, notice, value,
			    1 + strlen(secret));
		} else if (i == 1) {
			value[1] = 1;
			memcpy(value + 2, phone.bytes, ID_BYTES);
			memcpy(value + 2 + ID_BYTES, secret, strlen(secret));
			put_clear(batch, TABLE_NOTICES, notice, value,
			    2 + ID_BYTES + strlen(secret));
			memcpy(pair, phone.bytes, ID_BYTES);
			memcpy(pair + ID_BYTES, name, sizeof(name));
			put_be32(value + 1, 4);
			put_be64(value + 5, 7000);
			put_clear(batch, TABLE_DELIVERIES, both, value, 13);
		} else {
			memcpy(pair, name, sizeof(name));
			memcpy(pair + sizeof(name), tablet.bytes, ID_BYTES);
			put_be64(value + 1, 8000);
			put_be32(value + 9, 5);
			memcpy(value + 13, secret, strlen(secret));
			put_clear(batch, TABLE_LETTERS, both, value,
			    13 + strlen(secret));
		}
	}
	memset(value + 1, 6, 64);
	put_clear(
	    batch, TABLE_LEASES, slice_of(phone.bytes, ID_BYTES), value, 65);
	ck_assert(submit(batch) == STATUS_OK);
}

START_TEST(migrated)
{
	static struct letter letters[QUEUE_PAGE_MAX];
	const struct queue_place beginning = { .len = 0 };
	struct delivery list[DELIVERY_BATCH_MAX];
	struct notice_key told = key_of(3, 0);
	struct bytes packed = { 0 };
	struct lease lease;
	size_t count;
	bool more;

	write_format_1();
	ck_assert(shows(secret));
	for (int i = 0; i < 2; i++)
		ck_assert(notify_db_migrate(&rows) == STATUS_OK);
	ck_assert(!shows(secret));
	close_db();
	open_db();
	check_totals(2, 1, 1);
	ck_assert_uint_eq(deliveries(&phone, list), 1);
	ck_assert_uint_eq(list[0].attempts, 4);
	ck_assert_uint_eq(list[0].due_ms, 7000);
	ck_assert(notify_db_notice(&rows, &ann, &list[0].notice, &packed) ==
		  STATUS_OK);
	ck_assert(slice_equal(bytes_slice(&packed), slice_text(secret)));
	bytes_clear(&packed);
	ck_assert(notify_db_letters(&rows, &ann, &beginning, letters, &count) ==
		  STATUS_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(letters[0].attempts, 5);
	ck_assert_uint_eq(letters[0].gave_up_ms, 8000);
	ck_assert(id_equal(&letters[0].terminal, &tablet));
	ck_assert(notify_db_told(&rows, &ann, &told.id, &told) == STATUS_OK);
	ck_assert_uint_eq(told.stored_ms, 3000);
	ck_assert(notify_db_lease(&rows, &ann, &phone, &lease) == STATUS_OK);
	ck_assert_uint_eq(lease.peer[0], 6);
	/* and what had arrived goes on its way */
	ck_assert_uint_eq(expand(9000, &more), 1);
	ck_assert_uint_eq(deliveries(&tablet, list), 1);
}
END_TEST

START_TEST(shredded)
{
	struct delivery list[DELIVERY_BATCH_MAX];
	struct notice_key key = key_of(2, 2000);
	struct db_batch *batch = batch_of_ann();
	size_t count;
	bool more;

	ck_assert(tell(1, 1000) == STATUS_OK);
	expand(1000, &more);
	ck_assert(keyring_shred(ring, db, &ann) == STATUS_OK);
	ck_assert(notify_db_deliveries(&rows, &ann, &phone, NULL, list, &count,
		      &more) == STATUS_EXPIRED);
	notify_db_put_arrived(&rows, batch, &ann, &key, slice_text("x"));
	ck_assert(db_submit(db, &batch, NULL, NULL) == STATUS_CONFLICT);
	db_batch_destroy(&batch);
}
END_TEST

static Notify__Figure figure = NOTIFY__FIGURE__INIT;
static Notify__Figure *figures[NOTICE_FIGURES_MAX + 1];

static const struct {
	const char *why; /* how the refusal begins; NULL: it is fine */
	size_t id_len, terminal_len;
	Notify__Kind kind;
	uint64_t when_ms;
	size_t figures;
	const char *name, *text;
} told[] = {
	{ NULL, 16, 0, NOTIFY__KIND__BACKUP_DONE, 1, 3, "chunks", NULL },
	{ NULL, 16, 16, (Notify__Kind)99, 1, 0, "", NULL },
	{ NULL, 16, 16, NOTIFY__KIND__REGISTERED, 1, 16, "x", NULL },
	{ "notice.notice_id", 15, 0, NOTIFY__KIND__REGISTERED, 1, 0, "", NULL },
	{ "notice.notice_id", 0, 0, NOTIFY__KIND__REGISTERED, 1, 0, "", NULL },
	{ "notice.kind", 16, 0, NOTIFY__KIND__NO_KIND, 1, 0, "", NULL },
	{ "notice.when_ms", 16, 0, NOTIFY__KIND__REGISTERED, 0, 0, "", NULL },
	{ "notice.terminal_id", 16, 3, NOTIFY__KIND__REGISTERED, 1, 0, "",
	    NULL },
	{ "notice.figures", 16, 0, NOTIFY__KIND__REGISTERED, 1, 17, "x", NULL },
	{ "notice.figures", 16, 0, NOTIFY__KIND__REGISTERED, 1, 1, "", NULL },
	{ "notice.figures", 16, 0, NOTIFY__KIND__REGISTERED, 1, 1, "a\tb",
	    NULL },
	{ "notice.figures", 16, 0, NOTIFY__KIND__REGISTERED, 1, 1,
	    "a name that is too long for a figure", NULL },
	{ NULL, 16, 0, NOTIFY__KIND__INVITATION, 1, 0, "", "7QK3M-X0HFS" },
	{ "notice.text", 16, 0, NOTIFY__KIND__INVITATION, 1, 0, "", "a\nb" },
	{ "notice.text", 16, 0, NOTIFY__KIND__INVITATION, 1, 0, "", "\xff" },
};

START_TEST(checked_notices)
{
	static const uint8_t bytes[ID_BYTES] = { 1, 2, 3 };
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	const char *why = NULL;
	struct id id;

	figure.name = (char *)told[_i].name;
	if (told[_i].text)
		notice.text = (char *)told[_i].text;
	figure.value = UINT64_MAX;
	for (size_t i = 0; i < nitems(figures); i++)
		figures[i] = &figure;
	notice.notice_id = field_of(slice_of(bytes, told[_i].id_len));
	notice.terminal_id = field_of(slice_of(bytes, told[_i].terminal_len));
	notice.kind = told[_i].kind;
	notice.when_ms = told[_i].when_ms;
	notice.n_figures = told[_i].figures;
	notice.figures = figures;
	enum status got = notice_check(&notice, &id, &why);
	if (!told[_i].why) {
		ck_assert(got == STATUS_OK);
		ck_assert_mem_eq(id.bytes, bytes, ID_BYTES);
		return;
	}
	ck_assert(got == STATUS_MALFORMED);
	ck_assert_msg(strncmp(why, told[_i].why, strlen(told[_i].why)) == 0,
	    "row %d: %s", _i, why);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_db");
	TCase *checked = tcase_create("N-04 what services hand in");
	TCase *queue = tcase_create("N-05 the durable queue");
	TCase *presence = tcase_create("G-04 leases outlive a restart");

	tcase_add_loop_test(checked, checked_notices, 0, (int)nitems(told));
	tcase_add_checked_fixture(queue, set_up, tear_down);
	tcase_add_test(queue, told_once);
	tcase_add_test(queue, told_is_forgotten_when_old);
	tcase_add_test(queue, expanded_oldest_first);
	tcase_add_test(queue, attempts_are_kept);
	tcase_add_test(queue, gone_with_the_last);
	tcase_add_test(queue, lost_race_is_seen);
	tcase_add_test(queue, dead_letters);
	tcase_add_loop_test(queue, damaged_rows, 0, (int)nitems(damages));
	tcase_add_checked_fixture(presence, set_up, tear_down);
	tcase_add_test(presence, leases);
	suite_add_tcase(suite, checked);
	suite_add_tcase(suite, queue);
	TCase *rest = tcase_create("K-08 notices are sealed at rest");
	tcase_add_checked_fixture(rest, set_up, tear_down);
	tcase_add_test(rest, nothing_in_clear);
	tcase_add_test(rest, migrated);
	tcase_add_test(rest, shredded);
	suite_add_tcase(suite, rest);
	suite_add_tcase(suite, presence);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
