#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "binding_stage.h"

/* What is tested, with its private parts. */
#include "../../services/binding/binding_db.c"

#define ICCID       "8988211000000530082"
#define OTHER_ICCID "89860318640220133897"
#define NUMBER      "+4915112345678"

static struct account_view view;

static const struct account_view *look(const struct id *account)
{
	ck_assert_int_eq(binding_db_view(&binding, account, &view), STATUS_OK);
	return &view;
}

static enum status claim_all(
    const struct terminal *terminal, const struct id *account)
{
	struct names names = binding_db_names(&binding, terminal);
	enum status last = STATUS_OK;

	for (size_t i = 0; i < names.count && last == STATUS_OK; i++)
		last = claim(&names.list[i], account);
	return last;
}

static enum status put(
    const struct terminal *terminal, const struct id *account)
{
	struct db_batch *batch = binding_db_batch(look(account));

	binding_db_put_terminal(&binding, batch, account, terminal);
	return submit(batch);
}

static enum status put_entry(
    const struct entry *entry, const struct id *account)
{
	struct db_batch *batch = binding_db_batch(look(account));

	binding_db_put_entry(&binding, batch, account, entry);
	return submit(batch);
}

static struct name iccid_name(const char *iccid)
{
	return binding_db_name(&binding, NAME_ICCID, slice_text(iccid));
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
static const struct entry card = {
	.iccid = ICCID,
	.number = NUMBER,
	.first_save_ms = 1700000000000,
	.last_update_ms = 1700000000001,
	.data_len = 21,
	.data = "what only the card had",
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

static void check_same_entry(const struct entry *a, const struct entry *b)
{
	ck_assert_str_eq(a->iccid, b->iccid);
	ck_assert_str_eq(a->number, b->number);
	ck_assert_uint_eq(a->first_save_ms, b->first_save_ms);
	ck_assert_uint_eq(a->last_update_ms, b->last_update_ms);
	ck_assert_uint_eq(a->data_len, b->data_len);
	ck_assert_mem_eq(a->data, b->data, a->data_len);
}

/* The process ends and begins. */
static void open_again(void)
{
	stage_close();
	stage_keyring(false);
	stage_open("db", BINDING_DB_FORMAT, NULL);
}

START_TEST(terminals_round_trip)
{
	struct terminal read, list[ACCOUNT_TERMINALS_MAX];
	struct binding_figures figures;
	size_t count;

	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(claim_all(&tablet, &ann) == STATUS_OK);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	ck_assert(put(&tablet, &ann) == STATUS_OK);
	open_again();
	ck_assert(binding_db_terminal(&binding, &ann, phone.peer_key, &read) ==
		  STATUS_OK);
	check_same(&read, &phone);
	ck_assert(
	    binding_db_terminals(&binding, &ann, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 2);
	check_same(&list[0], &phone);
	check_same(&list[1], &tablet);
	look(&ann);
	ck_assert_uint_eq(view.generation, 2);
	ck_assert_uint_eq(view.terminals_count, 2);
	ck_assert_uint_eq(view.entries_count, 0);
	check_same(&view.terminals[1], &tablet);
	ck_assert(binding_db_terminal(&binding, &bob, phone.peer_key, &read) ==
		  STATUS_NOT_FOUND);
	ck_assert(
	    binding_db_terminals(&binding, &bob, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 0);
	look(&bob);
	ck_assert_uint_eq(view.generation, 0);
	ck_assert_uint_eq(view.terminals_count, 0);
	ck_assert(binding_db_count(&binding, &figures) == STATUS_OK);
	ck_assert_uint_eq(figures.terminals, 2);
	ck_assert_uint_eq(figures.accounts, 1);
	ck_assert_uint_eq(figures.entries, 0);
}
END_TEST

START_TEST(names_belong_to_one_account)
{
	struct names names = binding_db_names(&binding, &phone);
	struct terminal stolen = phone;
	struct id owner;

	ck_assert_uint_eq(binding_db_names(&binding, &tablet).count, 2);
	ck_assert_uint_eq(names.count, 3);
	ck_assert(put(&phone, &ann) == STATUS_NOT_FOUND); /* not claimed */
	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert(binding_db_owner(&binding, &names.list[i], &owner) ==
			  STATUS_NOT_FOUND);
	ck_assert(claim_all(&phone, &bob) == STATUS_CONFLICT);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(binding_db_owner(&binding, &names.list[i], &owner) ==
			  STATUS_OK);
		ck_assert(id_equal(&owner, &ann));
	}
	stolen.peer_key[0] = 77; /* a new key, the same IMEI */
	ck_assert(claim_all(&stolen, &bob) == STATUS_CONFLICT);
	ck_assert(put(&stolen, &bob) == STATUS_CONFLICT);
}
END_TEST

/* A name is a hash that depends on its kind and on the service's key. */
START_TEST(names_are_hashed)
{
	struct slice text = slice_text("490154203237518");
	struct name imei = binding_db_name(&binding, NAME_IMEI, text);
	struct name again = binding_db_name(&binding, NAME_IMEI, text);
	struct name serial = binding_db_name(&binding, NAME_SERIAL, text);
	uint8_t plain[NAME_HASH_BYTES];

	ck_assert_mem_eq(imei.hash, again.hash, NAME_HASH_BYTES);
	ck_assert_mem_ne(imei.hash, serial.hash, NAME_HASH_BYTES);
	crypto_generichash(plain, sizeof(plain), text.data, text.len, NULL, 0);
	ck_assert_mem_ne(imei.hash, plain, NAME_HASH_BYTES);
	open_again();
	again = binding_db_name(&binding, NAME_IMEI, text);
	ck_assert_mem_eq(imei.hash, again.hash, NAME_HASH_BYTES);
}
END_TEST

START_TEST(a_removed_one_is_free)
{
	struct binding_figures figures;
	struct terminal read;

	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	struct db_batch *batch = binding_db_batch(look(&ann));
	binding_db_delete_terminal(&binding, batch, &phone);
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(binding_db_terminal(&binding, &ann, phone.peer_key, &read) ==
		  STATUS_NOT_FOUND);
	ck_assert(binding_db_count(&binding, &figures) == STATUS_OK);
	ck_assert_uint_eq(figures.terminals, 0);
	ck_assert_uint_eq(figures.accounts, 0);
	ck_assert(claim_all(&phone, &bob) == STATUS_OK);
	ck_assert(put(&phone, &bob) == STATUS_OK);
	ck_assert(binding_db_terminal(&binding, &bob, phone.peer_key, &read) ==
		  STATUS_OK);
	check_same(&read, &phone);
	/* Nobody gives up what is not theirs. */
	batch = binding_db_batch(look(&ann));
	binding_db_delete_terminal(&binding, batch, &phone);
	ck_assert(submit(batch) == STATUS_CONFLICT);
}
END_TEST

START_TEST(a_replaced_one_keeps_what_it_keeps)
{
	struct names before = binding_db_names(&binding, &phone);
	struct terminal after = phone, read;
	struct id owner;

	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	after.peer_key[0] = 77;
	after.id.bytes[0] = 78;
	strcpy(after.serial, "R58M 124");
	ck_assert(claim_all(&after, &ann) == STATUS_OK);
	struct db_batch *batch = binding_db_batch(look(&ann));
	binding_db_replace_terminal(&binding, batch, &ann, &phone, &after);
	ck_assert(submit(batch) == STATUS_OK);
	look(&ann);
	ck_assert_uint_eq(view.terminals_count, 1);
	check_same(&view.terminals[0], &after);
	ck_assert(binding_db_terminal(&binding, &ann, phone.peer_key, &read) ==
		  STATUS_NOT_FOUND);
	/* key, IMEI, serial number: only the IMEI is its own still */
	for (size_t i = 0; i < before.count; i++)
		ck_assert(
		    binding_db_owner(&binding, &before.list[i], &owner) ==
		    (before.list[i].space == NAME_IMEI ? STATUS_OK
						       : STATUS_NOT_FOUND));
	ck_assert(claim(&before.list[1], &bob) == STATUS_CONFLICT);
	ck_assert(claim(&before.list[2], &bob) == STATUS_OK);
}
END_TEST

/* What was read before another change is not written after it. */
START_TEST(a_lost_race)
{
	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(claim_all(&tablet, &ann) == STATUS_OK);
	struct db_batch *first = binding_db_batch(look(&ann));
	binding_db_put_terminal(&binding, first, &ann, &phone);
	struct db_batch *second = binding_db_batch(look(&ann));
	binding_db_put_terminal(&binding, second, &ann, &tablet);
	ck_assert(submit(first) == STATUS_OK);
	ck_assert(submit(second) == STATUS_CONFLICT);
}
END_TEST

START_TEST(entries_round_trip)
{
	struct name names[] = { iccid_name(ICCID), iccid_name(OTHER_ICCID) };
	struct entry other = card, read, *list;
	struct binding_figures figures;
	size_t count;

	strcpy(other.iccid, OTHER_ICCID);
	other.data_len = ENTRY_DATA_BYTES_MAX;
	memset(other.data, 0xee, other.data_len);
	ck_assert(put_entry(&card, &ann) == STATUS_NOT_FOUND); /* not claimed */
	ck_assert(claim(&names[0], &ann) == STATUS_OK);
	ck_assert(claim(&names[1], &ann) == STATUS_OK);
	ck_assert(put_entry(&card, &ann) == STATUS_OK);
	ck_assert(put_entry(&other, &ann) == STATUS_OK);
	ck_assert(put_entry(&other, &ann) == STATUS_OK); /* an update */
	open_again();
	ck_assert(binding_db_entry(&binding, &ann, ICCID, &read) == STATUS_OK);
	check_same_entry(&read, &card);
	ck_assert(
	    binding_db_entry(&binding, &ann, OTHER_ICCID, &read) == STATUS_OK);
	check_same_entry(&read, &other);
	ck_assert(
	    binding_db_entry(&binding, &bob, ICCID, &read) == STATUS_NOT_FOUND);
	list = calloc(ACCOUNT_ENTRIES_MAX, sizeof(*list));
	ck_assert_ptr_nonnull(list);
	ck_assert(
	    binding_db_entries(&binding, &ann, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert(
	    binding_db_entries(&binding, &bob, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 0);
	free(list);
	ck_assert_uint_eq(look(&ann)->entries_count, 2);
	ck_assert(binding_db_count(&binding, &figures) == STATUS_OK);
	ck_assert_uint_eq(figures.entries, 2);
	ck_assert_uint_eq(figures.accounts, 0);
	ck_assert(claim(&names[0], &bob) == STATUS_CONFLICT);
	ck_assert(put_entry(&card, &bob) == STATUS_CONFLICT);
}
END_TEST

/* The file has nothing of a person in it, and the rows of an account whose
 * key is gone are rows of nobody. */
START_TEST(sealed_at_rest)
{
	const struct {
		const char *what, *text;
	} personal[] = {
		{ "IMEI", phone.imei },
		{ "serial number", phone.serial },
		{ "label", phone.label },
		{ "ICCID", card.iccid },
		{ "number", card.number },
		{ "data", (const char *)card.data },
	};
	uint8_t bcd[ICCID_BYTES];
	struct terminal read, list[ACCOUNT_TERMINALS_MAX];
	struct entry entry;
	struct name name = iccid_name(ICCID);
	size_t count;

	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	ck_assert(claim(&name, &ann) == STATUS_OK);
	ck_assert(put_entry(&card, &ann) == STATUS_OK);
	stage_close();
	ck_assert(file_has("db/data.mdb", slice_text("binding")));
	for (size_t i = 0; i < nitems(personal); i++)
		ck_assert_msg(
		    !file_has("db/data.mdb", slice_text(personal[i].text)),
		    "%s", personal[i].what);
	ck_assert(iccid_encode(bcd, ICCID) == STATUS_OK);
	ck_assert(!file_has("db/data.mdb", slice_of(bcd, sizeof(bcd))));

	stage_open("db", BINDING_DB_FORMAT, NULL);
	ck_assert(
	    keyring_shred(binding.keyring, binding.db, &ann) == STATUS_OK);
	ck_assert(binding_db_terminal(&binding, &ann, phone.peer_key, &read) ==
		  STATUS_NOT_FOUND);
	ck_assert(
	    binding_db_terminals(&binding, &ann, list, &count) == STATUS_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert(binding_db_entry(&binding, &ann, ICCID, &entry) ==
		  STATUS_NOT_FOUND);
	ck_assert(binding_db_view(&binding, &ann, &view) == STATUS_EXPIRED);
}
END_TEST

/* A row is good in its own place only, and only for its account. */
START_TEST(moved_rows)
{
	struct slice key = slice_of(phone.peer_key, TERMINAL_KEY_BYTES);
	struct slice other = slice_of(tablet.peer_key, TERMINAL_KEY_BYTES);
	struct name bobs = iccid_name(ICCID);
	struct bytes value = { 0 };
	struct terminal read;

	ck_assert(claim_all(&phone, &ann) == STATUS_OK);
	ck_assert(put(&phone, &ann) == STATUS_OK);
	ck_assert(claim(&bobs, &bob) == STATUS_OK);
	ck_assert(put_entry(&card, &bob) == STATUS_OK); /* bob has a key */
	ck_assert(db_get(binding.db, &ann, TABLE_TERMINALS, key, &value) ==
		  STATUS_OK);
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, TABLE_TERMINALS, other, bytes_slice(&value));
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(binding_db_terminal(&binding, &ann, tablet.peer_key, &read) ==
		  STATUS_MALFORMED);
	batch = db_batch_new(&bob, DB_GENERATION_ANY, NULL);
	db_batch_put(batch, TABLE_TERMINALS, key, bytes_slice(&value));
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(binding_db_terminal(&binding, &bob, phone.peer_key, &read) ==
		  STATUS_MALFORMED);
	ck_assert(binding_db_view(&binding, &bob, &view) == STATUS_MALFORMED);
	bytes_clear(&value);
}
END_TEST

static const struct {
	const char *name;
	uint8_t table;
	size_t key_len, len;
} damaged[] = {
	{ "a terminal's row too short", TABLE_TERMINALS, 32, 27 },
	{ "a terminal's row too long", TABLE_TERMINALS, 32, 29 },
	{ "a terminal's key too short", TABLE_TERMINALS, 31, 28 },
	{ "an entry's row too short", TABLE_ENTRIES, 32, 26 },
	{ "an entry without a card", TABLE_ENTRIES, 32, 27 },
};

/* What the account has sealed, and is no row all the same. */
START_TEST(damaged_rows)
{
	static const uint8_t row[64] = { 0x12 }; /* no ICCID */
	struct slice key = slice_of(phone.peer_key, damaged[_i].key_len);
	struct terminal terminals[ACCOUNT_TERMINALS_MAX];
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	struct entry *entries = calloc(ACCOUNT_ENTRIES_MAX, sizeof(*entries));
	size_t count;

	ck_assert_ptr_nonnull(entries);
	sealed_row_put(binding.keyring, binding.db, batch, &ann,
	    damaged[_i].table, key, slice_of(row, damaged[_i].len));
	ck_assert(submit(batch) == STATUS_OK);
	enum status got =
	    damaged[_i].table == TABLE_TERMINALS
		? binding_db_terminals(&binding, &ann, terminals, &count)
		: binding_db_entries(&binding, &ann, entries, &count);
	ck_assert_msg(got == STATUS_MALFORMED, "%s: got '%s'", damaged[_i].name,
	    status_text(got));
	ck_assert_uint_eq(count, 0);
	free(entries);
}
END_TEST

/* A row without the account's key. */
START_TEST(keyless_rows)
{
	struct db_batch *batch = db_batch_new(&ann, DB_GENERATION_ANY, NULL);
	uint8_t value[SEALED_ROW_EXTRA + 30] = { SEALED_ROW_VERSION };
	struct terminal read;

	db_batch_put(batch, TABLE_TERMINALS,
	    slice_of(phone.peer_key, TERMINAL_KEY_BYTES),
	    slice_of(value, sizeof(value)));
	ck_assert(submit(batch) == STATUS_OK);
	ck_assert(binding_db_terminal(&binding, &ann, phone.peer_key, &read) ==
		  STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("binding_db");
	TCase *stored = tcase_create("D-01 D-03 rows and names");
	TCase *changed = tcase_create("D-02 names released and kept");
	TCase *entries = tcase_create("D-09 entries");
	TCase *sealed = tcase_create("K-08 sealed at rest");

	tcase_add_checked_fixture(stored, stage_setup, stage_teardown);
	tcase_add_test(stored, terminals_round_trip);
	tcase_add_test(stored, names_belong_to_one_account);
	tcase_add_test(stored, a_lost_race);
	tcase_add_checked_fixture(changed, stage_setup, stage_teardown);
	tcase_add_test(changed, a_removed_one_is_free);
	tcase_add_test(changed, a_replaced_one_keeps_what_it_keeps);
	tcase_add_checked_fixture(entries, stage_setup, stage_teardown);
	tcase_add_test(entries, entries_round_trip);
	tcase_add_checked_fixture(sealed, stage_setup, stage_teardown);
	tcase_add_test(sealed, names_are_hashed);
	tcase_add_test(sealed, sealed_at_rest);
	tcase_add_test(sealed, moved_rows);
	tcase_add_test(sealed, keyless_rows);
	tcase_add_loop_test(sealed, damaged_rows, 0, (int)nitems(damaged));
	suite_add_tcase(suite, stored);
	suite_add_tcase(suite, changed);
	suite_add_tcase(suite, entries);
	suite_add_tcase(suite, sealed);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
