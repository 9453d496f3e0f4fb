#include "service/program.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/options.h"
#include "base/util.h"
#include "crypto/arena.h"
#include "service/settings.h"
#include "service/watch.h"
#include "watch/health.h"

#define ARENA_BYTES        (64 * 1024)
#define CONFIG_DEFAULT     "/etc/keepsake/keepsake.conf"
#define PROGRAM_NAME_BYTES 32

enum program_option {
	OPTION_CONFIG = 'c',
	OPTION_HELP = 'h',
	OPTION_VERSION = 'V',
	OPTION_CHECK = 1000,
	OPTION_PRINT,
	OPTION_HEALTH,
	OPTION_VERIFY,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "check-config", no_argument, NULL, OPTION_CHECK },
	{ "print-config", no_argument, NULL, OPTION_PRINT },
	{ "health", no_argument, NULL, OPTION_HEALTH },
	{ "verify", required_argument, NULL, OPTION_VERIFY },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static char program_name[PROGRAM_NAME_BYTES]; /* what log lines carry */

static void print_help(const char *about)
{
	printf("%s: %s\n\n"
	       "  -c, --config FILE  configuration, default %s\n"
	       "      --check-config check it and exit\n"
	       "      --print-config print every key with the value in force\n"
	       "      --health       ask the running one whether it is ready\n"
	       "      --verify FOLDER prove that a backup is whole\n"
	       "  -h, --help         this text\n"
	       "  -V, --version      print the version\n",
	    program_name, about, CONFIG_DEFAULT);
}

/* What the command line asks for. */
struct wishes {
	const char *config;
	bool check, print, health;
	const char *verify;
};

static enum program_outcome read_options(struct wishes *out, const char *about,
    int argc, char **argv, int *exit_code)
{
	int option;

	*out = (struct wishes){ .config = CONFIG_DEFAULT };
	if (!options_exact(program_name, long_options, argc, argv)) {
		*exit_code = 2;
		return PROGRAM_FAILED;
	}
	while ((option = getopt_long(argc, argv, "c:hV", long_options, NULL)) !=
	       -1) {
		switch (option) {
		case OPTION_CONFIG:
			out->config = optarg;
			break;
		case OPTION_CHECK:
			out->check = true;
			break;
		case OPTION_PRINT:
			out->print = true;
			break;
		case OPTION_HEALTH:
			out->health = true;
			break;
		case OPTION_VERIFY:
			out->verify = optarg;
			break;
		case OPTION_HELP:
			print_help(about);
			return PROGRAM_DONE;
		case OPTION_VERSION:
			printf("%s %s\n", program_name, KEEPSAKE_VERSION);
			return PROGRAM_DONE;
		default:
			*exit_code = 2;
			return PROGRAM_FAILED;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: \"%s\": no arguments, see --help\n",
		    program_name, argv[optind]);
		*exit_code = 2;
		return PROGRAM_FAILED;
	}
	return PROGRAM_GO_ON;
}

const char *program_config(char *const *argv)
{
	const char *path = CONFIG_DEFAULT;

	for (; *argv; argv++) {
		if (strncmp(*argv, "--config=", 9) == 0)
			path = *argv + 9;
		else if ((strcmp(*argv, "--config") == 0 ||
			     strcmp(*argv, "-c") == 0) &&
			 argv[1])
			path = *++argv;
		else if (strncmp(*argv, "-c", 2) == 0 && argv[0][2] != '\0')
			path = *argv + 2;
	}
	return path;
}

void program_log_as(const struct conf *conf)
{
	static const char *const words[] = {
		[LOG_ERROR] = "error",
		[LOG_WARNING] = "warning",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};
	const char *level = conf_text(conf, "common", "log_level");

	for (size_t i = 0; i < nitems(words); i++)
		if (strcmp(level, words[i]) == 0)
			log_level_set((enum log_level)i);
	if (strcmp(conf_text(conf, "common", "log_format"), "json") == 0)
		log_format_set(LOG_JSON);
}

static void on_signal(void *arg)
{
	struct program *self = arg;
	struct signalfd_siginfo info;

	if (read(self->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (self->stopping) {
		loop_stop(self->loop); /* asked twice: do not wait */
		return;
	}
	self->stopping = true;
	log_info(NULL, "stopping", "signal=%u", info.ssi_signo);
	manager_stopping();
	if (self->stop_requested)
		self->stop_requested(self->stop_arg);
	else
		loop_stop(self->loop);
}

static enum status watch_signals(struct program *self)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* Before any thread starts, so that all inherit it. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return STATUS_INTERNAL;
	signal(SIGPIPE, SIG_IGN);
	self->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (self->signal_fd < 0)
		return STATUS_INTERNAL;
	return loop_watch_fd(self->loop, self->signal_fd, on_signal, self);
}

static enum status open_bus(struct program *self)
{
	struct curve_keys keys = { 0 };
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(self->conf, settings_instance(self->conf, self->name),
	    ".key", path);
	enum status st = curve_keys_read(&keys, path);
	if (st != STATUS_OK) {
		char quoted[LOG_QUOTED_BYTES];
		log_error(NULL, "key_unusable",
		    "path=%s status=%s hint=\"keepsakectl keys make\"",
		    log_quoted(quoted, path), status_word(st));
		return st;
	}
	st = bus_new(&keys, &self->bus);
	sodium_memzero(&keys, sizeof(keys));
	return st == STATUS_OK ? bus_self_test(self->bus) : st;
}

/* Each terminal that is connected takes one: as many as may be had. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warning(NULL, "descriptors_not_raised", NULL);
}

enum program_outcome program_begin(struct program *self, const char *name,
    const char *about, int argc, char **argv, int *exit_code)
{
	struct wishes wishes;

	*self = (struct program){
		.name = name,
		.signal_fd = -1,
		.started_ms = clock_interval_ms(),
	};
	*exit_code = 0;
	snprintf(program_name, sizeof(program_name), "keepsake-%s", name);
	log_program(program_name);
	heap_tune();
	enum program_outcome outcome =
	    read_options(&wishes, about, argc, argv, exit_code);
	if (outcome != PROGRAM_GO_ON)
		return outcome;
	*exit_code = 1;
	if (conf_load(settings, settings_count, wishes.config, &self->conf) !=
	    STATUS_OK)
		return PROGRAM_FAILED;
	if (wishes.print)
		conf_print(self->conf);
	if (wishes.print || wishes.check) {
		*exit_code = 0;
		program_end(self);
		return PROGRAM_DONE;
	}
	if (wishes.health) {
		*exit_code =
		    health_ask(conf_text(self->conf, name, "http"), name);
		program_end(self);
		return PROGRAM_DONE;
	}
	self->verify = wishes.verify;
	program_log_as(self->conf);
	watch_errors();
	process_harden();
	raise_descriptors();
	if (sodium_init() < 0 || arena_open(ARENA_BYTES) != STATUS_OK ||
	    loop_new(&self->loop) != STATUS_OK ||
	    watch_signals(self) != STATUS_OK ||
	    sandbox_files(&self->sandbox, self->conf, name, self->verify) !=
		STATUS_OK ||
	    open_bus(self) != STATUS_OK) {
		log_error(NULL, "start_failed", NULL);
		program_end(self);
		return PROGRAM_FAILED;
	}
	return PROGRAM_GO_ON;
}

enum status program_run(struct program *self)
{
	enum status st = sandbox_calls(&self->sandbox, self->conf);
	if (st != STATUS_OK)
		return st;
	log_info(NULL, "ready", "version=%s pid=%d", KEEPSAKE_VERSION,
	    (int)getpid());
	manager_ready(&self->manager, self->loop);
	st = loop_run(self->loop);
	manager_end(&self->manager);
	return st;
}

void program_end(struct program *self)
{
	if (self->signal_fd >= 0)
		close(self->signal_fd);
	self->signal_fd = -1;
	bus_destroy(&self->bus);
	loop_destroy(&self->loop);
	conf_destroy(&self->conf);
	arena_close();
}

enum status program_allow(
    const struct program *self, const char *role, struct allow_list *out)
{
	static const char *const suffixes[] = { ".public", "-*.public" };
	char pattern[SETTINGS_PATH_BYTES];
	glob_t found = { 0 };
	enum status st = STATUS_OK;

	*out = (struct allow_list){ 0 };
	for (size_t i = 0; i < nitems(suffixes); i++) {
		settings_key_path(self->conf, role, suffixes[i], pattern);
		glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, &found);
	}
	for (size_t i = 0; i < found.gl_pathc && st == STATUS_OK; i++) {
		if (out->keys_count == ALLOW_KEYS_MAX)
			st = STATUS_TOO_LARGE;
		else
			st = curve_public_read(
			    out->keys[out->keys_count++], found.gl_pathv[i]);
	}
	if (st == STATUS_OK && out->keys_count == 0)
		st = STATUS_NOT_FOUND;
	if (st != STATUS_OK)
		log_error(NULL, "allow_list_unusable", "role=%s status=%s",
		    role, status_word(st));
	globfree(&found);
	return st;
}

enum status program_peer_key(const struct program *self, const char *peer,
    uint8_t out[static CURVE_KEY_BYTES])
{
	char path[SETTINGS_PATH_BYTES];

	settings_key_path(self->conf, peer, ".public", path);
	enum status st = curve_public_read(out, path);
	if (st != STATUS_OK)
		log_error(NULL, "peer_key_unusable", "peer=%s status=%s", peer,
		    status_word(st));
	return st;
}
