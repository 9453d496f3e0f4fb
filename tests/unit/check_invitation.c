#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* A unit of a library whose alphabet is its own: compiled in as it is. */
#include "../../lib/crypto/invitation.c"

/* clang-format off */
static const struct {
	const char *name, *text, *want; /* NULL: none */
} texts[] = {
	{ "as it is written",        "7QK3M-X0HFS",          "7QK3MX0HFS" },
	{ "without the dash",        "7QK3MX0HFS",           "7QK3MX0HFS" },
	{ "in small letters",        "7qk3m-x0hfs",          "7QK3MX0HFS" },
	{ "an O for the zero",       "7qk3m-xohfs",          "7QK3MX0HFS" },
	{ "with spaces and dashes",  " 7Q K3-M--X0 HFS - ",  "7QK3MX0HFS" },
	{ "all zeros",               "00000-00000",          "0000000000" },
	{ "ones as i, I, l and L",   "iIlL1-1111J",          "111111111J" },
	{ "one character wrong",     "7QK3M-X0HFG",          NULL },
	{ "two changed places",      "7QK3M-X0HSF",          NULL },
	{ "two others",              "Q7K3M-X0HFS",          NULL },
	{ "one fewer",               "7QK3M-X0HF",           NULL },
	{ "one more",                "7QK3M-X0HFS0",         NULL },
	{ "nothing",                 "",                     NULL },
	{ "dashes only",             "-----",                NULL },
	{ "a U",                     "7QK3M-X0HFU",          NULL },
	{ "another character",       "7QK3M_X0HFS",          NULL },
	{ "letters of elsewhere",    "7QK3M-X0HF\xc3\xa9",   NULL },
};
/* clang-format on */

START_TEST(text_table)
{
	uint8_t got[INVITATION_CODE_BYTES];

	enum status st = invitation_read(got, slice_text(texts[_i].text));
	ck_assert_msg(st == (texts[_i].want ? STATUS_OK : STATUS_MALFORMED),
	    "%s: '%s'", texts[_i].name, status_word(st));
	if (st == STATUS_OK)
		ck_assert_mem_eq(got, texts[_i].want, sizeof(got));
}
END_TEST

START_TEST(nul_inside)
{
	static const char text[] = "7QK3M\0X0HFS";
	uint8_t got[INVITATION_CODE_BYTES];

	ck_assert_int_eq(invitation_read(got, slice_of(text, sizeof(text) - 1)),
	    STATUS_MALFORMED);
}
END_TEST

/* Whatever one character is replaced by, or two are swapped. */
START_TEST(mistakes_noticed)
{
	char text[INVITATION_TEXT_BYTES], wrong[INVITATION_TEXT_BYTES];
	uint8_t got[INVITATION_CODE_BYTES];

	invitation_make(text);
	ck_assert_int_eq(invitation_read(got, slice_text(text)), STATUS_OK);
	for (size_t i = 0; text[i]; i++)
		for (size_t j = 0; alphabet[j] && text[i] != '-'; j++) {
			if (alphabet[j] == text[i])
				continue;
			strcpy(wrong, text);
			wrong[i] = alphabet[j];
			ck_assert_int_eq(
			    invitation_read(got, slice_text(wrong)),
			    STATUS_MALFORMED);
		}
	for (size_t i = 0; text[i]; i++)
		for (size_t j = i + 1; text[j]; j++) {
			strcpy(wrong, text);
			wrong[i] = text[j];
			wrong[j] = text[i];
			if (wrong[i] == wrong[j] || wrong[i] == '-' ||
			    wrong[j] == '-')
				continue;
			ck_assert_int_eq(
			    invitation_read(got, slice_text(wrong)),
			    STATUS_MALFORMED);
		}
}
END_TEST

START_TEST(all_differ)
{
	char texts_made[100][INVITATION_TEXT_BYTES];

	for (size_t i = 0; i < nitems(texts_made); i++) {
		invitation_make(texts_made[i]);
		ck_assert_uint_eq(strlen(texts_made[i]), 11);
		ck_assert_int_eq(texts_made[i][5], '-');
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(texts_made[i], texts_made[j]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("invitation");
	TCase *tc = tcase_create("A-07 invitations");
	SRunner *runner = srunner_create(suite);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	tcase_add_loop_test(tc, text_table, 0, nitems(texts));
	tcase_add_test(tc, nul_inside);
	tcase_add_test(tc, mistakes_noticed);
	tcase_add_test(tc, all_differ);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
