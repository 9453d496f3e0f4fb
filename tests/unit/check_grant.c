#include <check.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "ring.h"
#include "scratch_db.h"

/* Units of a program, not of a library: compiled in as they are. */
#include "../../services/auth/grant.c"
#include "../../services/auth/grant_db.c"

/* Standing grants at auth: what is given, kept, and proven. */

static const struct id anna = { "account of anna" };
static const struct id phone = { "id of the phone" };
static const struct id nas = { "id of the nas.." };

static uint8_t seed[GRANT_SEED_BYTES] = { 5 };
static uint8_t key[GRANT_PUBLIC_BYTES];

static void setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	grant_public_key(key, seed);
}

static struct grant some_grant(const struct id *terminal)
{
	static const Common__Direction both[] = { COMMON__DIRECTION__UPLOAD,
		COMMON__DIRECTION__REPORT };
	struct grant grant;
	const char *why = "";

	ck_assert_int_eq(grant_make(&grant, terminal, both, nitems(both),
			     slice_of(key, sizeof(key)), &why),
	    STATUS_OK);
	ck_assert_ptr_null(why);
	return grant;
}

/* clang-format off */
static const struct {
	const char *name;
	size_t count;
	int directions[4];
	enum status want;
	uint32_t bits;
} asked[] = {
	{ "A-15 upload",               1, { 1 },          STATUS_OK, 0x02 },
	{ "A-15 report",               1, { 5 },          STATUS_OK, 0x20 },
	{ "A-15 both",                 2, { 5, 1 },       STATUS_OK, 0x22 },
	{ "A-15 one twice",            2, { 1, 1 },       STATUS_OK, 0x02 },
	{ "A-15 none",                 0, { 0 },          STATUS_MALFORMED, 0 },
	{ "A-15 never download",       1, { 2 },          STATUS_DENIED, 0 },
	{ "A-15 never manage",         1, { 3 },          STATUS_DENIED, 0 },
	{ "A-15 never bind",           1, { 4 },          STATUS_DENIED, 0 },
	{ "A-15 never enrol",          1, { 6 },          STATUS_DENIED, 0 },
	{ "A-15 no notices",           1, { 7 },          STATUS_DENIED, 0 },
	{ "A-15 download among them",  3, { 1, 5, 2 },    STATUS_DENIED, 0 },
	{ "A-15 direction 0",          1, { 0 },          STATUS_MALFORMED, 0 },
	{ "A-15 a direction to come",  1, { 8 },          STATUS_MALFORMED, 0 },
	{ "A-15 direction 33",         1, { 33 },         STATUS_MALFORMED, 0 },
	{ "A-15 a negative one",       1, { -1 },         STATUS_MALFORMED, 0 },
};
/* clang-format on */

START_TEST(what_may_be_granted)
{
	Common__Direction directions[4];
	struct grant grant;
	const char *why;

	for (size_t i = 0; i < nitems(directions); i++)
		directions[i] = (Common__Direction)asked[_i].directions[i];
	enum status got = grant_make(&grant, &phone, directions,
	    asked[_i].count, slice_of(key, sizeof(key)), &why);
	ck_assert_msg(got == asked[_i].want, "%s: got %s", asked[_i].name,
	    status_word(got));
	ck_assert_msg((why == NULL) == (got == STATUS_OK), "%s: told why",
	    asked[_i].name);
	if (got == STATUS_OK)
		ck_assert_uint_eq(grant.directions, asked[_i].bits);
}
END_TEST

START_TEST(key_is_checked)
{
	static const Common__Direction upload = COMMON__DIRECTION__UPLOAD;
	static const uint8_t zero[GRANT_PUBLIC_BYTES];
	struct grant grant;
	const char *why;

	ck_assert_int_eq(grant_make(&grant, &phone, &upload, 1,
			     slice_of(key, sizeof(key) - 1), &why),
	    STATUS_MALFORMED);
	ck_assert_int_eq(grant_make(&grant, &phone, &upload, 1,
			     slice_of(zero, sizeof(zero)), &why),
	    STATUS_MALFORMED);
}
END_TEST

/* Whatever a row says, no more than GRANT_DIRECTIONS is ever allowed. */
START_TEST(allowed_directions)
{
	struct grant grant = some_grant(&phone);

	grant.directions = UINT32_MAX;
	for (int i = DIRECTION_NONE; i <= DIRECTION_COUNT; i++)
		ck_assert_int_eq(grant_allows(&grant, (enum direction)i),
		    i == DIRECTION_UPLOAD || i == DIRECTION_REPORT);
	grant.directions = 1u << DIRECTION_REPORT;
	ck_assert(!grant_allows(&grant, DIRECTION_UPLOAD));
}
END_TEST

START_TEST(use_is_noted_by_the_hour)
{
	struct grant grant = some_grant(&phone);

	ck_assert(grant_use(&grant, 10 * GRANT_USED_MS));
	ck_assert_uint_eq(grant.used_ms, 10 * GRANT_USED_MS);
	ck_assert(!grant_use(&grant, 11 * GRANT_USED_MS - 1));
	ck_assert_uint_eq(grant.used_ms, 10 * GRANT_USED_MS);
	ck_assert(grant_use(&grant, 11 * GRANT_USED_MS));
}
END_TEST

/* ---- proofs ---- */

static const struct grant_login login = {
	.account = { "account of anna" },
	.terminal = { "id of the phone" },
	.direction = DIRECTION_UPLOAD,
	.challenge = { 6 },
};
static const uint8_t peer[TICKET_PEER_BYTES] = { 7 };

static void sign(uint8_t out[static GRANT_SIGNATURE_BYTES],
    enum direction direction, const uint8_t by[static GRANT_SEED_BYTES])
{
	struct grant_claim claim = {
		.direction = direction,
		.account = login.account,
		.terminal = login.terminal,
	};

	memcpy(claim.challenge, login.challenge, sizeof(claim.challenge));
	memcpy(claim.peer, peer, sizeof(claim.peer));
	grant_sign(out, &claim, by);
}

START_TEST(proofs)
{
	static const uint8_t other_seed[GRANT_SEED_BYTES] = { 8 };
	static const uint8_t other_peer[TICKET_PEER_BYTES] = { 9 };
	struct grant grant = some_grant(&phone);
	struct grant_login other = login;
	uint8_t signature[GRANT_SIGNATURE_BYTES];
	struct slice all = slice_of(signature, sizeof(signature));

	sign(signature, DIRECTION_UPLOAD, seed);
	ck_assert_int_eq(grant_proven(&grant, &login, peer, all), STATUS_OK);
	ck_assert_int_eq(
	    grant_proven(&grant, &login, other_peer, all), STATUS_DENIED);
	other.direction = DIRECTION_REPORT;
	ck_assert_int_eq(
	    grant_proven(&grant, &other, peer, all), STATUS_DENIED);
	grant.directions = 1u << DIRECTION_REPORT;
	ck_assert_int_eq(
	    grant_proven(&grant, &login, peer, all), STATUS_DENIED);
	/* Signed as it should be, and still not for download. */
	grant.directions = UINT32_MAX;
	other.direction = DIRECTION_DOWNLOAD;
	sign(signature, DIRECTION_DOWNLOAD, seed);
	ck_assert_int_eq(
	    grant_proven(&grant, &other, peer, all), STATUS_DENIED);
	sign(signature, DIRECTION_UPLOAD, other_seed);
	ck_assert_int_eq(
	    grant_proven(&grant, &login, peer, all), STATUS_DENIED);
}
END_TEST

START_TEST(ticket_is_for_no_more)
{
	struct ticket ticket;

	grant_ticket(&ticket, &login, peer, 1000);
	ck_assert_int_eq(ticket.direction, DIRECTION_UPLOAD);
	ck_assert(id_equal(&ticket.account, &login.account));
	ck_assert(id_equal(&ticket.terminal, &login.terminal));
	ck_assert_mem_eq(ticket.peer, peer, sizeof(peer));
	ck_assert_uint_eq(ticket.expiry_ms - ticket.issued_ms, 1000);
}
END_TEST

/* ---- rows ---- */

static struct db *db;

static void db_setup(void)
{
	setup();
	scratch_make();
	db = scratch_db("db", "auth", 1);
	ck_assert_int_eq(arena_open(16384), STATUS_OK);
	ring_open("auth");
}

static void db_teardown(void)
{
	ring_close();
	arena_close();
	db_close(&db);
	scratch_remove();
}

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *result = arg;

	(void)generation;
	(void)failed_op;
	*result = status;
}

static enum status commit(struct db_batch *batch)
{
	enum status result = STATUS_PENDING;

	ck_assert_int_eq(
	    db_submit(db, &batch, on_done, &result), STATUS_PENDING);
	while (result == STATUS_PENDING) {
		struct pollfd ready = { db_event_fd(db), POLLIN, 0 };
		ck_assert_int_eq(poll(&ready, 1, 10000), 1);
		db_complete(db);
	}
	return result;
}

static struct db_batch *batch_of(uint64_t generation)
{
	return db_batch_new(&anna, generation, NULL);
}

START_TEST(rows_come_and_go)
{
	struct grant of_phone = some_grant(&phone), of_nas = some_grant(&nas);
	struct grant found, *list = NULL;
	size_t count = 9;

	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &phone, &found), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    grant_db_list(ring, db, &anna, &list, &count), STATUS_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert_ptr_null(list);
	of_nas.used_ms = 77;
	of_nas.directions = 1u << DIRECTION_REPORT;
	struct db_batch *batch = batch_of(DB_GENERATION_ANY);
	grant_db_put(ring, db, batch, &anna, &of_phone);
	grant_db_put(ring, db, batch, &anna, &of_nas);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &nas, &found), STATUS_OK);
	ck_assert_mem_eq(&found.key, &of_nas.key, sizeof(found.key));
	ck_assert(id_equal(&found.terminal, &nas));
	ck_assert_uint_eq(found.directions, of_nas.directions);
	ck_assert_uint_eq(found.given_ms, of_nas.given_ms);
	ck_assert_uint_eq(found.used_ms, 77);
	ck_assert_int_eq(
	    grant_db_list(ring, db, &anna, &list, &count), STATUS_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert(id_equal(&list[0].terminal, &nas));
	ck_assert(id_equal(&list[1].terminal, &phone));
	free(list);
	batch = batch_of(DB_GENERATION_ANY);
	grant_db_require(batch, &phone);
	grant_db_delete(batch, &phone);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	batch = batch_of(DB_GENERATION_ANY);
	grant_db_require(batch, &phone);
	grant_db_delete(batch, &phone);
	ck_assert_int_eq(commit(batch), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &phone, &found), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &nas, &found), STATUS_OK);
}
END_TEST

/* A grant that was replaced is not written over by a note of its use. */
START_TEST(watched_row)
{
	struct grant grant = some_grant(&phone), found;
	uint64_t generation = 0;

	ck_assert_int_eq(
	    grant_db_watch(ring, db, &anna, &phone, &found, &generation),
	    STATUS_NOT_FOUND);
	struct db_batch *batch = batch_of(DB_GENERATION_ANY);
	grant_db_put(ring, db, batch, &anna, &grant);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    grant_db_watch(ring, db, &anna, &phone, &found, &generation),
	    STATUS_OK);
	batch = batch_of(DB_GENERATION_ANY);
	grant_db_delete(batch, &phone);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	batch = batch_of(generation);
	grant_db_put(ring, db, batch, &anna, &found);
	ck_assert_int_eq(commit(batch), STATUS_CONFLICT);
}
END_TEST

/* What is sealed, and yet no grant; and what is not sealed by this account. */
/* clang-format off */
static const struct {
	const char *name;
	size_t len, at;
	uint8_t byte;
	enum status want;
} values[] = {
	{ "A-15 a grant",              52, 3, 0x22, STATUS_OK },
	{ "A-15 for upload",           52, 3, 0x02, STATUS_OK },
	{ "A-15 for nothing",          52, 3, 0,    STATUS_INTERNAL },
	{ "A-15 for download, too",    52, 3, 0x26, STATUS_INTERNAL },
	{ "A-15 for what is not",      52, 0, 0x80, STATUS_INTERNAL },
	{ "A-15 a byte less",          51, 3, 0x22, STATUS_INTERNAL },
	{ "A-15 a byte more",          53, 3, 0x22, STATUS_INTERNAL },
	{ "A-15 a byte alone",         1,  0, 1,    STATUS_INTERNAL },
};
/* clang-format on */

START_TEST(damaged_rows)
{
	uint8_t plain[64] = { 0, 0, 0, 0x22 };
	struct grant found, *list = NULL;
	size_t count = 0;

	plain[values[_i].at] = values[_i].byte;
	struct db_batch *batch = batch_of(DB_GENERATION_ANY);
	sealed_row_put(ring, db, batch, &anna, TABLE_GRANTS, key_of(&phone),
	    slice_of(plain, values[_i].len));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	enum status got = grant_db_get(ring, db, &anna, &phone, &found);
	ck_assert_msg(got == values[_i].want, "%s: got %s", values[_i].name,
	    status_word(got));
	ck_assert_int_eq(
	    grant_db_list(ring, db, &anna, &list, &count), values[_i].want);
	free(list);
}
END_TEST

START_TEST(damaged_key_of_a_row)
{
	struct grant *list = NULL;
	const uint8_t plain[52] = { 0, 0, 0, 2 };
	size_t count = 0;

	struct db_batch *batch = batch_of(DB_GENERATION_ANY);
	sealed_row_put(ring, db, batch, &anna, TABLE_GRANTS,
	    slice_of("short", 5), slice_of(plain, sizeof(plain)));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    grant_db_list(ring, db, &anna, &list, &count), STATUS_INTERNAL);
	ck_assert_ptr_null(list);
}
END_TEST

/* K-08: nothing of it is in clear, and another terminal's row is none. */
START_TEST(rows_are_sealed)
{
	struct grant grant = some_grant(&phone), found;
	struct bytes value = { 0 };

	struct db_batch *batch = batch_of(DB_GENERATION_ANY);
	grant_db_put(ring, db, batch, &anna, &grant);
	ck_assert_int_eq(commit(batch), STATUS_OK);
	ck_assert_int_eq(
	    db_get(db, &anna, TABLE_GRANTS, key_of(&phone), &value), STATUS_OK);
	ck_assert_ptr_null(
	    memmem(value.data, value.len, grant.key, sizeof(grant.key)));
	batch = batch_of(DB_GENERATION_ANY);
	db_batch_put(batch, TABLE_GRANTS, key_of(&nas), bytes_slice(&value));
	ck_assert_int_eq(commit(batch), STATUS_OK);
	bytes_clear(&value);
	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &nas, &found), STATUS_INTERNAL);
	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &phone, &found), STATUS_OK);
	/* With the account's key the row goes. */
	ck_assert_int_eq(keyring_shred(ring, db, &anna), STATUS_OK);
	ck_assert_int_eq(
	    grant_db_get(ring, db, &anna, &phone, &found), STATUS_NOT_FOUND);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("grant");
	TCase *tcase = tcase_create("A-15 what is granted and proven");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, what_may_be_granted, 0, nitems(asked));
	tcase_add_test(tcase, key_is_checked);
	tcase_add_test(tcase, allowed_directions);
	tcase_add_test(tcase, use_is_noted_by_the_hour);
	tcase_add_test(tcase, proofs);
	tcase_add_test(tcase, ticket_is_for_no_more);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("A-15 K-08 rows of grants");
	tcase_add_checked_fixture(tcase, db_setup, db_teardown);
	tcase_add_test(tcase, rows_come_and_go);
	tcase_add_test(tcase, watched_row);
	tcase_add_loop_test(tcase, damaged_rows, 0, nitems(values));
	tcase_add_test(tcase, damaged_key_of_a_row);
	tcase_add_test(tcase, rows_are_sealed);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
