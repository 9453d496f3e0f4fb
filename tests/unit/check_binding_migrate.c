#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "binding_stage.h"

/*
 * A database as the version with format 1 has written it, brought to the
 * format of now.
 */

/* ---- format 1, as it was ---- */

#define OLD_FORMAT        1
#define OLD_TERMINALS     1 /* table */
#define OLD_NAME_PEER_KEY 1
#define OLD_NAME_IMEI     2
#define OLD_NAME_SERIAL   3

/* version 1, first (1), id (16), bound_ms (8), then imei, serial, label: each
 * its length (1) and bytes */
static size_t old_row(uint8_t *out, const struct terminal *terminal)
{
	const char *const texts[] = { terminal->imei, terminal->serial,
		terminal->label };
	uint8_t *at = out;

	*at++ = 1;
	*at++ = terminal->first;
	memcpy(at, terminal->id.bytes, ID_BYTES);
	put_be64(at + ID_BYTES, terminal->bound_ms);
	at += ID_BYTES + 8;
	for (size_t i = 0; i < nitems(texts); i++) {
		size_t len = strlen(texts[i]);
		*at++ = (uint8_t)len;
		memcpy(at, texts[i], len);
		at += len;
	}
	return (size_t)(at - out);
}

static void old_name(struct db_batch *batch, const struct id *account,
    uint8_t space, struct slice text)
{
	enum status done = STATUS_PENDING;

	if (text.len == 0)
		return;
	ck_assert(db_claim(binding.db, space, text, account, 30000,
		      on_stage_done, &done) == STATUS_PENDING);
	ck_assert(wait_for(&done) == STATUS_OK);
	db_batch_confirm(batch, space, text);
}

static void old_put(const struct terminal *terminal, const struct id *account)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	struct slice key = slice_of(terminal->peer_key, TERMINAL_KEY_BYTES);
	uint8_t row[512];

	db_batch_put(
	    batch, OLD_TERMINALS, key, slice_of(row, old_row(row, terminal)));
	old_name(batch, account, OLD_NAME_PEER_KEY, key);
	old_name(batch, account, OLD_NAME_IMEI, slice_text(terminal->imei));
	old_name(batch, account, OLD_NAME_SERIAL, slice_text(terminal->serial));
	ck_assert(submit(batch) == STATUS_OK);
}

/* ---- the accounts in it ---- */

#define MANY 300 /* accounts: more than are migrated in one step */

static const struct terminal phone = {
	.id = { { 1, 2, 3 } },
	.peer_key = { 4, 0, 1 },
	.imei = "490154203237518",
	.serial = "R58M 123",
	.label = "Ann's t\xc3\xa9l\xc3\xa9phone",
	.bound_ms = 1700000000123,
	.first = true,
};
static const struct terminal tablet = {
	.id = { { 9 } },
	.peer_key = { 5 },
	.serial = "T-1",
	.bound_ms = 1,
};

static struct id account_of(uint32_t number)
{
	struct id id = { { 0x55 } };

	put_be32(id.bytes + 12, number);
	return id;
}

static struct terminal terminal_of(uint32_t number)
{
	struct terminal terminal = { .peer_key = { 7 }, .bound_ms = number };

	put_be32(terminal.peer_key + 28, number);
	snprintf(terminal.serial, sizeof(terminal.serial), "serial %u", number);
	return terminal;
}

static void build_old(void)
{
	stage_close();
	stage_open("old", OLD_FORMAT, NULL);
	old_put(&phone, &ann);
	old_put(&tablet, &ann);
	for (uint32_t i = 0; i < MANY; i++) {
		struct id account = account_of(i);
		struct terminal terminal = terminal_of(i);
		old_put(&terminal, &account);
	}
	stage_close();
}

/* ---- migrated ---- */

static enum status on_migrate(void *arg, struct db *db, uint32_t from)
{
	const struct binding_db self = { db, binding.keyring };

	(void)arg;
	return binding_db_migrate(&self, from);
}

static void open_migrated(void)
{
	const struct db_options options = { .migrate = on_migrate };

	capture_begin(STDERR_FILENO);
	stage_open("old", BINDING_DB_FORMAT, &options);
	capture_end();
}

static void check_terminal(
    const struct terminal *want, const struct id *account)
{
	struct names names = binding_db_names(&binding, want);
	struct terminal read;
	struct id owner;

	ck_assert(binding_db_terminal(
		      &binding, account, want->peer_key, &read) == STATUS_OK);
	ck_assert(id_equal(&read.id, &want->id));
	ck_assert_str_eq(read.imei, want->imei);
	ck_assert_str_eq(read.serial, want->serial);
	ck_assert_str_eq(read.label, want->label);
	ck_assert_uint_eq(read.bound_ms, want->bound_ms);
	ck_assert(read.first == want->first);
	for (size_t i = 0; i < names.count; i++) {
		ck_assert(binding_db_owner(&binding, &names.list[i], &owner) ==
			  STATUS_OK);
		ck_assert(id_equal(&owner, account));
		ck_assert(claim(&names.list[i], &bob) == STATUS_CONFLICT);
	}
}

static void check_all(void)
{
	struct binding_figures figures;

	check_terminal(&phone, &ann);
	check_terminal(&tablet, &ann);
	for (uint32_t i = 0; i < MANY; i++) {
		struct id account = account_of(i);
		struct terminal terminal = terminal_of(i);
		check_terminal(&terminal, &account);
	}
	ck_assert(binding_db_count(&binding, &figures) == STATUS_OK);
	ck_assert_uint_eq(figures.terminals, MANY + 2);
	ck_assert_uint_eq(figures.accounts, MANY + 1);
}

static void check_old_names_gone(void)
{
	const struct {
		uint8_t space;
		struct slice text;
	} names[] = {
		{ OLD_NAME_PEER_KEY,
		    slice_of(phone.peer_key, TERMINAL_KEY_BYTES) },
		{ OLD_NAME_IMEI, slice_text(phone.imei) },
		{ OLD_NAME_SERIAL, slice_text(phone.serial) },
		{ OLD_NAME_SERIAL, slice_text(tablet.serial) },
	};
	struct id owner;

	for (size_t i = 0; i < nitems(names); i++)
		ck_assert(db_name_get(binding.db, names[i].space, names[i].text,
			      &owner) == STATUS_NOT_FOUND);
}

START_TEST(migrated)
{
	build_old();
	ck_assert(file_has("old/data.mdb", slice_text(phone.imei)));
	open_migrated();
	check_all();
	check_old_names_gone();
	/* Once: from now on it is of the new format. */
	stage_close();
	stage_open("old", BINDING_DB_FORMAT, NULL);
	check_all();
}
END_TEST

/* What the disk still has of the old rows is overwritten as pages are used
 * again; a migrated account has no row in clear. */
START_TEST(no_row_in_clear)
{
	const struct slice all = { 0 };
	struct db_page page = { 0 };

	build_old();
	open_migrated();
	ck_assert(db_scan(binding.db, &ann, OLD_TERMINALS, all, all, 0, false,
		      &page) == STATUS_OK);
	ck_assert_uint_eq(page.count, 2);
	for (size_t i = 0; i < page.count; i++) {
		struct slice value = page.entries[i].value;
		ck_assert_uint_eq(value.data[0], 2);
		ck_assert_ptr_null(memmem(
		    value.data, value.len, phone.imei, strlen(phone.imei)));
	}
	db_page_clear(&page);
}
END_TEST

/* The process died after some accounts; the next run does the others. */
static enum status on_half(void *arg, struct db *db, uint32_t from)
{
	const struct binding_db self = { db, binding.keyring };

	(void)arg;
	ck_assert(binding_db_migrate(&self, from) == STATUS_OK);
	return STATUS_UNAVAILABLE; /* and the format stays the old one */
}

START_TEST(migrated_again)
{
	const struct db_options options = {
		.path = scratch_path("old"),
		.service = "binding",
		.format = BINDING_DB_FORMAT,
		.map_bytes = 1 << 22,
		.map_bytes_max = 1 << 24,
		.reserve_bytes = 1 << 20,
		.migrate = on_half,
	};
	struct terminal late = terminal_of(MANY);

	build_old();
	capture_begin(STDERR_FILENO);
	ck_assert(db_open(&options, &binding.db) == STATUS_UNAVAILABLE);
	capture_end();
	stage_open("old", OLD_FORMAT, NULL);
	old_put(&late, &ann); /* beside rows that are done */
	stage_close();
	open_migrated();
	check_terminal(&late, &ann);
	check_terminal(&phone, &ann);
	check_terminal(&tablet, &ann);
}
END_TEST

static const struct {
	const char *name;
	uint8_t row[32];
	size_t len;
} damaged[] = {
	{ "version only", { 1 }, 1 },
	{ "half a head", { 1 }, 20 },
	{ "imei past the end", { 1, [26] = 5 }, 29 },
	{ "one byte more", { 1 }, 30 },
};

/* A damaged row stops it: nothing is thrown away. */
START_TEST(damage)
{
	const struct db_options options = {
		.path = scratch_path("old"),
		.service = "binding",
		.format = BINDING_DB_FORMAT,
		.map_bytes = 1 << 22,
		.map_bytes_max = 1 << 24,
		.reserve_bytes = 1 << 20,
		.migrate = on_migrate,
	};

	stage_close();
	stage_open("old", OLD_FORMAT, NULL);
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, OLD_TERMINALS,
	    slice_of(phone.peer_key, TERMINAL_KEY_BYTES),
	    slice_of(damaged[_i].row, damaged[_i].len));
	ck_assert(submit(batch) == STATUS_OK);
	stage_close();
	capture_begin(STDERR_FILENO);
	enum status got = db_open(&options, &binding.db);
	const char *said = capture_end();
	ck_assert_msg(got == STATUS_MALFORMED, "%s: got '%s'", damaged[_i].name,
	    status_text(got));
	ck_assert_ptr_nonnull(strstr(said, "event=migration_failed"));
	stage_open("old", OLD_FORMAT, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("binding_migrate");
	TCase *tcase = tcase_create("O-08 K-08 from format 1");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
	tcase_add_test(tcase, migrated);
	tcase_add_test(tcase, no_row_in_clear);
	tcase_add_test(tcase, migrated_again);
	tcase_add_loop_test(tcase, damage, 0, (int)nitems(damaged));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
