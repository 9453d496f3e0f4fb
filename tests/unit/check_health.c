#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "watch/health.h"

static const struct {
	const char *name, *answer;
	enum status want;
	unsigned int code;
	const char *body;
} cases[] = {
	{ "ready", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nready\n", STATUS_OK, 200,
	    "ready\n" },
	{ "not ready", "HTTP/1.0 503 Service Unavailable\r\n\r\nno link\n",
	    STATUS_OK, 503, "no link\n" },
	{ "no body", "HTTP/1.1 200 OK\r\n\r\n", STATUS_OK, 200, "" },
	{ "no reason", "HTTP/1.1 204\r\n\r\n", STATUS_OK, 204, "" },
	{ "empty", "", STATUS_MALFORMED, 0, "" },
	{ "cut in the version", "HTTP/1", STATUS_MALFORMED, 0, "" },
	{ "cut in the code", "HTTP/1.1 20", STATUS_MALFORMED, 0, "" },
	{ "cut behind the code", "HTTP/1.1 200", STATUS_MALFORMED, 0, "" },
	{ "no end of the head", "HTTP/1.1 200 OK\r\n", STATUS_MALFORMED, 0,
	    "" },
	{ "another version", "HTTP/2.0 200 OK\r\n\r\n", STATUS_MALFORMED, 0,
	    "" },
	{ "code below", "HTTP/1.1 099 OK\r\n\r\n", STATUS_MALFORMED, 0, "" },
	{ "code above", "HTTP/1.1 600 OK\r\n\r\n", STATUS_MALFORMED, 0, "" },
	{ "no number", "HTTP/1.1 2x0 OK\r\n\r\n", STATUS_MALFORMED, 0, "" },
	{ "too long a number", "HTTP/1.1 2000 OK\r\n\r\n", STATUS_MALFORMED, 0,
	    "" },
	{ "another protocol", "220 smtp ready\r\n\r\n", STATUS_MALFORMED, 0,
	    "" },
};

START_TEST(answers)
{
	struct slice body = { 0 };
	unsigned int code = 0;

	enum status got =
	    health_read(slice_text(cases[_i].answer), &code, &body);
	ck_assert_msg(
	    got == cases[_i].want, "%s: %s", cases[_i].name, status_word(got));
	if (got != STATUS_OK)
		return;
	ck_assert_uint_eq(code, cases[_i].code);
	ck_assert(slice_equal(body, slice_text(cases[_i].body)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("health");
	TCase *tcase = tcase_create("O-03 the answer to --health");

	tcase_add_loop_test(tcase, answers, 0, nitems(cases));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
