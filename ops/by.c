#include "by.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *operator_name(const struct ops *self)
{
	const char *name = self->options.operator;
	const struct passwd *user;

	if (!name)
		name = getenv("SUDO_USER");
	if (name && *name)
		return name;
	user = getpwuid(getuid());
	return user ? user->pw_name : "";
}

enum status ops_by(struct ops *self, unsigned int needs, Ops__By *out)
{
	const struct ops_options *options = &self->options;
	const char *why;

	ops__by__init(out);
	out->name = (char *)operator_name(self); /* all only read */
	if (options->reason)
		out->reason = (char *)options->reason;
	if (options->document)
		out->document = (char *)options->document;
	enum status st = operator_check(out, needs, &why);
	if (st != STATUS_OK) {
		fprintf(stderr, "keepsakectl: --%s\n", why);
		self->exit_code = EXIT_USAGE;
	}
	return st;
}
