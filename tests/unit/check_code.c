#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "crypto/code.h"

#define ARENA_BYTES 65536
#define TEXT(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

/** Text that may hold a NUL. */
struct text {
	const char *data;
	size_t len;
};

/* clang-format off */
static const struct {
	const char *name;
	unsigned int set;
	struct text password, serial, imei, imsi;
	enum status want;
	const char *text;
} cases[] = {
	{ "A-02 password", CODE_PASSWORD, TEXT("swordfish"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password9:swordfish" },
	{ "A-02 password and IMEI", CODE_PASSWORD | CODE_IMEI, TEXT("swordfish"), TEXT(""), TEXT("490154203237518"), TEXT(""), STATUS_OK,
	  "8:password9:swordfish4:imei15:490154203237518" },
	{ "A-02 all four", CODE_ALL, TEXT("my passphrase"), TEXT("R58M123ABC"), TEXT("490154203237518"), TEXT("460001234567890"), STATUS_OK,
	  "8:password13:my passphrase6:serial10:R58M123ABC4:imei15:4901542032375184:imsi15:460001234567890" },
	{ "A-02 identifiers alone", CODE_SERIAL | CODE_IMSI, TEXT(""), TEXT("R58M123ABC"), TEXT(""), TEXT("460001"), STATUS_OK,
	  "6:serial10:R58M123ABC4:imsi6:460001" },
	{ "A-02 what is not in the set is not looked at", CODE_IMEI, TEXT("\xFF"), TEXT("\xFF"), TEXT("490154203237518"), TEXT("x"), STATUS_OK,
	  "4:imei15:490154203237518" },
	{ "A-02 digits that look like a prefix", CODE_PASSWORD, TEXT("4:imei15:490154203237518"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password24:4:imei15:490154203237518" },
	{ "A-02 composed", CODE_PASSWORD, TEXT("caf\xC3\xA9"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password5:caf\xC3\xA9" },
	{ "A-02 decomposed, the same", CODE_PASSWORD, TEXT("cafe\xCC\x81"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password5:caf\xC3\xA9" },
	{ "A-02 Angstrom sign, singleton", CODE_PASSWORD, TEXT("\xE2\x84\xAB"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password2:\xC3\x85" },
	{ "A-02 Hangul jamo", CODE_PASSWORD, TEXT("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password3:\xED\x95\x9C" },
	{ "A-02 grows in NFC", CODE_PASSWORD, TEXT("\xF0\x9D\x85\xA0"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password12:\xF0\x9D\x85\x98\xF0\x9D\x85\xA5\xF0\x9D\x85\xAE" },
	{ "A-02 Chinese and a face", CODE_PASSWORD, TEXT("\xE5\xAF\x86\xE7\xA0\x81\xF0\x9F\x98\x80"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password10:\xE5\xAF\x86\xE7\xA0\x81\xF0\x9F\x98\x80" },
	{ "A-02 ligature kept: no NFKC", CODE_PASSWORD, TEXT("\xEF\xAC\x81"), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password3:\xEF\xAC\x81" },
	{ "A-02 spaces kept", CODE_PASSWORD, TEXT(" a "), TEXT(""), TEXT(""), TEXT(""), STATUS_OK,
	  "8:password3: a " },

	{ "A-02 no factor",         0,              TEXT("a"),             TEXT("a"), TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 unknown factor",    16 | 1,         TEXT("a"),             TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 empty password",    CODE_PASSWORD,  TEXT(""),              TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 empty serial",      CODE_PASSWORD | CODE_SERIAL, TEXT("a"), TEXT(""), TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 embedded NUL",      CODE_PASSWORD,  TEXT("a\0b"),          TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 only a NUL",        CODE_PASSWORD,  TEXT("\0"),            TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 Latin-1",           CODE_PASSWORD,  TEXT("caf\xE9"),       TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 cut in a character", CODE_PASSWORD, TEXT("caf\xC3"),       TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 overlong",          CODE_PASSWORD,  TEXT("\xC0\xAF"),      TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 overlong NUL",      CODE_PASSWORD,  TEXT("\xC0\x80"),      TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 surrogate",         CODE_PASSWORD,  TEXT("\xED\xA0\x80"),  TEXT(""),  TEXT(""),                 TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 past U+10FFFF",     CODE_PASSWORD,  TEXT("\xF4\x90\x80\x80"), TEXT(""), TEXT(""),               TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 IMEI of 14",        CODE_IMEI,      TEXT(""),              TEXT(""),  TEXT("49015420323751"),   TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 IMEI of 16",        CODE_IMEI,      TEXT(""),              TEXT(""),  TEXT("4901542032375181"), TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 IMEI with a dash",  CODE_IMEI,      TEXT(""),              TEXT(""),  TEXT("49015420323751-"),  TEXT(""),                 STATUS_MALFORMED, NULL },
	{ "A-02 IMSI of 5",         CODE_IMSI,      TEXT(""),              TEXT(""),  TEXT(""),                 TEXT("46000"),            STATUS_MALFORMED, NULL },
	{ "A-02 IMSI of 16",        CODE_IMSI,      TEXT(""),              TEXT(""),  TEXT(""),                 TEXT("4600012345678901"), STATUS_MALFORMED, NULL },
	{ "A-02 IMSI not digits",   CODE_IMSI,      TEXT(""),              TEXT(""),  TEXT(""),                 TEXT("46000a"),           STATUS_MALFORMED, NULL },
};
/* clang-format on */

static struct slice slice_from(const struct text *text)
{
	return slice_of(text->data, text->len);
}

static void setup(void)
{
	ck_assert_int_eq(arena_open(ARENA_BYTES), STATUS_OK);
}

START_TEST(table)
{
	struct code_factors factors = {
		.set = cases[_i].set,
		.password = slice_from(&cases[_i].password),
		.serial = slice_from(&cases[_i].serial),
		.imei = slice_from(&cases[_i].imei),
		.imsi = slice_from(&cases[_i].imsi),
	};
	struct code *code = NULL;
	enum status got = code_new(&code, &factors);

	ck_assert_msg(got == cases[_i].want, "%s: got '%s', want '%s'",
	    cases[_i].name, status_text(got), status_text(cases[_i].want));
	if (got == STATUS_OK)
		ck_assert_msg(
		    slice_equal(code_text(code), slice_text(cases[_i].text)),
		    "%s: got '%.*s'", cases[_i].name, (int)code_text(code).len,
		    (const char *)code_text(code).data);
	else
		ck_assert_ptr_null(code);
	code_destroy(&code);
	ck_assert_ptr_null(code);

	/* and nothing is left in the arena */
	void *all = secret_new(ARENA_BYTES);
	ck_assert_ptr_nonnull(all);
	secret_destroy(&all, ARENA_BYTES);
}
END_TEST

START_TEST(bounds)
{
	static uint8_t text[CODE_PASSWORD_BYTES_MAX + 1];
	struct code_factors factors = { .set = CODE_PASSWORD };
	struct code *code = NULL;

	memset(text, 'a', sizeof(text));
	factors.password = slice_of(text, CODE_PASSWORD_BYTES_MAX);
	ck_assert_int_eq(code_new(&code, &factors), STATUS_OK);
	ck_assert_uint_eq(code_text(code).len,
	    strlen("8:password1024:") + CODE_PASSWORD_BYTES_MAX);
	code_destroy(&code);

	factors.password.len++;
	ck_assert_int_eq(code_new(&code, &factors), STATUS_TOO_LARGE);

	/* fits as it came, but not in NFC: U+1D160 takes three times as much */
	for (size_t i = 0; i + 4 <= CODE_PASSWORD_BYTES_MAX; i += 4)
		memcpy(text + i, "\xF0\x9D\x85\xA0", 4);
	factors.password.len--;
	ck_assert_int_eq(code_new(&code, &factors), STATUS_TOO_LARGE);

	factors = (struct code_factors){ .set = CODE_SERIAL };
	memset(text, 'a', sizeof(text));
	factors.serial = slice_of(text, CODE_SERIAL_BYTES_MAX + 1);
	ck_assert_int_eq(code_new(&code, &factors), STATUS_TOO_LARGE);
	ck_assert_ptr_null(code);
}
END_TEST

START_TEST(arena_full)
{
	struct code_factors factors = { .set = CODE_PASSWORD,
		.password = slice_text("swordfish") };
	struct code *code = NULL;
	void *all = secret_new(ARENA_BYTES);

	ck_assert_ptr_nonnull(all);
	ck_assert_int_eq(code_new(&code, &factors), STATUS_NO_SPACE);
	secret_destroy(&all, ARENA_BYTES);

	/* room for the code, none to normalise in */
	all = secret_new(ARENA_BYTES - 1600);
	ck_assert_int_eq(code_new(&code, &factors), STATUS_OK);
	code_destroy(&code);
	factors.password =
	    slice_text("0123456789012345678901234567890123456789"
		       "0123456789012345678901234567890123456789"
		       "0123456789012345678901234567890123456789");
	ck_assert_int_eq(code_new(&code, &factors), STATUS_NO_SPACE);
	secret_destroy(&all, ARENA_BYTES - 1600);
	all = secret_new(ARENA_BYTES);
	ck_assert_ptr_nonnull(all);
}
END_TEST

/* clang-format off */
static const struct { unsigned int set; bool valid, identifier_only; } sets[] = {
	{ 0,                         false, false },
	{ CODE_PASSWORD,             true,  false },
	{ CODE_IMEI,                 true,  true },
	{ CODE_SERIAL | CODE_IMSI,   true,  true },
	{ CODE_ALL,                  true,  false },
	{ CODE_ALL + 1,              false, false },
	{ CODE_PASSWORD | 1u << 31,  false, false },
};
/* clang-format on */

START_TEST(set_kinds)
{
	ck_assert_int_eq(code_set_valid(sets[_i].set), sets[_i].valid);
	ck_assert_int_eq(
	    code_set_identifier_only(sets[_i].set), sets[_i].identifier_only);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("code");
	TCase *texts = tcase_create("A-02 a code's text");
	TCase *kinds = tcase_create("A-02 sets of factors");

	tcase_add_checked_fixture(texts, setup, arena_close);
	tcase_add_loop_test(texts, table, 0, (int)nitems(cases));
	tcase_add_test(texts, bounds);
	tcase_add_test(texts, arena_full);
	tcase_add_loop_test(kinds, set_kinds, 0, (int)nitems(sets));
	suite_add_tcase(suite, texts);
	suite_add_tcase(suite, kinds);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
