#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/util.h"
#include "scratch.h"
#include "service/sandbox.h"
#include "service/settings.h"

/*
 * Each act is tried twice in a process of its own: without the sandbox, where
 * it has to work, and within it.  In the scratch folder are data and ledger of
 * store, the keys, and what is none of store's affair in other.
 */

#define EXIT_NO_CALL 99

static struct conf *conf;

static void make_conf(const char *wanted)
{
	char text[8 * SCRATCH_BYTES];

	snprintf(text, sizeof(text),
	    "[common]\nsandbox = %s\nrun = %s/run\nkeys = %s/keys\n"
	    "[store]\ndata = %s/store\nledger = %s/deep/ledger\n"
	    "audit_heads = %s/heads/store\n"
	    "[auth]\ndata = %s/other\n[gateway]\n",
	    wanted, scratch, scratch, scratch, scratch, scratch, scratch);
	scratch_write("keepsake.conf", text, strlen(text), 0600);
	ck_assert_int_eq(conf_load(settings, settings_count,
			     scratch_path("keepsake.conf"), &conf),
	    STATUS_OK);
}

static void setup(void)
{
	static const char *const folders[] = { "keys", "store", "other",
		"heads" };

	scratch_make();
	for (size_t i = 0; i < nitems(folders); i++)
		ck_assert_int_eq(mkdir(scratch_path(folders[i]), 0700), 0);
	scratch_write("keys/store.key", "x", 1, 0600);
	scratch_write("keys/gateway.key", "x", 1, 0600);
	scratch_write("keys/auth.public", "x", 1, 0644);
	scratch_write("store/file", "x", 1, 0600);
	scratch_write("other/file", "x", 1, 0600);
	scratch_write("program", "#!/bin/sh\n", 10, 0700);
	make_conf("auto");
}

static void teardown(void)
{
	conf_destroy(&conf);
	scratch_remove();
}

/* ---- acts: 0, or why they failed ---- */

static int try_open(const char *name, int flags)
{
	int fd = open(scratch_path(name), flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int read_own(void)
{
	return try_open("store/file", O_RDONLY);
}
static int write_own(void)
{
	return try_open("store/new", O_RDWR | O_CREAT);
}
static int write_heads(void)
{
	return try_open("heads/a", O_RDWR | O_CREAT);
}
static int read_key(void)
{
	return try_open("keys/store.key", O_RDONLY);
}
static int write_key(void)
{
	return try_open("keys/store.key", O_RDWR);
}
static int read_public(void)
{
	return try_open("keys/auth.public", O_RDONLY);
}
static int gateway_key(void)
{
	return try_open("keys/gateway.key", O_RDONLY);
}
static int read_other(void)
{
	return try_open("other/file", O_RDONLY);
}
static int write_other(void)
{
	return try_open("other/a", O_RDWR | O_CREAT);
}
static int cut_other(void)
{
	return truncate(scratch_path("other/file"), 0) == 0 ? 0 : errno;
}

static int make_ledger(void)
{
	/* sandbox_files has made it; without it there is none yet */
	return try_open("deep/ledger/new", O_RDWR | O_CREAT);
}

static int rename_own(void)
{
	return rename(scratch_path("store/file"), scratch_path("store/was")) ==
		       0
		   ? 0
		   : errno;
}

static int link_own(void)
{
	return link(scratch_path("store/file"), scratch_path("store/two")) == 0
		   ? 0
		   : errno;
}

static int take_away(void)
{
	return unlink(scratch_path("other/file")) == 0 ? 0 : errno;
}

static int read_hosts(void)
{
	return access("/etc/hosts", F_OK) != 0 ||
		       open("/etc/hosts", O_RDONLY | O_CLOEXEC) >= 0
		   ? 0
		   : errno;
}

static int read_proc(void)
{
	return open("/proc/self/statm", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

/* In place of this process, which so ends well where it can. */
static int run_program(void)
{
	char *argv[] = { "program", NULL };

	execv(scratch_path("program"), argv);
	return errno;
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno;
	return waitpid(pid, NULL, 0) == pid ? 0 : errno;
}

#ifndef __SANITIZE_ADDRESS__ /* it has that itself to do at the end */
static int look_into(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}
#endif

static int leave_name_space(void)
{
	return unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
}

static int look_for_processes(void)
{
	return syscall(SYS_pidfd_open, getpid(), 0) >= 0 ? 0 : errno;
}

static int socket_of(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int tcp_socket(void)
{
	return socket_of(AF_INET, SOCK_STREAM);
}
static int tcp6_socket(void)
{
	return socket_of(AF_INET6, SOCK_STREAM);
}
static int unix_socket(void)
{
	return socket_of(AF_UNIX, SOCK_DGRAM);
}
static int route_socket(void)
{
	return socket_of(AF_NETLINK, SOCK_RAW);
}
static int packet_socket(void)
{
	return socket_of(AF_PACKET, SOCK_DGRAM);
}
static int crypto_socket(void)
{
	return socket_of(AF_ALG, SOCK_SEQPACKET);
}

static int map(int protection)
{
	return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) == MAP_FAILED
		   ? errno
		   : 0;
}

static int map_data(void)
{
	return map(PROT_READ | PROT_WRITE);
}
static int map_code(void)
{
	return map(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int turn_into_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return EXIT_NO_CALL;
	return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
}

static void *thread_acts(void *arg)
{
	*(int *)arg = read_other();
	return NULL;
}

static int read_other_by_thread(void)
{
	pthread_t thread;
	int result = EXIT_NO_CALL;

	if (pthread_create(&thread, NULL, thread_acts, &result) != 0)
		return EXIT_NO_CALL;
	pthread_join(thread, NULL);
	return result;
}

/* ---- what becomes of them ---- */

/* clang-format off */
enum part { FILES, CALLS };

static const struct {
	const char *text;
	const char *program;
	enum part part;
	int (*act)(void);
	int want; /* within; without it is 0, but as ${outside} has it */
	int outside;
} cases[] = {
	{ "its data are read",             "store",   FILES, read_own,        0, 0 },
	{ "its data are written",          "store",   FILES, write_own,       0, 0 },
	{ "in its folder names change",    "store",   FILES, rename_own,      0, 0 },
	{ "a file there has two names",    "store",   FILES, link_own,        0, 0 },
	{ "a missing ledger was made",     "store",   FILES, make_ledger,     0, ENOENT },
	{ "heads of the audit log",        "store",   FILES, write_heads,     0, 0 },
	{ "its keys are read again",       "store",   FILES, read_key,        0, 0 },
	{ "keys are not written",          "store",   FILES, write_key,       EACCES, 0 },
	{ "others' data are not read",     "store",   FILES, read_other,      EACCES, 0 },
	{ "nor written",                   "store",   FILES, write_other,     EACCES, 0 },
	{ "nor cut short",                 "store",   FILES, cut_other,       EACCES, 0 },
	{ "nor taken away",                "store",   FILES, take_away,       EACCES, 0 },
	{ "nor read by a thread",          "store",   FILES, read_other_by_thread, EACCES, 0 },
	{ "hosts are found",               "store",   FILES, read_hosts,      0, 0 },
	{ "figures of the process",        "store",   FILES, read_proc,       0, 0 },
	{ "the gateway reads its key",     "gateway", FILES, gateway_key,     0, 0 },
	{ "and public ones",               "gateway", FILES, read_public,     0, 0 },
	{ "but no other secret",           "gateway", FILES, read_key,        EACCES, 0 },
	{ "the gateway writes nowhere",    "gateway", FILES, write_own,       EACCES, 0 },
	{ "no program is run",             "store",   FILES, run_program,     EACCES, 0 },
	{ "no program is run, by seccomp", "store",   CALLS, run_program,     EPERM, 0 },
#ifndef __SANITIZE_ADDRESS__
	{ "no process is made",            "store",   CALLS, make_process,    EPERM, 0 },
	{ "no process is looked into",     "store",   CALLS, look_into,       EPERM, 0 },
#endif
	{ "no name space is left",         "store",   CALLS, leave_name_space, EPERM, 0 },
	{ "no process is found",           "store",   CALLS, look_for_processes, EPERM, 0 },
	{ "tcp",                           "store",   CALLS, tcp_socket,      0, 0 },
	{ "tcp over IPv6",                 "store",   CALLS, tcp6_socket,     0, 0 },
	{ "a socket of the machine",       "store",   CALLS, unix_socket,     0, 0 },
	{ "how addresses are sorted",      "store",   CALLS, route_socket,    0, 0 },
	{ "no packets",                    "store",   CALLS, packet_socket,   EAFNOSUPPORT, 0 },
	{ "no sockets of other kinds",     "store",   CALLS, crypto_socket,   EAFNOSUPPORT, -1 },
	{ "memory to write to",            "store",   CALLS, map_data,        0, 0 },
	{ "none to write to and run",      "store",   CALLS, map_code,        EPERM, 0 },
	{ "what was written is not run",   "store",   CALLS, turn_into_code,  EPERM, 0 },
};
/* clang-format on */

/* Enter a part of the sandbox; what it logs is dropped. */
static bool enter(const char *program, enum part part)
{
	struct sandbox sandbox = { 0 };

	log_level_set(LOG_ERROR);
	if (part == FILES)
		return sandbox_files(&sandbox, conf, program) == STATUS_OK &&
		       sandbox.landlock > 0;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       sandbox_calls(&sandbox, conf) == STATUS_OK;
}

/* Do ${act} in a process of its own; returns what it returned. */
static int outcome(int index, bool within)
{
	int status;

	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (within && !enter(cases[index].program, cases[index].part))
			_exit(EXIT_NO_CALL);
		_exit(cases[index].act());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "%s: ended by signal %d",
	    cases[index].text, WTERMSIG(status));
	return WEXITSTATUS(status);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		   LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

START_TEST(acts)
{
	if (cases[_i].part == FILES && !has_landlock()) {
		printf("skipped: this kernel has no Landlock\n");
		return;
	}
	int got = outcome(_i, true);
	ck_assert_msg(got == cases[_i].want, "%s: got '%s', want '%s'",
	    cases[_i].text, strerror(got), strerror(cases[_i].want));
	teardown();
	setup();
	if (cases[_i].outside < 0)
		return; /* not every kernel has it */
	got = outcome(_i, false);
	ck_assert_msg(got == cases[_i].outside, "%s: without: got '%s'",
	    cases[_i].text, strerror(got));
}
END_TEST

START_TEST(switched_off)
{
	struct sandbox sandbox;

	conf_destroy(&conf);
	make_conf("no");
	ck_assert_int_eq(sandbox_files(&sandbox, conf, "store"), STATUS_OK);
	ck_assert_int_eq(sandbox_calls(&sandbox, conf), STATUS_OK);
	ck_assert_uint_eq(sandbox.landlock, 0);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	ck_assert_int_eq(read_other(), 0);
	ck_assert_int_eq(make_process(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tc = tcase_create("O-05 R-06 what is left of a taken process");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, acts, 0, nitems(cases));
	tcase_add_test(tc, switched_off);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
