#include "service/audit.h"

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "scratch.h"
#include "service/audit_heads.h"
#include "service/master.h"
#include "service/settings.h"
#include "service/tables.h"
#include "skip_time.h"

#define GUARD_MS 30000 /* a test that would wait for good ends here */
#define ROWS     1     /* table */
#define MANY     900   /* more events than are held in memory */
#define ACCOUNTS 600   /* more than are looked into in one step */
#define HOUR_MS  3600000

static const struct id anna = { "account of anna" };
static const struct id bert = { "bert's account." };
static const struct id phone = { "anna's terminal" };

/* ---- the service: databases, keyring, audit log ---- */

static struct loop *loop;
static struct conf *conf;
static struct db *db, *journal;
static struct keyring *keyring;
static struct audit *audit;
static struct timer guard;

static void on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing happens any more");
}

static void on_db(void *arg)
{
	db_complete(*(struct db **)arg);
}

/* Let time pass, but not for the guard. */
static void skip(uint64_t ms)
{
	skipped_ms += ms;
	loop_timer_set(loop, &guard, GUARD_MS);
}

static void open_one(struct db **out, const char *name, uint64_t bytes_max)
{
	struct db_options options = {
		.path = scratch_path(name),
		.service = "store",
		.format = 1,
		.map_bytes = 1 << 20,
		.map_bytes_max = bytes_max,
		.reserve_bytes = 128 << 10,
	};

	ck_assert_int_eq(db_open(&options, out), STATUS_OK);
	ck_assert_int_eq(
	    loop_watch_fd(loop, db_event_fd(*out), on_db, out), STATUS_OK);
}

/* The process begins, as service_main has it. */
static void service_open(void)
{
	ck_assert_int_eq(loop_new(&loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(loop, &guard, GUARD_MS);
	open_one(&db, "data", 64 << 20);
	open_one(&journal, "journal", 2 << 20);
	ck_assert_int_eq(keyring_new(&keyring, conf, "store", scratch,
			     access(scratch_path("account.keys"), F_OK) != 0),
	    STATUS_OK);
	ck_assert_int_eq(
	    audit_new(&audit, conf, "store", loop, db, journal, keyring),
	    STATUS_OK);
}

/* It ends, in the same order as there. */
static void service_close(void)
{
	loop_forget_fd(loop, db_event_fd(db));
	loop_forget_fd(loop, db_event_fd(journal));
	audit_disconnect(audit);
	db_stop(db);
	db_stop(journal);
	audit_destroy(&audit);
	ck_assert_ptr_null(audit);
	audit_destroy(&audit);
	keyring_destroy(&keyring);
	db_close(&db);
	db_close(&journal);
	loop_timer_cancel(loop, &guard);
	loop_destroy(&loop);
}

static void service_restart(void)
{
	service_close();
	service_open();
}

static void setup(void)
{
	scratch_make();
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_STORE_LEDGER", scratch_path("."), 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	ck_assert_int_eq(master_make(conf, "store"), STATUS_OK);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_OK);
	service_open();
}

static void teardown(void)
{
	service_close();
	arena_close();
	conf_destroy(&conf);
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

static unsigned int under_way;

static bool all_committed(void)
{
	return under_way == 0;
}

static enum status committed_as;

static void on_committed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	committed_as = status;
	under_way--;
}

static void submit(struct db *to, struct db_batch *batch)
{
	under_way++;
	ck_assert_int_eq(
	    db_submit(to, &batch, on_committed, NULL), STATUS_PENDING);
}

/* Submit, wait, and say how it ended. */
static enum status commit(struct db *to, struct db_batch *batch)
{
	submit(to, batch);
	wait_until(all_committed);
	return committed_as;
}

static size_t rows_of(struct db *of, const struct id *account, uint8_t table)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(
	    db_scan(of, account, table, all, all, 0, false, &page), STATUS_OK);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

static size_t pending_of(const struct id *account)
{
	return rows_of(db, account, TABLE_AUDIT);
}

static uint64_t wanted;

static bool wanted_records(void)
{
	return audit_figures(audit).records == wanted &&
	       audit_figures(audit).pending == 0;
}

static void wait_for_records(uint64_t count)
{
	wanted = count;
	wait_until(wanted_records);
}

static bool annas_row_is_gone(void)
{
	return pending_of(&anna) == 0;
}

static bool journal_row_is_gone(void)
{
	return rows_of(journal, &anna, TABLE_AUDIT) == 0;
}

/* ---- events and records ---- */

static struct audit_event event_of(const char *action)
{
	return (struct audit_event){
		.action = action,
		.actor = "owner",
		.terminal = &phone,
		.detail = "by the portal",
	};
}

/* A change of ${account} with its event; not kicked yet. */
static void change(const struct id *account, const char *action)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	struct audit_event event = event_of(action);

	db_batch_put(batch, ROWS, slice_text("change"), slice_text("1"));
	audit_put(audit, batch, account, &event);
	submit(db, batch);
}

static void change_now(const struct id *account, const char *action)
{
	change(account, action);
	wait_until(all_committed);
	audit_kick(audit, db, account);
}

/* Read the record at ${sequence}; results as audit_record_unpack. */
static enum status read_record(uint64_t sequence, struct audit_record *out)
{
	struct bytes value = { 0 };
	uint8_t key[8];

	put_be64(key, sequence);
	enum status st = db_get(journal, &audit_chain_account,
	    AUDIT_TABLE_RECORDS, slice_of(key, sizeof(key)), &value);
	if (st == STATUS_OK)
		st = audit_record_unpack(out, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

static void read_head(struct audit_head *out)
{
	struct bytes line = { 0 };
	uint8_t public[AUDIT_SIGN_PUBLIC_BYTES];

	ck_assert_int_eq(db_get(journal, &audit_chain_account, AUDIT_TABLE_HEAD,
			     slice_text(AUDIT_HEAD_KEY), &line),
	    STATUS_OK);
	ck_assert_int_eq(audit_head_parse(out, bytes_slice(&line)), STATUS_OK);
	ck_assert_int_eq(
	    audit_public_read(public, scratch_path("keys/store.audit.public")),
	    STATUS_OK);
	ck_assert_str_eq(out->service, "store");
	ck_assert(audit_head_signed(out, public));
	bytes_clear(&line);
}

/* The chain is whole, has so many records, and its head says so. */
static void assert_chain(uint64_t count)
{
	struct audit_record record;
	struct audit_head head;
	uint8_t previous[AUDIT_HASH_BYTES];

	audit_genesis(previous, "store");
	for (uint64_t i = 1; i <= count; i++) {
		ck_assert_int_eq(read_record(i, &record), STATUS_OK);
		ck_assert_uint_eq(record.sequence, i);
		ck_assert_mem_eq(record.previous, previous, sizeof(previous));
		memcpy(previous, record.hash, sizeof(previous));
	}
	ck_assert_int_eq(read_record(count + 1, &record), STATUS_NOT_FOUND);
	read_head(&head);
	ck_assert_uint_eq(head.sequence, count);
	ck_assert_mem_eq(head.hash, previous, sizeof(previous));
}

static void assert_action(uint64_t sequence, const char *action)
{
	struct audit_record record;

	ck_assert_int_eq(read_record(sequence, &record), STATUS_OK);
	ck_assert_str_eq(record.fact.action, action);
}

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

/* ---- when somebody else had a hand in it ---- */

/* Put a record with right hashes behind the last one. */
static void forge(uint64_t sequence)
{
	struct audit_record record, last;
	struct db_batch *batch =
	    db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
	struct bytes value = { 0 };
	uint8_t key[8];

	ck_assert_int_eq(read_record(sequence - 1, &last), STATUS_OK);
	record = last;
	record.sequence = sequence;
	memcpy(record.previous, last.hash, AUDIT_HASH_BYTES);
	ck_assert_int_eq(audit_record_pack(&value, &record), STATUS_OK);
	put_be64(key, sequence);
	db_batch_put(batch, AUDIT_TABLE_RECORDS, slice_of(key, sizeof(key)),
	    bytes_slice(&value));
	ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	bytes_clear(&value);
}

/* The service's own records go on from its own last one. */
static void assert_not_followed(void)
{
	struct audit_record own, forged, next;

	ck_assert_int_eq(read_record(2, &own), STATUS_OK);
	ck_assert_int_eq(read_record(3, &forged), STATUS_OK);
	ck_assert_int_eq(read_record(4, &next), STATUS_OK);
	ck_assert_mem_eq(forged.previous, own.hash, AUDIT_HASH_BYTES);
	ck_assert_mem_eq(next.previous, own.hash, AUDIT_HASH_BYTES);
}

START_TEST(forged_record_is_not_followed)
{
	change_now(&anna, "first");
	change_now(&anna, "second");
	wait_for_records(2);
	forge(3);
	capture_begin(STDERR_FILENO);
	service_restart();
	ck_assert_ptr_nonnull(
	    strstr(capture_end(), "event=audit_chain_changed"));
	change_now(&anna, "third");
	wait_for_records(4);
	assert_not_followed();
}
END_TEST

START_TEST(forged_record_meanwhile)
{
	change_now(&anna, "first");
	change_now(&anna, "second");
	wait_for_records(2);
	forge(3);
	capture_begin(STDERR_FILENO);
	change_now(&anna, "third");
	wait_for_records(4);
	ck_assert_ptr_nonnull(
	    strstr(capture_end(), "event=audit_chain_changed"));
	assert_not_followed();
}
END_TEST

START_TEST(forged_head_is_not_believed)
{
	struct audit_head head;
	struct audit_record next;
	char line[AUDIT_HEAD_TEXT_BYTES];
	uint8_t genesis[AUDIT_HASH_BYTES];

	change_now(&anna, "first");
	change_now(&anna, "second");
	wait_for_records(2);
	read_head(&head);
	head.hash[0] ^= 1;
	audit_head_format(line, &head);
	struct db_batch *batch =
	    db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY),
	    slice_text(line));
	ck_assert_int_eq(commit(journal, batch), STATUS_OK);
	capture_begin(STDERR_FILENO);
	service_restart();
	ck_assert_ptr_nonnull(strstr(capture_end(), "event=audit_head_forged"));
	change_now(&anna, "third");
	wait_for_records(3);
	audit_genesis(genesis, "store");
	ck_assert_int_eq(read_record(3, &next), STATUS_OK);
	ck_assert_mem_eq(next.previous, genesis, sizeof(genesis));
}
END_TEST

/* ---- heads ---- */

static struct bytes heads;

/* Lines of the heads file, all of them heads; sequence of the last one. */
static size_t read_heads(uint64_t *last_out)
{
	struct audit_head head = { 0 };
	size_t lines = 0;

	heads.len = 0;
	ck_assert_int_eq(
	    file_read(&heads, scratch_path("audit.heads"), 100000), STATUS_OK);
	struct slice rest = bytes_slice(&heads);
	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		ck_assert_ptr_nonnull(end);
		size_t len = (size_t)(end - rest.data);
		ck_assert_int_eq(
		    audit_head_parse(&head, slice_of(rest.data, len)),
		    STATUS_OK);
		rest = slice_of(end + 1, rest.len - len - 1);
		lines++;
	}
	*last_out = head.sequence;
	bytes_clear(&heads);
	return lines;
}

START_TEST(heads_at_start_and_stop)
{
	uint64_t last;

	ck_assert_int_ne(access(scratch_path("audit.heads"), F_OK), 0);
	change_now(&anna, "first"); /* the first one of a run is exported */
	wait_for_records(1);
	ck_assert_uint_eq(read_heads(&last), 1);
	ck_assert_uint_eq(last, 1);
	change_now(&anna, "second");
	change_now(&anna, "third");
	wait_for_records(3);
	ck_assert_uint_eq(read_heads(&last), 1);
	service_restart();
	ck_assert_uint_eq(read_heads(&last), 2);
	ck_assert_uint_eq(last, 3);
	/* It did not grow: the same line is not written again. */
	service_restart();
	ck_assert_uint_eq(read_heads(&last), 2);
}
END_TEST

static bool three_heads(void)
{
	uint64_t last;

	return read_heads(&last) == 3;
}

START_TEST(heads_every_hour)
{
	uint64_t last;

	change_now(&anna, "first");
	wait_for_records(1);
	change_now(&anna, "second");
	wait_for_records(2);
	change_now(&anna, "third");
	wait_for_records(3);
	ck_assert_uint_eq(read_heads(&last), 1);
	skip(HOUR_MS);
	change_now(&anna, "fourth");
	wait_for_records(4);
	ck_assert_uint_eq(read_heads(&last), 2);
	skip(HOUR_MS);
	wait_until(three_heads);
	read_heads(&last);
	ck_assert_uint_eq(last, 4);
}
END_TEST

START_TEST(cut_line_is_ended)
{
	struct audit_head head;
	struct bytes text = { 0 };

	change_now(&anna, "first");
	wait_for_records(1);
	ck_assert_int_eq(
	    file_read(&text, scratch_path("audit.heads"), 1000), STATUS_OK);
	size_t whole = text.len;
	ck_assert_int_eq(
	    truncate(scratch_path("audit.heads"), (off_t)whole - 20), 0);
	change_now(&anna, "second");
	wait_for_records(2);
	service_restart();
	ck_assert_int_eq(
	    file_read(&text, scratch_path("audit.heads"), 1000), STATUS_OK);
	ck_assert_uint_eq(text.len, whole - 20 + 1 + whole);
	ck_assert_int_eq(audit_head_parse(&head,
			     slice_of(text.data + whole - 20 + 1, whole - 1)),
	    STATUS_OK);
	ck_assert_uint_eq(head.sequence, 2);
	bytes_clear(&text);
}
END_TEST

static void spoil_missing(const char *path)
{
	ck_assert_int_eq(unlink(path), 0);
}

static void spoil_open(const char *path)
{
	ck_assert_int_eq(chmod(path, 0644), 0);
}

static void spoil_short(const char *path)
{
	ck_assert_int_eq(truncate(path, 63), 0);
}

static void spoil_text(const char *path)
{
	FILE *file = fopen(path, "r+");

	ck_assert_ptr_nonnull(file);
	fputs("no hex", file);
	fclose(file);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*spoil)(const char *path);
	enum status want;
} key_cases[] = {
	{ "O-06 no key",              spoil_missing, STATUS_NOT_FOUND },
	{ "R-06 a key open to others", spoil_open,   STATUS_DENIED },
	{ "O-06 a key cut short",     spoil_short,   STATUS_MALFORMED },
	{ "O-06 a key that is none",  spoil_text,    STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(key_is_needed)
{
	struct audit_signer *signer = NULL;

	key_cases[_i].spoil(scratch_path("keys/store.audit"));
	capture_begin(STDERR_FILENO);
	enum status st = audit_signer_new(&signer, conf, "store");
	const char *said = capture_end();
	ck_assert_msg(st == key_cases[_i].want, "%s: got '%s'",
	    key_cases[_i].name, status_text(st));
	ck_assert_ptr_null(signer);
	ck_assert_ptr_nonnull(strstr(said, "event=audit_key_unusable"));
}
END_TEST

START_TEST(key_is_made_once)
{
	uint8_t before[AUDIT_SIGN_PUBLIC_BYTES], after[sizeof(before)];
	const char *public = scratch_path("keys/store.audit.public");

	ck_assert_int_eq(audit_public_read(before, public), STATUS_OK);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_CONFLICT);
	ck_assert_int_eq(unlink(public), 0);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_CONFLICT);
	ck_assert_int_eq(audit_public_read(after, public), STATUS_OK);
	ck_assert_mem_eq(before, after, sizeof(before));
	/* The public one alone: the service runs on another machine. */
	ck_assert_int_eq(unlink(scratch_path("keys/store.audit")), 0);
	ck_assert_int_eq(audit_signer_make(conf, "store"), STATUS_CONFLICT);
	ck_assert_int_ne(access(scratch_path("keys/store.audit"), F_OK), 0);
	ck_assert_int_eq(audit_public_read(after, public), STATUS_OK);
	ck_assert_mem_eq(before, after, sizeof(before));
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
	TCase *forged = tcase_create("O-06 what is not ours is not followed");
	TCase *exported = tcase_create("O-06 heads are exported");

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

	tcase_add_checked_fixture(forged, setup, teardown);
	tcase_add_test(forged, forged_record_is_not_followed);
	tcase_add_test(forged, forged_record_meanwhile);
	tcase_add_test(forged, forged_head_is_not_believed);
	suite_add_tcase(suite, forged);

	tcase_add_checked_fixture(exported, setup, teardown);
	tcase_add_test(exported, heads_at_start_and_stop);
	tcase_add_test(exported, heads_every_hour);
	tcase_add_test(exported, cut_line_is_ended);
	tcase_add_loop_test(exported, key_is_needed, 0, nitems(key_cases));
	tcase_add_test(exported, key_is_made_once);
	suite_add_tcase(suite, exported);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
