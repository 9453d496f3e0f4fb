#include <check.h>
#include <stdlib.h>

#include "base/util.h"
#include "bus/unpack.h"
#include "ring.h"
#include "service/verify.h"
/* What is tested, with its private parts. */
#include "../../services/notify/verify.c"

/*
 * Rows of notify as they are to be, and as no notify writes them: sealed with
 * the right key all the same, so that only their content tells.
 */

static const struct id ann = { { 0xa1 } };

static struct db *db;
static struct notify_db rows;

static void set_up(void)
{
	scratch_make();
	const struct db_options options = {
		.path = scratch_path("db"),
		.service = "notify",
		.format = NOTIFY_DB_FORMAT,
		.map_bytes = 1 << 22,
		.map_bytes_max = 1 << 24,
		.reserve_bytes = 1 << 20,
	};
	ck_assert(arena_open(16384) == STATUS_OK);
	ck_assert(db_open(&options, &db) == STATUS_OK);
	ring_open("notify");
	rows = (struct notify_db){ db, ring };
}

static void tear_down(void)
{
	ring_close();
	db_close(&db);
	arena_close();
	scratch_remove();
}

static struct db_batch *batch_of_ann(void)
{
	return db_batch_new(&ann, DB_GENERATION_ANY, NULL);
}

static void submit(struct db_batch *batch)
{
	ck_assert(db_submit_wait(db, &batch) == STATUS_OK);
}

/* What verify tells of first; "" for nothing. */
struct told {
	char table[32];
	const char *why;
	size_t count;
};

static void on_damage(void *arg, const struct verify_damage *damage)
{
	struct told *told = arg;

	if (told->count++ > 0)
		return;
	snprintf(told->table, sizeof(told->table), "%s", damage->table);
	told->why = damage->why;
}

static struct told verify_all(void)
{
	struct told told = { .why = "" };
	struct verify verify = { .db = db,
		.keyring = ring,
		.tables = &notify_verify,
		.damage = on_damage,
		.arg = &told };
	bool done = false;

	capture_begin(STDERR_FILENO);
	while (!done)
		ck_assert(verify_step(&verify, 1000, &done) == STATUS_OK);
	capture_end();
	return told;
}

START_TEST(good_rows)
{
	const struct notice_key key = { 5, { { 6 } } };
	const struct rules rules = { .quiet_from = 1,
		.quiet_to = DAY_MINUTES - 1,
		.rules = { { NOTIFY__KIND__BACKUP_DONE, URGENCY_NEVER, 60 } },
		.count = 1 };
	struct db_batch *batch = batch_of_ann();

	notify_db_put_rules(&rows, batch, &ann, &rules);
	notify_db_put_told(&rows, batch, &ann, &key);
	submit(batch);
	struct told told = verify_all();
	ck_assert_msg(told.count == 0, "%s: %s", told.table, told.why);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *key;
	uint8_t version;
	uint32_t quiet_from;
	uint32_t kind, urgency, together_s;
	const char *behind; /* the packed rules */
} bad_cases[] = {
	{ "O-04 rules of another version",  "rules", 2, 0,           NOTIFY__KIND__BACKUP_DONE, 0, 0, "" },
	{ "O-04 rules under another key",   "rulez", 1, 0,           NOTIFY__KIND__BACKUP_DONE, 0, 0, "" },
	{ "O-04 rules under a longer key",  "rules2", 1, 0,          NOTIFY__KIND__BACKUP_DONE, 0, 0, "" },
	{ "O-04 quiet past the day's end",  "rules", 1, DAY_MINUTES, NOTIFY__KIND__BACKUP_DONE, 0, 0, "" },
	{ "O-04 no such urgency",           "rules", 1, 0,           NOTIFY__KIND__BACKUP_DONE, URGENCY_COUNT, 0, "" },
	{ "O-04 together for a second",     "rules", 1, 0,           NOTIFY__KIND__BACKUP_DONE, 0, 1, "" },
	{ "O-04 what is always told",       "rules", 1, 0,           NOTIFY__KIND__NEW_LOGIN,   URGENCY_NEVER, 0, "" },
	{ "O-04 rules and something else",  "rules", 1, 0,           NOTIFY__KIND__BACKUP_DONE, 0, 0, "\xff" },
};
/* clang-format on */

START_TEST(bad_rules)
{
	Notify__Rules message = NOTIFY__RULES__INIT;
	Notify__Rule rule = NOTIFY__RULE__INIT, *list = &rule;
	struct bytes value = { 0 };

	rule.kind = (Notify__Kind)bad_cases[_i].kind;
	rule.urgency = (Notify__Urgency)bad_cases[_i].urgency;
	rule.together_s = bad_cases[_i].together_s;
	message.quiet_from = bad_cases[_i].quiet_from;
	message.rules = &list;
	message.n_rules = 1;
	ck_assert(bytes_append(&value, slice_of(&bad_cases[_i].version, 1)) ==
		  STATUS_OK);
	ck_assert(pack_message(&value, &message.base) == STATUS_OK);
	ck_assert(bytes_append(&value, slice_text(bad_cases[_i].behind)) ==
		  STATUS_OK);
	struct db_batch *batch = batch_of_ann();
	row_put(&rows, batch, &ann, TABLE_RULES, slice_text(bad_cases[_i].key),
	    bytes_slice(&value));
	submit(batch);
	bytes_clear(&value);

	struct told told = verify_all();
	ck_assert_msg(told.count == 1, "%s: told %zu times", bad_cases[_i].name,
	    told.count);
	ck_assert_str_eq(told.table, "rules");
	ck_assert_str_eq(told.why, "it does not unpack");
}
END_TEST

/* When a notice was told, without that it was told. */
START_TEST(time_without_its_notice)
{
	const struct notice_key key = { 5, { { 6 } } };
	struct db_batch *batch = batch_of_ann();

	notify_db_put_told(&rows, batch, &ann, &key);
	submit(batch);
	batch = batch_of_ann();
	db_batch_delete(batch, TABLE_TOLD, slice_of(key.id.bytes, ID_BYTES));
	submit(batch);
	struct told told = verify_all();
	ck_assert_uint_eq(told.count, 1);
	ck_assert_str_eq(told.table, "told_times");
	ck_assert_str_eq(told.why, "its notice was never told");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_verify");
	TCase *good = tcase_create("O-04 what notify writes passes");
	TCase *bad = tcase_create("O-04 what no notify writes is named");

	tcase_add_checked_fixture(good, set_up, tear_down);
	tcase_add_checked_fixture(bad, set_up, tear_down);
	tcase_add_test(good, good_rows);
	suite_add_tcase(suite, good);
	tcase_add_loop_test(bad, bad_rules, 0, nitems(bad_cases));
	tcase_add_test(bad, time_without_its_notice);
	suite_add_tcase(suite, bad);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
