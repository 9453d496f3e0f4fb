#include <getopt.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "base/completion.h"
#include "base/log.h"
#include "base/options.h"
#include "base/util.h"
#include "command.h"
#include "crypto/arena.h"
#include "service/settings.h"

#define CONFIG_DEFAULT "/etc/keepsake/keepsake.conf"
#define ARENA_BYTES    (16 * 1024)
#define OPTION_BASE    256 /* above every character */
#define USAGE_LEFT     28  /* columns of commands and their arguments */

#define BIT(n) (1u << (n))

/* The options that not every command takes; NAME_FILE: a command on ACCOUNT. */
enum special {
	SPECIAL_NAME_FILE,
	SPECIAL_AFTER,
	SPECIAL_TO,
	SPECIAL_OPERATOR,
	SPECIAL_REASON,
	SPECIAL_DOCUMENT,
	SPECIAL_LANE,
	SPECIAL_SESSION,
	SPECIAL_TERMINAL,
	SPECIAL_ALL,
	SPECIAL_YES_DELETE,
	SPECIAL_ACCOUNT,
	SPECIAL_SINCE,
	SPECIAL_HEADS,
	SPECIAL_KIND,
	SPECIAL_COUNT,
	SPECIAL_STATUS,
	SPECIAL_QR,
	SPECIAL_QR_FILE,
	SPECIAL_ADDRESS,
	SPECIAL_FROM,
	SPECIAL_FOLDER,
	SPECIAL_NO_LEDGER,
	SPECIAL_WITH_LEDGER,
	SPECIAL_LEDGER_ONLY,
};

/* clang-format off */
#define ACCOUNT BIT(SPECIAL_NAME_FILE)
#define AUDIT   BIT(SPECIAL_ACCOUNT) | BIT(SPECIAL_SINCE) | BIT(SPECIAL_HEADS)
#define DOCUMENT BIT(SPECIAL_DOCUMENT)
#define BY      BIT(SPECIAL_OPERATOR) | BIT(SPECIAL_REASON)

static const struct command {
	const char *name;
	const char *arguments; /* operands, and the options it needs */
	const char *help;
	int operands_min, operands_max; /* ACCOUNT not counted */
	unsigned int takes;             /* BITs of special */
	command_fn *run;
	const char *more; /* for help COMMAND; NULL: as in the row above */
} commands[] = {
	{ "status",       "",                    "what every process says of itself",              0, 0, 0, command_status,
	  "Asks the gateway and the four services for version, process id, uptime and\n"
	  "figures. Exit status 5: one does not answer." },
	{ "figures",      "",                    "the figures of every process, a line each",      0, 0, 0, command_figures,
	  "Prints \"process.figure value\" for each figure, for scripts that collect them.\n"
	  "With --json one object, a number for each." },
	{ "accounts",     "[--after ID]",        "list the accounts",                              0, 0, BIT(SPECIAL_AFTER), command_accounts,
	  "Lists all accounts in order of their ids, or those behind ID." },
	{ "account",      "ACCOUNT",             "all about one account",                          0, 0, ACCOUNT, command_account,
	  "Shows the account, its terminals, what it has in the store, and what waits to\n"
	  "be told. A process that does not answer is left out: exit status 5." },
	{ "bindings",     "ACCOUNT",             "list the account's terminals",                   0, 0, ACCOUNT, command_bindings,
	  "Lists the terminals that are bound to the account: id, label, IMEI, serial\n"
	  "number, and when each was bound." },
	{ "locks",        "[ACCOUNT]",           "list the codes that are locked",                 0, 0, ACCOUNT, command_locks,
	  "Lists each code that is locked for the lane it was tried by: a bound terminal,\n"
	  "who holds an invitation, or strangers; since when, when it opens by itself, and\n"
	  "how often it can still be unlocked. Lanes of strangers open by themselves." },
	{ "unlock",       "ACCOUNT --document KIND:LAST4 --reason TEXT", "open what is locked, for who shows a document", 0, 0, ACCOUNT | BY | DOCUMENT | BIT(SPECIAL_LANE), command_unlock,
	  "For a person at the desk who has shown an identity document. First who did it,\n"
	  "the document's kind and last four characters and the reason are put on record;\n"
	  "then the lanes of bound terminals and of invitations are opened, or those that\n"
	  "--lane names. A lane can be unlocked ten times; see handback." },
	{ "invite",       "ACCOUNT --document KIND:LAST4 --reason TEXT", "a one-time code for a new terminal", 0, 0, ACCOUNT | BY | DOCUMENT, command_invite,
	  "Prints a code for a person at the desk who has shown an identity document: with\n"
	  "it and the password the owner signs in with a new terminal, also while the lane\n"
	  "of strangers is closed. It is good once, for a day." },
	{ "handback",     "ACCOUNT --to FOLDER --document KIND:LAST4 --reason TEXT", "hand a person's data back", 0, 0, ACCOUNT | BY | DOCUMENT | BIT(SPECIAL_TO), command_hand_back,
	  "For who cannot be helped by unlock any more: opens the lane of invitations,\n"
	  "however often that was done, writes what export writes into FOLDER, and prints\n"
	  "a one-time code as invite does." },
	{ "queue",        "[ACCOUNT]",           "list the notices that wait",                     0, 0, ACCOUNT, command_queue,
	  "Lists what is not acknowledged yet: for which account and terminal, how often\n"
	  "it was tried and when it is due. A terminal of \"-\": it is not known yet to whom." },
	{ "dead-letters", "[ACCOUNT]",           "list the notices that were given up",            0, 0, ACCOUNT, command_dead_letters,
	  "Lists what was given up after give_up_ms of [notify]; see resend." },
	{ "resend",       "ACCOUNT [NOTICE]",    "put dead letters back into the queue",           0, 1, ACCOUNT | BY, command_resend,
	  "Puts the account's dead letters, or that of one notice, back into the queue as\n"
	  "if they had come now." },
	{ "sessions",     "ACCOUNT",             "list who is logged in",                          0, 0, ACCOUNT, command_sessions,
	  "Lists the account's tickets that can still be used: what each is for, of which\n"
	  "terminal, and until when." },
	{ "revoke",       "ACCOUNT (--session ID | --terminal ID | --all)", "end sessions", 0, 0, ACCOUNT | BY | BIT(SPECIAL_SESSION) | BIT(SPECIAL_TERMINAL) | BIT(SPECIAL_ALL), command_revoke,
	  "Ends a session, those of a terminal, or all of the account. Services that have\n"
	  "not confirmed it are named, and the exit status is 1: it holds for them when\n"
	  "they are back." },
	{ "disable",      "ACCOUNT --reason TEXT", "let nobody log in, and end all sessions", 0, 0, ACCOUNT | BY, command_disable,
	  "Nothing is deleted; enable takes it back. Services that have not confirmed that\n"
	  "the sessions ended are named, and the exit status is 1." },
	{ "enable",       "ACCOUNT --reason TEXT", "take disable back",                            0, 0, ACCOUNT | BY, command_enable,
	  "The owner, and terminals with a grant, can log in again." },
	{ "export",       "ACCOUNT --to FOLDER", "write down all that is held of a person",        0, 0, ACCOUNT | BY | BIT(SPECIAL_TO), command_export,
	  "Answers a data-protection request: writes FOLDER/auth.json, store.json,\n"
	  "binding.json and notify.json with all that the server can read of the account,\n"
	  "and the list of its snapshots, which it cannot read. FOLDER must be new or empty." },
	{ "delete",       "ACCOUNT --document KIND:LAST4 --reason TEXT --yes-delete ID", "delete an account, for good", 0, 0, ACCOUNT | BY | DOCUMENT | BIT(SPECIAL_YES_DELETE), command_delete,
	  "Deletes all that the server has of the account: its keys at once, the rest by\n"
	  "and by. --yes-delete must repeat the id. Services that have not confirmed it are\n"
	  "named, and the exit status is 1: they delete it when they are back." },
	{ "quota",        "ACCOUNT [SOFT HARD | default]", "show or set how much an account may have", 0, 2, ACCOUNT | BY, command_quota,
	  "Past SOFT the owner is warned, past HARD nothing more is taken; what is stored\n"
	  "stays. Sizes such as 500M or 20G, or none; default: quota_soft and quota_hard of\n"
	  "[store] again. To set it takes --reason." },
	{ "scrub",        "[ACCOUNT] [--status]", "read all data now and compare with its hashes", 0, 0, ACCOUNT | BIT(SPECIAL_STATUS), command_scrub,
	  "Begins to read what the store has, of all accounts or of one, as fast as serving\n"
	  "allows, and says how far it is; with --status only the latter. The store does it\n"
	  "by itself once within scrub_ms of [store]. What it finds: keepsakectl damage." },
	{ "damage",       "[ACCOUNT]",           "list what is damaged in the store",              0, 0, ACCOUNT, command_damage,
	  "Lists each damaged chunk, and each snapshot that it touches, by account. Exit\n"
	  "status 1: there is some. Nothing is deleted on account of it; a chunk that is\n"
	  "backed up again is whole again." },
	{ "audit",        "[verify] [SERVICE]",  "who did what to which entry when",               0, 2, AUDIT, command_audit,
	  "Lists the records of the audit log, of all services or of one, of one account\n"
	  "with --account, or behind record N with --since. audit verify finds any change\n"
	  "to the log; with --heads it compares it with copies of the heads files." },
	{ "events",       "[SERVICE]...",        "what happens, as it comes",                      0, 5, BIT(SPECIAL_KIND) | BIT(SPECIAL_COUNT), command_events,
	  "Prints the events of all processes, or of these, a line each as they come, until\n"
	  "it is interrupted or --count of them are printed. --kind: only these. It says\n"
	  "where events were lost because they came faster than they could be taken." },
	{ "compact",      "SERVICE",             "shrink the database's file, while serving",      1, 1, 0, command_compact,
	  "Writes the files of the service's databases anew without the pages that are\n"
	  "free in them. What is to be written waits meanwhile. It needs as much room on\n"
	  "the disk as is in use; cut short, nothing has changed." },
	{ "keys",         "make [gateway-NAME]...", "make the keys that are missing",              1, 9, 0, command_keys,
	  "keys make makes the key folder and what is missing in it; keys that are there\n"
	  "are kept. With names it makes the keys of these gateways, beside the first's.\n"
	  "keys rotate [SERVICE]... makes new master keys for all services or\n"
	  "these, and has them wrap their account keys by the new ones, while serving." },
	{ "keys",         "rotate [SERVICE]...", "new master keys, for all services or these",     1, 9, 0, command_keys,
	  NULL },
	{ "backup",       "[SERVICE]...",        "copy the databases, while serving",              0, 4, BIT(SPECIAL_TO) | BIT(SPECIAL_NO_LEDGER), command_backup,
	  "Has each service, or those that are named, copy its database, account keys and\n"
	  "journal into a new folder NAME below [SERVICE] backups; without --to the name is\n"
	  "the time. Says of which moment each copy is. auth is copied last." },
	{ "restore",      "SERVICE --from FOLDER", "put a backup back; the service is stopped",    1, 1, BIT(SPECIAL_FROM) | BIT(SPECIAL_WITH_LEDGER) | BIT(SPECIAL_LEDGER_ONLY), command_restore,
	  "Checks the backup in FOLDER and puts its database in place; the former one stays\n"
	  "beside it. --with-ledger also puts account keys and journal back, where they were\n"
	  "lost; what is there is newer and is kept. --ledger-only leaves the database." },
	{ "verify",       "[SERVICE]... [--folder FOLDER]", "prove that what is stored is whole",  0, 4, BIT(SPECIAL_FOLDER), command_verify,
	  "Has each service, or those that are named, read all it has: every row unpacks and\n"
	  "opens, and what refers to something finds it. Damage is named, and the exit status\n"
	  "is 1. With --folder it is that backup that is checked, not what is served." },
	{ "enrolment",    "[--address HOST:PORT[,gateway-NAME]]... [--qr]", "print the string that terminals enrol by", 0, 0, BIT(SPECIAL_ADDRESS) | BIT(SPECIAL_QR) | BIT(SPECIAL_QR_FILE), command_enrolment,
	  "The string holds the addresses of public_address of [gateway], or those that are\n"
	  "given, at most 8, and the public keys that a terminal trusts. A gateway that has\n"
	  "a key of its own is named behind its address. The string is not secret, but must\n"
	  "reach a terminal unchanged. --qr prints it as a QR code besides, --qr-file writes\n"
	  "one." },
};

/* Options: name, argument or NULL, what is set, help. */
enum option_kind { OPTION_TEXT, OPTION_LIST, OPTION_FLAG, OPTION_VERSION, OPTION_HELP };

#define FIELD(member) offsetof(struct ops_options, member)
#define EVERY         (-1)

static const struct option_row {
	const char *name;
	const char *argument;
	enum option_kind kind;
	size_t field;
	int special; /* or EVERY: all commands take it */
	const char *help;
} option_rows[] = {
	{ "name-file", "FILE",   OPTION_TEXT, FIELD(name_file), SPECIAL_NAME_FILE, "the account, by the login name in FILE (- is standard input)" },
	{ "after",     "ID",     OPTION_TEXT, FIELD(after),     SPECIAL_AFTER,     "only accounts behind ID" },
	{ "to",        "FOLDER", OPTION_TEXT, FIELD(to),        SPECIAL_TO,        "where to write; a new or empty folder" },
	{ "operator",  "NAME",   OPTION_TEXT, FIELD(operator),  SPECIAL_OPERATOR,  "who does it; default: who called sudo, or runs this" },
	{ "reason",    "TEXT",   OPTION_TEXT, FIELD(reason),    SPECIAL_REASON,    "why, for the record; no names in it" },
	{ "document",  "KIND:LAST4", OPTION_TEXT, FIELD(document), SPECIAL_DOCUMENT, "what was seen: see keepsakectl(8)" },
	{ "lane",      "WORD",   OPTION_TEXT, FIELD(lane),      SPECIAL_LANE,      "bound, invited or stranger; default: the first two" },
	{ "session",   "ID",     OPTION_TEXT, FIELD(session),   SPECIAL_SESSION,   "this one" },
	{ "terminal",  "ID",     OPTION_TEXT, FIELD(terminal),  SPECIAL_TERMINAL,  "all of this terminal" },
	{ "all",       NULL,     OPTION_FLAG, FIELD(all),       SPECIAL_ALL,       "all of the account" },
	{ "yes-delete", "ID",    OPTION_TEXT, FIELD(yes_delete), SPECIAL_YES_DELETE, "the account's id once more" },
	{ "account",   "ID",     OPTION_TEXT, FIELD(account),   SPECIAL_ACCOUNT,   "only records about this account" },
	{ "since",     "N",      OPTION_TEXT, FIELD(since),     SPECIAL_SINCE,     "only records from number N on" },
	{ "kind",      "KIND",   OPTION_TEXT, FIELD(kind),      SPECIAL_KIND,      "only events of this kind, say login_failed" },
	{ "count",     "N",      OPTION_TEXT, FIELD(count),     SPECIAL_COUNT,     "end after so many events" },
	{ "status",    NULL,     OPTION_FLAG, FIELD(status),    SPECIAL_STATUS,    "only say how far it is" },
	{ "qr",        NULL,     OPTION_FLAG, FIELD(qr),        SPECIAL_QR,        "print a QR code as well" },
	{ "qr-file",   "FILE",   OPTION_TEXT, FIELD(qr_file),   SPECIAL_QR_FILE,   "write a QR code to FILE, a new .png or .svg" },
	{ "address",   "HOST:PORT", OPTION_LIST, FIELD(addresses), SPECIAL_ADDRESS, "where a gateway is met, with its name where it has a key of its own; again for another" },
	{ "heads",     "FOLDER", OPTION_TEXT, FIELD(heads),     SPECIAL_HEADS,     "copies of the heads files" },
	{ "from",      "FOLDER", OPTION_TEXT, FIELD(from),      SPECIAL_FROM,      "the backup: the folder with its manifest" },
	{ "folder",    "FOLDER", OPTION_TEXT, FIELD(folder),    SPECIAL_FOLDER,    "the backup: the folder with its manifest" },
	{ "no-ledger", NULL,     OPTION_FLAG, FIELD(no_ledger), SPECIAL_NO_LEDGER, "the databases alone" },
	{ "ledger-only", NULL,   OPTION_FLAG, FIELD(ledger_only), SPECIAL_LEDGER_ONLY, "these alone: the database that is there is newer" },
	{ "with-ledger", NULL,   OPTION_FLAG, FIELD(with_ledger), SPECIAL_WITH_LEDGER, "account keys and journal too, where they are lost" },
};
/* clang-format on */

/* ---- usage ---- */

static void print_option(FILE *out, const struct option_row *row)
{
	char left[96];

	snprintf(left, sizeof(left), "--%s %s", row->name,
	    row->argument ? row->argument : "");
	fprintf(out, "      %-20s %s\n", left, row->help);
}

static void print_usage(FILE *out)
{
	char left[96];

	fprintf(out, "usage: keepsakectl [--config FILE] [--json] COMMAND "
		     "[ARGUMENT…]\n\n");
	for (size_t i = 0; i < nitems(commands); i++) {
		int len = snprintf(left, sizeof(left), "%s %s",
		    commands[i].name, commands[i].arguments);
		fprintf(out, "  %-*s", USAGE_LEFT, left);
		if (len >= USAGE_LEFT)
			fprintf(out, "\n  %-*s", USAGE_LEFT, "");
		fprintf(out, " %s\n", commands[i].help);
	}
	fprintf(out,
	    "  %-28s %s\n\n"
	    "ACCOUNT is an account's id, 32 hex digits, or --name-file FILE.\n"
	    "\n"
	    "  -c, --config FILE        default %s\n"
	    "      --json               for scripts\n"
	    "      --completion SHELL   print a script for completion in bash\n"
	    "  -h, --help               this text\n"
	    "  -V, --version            print the version\n",
	    "help COMMAND", "more about a command", CONFIG_DEFAULT);
}

static void print_command_usage(FILE *out, const struct command *command)
{
	fprintf(out, "usage: keepsakectl [--config FILE] [--json] %s%s%s\n",
	    command->name, *command->arguments ? " " : "", command->arguments);
}

static void print_command_help(const struct command *command)
{
	print_command_usage(stdout, command);
	printf("\n%s\n", command->more);
	if (command->takes)
		printf("\n");
	for (size_t i = 0; i < nitems(option_rows); i++)
		if (command->takes & BIT(option_rows[i].special))
			print_option(stdout, &option_rows[i]);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < nitems(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	fprintf(stderr,
	    "keepsakectl: no command \"%s\": keepsakectl --help lists them\n",
	    name);
	return NULL;
}

/* ---- reading the command line ---- */

/* What reading it ends with. */
enum parsed { PARSED_RUN, PARSED_DONE, PARSED_WRONG };

/* False: it stands there too often; said. */
static bool take_option(
    struct ops_options *options, const struct option_row *row, char *text)
{
	void *at = (char *)options + row->field;
	struct ops_list *list = at;

	if (row->kind == OPTION_TEXT) {
		memcpy(at, &text, sizeof(text));
	} else if (row->kind == OPTION_FLAG) {
		*(bool *)at = true;
	} else if (list->count < OPS_LIST_MAX) {
		list->texts[list->count++] = text;
	} else {
		fprintf(stderr, "keepsakectl: --%s: at most %d times\n",
		    row->name, OPS_LIST_MAX);
		return false;
	}
	return true;
}

enum common_option {
	OPTION_JSON = OPTION_BASE,
	OPTION_COMPLETION,
	OPTION_SPECIAL, /* and above: rows of option_rows */
};

static const struct option common_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "completion", required_argument, NULL, OPTION_COMPLETION },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};
#define COMMON_OPTIONS nitems(common_options)

static enum parsed print_completion(const char *shell)
{
	struct completion_command rows[nitems(commands)];
	struct completion_option options[nitems(option_rows) + COMMON_OPTIONS];
	const struct completion completion = { "keepsakectl", rows,
		nitems(rows), options, nitems(options) };

	for (size_t i = 0; i < nitems(rows); i++)
		rows[i] = (struct completion_command){ commands[i].name,
			commands[i].arguments, commands[i].takes };
	for (size_t i = 0; i < nitems(option_rows); i++)
		options[i] = (struct completion_option){ option_rows[i].name,
			option_rows[i].argument, BIT(option_rows[i].special),
			0 };
	for (size_t i = 0; i < COMMON_OPTIONS; i++)
		options[nitems(option_rows) + i] = (struct completion_option){
			.name = common_options[i].name,
			.argument = common_options[i].has_arg ? "FILE" : NULL,
			.letter = common_options[i].val < OPTION_BASE
				      ? (char)common_options[i].val
				      : '\0',
		};
	if (completion_print(&completion, shell, stdout) == STATUS_OK)
		return PARSED_DONE;
	fprintf(
	    stderr, "keepsakectl: --completion %s: it is for bash\n", shell);
	return PARSED_WRONG;
}

static enum parsed parse_options(struct ops *self, int argc, char **argv,
    const char **config, unsigned int *given)
{
	struct option rows[nitems(option_rows) + COMMON_OPTIONS + 1] = { 0 };
	int option;

	for (size_t i = 0; i < nitems(option_rows); i++)
		rows[COMMON_OPTIONS + i] = (struct option){
			.name = option_rows[i].name,
			.has_arg = option_rows[i].argument ? required_argument
							   : no_argument,
			.val = OPTION_SPECIAL + (int)i,
		};
	for (size_t i = 0; i < COMMON_OPTIONS; i++)
		rows[i] = common_options[i];
	if (!options_exact("keepsakectl", rows, argc, argv))
		return PARSED_WRONG;
	while ((option = getopt_long(argc, argv, "c:hV", rows, NULL)) != -1) {
		if (option >= OPTION_SPECIAL) {
			const struct option_row *row =
			    &option_rows[option - OPTION_SPECIAL];
			*given |= BIT(row->special);
			if (!take_option(&self->options, row, optarg))
				return PARSED_WRONG;
			continue;
		}
		switch (option) {
		case 'c':
			*config = optarg;
			break;
		case OPTION_JSON:
			self->json = true;
			break;
		case OPTION_COMPLETION:
			return print_completion(optarg);
		case 'h':
			print_usage(stdout);
			return PARSED_DONE;
		case 'V':
			printf("keepsakectl %s\n", KEEPSAKE_VERSION);
			return PARSED_DONE;
		default:
			fprintf(stderr, "keepsakectl: keepsakectl --help lists "
					"the options\n");
			return PARSED_WRONG;
		}
	}
	return PARSED_RUN;
}

static enum parsed help(int argc, char **argv)
{
	if (argc == 0) {
		print_usage(stdout);
		return PARSED_DONE;
	}
	const struct command *command = find_command(argv[0]);
	if (!command)
		return PARSED_WRONG;
	print_command_help(command);
	return PARSED_DONE;
}

/* Whether ${command} takes what was given; says what it does not. */
static bool check_arguments(
    const struct command *command, int argc, unsigned int given)
{
	int more = command->takes & ACCOUNT && !(given & ACCOUNT);

	for (size_t i = 0; i < nitems(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		if (!(given & ~command->takes & BIT(row->special)))
			continue;
		fprintf(stderr, "keepsakectl: %s does not take --%s\n",
		    command->name, row->name);
		return false;
	}
	/* An account in brackets may be left out. */
	int min = command->operands_min;
	if (*command->arguments != '[')
		min += more;
	if (argc >= min && argc <= command->operands_max + more)
		return true;
	print_command_usage(stderr, command);
	fprintf(stderr, "keepsakectl: keepsakectl help %s says more\n",
	    command->name);
	return false;
}

/* What could not be printed was not done. */
static enum exit_code output_end(enum exit_code code)
{
	if ((fflush(stdout) == 0 && !ferror(stdout)) || code != EXIT_OK)
		return code;
	fprintf(stderr, "keepsakectl: standard output cannot be written: is "
			"its disk full?\n");
	return EXIT_FAILED;
}

static void run(
    struct ops *self, const struct command *command, int argc, char **argv)
{
	command->run(self, argc, argv);
	ops_hang_up(self);
	self->exit_code = output_end(self->exit_code);
}

int main(int argc, char **argv)
{
	const char *config = CONFIG_DEFAULT;
	struct ops ops = { .exit_code = EXIT_OK };
	unsigned int given = 0;

	log_program("keepsakectl");
	enum parsed parsed = parse_options(&ops, argc, argv, &config, &given);
	argc -= optind;
	argv += optind;
	if (parsed == PARSED_RUN && argc > 0 && strcmp(argv[0], "help") == 0)
		parsed = help(argc - 1, argv + 1);
	if (parsed != PARSED_RUN)
		return (int)output_end(
		    parsed == PARSED_DONE ? EXIT_OK : EXIT_USAGE);
	if (argc == 0) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	const struct command *command = find_command(argv[0]);
	if (!command || !check_arguments(command, argc - 1, given))
		return EXIT_USAGE;
	if (conf_load(settings, settings_count, config, &ops.conf) != STATUS_OK)
		return EXIT_USAGE;
	if (sodium_init() < 0 || arena_open(ARENA_BYTES) != STATUS_OK ||
	    process_harden() != STATUS_OK) {
		conf_destroy(&ops.conf);
		return EXIT_FAILED;
	}
	ops.config = config;
	run(&ops, command, argc - 1, argv + 1);
	conf_destroy(&ops.conf);
	arena_close();
	return ops.exit_code;
}
