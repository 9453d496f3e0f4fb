#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "session.h"

/* What people are told; the talk itself is what the scenarios are about. */

/* Advice is put behind "keepsake: " and is to read as half a sentence. */
static void assert_advice(enum status status, const char *advice)
{
	size_t len = strlen(advice);

	ck_assert_msg(len > 0, "%s: no advice", status_word(status));
	ck_assert_msg(advice[len - 1] != '.' && advice[len - 1] != ' ',
	    "%s: '%s' has an end", status_word(status), advice);
	ck_assert_msg(!strstr(advice, "  ") || strstr(advice, "?  "),
	    "%s: '%s' has a gap", status_word(status), advice);
}

START_TEST(every_failure_has_an_advice)
{
	static const enum link_state links[] = { LINK_NEVER, LINK_REFUSED,
		LINK_UP, LINK_LOST };
	enum status status = (enum status)_i;

	for (size_t i = 0; i < nitems(links); i++)
		assert_advice(status, session_advice_for(status, links[i]));
	assert_advice(status, session_advice_here(status));
}
END_TEST

START_TEST(success_needs_none)
{
	ck_assert_str_eq(session_advice_for(STATUS_OK, LINK_UP), "");
	ck_assert_str_eq(session_advice_here(STATUS_OK), "");
}
END_TEST

START_TEST(past_the_end_is_internal)
{
	ck_assert_str_eq(session_advice_for(STATUS_COUNT, LINK_UP),
	    session_advice_for(STATUS_INTERNAL, LINK_UP));
}
END_TEST

/* The server's full disk is not this machine's, and the other way round. */
START_TEST(here_is_not_there)
{
	static const enum status differs[] = { STATUS_NO_SPACE, STATUS_DENIED,
		STATUS_INTERNAL };

	for (size_t i = 0; i < nitems(differs); i++)
		ck_assert_str_ne(session_advice_here(differs[i]),
		    session_advice_for(differs[i], LINK_UP));
}
END_TEST

/* Where nobody answers, the link says why: each state in its own words. */
START_TEST(links_are_told_apart)
{
	static const enum link_state links[] = { LINK_NEVER, LINK_REFUSED,
		LINK_UP, LINK_LOST };

	for (size_t i = 0; i < nitems(links); i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(
			    session_advice_for(STATUS_UNAVAILABLE, links[i]),
			    session_advice_for(STATUS_UNAVAILABLE, links[j]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tcase = tcase_create("T-01 advice for every failure");

	tcase_add_loop_test(
	    tcase, every_failure_has_an_advice, STATUS_OK + 1, STATUS_COUNT);
	tcase_add_test(tcase, success_needs_none);
	tcase_add_test(tcase, past_the_end_is_internal);
	tcase_add_test(tcase, here_is_not_there);
	tcase_add_test(tcase, links_are_told_apart);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
