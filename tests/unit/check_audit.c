#include "audit_stage.h"

#define MANY     900 /* more events than are held in memory */
#define ACCOUNTS 600 /* more than are looked into in one step */

/* ---- into the chain ---- */

START_TEST(event_becomes_a_record)
{
	struct audit_record record;
	struct audit_person person;
	uint64_t before = clock_wall_ms();

	change(&anna, "code_changed");
	wait_until(all_committed);
	ck_assert_uint_eq(pending_of(&anna), 1);
	audit_kick(audit, db, &anna);
	wait_for_records(1);
	wait_until(annas_row_is_gone);
	assert_chain(1);
	ck_assert_int_eq(read_record(1, &record), STATUS_OK);
	ck_assert_str_eq(record.fact.action, "code_changed");
	ck_assert(id_equal(&record.fact.account, &anna));
	ck_assert_uint_ge(record.fact.when_ms, before);
	ck_assert_int_eq(audit_reveal(audit, &record.fact, &person), STATUS_OK);
	ck_assert_str_eq(person.actor, "owner");
	ck_assert_str_eq(person.detail, "by the portal");
	ck_assert(id_equal(&person.terminal, &phone));
}
END_TEST

START_TEST(no_event_without_its_change)
{
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	struct audit_event event = event_of("code_changed");

	db_batch_require(batch, ROWS, slice_text("not there"));
	audit_put(audit, batch, &anna, &event);
	ck_assert_int_eq(commit(db, batch), STATUS_NOT_FOUND);
	audit_kick(audit, db, &anna);
	ck_assert_uint_eq(pending_of(&anna), 0);
	ck_assert_uint_eq(audit_figures(audit).pending, 0);
}
END_TEST

START_TEST(order_of_arrival)
{
	static const char *const actions[] = { "first", "second", "third" };

	for (size_t i = 0; i < nitems(actions); i++)
		change_now(i == 1 ? &bert : &anna, actions[i]);
	wait_for_records(nitems(actions));
	assert_chain(nitems(actions));
	for (size_t i = 0; i < nitems(actions); i++)
		assert_action(i + 1, actions[i]);
}
END_TEST

START_TEST(kicked_twice_is_one_record)
{
	change(&anna, "code_changed");
	wait_until(all_committed);
	audit_kick(audit, db, &anna);
	audit_kick(audit, db, &anna);
	wait_until(annas_row_is_gone);
	audit_kick(audit, db, &anna);
	wait_for_records(1);
	assert_chain(1);
}
END_TEST

START_TEST(more_than_are_held_in_memory)
{
	for (int i = 0; i < MANY; i++)
		change(&anna, "code_changed");
	wait_until(all_committed);
	audit_kick(audit, db, &anna);
	wait_until(annas_row_is_gone);
	wait_for_records(MANY);
	assert_chain(MANY);
}
END_TEST

START_TEST(events_of_the_journal)
{
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	struct audit_event event = event_of("ticket_revoked");
	struct audit_record record;
	struct audit_person person;

	/* An account without a key gets none in the journal. */
	audit_put_journal(audit, batch, &anna, &event);
	ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	audit_kick(audit, journal, &anna);
	wait_for_records(1);
	wait_until(journal_row_is_gone);
	ck_assert_int_eq(read_record(1, &record), STATUS_OK);
	ck_assert_int_eq(record.fact.key, AUDIT_KEY_SERVICE);
	ck_assert_int_eq(audit_reveal(audit, &record.fact, &person), STATUS_OK);
	ck_assert_str_eq(person.actor, "owner");
	/* One that has a key is sealed under it. */
	change_now(&anna, "code_changed");
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	audit_put_journal(audit, batch, &anna, &event);
	ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	audit_kick(audit, journal, &anna);
	wait_for_records(3);
	ck_assert_int_eq(read_record(3, &record), STATUS_OK);
	ck_assert_int_eq(record.fact.key, AUDIT_KEY_ACCOUNT);
	assert_chain(3);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *given, *want;
} text_cases[] = {
	{ "O-06 as it is",           "operator Zoë",             "operator Zoë" },
	{ "O-06 a control character", "operator\nauth 1 forged", "operator?auth 1 forged" },
	{ "O-06 no UTF-8",           "operator \xff",            "operator ?" },
	{ "O-06 longer than it may", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "bc",
	                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
	{ "O-06 cut within a character", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaë",
	                             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
};
/* clang-format on */

START_TEST(texts_are_clean)
{
	struct audit_event event = { "note", text_cases[_i].given, NULL, NULL };
	struct audit_record record;
	struct audit_person person;
	static const struct id none;

	audit_note(audit, NULL, &event);
	wait_for_records(1);
	ck_assert_int_eq(read_record(1, &record), STATUS_OK);
	ck_assert(id_is_none(&record.fact.account));
	ck_assert_int_eq(audit_reveal(audit, &record.fact, &person), STATUS_OK);
	ck_assert_msg(strcmp(person.actor, text_cases[_i].want) == 0,
	    "%s: got '%s'", text_cases[_i].name, person.actor);
	ck_assert_str_eq(person.detail, "");
	ck_assert(id_equal(&person.terminal, &none));
}
END_TEST

/* ---- before it takes effect ---- */

static enum status written_as;
static unsigned int written;

static void on_written(void *arg, enum status status)
{
	struct audit_record record;

	ck_assert_ptr_eq(arg, &written);
	written_as = status;
	if (status == STATUS_OK) /* it is on the disk by now */
		ck_assert_int_eq(read_record(written + 1, &record), STATUS_OK);
	written++;
}

static unsigned int wanted_written;

static bool all_written(void)
{
	return written == wanted_written;
}

static void write_one(const struct id *account)
{
	struct audit_event event = event_of("unlocked");

	ck_assert_int_eq(
	    audit_write(audit, account, &event, on_written, &written),
	    STATUS_PENDING);
}

START_TEST(written_before_told)
{
	written = 0;
	wanted_written = 3;
	write_one(&anna);
	write_one(NULL);
	write_one(&anna);
	ck_assert_uint_eq(written, 0);
	wait_until(all_written);
	ck_assert_int_eq(written_as, STATUS_OK);
	assert_chain(3);
}
END_TEST

START_TEST(too_much_to_write)
{
	struct audit_event event = event_of("unlocked");
	unsigned int taken = 0;

	written = 0;
	while (audit_write(audit, NULL, &event, on_written, &written) ==
	       STATUS_PENDING)
		taken++;
	ck_assert_uint_eq(taken, 256);
	ck_assert_int_eq(audit_write(audit, NULL, &event, on_written, &written),
	    STATUS_BUSY);
	wanted_written = taken;
	wait_until(all_written);
	write_one(NULL);
	wanted_written++;
	wait_until(all_written);
	assert_chain(taken + 1);
}
END_TEST

static enum status told_as[2];
static unsigned int told;

static void on_told(void *arg, enum status status)
{
	ck_assert_ptr_eq(arg, &told);
	ck_assert_uint_lt(told, nitems(told_as));
	told_as[told++] = status;
}

/* Whoever waits is told, once, also when the service ends. */
START_TEST(told_at_the_end)
{
	struct audit_event event = event_of("unlocked");

	told = 0;
	for (size_t i = 0; i < nitems(told_as); i++)
		ck_assert_int_eq(
		    audit_write(audit, &anna, &event, on_told, &told),
		    STATUS_PENDING);
	service_restart();
	ck_assert_uint_eq(told, nitems(told_as));
	/* The second one waited for the batch of the first. */
	ck_assert_int_eq(told_as[0], STATUS_UNAVAILABLE);
	ck_assert_int_eq(told_as[1], STATUS_OK);
	ck_assert_uint_eq(audit_figures(audit).records, 1);
	assert_chain(1);
}
END_TEST

/* ---- when the disk is full ---- */

#define FILLER_BYTES 4000

static unsigned int fillers;

/* Fill the journal until it takes not even a few bytes more. */
static void fill_journal(void)
{
	static const size_t lens[] = { FILLER_BYTES, 400, 1 };
	static const uint8_t filler[FILLER_BYTES] = { 1 };
	uint8_t key[4];

	fillers = 0;
	for (size_t i = 0; i < nitems(lens); i++) {
		enum status st = STATUS_OK;
		for (; st == STATUS_OK; fillers++) {
			struct db_batch *batch =
			    db_batch_new(&bert, DB_GENERATION_ANY, NULL);
			put_be32(key, fillers);
			db_batch_put(batch, ROWS, slice_of(key, sizeof(key)),
			    slice_of(filler, lens[i]));
			st = commit(journal, batch);
		}
		ck_assert_int_eq(st, STATUS_NO_SPACE);
	}
}

static void empty_journal(void)
{
	uint8_t key[4];

	while (fillers > 0) {
		struct db_batch *batch =
		    db_batch_new(&bert, DB_GENERATION_ANY, NULL);
		for (int i = 0; i < 100 && fillers > 0; i++) {
			put_be32(key, --fillers);
			db_batch_delete(
			    batch, ROWS, slice_of(key, sizeof(key)));
		}
		ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	}
}

static uint64_t retries;

static bool tried_in_vain(void)
{
	skip(1000);
	return ++retries > 20;
}

START_TEST(failed_batch_is_tried_again)
{
	change_now(&anna, "before");
	wait_for_records(1);
	capture_begin(STDERR_FILENO);
	fill_journal();
	change_now(&anna, "first");
	change_now(&bert, "second");
	/* What somebody waits for fails instead, and is not written later. */
	written = 0;
	wanted_written = 1;
	write_one(NULL);
	retries = 0;
	wait_until(tried_in_vain);
	ck_assert(all_written());
	ck_assert_int_eq(written_as, STATUS_NO_SPACE);
	ck_assert_uint_eq(audit_figures(audit).pending, 2);
	ck_assert_uint_eq(pending_of(&anna) + pending_of(&bert), 2);
	assert_chain(1);
	empty_journal();
	skip(HOUR_MS);
	wait_for_records(3);
	ck_assert_ptr_nonnull(strstr(capture_end(), "event=audit_waits"));
	assert_chain(3);
	assert_action(2, "first");
	assert_action(3, "second");
}
END_TEST

/* ---- restarts ---- */

START_TEST(found_at_the_start)
{
	change(&anna, "first");
	wait_until(all_committed); /* killed before the kick */
	service_restart();
	wait_for_records(1);
	wait_until(annas_row_is_gone);
	change_now(&anna, "second");
	wait_for_records(2);
	service_restart();
	wait_for_records(2);
	assert_chain(2);
	assert_action(1, "first");
}
END_TEST

static struct id account_of(uint32_t number)
{
	struct id id = { { 1 } };

	put_be32(id.bytes + 12, number);
	return id;
}

START_TEST(found_in_many_accounts)
{
	for (uint32_t i = 0; i < ACCOUNTS; i++) {
		struct id account = account_of(i);
		change(&account, "registered");
	}
	wait_until(all_committed);
	service_restart();
	wait_for_records(ACCOUNTS);
	assert_chain(ACCOUNTS);
}
END_TEST

static bool copy_is_gone(void)
{
	return pending_of(&anna) == 0;
}

/* As after a kill between both steps, or an older copy put back. */
START_TEST(repeat_is_recognised)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	change(&anna, "code_changed");
	wait_until(all_committed);
	ck_assert_int_eq(
	    db_scan(db, &anna, TABLE_AUDIT, all, all, 0, false, &page),
	    STATUS_OK);
	ck_assert_uint_eq(page.count, 1);
	audit_kick(audit, db, &anna);
	wait_until(annas_row_is_gone);
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_put(
	    batch, TABLE_AUDIT, page.entries[0].key, page.entries[0].value);
	ck_assert_int_eq(commit(db, batch), STATUS_OK);
	db_page_clear(&page);
	service_restart();
	wait_until(copy_is_gone);
	change_now(&anna, "another");
	wait_for_records(2);
	assert_chain(2);
	assert_action(2, "another");
}
END_TEST

static bool one_row_is_left(void)
{
	return pending_of(&anna) == 1;
}

START_TEST(damaged_row_is_left_alone)
{
	struct db_batch *batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);

	db_batch_put(
	    batch, TABLE_AUDIT, slice_text("no event"), slice_text("damaged"));
	ck_assert_int_eq(commit(db, batch), STATUS_OK);
	capture_begin(STDERR_FILENO);
	change_now(&anna, "code_changed");
	wait_for_records(1);
	ck_assert_ptr_nonnull(
	    strstr(capture_end(), "event=audit_event_damaged"));
	wait_until(one_row_is_left);
}
END_TEST

/* ---- when the account is gone ---- */

START_TEST(unreadable_after_the_shred)
{
	struct audit_record record;
	struct audit_person person;

	change_now(&anna, "code_changed");
	change_now(&bert, "code_changed");
	wait_for_records(2);
	ck_assert_int_eq(keyring_shred(keyring, db, &anna), STATUS_OK);
	ck_assert_int_eq(read_record(1, &record), STATUS_OK);
	ck_assert_int_eq(
	    audit_reveal(audit, &record.fact, &person), STATUS_EXPIRED);
	ck_assert_int_eq(read_record(2, &record), STATUS_OK);
	ck_assert_int_eq(audit_reveal(audit, &record.fact, &person), STATUS_OK);
	assert_chain(2);
	/* A batch that still comes is on record, but as unreadable. */
	change_now(&anna, "too_late");
	wait_for_records(3);
	ck_assert_int_eq(read_record(3, &record), STATUS_OK);
	ck_assert_int_eq(
	    audit_reveal(audit, &record.fact, &person), STATUS_EXPIRED);
	/* What an operator does to such an account can be read. */
	written = 3;
	wanted_written = 4;
	write_one(&anna);
	wait_until(all_written);
	ck_assert_int_eq(read_record(4, &record), STATUS_OK);
	ck_assert_int_eq(audit_reveal(audit, &record.fact, &person), STATUS_OK);
	assert_chain(4);
}
END_TEST

static bool nothing_waits(void)
{
	return audit_figures(audit).pending == 0;
}

START_TEST(rows_may_go_with_the_account)
{
	struct db_batch *batch;

	change(&anna, "code_changed");
	wait_until(all_committed);
	audit_kick(audit, db, &anna);
	batch = db_batch_new(&anna, DB_GENERATION_ANY, NULL);
	db_batch_remove_account(batch);
	ck_assert_int_eq(commit(db, batch), STATUS_OK);
	wait_for_records(1);
	wait_until(nothing_waits);
	assert_chain(1);
}
END_TEST

/* ---- stopping ---- */

static bool stopped;

static void on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

static bool is_stopped(void)
{
	return stopped;
}

START_TEST(stops_once_all_is_there)
{
	struct audit_event event = event_of("service_stopped");

	change(&anna, "code_changed");
	wait_until(all_committed);
	audit_kick(audit, db, &anna);
	audit_note(audit, NULL, &event);
	stopped = false;
	audit_stop(audit, on_stopped, NULL);
	ck_assert(!stopped);
	wait_until(is_stopped);
	ck_assert_uint_eq(audit_figures(audit).records, 2);
}
END_TEST

START_TEST(stops_also_without)
{
	struct audit_event event = event_of("service_stopped");

	capture_begin(STDERR_FILENO);
	fill_journal();
	audit_note(audit, NULL, &event);
	stopped = false;
	audit_stop(audit, on_stopped, NULL);
	skip(1000 + AUDIT_STOP_MS);
	wait_until(is_stopped);
	ck_assert_ptr_nonnull(strstr(capture_end(), "event=audit_left"));
	ck_assert_uint_eq(audit_figures(audit).records, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *chain = tcase_create("O-06 events become records of a chain");
	TCase *writes = tcase_create("O-06 on record before it takes effect");
	TCase *restarts = tcase_create("O-06 R-01 nothing lost, nothing twice");
	TCase *gone =
	    tcase_create("O-06 A-12 who did it goes with the account");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(chain, setup, teardown);
	tcase_add_test(chain, event_becomes_a_record);
	tcase_add_test(chain, no_event_without_its_change);
	tcase_add_test(chain, order_of_arrival);
	tcase_add_test(chain, kicked_twice_is_one_record);
	tcase_add_test(chain, more_than_are_held_in_memory);
	tcase_add_test(chain, events_of_the_journal);
	tcase_add_loop_test(chain, texts_are_clean, 0, nitems(text_cases));
	suite_add_tcase(suite, chain);

	tcase_add_checked_fixture(writes, setup, teardown);
	tcase_add_test(writes, written_before_told);
	tcase_add_test(writes, too_much_to_write);
	tcase_add_test(writes, told_at_the_end);
	suite_add_tcase(suite, writes);

	tcase_add_checked_fixture(restarts, setup, teardown);
	tcase_add_test(restarts, failed_batch_is_tried_again);
	tcase_add_test(restarts, found_at_the_start);
	tcase_add_test(restarts, found_in_many_accounts);
	tcase_add_test(restarts, repeat_is_recognised);
	tcase_add_test(restarts, damaged_row_is_left_alone);
	tcase_add_test(restarts, stops_once_all_is_there);
	tcase_add_test(restarts, stops_also_without);
	suite_add_tcase(suite, restarts);

	tcase_add_checked_fixture(gone, setup, teardown);
	tcase_add_test(gone, unreadable_after_the_shred);
	tcase_add_test(gone, rows_may_go_with_the_account);
	suite_add_tcase(suite, gone);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
