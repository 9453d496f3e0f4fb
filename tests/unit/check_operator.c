#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "service/audit.h"
#include "service/operator.h"

#define SEVENTY                                                                \
	"12345678901234567890123456789012345678901234567890123456789012345678" \
	"90"
#define TWO_HUNDRED                                                 \
	SEVENTY SEVENTY "12345678901234567890123456789012345678901" \
			"2345678901234567890"

/* clang-format off */
static const struct {
	const char *name, *document;
	enum status want;
} documents[] = {
	{ "A-08 a passport",             "passport:12AB",         STATUS_OK },
	{ "A-08 an identity card",       "identity-card:0000",    STATUS_OK },
	{ "A-08 a driving licence",      "driving-licence:zZ9a",  STATUS_OK },
	{ "A-08 a residence permit",     "residence-permit:1234", STATUS_OK },
	{ "A-08 another document",       "other:1234",            STATUS_OK },
	{ "A-08 nothing",                "",                      STATUS_MALFORMED },
	{ "A-08 no colon",               "passport",              STATUS_MALFORMED },
	{ "A-08 no kind",                ":1234",                 STATUS_MALFORMED },
	{ "A-08 part of a kind",         "pass:1234",             STATUS_MALFORMED },
	{ "A-08 more than a kind",       "passports:1234",        STATUS_MALFORMED },
	{ "A-08 a kind in capitals",     "Passport:1234",         STATUS_MALFORMED },
	{ "A-08 no characters",          "passport:",             STATUS_MALFORMED },
	{ "A-08 three characters",       "passport:123",          STATUS_MALFORMED },
	{ "A-08 five characters",        "passport:12345",        STATUS_MALFORMED },
	{ "A-08 the whole number",       "passport:C01X00T478",   STATUS_MALFORMED },
	{ "A-08 a space",                "passport:12 4",         STATUS_MALFORMED },
	{ "A-08 a dash",                 "passport:12-4",         STATUS_MALFORMED },
	{ "A-08 another colon",          "passport:12:4",         STATUS_MALFORMED },
	{ "A-08 letters past ASCII",     "passport:12\xc3\xa9",   STATUS_MALFORMED },
};

static const struct {
	const char *name, *who, *reason, *document;
	unsigned int needs;
	enum status want;
} bys[] = {
	{ "O-02 all of it",               "ann",       "lost",          "passport:1234", 3, STATUS_OK },
	{ "O-02 a name",                  "ann",       "",              "",              0, STATUS_OK },
	{ "O-02 a name in UTF-8",         "Zo\xc3\xab", "",             "",              0, STATUS_OK },
	{ "O-02 the longest reason",      "ann",       TWO_HUNDRED,     "",              1, STATUS_OK },
	{ "O-02 no name",                 "",          "lost",          "passport:1234", 3, STATUS_MALFORMED },
	{ "O-02 a name of spaces",        "   ",       "",              "",              0, STATUS_MALFORMED },
	{ "O-02 a name too long",         SEVENTY,     "",              "",              0, STATUS_MALFORMED },
	{ "O-02 a name with a newline",   "ann\nbert", "",              "",              0, STATUS_MALFORMED },
	{ "O-02 a name that is no UTF-8", "ann\xff",   "",              "",              0, STATUS_MALFORMED },
	{ "O-02 no reason",               "ann",       "",              "passport:1234", 3, STATUS_MALFORMED },
	{ "O-02 a reason of spaces",      "ann",       " ",             "",              1, STATUS_MALFORMED },
	{ "O-02 a reason too long",       "ann",       TWO_HUNDRED "1", "",              1, STATUS_MALFORMED },
	{ "O-02 a reason with an escape", "ann",       "\x1b[2J",       "",              0, STATUS_MALFORMED },
	{ "A-08 no document",             "ann",       "lost",          "",              3, STATUS_MALFORMED },
	{ "A-08 a bad document",          "ann",       "lost",          "passport:1",    3, STATUS_MALFORMED },
	{ "A-08 a bad one, not needed",   "ann",       "lost",          "passport:1",    0, STATUS_MALFORMED },
};

static const struct {
	const char *name, *what, *reason, *document, *want;
} details[] = {
	{ "O-06 all of it",   "lane: owner", "lost", "passport:1234", "lane: owner; document: passport:1234; reason: lost" },
	{ "O-06 no what",     "",            "lost", "passport:1234", "document: passport:1234; reason: lost" },
	{ "O-06 a reason",    "",            "lost", "",              "reason: lost" },
	{ "O-06 a what",      "all",         "",     "",              "all" },
	{ "O-06 no document", "all",         "lost", "",              "all; reason: lost" },
	{ "O-06 nothing",     "",            "",     "",              "" },
};
/* clang-format on */

START_TEST(document)
{
	const char *why = NULL;
	enum status got = operator_check_document(documents[_i].document, &why);

	ck_assert_msg(got == documents[_i].want, "%s: got '%s'",
	    documents[_i].name, status_text(got));
	ck_assert_msg(
	    (why != NULL) == (got != STATUS_OK), "%s: why", documents[_i].name);
}
END_TEST

START_TEST(by)
{
	Ops__By message = OPS__BY__INIT;
	const char *why = NULL;

	message.name = (char *)bys[_i].who;
	message.reason = (char *)bys[_i].reason;
	message.document = (char *)bys[_i].document;
	enum status got = operator_check(&message, bys[_i].needs, &why);
	ck_assert_msg(got == bys[_i].want, "%s: got '%s'", bys[_i].name,
	    status_text(got));
	ck_assert_msg(
	    (why != NULL) == (got != STATUS_OK), "%s: why", bys[_i].name);
}
END_TEST

START_TEST(nobody)
{
	const char *why = NULL;

	ck_assert_int_eq(operator_check(NULL, 0, &why), STATUS_MALFORMED);
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(detail)
{
	Ops__By message = OPS__BY__INIT;
	char text[OPERATOR_DETAIL_BYTES], actor[OPERATOR_ACTOR_BYTES];

	message.name = (char *)"ann";
	message.reason = (char *)details[_i].reason;
	message.document = (char *)details[_i].document;
	operator_detail(text, details[_i].what, &message);
	ck_assert_msg(strcmp(text, details[_i].want) == 0, "%s: got '%s'",
	    details[_i].name, text);
	operator_actor(actor, &message);
	ck_assert_str_eq(actor, "operator ann");
}
END_TEST

START_TEST(the_longest_is_kept_whole)
{
	Ops__By message = OPS__BY__INIT;
	char text[OPERATOR_DETAIL_BYTES];

	message.name = (char *)"ann";
	message.reason = (char *)TWO_HUNDRED;
	message.document = (char *)"residence-permit:1234";
	operator_detail(text, "lane: " SEVENTY, &message);
	ck_assert_uint_lt(strlen(text), AUDIT_DETAIL_BYTES_MAX);
	ck_assert_str_eq(text + strlen(text) - 200, TWO_HUNDRED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("operator");
	TCase *tc = tcase_create("A-08 O-02 who acts, and why");

	_Static_assert(sizeof(TWO_HUNDRED) == 200 + 1, "as its name says");
	tcase_add_loop_test(tc, document, 0, (int)nitems(documents));
	tcase_add_loop_test(tc, by, 0, (int)nitems(bys));
	tcase_add_test(tc, nobody);
	tcase_add_loop_test(tc, detail, 0, (int)nitems(details));
	tcase_add_test(tc, the_longest_is_kept_whole);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
