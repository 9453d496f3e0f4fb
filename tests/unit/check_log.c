#include <check.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define CAPTURE_BYTES    (256 * 1024)
#define TIME_PATTERN     "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z "
#define LINE_BYTES_MAX   2048
#define THREADS          4
#define LINES_PER_THREAD 200

static const struct id request = { { 0x3f, [15] = 0xa0 } };

/* Standard error goes to a file between capture_begin and capture_end. */

static FILE *capture;
static int saved = -1;

static void capture_begin(void)
{
	capture = tmpfile();
	ck_assert_ptr_nonnull(capture);
	saved = dup(STDERR_FILENO);
	ck_assert_int_ge(saved, 0);
	ck_assert_int_ge(dup2(fileno(capture), STDERR_FILENO), 0);
}

/** What was logged, with a NUL; static. */
static const char *capture_end(void)
{
	static char text[CAPTURE_BYTES];

	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	rewind(capture);
	size_t len = fread(text, 1, sizeof(text) - 1, capture);
	text[len] = '\0';
	fclose(capture);
	return text;
}

static void assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	int rc = regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	ck_assert_msg(rc == 0, "'%s' does not match '%s'", text, pattern);
}

START_TEST(line_shape)
{
	log_program("keepsake-test");
	capture_begin();
	log_error(&request, "commit_failed", "status=%s tries=%d",
	    status_word(STATUS_NO_SPACE), 3);
	assert_matches(capture_end(),
	    TIME_PATTERN "level=error program=keepsake-test "
			 "request=3f0000000000000000000000000000a0 "
			 "event=commit_failed status=no_space tries=3\n$");
}
END_TEST

START_TEST(line_without_request_or_rest)
{
	capture_begin();
	log_info(NULL, "ready", NULL);
	assert_matches(capture_end(),
	    TIME_PATTERN "level=info program=keepsake event=ready\n$");
}
END_TEST

/* clang-format off */
static const struct {
	enum log_level level_max;
	const char *want;	/* the levels that are written */
} levels[] = {
	{ LOG_ERROR,   "error" },
	{ LOG_WARNING, "error warning" },
	{ LOG_INFO,    "error warning info" },
	{ LOG_DEBUG,   "error warning info debug" },
};
/* clang-format on */

START_TEST(level_filters)
{
	static const char *const words[] = { "error", "warning", "info",
		"debug" };

	log_level_set(levels[_i].level_max);
	capture_begin();
	log_error(NULL, "event", NULL);
	log_warning(NULL, "event", NULL);
	log_info(NULL, "event", NULL);
	log_debug(NULL, "event", NULL);
	const char *text = capture_end();
	for (size_t i = 0; i < nitems(words); i++) {
		char pair[32];
		snprintf(pair, sizeof(pair), "level=%s ", words[i]);
		ck_assert_msg(
		    !strstr(text, pair) == !strstr(levels[_i].want, words[i]),
		    "%s at %s", words[i], levels[_i].want);
	}
}
END_TEST

START_TEST(long_line_is_cut)
{
	static char value[3 * LINE_BYTES_MAX];

	memset(value, 'v', sizeof(value) - 1);
	capture_begin();
	log_info(&request, "long", "value=%s", value);
	const char *text = capture_end();
	ck_assert_uint_le(strlen(text), LINE_BYTES_MAX);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	assert_matches(text, TIME_PATTERN ".* event=long value=vvvv+\n$");
}
END_TEST

static void *writer(void *arg)
{
	for (int i = 0; i < LINES_PER_THREAD; i++)
		log_info(&request, "busy", "from=%s", (const char *)arg);
	return NULL;
}

START_TEST(lines_do_not_mix)
{
	static const char *const names[THREADS] = { "a", "bb", "ccc", "dddd" };
	pthread_t threads[THREADS];
	size_t lines = 0;

	capture_begin();
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, writer,
				     (void *)(uintptr_t)names[i]),
		    0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	char *rest = (char *)(uintptr_t)capture_end();
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++)
		assert_matches(line, TIME_PATTERN "level=info .* event=busy "
						  "from=(a|bb|ccc|dddd)$");
	ck_assert_uint_eq(lines, THREADS * LINES_PER_THREAD);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *text, *want;
} quotes[] = {
	{ "plain",       "plain",         "\"plain\"" },
	{ "nothing",     "",              "\"\"" },
	{ "blanks",      "two words",     "\"two words\"" },
	{ "a quote",     "say \"hi\"",    "\"say \\\"hi\\\"\"" },
	{ "a backslash", "C:\\x",         "\"C:\\\\x\"" },
	{ "a new line",  "one\nlevel=x",  "\"one\\x0alevel=x\"" },
	{ "controls",    "\x01\t\x1b[2J\x7f", "\"\\x01\\x09\\x1b[2J\\x7f\"" },
	{ "UTF-8",       "\xc3\xa4",      "\"\xc3\xa4\"" },
	{ "a format",    "%s%n",          "\"%s%n\"" },
};
/* clang-format on */

START_TEST(quoted_escapes)
{
	char out[LOG_QUOTED_BYTES];

	ck_assert_ptr_eq(log_quoted(out, quotes[_i].text), out);
	ck_assert_msg(
	    strcmp(out, quotes[_i].want) == 0, "%s: %s", quotes[_i].name, out);
}
END_TEST

/* Whatever is in it and wherever it is cut, it fits and ends as promised. */
START_TEST(quoted_cuts)
{
	static const char fills[] = { 'a', '"', '\n' };
	char text[3 * LOG_QUOTED_BYTES] = "", out[LOG_QUOTED_BYTES];

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		text[len] = fills[_i];
		text[len + 1] = '\0';
		memset(out, 'x', sizeof(out));
		log_quoted(out, text);
		size_t used = strnlen(out, sizeof(out));
		ck_assert_uint_lt(used, sizeof(out));
		ck_assert_int_eq(out[0], '"');
		ck_assert_int_eq(out[used - 1], '"');
		ck_assert_ptr_null(strchr(out, '\n'));
		if (len >= LOG_QUOTED_BYTES)
			ck_assert_str_eq(out + used - 4, "...\"");
	}
}
END_TEST

static Suite *log_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *lines = tcase_create("O-03 one line an event");
	TCase *quoted = tcase_create("O-03 R-03 values from outside");

	tcase_add_test(lines, line_shape);
	tcase_add_test(lines, line_without_request_or_rest);
	tcase_add_loop_test(lines, level_filters, 0, (int)nitems(levels));
	tcase_add_test(lines, long_line_is_cut);
	tcase_add_test(lines, lines_do_not_mix);
	suite_add_tcase(suite, lines);
	tcase_add_loop_test(quoted, quoted_escapes, 0, (int)nitems(quotes));
	tcase_add_loop_test(quoted, quoted_cuts, 0, 3);
	suite_add_tcase(suite, quoted);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(log_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
