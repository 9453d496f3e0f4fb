#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "scratch_db.h"

/* A unit of a program, not of a library: compiled in as it is. */
#include "../../services/auth/journal_db.c"

#define NOW 1000000000000ull

static struct db *db;

static const struct subject anna = { { "account of anna" }, true };
static const struct subject bert = { { "account of bert" }, true };
static const struct id phone = { "phone of anna" };

static void setup(void)
{
	scratch_make();
	db = scratch_db("journal", "auth.journal", 1);
}

static void teardown(void)
{
	db_close(&db);
	scratch_remove();
}

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *result = arg;

	(void)generation;
	(void)failed_op;
	*result = status;
}

static enum status commit(struct db_batch *batch)
{
	struct pollfd ready = { db_event_fd(db), POLLIN, 0 };
	enum status result = STATUS_PENDING;

	ck_assert_int_eq(
	    db_submit(db, &batch, on_done, &result), STATUS_PENDING);
	while (result == STATUS_PENDING) {
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		db_complete(db);
	}
	return result;
}

static struct lane_key key_of(const struct subject *subject,
    enum credential_slot code, enum lane_kind kind)
{
	struct lane_key key = {
		.subject = *subject,
		.code = code,
		.kind = kind,
	};

	if (kind == LANE_BOUND)
		key.terminal = phone;
	return key;
}

static struct lane some_lane(enum lane_kind kind)
{
	return (struct lane){
		.kind = kind,
		.tries_count = 2,
		.tries = {
			{ { "first try" }, NOW, true },
			{ { "second try" }, NOW + 1, false },
		},
		.locked = true,
		.closings = 3,
		.closed_ms = NOW + 2,
		.closed_until_ms = NOW + 3,
		.unlocks = 4,
		.used_ms = NOW + 5,
		.finished = { "finished try" },
	};
}

static enum status put(const struct lane_key *key, const struct lane *found,
    const struct lane *lane)
{
	struct db_batch *batch = journal_db_batch(&key->subject);

	ck_assert_int_eq(
	    journal_db_put_lane(db, batch, key, found, lane), STATUS_OK);
	return commit(batch);
}

/* ---- rows ---- */

static void assert_same(const struct lane *a, const struct lane *b)
{
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->tries_count, b->tries_count);
	for (size_t i = 0; i < a->tries_count; i++) {
		ck_assert(id_equal(&a->tries[i].id, &b->tries[i].id));
		ck_assert_uint_eq(a->tries[i].since_ms, b->tries[i].since_ms);
		ck_assert_int_eq(a->tries[i].wrong, b->tries[i].wrong);
	}
	ck_assert_int_eq(a->locked, b->locked);
	ck_assert_uint_eq(a->closings, b->closings);
	ck_assert_uint_eq(a->closed_ms, b->closed_ms);
	ck_assert_uint_eq(a->closed_until_ms, b->closed_until_ms);
	ck_assert_uint_eq(a->unlocks, b->unlocks);
	ck_assert_uint_eq(a->used_ms, b->used_ms);
	ck_assert(id_equal(&a->finished, &b->finished));
}

/* Each of these is another lane than the first. */
START_TEST(lanes_apart)
{
	const struct lane_key key = key_of(&anna, CREDENTIAL_OWNER, LANE_BOUND);
	struct lane_key others[] = { key, key, key, key, key };
	const struct lane lane = some_lane(LANE_BOUND);
	struct lane found;

	others[0].subject = bert;
	others[1].subject.known = false;
	others[2].code = CREDENTIAL_VERIFICATION;
	others[3].kind = LANE_STRANGER;
	others[4].terminal = (struct id){ "another phone" };
	ck_assert_int_eq(journal_db_lane(db, &key, &found), STATUS_NOT_FOUND);
	ck_assert_uint_eq(found.tries_count, 0);
	ck_assert_int_eq(put(&key, NULL, &lane), STATUS_OK);
	ck_assert_int_eq(journal_db_lane(db, &key, &found), STATUS_OK);
	assert_same(&found, &lane);
	for (size_t i = 0; i < nitems(others); i++)
		ck_assert_int_eq(
		    journal_db_lane(db, &others[i], &found), STATUS_NOT_FOUND);
}
END_TEST

/* The layout is on disks: a change needs another version. */
START_TEST(lane_layout)
{
	static const char want_key[] = "account of anna\0\1\1phone of anna";
	static const uint8_t want[] = { 1, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 5,
		1, 2, 3, 4 };
	const struct lane_key key = key_of(&anna, CREDENTIAL_OWNER, LANE_BOUND);
	const struct lane lane = some_lane(LANE_BOUND);
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(put(&key, NULL, &lane), STATUS_OK);
	ck_assert_int_eq(
	    db_scan(db, &anna.account, 1, all, all, 0, false, &page),
	    STATUS_OK);
	ck_assert_uint_eq(page.count, 1);
	ck_assert_uint_eq(page.entries[0].key.len, 34);
	ck_assert_mem_eq(page.entries[0].key.data, want_key, sizeof(want_key));
	struct slice value = page.entries[0].value;
	ck_assert_uint_eq(value.len, 120);
	ck_assert_mem_eq(value.data, want, sizeof(want));
	ck_assert_str_eq((const char *)value.data + 29, "finished try");
	ck_assert_str_eq((const char *)value.data + 45, "first try");
	ck_assert_uint_eq(value.data[45 + 24], 1);
	ck_assert_str_eq((const char *)value.data + 70, "second try");
	ck_assert_uint_eq(value.data[70 + 24], 0);
	db_page_clear(&page);
}
END_TEST

static const struct {
	const char *name;
	size_t len, at;
	uint8_t byte;
} damaged_rows[] = {
	{ "version 0", LANE_BYTES, 0, 0 },
	{ "version 2", LANE_BYTES, 0, 2 },
	{ "four tries", LANE_BYTES, LANE_AT_COUNT, 4 },
	{ "short", LANE_BYTES - 1, 0, LANE_VERSION },
	{ "long", LANE_BYTES + 1, 0, LANE_VERSION },
	{ "version only", 1, 0, LANE_VERSION },
};

START_TEST(damaged_table)
{
	const struct lane_key key = key_of(&anna, CREDENTIAL_OWNER, LANE_BOUND);
	const struct lane lane = some_lane(LANE_BOUND);
	uint8_t row[LANE_KEY_BYTES], value[LANE_BYTES + 1] = { 0 };
	struct lane found;

	lane_key_format(row, &key);
	lane_format(value, &lane);
	value[damaged_rows[_i].at] = damaged_rows[_i].byte;
	struct db_batch *batch = journal_db_batch(&anna);
	db_batch_put(batch, TABLE_LANES, slice_of(row, sizeof(row)),
	    slice_of(value, damaged_rows[_i].len));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	enum status st = journal_db_lane(db, &key, &found);
	ck_assert_msg(st == STATUS_INTERNAL, "%s: got '%s'",
	    damaged_rows[_i].name, status_text(st));
}
END_TEST

/* Of two who change a lane from the same one, the second is refused. */
START_TEST(lane_compare_and_set)
{
	const struct lane_key key =
	    key_of(&anna, CREDENTIAL_OWNER, LANE_STRANGER);
	const struct lane first = some_lane(LANE_STRANGER);
	struct lane second = first;

	second.used_ms++;
	ck_assert_int_eq(put(&key, &first, &second), STATUS_CONFLICT);
	ck_assert_int_eq(put(&key, NULL, &first), STATUS_OK);
	ck_assert_int_eq(put(&key, NULL, &second), STATUS_CONFLICT);
	ck_assert_int_eq(put(&key, &first, &second), STATUS_OK);
	ck_assert_int_eq(put(&key, &first, &second), STATUS_CONFLICT);
}
END_TEST

START_TEST(terminal_deleted)
{
	const struct lane_key keys[] = {
		key_of(&anna, CREDENTIAL_OWNER, LANE_BOUND),
		key_of(&anna, CREDENTIAL_TERMINAL, LANE_BOUND),
		key_of(&anna, CREDENTIAL_VERIFICATION, LANE_BOUND),
		key_of(&anna, CREDENTIAL_OWNER, LANE_STRANGER),
	};
	struct lane found;

	for (size_t i = 0; i < nitems(keys); i++) {
		const struct lane lane = some_lane(keys[i].kind);
		ck_assert_int_eq(put(&keys[i], NULL, &lane), STATUS_OK);
	}
	struct db_batch *batch = journal_db_batch(&anna);
	journal_db_delete_terminal(batch, &anna.account, &phone);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	for (size_t i = 0; i < nitems(keys); i++)
		ck_assert_int_eq(journal_db_lane(db, &keys[i], &found),
		    i < 3 ? STATUS_NOT_FOUND : STATUS_OK);
}
END_TEST

/* ---- names that are nobody's ---- */

/* One of many whose rows lie in one bucket. */
static struct lane_key unknown_key(unsigned int number)
{
	struct lane_key key = {
		.subject = { .account = { { 0x12, 0x34 } } },
		.code = CREDENTIAL_OWNER,
		.kind = LANE_STRANGER,
	};

	put_be32(key.subject.account.bytes + 2, number);
	return key;
}

static size_t rows_of(const struct subject *subject)
{
	const struct id account = rows_account(subject);
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(
	    db_scan(db, &account, TABLE_LANES, all, all, 0, false, &page),
	    STATUS_OK);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

START_TEST(idle_longest_makes_room)
{
	struct lane lane = { .kind = LANE_STRANGER }, found;

	for (unsigned int i = 0; i < 3 * JOURNAL_BUCKET_ROWS_MAX; i++) {
		const struct lane_key key = unknown_key(i);
		lane.used_ms = NOW + i;
		ck_assert_int_eq(put(&key, NULL, &lane), STATUS_OK);
		/* The first one never rests, so it stays. */
		const struct lane_key busy = unknown_key(0);
		ck_assert_int_eq(journal_db_lane(db, &busy, &found), STATUS_OK);
		ck_assert_int_eq(put(&busy, &found, &lane), STATUS_OK);
	}
	const struct lane_key first = unknown_key(0), second = unknown_key(1);
	ck_assert_uint_eq(rows_of(&first.subject), JOURNAL_BUCKET_ROWS_MAX);
	ck_assert_int_eq(journal_db_lane(db, &first, &found), STATUS_OK);
	ck_assert_int_eq(
	    journal_db_lane(db, &second, &found), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(known_is_not_pushed_out)
{
	struct lane lane = { .kind = LANE_BOUND };
	struct lane_key key = key_of(&anna, CREDENTIAL_OWNER, LANE_BOUND);

	for (unsigned int i = 0; i < 2 * JOURNAL_BUCKET_ROWS_MAX; i++) {
		put_be32(key.terminal.bytes, i);
		ck_assert_int_eq(put(&key, NULL, &lane), STATUS_OK);
	}
	ck_assert_uint_eq(rows_of(&anna), 2 * JOURNAL_BUCKET_ROWS_MAX);
}
END_TEST

/* So many buckets and no more, whatever is asked for. */
START_TEST(buckets_are_bounded)
{
	struct subject subject = { 0 };

	for (unsigned int i = 0; i < 65536; i++) {
		put_be16(subject.account.bytes, (uint16_t)i);
		const struct id account = rows_account(&subject);
		ck_assert(is_bucket(&account));
		ck_assert_uint_eq(
		    get_be16(account.bytes + 14), i % JOURNAL_BUCKETS);
	}
}
END_TEST

/* ---- moments ---- */

START_TEST(moment_rows)
{
	const struct subject *const subjects[] = { &anna, &bert };
	uint64_t when_ms = 0;

	ck_assert_int_eq(journal_db_moment(db, &anna, MOMENT_TRUSTED, &when_ms),
	    STATUS_NOT_FOUND);
	for (size_t i = 0; i < nitems(subjects); i++) {
		struct db_batch *batch = journal_db_batch(subjects[i]);
		ck_assert_int_eq(journal_db_put_moment(db, batch, subjects[i],
				     MOMENT_TRUSTED, NOW + i),
		    STATUS_OK);
		ck_assert_int_eq(commit(batch), STATUS_OK);
	}
	ck_assert_int_eq(
	    journal_db_moment(db, &anna, MOMENT_TRUSTED, &when_ms), STATUS_OK);
	ck_assert_uint_eq(when_ms, NOW);
	ck_assert_int_eq(journal_db_moment(db, &anna, MOMENT_INVITED, &when_ms),
	    STATUS_NOT_FOUND);
	struct db_batch *batch = journal_db_batch(&anna);
	journal_db_delete_moment(batch, &anna, MOMENT_TRUSTED);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(journal_db_moment(db, &anna, MOMENT_TRUSTED, &when_ms),
	    STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    journal_db_moment(db, &bert, MOMENT_TRUSTED, &when_ms), STATUS_OK);
}
END_TEST

START_TEST(moment_damaged)
{
	static const uint8_t values[][TIME_BYTES + 1] = { { 2 }, { 1 } };
	static const size_t lens[] = { TIME_BYTES, TIME_BYTES + 1 };
	uint8_t key[MOMENT_KEY_BYTES];
	uint64_t when_ms;

	moment_key(key, &anna, MOMENT_TRUSTED);
	for (size_t i = 0; i < nitems(lens); i++) {
		struct db_batch *batch = journal_db_batch(&anna);
		db_batch_put(batch, TABLE_MOMENTS, slice_of(key, sizeof(key)),
		    slice_of(values[i], lens[i]));
		ck_assert_int_eq(commit(batch), STATUS_OK);
		ck_assert_int_eq(
		    journal_db_moment(db, &anna, MOMENT_TRUSTED, &when_ms),
		    STATUS_INTERNAL);
	}
}
END_TEST

/* ---- invitations ---- */

static void put_invitation(
    const struct subject *subject, uint8_t number, uint64_t expiry_ms)
{
	const uint8_t hash[INVITATION_HASH_BYTES] = { number };
	struct db_batch *batch = journal_db_batch(subject);

	ck_assert_int_eq(
	    journal_db_put_invitation(db, batch, subject, hash, expiry_ms),
	    STATUS_OK);
	ck_assert_int_eq(commit(batch), STATUS_OK);
}

static enum status invitation_of(const struct subject *subject, uint8_t number)
{
	const uint8_t hash[INVITATION_HASH_BYTES] = { number };
	uint64_t expiry_ms = 0;

	enum status st = journal_db_invitation(db, subject, hash, &expiry_ms);
	if (st == STATUS_OK)
		ck_assert_uint_eq(expiry_ms, NOW + number);
	return st;
}

START_TEST(invitation_rows)
{
	const uint8_t hash[INVITATION_HASH_BYTES] = { 1 };

	ck_assert_int_eq(invitation_of(&anna, 1), STATUS_NOT_FOUND);
	put_invitation(&anna, 1, NOW + 1);
	ck_assert_int_eq(invitation_of(&anna, 1), STATUS_OK);
	ck_assert_int_eq(invitation_of(&bert, 1), STATUS_NOT_FOUND);
	struct db_batch *batch = journal_db_batch(&anna);
	journal_db_delete_invitation(batch, &anna, hash);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(invitation_of(&anna, 1), STATUS_NOT_FOUND);
}
END_TEST

/* So many at a time: the one that expires first makes room. */
START_TEST(invitations_bounded)
{
	static const uint8_t order[] = { 5, 3, 9, 7, 8, 6 };

	for (size_t i = 0; i < nitems(order); i++)
		put_invitation(&anna, order[i], NOW + order[i]);
	for (size_t i = 0; i < nitems(order); i++)
		ck_assert_int_eq(invitation_of(&anna, order[i]),
		    order[i] > 5 ? STATUS_OK : STATUS_NOT_FOUND);
	/* Written again it takes nobody's place. */
	put_invitation(&anna, 6, NOW + 6);
	ck_assert_int_eq(invitation_of(&anna, 7), STATUS_OK);
}
END_TEST

START_TEST(moment_guarded)
{
	static const struct {
		uint64_t expected_ms, next_ms;
		enum status want;
	} steps[] = {
		{ 1, 2, STATUS_CONFLICT },
		{ 0, 1, STATUS_OK },
		{ 0, 2, STATUS_CONFLICT },
		{ 1, 2, STATUS_OK },
		{ 1, 3, STATUS_CONFLICT },
	};

	for (size_t i = 0; i < nitems(steps); i++) {
		struct db_batch *batch = journal_db_batch(&anna);
		journal_db_expect_moment(
		    batch, &anna, MOMENT_INVITED, steps[i].expected_ms);
		ck_assert_int_eq(journal_db_put_moment(db, batch, &anna,
				     MOMENT_INVITED, steps[i].next_ms),
		    STATUS_OK);
		ck_assert_int_eq(commit(batch), steps[i].want);
	}
}
END_TEST

/* ---- the operator's list ---- */

#define ACCOUNTS 600 /* of which every third has two lanes that are shut */

static void make_accounts(void)
{
	struct lane shut = { .kind = LANE_BOUND, .locked = true };
	struct lane open = { .kind = LANE_STRANGER, .tries_count = 1 };
	struct lane closed = {
		.kind = LANE_STRANGER,
		.closed_until_ms = NOW + 1000,
	};

	for (unsigned int i = 0; i < ACCOUNTS; i++) {
		struct subject subject = { .known = true };
		put_be32(subject.account.bytes, i + 1);
		const struct lane_key bound =
		    key_of(&subject, CREDENTIAL_OWNER, LANE_BOUND);
		const struct lane_key stranger =
		    key_of(&subject, CREDENTIAL_OWNER, LANE_STRANGER);
		struct db_batch *batch = journal_db_batch(&subject);
		if (i % 3 == 0)
			journal_db_put_lane(db, batch, &bound, NULL, &shut);
		journal_db_put_lane(
		    db, batch, &stranger, NULL, i % 3 == 0 ? &closed : &open);
		enum status st = db_submit(db, &batch, NULL, NULL);
		ck_assert_int_eq(st, STATUS_PENDING);
	}
	/* Nobody can be unlocked in person who is nobody. */
	const struct lane_key unknown = unknown_key(1);
	ck_assert_int_eq(put(&unknown, NULL, &closed), STATUS_OK);
}

/* Whatever the size of a page, each is listed once, in order. */
START_TEST(shut_lanes_listed)
{
	static const size_t limits[] = { 1, 2, 3, 7, 100, 1000 };

	make_accounts();
	for (size_t i = 0; i < nitems(limits); i++) {
		struct lane_cursor cursor = { 0 };
		struct lane_listed listed[1000];
		size_t count, all = 0;

		while (!cursor.ended) {
			ck_assert_int_eq(
			    journal_db_shut_lanes(db, NULL, NOW, &cursor,
				listed, limits[i], &count),
			    STATUS_OK);
			for (size_t j = 0; j < count; j++, all++) {
				uint32_t number = get_be32(
				    listed[j].key.subject.account.bytes);
				ck_assert_uint_eq(number, all / 2 * 3 + 1);
				ck_assert_int_eq(listed[j].key.kind,
				    all % 2 ? LANE_STRANGER : LANE_BOUND);
				ck_assert(lane_shut(&listed[j].lane));
			}
		}
		ck_assert_uint_eq(all, ACCOUNTS / 3 * 2);
	}
}
END_TEST

START_TEST(shut_lanes_of_one)
{
	const struct id account = { { 0, 0, 0, 4 } };
	const struct id open = { { 0, 0, 0, 2 } };
	struct lane_cursor cursor = { 0 };
	struct lane_listed listed[2];
	size_t count;

	make_accounts();
	ck_assert_int_eq(journal_db_shut_lanes(
			     db, &account, NOW, &cursor, listed, 2, &count),
	    STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert(!cursor.ended);
	ck_assert_int_eq(journal_db_shut_lanes(
			     db, &account, NOW, &cursor, listed, 2, &count),
	    STATUS_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert(cursor.ended);
	/* The strangers' has opened by itself. */
	cursor = (struct lane_cursor){ 0 };
	ck_assert_int_eq(journal_db_shut_lanes(db, &account, NOW + 1000,
			     &cursor, listed, 2, &count),
	    STATUS_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(listed[0].key.kind, LANE_BOUND);
	cursor = (struct lane_cursor){ 0 };
	ck_assert_int_eq(
	    journal_db_shut_lanes(db, &open, NOW, &cursor, listed, 2, &count),
	    STATUS_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert(cursor.ended);
}
END_TEST

/* ---- */

static TCase *case_of(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("journal_db");

	TCase *tc = case_of(suite, "A-07 rows");
	tcase_add_test(tc, lanes_apart);
	tcase_add_test(tc, lane_layout);
	tcase_add_test(tc, lane_compare_and_set);
	tcase_add_test(tc, terminal_deleted);
	tcase_add_test(tc, moment_rows);
	tcase_add_test(tc, moment_guarded);
	tcase_add_test(tc, invitation_rows);
	tcase_add_test(tc, invitations_bounded);
	tc = case_of(suite, "R-03 damaged rows");
	tcase_add_loop_test(tc, damaged_table, 0, nitems(damaged_rows));
	tcase_add_test(tc, moment_damaged);
	tc = case_of(suite, "A-09 names that are nobody's");
	tcase_add_test(tc, idle_longest_makes_room);
	tcase_add_test(tc, known_is_not_pushed_out);
	tcase_add_test(tc, buckets_are_bounded);
	tc = case_of(suite, "A-08 O-01 what is shut");
	tcase_add_test(tc, shut_lanes_listed);
	tcase_add_test(tc, shut_lanes_of_one);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
