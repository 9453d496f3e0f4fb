#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/util.h"

/* What is tested, with its private parts. */
#include "../../services/binding/binding_db.c"
#include "../../services/binding/terminal.c"

static char folder[] = "/tmp/check_binding_db.XXXXXX";
static char path[sizeof(folder) + 8];
static struct db *db;

static const struct id ann = { { 0xa1 } }, bob = { { 0xb0 } };

static void open_db(void)
{
	struct db_options options = {
		.path = path,
		.service = "binding",
		.format = BINDING_DB_FORMAT,
		.map_bytes = 1 << 22,
		.map_bytes_max = 1 << 24,
		.reserve_bytes = 1 << 20,
	};

	ck_assert(db_open(&options, &db) == STATUS_OK);
}

static void set_up(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	strcpy(path, folder);
	strcat(path, "/db");
	open_db();
}

static void tear_down(void)
{
	char file[sizeof(path) + 16];
	static const char *const files[] = { "/data.mdb", "/lock.mdb",
		"/owner.lock", "/reserve" };

	db_close(&db);
	for (size_t i = 0; i < nitems(files); i++) {
		strcpy(file, path);
		strcat(file, files[i]);
		unlink(file);
	}
	rmdir(path);
	rmdir(folder);
}

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	*(enum status *)arg = status;
}

static enum status wait_for(enum status *done)
{
	zmq_pollitem_t item = { NULL, db_event_fd(db), ZMQ_POLLIN, 0 };

	for (int i = 0; i < 100 && *done == STATUS_PENDING; i++) {
		zmq_poll(&item, 1, 100);
		db_complete(db);
	}
	return *done;
}

static enum status submit(struct db_batch *batch)
{
	enum status done = STATUS_PENDING;

	ck_assert(db_submit(db, &batch, on_done, &done) == STATUS_PENDING);
	return wait_for(&done);
}

static enum status claim_all(
    const struct terminal *terminal, const struct id *account)
{
	struct name names[TERMINAL_NAMES_MAX];
	size_t count = binding_db_names(names, terminal);
	enum status last = STATUS_OK;

	for (size_t i = 0; i < count && last == STATUS_OK; i++) {
		enum status done = STATUS_PENDING;
		ck_assert(binding_db_claim(db, &names[i], account, on_done,
			      &done) == STATUS_PENDING);
		last = wait_for(&done);
	}
	return last;
}

static enum status put(
    const struct terminal *terminal, const struct id *account)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);

	binding_db_put_terminal(batch, terminal);
	return submit(batch);
}

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

static void check_same(const struct terminal *a, const struct terminal *b)
{
	ck_assert(id_equal(&a->id, &b->id));
	ck_assert_mem_eq(a->peer_key, b->peer_key, TERMINAL_KEY_BYTES);
	ck_assert_str_eq(a->imei, b->imei);
	ck_assert_str_eq(a->serial, b->serial);
	ck_assert_str_eq(a->label, b->label);
	ck_assert_uint_eq(a->bound_ms, b->bound_ms);
	ck_assert(a->first == b->first);
}

START_TEST(round_trip)
{
	struct terminal read, list[ACCOUNT_TERMINALS_MAX];
	uint64_t generation, terminals, accounts;
	size_t count;

	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(claim_all(&tablet, &ann) == STATUS_OK);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	ck_assert(put(&tablet, &ann) == STATUS_OK);
	db_close(&db);
	open_db();
	ck_assert(
	    binding_db_terminal(db, &ann, phone.peer_key, &read) == STATUS_OK);
	check_same(&read, &phone);
	ck_assert(binding_db_terminals(db, &ann, list, &count, &generation) ==
		  STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(generation, 2);
	check_same(&list[0], &phone);
	check_same(&list[1], &tablet);
	ck_assert(binding_db_terminal(db, &bob, phone.peer_key, &read) ==
		  STATUS_NOT_FOUND);
	ck_assert(
	    binding_db_terminals(db, &bob, list, &count, NULL) == STATUS_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert(binding_db_count(db, &terminals, &accounts) == STATUS_OK);
	ck_assert_uint_eq(terminals, 2);
	ck_assert_uint_eq(accounts, 1);
}
END_TEST

START_TEST(names_belong_to_one_account)
{
	struct name names[TERMINAL_NAMES_MAX];
	struct terminal stolen = phone;
	struct id owner;

	ck_assert_uint_eq(binding_db_names(names, &tablet), 2);
	ck_assert_uint_eq(binding_db_names(names, &phone), 3);
	ck_assert(put(&phone, &ann) == STATUS_NOT_FOUND); /* not claimed */
	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert(binding_db_owner(db, &names[i], &owner) ==
			  STATUS_NOT_FOUND);
	ck_assert(claim_all(&phone, &bob) == STATUS_CONFLICT);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(binding_db_owner(db, &names[i], &owner) == STATUS_OK);
		ck_assert(id_equal(&owner, &ann));
	}
	stolen.peer_key[0] = 77; /* a new key, the same IMEI */
	ck_assert(claim_all(&stolen, &bob) == STATUS_CONFLICT);
	ck_assert(put(&stolen, &bob) == STATUS_CONFLICT);
}
END_TEST

static const struct {
	const char *name;
	uint8_t row[48];
	size_t len;
	enum status want;
} rows[] = {
	{ "empty texts", { 1 }, 29, STATUS_OK },
	{ "newer", { 2 }, 29, STATUS_VERSION },
	{ "version 0", { 0 }, 29, STATUS_MALFORMED },
	{ "head only", { 1 }, 26, STATUS_MALFORMED },
	{ "one text missing", { 1 }, 28, STATUS_MALFORMED },
	{ "one byte more", { 1 }, 30, STATUS_MALFORMED },
	{ "imei past the end", { 1, [26] = 5 }, 29, STATUS_MALFORMED },
	{ "imei too long", { 1, [26] = 16 }, 48, STATUS_MALFORMED },
};

START_TEST(damaged_rows)
{
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	struct terminal read;

	db_batch_put(batch, TABLE_TERMINALS,
	    slice_of(phone.peer_key, TERMINAL_KEY_BYTES),
	    slice_of(rows[_i].row, rows[_i].len));
	ck_assert(submit(batch) == STATUS_OK);
	enum status got = binding_db_terminal(db, &ann, phone.peer_key, &read);
	ck_assert_msg(got == rows[_i].want, "%s: got '%s'", rows[_i].name,
	    status_text(got));
}
END_TEST

#define SIXTY_FOUR \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *imei, *serial, *label;
	const char *why; /* how the refusal begins; NULL: it is fine */
} binds[] = {
	{ "490154203237518", "", "", NULL },
	{ "", "R58M", "my phone", NULL },
	{ "490154203237518", "R58M", "\xc3\xa9", NULL },
	{ "", SIXTY_FOUR, SIXTY_FOUR, NULL },
	{ "", "", "my phone", "imei, serial:" },
	{ "490154203237517", "R58M", "", "imei:" },
	{ "49015420323751", "", "", "imei:" },
	{ "", SIXTY_FOUR "0", "", "serial:" },
	{ "", "a\nb", "", "serial:" },
	{ "", "\xff", "", "serial:" },
	{ "", "R58M", SIXTY_FOUR "0", "label:" },
	{ "", "R58M", "\x1b[31m", "label:" },
	{ "", "R58M", "\xed\xa0\x80", "label:" },
};

START_TEST(described_terminals)
{
	Binding__Bind bind = BINDING__BIND__INIT;
	struct terminal terminal = { .serial = "before" };
	const char *why = NULL;

	bind.imei = (char *)binds[_i].imei;
	bind.serial = (char *)binds[_i].serial;
	bind.label = (char *)binds[_i].label;
	enum status got = terminal_describe(&terminal, &bind, &why);
	if (!binds[_i].why) {
		ck_assert(got == STATUS_OK);
		ck_assert_str_eq(terminal.imei, binds[_i].imei);
		ck_assert_str_eq(terminal.serial, binds[_i].serial);
		ck_assert_str_eq(terminal.label, binds[_i].label);
		return;
	}
	ck_assert(got == STATUS_MALFORMED);
	ck_assert_msg(strncmp(why, binds[_i].why, strlen(binds[_i].why)) == 0,
	    "row %d: %s", _i, why);
	ck_assert_str_eq(terminal.serial, "before");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("binding_db");
	TCase *described = tcase_create("D-01 what a terminal says of itself");
	TCase *stored = tcase_create("D-01 D-03 rows and names");

	tcase_add_loop_test(
	    described, described_terminals, 0, (int)nitems(binds));
	tcase_add_checked_fixture(stored, set_up, tear_down);
	tcase_add_test(stored, round_trip);
	tcase_add_test(stored, names_belong_to_one_account);
	tcase_add_loop_test(stored, damaged_rows, 0, (int)nitems(rows));
	suite_add_tcase(suite, described);
	suite_add_tcase(suite, stored);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
