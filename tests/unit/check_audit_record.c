#include "service/audit_record.h"

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const uint8_t key[SEAL_KEY_BYTES] = { 7 };
static const uint8_t other_key[SEAL_KEY_BYTES] = { 8 };

static const struct audit_person anna = {
	.actor = "owner",
	.terminal = { { 5, 5 } },
	.detail = "by the portal",
};

/* An event of anna's, sealed. */
static struct audit_fact fact_of(const char *action)
{
	struct audit_fact fact = {
		.when_ms = 1790000000000,
		.event = { { 1, 2, 3 } },
		.account = { "account of anna" },
		.key = AUDIT_KEY_ACCOUNT,
	};

	memcpy(fact.action, action, strlen(action) + 1);
	audit_seal(&fact, &anna, key);
	return fact;
}

static struct audit_record record_of(uint64_t sequence)
{
	struct audit_record record = {
		.sequence = sequence,
		.fact = fact_of("code_changed"),
	};

	audit_genesis(record.previous, "auth");
	return record;
}

/* ---- the sealed part ---- */

START_TEST(person_opens)
{
	struct audit_fact fact = fact_of("code_changed");
	struct audit_person got;

	ck_assert_int_eq(audit_open(&got, &fact, key), STATUS_OK);
	ck_assert_str_eq(got.actor, anna.actor);
	ck_assert_str_eq(got.detail, anna.detail);
	ck_assert(id_equal(&got.terminal, &anna.terminal));
	ck_assert_int_eq(audit_open(&got, &fact, other_key), STATUS_DENIED);
}
END_TEST

START_TEST(longest_person_opens)
{
	struct audit_fact fact = fact_of("a");
	struct audit_person long_one = { 0 }, got;

	memset(long_one.actor, 'a', AUDIT_ACTOR_BYTES_MAX);
	memset(long_one.detail, 'd', AUDIT_DETAIL_BYTES_MAX);
	audit_seal(&fact, &long_one, key);
	ck_assert_uint_eq(fact.sealed_len, AUDIT_SEALED_BYTES_MAX);
	ck_assert_int_eq(audit_open(&got, &fact, key), STATUS_OK);
	ck_assert_mem_eq(&got, &long_one, sizeof(got));
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	enum { WHEN, EVENT, ACCOUNT, ACTION, SEALED } part;
} bound_cases[] = {
	{ "O-06 another time",       WHEN },
	{ "O-06 another event",      EVENT },
	{ "O-06 another account",    ACCOUNT },
	{ "O-06 another action",     ACTION },
	{ "O-06 other sealed bytes", SEALED },
};
/* clang-format on */

/* The sealed part of one event cannot be put into another one. */
START_TEST(person_is_bound)
{
	struct audit_fact fact = fact_of("code_changed");
	struct audit_person got = { .actor = "untouched" };

	switch (bound_cases[_i].part) {
	case WHEN:
		fact.when_ms++;
		break;
	case EVENT:
		fact.event.bytes[15] ^= 1;
		break;
	case ACCOUNT:
		fact.account.bytes[0] ^= 1;
		break;
	case ACTION:
		fact.action[0] = 'm';
		break;
	case SEALED:
		fact.sealed[fact.sealed_len - 1] ^= 1;
		break;
	}
	ck_assert_msg(audit_open(&got, &fact, key) == STATUS_DENIED, "%s",
	    bound_cases[_i].name);
	ck_assert_str_eq(got.actor, "untouched");
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	const char *plain;
	size_t len;
} person_cases[] = {
	{ "O-06 nothing",             "",                                     0 },
	{ "O-06 actor cut",           "\5own",                                4 },
	{ "O-06 no terminal",         "\1a",                                  2 },
	{ "O-06 no length of detail", "\1a----------------",                  18 },
	{ "O-06 detail cut",          "\1a----------------\0\5abc",           23 },
	{ "O-06 one byte more",       "\1a----------------\0\1ab",            22 },
	{ "O-06 detail too long",     "\1a----------------\xff\xff",          20 },
	{ "O-06 a control character", "\1\n----------------\0\0",             20 },
	{ "O-06 no UTF-8",            "\1\xff----------------\0\0",           20 },
};
/* clang-format on */

START_TEST(person_malformed)
{
	struct audit_fact fact = { .key = AUDIT_KEY_ACCOUNT };
	const uint8_t associated[AUDIT_STAMP_BYTES + ID_BYTES] = { 0 };
	struct audit_person got;

	seal(fact.sealed, key,
	    slice_of(person_cases[_i].plain, person_cases[_i].len),
	    slice_of(associated, sizeof(associated)));
	fact.sealed_len = SEALED_BYTES(person_cases[_i].len);
	enum status st = audit_open(&got, &fact, key);
	ck_assert_msg(st == STATUS_MALFORMED, "%s: got '%s'",
	    person_cases[_i].name, status_text(st));
}
END_TEST

/* ---- rows and records, whole and damaged ---- */

START_TEST(pending_goes_and_comes)
{
	struct audit_fact fact = fact_of("code_changed"), got;
	uint8_t stamp[AUDIT_STAMP_BYTES];
	struct bytes value = { 0 };

	audit_pending_key(stamp, &fact);
	ck_assert_uint_eq(get_be64(stamp), fact.when_ms);
	ck_assert_int_eq(audit_pending_pack(&value, &fact), STATUS_OK);
	ck_assert_int_eq(
	    audit_pending_unpack(&got, &fact.account,
		slice_of(stamp, sizeof(stamp)), bytes_slice(&value)),
	    STATUS_OK);
	ck_assert_mem_eq(&got, &fact, sizeof(got));
	/* Cut anywhere, in the key or the value, it is refused. */
	for (size_t len = 0; len < value.len; len++) {
		enum status st = audit_pending_unpack(&got, &fact.account,
		    slice_of(stamp, sizeof(stamp)), slice_of(value.data, len));
		size_t whole = 3 + strlen(fact.action) + SEAL_EXTRA_BYTES;
		ck_assert_int_eq(
		    st, len < whole ? STATUS_MALFORMED : STATUS_OK);
	}
	for (size_t len = 0; len < sizeof(stamp); len++)
		ck_assert_int_eq(audit_pending_unpack(&got, &fact.account,
				     slice_of(stamp, len), bytes_slice(&value)),
		    STATUS_MALFORMED);
	bytes_clear(&value);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	size_t at;
	uint8_t byte;
	enum status want;
} pending_cases[] = {
	{ "O-08 a newer version",     0, 2,   STATUS_VERSION },
	{ "O-06 no version",          0, 0,   STATUS_MALFORMED },
	{ "O-06 no such key",         1, 0,   STATUS_MALFORMED },
	{ "O-06 no such key either",  1, 3,   STATUS_MALFORMED },
	{ "O-06 no action",           2, 0,   STATUS_MALFORMED },
	{ "O-06 action too long",     2, 41,  STATUS_MALFORMED },
	{ "O-06 past the end",        2, 255, STATUS_MALFORMED },
	{ "O-06 a capital in action", 3, 'C', STATUS_MALFORMED },
	{ "O-06 a space in action",   4, ' ', STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(pending_damaged)
{
	struct audit_fact fact = fact_of("code_changed"), got;
	uint8_t stamp[AUDIT_STAMP_BYTES];
	struct bytes value = { 0 };

	audit_pending_key(stamp, &fact);
	ck_assert_int_eq(audit_pending_pack(&value, &fact), STATUS_OK);
	value.data[pending_cases[_i].at] = pending_cases[_i].byte;
	enum status st = audit_pending_unpack(&got, &fact.account,
	    slice_of(stamp, sizeof(stamp)), bytes_slice(&value));
	ck_assert_msg(st == pending_cases[_i].want, "%s: got '%s'",
	    pending_cases[_i].name, status_text(st));
	bytes_clear(&value);
}
END_TEST

START_TEST(record_goes_and_comes)
{
	struct audit_record record = record_of(UINT64_MAX), got;
	struct bytes bytes = { 0 };

	ck_assert_int_eq(audit_record_pack(&bytes, &record), STATUS_OK);
	ck_assert_int_eq(
	    audit_record_unpack(&got, bytes_slice(&bytes)), STATUS_OK);
	ck_assert_mem_eq(&got, &record, sizeof(got));
	bytes_clear(&bytes);
}
END_TEST

/* Whatever byte is changed, and wherever it is cut: it is no good record. */
START_TEST(record_changed_is_noticed)
{
	struct audit_record record = record_of(12), got;
	struct bytes bytes = { 0 };

	ck_assert_int_eq(audit_record_pack(&bytes, &record), STATUS_OK);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= 1;
		ck_assert_int_ne(
		    audit_record_unpack(&got, bytes_slice(&bytes)), STATUS_OK);
		bytes.data[i] ^= 1;
	}
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_int_ne(
		    audit_record_unpack(&got, slice_of(bytes.data, len)),
		    STATUS_OK);
	ck_assert_int_eq(bytes_append(&bytes, slice_of("", 1)), STATUS_OK);
	ck_assert_int_eq(
	    audit_record_unpack(&got, bytes_slice(&bytes)), STATUS_MALFORMED);
	bytes.data[0] = 2;
	ck_assert_int_eq(
	    audit_record_unpack(&got, bytes_slice(&bytes)), STATUS_VERSION);
	bytes_clear(&bytes);
}
END_TEST

START_TEST(genesis_is_of_one_service)
{
	uint8_t auth[AUDIT_HASH_BYTES], store[AUDIT_HASH_BYTES];

	audit_genesis(auth, "auth");
	audit_genesis(store, "store");
	ck_assert_mem_ne(auth, store, sizeof(auth));
}
END_TEST

/* ---- heads ---- */

static struct audit_head head_signed(uint8_t public[AUDIT_SIGN_PUBLIC_BYTES])
{
	struct audit_head head = {
		.service = "auth",
		.sequence = 12,
		.when_ms = 1790000000000,
		.hash = { 1, 2, 3 },
	};
	uint8_t secret[AUDIT_SIGN_SECRET_BYTES];

	crypto_sign_keypair(public, secret);
	audit_head_sign(&head, secret);
	return head;
}

START_TEST(head_goes_and_comes)
{
	uint8_t public[AUDIT_SIGN_PUBLIC_BYTES];
	struct audit_head head = head_signed(public), got;
	char line[AUDIT_HEAD_TEXT_BYTES];

	audit_head_format(line, &head);
	ck_assert_int_eq(strncmp(line, "auth 12 1790000000000 010203", 28), 0);
	ck_assert_int_eq(audit_head_parse(&got, slice_text(line)), STATUS_OK);
	ck_assert_mem_eq(&got, &head, sizeof(got));
	ck_assert(audit_head_signed(&got, public));
	/* The longest that there can be. */
	memset(head.service, 'a', AUDIT_SERVICE_BYTES_MAX);
	head.sequence = head.when_ms = UINT64_MAX;
	audit_head_format(line, &head);
	ck_assert_int_eq(audit_head_parse(&got, slice_text(line)), STATUS_OK);
	ck_assert_mem_eq(&got, &head, sizeof(got));
}
END_TEST

START_TEST(head_is_signed_as_a_whole)
{
	uint8_t public[AUDIT_SIGN_PUBLIC_BYTES];
	const struct audit_head head = head_signed(public);
	struct audit_head changed = head;

	ck_assert(audit_head_signed(&head, public));
	changed.sequence++;
	ck_assert(!audit_head_signed(&changed, public));
	changed = head;
	changed.when_ms++;
	ck_assert(!audit_head_signed(&changed, public));
	changed = head;
	changed.hash[31] ^= 1;
	ck_assert(!audit_head_signed(&changed, public));
	changed = head;
	changed.service[0] = 'b';
	ck_assert(!audit_head_signed(&changed, public));
	public[0] ^= 1;
	ck_assert(!audit_head_signed(&head, public));
}
END_TEST

#define HASH32 \
	"0101010101010101010101010101010101010101010101010101010101010101"
#define SIGNED HASH32 HASH32

/* clang-format off */
static const struct {
	const char *name, *line;
	enum status want;
} head_cases[] = {
	{ "O-06 good",                 "auth 1 2 " HASH32 " " SIGNED,       STATUS_OK },
	{ "O-06 empty",                "",                                  STATUS_MALFORMED },
	{ "O-06 no signature",         "auth 1 2 " HASH32,                  STATUS_MALFORMED },
	{ "O-06 empty signature",      "auth 1 2 " HASH32 " ",              STATUS_MALFORMED },
	{ "O-06 one field more",       "auth 1 2 " HASH32 " " SIGNED " 1",  STATUS_MALFORMED },
	{ "O-06 no service",           " 1 2 " HASH32 " " SIGNED,           STATUS_MALFORMED },
	{ "O-06 service too long",     "abcdefghijklmnopq 1 2 " HASH32 " " SIGNED, STATUS_MALFORMED },
	{ "O-06 service of capitals",  "AUTH 1 2 " HASH32 " " SIGNED,       STATUS_MALFORMED },
	{ "O-06 no number",            "auth x 2 " HASH32 " " SIGNED,       STATUS_MALFORMED },
	{ "O-06 a number too large",   "auth 18446744073709551616 2 " HASH32 " " SIGNED, STATUS_MALFORMED },
	{ "O-06 hash too short",       "auth 1 2 01 " SIGNED,               STATUS_MALFORMED },
	{ "O-06 hash is no hex",       "auth 1 2 x" HASH32 " " SIGNED,      STATUS_MALFORMED },
	{ "O-06 signature cut short",  "auth 1 2 " HASH32 " " HASH32,       STATUS_MALFORMED },
	{ "O-06 longer than any",      "auth 1 2 " HASH32 " " SIGNED SIGNED SIGNED, STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(head_table)
{
	struct audit_head got;
	enum status st =
	    audit_head_parse(&got, slice_text(head_cases[_i].line));

	ck_assert_msg(st == head_cases[_i].want, "%s: got '%s', want '%s'",
	    head_cases[_i].name, status_text(st),
	    status_text(head_cases[_i].want));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit_record");
	TCase *sealed = tcase_create("O-06 who did it is sealed");
	TCase *records = tcase_create("O-06 records show what was changed");
	TCase *heads = tcase_create("O-06 heads are signed");

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_test(sealed, person_opens);
	tcase_add_test(sealed, longest_person_opens);
	tcase_add_loop_test(sealed, person_is_bound, 0, nitems(bound_cases));
	tcase_add_loop_test(sealed, person_malformed, 0, nitems(person_cases));
	suite_add_tcase(suite, sealed);
	tcase_add_test(records, pending_goes_and_comes);
	tcase_add_loop_test(records, pending_damaged, 0, nitems(pending_cases));
	tcase_add_test(records, record_goes_and_comes);
	tcase_add_test(records, record_changed_is_noticed);
	tcase_add_test(records, genesis_is_of_one_service);
	suite_add_tcase(suite, records);
	tcase_add_test(heads, head_goes_and_comes);
	tcase_add_test(heads, head_is_signed_as_a_whole);
	tcase_add_loop_test(heads, head_table, 0, nitems(head_cases));
	suite_add_tcase(suite, heads);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
