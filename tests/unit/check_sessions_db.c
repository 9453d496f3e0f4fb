#include <check.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "scratch_db.h"
#include "skip_time.h"

/* A unit of a program, not of a library: compiled in as it is. */
#include "../../services/auth/sessions_db.c"

#define SECOND_MS 1000ull
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)

static struct db *journal;

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };
static const struct id phone = { "phone of anna" };

static void open_journal(void)
{
	journal = scratch_db("journal", "journal", 1);
}

static void setup(void)
{
	scratch_make();
	open_journal();
}

static void teardown(void)
{
	db_close(&journal);
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

static void commit(struct db_batch *batch)
{
	struct pollfd ready = { db_event_fd(journal), POLLIN, 0 };
	enum status result = STATUS_PENDING;

	ck_assert_int_eq(
	    db_submit(journal, &batch, on_done, &result), STATUS_PENDING);
	while (result == STATUS_PENDING) {
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		db_complete(journal);
	}
	ck_assert_int_eq(result, STATUS_OK);
}

static struct ticket ticket_of(
    const struct id *account, enum direction direction)
{
	struct ticket ticket = {
		.direction = direction,
		.account = *account,
		.terminal = phone,
		.peer = "the key of the phone",
		.issued_ms = clock_wall_ms(),
	};

	ticket.expiry_ms = ticket.issued_ms + 5 * MINUTE_MS;
	randombytes_buf(ticket.nonce, sizeof(ticket.nonce));
	return ticket;
}

static bool put_session(const struct ticket *ticket)
{
	struct db_batch *batch =
	    db_batch_new(&ticket->account, DB_GENERATION_ANY, NULL);
	bool known = sessions_put(journal, batch, ticket);

	commit(batch);
	return known;
}

static struct session sessions[SESSIONS_MAX];

static size_t list(const struct id *account)
{
	size_t count;

	ck_assert_int_eq(
	    sessions_list(journal, account, sessions, &count), STATUS_OK);
	return count;
}

static uint64_t rows_of_journal(void)
{
	struct db_stats stats;

	ck_assert_int_eq(db_stats(journal, &stats), STATUS_OK);
	return stats.rows;
}

/* ---- rows ---- */

START_TEST(there_and_back)
{
	struct ticket upload = ticket_of(&anna, DIRECTION_UPLOAD);
	struct ticket enrol = ticket_of(&anna, DIRECTION_ENROL);

	ck_assert_uint_eq(list(&anna), 0);
	enrol.terminal = (struct id){ 0 };
	enrol.peer[0] ^= 1;
	enrol.issued_ms++; /* listed by when they were issued */
	put_session(&enrol);
	put_session(&upload);
	ck_assert_uint_eq(list(&bert), 0);
	ck_assert_uint_eq(list(&anna), 2);
	ck_assert_mem_eq(sessions[0].id.bytes, upload.nonce, ID_BYTES);
	ck_assert_int_eq(sessions[0].direction, DIRECTION_UPLOAD);
	ck_assert(id_equal(&sessions[0].terminal, &phone));
	ck_assert_uint_eq(sessions[0].issued_ms, upload.issued_ms);
	ck_assert_uint_eq(sessions[0].expiry_ms, upload.expiry_ms);
	ck_assert_mem_eq(sessions[1].id.bytes, enrol.nonce, ID_BYTES);
	ck_assert(id_is_none(&sessions[1].terminal));
	ck_assert_mem_ne(sessions[0].fingerprint, sessions[1].fingerprint,
	    SESSION_FINGERPRINT_BYTES);

	struct ticket ticket = session_ticket(&sessions[0], &anna);
	ck_assert_mem_eq(ticket.nonce, upload.nonce, TICKET_NONCE_BYTES);
	ck_assert(id_equal(&ticket.account, &anna));
	ck_assert(id_equal(&ticket.terminal, &phone));
	ck_assert_uint_eq(ticket.issued_ms, upload.issued_ms);
}
END_TEST

/* The layout is on disks: a change needs another version. */
START_TEST(layout)
{
	static const uint8_t want[34] = "\1\1phone of anna\0\0\0"
					"\1\2\3\4\5\6\7\10";
	const struct ticket ticket = {
		.direction = DIRECTION_UPLOAD,
		.account = anna,
		.terminal = phone,
		.issued_ms = 0x1122334455667788,
		.expiry_ms = 0x0102030405060708,
		.nonce = "sixteen bytes...",
		.peer = { 0 },
	};
	struct slice all = { 0 };
	struct db_page page = { 0 };

	put_session(&ticket);
	ck_assert_int_eq(
	    db_scan(journal, &anna, 0x10, all, all, 9, false, &page),
	    STATUS_OK);
	ck_assert_uint_eq(page.count, 1);
	ck_assert_uint_eq(page.entries[0].key.len, 24);
	ck_assert_mem_eq(page.entries[0].key.data,
	    "\x11\x22\x33\x44\x55\x66\x77\x88sixteen bytes...", 24);
	ck_assert_uint_eq(page.entries[0].value.len, 34);
	ck_assert_mem_eq(page.entries[0].value.data, want, 26);
	db_page_clear(&page);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	size_t key_len, value_len;
	uint8_t version, direction;
	enum status want;
} rows[] = {
	{ "R-03 as it is written",   24, 34, 1, 1,   STATUS_OK },
	{ "R-03 the last direction", 24, 34, 1, 7,   STATUS_OK },
	{ "R-03 a short key",        23, 34, 1, 1,   STATUS_INTERNAL },
	{ "R-03 no key",             0,  34, 1, 1,   STATUS_INTERNAL },
	{ "R-03 a long key",         25, 34, 1, 1,   STATUS_INTERNAL },
	{ "R-03 a short value",      24, 33, 1, 1,   STATUS_INTERNAL },
	{ "R-03 only a version",     24, 1,  1, 1,   STATUS_INTERNAL },
	{ "R-03 no version",         24, 34, 0, 1,   STATUS_INTERNAL },
	{ "R-03 no direction",       24, 34, 1, 0,   STATUS_INTERNAL },
	{ "O-08 a newer direction",  24, 34, 1, 8,   STATUS_INTERNAL },
	{ "O-08 a newer version",    24, 34, 2, 1,   STATUS_INTERNAL },
};
/* clang-format on */

START_TEST(row)
{
	uint8_t key[25] = { 1 }, value[34] = { 0 };
	struct ticket ticket = ticket_of(&anna, DIRECTION_MANAGE);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	size_t count;

	put_be64(key, clock_wall_ms());
	value[0] = rows[_i].version;
	value[AT_DIRECTION] = rows[_i].direction;
	put_be64(value + AT_EXPIRY, clock_wall_ms() + HOUR_MS);
	db_batch_put(batch, SESSIONS_TABLE, slice_of(key, rows[_i].key_len),
	    slice_of(value, rows[_i].value_len));
	commit(batch);
	enum status got = sessions_list(journal, &anna, sessions, &count);
	ck_assert_msg(got == rows[_i].want, "%s: got '%s', want '%s'",
	    rows[_i].name, status_text(got), status_text(rows[_i].want));
	/* and it keeps nobody from logging in */
	put_session(&ticket);
	ck_assert_uint_eq(rows_of_journal(), 2);
}
END_TEST

/* ---- how long ---- */

/* clang-format off */
static const struct {
	const char *name;
	enum direction direction;
	uint64_t ends_after_ms;
} ends[] = {
	{ "A-14 an upload is renewed",      DIRECTION_UPLOAD,   24 * HOUR_MS },
	{ "A-14 a download is renewed",     DIRECTION_DOWNLOAD, 24 * HOUR_MS },
	{ "A-14 a subscription is renewed", DIRECTION_NOTICES,  24 * HOUR_MS },
	{ "A-14 manage is not",             DIRECTION_MANAGE,   5 * MINUTE_MS },
	{ "A-14 bind is not",               DIRECTION_BIND,     5 * MINUTE_MS },
	{ "A-14 enrol is not",              DIRECTION_ENROL,    5 * MINUTE_MS },
	{ "A-14 report is not",             DIRECTION_REPORT,   5 * MINUTE_MS },
};
/* clang-format on */

START_TEST(end)
{
	struct ticket ticket = ticket_of(&anna, ends[_i].direction);
	struct ticket next;

	put_session(&ticket);
	ck_assert_uint_eq(list(&anna), 1);
	ck_assert_msg(session_ends_ms(&sessions[0]) ==
			  ticket.issued_ms + ends[_i].ends_after_ms,
	    "%s", ends[_i].name);
	skipped_ms += ends[_i].ends_after_ms;
	ck_assert_msg(list(&anna) == 1, "%s: the skew", ends[_i].name);
	skipped_ms += TICKET_SKEW_MS + SECOND_MS;
	ck_assert_msg(list(&anna) == 0, "%s", ends[_i].name);
	/* the row goes with the next login */
	ck_assert_uint_eq(rows_of_journal(), 1);
	next = ticket_of(&anna, DIRECTION_MANAGE);
	put_session(&next);
	ck_assert_uint_eq(rows_of_journal(), 1);
	ck_assert_uint_eq(list(&anna), 1);
	ck_assert_mem_eq(sessions[0].id.bytes, next.nonce, ID_BYTES);
}
END_TEST

START_TEST(known)
{
	struct ticket ticket = ticket_of(&anna, DIRECTION_MANAGE);
	struct ticket another = ticket_of(&anna, DIRECTION_MANAGE);
	struct ticket bert_s = ticket_of(&bert, DIRECTION_MANAGE);

	another.peer[0] ^= 1;
	ck_assert(!put_session(&ticket));
	ck_assert(!put_session(&another));
	ck_assert(!put_session(&bert_s));
	randombytes_buf(ticket.nonce, sizeof(ticket.nonce));
	ck_assert(put_session(&ticket));
	/* not by one that is over */
	skipped_ms += 5 * MINUTE_MS + TICKET_SKEW_MS + SECOND_MS;
	ticket = ticket_of(&anna, DIRECTION_MANAGE);
	ck_assert(!put_session(&ticket));
}
END_TEST

START_TEST(bound)
{
	struct ticket first = ticket_of(&anna, DIRECTION_UPLOAD);
	struct ticket ticket = first;

	put_session(&first);
	for (unsigned int i = 1; i < SESSIONS_MAX; i++) {
		ticket = ticket_of(&anna, DIRECTION_UPLOAD);
		ticket.issued_ms = first.issued_ms + i;
		put_session(&ticket);
	}
	ck_assert_uint_eq(list(&anna), SESSIONS_MAX);
	ck_assert_mem_eq(sessions[0].id.bytes, first.nonce, ID_BYTES);
	ticket = ticket_of(&anna, DIRECTION_UPLOAD);
	ticket.issued_ms = first.issued_ms + SESSIONS_MAX;
	put_session(&ticket);
	ck_assert_uint_eq(list(&anna), SESSIONS_MAX);
	ck_assert_uint_eq(rows_of_journal(), SESSIONS_MAX);
	ck_assert_mem_ne(sessions[0].id.bytes, first.nonce, ID_BYTES);
	ck_assert_mem_eq(
	    sessions[SESSIONS_MAX - 1].id.bytes, ticket.nonce, ID_BYTES);
	/* another account has room of its own */
	ticket = ticket_of(&bert, DIRECTION_UPLOAD);
	put_session(&ticket);
	ck_assert_uint_eq(list(&anna), SESSIONS_MAX);
	ck_assert_uint_eq(list(&bert), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sessions_db");
	TCase *keeping = tcase_create("A-14 sessions are kept and listed");
	TCase *bytes = tcase_create("R-03 O-08 rows of sessions");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(keeping, setup, teardown);
	tcase_add_checked_fixture(bytes, setup, teardown);
	tcase_set_timeout(keeping, 60);
	tcase_add_test(keeping, there_and_back);
	tcase_add_loop_test(keeping, end, 0, nitems(ends));
	tcase_add_test(keeping, known);
	tcase_add_test(keeping, bound);
	tcase_add_test(bytes, layout);
	tcase_add_loop_test(bytes, row, 0, nitems(rows));
	suite_add_tcase(suite, keeping);
	suite_add_tcase(suite, bytes);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
