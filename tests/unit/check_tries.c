#include <check.h>
#include <sodium.h>
#include <stdlib.h>

#include "../../services/auth/tries.h"
#include "base/clock.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "ring.h"
#include "service/audit_heads.h"
#include "scratch_db.h"
#include "service/tables.h"
#include "skip_time.h"

#define GUARD_MS 30000 /* a test that would wait for good ends here */
#define SECOND   1000ull

/* ---- the service, as far as tries know it ---- */

static struct service service;
static struct tries *tries;
static struct timer guard;

static const struct subject anna = { { "account of anna" }, true };
static const struct subject nobody = { { "name of nobody" }, false };
static const struct id phone = { "phone of anna" };

static void on_guard(void *arg)
{
	(void)arg;
	ck_abort_msg("nothing happens any more");
}

static void on_db(void *arg)
{
	db_complete(arg);
}

static struct db *open_db(const char *name)
{
	struct db *db = scratch_db(name, name, 1);

	ck_assert_int_eq(
	    loop_watch_fd(service.program.loop, db_event_fd(db), on_db, db),
	    STATUS_OK);
	return db;
}

static void close_db(struct db **db_p)
{
	loop_forget_fd(service.program.loop, db_event_fd(*db_p));
	db_close(db_p);
}

/* What it does is on record. */
static void open_audit(void)
{
	struct conf *conf = NULL;

	ck_assert_int_eq(
	    setenv("KEEPSAKE_AUTH_LEDGER", scratch_path("ledger"), 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	enum status st = audit_signer_make(conf, "auth");
	ck_assert(st == STATUS_OK || st == STATUS_CONFLICT);
	ck_assert_int_eq(
	    audit_new(&service.audit, conf, "auth", service.program.loop,
		service.db, service.journal, ring),
	    STATUS_OK);
	conf_destroy(&conf);
}

/* The process begins, and knows anna. */
static void begin(void)
{
	struct account_key key;

	ck_assert_int_eq(loop_new(&service.program.loop), STATUS_OK);
	guard = (struct timer){ .fired = on_guard };
	loop_timer_set(service.program.loop, &guard, GUARD_MS + skipped_ms);
	service.db = open_db("data");
	service.journal = open_db("journal");
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	ring_open("auth");
	service.keyring = ring;
	ck_assert_int_eq(
	    keyring_take(ring, service.db, &anna.account, &key), STATUS_OK);
	struct db_batch *batch =
	    db_batch_new(&anna.account, DB_GENERATION_ANY, NULL);
	keyring_put(batch, &key);
	db_batch_put(batch, 1, slice_text("row"), slice_text("value"));
	ck_assert_int_eq(db_submit_wait(service.db, &batch), STATUS_OK);
	db_batch_destroy(&batch);
	open_audit();
	ck_assert_int_eq(tries_new(&tries, &service), STATUS_OK);
}

static void end(void)
{
	audit_disconnect(service.audit);
	db_stop(service.journal);
	tries_destroy(&tries);
	audit_destroy(&service.audit);
	ring_close();
	arena_close();
	close_db(&service.db);
	close_db(&service.journal);
	loop_timer_cancel(service.program.loop, &guard);
	loop_destroy(&service.program.loop);
	service = (struct service){ 0 };
}

static void setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	scratch_make();
	begin();
}

static void teardown(void)
{
	end();
	scratch_remove();
}

/* ---- turns ---- */

static enum status result;

static void on_turned(void *arg, enum status status)
{
	(void)arg;
	result = status;
	loop_stop(service.program.loop);
}

static struct turn turn_of(
    const struct subject *subject, enum lane_kind kind, unsigned int number)
{
	struct turn turn = {
		.key = {
			.subject = *subject,
			.code = CREDENTIAL_OWNER,
			.kind = kind,
		},
		.id = { { (uint8_t)number, 1 } },
		.created_ms = 1,
		.done = on_turned,
	};

	if (kind == LANE_BOUND)
		turn.key.terminal = phone;
	return turn;
}

static enum status wait_for(enum status st)
{
	if (st != STATUS_PENDING)
		return st;
	result = STATUS_PENDING;
	while (result == STATUS_PENDING)
		ck_assert_int_eq(loop_run(service.program.loop), STATUS_OK);
	return result;
}

static enum status take(
    const struct subject *subject, enum lane_kind kind, unsigned int number)
{
	struct turn turn = turn_of(subject, kind, number);

	return wait_for(tries_take(tries, &turn));
}

static enum status fail_try(const struct subject *subject, enum lane_kind kind,
    unsigned int number, unsigned int *remaining_out)
{
	struct turn turn = turn_of(subject, kind, number);

	enum status st = wait_for(tries_fail(tries, &turn));
	*remaining_out = lane_remaining(&turn.lane);
	return st;
}

static void wear_out(
    const struct subject *subject, enum lane_kind kind, unsigned int first)
{
	unsigned int remaining = 0;

	for (unsigned int i = 0; i < LANE_TRIES_MAX; i++) {
		ck_assert_int_eq(take(subject, kind, first + i), STATUS_OK);
		ck_assert_int_eq(
		    fail_try(subject, kind, first + i, &remaining), STATUS_OK);
		ck_assert_uint_eq(remaining, LANE_TRIES_MAX - 1 - i);
	}
}

/* Let time pass, and what it brings with it happen. */
static void on_passed(void *arg)
{
	(void)arg;
	loop_stop(service.program.loop);
}

static void pass(uint64_t ms)
{
	struct timer passed = { .fired = on_passed };

	skipped_ms += ms;
	loop_timer_set(service.program.loop, &guard, GUARD_MS);
	/* The first run is for what is due, the second for its commit. */
	for (int i = 0; i < 2; i++) {
		loop_timer_set(service.program.loop, &passed, 1);
		ck_assert_int_eq(loop_run(service.program.loop), STATUS_OK);
		db_drain(service.journal);
	}
}

static size_t notices(void)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	ck_assert_int_eq(db_scan(service.journal, &anna.account, TABLE_OUTBOX,
			     all, all, 0, false, &page),
	    STATUS_OK);
	size_t count = page.count;
	db_page_clear(&page);
	return count;
}

static uint64_t batches(void)
{
	struct db_stats stats;

	db_drain(service.journal);
	ck_assert_int_eq(db_stats(service.journal, &stats), STATUS_OK);
	return stats.batches;
}

/* ---- */

START_TEST(counted_for_good)
{
	unsigned int remaining = 0;

	ck_assert_int_eq(take(&anna, LANE_BOUND, 1), STATUS_OK);
	end();
	begin();
	ck_assert_int_eq(take(&anna, LANE_BOUND, 2), STATUS_OK);
	ck_assert_int_eq(fail_try(&anna, LANE_BOUND, 2, &remaining), STATUS_OK);
	ck_assert_uint_eq(remaining, 1);
	struct turn turn = turn_of(&anna, LANE_BOUND, 1);
	ck_assert_int_eq(wait_for(tries_give_back(tries, &turn)), STATUS_OK);
	ck_assert_uint_eq(lane_remaining(&turn.lane), 2);
}
END_TEST

static unsigned int counts[STATUS_COUNT];

static void on_counted(void *arg, enum status status)
{
	(void)arg;
	counts[status]++;
	loop_stop(service.program.loop);
}

/* All at the same moment: each is counted, and none twice. */
START_TEST(races)
{
	struct turn turns[LANE_TRIES_MAX + 1];

	for (unsigned int i = 0; i < nitems(turns); i++) {
		turns[i] = turn_of(&anna, LANE_STRANGER, 1 + i);
		turns[i].done = on_counted;
		ck_assert_int_eq(tries_take(tries, &turns[i]), STATUS_PENDING);
	}
	while (counts[STATUS_OK] + counts[STATUS_BUSY] < nitems(turns))
		ck_assert_int_eq(loop_run(service.program.loop), STATUS_OK);
	ck_assert_uint_eq(counts[STATUS_OK], LANE_TRIES_MAX);
	ck_assert_int_eq(take(&anna, LANE_STRANGER, 9), STATUS_BUSY);
}
END_TEST

START_TEST(lock_is_told)
{
	ck_assert_uint_eq(notices(), 0);
	wear_out(&anna, LANE_BOUND, 1);
	ck_assert_uint_eq(notices(), 1);
	ck_assert_int_eq(take(&anna, LANE_BOUND, 9), STATUS_LOCKED);
	ck_assert_uint_eq(notices(), 1);
	wear_out(&anna, LANE_STRANGER, 1);
	ck_assert_uint_eq(notices(), 2);
}
END_TEST

/* Who takes three challenges and is silent is told on by the clock. */
START_TEST(silence_is_told)
{
	for (unsigned int i = 1; i <= LANE_TRIES_MAX; i++)
		ck_assert_int_eq(take(&anna, LANE_BOUND, i), STATUS_OK);
	pass(LANE_OPEN_MS_MAX - SECOND);
	ck_assert_uint_eq(notices(), 0);
	pass(2 * SECOND);
	ck_assert_uint_eq(notices(), 1);
	ck_assert_int_eq(take(&anna, LANE_BOUND, 9), STATUS_LOCKED);
	ck_assert_uint_eq(notices(), 1);
}
END_TEST

/* And by the next who comes, where the clock was stopped meanwhile. */
START_TEST(silence_is_told_late)
{
	for (unsigned int i = 1; i <= LANE_TRIES_MAX; i++)
		ck_assert_int_eq(take(&anna, LANE_BOUND, i), STATUS_OK);
	end();
	skipped_ms += LANE_OPEN_MS_MAX + SECOND;
	begin();
	ck_assert_uint_eq(notices(), 0);
	ck_assert_int_eq(take(&anna, LANE_BOUND, 9), STATUS_LOCKED);
	ck_assert_uint_eq(notices(), 1);
}
END_TEST

START_TEST(no_silence_no_lock)
{
	struct turn turn = turn_of(&anna, LANE_BOUND, 2);

	for (unsigned int i = 1; i <= LANE_TRIES_MAX; i++)
		ck_assert_int_eq(take(&anna, LANE_BOUND, i), STATUS_OK);
	ck_assert_int_eq(wait_for(tries_give_back(tries, &turn)), STATUS_OK);
	pass(LANE_OPEN_MS_MAX + SECOND);
	ck_assert_uint_eq(notices(), 0);
	ck_assert_int_eq(take(&anna, LANE_BOUND, 9), STATUS_OK);
}
END_TEST

/* What a lock takes is the same where nobody can be told. */
START_TEST(nobody_is_as_much_work)
{
	uint64_t before = batches();

	wear_out(&nobody, LANE_STRANGER, 1);
	uint64_t for_nobody = batches() - before;
	before = batches();
	wear_out(&anna, LANE_STRANGER, 1);
	/* notify, to whom there is no link here, would make it one more. */
	ck_assert_uint_eq(batches() - before + 1, for_nobody);
}
END_TEST

/* ---- invitations ---- */

START_TEST(invitation_used_up)
{
	const uint8_t hash[INVITATION_HASH_BYTES] = { 1 };
	struct turn turn = turn_of(&anna, LANE_INVITED, 1);
	uint64_t expiry_ms;

	struct db_batch *batch = journal_db_batch(&anna);
	ck_assert_int_eq(
	    journal_db_put_invitation(service.journal, batch, &anna, hash, 1),
	    STATUS_OK);
	ck_assert_int_eq(db_submit_wait(service.journal, &batch), STATUS_OK);
	db_batch_destroy(&batch);
	turn.invitation = hash;
	ck_assert_int_eq(wait_for(tries_take(tries, &turn)), STATUS_OK);
	ck_assert_int_eq(wait_for(tries_fail(tries, &turn)), STATUS_OK);
	ck_assert_int_eq(
	    journal_db_invitation(service.journal, &anna, hash, &expiry_ms),
	    STATUS_OK);
	ck_assert_int_eq(wait_for(tries_give_back(tries, &turn)), STATUS_OK);
	ck_assert_int_eq(
	    journal_db_invitation(service.journal, &anna, hash, &expiry_ms),
	    STATUS_NOT_FOUND);
}
END_TEST

/* ---- a journal that was lost, and operators ---- */

static const struct {
	const char *name;
	enum lane_kind kind;
	bool known;
	bool is_newer; /* than the journal */
	enum status want, later;
} lost[] = {
	{ "A-07 bound: locked", LANE_BOUND, true, false, STATUS_LOCKED,
	    STATUS_LOCKED },
	{ "A-07 bound, of a newer account", LANE_BOUND, true, true, STATUS_OK,
	    STATUS_OK },
	{ "A-07 strangers': closed", LANE_STRANGER, true, false, STATUS_LOCKED,
	    STATUS_OK },
	{ "A-07 A-09 strangers', of a newer account", LANE_STRANGER, true, true,
	    STATUS_LOCKED, STATUS_OK },
	{ "A-07 A-09 strangers', of nobody", LANE_STRANGER, false, false,
	    STATUS_LOCKED, STATUS_OK },
};

START_TEST(journal_lost)
{
	const struct subject *subject = lost[_i].known ? &anna : &nobody;
	struct turn turn = turn_of(subject, lost[_i].kind, 1);

	service.journal_since_ms = clock_wall_ms();
	turn.created_ms = lost[_i].known ? 1 : 0;
	if (lost[_i].is_newer)
		turn.created_ms = service.journal_since_ms + 1;
	enum status st = wait_for(tries_take(tries, &turn));
	ck_assert_msg(
	    st == lost[_i].want, "%s: %s", lost[_i].name, status_word(st));
	turn.id.bytes[0] = 2;
	pass(LANE_CLOSED_MS + SECOND);
	st = wait_for(tries_take(tries, &turn));
	ck_assert_msg(st == lost[_i].later, "%s: later %s", lost[_i].name,
	    status_word(st));
}
END_TEST

static void on_trusted(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	on_turned(arg, status);
}

START_TEST(account_trusted)
{
	service.journal_since_ms = clock_wall_ms();
	ck_assert_int_eq(take(&anna, LANE_BOUND, 1), STATUS_LOCKED);
	ck_assert_int_eq(
	    wait_for(tries_trust(tries, &anna.account, on_trusted, NULL)),
	    STATUS_OK);
	ck_assert_int_eq(take(&anna, LANE_BOUND, 1), STATUS_OK);
	ck_assert_int_eq(take(&anna, LANE_STRANGER, 1), STATUS_OK);
}
END_TEST

START_TEST(unlocked)
{
	struct turn turn = turn_of(&anna, LANE_BOUND, 0);

	for (unsigned int i = 0; i < LANE_UNLOCKS_MAX; i++) {
		ck_assert_int_eq(
		    wait_for(tries_unlock(tries, &turn)), STATUS_NOT_FOUND);
		wear_out(&anna, LANE_BOUND, 1 + 3 * i);
		ck_assert_int_eq(
		    wait_for(tries_unlock(tries, &turn)), STATUS_OK);
		ck_assert_uint_eq(turn.lane.unlocks, i + 1);
	}
	wear_out(&anna, LANE_BOUND, 100);
	ck_assert_int_eq(wait_for(tries_unlock(tries, &turn)), STATUS_DENIED);
	ck_assert_int_eq(take(&anna, LANE_BOUND, 200), STATUS_LOCKED);
}
END_TEST

START_TEST(renewed)
{
	struct turn turn = turn_of(&anna, LANE_BOUND, 0);
	unsigned int remaining;

	for (unsigned int i = 1; i <= 2; i++) {
		ck_assert_int_eq(take(&anna, LANE_BOUND, i), STATUS_OK);
		ck_assert_int_eq(
		    fail_try(&anna, LANE_BOUND, i, &remaining), STATUS_OK);
	}
	ck_assert_int_eq(wait_for(tries_renew(tries, &turn)), STATUS_OK);
	ck_assert_uint_eq(lane_remaining(&turn.lane), LANE_TRIES_MAX);
}
END_TEST

START_TEST(ids_differ)
{
	struct header headers[] = {
		{ .request = { "one" }, .peer = { .id = { 1 } } },
		{ .request = { "two" }, .peer = { .id = { 1 } } },
		{ .request = { "one" }, .peer = { .id = { 2 } } },
	};
	struct id first, again, other;

	tries_id(&first, &headers[0], slice_text("body"));
	tries_id(&again, &headers[0], slice_text("body"));
	ck_assert(id_equal(&first, &again));
	tries_id(&other, &headers[0], slice_text("bodies"));
	ck_assert(!id_equal(&first, &other));
	for (size_t i = 1; i < nitems(headers); i++) {
		tries_id(&other, &headers[i], slice_text("body"));
		ck_assert(!id_equal(&first, &other));
	}
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("tries");

	TCase *tc = case_of(suite, "A-07 tries on the disk");
	tcase_add_test(tc, counted_for_good);
	tcase_add_test(tc, races);
	tcase_add_test(tc, no_silence_no_lock);
	tcase_add_test(tc, invitation_used_up);
	tcase_add_test(tc, renewed);
	tcase_add_test(tc, ids_differ);
	tc = case_of(suite, "A-07 N-04 locks are told");
	tcase_add_test(tc, lock_is_told);
	tcase_add_test(tc, silence_is_told);
	tcase_add_test(tc, silence_is_told_late);
	tc = case_of(suite, "A-09 names that are nobody's");
	tcase_add_test(tc, nobody_is_as_much_work);
	tc = case_of(suite, "A-07 a journal that was lost");
	tcase_add_loop_test(tc, journal_lost, 0, nitems(lost));
	tc = case_of(suite, "A-08 operators unlock");
	tcase_add_test(tc, account_trusted);
	tcase_add_test(tc, unlocked);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
