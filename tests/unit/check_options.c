#include <check.h>
#include <stdlib.h>

#include "base/options.h"
#include "base/util.h"

static const struct option options[] = {
	{ "password-file", required_argument, NULL, 'p' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *name;
	const char *arguments[4];
	bool want;
} cases[] = {
	{ "none", { NULL }, true },
	{ "spelled out", { "--password-file", "f", "--json" }, true },
	{ "with a value", { "--password-file=f" }, true },
	{ "a command between", { "status", "--json" }, true },
	{ "behind --", { "--", "--password" }, true },
	{ "short ones are getopt's", { "-x" }, true },
	{ "abbreviated", { "--password", "secret" }, false },
	{ "abbreviated, with a value", { "--password=secret" }, false },
	{ "longer than it is", { "--jsonx" }, false },
	{ "unknown", { "--other" }, false },
	{ "unknown behind a command", { "status", "--other" }, false },
};

START_TEST(table)
{
	char *argv[nitems(cases[0].arguments) + 2] = { (char *)"program" };
	int argc = 1;

	for (size_t i = 0; i < nitems(cases[_i].arguments); i++)
		if (cases[_i].arguments[i])
			argv[argc++] = (char *)cases[_i].arguments[i];
	ck_assert_msg(
	    options_exact("program", options, argc, argv) == cases[_i].want,
	    "%s", cases[_i].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("T-01 long options are spelled out");

	tcase_add_loop_test(tcase, table, 0, nitems(cases));
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
