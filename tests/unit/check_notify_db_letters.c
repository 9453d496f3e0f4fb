#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "../../services/notify/notify_rows.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "ring.h"
#include "scratch_db.h"

/* What the operator sees of the queue, and dead letters that come again. */

static struct db *db;
static struct notify_db rows;

static const struct id ann = { { 0xa1 } };
static const struct id phone = { { 1 } }, tablet = { { 2 } };

static void set_up(void)
{
	scratch_make();
	db = scratch_db("db", "notify", NOTIFY_DB_FORMAT);
	ck_assert(arena_open(16384) == STATUS_OK);
	ring_open("notify");
	rows = (struct notify_db){ db, ring };
}

static void tear_down(void)
{
	ring_close();
	arena_close();
	db_close(&db);
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
static struct notice_key key_of(uint32_t number, uint64_t stored_ms)
{
	struct notice_key key = { stored_ms, { { 0 } } };

	put_be32(key.id.bytes, number);
	return key;
}

static void tell(uint32_t number, uint64_t stored_ms)
{
	Notify__Notice notice = NOTIFY__NOTICE__INIT;
	Notify__Figure figure = NOTIFY__FIGURE__INIT, *figures[] = { &figure };
	struct notice_key key = key_of(number, stored_ms);
	struct db_batch *batch = batch_of_ann();
	struct bytes packed = { 0 };

	notice.kind = NOTIFY__KIND__BACKUP_DONE;
	notice.n_figures = 1;
	notice.figures = figures;
	figure.name = (char *)"ordinal";
	figure.value = number;
	ck_assert(pack_message(&packed, &notice.base) == STATUS_OK);
	notify_db_put_arrived(&rows, batch, &ann, &key, bytes_slice(&packed));
	bytes_clear(&packed);
	ck_assert(submit(batch) == STATUS_OK);
}

/* Put all that has arrived on its way to phone and tablet. */
static void expand(uint64_t now_ms)
{
	struct recipients to = { .terminals = { phone, tablet }, .count = 2 };
	size_t count;
	bool more = true;

	while (more) {
		struct db_batch *batch = batch_of_ann();
		ck_assert(notify_db_expand(&rows, batch, &ann, &to, now_ms,
			      &count, &more) == STATUS_OK);
		if (count > 0)
			ck_assert(submit(batch) == STATUS_OK);
		else
			db_batch_destroy(&batch);
	}
}

static void bury(uint64_t before_ms, uint64_t now_ms)
{
	struct buried buried = { .notices = 1 };

	while (buried.notices > 0) {
		struct db_batch *batch = batch_of_ann();
		ck_assert(notify_db_bury(&rows, batch, &ann, before_ms, now_ms,
			      &buried) == STATUS_OK);
		if (buried.notices > 0)
			ck_assert(submit(batch) == STATUS_OK);
		else
			db_batch_destroy(&batch);
	}
}

static void check_totals(uint64_t notices, uint64_t waiting, uint64_t letters)
{
	struct totals totals = { 0 };

	ck_assert(notify_db_count(&rows, &ann, &totals) == STATUS_OK);
	ck_assert_uint_eq(totals.notices, notices);
	ck_assert_uint_eq(totals.deliveries, waiting);
	ck_assert_uint_eq(totals.letters, letters);
}

static const struct queue_place beginning;

START_TEST(queue_is_seen)
{
	struct queued page[QUEUE_PAGE_MAX];
	size_t count;

	tell(1, 1000);
	expand(2000);
	tell(2, 3000);
	ck_assert(notify_db_queue(&rows, &ann, &beginning, page, &count) ==
		  STATUS_OK);
	ck_assert_uint_eq(count, 3);
	ck_assert(id_equal(&page[0].terminal, &phone));
	ck_assert(id_equal(&page[1].terminal, &tablet));
	ck_assert(id_is_none(&page[2].terminal));
	ck_assert_uint_eq(page[0].delivery.notice.stored_ms, 1000);
	ck_assert_uint_eq(page[0].delivery.due_ms, 2000);
	ck_assert_uint_eq(page[2].delivery.due_ms, 0);
	ck_assert_uint_eq(page[0].gist.kind, NOTIFY__KIND__BACKUP_DONE);
	ck_assert_str_eq(page[0].gist.figures, "ordinal=1");
	ck_assert_str_eq(page[2].gist.figures, "ordinal=2");
	/* From each place on there is the rest. */
	for (size_t i = 0; i < 3; i++) {
		struct queued rest[QUEUE_PAGE_MAX];
		ck_assert(notify_db_queue(&rows, &ann, &page[i].place, rest,
			      &count) == STATUS_OK);
		ck_assert_uint_eq(count, 2 - i);
	}
}
END_TEST

START_TEST(long_queue_is_seen)
{
	struct queued page[QUEUE_PAGE_MAX];
	struct queue_place place = beginning;
	size_t count, deliveries = 0, arrived = 0;

	for (uint32_t i = 0; i < QUEUE_PAGE_MAX; i++)
		tell(i, 1000 + i);
	expand(5000);
	for (uint32_t i = 0; i < QUEUE_PAGE_MAX + 1; i++)
		tell(1000 + i, 6000 + i);
	do {
		ck_assert(notify_db_queue(&rows, &ann, &place, page, &count) ==
			  STATUS_OK);
		for (size_t i = 0; i < count; i++)
			if (id_is_none(&page[i].terminal))
				arrived++;
			else
				deliveries++;
		if (count > 0)
			place = page[count - 1].place;
	} while (count == QUEUE_PAGE_MAX);
	ck_assert_uint_eq(deliveries, 2 * QUEUE_PAGE_MAX);
	ck_assert_uint_eq(arrived, QUEUE_PAGE_MAX + 1);
}
END_TEST

static size_t letters_of(struct letter out[static QUEUE_PAGE_MAX])
{
	size_t count;

	ck_assert(notify_db_letters(&rows, &ann, &beginning, out, &count) ==
		  STATUS_OK);
	return count;
}

START_TEST(letters_are_seen)
{
	struct letter page[QUEUE_PAGE_MAX];

	tell(1, 1000);
	expand(2000);
	tell(2, 3000);
	ck_assert_uint_eq(letters_of(page), 0);
	bury(4000, 9000);
	ck_assert_uint_eq(letters_of(page), 3);
	ck_assert(id_equal(&page[0].terminal, &phone));
	ck_assert(id_is_none(&page[2].terminal));
	ck_assert_uint_eq(page[0].gave_up_ms, 9000);
	ck_assert_uint_eq(page[0].notice.stored_ms, 1000);
	ck_assert_str_eq(page[2].gist.figures, "ordinal=2");
	size_t count;
	struct letter rest[QUEUE_PAGE_MAX];
	ck_assert(notify_db_letters(
		      &rows, &ann, &page[1].place, rest, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 1);
}
END_TEST

/* Resend once; returns the letters, and the notices by ${notices_out}. */
static uint64_t resend(const struct id *notice, uint64_t now_ms,
    uint64_t *notices_out, bool *more_out)
{
	struct db_batch *batch = batch_of_ann();
	uint64_t letters;

	ck_assert(notify_db_resend(&rows, batch, &ann, notice, now_ms,
		      notices_out, &letters, more_out) == STATUS_OK);
	if (letters > 0)
		ck_assert(submit(batch) == STATUS_OK);
	else
		db_batch_destroy(&batch);
	return letters;
}

START_TEST(resent_comes_again)
{
	struct notice_key key = key_of(1, 0), told;
	struct delivery waiting[DELIVERY_BATCH_MAX];
	uint64_t notices;
	size_t count;
	bool more, last;

	tell(1, 1000);
	expand(2000);
	bury(3000, 4000);
	check_totals(0, 0, 2);
	ck_assert_uint_eq(resend(NULL, 5000, &notices, &more), 2);
	ck_assert_uint_eq(notices, 1);
	ck_assert(!more);
	check_totals(1, 0, 0);
	/* Told now, so it is not given up at once again. */
	ck_assert(notify_db_told(&rows, &ann, &key.id, &told) == STATUS_OK);
	ck_assert_uint_eq(told.stored_ms, 5000);
	bury(5000, 6000);
	check_totals(1, 0, 0);
	expand(6000);
	check_totals(1, 2, 0);
	ck_assert(notify_db_deliveries(&rows, &ann, &phone, NULL, waiting,
		      &count, &more) == STATUS_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(waiting[0].attempts, 0);
	/* And it is acknowledged under its old id. */
	struct db_batch *batch = batch_of_ann();
	ck_assert(notify_db_acknowledge(
		      &rows, batch, &ann, &phone, &key.id, &last) == STATUS_OK);
	ck_assert(submit(batch) == STATUS_OK);
	check_totals(1, 1, 0);
	ck_assert_uint_eq(resend(NULL, 7000, &notices, &more), 0);
}
END_TEST

START_TEST(resent_one)
{
	struct notice_key one = key_of(1, 0), other = key_of(7, 0);
	uint64_t notices;
	bool more;

	tell(1, 1000);
	tell(2, 1001);
	expand(2000);
	bury(3000, 4000);
	check_totals(0, 0, 4);
	ck_assert_uint_eq(resend(&other.id, 5000, &notices, &more), 0);
	ck_assert_uint_eq(resend(&one.id, 5000, &notices, &more), 2);
	ck_assert(!more);
	check_totals(1, 0, 2);
}
END_TEST

START_TEST(resent_after_it_was_forgotten)
{
	struct notice_key key = key_of(1, 0), told;
	struct db_batch *batch = batch_of_ann();
	uint64_t notices;
	bool more;

	tell(1, 1000);
	expand(2000);
	bury(3000, 4000);
	notify_db_forget_told(&rows, batch, &ann, 2000);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(
	    notify_db_told(&rows, &ann, &key.id, &told) == STATUS_NOT_FOUND);
	ck_assert_uint_eq(resend(NULL, 5000, &notices, &more), 2);
	ck_assert(notify_db_told(&rows, &ann, &key.id, &told) == STATUS_OK);
	check_totals(1, 0, 0);
}
END_TEST

START_TEST(resent_in_slices)
{
	enum { NOTICES = 200 };
	uint64_t notices, all_notices = 0, letters = 0;
	unsigned int slices = 0;
	bool more = true;

	for (uint32_t i = 0; i < NOTICES; i++)
		tell(i, 1000 + i);
	expand(2000);
	bury(9000, 9000);
	check_totals(0, 0, 2 * NOTICES);
	while (more) {
		letters += resend(NULL, 9500, &notices, &more);
		all_notices += notices;
		slices++;
	}
	ck_assert_uint_gt(slices, 1);
	ck_assert_uint_eq(letters, 2 * NOTICES);
	ck_assert_uint_eq(all_notices, NOTICES);
	check_totals(NOTICES, 0, 0);
}
END_TEST

START_TEST(resent_twice_at_once)
{
	struct db_batch *first = batch_of_ann(), *second = batch_of_ann();
	uint64_t notices, letters;
	bool more;

	tell(1, 1000);
	expand(2000);
	bury(3000, 4000);
	ck_assert(notify_db_resend(&rows, first, &ann, NULL, 5000, &notices,
		      &letters, &more) == STATUS_OK);
	ck_assert(notify_db_resend(&rows, second, &ann, NULL, 5001, &notices,
		      &letters, &more) == STATUS_OK);
	ck_assert(submit(first) == STATUS_OK);
	ck_assert(submit(second) == STATUS_NOT_FOUND);
	check_totals(1, 0, 0);
}
END_TEST

START_TEST(told_are_listed)
{
	struct notice_key list[QUEUE_PAGE_MAX], rest[QUEUE_PAGE_MAX];
	size_t count;

	tell(1, 1000);
	tell(2, 1001);
	ck_assert(
	    notify_db_told_list(&rows, &ann, NULL, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(list[1].stored_ms, 1001);
	ck_assert(notify_db_told_list(&rows, &ann, &list[0], rest, &count) ==
		  STATUS_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert(id_equal(&rest[0].id, &list[1].id));
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	uint8_t version;
	size_t key_len, value_len;
	enum status want;
} damages[] = {
	{ "R-03 a letter",              1, LETTER_KEY_BYTES,     LETTER_HEAD_BYTES,                        STATUS_OK },
	{ "R-03 the longest",           1, LETTER_KEY_BYTES,     LETTER_HEAD_BYTES + NOTICE_BYTES_MAX,     STATUS_OK },
	{ "R-03 a byte too long",       1, LETTER_KEY_BYTES,     LETTER_HEAD_BYTES + NOTICE_BYTES_MAX + 1, STATUS_MALFORMED },
	{ "R-03 its head cut short",    1, LETTER_KEY_BYTES,     LETTER_HEAD_BYTES - 1,                    STATUS_MALFORMED },
	{ "R-03 its key cut short",     1, LETTER_KEY_BYTES - 1, LETTER_HEAD_BYTES,                        STATUS_MALFORMED },
	{ "R-03 a longer key",          1, LETTER_KEY_BYTES + 1, LETTER_HEAD_BYTES,                        STATUS_MALFORMED },
	{ "R-03 no version",            0, LETTER_KEY_BYTES,     LETTER_HEAD_BYTES,                        STATUS_MALFORMED },
	{ "O-08 a newer version",       2, LETTER_KEY_BYTES,     LETTER_HEAD_BYTES,                        STATUS_VERSION },
};
/* clang-format on */

START_TEST(damaged_letters)
{
	uint8_t key[LETTER_KEY_BYTES + 1] = { 1 };
	uint8_t value[LETTER_HEAD_BYTES + NOTICE_BYTES_MAX + 1] = { 0 };
	struct letter page[QUEUE_PAGE_MAX];
	struct db_batch *batch = batch_of_ann();
	uint64_t notices, letters;
	size_t count;
	bool more;

	value[0] = damages[_i].version;
	row_put(&rows, batch, &ann, TABLE_LETTERS,
	    slice_of(key, damages[_i].key_len),
	    slice_of(value, damages[_i].value_len));
	ck_assert(submit(batch) == STATUS_OK);
	enum status got =
	    notify_db_letters(&rows, &ann, &beginning, page, &count);
	ck_assert_msg(got == damages[_i].want, "%s: read '%s'",
	    damages[_i].name, status_text(got));
	batch = batch_of_ann();
	got = notify_db_resend(
	    &rows, batch, &ann, NULL, 1, &notices, &letters, &more);
	db_batch_destroy(&batch);
	ck_assert_msg(got == damages[_i].want, "%s: resent '%s'",
	    damages[_i].name, status_text(got));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_db_letters");
	TCase *seen = tcase_create("O-01 the queue is seen");
	TCase *resent = tcase_create("N-05 dead letters come again");

	tcase_add_checked_fixture(seen, set_up, tear_down);
	tcase_add_checked_fixture(resent, set_up, tear_down);
	tcase_set_timeout(seen, 120);
	tcase_set_timeout(resent, 120);
	tcase_add_test(seen, queue_is_seen);
	tcase_add_test(seen, long_queue_is_seen);
	tcase_add_test(seen, letters_are_seen);
	tcase_add_test(seen, told_are_listed);
	tcase_add_test(resent, resent_comes_again);
	tcase_add_test(resent, resent_one);
	tcase_add_test(resent, resent_after_it_was_forgotten);
	tcase_add_test(resent, resent_in_slices);
	tcase_add_test(resent, resent_twice_at_once);
	tcase_add_loop_test(resent, damaged_letters, 0, (int)nitems(damages));
	suite_add_tcase(suite, seen);
	suite_add_tcase(suite, resent);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
