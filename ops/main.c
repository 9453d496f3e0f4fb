#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "base/log.h"
#include "base/options.h"
#include "base/util.h"
#include "command.h"
#include "crypto/arena.h"
#include "service/settings.h"

#define CONFIG_DEFAULT "/etc/keepsake/keepsake.conf"
#define ARENA_BYTES    (16 * 1024)

/* clang-format off */
static const struct command commands[] = {
	{ "status",    "",     "what every process says of itself",        command_status },
	{ "keys",      "make", "make the keys that are missing",           command_keys },
	{ "enrolment", "",     "print the string that terminals enrol by", command_enrolment },
};
/* clang-format on */

static void print_usage(FILE *out)
{
	fprintf(out, "usage: keepsakectl [--config FILE] [--json] COMMAND\n\n");
	for (size_t i = 0; i < nitems(commands); i++)
		fprintf(out, "  %-10s %-6s %s\n", commands[i].name,
		    commands[i].arguments, commands[i].help);
	fprintf(out,
	    "\n  -c, --config FILE  default %s\n"
	    "      --json         for scripts\n"
	    "  -h, --help         this text\n"
	    "  -V, --version      print the version\n",
	    CONFIG_DEFAULT);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < nitems(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

enum ops_option { OPTION_JSON = 1000 };

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct ops ops = { .exit_code = EXIT_OK };
	const char *config = CONFIG_DEFAULT;
	int option;

	log_program("keepsakectl");
	if (!options_exact("keepsakectl", options, argc, argv))
		return EXIT_USAGE;
	while (
	    (option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case OPTION_JSON:
			ops.json = true;
			break;
		case 'h':
			print_usage(stdout);
			return EXIT_OK;
		case 'V':
			printf("keepsakectl %s\n", KEEPSAKE_VERSION);
			return EXIT_OK;
		default:
			print_usage(stderr);
			return EXIT_USAGE;
		}
	}
	const struct command *command =
	    optind < argc ? find_command(argv[optind]) : NULL;
	if (!command) {
		if (optind < argc)
			fprintf(stderr, "keepsakectl: no command \"%s\"\n",
			    argv[optind]);
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (conf_load(settings, settings_count, config, &ops.conf) != STATUS_OK)
		return EXIT_USAGE;
	if (sodium_init() < 0 || arena_open(ARENA_BYTES) != STATUS_OK ||
	    process_harden() != STATUS_OK) {
		conf_destroy(&ops.conf);
		return EXIT_FAILED;
	}
	command->run(&ops, argc - optind - 1, argv + optind + 1);
	ops_hang_up(&ops);
	conf_destroy(&ops.conf);
	arena_close();
	return ops.exit_code;
}
