#include "base/options.h"

#include <stdio.h>
#include <string.h>

static bool is_option(
    const struct option *options, const char *name, size_t len)
{
	for (; options->name; options++)
		if (strlen(options->name) == len &&
		    strncmp(options->name, name, len) == 0)
			return true;
	return false;
}

bool options_exact(const char *program, const struct option *options, int argc,
    char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			continue;
		const char *name = argv[i] + 2;
		size_t len = strcspn(name, "=");
		if (is_option(options, name, len))
			continue;
		/* Not what follows "=": it may be a secret. */
		fprintf(stderr, "%s: no option \"--%.*s\", see --help\n",
		    program, (int)len, name);
		return false;
	}
	return true;
}
