#include "supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "service/program.h"
#include "service/settings.h"

#define LIVED_MS       1000 /* who lived as long is started again at once */
#define PAUSE_MS_FIRST 100
#define PAUSE_MS_MAX   1000
#define STOP_MS_MAX    9000 /* then who has not ended is killed: 10 s in all */

/* One bearer and the process that it is at the moment. */
struct bearer {
	const char *name;
	pid_t pid; /* 0: does not run */
	uint64_t started_ms;
	uint64_t pause_ms; /* before the next start */
	uint64_t due_ms;   /* of the next start */
};

struct supervisor {
	char **argv;
	pid_t pid;               /* its own: 1 in a container */
	sigset_t waited, former; /* signals */
	bool stopping;
	uint64_t kill_ms; /* when stopping: on clock_interval_ms */
	int exit_code;
};

/* In the new process: never returns. */
static void become(const struct supervisor *self, const struct bearer *bearer)
{
	size_t count = 0;

	while (self->argv[count])
		count++;
	char **argv = calloc(count + 2, sizeof(*argv));
	/* Ctrl-C is for us, who pass it on: asked twice it would not wait. */
	setpgid(0, 0);
	/* Nobody is to hold the port when we are killed. */
	if (!argv || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	    getppid() != self->pid)
		_exit(EXIT_FAILURE);
	argv[0] = self->argv[0];
	argv[1] = (char *)bearer->name;
	memcpy(argv + 2, self->argv + 1, (count - 1) * sizeof(*argv));
	sigprocmask(SIG_SETMASK, &self->former, NULL);
	execv("/proc/self/exe", argv);
	_exit(EXIT_FAILURE);
}

static void start(struct supervisor *self, struct bearer *bearer)
{
	bearer->started_ms = clock_interval_ms();
	pid_t pid = fork();
	if (pid == 0)
		become(self, bearer);
	if (pid < 0) {
		log_error(NULL, "fork_failed", "bearer=%s error=\"%s\"",
		    bearer->name, strerror(errno));
		bearer->due_ms = bearer->started_ms + PAUSE_MS_MAX;
		return;
	}
	bearer->pid = pid;
}

static void signal_all(
    const struct bearer *bearers, size_t count, int signal_number)
{
	for (size_t i = 0; i < count; i++)
		if (bearers[i].pid > 0)
			kill(bearers[i].pid, signal_number);
}

/* Stop all: the bearers are told to, and end when they are done. */
static void stop(struct supervisor *self, struct bearer *bearers, size_t count)
{
	if (!self->stopping)
		self->kill_ms = clock_interval_ms() + STOP_MS_MAX;
	self->stopping = true;
	signal_all(bearers, count, SIGTERM);
}

/* End who does not end by itself; returns how long until then, in ms. */
static uint64_t kill_late(
    struct supervisor *self, struct bearer *bearers, size_t count)
{
	uint64_t now_ms = clock_interval_ms();

	if (!self->stopping)
		return UINT32_MAX;
	if (now_ms < self->kill_ms)
		return self->kill_ms - now_ms;
	log_warning(NULL, "stop_timed_out", NULL);
	signal_all(bearers, count, SIGKILL);
	self->kill_ms = UINT64_MAX; /* once */
	return UINT32_MAX;
}

/*
 * Log as the configuration says, which the bearer that has just run had
 * read: before that nothing is logged, and it says what is wrong with it.
 */
static void log_as(char **argv)
{
	struct conf *conf = NULL;

	if (conf_load(settings, settings_count, program_config(argv), &conf) ==
	    STATUS_OK)
		program_log_as(conf);
	conf_destroy(&conf);
}

static void plan_restart(struct bearer *bearer, int signal_number)
{
	uint64_t now_ms = clock_interval_ms();
	bool lived = now_ms - bearer->started_ms >= LIVED_MS;

	bearer->pause_ms = lived ? 0
				 : min_of(bearer->pause_ms * 2 + PAUSE_MS_FIRST,
				       (uint64_t)PAUSE_MS_MAX);
	bearer->due_ms = now_ms + bearer->pause_ms;
	log_error(NULL, "bearer_killed",
	    "bearer=%s signal=%d lived_ms=%llu restart_in_ms=%llu",
	    bearer->name, signal_number,
	    (unsigned long long)(now_ms - bearer->started_ms),
	    (unsigned long long)bearer->pause_ms);
}

/* Take note of every process that has ended. */
static void reap(struct supervisor *self, struct bearer *bearers, size_t count)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (bearers[i].pid != pid)
				continue;
			bearers[i].pid = 0;
			if (WIFSIGNALED(status) && !self->stopping) {
				log_as(self->argv);
				plan_restart(&bearers[i], WTERMSIG(status));
				continue;
			}
			if (self->exit_code == EXIT_SUCCESS)
				self->exit_code = WIFEXITED(status)
						      ? WEXITSTATUS(status)
						      : EXIT_FAILURE;
			stop(self, bearers, count);
		}
	}
}

/* Start what is due; returns how long until the next one is, in ms. */
static uint64_t start_due(
    struct supervisor *self, struct bearer *bearers, size_t count)
{
	uint64_t wait_ms = UINT32_MAX, now_ms = clock_interval_ms();

	for (size_t i = 0; i < count && !self->stopping; i++) {
		if (bearers[i].pid > 0)
			continue;
		if (bearers[i].due_ms <= now_ms)
			start(self, &bearers[i]);
		if (bearers[i].pid == 0)
			wait_ms = min_of(wait_ms, bearers[i].due_ms - now_ms);
	}
	return wait_ms;
}

static bool any_runs(const struct bearer *bearers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bearers[i].pid > 0)
			return true;
	return false;
}

int supervise(char **argv)
{
	struct bearer bearers[] = { { .name = "zmtp" } };
	struct supervisor self = { .argv = argv, .pid = getpid() };

	log_program("keepsake-gateway");
	sigemptyset(&self.waited);
	sigaddset(&self.waited, SIGCHLD);
	sigaddset(&self.waited, SIGTERM);
	sigaddset(&self.waited, SIGINT);
	if (sigprocmask(SIG_BLOCK, &self.waited, &self.former) != 0)
		return EXIT_FAILURE;
	for (;;) {
		uint64_t wait_ms = start_due(&self, bearers, nitems(bearers));
		if (self.stopping && !any_runs(bearers, nitems(bearers)))
			return self.exit_code;
		wait_ms =
		    min_of(wait_ms, kill_late(&self, bearers, nitems(bearers)));
		const struct timespec wait = {
			.tv_sec = (time_t)(wait_ms / 1000),
			.tv_nsec = (long)(wait_ms % 1000) * 1000000,
		};
		int got = sigtimedwait(&self.waited, NULL, &wait);
		if (got == SIGTERM || got == SIGINT)
			stop(&self, bearers, nitems(bearers));
		reap(&self, bearers, nitems(bearers));
	}
}
