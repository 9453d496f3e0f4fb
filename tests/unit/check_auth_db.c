#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/code.h"
#include "ring.h"
#include "scratch_db.h"

/* A unit of a program, not of a library: compiled in as it is. */
#include "../../services/auth/auth_db.c"

static struct db *db;
static struct auth_rows auth_rows;
static const struct auth_rows *const stored = &auth_rows;

static const struct id anna = { "account of anna" };
static const struct id bert = { "account of bert" };

static const uint8_t name_a[NAME_HASH_BYTES] = { 1 };
static const uint8_t name_b[NAME_HASH_BYTES] = { 2 };

static void setup(void)
{
	scratch_make();
	db = scratch_db("data", "auth", AUTH_DB_FORMAT);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	ring_open("auth");
	auth_rows_init(&auth_rows, db, ring);
}

static void teardown(void)
{
	db_close(&db);
	ring_close();
	arena_close();
	scratch_remove();
}

/* ---- waiting ---- */

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *result = arg;

	(void)generation;
	(void)failed_op;
	*result = status;
}

static enum status wait_for(const enum status *result)
{
	struct pollfd ready = { db_event_fd(db), POLLIN, 0 };

	while (*result == STATUS_PENDING) {
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		db_complete(db);
	}
	return *result;
}

static enum status commit(struct db_batch *batch)
{
	enum status result = STATUS_PENDING;

	enum status st = db_submit(db, &batch, on_done, &result);
	db_batch_destroy(&batch);
	return st == STATUS_PENDING ? wait_for(&result) : st;
}

static enum status claim(
    const uint8_t hash[static NAME_HASH_BYTES], const struct id *account)
{
	enum status result = STATUS_PENDING;

	ck_assert_int_eq(
	    auth_db_claim_name(db, hash, account, on_done, &result),
	    STATUS_PENDING);
	return wait_for(&result);
}

static struct db_batch *batch_of(const struct id *account)
{
	return db_batch_new(account, DB_GENERATION_ANY, NULL);
}

static struct credential some_credential(uint32_t revision)
{
	struct credential credential = {
		.revision = revision,
		.factors = CODE_PASSWORD,
		.changed_ms = 0x0102030405060708,
		.wrapped_root_len = WRAPPED_ROOT_BYTES_MIN,
	};

	memset(credential.record, 0x5a, sizeof(credential.record));
	memset(credential.wrapped_root, 0xa5, credential.wrapped_root_len);
	return credential;
}

static void assert_same(const struct credential *a, const struct credential *b)
{
	ck_assert_uint_eq(a->revision, b->revision);
	ck_assert_uint_eq(a->factors, b->factors);
	ck_assert_uint_eq(a->changed_ms, b->changed_ms);
	ck_assert_mem_eq(a->record, b->record, sizeof(a->record));
	ck_assert_uint_eq(a->wrapped_root_len, b->wrapped_root_len);
	ck_assert_mem_eq(a->wrapped_root, b->wrapped_root, a->wrapped_root_len);
}

/* ---- rows ---- */

START_TEST(account_row)
{
	const struct account account = {
		.kind = NAME_EMAIL,
		.created_ms = 0x0102030405060708,
		.key = { 0xcc },
		.name = "anna@example.org",
	};
	struct account found;

	ck_assert_int_eq(
	    auth_db_account(stored, &anna, &found), STATUS_NOT_FOUND);
	struct db_batch *batch = batch_of(&anna);
	auth_db_put_account(stored, batch, &anna, &account);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(auth_db_account(stored, &anna, &found), STATUS_OK);
	ck_assert_int_eq(found.kind, account.kind);
	ck_assert_uint_eq(found.created_ms, account.created_ms);
	ck_assert_mem_eq(found.key, account.key, sizeof(found.key));
	ck_assert_str_eq(found.name, account.name);
	ck_assert_int_eq(
	    auth_db_account(stored, &bert, &found), STATUS_NOT_FOUND);
	ck_assert_uint_eq(auth_db_accounts(db), 1);
}
END_TEST

/*
 * The layout is on disks: a change needs another version.  What is sealed is
 * opened as any service would; how it is sealed is lib/service's affair.
 */
START_TEST(account_layout)
{
	static const uint8_t want[] = { NAME_EMAIL, 1, 2, 3, 4, 5, 6, 7, 8,
		0xcc };
	const struct account account = {
		.kind = NAME_EMAIL,
		.created_ms = 0x0102030405060708,
		.key = { 0xcc },
		.name = "anna@example.org",
	};
	struct bytes plain = { 0 };

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_account(stored, batch, &anna, &account);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    sealed_row_get(ring, db, &anna, 1, slice_text(""), &plain),
	    STATUS_OK);
	ck_assert_uint_eq(plain.len, 41 + strlen(account.name));
	ck_assert_mem_eq(plain.data, want, sizeof(want));
	ck_assert_mem_eq(plain.data + 41, account.name, strlen(account.name));
	bytes_clear(&plain);
}
END_TEST

START_TEST(credential_layout)
{
	static const uint8_t want[] = { 1, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8,
		0x5a };
	const struct credential credential = some_credential(7);
	struct bytes plain = { 0 };

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &credential);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    sealed_row_get(ring, db, &anna, 2, slice_of("\1", 1), &plain),
	    STATUS_OK);
	ck_assert_uint_eq(plain.len, 13 + OPAQUE_RECORD_BYTES + 72);
	ck_assert_mem_eq(plain.data, want, sizeof(want));
	ck_assert_uint_eq(plain.data[13 + OPAQUE_RECORD_BYTES], 0xa5);
	bytes_clear(&plain);
}
END_TEST

/* A terminal's own code lies beside the owner's, and is no other's. */
START_TEST(own_codes)
{
	const struct code_slot one = { CREDENTIAL_TERMINAL, { "phone one" } };
	const struct code_slot two = { CREDENTIAL_TERMINAL, { "phone two" } };
	const struct credential code = some_credential(4);
	struct credential found;

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &one, &code);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &one, &found), STATUS_OK);
	assert_same(&found, &code);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &two, &found), STATUS_NOT_FOUND);
	ck_assert_int_eq(auth_db_credential(stored, &anna, &owner_slot, &found),
	    STATUS_NOT_FOUND);
	batch = batch_of(&anna);
	auth_db_delete_credential(batch, &one);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &one, &found), STATUS_NOT_FOUND);
}
END_TEST

/* One account's row does not open as another's, nor in another slot. */
START_TEST(codes_in_order)
{
	const struct code_slot slots[] = {
		{ .kind = CREDENTIAL_OWNER },
		{ .kind = CREDENTIAL_VERIFICATION },
		{ .kind = CREDENTIAL_TERMINAL, .terminal = { { 1 } } },
		{ .kind = CREDENTIAL_TERMINAL, .terminal = { { 2 } } },
	};
	const struct credential credential = some_credential(1);
	struct code_slot slot;

	ck_assert_int_eq(
	    auth_db_next_code(db, &anna, NULL, &slot), STATUS_NOT_FOUND);
	struct db_batch *batch = batch_of(&anna);
	for (size_t i = nitems(slots); i-- > 0;)
		auth_db_put_credential(
		    stored, batch, &anna, &slots[i], &credential);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	for (size_t i = 0; i < nitems(slots); i++) {
		ck_assert_int_eq(auth_db_next_code(db, &anna,
				     i > 0 ? &slots[i - 1] : NULL, &slot),
		    STATUS_OK);
		ck_assert_int_eq(slot.kind, slots[i].kind);
		ck_assert(id_equal(&slot.terminal, &slots[i].terminal));
	}
	ck_assert_int_eq(
	    auth_db_next_code(db, &anna, &slots[nitems(slots) - 1], &slot),
	    STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    auth_db_next_code(db, &bert, NULL, &slot), STATUS_NOT_FOUND);
}
END_TEST

/* clang-format off */
static const struct { const char *name, *key; size_t len; } damaged_slots[] = {
	{ "R-03 an owner's with more",          "\1\1", 2 },
	{ "R-03 a terminal's without its id",   "\3", 1 },
	{ "R-03 a terminal's id cut short",     "\3terminal", 9 },
	{ "R-03 a terminal's id and more",      "\3 of which terminal", 18 },
};
/* clang-format on */

START_TEST(damaged_slot)
{
	struct db_batch *batch = batch_of(&anna);
	struct code_slot slot;

	db_batch_put(batch, TABLE_CREDENTIALS,
	    slice_of(damaged_slots[_i].key, damaged_slots[_i].len),
	    slice_text("row"));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	enum status got = auth_db_next_code(db, &anna, NULL, &slot);
	ck_assert_msg(got == STATUS_INTERNAL, "%s: got '%s'",
	    damaged_slots[_i].name, status_text(got));
}
END_TEST

START_TEST(rows_are_bound)
{
	const struct credential code = some_credential(1);
	struct bytes value = { 0 };
	struct credential found;

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &code);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	batch = batch_of(&bert);
	auth_db_put_credential(stored, batch, &bert, &owner_slot, &code);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    db_get(db, &anna, 2, slice_of("\1", 1), &value), STATUS_OK);
	batch = batch_of(&bert);
	db_batch_put(batch, 2, slice_of("\1", 1), bytes_slice(&value));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(auth_db_credential(stored, &bert, &owner_slot, &found),
	    STATUS_INTERNAL);
	batch = batch_of(&anna);
	db_batch_put(batch, 2, slice_of("\2", 1), bytes_slice(&value));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &verification_slot, &found),
	    STATUS_INTERNAL);
	bytes_clear(&value);
}
END_TEST

/* An account whose key is gone is gone. */
START_TEST(shredded)
{
	const struct account account = { .kind = NAME_NICKNAME };
	const struct credential code = some_credential(1);
	struct account found_account;
	struct credential found;

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_account(stored, batch, &anna, &account);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &code);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(keyring_shred(ring, db, &anna), STATUS_OK);
	ck_assert_int_eq(
	    auth_db_account(stored, &anna, &found_account), STATUS_NOT_FOUND);
	ck_assert_int_eq(auth_db_credential(stored, &anna, &owner_slot, &found),
	    STATUS_NOT_FOUND);
}
END_TEST

START_TEST(disabled_row)
{
	static const bool steps[] = { true, true, false };
	bool disabled = true;

	ck_assert_int_eq(auth_db_disabled(db, &anna, &disabled), STATUS_OK);
	ck_assert(!disabled);
	for (size_t i = 0; i < nitems(steps); i++) {
		struct db_batch *batch = batch_of(&anna);
		auth_db_put_disabled(batch, steps[i], 1000 + i);
		ck_assert_int_eq(commit(batch), STATUS_OK);
		ck_assert_int_eq(
		    auth_db_disabled(db, &anna, &disabled), STATUS_OK);
		ck_assert(disabled == steps[i]);
	}
	ck_assert_int_eq(auth_db_disabled(db, &bert, &disabled), STATUS_OK);
	ck_assert(!disabled);
}
END_TEST

/* ---- an older format ---- */

/* The rows of a database of format 1, byte by byte. */
static void put_format_1(const struct id *account)
{
	uint8_t row[42] = { 1, NAME_EMAIL, 1, 2, 3, 4, 5, 6, 7, 8, 0xcc };
	uint8_t code[14 + OPAQUE_RECORD_BYTES + 72] = { 1, CODE_PASSWORD, 0, 0,
		0, 7, 1, 2, 3, 4, 5, 6, 7, 8 };

	memset(code + 14, 0x5a, OPAQUE_RECORD_BYTES);
	memset(code + 14 + OPAQUE_RECORD_BYTES, 0xa5, 72);
	struct db_batch *batch = batch_of(account);
	db_batch_put(batch, 1, slice_text(""), slice_of(row, sizeof(row)));
	db_batch_put(batch, 2, slice_of("\1", 1), slice_of(code, sizeof(code)));
	db_batch_put(
	    batch, 2, slice_of("\2", 1), slice_of(code, sizeof(code) - 72));
	ck_assert_int_eq(commit(batch), STATUS_OK);
}

static void assert_migrated(const struct id *account)
{
	const struct credential want = some_credential(7);
	struct account found_account;
	struct credential found;

	ck_assert_int_eq(
	    auth_db_account(stored, account, &found_account), STATUS_OK);
	ck_assert_int_eq(found_account.kind, NAME_EMAIL);
	ck_assert_uint_eq(found_account.created_ms, 0x0102030405060708);
	ck_assert_uint_eq(found_account.key[0], 0xcc);
	ck_assert_str_eq(found_account.name, "");
	ck_assert_int_eq(
	    auth_db_credential(stored, account, &owner_slot, &found),
	    STATUS_OK);
	assert_same(&found, &want);
	ck_assert_int_eq(
	    auth_db_credential(stored, account, &verification_slot, &found),
	    STATUS_OK);
	ck_assert_uint_eq(found.wrapped_root_len, 0);
	ck_assert_uint_eq(found.revision, 7);
}

START_TEST(format_1_is_sealed)
{
	struct account account;

	put_format_1(&anna);
	put_format_1(&bert);
	ck_assert_int_eq(
	    auth_db_account(stored, &anna, &account), STATUS_INTERNAL);
	/* Also when it is cut short and begun again. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(auth_db_migrate(ring, db), STATUS_OK);
		assert_migrated(&anna);
		assert_migrated(&bert);
	}
}
END_TEST

START_TEST(credential_rows)
{
	const struct credential owner = some_credential(1);
	struct credential verification = some_credential(1), found;

	verification.wrapped_root_len = 0;
	memset(verification.record, 0x33, sizeof(verification.record));
	ck_assert_int_eq(auth_db_credential(stored, &anna, &owner_slot, &found),
	    STATUS_NOT_FOUND);
	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &owner);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &verification_slot, &found),
	    STATUS_NOT_FOUND);
	batch = batch_of(&anna);
	auth_db_put_credential(
	    stored, batch, &anna, &verification_slot, &verification);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &owner_slot, &found), STATUS_OK);
	assert_same(&found, &owner);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &verification_slot, &found),
	    STATUS_OK);
	assert_same(&found, &verification);
}
END_TEST

enum { IN_CLEAR, SEALED };

static const struct {
	const char *name;
	int how;
	uint8_t table, first;
	size_t len;
} damaged_rows[] = {
	{ "account, in clear", IN_CLEAR, TABLE_ACCOUNT, 1, 42 },
	{ "account, not sealed", IN_CLEAR, TABLE_ACCOUNT, 2, 100 },
	{ "account, version only", IN_CLEAR, TABLE_ACCOUNT, 2, 1 },
	{ "account, short", SEALED, TABLE_ACCOUNT, 0, ACCOUNT_AT_NAME - 1 },
	{ "account, long", SEALED, TABLE_ACCOUNT, 0, ACCOUNT_BYTES_MAX + 1 },
	{ "account, empty", SEALED, TABLE_ACCOUNT, 0, 0 },
	{ "credential, in clear", IN_CLEAR, TABLE_CREDENTIALS, 1, 278 },
	{ "credential, short", SEALED, TABLE_CREDENTIALS, 0,
	    CREDENTIAL_AT_ROOT - 1 },
	{ "credential, long", SEALED, TABLE_CREDENTIALS, 0,
	    CREDENTIAL_BYTES_MAX + 1 },
	{ "told, version 2", IN_CLEAR, TABLE_TOLD, 2, TOLD_BYTES },
	{ "told, short", IN_CLEAR, TABLE_TOLD, 1, TOLD_BYTES - 1 },
	{ "state, version 2", IN_CLEAR, TABLE_STATE, 2, STATE_BYTES },
	{ "state, long", IN_CLEAR, TABLE_STATE, 1, STATE_BYTES + 1 },
};

START_TEST(damaged_table)
{
	uint8_t value[CREDENTIAL_BYTES_MAX + 1] = { damaged_rows[_i].first };
	uint8_t table = damaged_rows[_i].table;
	struct slice bytes = slice_of(value, damaged_rows[_i].len);
	struct slice key = table == TABLE_ACCOUNT || table == TABLE_STATE
			       ? slice_text("")
			       : slice_of("\1", 1);
	const struct credential code = some_credential(1);
	struct credential credential;
	struct account account;
	uint64_t told_ms;
	bool disabled;
	enum status st = STATUS_OK;

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &verification_slot, &code);
	if (damaged_rows[_i].how == SEALED)
		sealed_row_put(ring, db, batch, &anna, table, key, bytes);
	else
		db_batch_put(batch, table, key, bytes);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	if (table == TABLE_ACCOUNT)
		st = auth_db_account(stored, &anna, &account);
	else if (table == TABLE_CREDENTIALS)
		st =
		    auth_db_credential(stored, &anna, &owner_slot, &credential);
	else if (table == TABLE_STATE)
		st = auth_db_disabled(db, &anna, &disabled);
	else
		st = auth_db_asked_again(db, &anna, &told_ms);
	ck_assert_msg(st == STATUS_INTERNAL, "%s: got '%s'",
	    damaged_rows[_i].name, status_text(st));
}
END_TEST

/* ---- guards ---- */

START_TEST(first_verification_only)
{
	const struct account account = { .kind = NAME_NICKNAME };
	const struct credential credential = some_credential(1);
	static const enum status want[] = { STATUS_NOT_FOUND, STATUS_OK,
		STATUS_CONFLICT };

	for (size_t i = 0; i < nitems(want); i++) {
		struct db_batch *batch = batch_of(&anna);
		auth_db_require_account(batch);
		auth_db_forbid_credential(batch, &verification_slot);
		auth_db_put_credential(
		    stored, batch, &anna, &verification_slot, &credential);
		ck_assert_int_eq(commit(batch), want[i]);
		batch = batch_of(&anna);
		auth_db_put_account(stored, batch, &anna, &account);
		ck_assert_int_eq(commit(batch), STATUS_OK);
	}
}
END_TEST

/* Of two who change the code from the same one, the second is refused. */
START_TEST(code_compare_and_set)
{
	const struct credential first = some_credential(1);
	const struct credential second = some_credential(2);
	static const enum status want[] = { STATUS_OK, STATUS_CONFLICT };
	struct credential found;

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &first);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	for (size_t i = 0; i < nitems(want); i++) {
		batch = batch_of(&anna);
		auth_db_expect_credential(
		    stored, batch, &anna, &owner_slot, &first);
		auth_db_put_credential(
		    stored, batch, &anna, &owner_slot, &second);
		ck_assert_int_eq(commit(batch), want[i]);
	}
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &owner_slot, &found), STATUS_OK);
	assert_same(&found, &second);
}
END_TEST

/* Also where the other came between the reading and the writing. */
START_TEST(code_race)
{
	const struct credential first = some_credential(1);
	const struct credential second = some_credential(2);
	const struct credential third = some_credential(3);
	struct credential found;

	struct db_batch *batch = batch_of(&anna);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &first);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	struct db_batch *late = batch_of(&anna);
	auth_db_expect_credential(stored, late, &anna, &owner_slot, &first);
	auth_db_put_credential(stored, late, &anna, &owner_slot, &third);
	batch = batch_of(&anna);
	auth_db_expect_credential(stored, batch, &anna, &owner_slot, &first);
	auth_db_put_credential(stored, batch, &anna, &owner_slot, &second);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(commit(late), STATUS_CONFLICT);
	ck_assert_int_eq(
	    auth_db_credential(stored, &anna, &owner_slot, &found), STATUS_OK);
	assert_same(&found, &second);
}
END_TEST

START_TEST(asked_again_guard)
{
	static const struct {
		uint64_t told_ms, now_ms;
		enum status want;
	} steps[] = {
		{ 0, 1000, STATUS_OK },
		{ 0, 1001, STATUS_CONFLICT },
		{ 1000, 1000, STATUS_OK }, /* noted, but nobody was told */
		{ 1000, 2000, STATUS_OK },
		{ 1000, 2001, STATUS_CONFLICT },
	};
	uint64_t told_ms = 0;

	ck_assert_int_eq(
	    auth_db_asked_again(db, &anna, &told_ms), STATUS_NOT_FOUND);
	for (size_t i = 0; i < nitems(steps); i++) {
		struct db_batch *batch = batch_of(&anna);
		auth_db_put_asked_again(
		    batch, steps[i].told_ms, steps[i].now_ms);
		ck_assert_int_eq(commit(batch), steps[i].want);
	}
	ck_assert_int_eq(auth_db_asked_again(db, &anna, &told_ms), STATUS_OK);
	ck_assert_uint_eq(told_ms, 2000);
}
END_TEST

/* ---- names ---- */

START_TEST(name_belongs_to_one)
{
	struct id owner;

	ck_assert_int_eq(claim(name_a, &anna), STATUS_OK);
	ck_assert_int_eq(auth_db_name(db, name_a, &owner), STATUS_NOT_FOUND);
	ck_assert_int_eq(claim(name_a, &bert), STATUS_CONFLICT);
	ck_assert_int_eq(claim(name_a, &anna), STATUS_OK);
	struct db_batch *batch = batch_of(&anna);
	auth_db_confirm_name(batch, name_a);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(auth_db_name(db, name_a, &owner), STATUS_OK);
	ck_assert(id_equal(&owner, &anna));
	ck_assert_int_eq(claim(name_a, &bert), STATUS_CONFLICT);
	ck_assert_int_eq(claim(name_a, &anna), STATUS_OK);
	ck_assert_int_eq(claim(name_b, &bert), STATUS_OK);
	ck_assert_int_eq(auth_db_name(db, name_b, &owner), STATUS_NOT_FOUND);
}
END_TEST

/* Whoever claims nothing gets it, over and over, and no name is used up. */
START_TEST(nothing_is_free)
{
	static const struct id *const accounts[] = { &anna, &bert, &anna };
	struct db_stats stats;

	for (size_t i = 0; i < nitems(accounts); i++) {
		enum status result = STATUS_PENDING;
		ck_assert_int_eq(
		    auth_db_claim_nothing(db, accounts[i], on_done, &result),
		    STATUS_PENDING);
		ck_assert_int_eq(wait_for(&result), STATUS_OK);
	}
	ck_assert_int_eq(db_stats(db, &stats), STATUS_OK);
	ck_assert_uint_eq(stats.names, 1);
	ck_assert_uint_eq(stats.accounts, 0);
	ck_assert_uint_eq(stats.commits, nitems(accounts));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_db");
	TCase *tc = tcase_create("A-01 rows and their layout");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, account_row);
	tcase_add_test(tc, account_layout);
	tcase_add_test(tc, credential_layout);
	tcase_add_test(tc, credential_rows);
	tcase_add_test(tc, own_codes);
	tcase_add_test(tc, codes_in_order);
	tcase_add_loop_test(tc, damaged_slot, 0, nitems(damaged_slots));
	tcase_add_test(tc, disabled_row);
	tcase_add_loop_test(tc, damaged_table, 0, nitems(damaged_rows));
	suite_add_tcase(suite, tc);
	tc = tcase_create("K-08 A-12 rows are sealed, each in its place");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rows_are_bound);
	tcase_add_test(tc, shredded);
	suite_add_tcase(suite, tc);
	tc = tcase_create("O-08 K-08 format 1 is migrated");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, format_1_is_sealed);
	suite_add_tcase(suite, tc);
	tc = tcase_create("A-02 a code is replaced whole or not at all");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, code_compare_and_set);
	tcase_add_test(tc, code_race);
	suite_add_tcase(suite, tc);
	tc = tcase_create("D-01 verification information is set once");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first_verification_only);
	suite_add_tcase(suite, tc);
	tc = tcase_create("A-01 a name belongs to one account");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, name_belongs_to_one);
	tcase_add_test(tc, asked_again_guard);
	tcase_add_test(tc, nothing_is_free);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
