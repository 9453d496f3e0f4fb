#include "target.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "base/bytes.h"
#include "bus/unpack.h"
#include "ops.pb-c.h"

#define NAME_TEXT_BYTES_MAX 512 /* what auth reads */

enum status ops_id(
    struct ops *self, const char *what, const char *text, struct id *out)
{
	enum status st = hex_decode(out->bytes, ID_BYTES, text);

	if (st == STATUS_OK)
		return st;
	/* Not what was given: it may be somebody's name. */
	fprintf(stderr,
	    "keepsakectl: that is no id of %s: it has 32 hex digits\n", what);
	self->exit_code = EXIT_USAGE;
	return st;
}

/* Read one line of at most NAME_TEXT_BYTES_MAX bytes; ${out} is a text. */
static enum status read_line(
    FILE *file, char out[static NAME_TEXT_BYTES_MAX + 2])
{
	size_t len = fread(out, 1, NAME_TEXT_BYTES_MAX + 1, file);

	out[len] = '\0';
	if (ferror(file))
		return STATUS_UNAVAILABLE;
	size_t line = strcspn(out, "\r\n");
	if (line == 0 || line > NAME_TEXT_BYTES_MAX || strlen(out) != len ||
	    strspn(out + line, "\r\n") != len - line)
		return STATUS_MALFORMED;
	out[line] = '\0';
	return STATUS_OK;
}

static enum status read_name(
    struct ops *self, char out[static NAME_TEXT_BYTES_MAX + 2])
{
	const char *path = self->options.name_file;
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	enum status st = file ? read_line(file, out) : STATUS_UNAVAILABLE;

	if (st == STATUS_UNAVAILABLE)
		fprintf(stderr, "keepsakectl: %s: %s\n", path, strerror(errno));
	else if (st != STATUS_OK)
		fprintf(stderr,
		    "keepsakectl: %s: this must be one line with a login name, "
		    "at most %d bytes\n",
		    standard ? "standard input" : path, NAME_TEXT_BYTES_MAX);
	if (file && !standard)
		fclose(file);
	if (st != STATUS_OK)
		self->exit_code = EXIT_USAGE;
	return st;
}

static enum status find_by_name(struct ops *self, struct id *out)
{
	Ops__AccountName query = OPS__ACCOUNT_NAME__INIT;
	char name[NAME_TEXT_BYTES_MAX + 2];
	Ops__Account *found = NULL;

	enum status st = read_name(self, name);
	if (st == STATUS_OK) {
		query.name = name;
		st = ops_ask(self, "auth", OPS__TYPE__FIND_ACCOUNT, &query.base,
		    &ops__account__descriptor, &found);
		if (st == STATUS_OK)
			st = id_from(out, field_slice(found->account_id));
		if (st != STATUS_OK)
			ops_refused(self, "auth", st);
	}
	sodium_memzero(name, sizeof(name));
	return st;
}

enum status ops_account(
    struct ops *self, int *argc, char ***argv, bool optional, struct id *out)
{
	*out = (struct id){ 0 };
	if (self->options.name_file)
		return find_by_name(self, out);
	if (*argc == 0 && optional)
		return STATUS_OK;
	const char *text = **argv;
	(*argc)--;
	(*argv)++;
	enum status st = ops_id(self, "an account", text, out);
	if (st != STATUS_OK)
		fprintf(stderr,
		    "keepsakectl: to look one up by its login name, put the "
		    "name into a file: --name-file FILE\n");
	return st;
}
