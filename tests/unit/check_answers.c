#include <stdlib.h>
#include <string.h>

#include "service/answers.h"
#include "service/sealed_row.h"
#include "stage.h"

/* Kept answers, through a real server and a real database (G-04). */

#define TYPE_ADD   0x0701 /* adds the body's number to the account's sum */
#define TYPE_OTHER 0x0702 /* the same, under another type */
#define TYPE_FAIL  0x0703 /* refuses the first time, then adds */
#define TYPE_RACE  0x0704 /* adds, in a batch that loses a race */
#define TYPE_LARGE 0x0705 /* an answer that no row can hold */

#define ROWS   1 /* table */
#define DAY_MS (24ull * 3600 * 1000)

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };

static unsigned int runs;
static struct bytes body;

/* ---- handlers ---- */

static uint64_t sum_of(const struct id *account)
{
	struct bytes value = { 0 };
	uint64_t sum = 0;

	if (db_get(db, account, ROWS, slice_text("sum"), &value) == STATUS_OK)
		sum = get_be64(value.data);
	bytes_clear(&value);
	return sum;
}

static enum status add(struct exchange *x, uint64_t expected_generation)
{
	Common__Figure *message, reply = COMMON__FIGURE__INIT;
	uint8_t sum[8];

	runs++;
	enum status st =
	    exchange_unpack(x, &common__figure__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	reply.value = sum_of(&x->ticket.account) + message->value;
	put_be64(sum, reply.value);
	st = exchange_reply(x, &reply.base);
	if (st != STATUS_OK)
		return st;
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, expected_generation, NULL);
	db_batch_put(
	    batch, ROWS, slice_text("sum"), slice_of(sum, sizeof(sum)));
	return exchange_commit(x, &batch, NULL);
}

static enum status on_add(void *arg, struct exchange *x)
{
	(void)arg;
	return add(x, DB_GENERATION_ANY);
}

static enum status on_fail(void *arg, struct exchange *x)
{
	if (runs++ == 0)
		return exchange_refuse(x, STATUS_QUOTA, "no room");
	return on_add(arg, x);
}

static enum status on_race(void *arg, struct exchange *x)
{
	(void)arg;
	return add(x, 999);
}

static enum status on_large(void *arg, struct exchange *x)
{
	static char name[DB_VALUE_BYTES_MAX];
	Common__Figure reply = COMMON__FIGURE__INIT;

	(void)arg;
	runs++;
	memset(name, 'x', sizeof(name) - 1);
	reply.name = name;
	ck_assert_int_eq(exchange_reply(x, &reply.base), STATUS_OK);
	struct db_batch *batch =
	    db_batch_new(&x->ticket.account, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, ROWS, slice_text("sum"), slice_text("8 bytes!"));
	return exchange_commit(x, &batch, NULL);
}

/* clang-format off */
static const struct handler handlers[] = {
	{ TYPE_ADD,   "ADD",   FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_UPLOAD), KEPT, on_add },
	{ TYPE_OTHER, "OTHER", FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_UPLOAD), KEPT, on_add },
	{ TYPE_FAIL,  "FAIL",  FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_UPLOAD), KEPT, on_fail },
	{ TYPE_RACE,  "RACE",  FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_UPLOAD), KEPT, on_race },
	{ TYPE_LARGE, "LARGE", FROM(ROLE_GATEWAY), GOOD_FOR(DIRECTION_UPLOAD), KEPT, on_large },
};
/* clang-format on */

static void setup(void)
{
	stage_options = (struct server_options){ 0 };
	stage_setup(handlers, nitems(handlers));
}

static void teardown(void)
{
	stage_teardown();
	bytes_clear(&body);
}

static struct request request_for(
    uint32_t type, const struct id *account, uint64_t number)
{
	struct request request = request_of(type);

	request_ticket(&request, account, DIRECTION_UPLOAD);
	figure_pack(&body, number);
	request.body = bytes_slice(&body);
	return request;
}

static void assert_answer(uint64_t want)
{
	ck_assert_int_eq(gateway.reply.status, STATUS_OK);
	ck_assert_uint_eq(figure_of(frame_slice(&gateway.answer.body)), want);
}

/* ---- a repeat ---- */

START_TEST(repeated)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
		assert_answer(5);
	}
	ck_assert_uint_eq(runs, 1);
	/* the sum has moved on: the first answer stays the answer */
	struct request next = request_for(TYPE_ADD, &anna, 5);
	ck_assert_int_eq(asker_ask(&gateway, &next), STATUS_OK);
	assert_answer(10);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert_uint_eq(sum_of(&anna), 10);
}
END_TEST

START_TEST(repeated_after_a_restart)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	stage_restart();
	/* with a fresh ticket, and by another way */
	request_ticket(&request, &anna, DIRECTION_UPLOAD);
	request.route = "another way";
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert(slice_equal(frame_slice(&gateway.answer.envelope[0]),
	    slice_text("another way")));
	ck_assert_uint_eq(runs, 1);
	ck_assert_uint_eq(sum_of(&anna), 5);
}
END_TEST

/* The server ends with the change in its queue: done, and never answered. */
START_TEST(answer_lost)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	asker_send(&gateway, &request);
	while (runs == 0)
		asker_hears_nothing(&ops);
	stage_restart();
	ck_assert_uint_eq(sum_of(&anna), 5);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert_uint_eq(runs, 1);
}
END_TEST

/* The second comes while the first is on its way to the disk. */
START_TEST(two_at_once)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	asker_send(&gateway, &request);
	request.route = "another way";
	asker_send(&gateway, &request);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
	assert_answer(5);
	/* One answer where they met under way, else two that are the same. */
	asker_send(&gateway, &request);
	ck_assert_int_eq(asker_wait(&gateway), STATUS_OK);
	assert_answer(5);
	ck_assert_uint_eq(runs, 1);
	ck_assert_uint_eq(sum_of(&anna), 5);
}
END_TEST

START_TEST(refusals_are_not_kept)
{
	struct request request = request_for(TYPE_FAIL, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_QUOTA);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert_uint_eq(sum_of(&anna), 5);
}
END_TEST

/* ---- the same id for something else ---- */

START_TEST(another_body)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	figure_pack(&body, 6);
	request.body = bytes_slice(&body);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_CONFLICT);
	ck_assert_str_eq(gateway.reply.detail,
	    "this request id was used for another request");
	ck_assert_uint_eq(zmq_msg_size(&gateway.answer.body), 0);
	ck_assert_uint_eq(runs, 1);
	ck_assert_uint_eq(sum_of(&anna), 5);
}
END_TEST

START_TEST(another_type)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	request.header.type = TYPE_OTHER;
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_CONFLICT);
	ck_assert_uint_eq(runs, 1);
}
END_TEST

/* Also while the first is on its way to the disk: one of them wins. */
START_TEST(another_body_at_once)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);
	unsigned int done = 0, refused = 0;

	asker_send(&gateway, &request);
	figure_pack(&body, 6);
	request.body = bytes_slice(&body);
	asker_send(&gateway, &request);
	for (int i = 0; i < 2; i++) {
		enum status st = asker_wait(&gateway);
		ck_assert(st == STATUS_OK || st == STATUS_CONFLICT);
		done += st == STATUS_OK;
		refused += st == STATUS_CONFLICT;
	}
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(refused, 1);
	ck_assert_uint_eq(sum_of(&anna), 5);
}
END_TEST

START_TEST(another_terminal)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	/* it holds the request id, and is not told the answer */
	request.header.peer.id[0] ^= 1;
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_DENIED);
	request_ticket(&request, &anna, DIRECTION_UPLOAD);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(10);
	ck_assert_uint_eq(runs, 2);
}
END_TEST

START_TEST(another_account)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	request_ticket(&request, &bert, DIRECTION_UPLOAD);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert_uint_eq(runs, 2);
	ck_assert_uint_eq(sum_of(&bert), 5);
}
END_TEST

/* The answer is kept, and yet told to nobody without a ticket. */
START_TEST(without_a_ticket)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	request.header.ticket_len = 0;
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_AUTH_REQUIRED);
	ck_assert_uint_eq(zmq_msg_size(&gateway.answer.body), 0);
}
END_TEST

/* ---- change and answer go together ---- */

START_TEST(neither_after_a_race)
{
	struct request request = request_for(TYPE_RACE, &anna, 5);

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
		    asker_ask(&gateway, &request), STATUS_CONFLICT);
	ck_assert_uint_eq(runs, 2);
	ck_assert_uint_eq(sum_of(&anna), 0);
}
END_TEST

START_TEST(neither_when_too_large)
{
	struct request request = request_for(TYPE_LARGE, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_TOO_LARGE);
	ck_assert_uint_eq(sum_of(&anna), 0);
}
END_TEST

/* ---- 24 hours ---- */

static size_t rows_in(uint8_t table)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(
	    db_scan(db, &anna, table, all, all, 0, false, &page), STATUS_OK);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

START_TEST(a_day)
{
	enum { MANY = 20, BURST = 8 };
	struct request first = request_for(TYPE_ADD, &anna, 1);

	ck_assert_int_eq(asker_ask(&gateway, &first), STATUS_OK);
	for (int i = 1; i < MANY; i++) {
		struct request request = request_for(TYPE_ADD, &anna, 1);
		ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	}
	ck_assert_uint_eq(rows_in(TABLE_ANSWERS), MANY);
	ck_assert_uint_eq(rows_in(TABLE_ANSWER_TIMES), MANY);

	skipped_ms += DAY_MS - 60000;
	request_ticket(&first, &anna, DIRECTION_UPLOAD);
	figure_pack(&body, 1);
	first.body = bytes_slice(&body);
	ck_assert_int_eq(asker_ask(&gateway, &first), STATUS_OK);
	assert_answer(1);
	ck_assert_uint_eq(runs, MANY);

	/* after it each new answer drops a few old ones */
	skipped_ms += 120000;
	for (int i = 0; i < 3; i++) {
		struct request request = request_for(TYPE_ADD, &anna, 1);
		ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	}
	ck_assert_uint_eq(rows_in(TABLE_ANSWERS), 3);
	ck_assert_uint_eq(rows_in(TABLE_ANSWER_TIMES), 3);
	ck_assert_uint_eq(sum_of(&anna), MANY + 3);
}
END_TEST

/* ---- at rest ---- */

static void seen_values(uint8_t table, void (*see)(struct slice value))
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(
	    db_scan(db, &anna, table, all, all, 0, false, &page), STATUS_OK);
	ck_assert_uint_gt(page.count, 0);
	for (size_t i = 0; i < page.count; i++)
		see(page.entries[i].value);
	db_page_clear(&page);
}

static void see_sealed(struct slice value)
{
	/* hash (16), and a packed body: its tag and the sum */
	ck_assert_uint_eq(value.data[0], 2);
	ck_assert_uint_eq(value.len, 1 + SEAL_EXTRA_BYTES + 16 + body.len);
	ck_assert_ptr_null(memmem(value.data, value.len, body.data, body.len));
}

START_TEST(sealed)
{
	struct request request = request_for(TYPE_ADD, &anna, 0x12345678);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(0x12345678);
	seen_values(TABLE_ANSWERS, see_sealed);
}
END_TEST

/* A row of format 1, in clear, and whatever byte it began with. */
START_TEST(migrated)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);
	uint8_t key[PEER_ID_BYTES + ID_BYTES], type[4], hash[16];
	crypto_generichash_state state;
	struct bytes value = { 0 };

	memcpy(key, request.header.peer.id, PEER_ID_BYTES);
	memcpy(key + PEER_ID_BYTES, request.header.request.bytes, ID_BYTES);
	put_be32(type, TYPE_ADD);
	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, type, sizeof(type));
	crypto_generichash_update(&state, body.data, body.len);
	crypto_generichash_final(&state, hash, sizeof(hash));
	ck_assert_int_eq(
	    bytes_append(&value, slice_of(hash, sizeof(hash))), STATUS_OK);
	ck_assert_int_eq(bytes_append(&value, bytes_slice(&body)), STATUS_OK);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, TABLE_ANSWERS, slice_of(key, sizeof(key)),
	    bytes_slice(&value));
	/* and one that begins as a sealed one does */
	key[0] ^= 1;
	value.data[0] = 2;
	db_batch_put(batch, TABLE_ANSWERS, slice_of(key, sizeof(key)),
	    bytes_slice(&value));
	ck_assert_int_eq(db_submit_wait(db, &batch), STATUS_OK);
	bytes_clear(&value);

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
		    sealed_rows_migrate(ring, db, TABLE_ANSWERS, 0), STATUS_OK);
	seen_values(TABLE_ANSWERS, see_sealed);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	assert_answer(5);
	ck_assert_uint_eq(runs, 0);
}
END_TEST

/* The account is being deleted: no answer opens, and no change goes in. */
START_TEST(shredded)
{
	struct request request = request_for(TYPE_ADD, &anna, 5);

	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_OK);
	ck_assert_int_eq(keyring_shred(ring, db, &anna), STATUS_OK);
	ck_assert_int_eq(asker_ask(&gateway, &request), STATUS_DENIED);
	struct request next = request_for(TYPE_ADD, &anna, 5);
	ck_assert_int_eq(asker_ask(&gateway, &next), STATUS_CONFLICT);
	ck_assert_uint_eq(sum_of(&anna), 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("answers");
	TCase *repeats = tcase_create("G-04 the same answer to a repeat");
	TCase *others = tcase_create("G-04 R-07 an id used twice");
	TCase *together = tcase_create("G-04 R-01 change and answer together");
	TCase *days = tcase_create("G-04 answers for a day");

	tcase_add_checked_fixture(repeats, setup, teardown);
	tcase_add_checked_fixture(others, setup, teardown);
	tcase_add_checked_fixture(together, setup, teardown);
	tcase_add_checked_fixture(days, setup, teardown);
	tcase_add_test(repeats, repeated);
	tcase_add_test(repeats, repeated_after_a_restart);
	tcase_add_test(repeats, answer_lost);
	tcase_add_test(repeats, two_at_once);
	tcase_add_test(repeats, refusals_are_not_kept);
	tcase_add_test(others, another_body);
	tcase_add_test(others, another_type);
	tcase_add_test(others, another_body_at_once);
	tcase_add_test(others, another_terminal);
	tcase_add_test(others, another_account);
	tcase_add_test(others, without_a_ticket);
	tcase_add_test(together, neither_after_a_race);
	tcase_add_test(together, neither_when_too_large);
	tcase_add_test(days, a_day);
	TCase *rest = tcase_create("K-08 G-04 kept answers are sealed");
	tcase_add_checked_fixture(rest, setup, teardown);
	tcase_add_test(rest, sealed);
	tcase_add_test(rest, migrated);
	tcase_add_test(rest, shredded);
	suite_add_tcase(suite, rest);
	suite_add_tcase(suite, repeats);
	suite_add_tcase(suite, others);
	suite_add_tcase(suite, together);
	suite_add_tcase(suite, days);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
