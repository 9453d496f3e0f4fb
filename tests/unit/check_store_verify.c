#include <check.h>
#include <stdlib.h>

#include "base/util.h"
#include "scratch.h"
#include "service/verify.h"
/* What is tested, with its private parts. */
#include "../../services/store/verify.c"
#include "../../services/store/lease.h"

/*
 * Rows of the store as they are to be, and as no store writes them: verify
 * names each of these, and none of those.
 */

static const struct id ann = { { 0xa1 } };
static const struct id phone = { { 1 } };
static const struct chunk_id chunk_id = { { 2 } };

static struct db *db;

static void set_up(void)
{
	scratch_make();
	const struct db_options options = {
		.path = scratch_path("store"),
		.service = "store",
		.format = STORE_DB_FORMAT,
		.map_bytes = 1 << 22,
		.map_bytes_max = 1 << 24,
		.reserve_bytes = 1 << 20,
	};
	ck_assert(db_open(&options, &db) == STATUS_OK);
}

static void tear_down(void)
{
	db_close(&db);
	scratch_remove();
}

static void submit(struct db_batch *batch)
{
	ck_assert(db_submit_wait(db, &batch) == STATUS_OK);
}

static struct db_batch *batch_of_ann(void)
{
	return db_batch_new(&ann, DB_GENERATION_ANY, NULL);
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
	ck_assert(id_equal(&damage->account, &ann));
}

static struct told verify_all(void)
{
	struct told told = { .why = "" };
	struct verify verify = { .db = db,
		.tables = &store_verify,
		.damage = on_damage,
		.arg = &told };
	bool done = false;

	while (!done)
		ck_assert(verify_step(&verify, 1000, &done) == STATUS_OK);
	return told;
}

/* One of each row, as the store writes them. */
static void put_good_rows(void)
{
	const struct ticket ticket = { .terminal = phone };
	const struct quota quota = { 1, 2 };
	const struct damage damage = { DAMAGE_CHANGED, 5 };
	const struct drill drill = { .when_ms = 1,
		.terminal = phone,
		.ordinal = 1,
		.files = 2,
		.failed = 2 };
	static const uint8_t bytes[] = "the bytes of a node";
	const struct usage usage = { 2, 1, sizeof(bytes) };
	struct chunk chunk = { .sequence = 1,
		.terminal = phone,
		.node = true,
		.sealed_bytes = sizeof(bytes) };
	const struct snapshot snapshot = {
		.ordinal = 1, .terminal = phone, .root = chunk_id
	};
	struct lease lease;
	struct db_batch *batch = batch_of_ann();

	lease_open(&lease, LEASE_DOWNLOAD, &ticket, NULL, 1);
	store_db_open_lease(batch, &lease, NULL);
	chunk_set_hash(&chunk, slice_of(bytes, sizeof(bytes)));
	db_batch_blob_put(batch, 1, bytes, sizeof(bytes), NULL, NULL);
	store_db_put_chunk(batch, &chunk_id, &chunk);
	store_db_put_snapshot(batch, &snapshot);
	store_db_put_usage(batch, &usage);
	store_db_put_swept(batch, 1);
	health_db_put_damage(batch, &chunk_id, &damage);
	health_db_put_told(batch, 0, 5);
	health_db_put_quota(batch, &quota);
	health_db_put_quota_told(batch, QUOTA_TOLD_NOTHING, QUOTA_TOLD_HARD);
	health_db_put_drill(batch, &drill);
	submit(batch);
}

START_TEST(good_rows)
{
	put_good_rows();
	struct told told = verify_all();
	ck_assert_msg(told.count == 0, "%s: %s", told.table, told.why);
}
END_TEST

#define NONE     "its key is none"
#define UNPACKED "it does not unpack"

/* clang-format off */
static const struct {
	const char *name, *table;
	uint8_t number;   /* of the table */
	const char *key;  /* of the row; NULL: the chunk's id */
	size_t at;        /* this byte of the value becomes … */
	uint8_t byte;     /* … that */
	int longer;
	const char *want;
} bad_cases[] = {
	{ "O-04 damage of no kind",              "damage",      STORE_TABLE_DAMAGE,      NULL, 1,  9,  0, UNPACKED },
	{ "O-04 damage of another version",      "damage",      STORE_TABLE_DAMAGE,      NULL, 0,  2,  0, UNPACKED },
	{ "O-04 damage of no chunk's name",      "damage",      STORE_TABLE_DAMAGE,      "x",  1,  1,  0, UNPACKED },
	{ "O-04 damage of a chunk that is gone", "damage",      STORE_TABLE_DAMAGE,      "a chunk's id that is none of ann", 1, 1, 0, "the chunk that it is of is missing" },
	{ "O-04 told, a byte more",              "damage_told", STORE_TABLE_DAMAGE_TOLD, "1",  0,  1,  1, UNPACKED },
	{ "O-04 told, another key",              "damage_told", STORE_TABLE_DAMAGE_TOLD, "2",  0,  1,  0, NONE },
	{ "O-04 quota, soft above hard",         "quota",       STORE_TABLE_QUOTA,       "1",  1,  1,  0, UNPACKED },
	{ "O-04 quota, a byte less",             "quota",       STORE_TABLE_QUOTA,       "1",  0,  1, -1, UNPACKED },
	{ "O-04 quota, another key",             "quota",       STORE_TABLE_QUOTA,       "11", 0,  1,  0, NONE },
	{ "O-04 quota told, what is none",       "quota_told",  STORE_TABLE_QUOTA_TOLD,  "1",  1,  3,  0, UNPACKED },
	{ "O-04 drill, more failed than were",   "drill",       STORE_TABLE_DRILL,       "1",  48, 3,  0, UNPACKED },
	{ "O-04 drill of no file",               "drill",       STORE_TABLE_DRILL,       "1",  40, 0,  0, UNPACKED },
	{ "O-04 swept in the future",            "swept",       STORE_TABLE_SWEPT,       "1",  7,  9,  0, "it is of a generation that has not come" },
	{ "O-04 swept, a byte more",             "swept",       STORE_TABLE_SWEPT,       "1",  0,  1,  1, UNPACKED },
	{ "O-04 ordinal given out again",        "ordinal",     STORE_TABLE_ORDINAL,     "1",  8,  0,  0, "a snapshot has a higher one" },
	{ "O-04 ordinal of another version",     "ordinal",     STORE_TABLE_ORDINAL,     "1",  0,  0,  0, UNPACKED },
	{ "O-04 usage, another key",             "usage",       STORE_TABLE_USAGE,       "2",  0,  1,  0, NONE },
};
/* clang-format on */

/* The row that is to be there, or that of another key, with one byte wrong. */
START_TEST(bad_row)
{
	struct slice chunk = slice_of(chunk_id.bytes, CHUNK_ID_BYTES);
	bool of_chunk = bad_cases[_i].number == STORE_TABLE_DAMAGE;
	struct slice name =
	    bad_cases[_i].key ? slice_text(bad_cases[_i].key) : chunk;
	struct bytes value = { 0 };
	const uint8_t more = 0;

	put_good_rows();
	ck_assert(db_get(db, &ann, bad_cases[_i].number,
		      of_chunk ? chunk : slice_text(STORE_ONLY_ROW),
		      &value) == STATUS_OK);
	value.data[bad_cases[_i].at] = bad_cases[_i].byte;
	if (bad_cases[_i].longer > 0)
		ck_assert(
		    bytes_append(&value, slice_of(&more, 1)) == STATUS_OK);
	else
		value.len -= (size_t)-bad_cases[_i].longer;
	struct db_batch *batch = batch_of_ann();
	db_batch_put(batch, bad_cases[_i].number, name, bytes_slice(&value));
	submit(batch);
	bytes_clear(&value);

	struct told told = verify_all();
	ck_assert_msg(told.count == 1, "%s: told %zu times", bad_cases[_i].name,
	    told.count);
	ck_assert_str_eq(told.table, bad_cases[_i].table);
	ck_assert_str_eq(told.why, bad_cases[_i].want);
}
END_TEST

START_TEST(lease_without_its_id)
{
	put_good_rows();
	struct db_page page = { 0 };
	struct slice all = { 0 };
	ck_assert(db_scan(db, &ann, STORE_TABLE_LEASE_IDS, all, all, 1, false,
		      &page) == STATUS_OK);
	ck_assert_uint_eq(page.count, 1);
	struct db_batch *batch = batch_of_ann();
	db_batch_delete(batch, STORE_TABLE_LEASE_IDS, page.entries[0].key);
	submit(batch);
	db_page_clear(&page);

	struct told told = verify_all();
	ck_assert_uint_eq(told.count, 1);
	ck_assert_str_eq(told.table, "leases");
	ck_assert_str_eq(told.why, "the row of its id is missing");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_verify");
	TCase *good = tcase_create("O-04 what the store writes passes");
	TCase *bad = tcase_create("O-04 what no store writes is named");

	tcase_add_checked_fixture(good, set_up, tear_down);
	tcase_add_checked_fixture(bad, set_up, tear_down);
	tcase_add_test(good, good_rows);
	suite_add_tcase(suite, good);
	tcase_add_loop_test(bad, bad_row, 0, nitems(bad_cases));
	tcase_add_test(bad, lease_without_its_id);
	suite_add_tcase(suite, bad);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
