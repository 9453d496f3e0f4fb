#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/util.h"
#include "crypto/arena.h"

/* clang-format off */
static const struct {
	const char *prompt;
	const char *again; /* to be typed twice; or NULL */
	bool shown;        /* what is typed: it is no secret */
	const char *instead; /* where nobody can be asked */
} questions[] = {
	[KEEPSAKE_PASSWORD]          = { "Password of the account: ", NULL, false, "use --password-file FILE" },
	[KEEPSAKE_NEW_PASSWORD]      = { "New password of the account: ", "New password, once more: ", false, "use --password-file FILE to register, --new-password-file FILE to change it" },
	[KEEPSAKE_VERIFICATION]      = { "Verification information (needed to move or unbind a terminal): ", "Once more: ", false, "use --verification-file FILE" },
	[KEEPSAKE_SERIAL]            = { "Serial number: ", NULL, true, "use --serial SERIAL, or --identity-file FILE" },
	[KEEPSAKE_IMEI]              = { "IMEI: ", NULL, true, "use --imei IMEI, or --identity-file FILE" },
	[KEEPSAKE_IMSI]              = { "IMSI: ", NULL, true, "use --imsi IMSI, or --identity-file FILE" },
	[KEEPSAKE_OWN_PASSWORD]      = { "Password of this terminal's own code: ", NULL, false, "use --password-file FILE; this terminal has a code of its own" },
	[KEEPSAKE_NEW_OWN_PASSWORD]  = { "Password for this terminal's own code: ", "Once more: ", false, "use --new-password-file FILE" },
	[KEEPSAKE_INVITATION]        = { "Invitation: ", NULL, true, "use --invitation-file FILE" },
	[KEEPSAKE_TOOL_PASSWORD]     = { "Password of this tool: ", NULL, false, "use --tool-password-file FILE; 'keepsake lock --off' takes it away" },
	[KEEPSAKE_NEW_TOOL_PASSWORD] = { "New password of this tool: ", "Once more: ", false, "use --new-password-file FILE" },
	[KEEPSAKE_VERIFICATION_NOW]  = { "Verification information of the account: ", NULL, false, "use --verification-file FILE" },
};
/* clang-format on */
_Static_assert(nitems(questions) == KEEPSAKE_SECRET_COUNT, "one for each");

#define AGAIN          "nothing was changed: run it again"
#define SECRET_LEN_MAX "1024"
_Static_assert(KEEPSAKE_SECRET_BYTES == 1024 + 1, "as the texts say");

enum status ask_refuse(struct run *run, enum status status, const char *advice,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(run->detail, sizeof(run->detail), format, args);
	va_end(args);
	run->advice = advice;
	return status;
}

static enum status refuse_file(
    struct run *run, enum status status, const char *path)
{
	switch (status) {
	case STATUS_NOT_FOUND:
		return ask_refuse(run, STATUS_DENIED,
		    "name the file that has the secret, or leave the option "
		    "out to be asked",
		    "%s: no such file", path);
	case STATUS_DENIED:
		return ask_refuse(run, status,
		    "a secret file must be yours, no symlink, with mode 0600",
		    "%s: refused", path);
	case STATUS_NO_SPACE:
		return ask_refuse(run, status,
		    "this machine is short of memory: end something else",
		    "there is no memory");
	default:
		return ask_refuse(run, STATUS_MALFORMED,
		    "write the secret to it as its one line", "%s: %s", path,
		    "not one line of 1 to " SECRET_LEN_MAX " bytes");
	}
}

/* The one line of a secret file. */
static enum status read_file(
    struct run *run, const char *path, char out[static KEEPSAKE_SECRET_BYTES])
{
	struct bytes file = { 0 };
	/* A longest secret, and the newline behind it. */
	enum status st = file_read_secret(&file, path, KEEPSAKE_SECRET_BYTES);

	if (st == STATUS_OK) {
		if (file.len > 0 && file.data[file.len - 1] == '\n')
			file.len--;
		if (file.len == 0 || file.len >= KEEPSAKE_SECRET_BYTES ||
		    memchr(file.data, '\n', file.len) ||
		    memchr(file.data, '\0', file.len))
			st = STATUS_MALFORMED;
	}
	if (st == STATUS_OK) {
		memcpy(out, file.data, file.len);
		out[file.len] = '\0';
	} else {
		st = refuse_file(run, st, path);
	}
	bytes_clear(&file);
	return st;
}

/* Wait for something to read; false once a person, or the system, ends it. */
static bool wait_for_input(int fd, const sigset_t *held)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };
	sigset_t waiting = *held;
	int ready = -1;

	/* Only here, so that none comes between the look and the wait. */
	sigdelset(&waiting, SIGINT);
	sigdelset(&waiting, SIGTERM);
	while (ready < 0 && !atomic_load(&interrupted)) {
		ready = ppoll(&input, 1, NULL, &waiting);
		if (ready < 0 && errno != EINTR)
			return false;
	}
	return ready > 0;
}

/* Read a line from ${fd}, byte by byte: nothing of it stays in a buffer. */
static enum status read_line(
    int fd, const sigset_t *held, char out[static KEEPSAKE_SECRET_BYTES])
{
	size_t len = 0;
	char c;

	for (;;) {
		if (!wait_for_input(fd, held) || read(fd, &c, 1) != 1)
			return STATUS_PENDING;
		if (c == '\n')
			break;
		if (len == KEEPSAKE_SECRET_BYTES - 1)
			return STATUS_MALFORMED;
		out[len++] = c;
	}
	out[len] = '\0';
	return len > 0 ? STATUS_OK : STATUS_MALFORMED;
}

/* Read a line from standard input: of what may be seen. */
static enum status read_input(
    struct run *run, char out[static KEEPSAKE_SECRET_BYTES])
{
	sigset_t held;

	pthread_sigmask(SIG_SETMASK, NULL, &held);
	switch (read_line(STDIN_FILENO, &held, out)) {
	case STATUS_OK:
		return STATUS_OK;
	case STATUS_PENDING:
		if (atomic_load(&interrupted))
			return ask_refuse(
			    run, STATUS_PENDING, AGAIN, "interrupted");
		return ask_refuse(run, STATUS_MALFORMED,
		    "write it to standard input as one line",
		    "standard input ended before there was a line");
	default:
		return ask_refuse(run, STATUS_MALFORMED,
		    "write it to standard input as one line",
		    "standard input: not one line of 1 to " SECRET_LEN_MAX
		    " bytes");
	}
}

/*
 * Ask on the terminal ${fd}, with echo off for secrets.  Meanwhile every signal
 * waits but those that end the question, so that the echo always comes back;
 * and those that stop a program which asks from the background.
 */
static enum status prompt(int fd, const char *text, bool shown,
    char out[static KEEPSAKE_SECRET_BYTES])
{
	struct termios usual, silent;
	sigset_t held, before;
	enum status st = STATUS_AUTH_REQUIRED;

	sigfillset(&held);
	sigdelset(&held, SIGTTOU);
	sigdelset(&held, SIGTTIN);
	pthread_sigmask(SIG_SETMASK, &held, &before);
	if (tcgetattr(fd, &usual) != 0)
		goto out;
	silent = usual;
	if (!shown)
		silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &silent) != 0)
		goto out;
	dprintf(fd, "%s", text);
	st = read_line(fd, &held, out);
	tcsetattr(fd, TCSAFLUSH, &usual);
	if (!shown || st != STATUS_OK)
		dprintf(fd, "\n");
out:
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return st;
}

/* Ask once more; STATUS_CONFLICT where it is not the same. */
static enum status prompt_again(int fd, const char *text, const char *first)
{
	void *memory = secret_new(KEEPSAKE_SECRET_BYTES);
	char *second = memory;
	enum status st = STATUS_NO_SPACE;

	if (second)
		st = prompt(fd, text, false, second);
	if (st == STATUS_OK && strcmp(first, second) != 0)
		st = STATUS_CONFLICT;
	secret_destroy(&memory, KEEPSAKE_SECRET_BYTES);
	return st;
}

static enum status refuse_answer(
    struct run *run, enum status status, enum keepsake_secret secret)
{
	switch (status) {
	case STATUS_PENDING:
		return ask_refuse(run, status, AGAIN, "interrupted");
	case STATUS_CONFLICT:
		return ask_refuse(run, STATUS_MALFORMED, AGAIN,
		    "these were two different ones");
	case STATUS_MALFORMED:
		return ask_refuse(run, status, "run it again",
		    "that was not 1 to " SECRET_LEN_MAX " bytes");
	case STATUS_NO_SPACE:
		return ask_refuse(run, status,
		    "this machine is short of memory: end something else",
		    "there is no memory");
	default:
		return ask_refuse(run, STATUS_AUTH_REQUIRED,
		    questions[secret].instead,
		    "there is no terminal to ask on");
	}
}

static enum status ask_person(struct run *run, enum keepsake_secret secret,
    char out[static KEEPSAKE_SECRET_BYTES])
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	enum status st = STATUS_AUTH_REQUIRED;

	if (fd >= 0)
		st = prompt(
		    fd, questions[secret].prompt, questions[secret].shown, out);
	if (st == STATUS_OK && questions[secret].again)
		st = prompt_again(fd, questions[secret].again, out);
	if (fd >= 0)
		close(fd);
	return st == STATUS_OK ? st : refuse_answer(run, st, secret);
}

enum status ask_line(
    struct run *run, const char *text, char out[static KEEPSAKE_SECRET_BYTES])
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	enum status st = STATUS_AUTH_REQUIRED;

	if (fd >= 0) {
		st = prompt(fd, text, true, out);
		close(fd);
	}
	switch (st) {
	case STATUS_OK:
		return st;
	case STATUS_PENDING:
		return ask_refuse(run, st, AGAIN, "interrupted");
	case STATUS_AUTH_REQUIRED:
		return ask_refuse(run, st,
		    "the man page says how a script does it: keepsake(1)",
		    "there is no terminal to ask on");
	default:
		return ask_refuse(run, st, "run it again",
		    "that was not 1 to " SECRET_LEN_MAX " bytes");
	}
}

/* The file that has ${secret}, or NULL. */
static const char *file_of(const struct run *run, enum keepsake_secret secret)
{
	const struct options *options = &run->options;

	switch (secret) {
	case KEEPSAKE_PASSWORD:
	case KEEPSAKE_OWN_PASSWORD:
		return options->password_file;
	case KEEPSAKE_NEW_PASSWORD:
		return run->registering ? options->password_file
					: options->new_password_file;
	case KEEPSAKE_NEW_OWN_PASSWORD:
		return options->new_password_file;
	case KEEPSAKE_VERIFICATION:
	case KEEPSAKE_VERIFICATION_NOW:
		return options->verification_file;
	case KEEPSAKE_INVITATION:
		return options->invitation_file;
	case KEEPSAKE_TOOL_PASSWORD:
		return options->tool_password_file;
	case KEEPSAKE_NEW_TOOL_PASSWORD:
		return options->new_password_file;
	default:
		return NULL;
	}
}

/* An identifier from the arguments: they are no secrets; or NULL. */
static const char *argument_of(
    const struct run *run, enum keepsake_secret secret)
{
	switch (secret) {
	case KEEPSAKE_SERIAL:
		return run->options.serial;
	case KEEPSAKE_IMEI:
		return run->options.imei;
	case KEEPSAKE_IMSI:
		return run->options.imsi;
	default:
		return NULL;
	}
}

enum status ask_secret(void *arg, enum keepsake_secret secret,
    char out[static KEEPSAKE_SECRET_BYTES], bool *typed_out)
{
	struct run *run = arg;
	const char *path = file_of(run, secret);
	const char *argument = argument_of(run, secret);

	*typed_out = false;
	if (path && secret == KEEPSAKE_INVITATION && strcmp(path, "-") == 0)
		return read_input(run, out);
	if (path)
		return read_file(run, path, out);
	if (argument) {
		if (strlen(argument) >= KEEPSAKE_SECRET_BYTES)
			return ask_refuse(run, STATUS_MALFORMED,
			    questions[secret].instead,
			    "the identifier is too long");
		memcpy(out, argument, strlen(argument) + 1);
		return STATUS_OK;
	}
	if (run->options.unattended)
		return ask_refuse(run, STATUS_AUTH_REQUIRED,
		    questions[secret].instead,
		    "this tool has a password of its own, and an unattended "
		    "backup asks for nothing");
	*typed_out = true;
	return ask_person(run, secret, out);
}

void ask_to_remember(struct run *run)
{
	if (!run->options.password_file || run->options.unattended ||
	    !run->watched || !isatty(STDIN_FILENO) ||
	    !keepsake_password_due(run->keepsake))
		return;
	fprintf(stderr,
	    "It is a month since you last typed the password of your account. "
	    " It comes from a\nfile here, but on a new phone only you will "
	    "have it: please type it once, so that it\nis not forgotten.  It "
	    "is checked on this machine only.\n");
	void *memory = secret_new(KEEPSAKE_SECRET_BYTES);
	char *password = memory;
	enum status st = STATUS_NO_SPACE;
	if (password)
		st = ask_person(run, KEEPSAKE_PASSWORD, password);
	if (st == STATUS_OK)
		st = keepsake_check_password(run->keepsake, password);
	if (st == STATUS_OK)
		fprintf(stderr, "That is right.\n");
	else if (st != STATUS_PENDING)
		fprintf(stderr,
		    "That is not it.  To choose one that is easier to keep in "
		    "mind: keepsake password\nUnless this terminal has a code "
		    "of its own, the right one is in %s\n",
		    run->options.password_file);
	secret_destroy(&memory, KEEPSAKE_SECRET_BYTES);
}
