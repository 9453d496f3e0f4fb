#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "ask.h"
#include "base/heap.h"
#include "base/log.h"
#include "base/util.h"
#include "command.h"
#include "crypto/arena.h"
#include "output.h"

#define END_SECONDS_MAX 3 /* after the first INT or TERM */

atomic_bool interrupted;

enum exit_code exit_code_of(enum status status)
{
	switch (status) {
	case STATUS_OK:
		return EXIT_DONE;
	case STATUS_DENIED:
	case STATUS_AUTH_REQUIRED:
	case STATUS_LOCKED:
	case STATUS_FROZEN:
	case STATUS_EXPIRED:
		return EXIT_AUTH;
	case STATUS_UNAVAILABLE:
	case STATUS_BUSY:
		return EXIT_UNREACHABLE;
	case STATUS_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case STATUS_CONFLICT:
		return EXIT_CONFLICT;
	default:
		return EXIT_FAILED;
	}
}

static json_t *failure_json(const struct run *run, const char *word,
    const char *detail, const char *advice)
{
	json_t *value = json_pack("{s:s, s:o, s:s}", "error", word, "detail",
	    json_path(detail), "advice", advice);
	uint32_t tries;

	if (!run->keepsake)
		return value;
	if (keepsake_tries_remaining(run->keepsake, &tries))
		json_object_set_new(
		    value, "tries_remaining", json_integer(tries));
	uint64_t wait_ms = keepsake_retry_after_ms(run->keepsake);
	if (wait_ms > 0)
		json_object_set_new(
		    value, "retry_after_ms", json_integer((json_int_t)wait_ms));
	return value;
}

/* Say what went wrong, as JSON or for people. */
static void say_failure(const struct run *run, enum status status,
    const char *detail, const char *advice)
{
	const char *word =
	    status == STATUS_PENDING ? "interrupted" : status_word(status);

	if (run->options.json) {
		json_print(failure_json(run, word, detail, advice));
		return;
	}
	if (detail[0] != '\0')
		fprintf(stderr, "keepsake: %s\n", detail);
	if (detail[0] != '\0' && advice[0] != '\0')
		fprintf(stderr, "keepsake: %s\n", advice);
}

enum exit_code command_failed(const struct run *run, enum status status)
{
	const char *detail = keepsake_detail(run->keepsake);

	if (detail[0] != '\0')
		say_failure(
		    run, status, detail, keepsake_advice(run->keepsake));
	else
		say_failure(run, status, run->detail, run->advice);
	return exit_code_of(status);
}

enum exit_code command_failed_beside(const struct run *run, enum status status)
{
	fprintf(stderr, "keepsake: %s\nkeepsake: %s\n",
	    keepsake_detail(run->keepsake), keepsake_advice(run->keepsake));
	return exit_code_of(status);
}

static void on_waiting(void *arg, const char *host_and_port)
{
	const struct run *run = arg;

	if (run->watched)
		fprintf(stderr, "keepsake: waiting for %s …\n", host_and_port);
}

static void on_signal(int number)
{
	(void)number;
	atomic_store(&interrupted, true);
	alarm(END_SECONDS_MAX);
}

/* What is under way waits for somebody who does not answer. */
static void on_alarm(int number)
{
	static const char text[] = "\nkeepsake: interrupted\n";

	(void)number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EXIT_FAILED); /* and nobody is told */
	_exit(EXIT_FAILED);
}

/*
 * The first TERM or INT ends in good order, but soon; the second at once.
 * Either may: what was not finished is gone on with next time.
 */
static void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = (int)SA_RESETHAND,
	};
	const struct sigaction late = { .sa_handler = on_alarm };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &late, NULL);
}

static enum exit_code run_command(struct run *run, command_fn *command)
{
	const struct keepsake_options options = {
		.state = run->options.state,
		.name = run->options.name,
		.key_folder = run->options.key_folder,
		.invited = run->options.invitation_file != NULL,
		.timeout_ms = run->options.timeout_ms,
		.ask = ask_secret,
		.waiting = on_waiting,
		.arg = run,
	};
	const char *why;
	enum status st = keepsake_open(&run->keepsake, &options, &why);

	if (st == STATUS_MALFORMED) {
		say_failure(run, st, why,
		    "check --name, which takes a phone number (+…), an "
		    "e-mail address or a nickname, and --key-folder");
		return exit_code_of(st);
	}
	if (st != STATUS_OK) {
		char detail[512];
		snprintf(detail, sizeof(detail), "the state folder%s%s: %s",
		    run->options.state ? " " : "",
		    run->options.state ? run->options.state : "", why);
		say_failure(run, st, detail,
		    "it must be a folder of yours with mode 0700; --state "
		    "DIR names another");
		return exit_code_of(st);
	}
	ask_to_remember(run);
	enum exit_code code = EXIT_FAILED;
	if (atomic_load(&interrupted))
		say_failure(run, STATUS_PENDING, "interrupted",
		    "nothing was changed: run it again");
	else
		code = command(run);
	urge_sim_pin(run);
	keepsake_close(&run->keepsake);
	return code;
}

/* What could not be printed was not done. */
static enum exit_code output_end(enum exit_code code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "keepsake: standard output cannot be written: is its "
			"disk full?\n");
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct run run = { .advice = "" };
	command_fn *command = NULL;

	heap_tune();
	log_program("keepsake");
	log_level_set(LOG_ERROR);
	switch (arguments_read(&run, argc, argv, &command)) {
	case PARSED_DONE:
		return (int)output_end(EXIT_DONE);
	case PARSED_WRONG:
		return EXIT_USAGE;
	case PARSED_RUN:
		break;
	}
	run.watched = isatty(STDERR_FILENO) && !run.options.quiet;
	catch_signals();
	if (process_harden() != STATUS_OK ||
	    keepsake_library_begin() != STATUS_OK)
		return EXIT_FAILED; /* the log has said why */
	enum exit_code code = run_command(&run, command);
	keepsake_library_end();
	return (int)output_end(code);
}
