#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "category.h"

/* clang-format off */
static const struct {
	const char *path, *head;
	enum category want;
} cases[] = {
	{ "contacts.vcf",             "",                             CATEGORY_CONTACTS },
	{ "DCIM/IMG_1.JPG",           "",                             CATEGORY_PHOTOS },
	{ "DCIM/clip.mp4",            "",                             CATEGORY_VIDEO },
	{ "a.b/c.mp3",                "",                             CATEGORY_MUSIC },
	{ "books/x.epub",             "",                             CATEGORY_BOOKS },
	{ "cal.ics",                  "",                             CATEGORY_CALENDAR },
	{ "cal.vcs",                  "",                             CATEGORY_CALENDAR },
	{ "n.enex",                   "",                             CATEGORY_NOTES },
	{ "inbox.mbox",               "",                             CATEGORY_EMAIL },
	{ "m.mms",                    "",                             CATEGORY_MMS },
	{ "msgstore.db.crypt14",      "",                             CATEGORY_MESSAGES },
	{ "a.pdf",                    "",                             CATEGORY_DOCUMENTS },
	{ "a.apk",                    "",                             CATEGORY_APPS },
	{ "a.conf",                   "",                             CATEGORY_SETTINGS },
	{ "a.qqq",                    "BEGIN:VCARD",                  CATEGORY_OTHER },
	{ "sms-2026.xml",             "<?xml version='1.0'?>\n<!-- by -->\n<smses count=\"1\">", CATEGORY_SMS },
	{ "calls.xml",                "\xef\xbb\xbf<?xml version='1.0'?><calls>", CATEGORY_CALLS },
	{ "prefs.xml",                "<?xml version='1.0'?><map>",   CATEGORY_SETTINGS },
	{ "other.xml",                "<smsesque>",                   CATEGORY_OTHER },
	{ "other.xml",                "<smses",                       CATEGORY_OTHER },
	{ "other.xml",                "<!-- never ends",              CATEGORY_OTHER },
	{ "other.xml",                "",                             CATEGORY_OTHER },
	{ "noext",                    "BEGIN:VCARD\r\n",              CATEGORY_CONTACTS },
	{ "noext",                    "BEGIN:VCALENDAR\r\n",          CATEGORY_CALENDAR },
	{ "noext",                    "\xff\xd8\xff\xe0",             CATEGORY_PHOTOS },
	{ "noext",                    "\x01\x02",                     CATEGORY_OTHER },
	{ ".jpg",                     "",                             CATEGORY_OTHER },
	{ "dir.jpg/file",             "",                             CATEGORY_OTHER },
	{ "a.jp g",                   "",                             CATEGORY_OTHER },
	{ "a.",                       "",                             CATEGORY_OTHER },
	{ "Notes/today.txt",          "",                             CATEGORY_NOTES },
	{ "Notes/img.jpg",            "",                             CATEGORY_PHOTOS },
};
/* clang-format on */

static const struct category_rule rules[] = {
	{ "*/today.txt", CATEGORY_NOTES },
	{ "*.txt", CATEGORY_BOOKS },
};

START_TEST(sorted)
{
	enum category got = category_of(
	    rules, nitems(rules), cases[_i].path, slice_text(cases[_i].head));

	ck_assert_msg(got == cases[_i].want, "%s: got %s, want %s",
	    cases[_i].path, category_word(got), category_word(cases[_i].want));
}
END_TEST

START_TEST(names_that_suffice)
{
	enum category category;

	ck_assert_int_eq(
	    category_by_name(&category, NULL, 0, "a.jpg"), STATUS_OK);
	ck_assert_int_eq(
	    category_by_name(&category, NULL, 0, "a.xml"), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    category_by_name(&category, NULL, 0, "a"), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(words_come_back)
{
	for (int i = CATEGORY_CONTACTS; i < CATEGORY_COUNT; i++) {
		enum category got = CATEGORY_COUNT;
		const char *word = category_word((enum category)i);
		ck_assert_int_eq(category_from_word(&got, word), STATUS_OK);
		ck_assert_int_eq(got, i);
	}
	enum category got;
	ck_assert_int_eq(
	    category_from_word(&got, "nonsense"), STATUS_NOT_FOUND);
	ck_assert_int_eq(category_from_word(&got, ""), STATUS_NOT_FOUND);
	ck_assert_str_eq(category_word((enum category)99), "other");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("category");
	TCase *tcase = tcase_create("B-01 files sorted into categories");

	tcase_add_loop_test(tcase, sorted, 0, nitems(cases));
	tcase_add_test(tcase, names_that_suffice);
	tcase_add_test(tcase, words_come_back);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
