#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
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
	const char *option;
} questions[] = {
	[KEEPSAKE_PASSWORD]     = { "Password: ", NULL, "--password-file FILE" },
	[KEEPSAKE_NEW_PASSWORD] = { "New password: ", "New password, once more: ", "--new-password-file FILE" },
	[KEEPSAKE_VERIFICATION] = { "Verification information (needed to move or unbind a terminal): ", "Once more: ", "--verification-file FILE" },
	[KEEPSAKE_SERIAL]       = { "Serial number: ", NULL, "--serial SERIAL" },
	[KEEPSAKE_IMEI]         = { "IMEI: ", NULL, "--imei IMEI" },
	[KEEPSAKE_IMSI]         = { "IMSI: ", NULL, "--imsi IMSI" },
};
/* clang-format on */
_Static_assert(nitems(questions) == KEEPSAKE_SECRET_COUNT, "one for each");

/* The first line of a secret file. */
static enum status read_file(
    const char *path, char out[static KEEPSAKE_SECRET_BYTES])
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
	} else if (st == STATUS_NOT_FOUND) {
		fprintf(stderr, "keepsake: %s: no such file\n", path);
		st = STATUS_DENIED;
	} else if (st == STATUS_DENIED) {
		fprintf(stderr,
		    "keepsake: %s: refused: a secret file must be yours, no "
		    "symlink, with mode 0600\n",
		    path);
	} else {
		fprintf(stderr,
		    "keepsake: %s: a secret file has one line of 1 to %d "
		    "bytes\n",
		    path, KEEPSAKE_SECRET_BYTES - 1);
		st = STATUS_MALFORMED;
	}
	bytes_clear(&file);
	return st;
}

/* Read a line from ${fd}, byte by byte: nothing of it stays in a buffer. */
static enum status read_line(int fd, char out[static KEEPSAKE_SECRET_BYTES])
{
	size_t len = 0;
	char c;

	for (;;) {
		ssize_t got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR && !atomic_load(&interrupted))
			continue;
		if (got <= 0)
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

/* Ask with echo off on the terminal ${fd}. */
static enum status prompt(
    int fd, const char *text, char out[static KEEPSAKE_SECRET_BYTES])
{
	struct termios usual, silent;

	if (tcgetattr(fd, &usual) != 0)
		return STATUS_AUTH_REQUIRED;
	silent = usual;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	dprintf(fd, "%s", text);
	if (tcsetattr(fd, TCSAFLUSH, &silent) != 0)
		return STATUS_AUTH_REQUIRED;
	enum status st = read_line(fd, out);
	tcsetattr(fd, TCSAFLUSH, &usual);
	dprintf(fd, "\n");
	if (st == STATUS_MALFORMED)
		fprintf(stderr, "keepsake: 1 to %d bytes are needed\n",
		    KEEPSAKE_SECRET_BYTES - 1);
	return st;
}

/* Ask once more, and compare. */
static enum status prompt_again(int fd, const char *text, const char *first)
{
	void *memory = secret_new(KEEPSAKE_SECRET_BYTES);
	char *second = memory;
	enum status st = STATUS_NO_SPACE;

	if (second)
		st = prompt(fd, text, second);
	if (st == STATUS_OK && strcmp(first, second) != 0) {
		fprintf(stderr, "keepsake: these were two different ones\n");
		st = STATUS_MALFORMED;
	}
	secret_destroy(&memory, KEEPSAKE_SECRET_BYTES);
	return st;
}

static enum status ask_person(
    enum keepsake_secret secret, char out[static KEEPSAKE_SECRET_BYTES])
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0) {
		fprintf(stderr,
		    "keepsake: there is no terminal to ask on: use %s\n",
		    questions[secret].option);
		return STATUS_AUTH_REQUIRED;
	}
	enum status st = prompt(fd, questions[secret].prompt, out);
	if (st == STATUS_OK && questions[secret].again)
		st = prompt_again(fd, questions[secret].again, out);
	close(fd);
	return st;
}

/* The file that has ${secret}, or NULL. */
static const char *file_of(const struct run *run, enum keepsake_secret secret)
{
	const struct options *options = &run->options;

	switch (secret) {
	case KEEPSAKE_PASSWORD:
		return options->password_file;
	case KEEPSAKE_NEW_PASSWORD:
		return run->registering ? options->password_file
					: options->new_password_file;
	case KEEPSAKE_VERIFICATION:
		return options->verification_file;
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
	const struct run *run = arg;
	const char *path = file_of(run, secret);
	const char *argument = argument_of(run, secret);

	*typed_out = false;
	if (path)
		return read_file(path, out);
	if (argument) {
		if (strlen(argument) >= KEEPSAKE_SECRET_BYTES)
			return STATUS_MALFORMED;
		memcpy(out, argument, strlen(argument) + 1);
		return STATUS_OK;
	}
	*typed_out = true;
	return ask_person(secret, out);
}

void ask_to_remember(struct run *run)
{
	void *memory = NULL;

	if (!run->options.password_file || !run->watched ||
	    !isatty(STDIN_FILENO) || !keepsake_password_due(run->keepsake))
		return;
	fprintf(stderr,
	    "It is a month since you last typed your password.  It comes from "
	    "a file here,\nbut on a new phone only you will have it: please "
	    "type it once, so that it is not\nforgotten.  It is checked on "
	    "this machine only.\n");
	memory = secret_new(KEEPSAKE_SECRET_BYTES);
	char *password = memory;
	if (!password || ask_person(KEEPSAKE_PASSWORD, password) != STATUS_OK)
		goto out;
	if (keepsake_check_password(run->keepsake, password) == STATUS_OK)
		fprintf(stderr, "That is right.\n");
	else
		fprintf(stderr,
		    "That is not it.  The right one is in %s; to choose one "
		    "that is easier to keep\nin mind: keepsake password\n",
		    run->options.password_file);
out:
	secret_destroy(&memory, KEEPSAKE_SECRET_BYTES);
}
