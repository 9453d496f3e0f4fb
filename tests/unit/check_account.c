#include <check.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/util.h"

/* Units of a program, not of a library: compiled in as they are. */
#include "../../services/auth/account.c"
#include "../../services/auth/login.c"

/* ---- codes ---- */

enum { OWNER, TERMINAL, ALLOWED }; /* ALLOWED: terminal, identifiers do */

#define ALL_BUT_PASSWORD (CODE_SERIAL | CODE_IMEI | CODE_IMSI)

/* clang-format off */
static const struct {
	const char *name;
	int kind;
	unsigned int factors;
	size_t record_len, root_len;
	bool bad_point;
	enum status want;
} codes[] = {
	{ "A-02 owner's: a password",                OWNER,    CODE_PASSWORD,             192, 72,  false, STATUS_OK },
	{ "A-02 owner's: nothing",                   OWNER,    0,                         192, 72,  false, STATUS_MALFORMED },
	{ "A-02 owner's: an identifier as well",     OWNER,    CODE_PASSWORD | CODE_IMEI, 192, 72,  false, STATUS_MALFORMED },
	{ "A-02 owner's: an identifier alone",       OWNER,    CODE_IMEI,                 192, 72,  false, STATUS_MALFORMED },
	{ "A-02 owner's: a longer root key",         OWNER,    CODE_PASSWORD,             192, 256, false, STATUS_OK },
	{ "A-02 owner's: no root key",               OWNER,    CODE_PASSWORD,             192, 0,   false, STATUS_MALFORMED },
	{ "A-02 owner's: too short a root key",      OWNER,    CODE_PASSWORD,             192, 71,  false, STATUS_MALFORMED },
	{ "A-02 owner's: too long a root key",       OWNER,    CODE_PASSWORD,             192, 257, false, STATUS_MALFORMED },
	{ "A-02 owner's: a short record",            OWNER,    CODE_PASSWORD,             191, 72,  false, STATUS_MALFORMED },
	{ "A-02 owner's: a long record",             OWNER,    CODE_PASSWORD,             193, 72,  false, STATUS_MALFORMED },
	{ "A-02 owner's: no point in the record",    OWNER,    CODE_PASSWORD,             192, 72,  true,  STATUS_MALFORMED },
	{ "A-02 terminal's: a password",             TERMINAL, CODE_PASSWORD,             192, 72,  false, STATUS_OK },
	{ "A-02 terminal's: all factors",            TERMINAL, CODE_ALL,                  192, 72,  false, STATUS_OK },
	{ "A-02 terminal's: nothing",                TERMINAL, 0,                         192, 72,  false, STATUS_MALFORMED },
	{ "A-02 terminal's: an unknown factor",      TERMINAL, CODE_PASSWORD | 16,        192, 72,  false, STATUS_MALFORMED },
	{ "A-02 terminal's: a password, no root",    TERMINAL, CODE_PASSWORD | CODE_IMEI, 192, 0,   false, STATUS_MALFORMED },
	{ "A-02 terminal's: identifiers, forbidden", TERMINAL, ALL_BUT_PASSWORD,          192, 0,   false, STATUS_DENIED },
	{ "A-02 terminal's: identifiers, allowed",   ALLOWED,  ALL_BUT_PASSWORD,          192, 0,   false, STATUS_OK },
	{ "A-02 terminal's: they open no root key",  ALLOWED,  CODE_IMSI,                 192, 72,  false, STATUS_MALFORMED },
	{ "A-02 terminal's: also there a password",  ALLOWED,  CODE_PASSWORD | CODE_IMSI, 192, 72,  false, STATUS_OK },
	{ "A-02 terminal's: a short record",         ALLOWED,  CODE_IMEI,                 191, 0,   false, STATUS_MALFORMED },
	{ "A-02 terminal's: no point in the record", ALLOWED,  CODE_IMEI,                 192, 0,   true,  STATUS_MALFORMED },
};
/* clang-format on */

static uint8_t record[OPAQUE_RECORD_BYTES + 1];
static const uint8_t root[WRAPPED_ROOT_BYTES_MAX + 1] = { 0xa5 };

static void make_record(bool bad_point)
{
	uint8_t seed[OPAQUE_SEED_BYTES] = { 1 };

	opaque_fake_record(record, seed);
	if (bad_point)
		memset(record, 0, OPAQUE_PUBLIC_BYTES);
}

START_TEST(code_table)
{
	struct credential made;
	const char *why = NULL;
	enum status st;
	const struct credential_parts parts = {
		.record = slice_of(record, codes[_i].record_len),
		.factors = codes[_i].factors,
		.wrapped_root = slice_of(root, codes[_i].root_len),
	};

	make_record(codes[_i].bad_point);
	if (codes[_i].kind == OWNER)
		st = credential_owner(&made, 7, &parts, &why);
	else
		st = credential_terminal(
		    &made, 7, &parts, codes[_i].kind == ALLOWED, &why);
	ck_assert_msg(
	    st == codes[_i].want, "%s: '%s'", codes[_i].name, status_word(st));
	ck_assert((why == NULL) == (st == STATUS_OK));
	if (st != STATUS_OK) {
		ck_assert(sodium_is_zero((const uint8_t *)&made, sizeof(made)));
		return;
	}
	ck_assert_uint_eq(made.revision, 7);
	ck_assert_uint_eq(made.factors, codes[_i].factors);
	ck_assert_mem_eq(made.record, record, OPAQUE_RECORD_BYTES);
	ck_assert_uint_eq(made.wrapped_root_len, codes[_i].root_len);
	ck_assert_mem_eq(made.wrapped_root, root, codes[_i].root_len);
	ck_assert_uint_gt(made.changed_ms, 0);
}
END_TEST

START_TEST(verification_record)
{
	struct credential made;
	const char *why;

	make_record(false);
	ck_assert_int_eq(credential_verification(&made, 3,
			     slice_of(record, OPAQUE_RECORD_BYTES), &why),
	    STATUS_OK);
	ck_assert_uint_eq(made.revision, 3);
	ck_assert_uint_eq(made.factors, CODE_PASSWORD);
	ck_assert_uint_eq(made.wrapped_root_len, 0);
	ck_assert_int_eq(credential_verification(&made, 3,
			     slice_of(record, OPAQUE_RECORD_BYTES - 1), &why),
	    STATUS_MALFORMED);
}
END_TEST

/* They are for ever: a code whose id changes cannot be proven any more. */
START_TEST(credential_ids)
{
	static const struct {
		struct code_slot slot;
		const char *want;
	} rows[] = {
		{ { CREDENTIAL_OWNER, { { 0 } } }, "account of anna!" },
		{ { CREDENTIAL_VERIFICATION, { { 0 } } },
		    "account of anna!verification" },
		{ { CREDENTIAL_TERMINAL, { "phone of anna!!!" } },
		    "account of anna!terminalphone of anna!!!" },
	};
	const struct id account = { "account of anna!" };
	struct credential_id got;

	for (size_t i = 0; i < nitems(rows); i++) {
		credential_id_of(&got, &account, &rows[i].slot);
		ck_assert(slice_equal(
		    slice_of(got.bytes, got.len), slice_text(rows[i].want)));
	}
}
END_TEST

/* ---- verdicts ---- */

enum { FREE, MINE, THEIRS };

static const struct {
	enum direction direction;
	int binding;
	enum login_verdict want;
	bool has_terminal;
} verdicts[] = {
	{ DIRECTION_UPLOAD, FREE, LOGIN_NOT_BOUND, false },
	{ DIRECTION_UPLOAD, MINE, LOGIN_ALLOWED, true },
	{ DIRECTION_UPLOAD, THEIRS, LOGIN_BOUND_TO_ANOTHER, false },
	{ DIRECTION_DOWNLOAD, FREE, LOGIN_NOT_BOUND, false },
	{ DIRECTION_DOWNLOAD, MINE, LOGIN_ALLOWED, true },
	{ DIRECTION_MANAGE, FREE, LOGIN_NOT_BOUND, false },
	{ DIRECTION_MANAGE, MINE, LOGIN_ALLOWED, true },
	{ DIRECTION_MANAGE, THEIRS, LOGIN_BOUND_TO_ANOTHER, false },
	{ DIRECTION_BIND, FREE, LOGIN_ALLOWED, false },
	{ DIRECTION_BIND, MINE, LOGIN_ALLOWED, true },
	{ DIRECTION_BIND, THEIRS, LOGIN_ALLOWED, false },
	{ DIRECTION_ENROL, FREE, LOGIN_ALLOWED, false },
	{ DIRECTION_ENROL, MINE, LOGIN_ALLOWED, false },
	{ DIRECTION_ENROL, THEIRS, LOGIN_BOUND_TO_ANOTHER, false },
};

START_TEST(verdict_table)
{
	const struct id account = { "account of anna" };
	const struct login_binding bindings[] = {
		[FREE] = { { { 0 } }, { { 0 } } },
		[MINE] = { account, { "phone" } },
		[THEIRS] = { { "account of bert" }, { "phone" } },
	};
	const struct login_binding *binding = &bindings[verdicts[_i].binding];
	enum direction direction = verdicts[_i].direction;

	ck_assert_int_eq(
	    login_verdict(direction, &account, binding), verdicts[_i].want);
	struct id terminal = login_terminal(direction, &account, binding);
	ck_assert(id_is_none(&terminal) != verdicts[_i].has_terminal);
	ck_assert((login_verdict_text(verdicts[_i].want) == NULL) ==
		  (verdicts[_i].want == LOGIN_ALLOWED));
}
END_TEST

/* ---- proofs ---- */

/* A code that was removed and set anew has the first revision again. */
START_TEST(proof_of_another_code)
{
	const struct credential now = { .revision = 1, .changed_ms = 2000 };
	struct login login = { .revision = 1, .changed_ms = 2000 };
	const uint8_t ke3[OPAQUE_KE3_BYTES] = { 0 };
	struct slice proof = slice_of(ke3, sizeof(ke3));

	ck_assert_int_eq(login_proof(&login, &now, proof), STATUS_OK);
	ck_assert_int_eq(login_proof(&login, NULL, proof), STATUS_DENIED);
	ck_assert_int_eq(
	    login_proof(&login, &now, slice_of(NULL, 0)), STATUS_DENIED);
	login.changed_ms = 1000;
	ck_assert_int_eq(login_proof(&login, &now, proof), STATUS_DENIED);
	login = (struct login){ .revision = 2, .changed_ms = 2000 };
	ck_assert_int_eq(login_proof(&login, &now, proof), STATUS_DENIED);
	login = (struct login){ 0 };
	ck_assert_int_eq(login_proof(&login, &now, proof), STATUS_DENIED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("account");
	TCase *tc = tcase_create("A-02 codes");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_loop_test(tc, code_table, 0, nitems(codes));
	tcase_add_test(tc, verification_record);
	tcase_add_test(tc, credential_ids);
	suite_add_tcase(suite, tc);
	tc = tcase_create("A-03 D-02 verdicts");
	tcase_add_loop_test(tc, verdict_table, 0, nitems(verdicts));
	tcase_add_test(tc, proof_of_another_code);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
