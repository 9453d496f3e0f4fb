#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "crypto/enrolment.h"

/* clang-format off */
#define G "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"	/* 00 01 02 … 1F */
#define X "-__7__v_-__7__v_-__7__v_-__7__v_-__7__v_-_8"	/* FB FF FB FF …: the characters - and _ */
#define O "liut91e9nproP9QQsSLnb28JkWnO8_EIuyff8eLmGGQ"	/* a point */
#define KEYS "g=" G "&x=" X "&o=" O

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define ZERO_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

#define WHY_BEGIN   "it does not begin with keepsake://"
#define WHY_KEYS    "the keys are missing after the port"
#define WHY_PORT    "the port is not a number from 1 to 65535"
#define WHY_NO_PORT "the port is missing after the host"
#define WHY_HOST    "the host is not a name, an IPv4 address or an IPv6 address in brackets"
#define WHY_FORM    "a parameter is not of the form name=value"
#define WHY_CHAR    "there is a character that is not printable ASCII"
#define WHY_G       "g= is not a key: 43 characters of base64url"
#define WHY_X       "x= is not a key: 43 characters of base64url"
#define WHY_O       "o= is not a key: 43 characters of base64url"
#define WHY_A       "a= has no key behind its comma: 43 characters of base64url"
#define WHY_MANY    "there are more than 8 gateways"
#define WHY_NEWER   "a critical parameter is not known: a newer program is needed"

static const struct { const char *text, *host; unsigned int port; } good[] = {
	{ "keepsake://backup.example.org:7400?" KEYS,                "backup.example.org", 7400 },
	{ "keepsake://localhost:1?" KEYS,                            "localhost", 1 },
	{ "keepsake://192.0.2.7:65535?" KEYS,                        "192.0.2.7", 65535 },
	{ "keepsake://[2001:db8::7]:7400?" KEYS,                     "[2001:db8::7]", 7400 },
	{ "keepsake://[::ffff:192.0.2.7]:7400?" KEYS,                "[::ffff:192.0.2.7]", 7400 },
	{ "keepsake://3com.example:7400?" KEYS,                      "3com.example", 7400 },
	{ "keepsake://" LABEL_63 ".example:7400?" KEYS,              LABEL_63 ".example", 7400 },
	{ "keepsake://host:7400?o=" O "&g=" G "&x=" X,               "host", 7400 },
	{ "keepsake://host:7400?" KEYS "&later=1&n=a=b?:/%20&e=",    "host", 7400 },
};

static const struct { const char *text; enum status want; const char *why; } bad[] = {
	{ "",                                                   STATUS_MALFORMED, WHY_BEGIN },
	{ "Keepsake://host:7400?" KEYS,                         STATUS_MALFORMED, WHY_BEGIN },
	{ "keepsake:/host:7400?" KEYS,                          STATUS_MALFORMED, WHY_BEGIN },
	{ " keepsake://host:7400?" KEYS,                        STATUS_MALFORMED, WHY_CHAR },
	{ "keepsake://host:7400?" KEYS "\n",                    STATUS_MALFORMED, WHY_CHAR },
	{ "keepsake://h\xC3\xB6st:7400?" KEYS,                  STATUS_MALFORMED, WHY_CHAR },
	{ "keepsake://",                                        STATUS_MALFORMED, WHY_KEYS },
	{ "keepsake://host:7400",                               STATUS_MALFORMED, WHY_KEYS },
	{ "keepsake://host?" KEYS,                              STATUS_MALFORMED, WHY_NO_PORT },
	{ "keepsake://?" KEYS,                                  STATUS_MALFORMED, WHY_NO_PORT },
	{ "keepsake://host:?" KEYS,                             STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:0?" KEYS,                            STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:07400?" KEYS,                        STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:65536?" KEYS,                        STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:74000000000000000000?" KEYS,         STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:+740?" KEYS,                         STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:7400/?" KEYS,                        STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://:7400?" KEYS,                             STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://user@host:7400?" KEYS,                    STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://-host:7400?" KEYS,                        STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://host-:7400?" KEYS,                        STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://host.:7400?" KEYS,                        STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://a..b:7400?" KEYS,                         STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://a_b:7400?" KEYS,                          STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://x" LABEL_63 ":7400?" KEYS,                STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://192.0.2:7400?" KEYS,                      STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://192.0.2.256:7400?" KEYS,                  STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://2001:db8::7:7400?" KEYS,                  STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://[2001:db8::7:7400?" KEYS,                 STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://[]:7400?" KEYS,                           STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://[host]:7400?" KEYS,                       STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://[fe80::1%eth0]:7400?" KEYS,               STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://[1111111111111111111111111111111111111111111111111111]:7400?" KEYS, STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://" LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 ":7400?" KEYS,    STATUS_MALFORMED, "the host is too long" },
	{ "keepsake://host:7400?",                              STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?" KEYS "&",                     STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?&" KEYS,                        STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?" KEYS "&later",                STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?" KEYS "&=1",                   STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?" KEYS "&1a=1",                 STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?" KEYS "&a-b=1",                STATUS_MALFORMED, WHY_FORM },
	{ "keepsake://host:7400?" KEYS "&Later=1",              STATUS_VERSION,   WHY_NEWER },
	{ "keepsake://host:7400?G=" G "&" KEYS,                 STATUS_VERSION,   WHY_NEWER },
	{ "keepsake://host:7400?" KEYS "&a=",                   STATUS_MALFORMED, WHY_NO_PORT },
	{ "keepsake://host:7400?" KEYS "&a=host",               STATUS_MALFORMED, WHY_NO_PORT },
	{ "keepsake://host:7400?" KEYS "&a=:7400",              STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://host:7400?" KEYS "&a=a_b:7400",           STATUS_MALFORMED, WHY_HOST },
	{ "keepsake://host:7400?" KEYS "&a=host:0",             STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:7400?" KEYS "&a=host:7400/",         STATUS_MALFORMED, WHY_PORT },
	{ "keepsake://host:7400?" KEYS "&a=host:7400,",         STATUS_MALFORMED, WHY_A },
	{ "keepsake://host:7400?" KEYS "&a=host:7400," G "A",   STATUS_MALFORMED, WHY_A },
	{ "keepsake://host:7400?" KEYS "&a=host:7400," G "," X, STATUS_MALFORMED, WHY_A },
	{ "keepsake://host:7400?" KEYS "&a=host:7400," ZERO_KEY, STATUS_MALFORMED, WHY_A },
	{ "keepsake://host:7400?" KEYS "&a=b:1&a=c:1&a=d:1&a=e:1&a=f:1&a=g:1&a=h:1&a=i:1", STATUS_MALFORMED, WHY_MANY },
	{ "keepsake://host:7400?A=host:7400&" KEYS,             STATUS_VERSION,   WHY_NEWER },
	{ "keepsake://host:7400?x=" X "&o=" O,                  STATUS_MALFORMED, "the gateway's key g= is missing" },
	{ "keepsake://host:7400?g=" G "&o=" O,                  STATUS_MALFORMED, "auth's sealing key x= is missing" },
	{ "keepsake://host:7400?g=" G "&x=" X,                  STATUS_MALFORMED, "auth's OPAQUE key o= is missing" },
	{ "keepsake://host:7400?" KEYS "&g=" G,                 STATUS_MALFORMED, "g= stands there twice" },
	{ "keepsake://host:7400?" KEYS "&x=" X,                 STATUS_MALFORMED, "x= stands there twice" },
	{ "keepsake://host:7400?" KEYS "&o=" O,                 STATUS_MALFORMED, "o= stands there twice" },
	{ "keepsake://host:7400?g=&x=" X "&o=" O,               STATUS_MALFORMED, WHY_G },
	{ "keepsake://host:7400?g=" G "A&x=" X "&o=" O,         STATUS_MALFORMED, WHY_G },
	{ "keepsake://host:7400?g=" G "=&x=" X "&o=" O,         STATUS_MALFORMED, WHY_G },
	{ "keepsake://host:7400?g=AAAA&x=" X "&o=" O,           STATUS_MALFORMED, WHY_G },
	{ "keepsake://host:7400?g=" ZERO_KEY "A&x=" X "&o=" O,  STATUS_MALFORMED, WHY_G },
	{ "keepsake://host:7400?g=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB&x=" X "&o=" O, STATUS_MALFORMED, WHY_G },
	{ "keepsake://host:7400?g=" G "&x=+/" X "&o=" O,        STATUS_MALFORMED, WHY_X },
	{ "keepsake://host:7400?g=" G "&x=" X "&o=" O "#x",     STATUS_MALFORMED, WHY_O },
	{ "keepsake://host:7400?g=" G "&x=" X "&o=" ZERO_KEY,   STATUS_MALFORMED, "o= is not an OPAQUE public key" },
	{ "keepsake://host:7400?g=" G "&x=" X "&o=" X,          STATUS_MALFORMED, "o= is not an OPAQUE public key" },
};
/* clang-format on */

START_TEST(taken)
{
	struct enrolment enrolment, again;
	const char *why = "unset";
	char text[ENROLMENT_TEXT_BYTES];
	enum status st = enrolment_parse(&enrolment, good[_i].text, &why);

	ck_assert_msg(st == STATUS_OK, "%s: %s", good[_i].text, why);
	ck_assert_ptr_null(why);
	ck_assert_str_eq(enrolment.host, good[_i].host);
	ck_assert_uint_eq(enrolment.port, good[_i].port);
	for (size_t i = 0; i < ENROLMENT_KEY_BYTES; i++) {
		ck_assert_uint_eq(enrolment.gateway_key[i], i);
		ck_assert_uint_eq(
		    enrolment.auth_x25519[i], i % 2 == 0 ? 0xFB : 0xFF);
	}
	ck_assert_uint_eq(enrolment.auth_opaque[0], 0x96);

	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_OK);
	ck_assert_int_eq(enrolment_parse(&again, text, &why), STATUS_OK);
	ck_assert_int_eq(memcmp(&again, &enrolment, sizeof(again)), 0);
	if (_i == 0)
		ck_assert_str_eq(text, good[_i].text);
}
END_TEST

/** Several gateways, which share a key or have their own. */
START_TEST(gateways)
{
	static const char text[] =
	    "keepsake://host:7400?" KEYS
	    "&a=other.example:7401&a=[2001:db8::8]:7402," X "&a=192.0.2.8:1";
	/* the others may stand before the key that they share */
	static const char turned[] =
	    "keepsake://host:7400?a=other.example:7401&a=[2001:db8::8]:7402," X
	    "&later=1&a=192.0.2.8:1&" KEYS;
	static const struct {
		const char *host;
		unsigned int port, first_byte;
	} want[] = {
		{ "other.example", 7401, 0x00 },
		{ "[2001:db8::8]", 7402, 0xFB },
		{ "192.0.2.8", 1, 0x00 },
	};
	struct enrolment enrolment, again;
	char written[ENROLMENT_TEXT_BYTES];
	const char *why;

	ck_assert_int_eq(enrolment_parse(&enrolment, text, &why), STATUS_OK);
	ck_assert_str_eq(enrolment.host, "host");
	ck_assert_uint_eq(enrolment.others_count, nitems(want));
	for (size_t i = 0; i < nitems(want); i++) {
		const struct enrolment_gateway *other = &enrolment.others[i];
		ck_assert_str_eq(other->host, want[i].host);
		ck_assert_uint_eq(other->port, want[i].port);
		ck_assert_uint_eq(other->key[0], want[i].first_byte);
	}
	ck_assert_int_eq(enrolment_format(written, &enrolment), STATUS_OK);
	ck_assert_str_eq(written, text);
	ck_assert_int_eq(enrolment_parse(&again, turned, &why), STATUS_OK);
	ck_assert_mem_eq(&again, &enrolment, sizeof(again));
}
END_TEST

/** As many as there may be, with names as long as they may be. */
START_TEST(gateways_longest)
{
	static const char name[] =
	    LABEL_63 "." LABEL_63 "." LABEL_63
		     ".a234567890123456789012345678901234567890"
		     "123456789012345678901";
	struct enrolment enrolment = {
		.port = UINT16_MAX,
		.others_count = ENROLMENT_OTHERS_MAX,
	};
	struct enrolment again;
	char text[ENROLMENT_TEXT_BYTES];
	const char *why;

	ck_assert_int_eq(enrolment_parse(&again, good[0].text, &why), 0);
	memcpy(enrolment.auth_opaque, again.auth_opaque, ENROLMENT_KEY_BYTES);
	ck_assert_uint_eq(strlen(name), ENROLMENT_HOST_BYTES_MAX);
	strcpy(enrolment.host, name);
	for (size_t i = 0; i < ENROLMENT_OTHERS_MAX; i++) {
		strcpy(enrolment.others[i].host, name);
		enrolment.others[i].port = UINT16_MAX;
		enrolment.others[i].key[0] = (uint8_t)(i + 1);
	}
	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_OK);
	ck_assert_int_eq(enrolment_parse(&again, text, &why), STATUS_OK);
	ck_assert_mem_eq(&again, &enrolment, sizeof(again));
	enrolment.others[3].port = 0;
	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_MALFORMED);
}
END_TEST

START_TEST(refused)
{
	static const struct enrolment untouched;
	struct enrolment enrolment = { 0 };
	const char *why = NULL;
	enum status got = enrolment_parse(&enrolment, bad[_i].text, &why);

	ck_assert_msg(got == bad[_i].want, "%s: got '%s', want '%s'",
	    bad[_i].text, status_text(got), status_text(bad[_i].want));
	ck_assert_pstr_eq(why, bad[_i].why);
	ck_assert_int_eq(memcmp(&enrolment, &untouched, sizeof(untouched)), 0);
}
END_TEST

/** Every text that is a good one cut short, or with one byte changed. */
START_TEST(damaged)
{
	const char *text = good[3].text;
	struct enrolment enrolment;
	char damaged_text[ENROLMENT_TEXT_BYTES];
	const char *why;

	for (size_t len = 0; len < strlen(text); len++) {
		memcpy(damaged_text, text, len);
		damaged_text[len] = '\0';
		ck_assert_int_eq(
		    enrolment_parse(&enrolment, damaged_text, &why),
		    STATUS_MALFORMED);
		ck_assert_ptr_nonnull(why);
	}
	for (size_t i = 0; i < strlen(text); i++) {
		for (int byte = 1; byte < 256; byte++) {
			strcpy(damaged_text, text);
			damaged_text[i] = (char)byte;
			enum status st =
			    enrolment_parse(&enrolment, damaged_text, &why);
			ck_assert_int_eq(st == STATUS_OK, why == NULL);
		}
	}
}
END_TEST

START_TEST(too_long)
{
	static char text[2 * ENROLMENT_TEXT_BYTES];
	struct enrolment enrolment;
	const char *why = NULL;

	strcpy(text, good[0].text);
	strcat(text, "&later=");
	size_t len = strlen(text);
	memset(text + len, 'a', ENROLMENT_TEXT_BYTES - 1 - len);
	ck_assert_int_eq(enrolment_parse(&enrolment, text, &why), STATUS_OK);
	text[ENROLMENT_TEXT_BYTES - 1] = 'a';
	ck_assert_int_eq(
	    enrolment_parse(&enrolment, text, &why), STATUS_MALFORMED);
	ck_assert_str_eq(why, "the text is too long");
}
END_TEST

START_TEST(not_formatted)
{
	struct enrolment enrolment = { .host = "host", .port = 7400 };
	char text[ENROLMENT_TEXT_BYTES];

	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_OK);
	enrolment.port = 0;
	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_MALFORMED);
	enrolment.port = 7400;
	strcpy(enrolment.host, "host?g=1");
	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_MALFORMED);
	enrolment.host[0] = '\0';
	ck_assert_int_eq(enrolment_format(text, &enrolment), STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("enrolment");
	TCase *strings = tcase_create("T-01 G-06 enrolment strings");
	TCase *hostile = tcase_create("R-03 enrolment strings refused");

	tcase_add_loop_test(strings, taken, 0, (int)nitems(good));
	tcase_add_test(strings, not_formatted);
	tcase_add_test(strings, gateways);
	tcase_add_test(strings, gateways_longest);
	tcase_add_loop_test(hostile, refused, 0, (int)nitems(bad));
	tcase_add_test(hostile, damaged);
	tcase_add_test(hostile, too_long);
	suite_add_tcase(suite, strings);
	suite_add_tcase(suite, hostile);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
