#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* A unit of a program, not of a library: compiled in as it is. */
#include "../../services/auth/name.c"

#define NAMES_KEY_BYTE 7

#define LOCAL_64 \
	"abcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnop"
#define LABEL_63 \
	"abcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmno"

static const uint8_t names_key[KEY_BYTES] = { NAMES_KEY_BYTE };

/* clang-format off */
static const struct {
	const char *name, *text;
	enum name_kind kind;
	const char *canonical;
} good[] = {
	{ "phone",                 "+8613812345678",       NAME_PHONE,    "+8613812345678" },
	{ "phone as written",      " +44 (20) 7946-0958 ", NAME_PHONE,    "+442079460958" },
	{ "phone in parentheses",  "(+1) 202-555-0123",    NAME_PHONE,    "+12025550123" },
	{ "7 digits",              "+2901234",             NAME_PHONE,    "+2901234" },
	{ "15 digits",             "+123456789012345",     NAME_PHONE,    "+123456789012345" },
	{ "e-mail",                "mei@example.com",      NAME_EMAIL,    "mei@example.com" },
	{ "e-mail, other case",    "Mei.Li@Example.COM",   NAME_EMAIL,    "mei.li@example.com" },
	{ "e-mail with a tag",     "mei+phone@a.b-c.org",  NAME_EMAIL,    "mei+phone@a.b-c.org" },
	{ "e-mail at one label",   "mei@nas",              NAME_EMAIL,    "mei@nas" },
	{ "e-mail, not ASCII",     "M\u00c9I@example.com", NAME_EMAIL,    "m\u00e9i@example.com" },
	{ "local of 64 bytes",     LOCAL_64 "@example.com", NAME_EMAIL,   LOCAL_64 "@example.com" },
	{ "label of 63 bytes",     "mei@" LABEL_63 ".com", NAME_EMAIL,    "mei@" LABEL_63 ".com" },
	{ "nickname",              "mei",                  NAME_NICKNAME, "mei" },
	{ "nickname, other case",  "Mei_Li-2.0",           NAME_NICKNAME, "mei_li-2.0" },
	{ "nickname, decomposed",  "Ame\u0301lie",         NAME_NICKNAME, "am\u00e9lie" },
	{ "nickname, folded",      "Stra\u00dfe",          NAME_NICKNAME, "strasse" },
	{ "nickname, Chinese",     "\u674e\u6885\u82b1",   NAME_NICKNAME, "\u674e\u6885\u82b1" },
	{ "nickname, Devanagari",  "\u0930\u093e\u092e\u0940", NAME_NICKNAME, "\u0930\u093e\u092e\u0940" },
	{ "64 letters",            LOCAL_64,               NAME_NICKNAME, LOCAL_64 },
};

static const struct {
	const char *name, *text;
} bad[] = {
	{ "empty",                 "" },
	{ "blank",                 "   " },
	{ "phone of 6 digits",     "+123456" },
	{ "phone of 16 digits",    "+1234567890123456" },
	{ "phone from 0",          "+0123456789" },
	{ "phone with a letter",   "+4420794609x8" },
	{ "phone with two +",      "++442079460958" },
	{ "phone without +",       "00442079460958" },
	{ "plus alone",            "+" },
	{ "two @",                 "mei@li@example.com" },
	{ "no local part",         "@example.com" },
	{ "no domain",             "mei@" },
	{ "dot first",             ".mei@example.com" },
	{ "dot last",              "mei.@example.com" },
	{ "two dots",              "mei..li@example.com" },
	{ "space in local part",   "mei li@example.com" },
	{ "quote in local part",   "\"mei\"@example.com" },
	{ "local of 65 bytes",     LOCAL_64 "a@example.com" },
	{ "label of 64 bytes",     "mei@" LABEL_63 "x.com" },
	{ "empty label",           "mei@example..com" },
	{ "dot at the end",        "mei@example.com." },
	{ "dash at a label's end", "mei@example-.com" },
	{ "domain not ASCII",      "mei@b\u00fccher.example" },
	{ "address literal",       "mei@[192.0.2.1]" },
	{ "2 letters",             "me" },
	{ "65 letters",            LOCAL_64 "a" },
	{ "digit first",           "4mei" },
	{ "dash first",            "-mei" },
	{ "space in a nickname",   "mei li" },
	{ "slash",                 "mei/li" },
	{ "zero width joiner",     "mei\u200dli" },
	{ "right-to-left mark",    "mei\u202eli" },
	{ "emoji",                 "mei\U0001f600" },
	{ "fullwidth @",           "mei\uff20example" },
	{ "control character",     "mei\x01li" },
	{ "invalid UTF-8",         "mei\xc3(" },
	{ "surrogate",             "mei\xed\xa0\x80" },
};

static const struct {
	const char *name, *a, *b;
	bool same;
} pairs[] = {
	{ "e-mail, case",      "Mei@Example.com", "mei@EXAMPLE.COM", true },
	{ "phone, separators", "+1 202 5550123",  "+12025550123",    true },
	{ "nickname, case",    "MEI",             "mei",             true },
	{ "nickname, NFC",     "Ame\u0301lie",    "AM\u00c9LIE",     true },
	{ "two people",        "mei",             "meili",           false },
	{ "two kinds",         "mei",             "mei@x",           false },
};
/* clang-format on */

START_TEST(good_table)
{
	struct name name;
	const char *why = NULL;

	enum status st = name_parse(&name, slice_text(good[_i].text), &why);
	ck_assert_msg(st == STATUS_OK, "%s: %s", good[_i].name, why);
	ck_assert_msg(name.kind == good[_i].kind, "%s: kind %d", good[_i].name,
	    (int)name.kind);
	ck_assert_str_eq(name.text, good[_i].canonical);
	ck_assert_uint_eq(name.len, strlen(good[_i].canonical));
}
END_TEST

/* A canonical name is its own canonical form. */
START_TEST(good_again)
{
	struct name once, twice;
	const char *why;

	ck_assert_int_eq(
	    name_parse(&once, slice_text(good[_i].text), &why), STATUS_OK);
	ck_assert_int_eq(
	    name_parse(&twice, slice_of(once.text, once.len), &why), STATUS_OK);
	ck_assert_str_eq(once.text, twice.text);
	ck_assert_int_eq(once.kind, twice.kind);
}
END_TEST

START_TEST(bad_table)
{
	static const struct name wiped;
	struct name name;
	const char *why = NULL;

	enum status st = name_parse(&name, slice_text(bad[_i].text), &why);
	ck_assert_msg(st == STATUS_MALFORMED, "%s: got '%s'", bad[_i].name,
	    status_text(st));
	ck_assert_msg(why && *why, "%s: no reason", bad[_i].name);
	ck_assert_msg(memcmp(&name, &wiped, sizeof(name)) == 0, "%s: left over",
	    bad[_i].name);
}
END_TEST

START_TEST(nul_inside)
{
	struct name name;
	const char *why;

	ck_assert_int_eq(
	    name_parse(&name, slice_of("mei\0li", 6), &why), STATUS_MALFORMED);
}
END_TEST

/* Long texts of letters that grow when they are taken apart. */
START_TEST(too_long)
{
	char text[NAME_TEXT_BYTES_MAX + 2];
	struct name name;
	const char *why;

	for (size_t len = 2; len <= sizeof(text); len += 2) {
		for (size_t i = 0; i < len; i += 2)
			memcpy(text + i, "\u0390", 2); /* folds to three */
		enum status st = name_parse(&name, slice_of(text, len), &why);
		ck_assert_msg(
		    st == STATUS_MALFORMED || len <= 2 * NICKNAME_LETTERS_MAX,
		    "%zu bytes: got '%s'", len, status_text(st));
	}
}
END_TEST

START_TEST(pair_table)
{
	struct name a, b;
	struct id unknown_a, unknown_b;
	uint8_t hash_a[NAME_HASH_BYTES], hash_b[NAME_HASH_BYTES];
	const char *why;

	ck_assert_int_eq(
	    name_parse(&a, slice_text(pairs[_i].a), &why), STATUS_OK);
	ck_assert_int_eq(
	    name_parse(&b, slice_text(pairs[_i].b), &why), STATUS_OK);
	name_hash(hash_a, &a, names_key);
	name_hash(hash_b, &b, names_key);
	name_unknown_account(&unknown_a, &a, names_key);
	name_unknown_account(&unknown_b, &b, names_key);
	ck_assert_msg(
	    (memcmp(hash_a, hash_b, sizeof(hash_a)) == 0) == pairs[_i].same,
	    "%s: hash", pairs[_i].name);
	ck_assert_msg(id_equal(&unknown_a, &unknown_b) == pairs[_i].same,
	    "%s: unknown account", pairs[_i].name);
	ck_assert_msg(memcmp(hash_a, unknown_a.bytes, ID_BYTES) != 0,
	    "%s: the id gives the hash away", pairs[_i].name);
}
END_TEST

START_TEST(hash_is_keyed)
{
	static const uint8_t other_key[KEY_BYTES] = { NAMES_KEY_BYTE + 1 };
	uint8_t a[NAME_HASH_BYTES], b[NAME_HASH_BYTES];
	struct name name;
	const char *why;

	ck_assert_int_eq(name_parse(&name, slice_text("mei"), &why), STATUS_OK);
	name_hash(a, &name, names_key);
	name_hash(b, &name, other_key);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(addresses)
{
	ck_assert(name_is_address(NAME_PHONE));
	ck_assert(name_is_address(NAME_EMAIL));
	ck_assert(!name_is_address(NAME_NICKNAME));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("name");
	TCase *tc = tcase_create("A-01 login names");

	tcase_add_loop_test(tc, good_table, 0, nitems(good));
	tcase_add_loop_test(tc, good_again, 0, nitems(good));
	tcase_add_loop_test(tc, bad_table, 0, nitems(bad));
	tcase_add_test(tc, nul_inside);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, addresses);
	suite_add_tcase(suite, tc);
	tc = tcase_create("A-01 A-09 one hash for a name, however written");
	tcase_add_loop_test(tc, pair_table, 0, nitems(pairs));
	tcase_add_test(tc, hash_is_keyed);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
