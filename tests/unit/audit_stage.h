#ifndef KEEPSAKE_TESTS_AUDIT_STAGE_H
#define KEEPSAKE_TESTS_AUDIT_STAGE_H

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "scratch.h"
#include "service/audit.h"
#include "service/audit_heads.h"
#include "service/master.h"
#include "service/settings.h"
#include "service/tables.h"
#include "skip_time.h"

/* A service with an audit log, on a loop. */

#define GUARD_MS 30000 /* a test that would wait for good ends here */
#define ROWS     1     /* table */
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

static inline void on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing happens any more");
}

static inline void on_db(void *arg)
{
	db_complete(*(struct db **)arg);
}

/* Let time pass, but not for the guard. */
static inline void skip(uint64_t ms)
{
	skipped_ms += ms;
	loop_timer_set(loop, &guard, GUARD_MS);
}

static inline void open_one(
    struct db **out, const char *name, uint64_t bytes_max)
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
static inline void service_open(void)
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
static inline void service_close(void)
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

static inline void service_restart(void)
{
	service_close();
	service_open();
}

static inline void setup(void)
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

static inline void teardown(void)
{
	service_close();
	arena_close();
	conf_destroy(&conf);
	scratch_remove();
}

/* ---- waiting for something to be so ---- */

static struct timer look;
static bool (*is_so)(void);

static inline void on_look(void *arg)
{
	(void)arg;
	if (is_so())
		loop_stop(loop);
	else
		loop_timer_set(loop, &look, 2);
}

static inline void wait_until(bool (*condition)(void))
{
	is_so = condition;
	look = (struct timer){ .fired = on_look };
	loop_timer_set(loop, &look, 0);
	ck_assert_int_eq(loop_run(loop), STATUS_OK);
}

static unsigned int under_way;

static inline bool all_committed(void)
{
	return under_way == 0;
}

static enum status committed_as;

static inline void on_committed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)arg;
	(void)generation;
	(void)failed_op;
	committed_as = status;
	under_way--;
}

static inline void submit(struct db *to, struct db_batch *batch)
{
	under_way++;
	ck_assert_int_eq(
	    db_submit(to, &batch, on_committed, NULL), STATUS_PENDING);
}

/* Submit, wait, and say how it ended. */
static inline enum status commit(struct db *to, struct db_batch *batch)
{
	submit(to, batch);
	wait_until(all_committed);
	return committed_as;
}

static inline size_t rows_of(
    struct db *of, const struct id *account, uint8_t table)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(
	    db_scan(of, account, table, all, all, 0, false, &page), STATUS_OK);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

static inline size_t pending_of(const struct id *account)
{
	return rows_of(db, account, TABLE_AUDIT);
}

static uint64_t wanted;

static inline bool wanted_records(void)
{
	return audit_figures(audit).records == wanted &&
	       audit_figures(audit).pending == 0;
}

static inline void wait_for_records(uint64_t count)
{
	wanted = count;
	wait_until(wanted_records);
}

static inline bool annas_row_is_gone(void)
{
	return pending_of(&anna) == 0;
}

static inline bool journal_row_is_gone(void)
{
	return rows_of(journal, &anna, TABLE_AUDIT) == 0;
}

/* ---- events and records ---- */

static inline struct audit_event event_of(const char *action)
{
	return (struct audit_event){
		.action = action,
		.actor = "owner",
		.terminal = &phone,
		.detail = "by the portal",
	};
}

/* A change of ${account} with its event; not kicked yet. */
static inline void change(const struct id *account, const char *action)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	struct audit_event event = event_of(action);

	db_batch_put(batch, ROWS, slice_text("change"), slice_text("1"));
	audit_put(audit, batch, account, &event);
	submit(db, batch);
}

static inline void change_now(const struct id *account, const char *action)
{
	change(account, action);
	wait_until(all_committed);
	audit_kick(audit, db, account);
}

/* Read the record at ${sequence}; results as audit_record_unpack. */
static inline enum status read_record(
    uint64_t sequence, struct audit_record *out)
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

static inline void read_head(struct audit_head *out)
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
static inline void assert_chain(uint64_t count)
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

static inline void assert_action(uint64_t sequence, const char *action)
{
	struct audit_record record;

	ck_assert_int_eq(read_record(sequence, &record), STATUS_OK);
	ck_assert_str_eq(record.fact.action, action);
}

#endif
