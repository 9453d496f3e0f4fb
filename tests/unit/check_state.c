#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "crypto/arena.h"
#include "state.h"

/* A folder of its own for each test, in TMPDIR. */
static char base[PATH_MAX];
static char folder[PATH_MAX + 16];

static void make_base(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(base, sizeof(base), "%s/check_state.XXXXXX",
	    temporary ? temporary : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(folder, sizeof(folder), "%s/state", base);
	ck_assert_int_eq(arena_open(4096), STATUS_OK);
}

static void remove_base(void)
{
	char command[PATH_MAX + 32];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	ck_assert_int_eq(system(command), 0);
	arena_close();
}

static struct state *opened(void)
{
	struct state *state = NULL;
	const char *why;

	ck_assert_int_eq(state_open(&state, folder, &why), STATUS_OK);
	ck_assert_str_eq(why, "");
	return state;
}

/* Put ${text} into file ${name} of the folder. */
static void put_file(const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX * 2];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static mode_t mode_of(const char *name)
{
	char path[PATH_MAX * 2];
	struct stat found;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ck_assert_int_eq(lstat(path, &found), 0);
	return found.st_mode & 07777;
}

START_TEST(folder_is_made)
{
	struct state *state = opened();

	ck_assert_uint_eq(mode_of("."), 0700);
	ck_assert_str_eq(state_folder(state), folder);
	state_close(&state);
	ck_assert_ptr_null(state);
	state_close(&state);
}
END_TEST

enum disturbance { NOTHING, GROUP_READS, ALL_READ, SYMLINK, PLAIN_FILE };

static const struct {
	const char *name;
	enum disturbance disturbance;
	enum status want;
} folders[] = {
	{ "K-02 as it should be", NOTHING, STATUS_OK },
	{ "K-02 open to a group", GROUP_READS, STATUS_DENIED },
	{ "K-02 open to all", ALL_READ, STATUS_DENIED },
	{ "K-02 a symlink", SYMLINK, STATUS_DENIED },
	{ "K-02 a file", PLAIN_FILE, STATUS_DENIED },
};

START_TEST(folder_is_checked)
{
	struct state *state = NULL;
	const char *why = NULL;
	char slashed[PATH_MAX + 32];

	switch (folders[_i].disturbance) {
	case NOTHING:
		ck_assert_int_eq(mkdir(folder, 0700), 0);
		break;
	case GROUP_READS:
		ck_assert_int_eq(mkdir(folder, 0700), 0);
		ck_assert_int_eq(chmod(folder, 0750), 0);
		break;
	case ALL_READ:
		ck_assert_int_eq(mkdir(folder, 0700), 0);
		ck_assert_int_eq(chmod(folder, 0755), 0);
		break;
	case SYMLINK:
		ck_assert_int_eq(symlink(base, folder), 0);
		break;
	case PLAIN_FILE:
		ck_assert_int_eq(link("/proc/self/exe", folder) == 0 ||
				     fclose(fopen(folder, "w")) == 0,
		    1);
		break;
	}
	/* A slash behind must not lead through a symlink. */
	snprintf(slashed, sizeof(slashed), "%s/", folder);
	enum status st = state_open(&state, slashed, &why);
	ck_assert_msg(st == folders[_i].want, "%s: got %s", folders[_i].name,
	    status_word(st));
	ck_assert_msg(st == STATUS_OK || strlen(why) > 0, "%s: not told why",
	    folders[_i].name);
	state_close(&state);
}
END_TEST

static const struct {
	const char *name, *state_home, *home, *want;
} places[] = {
	{ "XDG first", "/x", "/h", "/x/keepsake" },
	{ "else home", NULL, "/h", "/h/.local/state/keepsake" },
	{ "a relative one is none", "x", "/h", "/h/.local/state/keepsake" },
	{ "nowhere", NULL, NULL, NULL },
};

START_TEST(usual_folder)
{
	char out[PATH_MAX];

	if (places[_i].state_home)
		setenv("XDG_STATE_HOME", places[_i].state_home, 1);
	else
		unsetenv("XDG_STATE_HOME");
	if (places[_i].home)
		setenv("HOME", places[_i].home, 1);
	else
		unsetenv("HOME");
	enum status st = state_folder_usual(out);
	if (!places[_i].want)
		ck_assert_int_eq(st, STATUS_NOT_FOUND);
	else
		ck_assert_msg(st == STATUS_OK && !strcmp(out, places[_i].want),
		    "%s: %s", places[_i].name, out);
}
END_TEST

START_TEST(keys_stay)
{
	struct state *state = opened();
	struct curve_keys first, second;

	ck_assert_int_eq(state_keys(state, &first), STATUS_OK);
	ck_assert_uint_eq(mode_of("terminal.key"), 0600);
	ck_assert_int_eq(state_keys(state, &second), STATUS_OK);
	ck_assert_mem_eq(&first, &second, sizeof(first));
	state_close(&state);
}
END_TEST

START_TEST(open_keys_are_refused)
{
	struct state *state = opened();
	struct curve_keys keys;

	ck_assert_int_eq(state_keys(state, &keys), STATUS_OK);
	char path[PATH_MAX];
	ck_assert(state_path(state, "terminal.key", path));
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(state_keys(state, &keys), STATUS_DENIED);
	state_close(&state);
}
END_TEST

static struct enrolment enrolment_to(const char *host, uint8_t auth)
{
	struct enrolment made = { .port = 7700 };

	snprintf(made.host, sizeof(made.host), "%s", host);
	memset(made.gateway_key, 1, sizeof(made.gateway_key));
	memset(made.auth_x25519, auth, sizeof(made.auth_x25519));
	memset(made.auth_opaque, auth, sizeof(made.auth_opaque));
	return made;
}

START_TEST(enrolment_is_kept)
{
	struct state *state = opened();
	struct enrolment home = enrolment_to("home.example", 2);
	struct enrolment moved = enrolment_to("moved.example", 2);
	struct enrolment other = enrolment_to("other.example", 3);
	struct enrolment found;
	struct state_account account = { .name = "alice" };

	ck_assert_int_eq(state_enrolment(state, &found), STATUS_NOT_FOUND);
	/* Without an account it may be any, one after the other. */
	ck_assert_int_eq(state_set_enrolment(state, &other), STATUS_OK);
	ck_assert_int_eq(state_set_enrolment(state, &home), STATUS_OK);
	ck_assert_uint_eq(mode_of("enrolment"), 0600);
	ck_assert_int_eq(state_enrolment(state, &found), STATUS_OK);
	ck_assert_mem_eq(&found, &home, sizeof(found));
	/* With one, its server may move, but not become another. */
	ck_assert_int_eq(state_set_account(state, &account), STATUS_OK);
	ck_assert_int_eq(state_set_enrolment(state, &moved), STATUS_OK);
	ck_assert_int_eq(state_set_enrolment(state, &other), STATUS_CONFLICT);
	ck_assert_int_eq(state_enrolment(state, &found), STATUS_OK);
	ck_assert_str_eq(found.host, "moved.example");
	state_close(&state);
}
END_TEST

START_TEST(account_is_kept)
{
	struct state *state = opened();
	struct state_account account = { .name = "älice@example.org" };
	struct state_account found;

	ck_assert_int_eq(state_account(state, &found), STATUS_NOT_FOUND);
	ck_assert_int_eq(state_set_account(state, &account), STATUS_OK);
	ck_assert_uint_eq(mode_of("account"), 0600);
	ck_assert_int_eq(state_account(state, &found), STATUS_OK);
	ck_assert_str_eq(found.name, account.name);
	ck_assert(id_is_none(&found.account) && id_is_none(&found.terminal));
	memset(account.account.bytes, 0xa1, ID_BYTES);
	memset(account.terminal.bytes, 0xb2, ID_BYTES);
	ck_assert_int_eq(state_set_account(state, &account), STATUS_OK);
	ck_assert_int_eq(state_account(state, &found), STATUS_OK);
	ck_assert(id_equal(&found.account, &account.account));
	ck_assert(id_equal(&found.terminal, &account.terminal));
	state_close(&state);
}
END_TEST

#define HEX_A "000102030405060708090a0b0c0d0e0f"

static const struct {
	const char *name, *text;
	mode_t mode;
	enum status want;
} accounts[] = {
	{ "whole", "name=a\naccount=" HEX_A "\nterminal=\n", 0600, STATUS_OK },
	{ "another order", "terminal=\naccount=\nname=a\n", 0600, STATUS_OK },
	{ "no last newline", "name=a\naccount=\nterminal=", 0600, STATUS_OK },
	{ "what is not known", "name=a\nx=y\naccount=\nterminal=\n", 0600,
	    STATUS_OK },
	{ "empty", "", 0600, STATUS_MALFORMED },
	{ "no name", "account=\nterminal=\n", 0600, STATUS_MALFORMED },
	{ "an empty name", "name=\naccount=\nterminal=\n", 0600,
	    STATUS_MALFORMED },
	{ "no text", "name=\xff\naccount=\nterminal=\n", 0600,
	    STATUS_MALFORMED },
	{ "a short id", "name=a\naccount=00\nterminal=\n", 0600,
	    STATUS_MALFORMED },
	{ "a long id", "name=a\naccount=" HEX_A "00\nterminal=\n", 0600,
	    STATUS_MALFORMED },
	{ "no hex",
	    "name=a\naccount=\nterminal="
	    "zz0102030405060708090a0b0c"
	    "0d0e0f\n",
	    0600, STATUS_MALFORMED },
	{ "K-02 open to others", "name=a\naccount=\nterminal=\n", 0644,
	    STATUS_DENIED },
};

START_TEST(account_table)
{
	struct state *state = opened();
	struct state_account found;

	put_file("account", accounts[_i].text, accounts[_i].mode);
	enum status st = state_account(state, &found);
	ck_assert_msg(st == accounts[_i].want, "%s: got %s", accounts[_i].name,
	    status_word(st));
	state_close(&state);
}
END_TEST

START_TEST(one_at_a_time)
{
	struct state *first = opened(), *second = opened();
	pid_t holder = 1;

	ck_assert_int_eq(state_lock(first, &holder), STATUS_OK);
	ck_assert_uint_eq(mode_of("lock"), 0600);
	ck_assert_int_eq(state_lock(first, &holder), STATUS_OK);
	ck_assert_int_eq(state_lock(second, &holder), STATUS_CONFLICT);
	ck_assert_int_eq(holder, getpid());
	state_close(&first);
	ck_assert_int_eq(state_lock(second, &holder), STATUS_OK);
	state_close(&second);
}
END_TEST

START_TEST(lock_ends_with_its_process)
{
	struct state *state = opened();
	pid_t holder, child = fork();
	int outcome;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct state *inner = opened();
		_exit(state_lock(inner, &holder) == STATUS_OK ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &outcome, 0), child);
	ck_assert(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
	ck_assert_int_eq(state_lock(state, &holder), STATUS_OK);
	state_close(&state);
}
END_TEST

START_TEST(password_is_checked)
{
	struct state *state = opened();
	struct slice right = slice_text("8:password4:good");
	struct slice wrong = slice_text("8:password4:gooe");
	uint64_t asked_ms = 0;

	ck_assert_int_eq(state_check_password(state, right), STATUS_NOT_FOUND);
	ck_assert_int_eq(
	    state_password_when(state, &asked_ms), STATUS_NOT_FOUND);
	ck_assert_int_eq(state_password_asked(state, 1), STATUS_NOT_FOUND);
	ck_assert_int_eq(state_set_password(state, right, 1000), STATUS_OK);
	ck_assert_uint_eq(mode_of("password-check"), 0600);
	ck_assert_int_eq(state_check_password(state, right), STATUS_OK);
	ck_assert_int_eq(state_check_password(state, wrong), STATUS_DENIED);
	ck_assert_int_eq(state_password_when(state, &asked_ms), STATUS_OK);
	ck_assert_uint_eq(asked_ms, 1000);
	ck_assert_int_eq(state_password_asked(state, 2000), STATUS_OK);
	ck_assert_int_eq(state_password_when(state, &asked_ms), STATUS_OK);
	ck_assert_uint_eq(asked_ms, 2000);
	ck_assert_int_eq(state_check_password(state, right), STATUS_OK);
	state_close(&state);
}
END_TEST

START_TEST(damaged_check)
{
	struct state *state = opened();
	uint64_t asked_ms;

	put_file(
	    "password-check", "verifier=$argon2id$nonsense\nasked=7\n", 0600);
	ck_assert_int_eq(
	    state_check_password(state, slice_text("x")), STATUS_DENIED);
	put_file("password-check", "verifier=\nasked=x\n", 0600);
	ck_assert_int_eq(
	    state_password_when(state, &asked_ms), STATUS_MALFORMED);
	state_close(&state);
}
END_TEST

static bool is_there(const char *name)
{
	char path[PATH_MAX * 2];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

START_TEST(account_is_forgotten)
{
	static const char *const gone[] = { "account", "password-check",
		"sim-pin", "cache-00ff", "cache-" };
	static const char *const stays[] = { "terminal.key", "enrolment",
		"lock", "letter.txt", "cach", "account.bak" };
	struct state *state = opened();

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < nitems(gone); i++)
			put_file(gone[i], "x\n", 0600);
		for (size_t i = 0; i < nitems(stays); i++)
			put_file(stays[i], "x\n", 0600);
		ck_assert_int_eq(state_forget_account(state), STATUS_OK);
		for (size_t i = 0; i < nitems(gone); i++)
			ck_assert_msg(!is_there(gone[i]), "%s", gone[i]);
		for (size_t i = 0; i < nitems(stays); i++)
			ck_assert_msg(is_there(stays[i]), "%s", stays[i]);
		ck_assert_int_eq(state_forget_account(state), STATUS_OK);
	}
	state_close(&state);
}
END_TEST

START_TEST(sim_pin_is_remembered)
{
	struct state *state = opened();
	uint64_t when_ms = 0;

	ck_assert_int_eq(state_sim_pin_when(state, &when_ms), STATUS_NOT_FOUND);
	ck_assert_int_eq(state_sim_pin_forget(state), STATUS_OK);
	ck_assert_int_eq(state_sim_pin_confirm(state, 1234), STATUS_OK);
	ck_assert_uint_eq(mode_of("sim-pin"), 0600);
	ck_assert_int_eq(state_sim_pin_when(state, &when_ms), STATUS_OK);
	ck_assert_uint_eq(when_ms, 1234);
	ck_assert_int_eq(state_sim_pin_forget(state), STATUS_OK);
	ck_assert_int_eq(state_sim_pin_when(state, &when_ms), STATUS_NOT_FOUND);
	state_close(&state);
}
END_TEST

static const struct {
	const char *name, *text;
	mode_t mode;
	enum status want;
} confirmations[] = {
	{ "whole", "confirmed=1\n", 0600, STATUS_OK },
	{ "empty", "", 0600, STATUS_MALFORMED },
	{ "no number", "confirmed=\n", 0600, STATUS_MALFORMED },
	{ "another word", "confirmed=yes\n", 0600, STATUS_MALFORMED },
	{ "too large", "confirmed=18446744073709551616\n", 0600,
	    STATUS_MALFORMED },
	{ "too long", "confirmed=000000000000000000000000000000000000001\n",
	    0600, STATUS_MALFORMED },
	{ "K-02 open to others", "confirmed=1\n", 0644, STATUS_DENIED },
};

START_TEST(sim_pin_table)
{
	struct state *state = opened();
	uint64_t when_ms;

	put_file("sim-pin", confirmations[_i].text, confirmations[_i].mode);
	enum status st = state_sim_pin_when(state, &when_ms);
	ck_assert_msg(st == confirmations[_i].want, "%s: got %s",
	    confirmations[_i].name, status_word(st));
	state_close(&state);
}
END_TEST

static void add_case(
    Suite *suite, const char *name, const TTest *const *tests, size_t count)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, make_base, remove_base);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
}

static void add_loop(
    Suite *suite, const char *name, const TTest *test, size_t rows)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, make_base, remove_base);
	tcase_add_loop_test(tcase, test, 0, (int)rows);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	const TTest *const files[] = { folder_is_made, keys_stay,
		open_keys_are_refused, enrolment_is_kept, account_is_kept };
	const TTest *const locks[] = { one_at_a_time,
		lock_ends_with_its_process };
	const TTest *const passwords[] = { password_is_checked, damaged_check };
	const TTest *const forgotten[] = { account_is_forgotten };
	const TTest *const sim_pin[] = { sim_pin_is_remembered };
	Suite *suite = suite_create("state");

	add_case(suite, "K-02 files of a terminal", files, nitems(files));
	add_loop(
	    suite, "K-02 folders refused", folder_is_checked, nitems(folders));
	add_loop(suite, "T-01 usual folder", usual_folder, nitems(places));
	add_loop(suite, "T-01 account file", account_table, nitems(accounts));
	add_case(suite, "B-08 one backup at a time", locks, nitems(locks));
	add_case(
	    suite, "K-06 password asked for", passwords, nitems(passwords));
	add_case(suite, "A-12 account forgotten", forgotten, nitems(forgotten));
	add_case(suite, "A-05 SIM PIN confirmed", sim_pin, nitems(sim_pin));
	add_loop(
	    suite, "A-05 SIM PIN file", sim_pin_table, nitems(confirmations));

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
