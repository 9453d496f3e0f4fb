#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/util.h"
#include "scratch.h"

/* clang-format off */
static const struct conf_key keys[] = {
	{ "home",  "name",     CONF_TEXT,     "nobody",    0,    0,         NULL,      "a text" },
	{ "home",  "folder",   CONF_PATH,     "/srv",      0,    0,         NULL,      "a path" },
	{ "home",  "spare",    CONF_PATH,     "",          0,    0,         NULL,      "no path unless set" },
	{ "home",  "listen",   CONF_ENDPOINT, "tcp://127.0.0.1:7400", 0, 0, NULL,      "an endpoint" },
	{ "home",  "web",      CONF_ADDRESS,  "",          0,    0,         NULL,      "an address" },
	{ "limit", "tries",    CONF_NUMBER,   "3",         1,    10,        NULL,      "a number" },
	{ "limit", "map",      CONF_SIZE,     "1G",        4096, 1ull << 40, NULL,     "a size" },
	{ "limit", "pause",    CONF_DURATION, "5min",      1000, 86400000,  NULL,      "a duration" },
	{ "limit", "level",    CONF_CHOICE,   "info",      0,    0,         "error|info|debug", "a choice" },
	{ "limit", "who",      CONF_INSTANCE, "door",      0,    0,         "door",    "one of several" },
	/* a second key of the same name, elsewhere */
	{ "other", "name",     CONF_TEXT,     "",          0,    0,         NULL,      "another text" },
};
/* clang-format on */

static const char *path;
static struct conf *conf;

static void setup(void)
{
	scratch_make();
	path = scratch_path("keepsake.conf");
}

static void teardown(void)
{
	conf_destroy(&conf);
	scratch_remove();
}

/* Load ${text} as the file; what was said on standard error goes to said. */
static enum status load(const char *text, const char **said)
{
	scratch_write("keepsake.conf", text, strlen(text), 0600);
	path = scratch_path("keepsake.conf");
	capture_begin(STDERR_FILENO);
	enum status st = conf_load(keys, nitems(keys), path, &conf);
	*said = capture_end();
	return st;
}

START_TEST(defaults)
{
	const char *said;

	ck_assert_int_eq(load("", &said), STATUS_OK);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(conf_text(conf, "home", "name"), "nobody");
	ck_assert_str_eq(conf_text(conf, "home", "spare"), "");
	ck_assert_str_eq(conf_text(conf, "limit", "map"), "1G");
	ck_assert_uint_eq(conf_number(conf, "limit", "tries"), 3);
	ck_assert_uint_eq(conf_number(conf, "limit", "map"), 1ull << 30);
	ck_assert_uint_eq(conf_number(conf, "limit", "pause"), 300000);
}
END_TEST

START_TEST(no_file_wanted)
{
	ck_assert_int_eq(conf_load(keys, nitems(keys), NULL, &conf), STATUS_OK);
	ck_assert_uint_eq(conf_number(conf, "limit", "tries"), 3);
}
END_TEST

START_TEST(values)
{
	const char *said;

	ck_assert_int_eq(load("# comment\r\n"
			      "\n"
			      "  [home]  \n"
			      "name = Anna = Bert # no comment\n"
			      "\tfolder=/tmp\n"
			      "listen =\n"
			      "[limit]\n"
			      "tries\t=\t10\n"
			      "map = 4096\n"
			      "pause = 1d\n"
			      "level = debug\n"
			      "who = door-2b-West\n"
			      "[other]\n"
			      "[home]\n"
			      "spare = /spare",
			     &said),
	    STATUS_OK);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(
	    conf_text(conf, "home", "name"), "Anna = Bert # no comment");
	ck_assert_str_eq(conf_text(conf, "home", "folder"), "/tmp");
	ck_assert_str_eq(conf_text(conf, "home", "listen"), "");
	ck_assert_str_eq(conf_text(conf, "home", "spare"), "/spare");
	ck_assert_str_eq(conf_text(conf, "limit", "level"), "debug");
	ck_assert_str_eq(conf_text(conf, "limit", "who"), "door-2b-West");
	ck_assert_str_eq(conf_text(conf, "other", "name"), "");
	ck_assert_uint_eq(conf_number(conf, "limit", "tries"), 10);
	ck_assert_uint_eq(conf_number(conf, "limit", "map"), 4096);
	ck_assert_uint_eq(conf_number(conf, "limit", "pause"), 86400000);
}
END_TEST

#define A_SIZE "expected a size from 4096 to 1099511627776 bytes, such as 64M\n"
#define A_DURATION \
	"expected a duration from 1000 to 86400000 ms, such as 5min\n"
#define A_CHOICE    "expected one of error|info|debug\n"
#define AN_INSTANCE "expected door or door-NAME, at most 63 bytes\n"
#define AN_ADDRESS  "expected IP:PORT, such as 127.0.0.1:9641 or [::1]:9641\n"
#define AN_ENDPOINT "expected tcp://HOST:PORT or ipc:///FOLDER/NAME\n"

/* clang-format off */
static const struct {
	const char *name, *text, *said; /* behind the file's name */
} faults[] = {
	{ "unknown section",      "[hom]\n",                            ":1: section: got \"hom\", expected a known section\n" },
	{ "section in another case", "[Home]\n",                        ":1: section: got \"Home\", expected a known section\n" },
	{ "section without end",  "[home\n",                            ":1: section: got \"[home\", expected [section]\n" },
	{ "unknown key",          "\n[home]\nnaem = x\n",               ":3: [home]: got \"naem\", expected a known key\n" },
	{ "another section's key", "[home]\ntries = 3\n",               ":2: [home]: got \"tries\", expected a known key\n" },
	{ "key in no section",    "name = x\n",                         ":1: []: got \"name\", expected a known key\n" },
	{ "no key",               "[home]\n= x\n",                      ":2: [home]: got \"\", expected a known key\n" },
	{ "no value",             "[home]\nname\n",                     ":2: line: got \"name\", expected key = value\n" },
	{ "key twice",            "[home]\nname = a\nname = b\n",       ":3: [home] name: got \"the key a second time\", expected it once\n" },
	{ "key twice, the same",  "[home]\nname = a\n[home]\nname = a\n", ":4: [home] name: got \"the key a second time\", expected it once\n" },
	{ "path, relative",       "[home]\nfolder = tmp\n",             ":2: [home] folder: got \"tmp\", expected an absolute path\n" },
	{ "path, empty",          "[home]\nfolder =\n",                 ":2: [home] folder: got \"\", expected an absolute path\n" },
	{ "endpoint, no scheme",  "[home]\nlisten = host:1\n",          ":2: [home] listen: got \"host:1\", " AN_ENDPOINT },
	{ "endpoint, no port",    "[home]\nlisten = tcp://host\n",      ":2: [home] listen: got \"tcp://host\", " AN_ENDPOINT },
	{ "endpoint, no host",    "[home]\nlisten = tcp://:1\n",        ":2: [home] listen: got \"tcp://:1\", " AN_ENDPOINT },
	{ "endpoint, port 0",     "[home]\nlisten = tcp://host:0\n",    ":2: [home] listen: got \"tcp://host:0\", " AN_ENDPOINT },
	{ "endpoint, port 65536", "[home]\nlisten = tcp://host:65536\n", ":2: [home] listen: got \"tcp://host:65536\", " AN_ENDPOINT },
	{ "endpoint, ipc relative", "[home]\nlisten = ipc://run\n",     ":2: [home] listen: got \"ipc://run\", " AN_ENDPOINT },
	{ "endpoint, ipc empty",  "[home]\nlisten = ipc:///\n",         ":2: [home] listen: got \"ipc:///\", " AN_ENDPOINT },
	{ "endpoint, ipc in /",   "[home]\nlisten = ipc:///name\n",     ":2: [home] listen: got \"ipc:///name\", " AN_ENDPOINT },
	{ "endpoint, ipc folder", "[home]\nlisten = ipc:///run/\n",     ":2: [home] listen: got \"ipc:///run/\", " AN_ENDPOINT },
	{ "address, no port",     "[home]\nweb = 127.0.0.1\n",          ":2: [home] web: got \"127.0.0.1\", " AN_ADDRESS },
	{ "address, a name",      "[home]\nweb = localhost:80\n",       ":2: [home] web: got \"localhost:80\", " AN_ADDRESS },
	{ "address, IPv6 alone",  "[home]\nweb = ::1:80\n",             ":2: [home] web: got \"::1:80\", " AN_ADDRESS },
	{ "address, an endpoint", "[home]\nweb = tcp://127.0.0.1:80\n", ":2: [home] web: got \"tcp://127.0.0.1:80\", " AN_ADDRESS },
	{ "number, too small",    "[limit]\ntries = 0\n",               ":2: [limit] tries: got \"0\", expected a number from 1 to 10\n" },
	{ "number, too large",    "[limit]\ntries = 11\n",              ":2: [limit] tries: got \"11\", expected a number from 1 to 10\n" },
	{ "number, none",         "[limit]\ntries = three\n",           ":2: [limit] tries: got \"three\", expected a number from 1 to 10\n" },
	{ "size, too small",      "[limit]\nmap = 4095\n",              ":2: [limit] map: got \"4095\", " A_SIZE },
	{ "size, too large",      "[limit]\nmap = 2T\n",                ":2: [limit] map: got \"2T\", " A_SIZE },
	{ "size, another unit",   "[limit]\nmap = 64MB\n",              ":2: [limit] map: got \"64MB\", " A_SIZE },
	{ "duration, too short",  "[limit]\npause = 999ms\n",           ":2: [limit] pause: got \"999ms\", " A_DURATION },
	{ "duration, too long",   "[limit]\npause = 2d\n",              ":2: [limit] pause: got \"2d\", " A_DURATION },
	{ "duration, no unit",    "[limit]\npause = 5000\n",            ":2: [limit] pause: got \"5000\", " A_DURATION },
	{ "instance, another",    "[limit]\nwho = window\n",            ":2: [limit] who: got \"window\", " AN_INSTANCE },
	{ "instance, empty",      "[limit]\nwho =\n",                   ":2: [limit] who: got \"\", " AN_INSTANCE },
	{ "instance, no hyphen",  "[limit]\nwho = door2\n",             ":2: [limit] who: got \"door2\", " AN_INSTANCE },
	{ "instance, no name",    "[limit]\nwho = door-\n",             ":2: [limit] who: got \"door-\", " AN_INSTANCE },
	{ "instance, a path",     "[limit]\nwho = door-../x\n",         ":2: [limit] who: got \"door-../x\", " AN_INSTANCE },
	{ "instance, too long",   "[limit]\nwho = door-a234567890123456789012345678901234567890123456789012345678x\n", ":2: [limit] who: got \"door-a234567890123456789012345678901234567890123456789012345678x\", " AN_INSTANCE },
	{ "choice, none of them", "[limit]\nlevel = warning\n",         ":2: [limit] level: got \"warning\", " A_CHOICE },
	{ "choice, empty",        "[limit]\nlevel =\n",                 ":2: [limit] level: got \"\", " A_CHOICE },
	{ "choice, its beginning", "[limit]\nlevel = inf\n",            ":2: [limit] level: got \"inf\", " A_CHOICE },
	{ "choice, two of them",  "[limit]\nlevel = error|info\n",      ":2: [limit] level: got \"error|info\", " A_CHOICE },
};
/* clang-format on */

START_TEST(fault)
{
	char want[2 * SCRATCH_BYTES];
	const char *said;
	enum status st = load(faults[_i].text, &said);

	ck_assert_msg(st == STATUS_MALFORMED, "%s: got '%s'", faults[_i].name,
	    status_text(st));
	ck_assert_ptr_null(conf);
	snprintf(want, sizeof(want), "%s%s", path, faults[_i].said);
	ck_assert_msg(strcmp(said, want) == 0, "%s: said '%s', want '%s'",
	    faults[_i].name, said, want);
}
END_TEST

START_TEST(every_fault_is_said)
{
	const char *said;

	ck_assert_int_eq(load("[home]\nfolder = a\nlisten = b\n"
			      "[limit]\ntries = 99\n",
			     &said),
	    STATUS_MALFORMED);
	ck_assert_ptr_nonnull(strstr(said, ":2: [home] folder: "));
	ck_assert_ptr_nonnull(strstr(said, ":3: [home] listen: "));
	ck_assert_ptr_nonnull(strstr(said, ":5: [limit] tries: "));
}
END_TEST

#define LINE_BYTES_MAX 4096 /* with its newline, less than that */

START_TEST(long_line)
{
	static const struct {
		size_t bytes;
		enum status want;
	} lines[] = {
		{ LINE_BYTES_MAX - 1, STATUS_OK },
		{ LINE_BYTES_MAX, STATUS_MALFORMED },
		{ 3 * LINE_BYTES_MAX, STATUS_MALFORMED },
	};
	char text[4 * LINE_BYTES_MAX] = "[home]\nname = ";
	size_t begin = strlen("[home]\n"), end = begin + lines[_i].bytes;
	const char *said;

	memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
	text[end - 1] = '\n';
	text[end] = '\0';
	ck_assert_int_eq(load(text, &said), lines[_i].want);
	if (lines[_i].want == STATUS_OK)
		ck_assert_uint_eq(strlen(conf_text(conf, "home", "name")),
		    lines[_i].bytes - strlen("name = \n"));
	else
		ck_assert_ptr_nonnull(
		    strstr(said, ":2: line: got \"too long a line\", "
				 "expected less than 4096 bytes\n"));
}
END_TEST

START_TEST(missing)
{
	char want[2 * SCRATCH_BYTES];

	capture_begin(STDERR_FILENO);
	enum status st = conf_load(keys, nitems(keys), path, &conf);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_NOT_FOUND);
	ck_assert_ptr_null(conf);
	snprintf(want, sizeof(want), "%s: No such file or directory\n", path);
	ck_assert_str_eq(said, want);

	/* a folder can be opened, and not be read */
	capture_begin(STDERR_FILENO);
	st = conf_load(keys, nitems(keys), scratch, &conf);
	said = capture_end();
	ck_assert_int_eq(st, STATUS_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(said, "Is a directory"));
}
END_TEST

START_TEST(environment)
{
	const char *said;

	ck_assert_int_eq(setenv("KEEPSAKE_HOME_NAME", "Carl", 1), 0);
	ck_assert_int_eq(setenv("KEEPSAKE_LIMIT_TRIES", "7", 1), 0);
	ck_assert_int_eq(setenv("KEEPSAKE_HOME_LISTEN", "", 1), 0);
	ck_assert_int_eq(
	    load("[home]\nname = Anna\nfolder = /tmp\n", &said), STATUS_OK);
	ck_assert_str_eq(conf_text(conf, "home", "name"), "Carl");
	ck_assert_str_eq(conf_text(conf, "home", "folder"), "/tmp");
	ck_assert_str_eq(conf_text(conf, "home", "listen"), "");
	ck_assert_str_eq(conf_text(conf, "other", "name"), "");
	ck_assert_uint_eq(conf_number(conf, "limit", "tries"), 7);
	conf_destroy(&conf);
	/* also where there is no file */
	ck_assert_int_eq(conf_load(keys, nitems(keys), NULL, &conf), STATUS_OK);
	ck_assert_str_eq(conf_text(conf, "home", "name"), "Carl");
}
END_TEST

START_TEST(environment_wrong)
{
	const char *said;

	ck_assert_int_eq(setenv("KEEPSAKE_LIMIT_TRIES", "77", 1), 0);
	ck_assert_int_eq(load("[limit]\ntries = 7\n", &said), STATUS_MALFORMED);
	ck_assert_ptr_null(conf);
	ck_assert_str_eq(said,
	    "environment: KEEPSAKE_LIMIT_TRIES: [limit] tries: "
	    "got \"77\", expected a number from 1 to 10\n");
}
END_TEST

/* What conf_print prints is a file that says the same. */
START_TEST(print)
{
	const char *said;

	ck_assert_int_eq(load("[home]\nname =\nlisten =\n"
			      "[limit]\npause = 2h\nlevel = error\n",
			     &said),
	    STATUS_OK);
	capture_begin(STDOUT_FILENO);
	conf_print(conf);
	char *printed = strdup(capture_end());
	ck_assert_ptr_nonnull(printed);
	ck_assert_ptr_nonnull(strstr(printed, "[limit]\n# a number\n"));
	ck_assert_ptr_nonnull(strstr(printed, "\n# spare = \n"));
	conf_destroy(&conf);
	ck_assert_int_eq(load(printed, &said), STATUS_OK);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(conf_text(conf, "home", "name"), "");
	ck_assert_str_eq(conf_text(conf, "home", "listen"), "");
	ck_assert_str_eq(conf_text(conf, "home", "folder"), "/srv");
	ck_assert_uint_eq(conf_number(conf, "limit", "pause"), 7200000);
	ck_assert_str_eq(conf_text(conf, "limit", "level"), "error");
	free(printed);
}
END_TEST

/* bytes nobody wrote on purpose. */
START_TEST(noise)
{
	char bytes[2000];
	unsigned int state = (unsigned int)_i;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)rand_r(&state);
	scratch_write("keepsake.conf", bytes, sizeof(bytes), 0600);
	capture_begin(STDERR_FILENO);
	enum status st =
	    conf_load(keys, nitems(keys), scratch_path("keepsake.conf"), &conf);
	capture_end();
	ck_assert_int_eq(st, STATUS_MALFORMED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *good = tcase_create("O-07 configuration");
	TCase *bad = tcase_create("O-07 wrong configuration");
	TCase *hostile = tcase_create("R-03 O-07 no configuration at all");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_checked_fixture(hostile, setup, teardown);
	tcase_add_test(good, defaults);
	tcase_add_test(good, no_file_wanted);
	tcase_add_test(good, values);
	tcase_add_test(good, environment);
	tcase_add_test(good, print);
	tcase_add_loop_test(bad, fault, 0, (int)nitems(faults));
	tcase_add_test(bad, every_fault_is_said);
	tcase_add_loop_test(bad, long_line, 0, 3);
	tcase_add_test(bad, missing);
	tcase_add_test(bad, environment_wrong);
	tcase_add_loop_test(hostile, noise, 0, 8);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, hostile);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
