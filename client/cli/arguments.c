#include "arguments.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/completion.h"
#include "base/options.h"
#include "base/text.h"
#include "base/util.h"

/* The commands and options, as tables, and the reading of them. */

#define BIT(n) (1ull << (n))

/* The options that not every command takes. */
enum special {
	SPECIAL_NEW_PASSWORD,
	SPECIAL_VERIFICATION,
	SPECIAL_LABEL,
	SPECIAL_CATEGORY,
	SPECIAL_TARGET,
	SPECIAL_VERIFY,
	SPECIAL_RESUME,
	SPECIAL_FOLLOW,
	SPECIAL_DRY_RUN,
	SPECIAL_FACTORS,
	SPECIAL_IDENTIFIERS_ONLY,
	SPECIAL_ASK,
	SPECIAL_TERMINAL,
	SPECIAL_ALL,
	SPECIAL_YES,
	SPECIAL_LOCAL,
	SPECIAL_TOOL_PASSWORD,
	SPECIAL_KEY,
	SPECIAL_KEY_FOLDER,
	SPECIAL_UNATTENDED,
	SPECIAL_OFF,
	SPECIAL_DIRECTIONS,
	SPECIAL_ICCID,
	SPECIAL_NUMBER,
	SPECIAL_DATA_FILE,
	SPECIAL_OUTPUT,
	SPECIAL_PATH,
	SPECIAL_IN_PLACE,
	SPECIAL_OVERWRITE,
	SPECIAL_QUIET_HOURS,
	SPECIAL_TELL,
	SPECIAL_KEEP,
	SPECIAL_READ_DATA,
	SPECIAL_SAMPLE,
	SPECIAL_COUNT
};
_Static_assert(SPECIAL_COUNT <= 64, "a bit each");

/* What reads or writes snapshots takes these. */
#define OF_KEYS (BIT(SPECIAL_TOOL_PASSWORD) | BIT(SPECIAL_KEY_FOLDER))

/* clang-format off */
static const struct command {
	const char *name;
	const char *arguments; /* operands, and the options it needs */
	const char *help;
	int operands_min, operands_max; /* max -1: as many as wanted */
	uint64_t takes;                 /* BITs of special */
	command_fn *run;
} commands[] = {
	{ "enrol",     "STRING",                "trust the server that the string names",            1,  1, 0, command_enrol },
	{ "register",  "[NAME]",                "make an account: phone number, e-mail or nickname", 0,  1, 0, command_register },
	{ "bind",      "--serial SERIAL",       "bind this terminal to the account",                 0,  0, BIT(SPECIAL_VERIFICATION) | BIT(SPECIAL_LABEL), command_bind },
	{ "terminals", "",                      "list the account's terminals",                      0,  0, 0, command_terminals },
	{ "rebind",    "--serial SERIAL",       "become that terminal, or change what it is",        0,  0, BIT(SPECIAL_VERIFICATION) | BIT(SPECIAL_LABEL), command_rebind },
	{ "unbind",    "[TERMINAL]",            "release a terminal, without one this one",          0,  1, BIT(SPECIAL_VERIFICATION), command_unbind },
	{ "password",  "",                      "change the account's password",                     0,  0, BIT(SPECIAL_NEW_PASSWORD), command_password },
	{ "code",      "show|set|remove",       "this terminal's own code: what its transfers need", 1,  1, BIT(SPECIAL_FACTORS) | BIT(SPECIAL_IDENTIFIERS_ONLY) | BIT(SPECIAL_NEW_PASSWORD), command_code },
	{ "sim-pin",   "confirmed",             "say that the PIN of the card in it is on",          1,  1, 0, command_sim_pin },
	{ "invite",    "",                      "get a one-time code for a new terminal",            0,  0, BIT(SPECIAL_ASK), command_invite },
	{ "sessions",  "",                      "list who is signed in to the account",              0,  0, 0, command_sessions },
	{ "revoke",    "[SESSION]",             "sign somebody out, at once",                        0,  1, BIT(SPECIAL_TERMINAL) | BIT(SPECIAL_ALL), command_revoke },
	{ "forget",    "",                      "delete the account and all it has, for ever",       0,  0, BIT(SPECIAL_YES) | BIT(SPECIAL_LOCAL), command_forget },
	{ "backup",    "FOLDER...",             "back up folders, a snapshot each",                  1, -1, BIT(SPECIAL_LABEL) | BIT(SPECIAL_DRY_RUN) | BIT(SPECIAL_KEY) | BIT(SPECIAL_UNATTENDED) | OF_KEYS, command_backup },
	{ "snapshots", "",                      "list the account's snapshots",                      0,  0, OF_KEYS, command_snapshots },
	{ "show",      "SNAPSHOT",              "list what is in a snapshot",                        1,  1, BIT(SPECIAL_CATEGORY) | OF_KEYS, command_show },
	{ "check",     "[SNAPSHOT]... | all",   "prove snapshots whole",                             0, -1, BIT(SPECIAL_READ_DATA) | BIT(SPECIAL_SAMPLE) | OF_KEYS, command_check },
	{ "diff",      "SNAPSHOT SNAPSHOT",     "what is not the same in two snapshots",             2,  2, BIT(SPECIAL_CATEGORY) | OF_KEYS, command_diff },
	{ "restore",   "SNAPSHOT --target DIR", "write a snapshot into a folder, or in place",       1,  1, BIT(SPECIAL_TARGET) | BIT(SPECIAL_PATH) | BIT(SPECIAL_IN_PLACE) | BIT(SPECIAL_OVERWRITE) | BIT(SPECIAL_VERIFY) | BIT(SPECIAL_RESUME) | BIT(SPECIAL_CATEGORY) | OF_KEYS, command_restore },
	{ "delete",    "SNAPSHOT...",           "delete snapshots, for good",                        1, -1, OF_KEYS, command_delete },
	{ "thin",      "--keep-daily N",        "delete the snapshots that no rule keeps",           0,  0, BIT(SPECIAL_KEEP) | BIT(SPECIAL_DRY_RUN) | OF_KEYS, command_thin },
	{ "grant",     "add|list|remove",       "let this terminal back up without a password",      1,  2, BIT(SPECIAL_DIRECTIONS) | BIT(SPECIAL_KEY_FOLDER), command_grant },
	{ "lock",      "",                      "set a password of this tool; --off: none",          0,  0, BIT(SPECIAL_TOOL_PASSWORD) | BIT(SPECIAL_NEW_PASSWORD) | BIT(SPECIAL_OFF), command_lock },
	{ "card",      "save|list|fetch",       "what the account keeps of cards",                   1,  2, BIT(SPECIAL_ICCID) | BIT(SPECIAL_NUMBER) | BIT(SPECIAL_DATA_FILE) | BIT(SPECIAL_OUTPUT), command_card },
	{ "notices",   "",                      "print what the server has to tell",                 0,  0, BIT(SPECIAL_FOLLOW), command_notices },
	{ "rules",     "",                      "when notices come: quiet hours, kinds",             0,  0, BIT(SPECIAL_QUIET_HOURS) | BIT(SPECIAL_TELL), command_rules },
	{ "status",    "",                      "where this terminal stands; is the server there?",  0,  0, 0, command_status },
};

/* Options: name, argument or NULL, what is set, help. */
enum option_kind { OPTION_TEXT, OPTION_FLAG, OPTION_DURATION, OPTION_COUNT, OPTION_CATEGORY, OPTION_KEY, OPTION_COMPLETION, OPTION_VERSION, OPTION_HELP };

#define FIELD(member) offsetof(struct options, member)
#define EVERY         (-1)

static const struct option_row {
	const char *name;
	const char *argument;
	enum option_kind kind;
	size_t field;
	int special; /* or EVERY: all commands take it */
	const char *help;
} option_rows[] = {
	{ "state",             "DIR",      OPTION_TEXT,     FIELD(state),             EVERY,                "the terminal's state folder" },
	{ "name",              "NAME",     OPTION_TEXT,     FIELD(name),              EVERY,                "the account, instead of the remembered one" },
	{ "password-file",     "FILE",     OPTION_TEXT,     FIELD(password_file),     EVERY,                "read the password from FILE, mode 0600" },
	{ "imei",              "IMEI",     OPTION_TEXT,     FIELD(imei),              EVERY,                "of this terminal" },
	{ "serial",            "SERIAL",   OPTION_TEXT,     FIELD(serial),            EVERY,                "of this terminal" },
	{ "imsi",              "IMSI",     OPTION_TEXT,     FIELD(imsi),              EVERY,                "of the card in it" },
	{ "identity-file",     "FILE",     OPTION_TEXT,     FIELD(identity_file),     EVERY,                "read these three from FILE, mode 0600" },
	{ "invitation-file",   "FILE",     OPTION_TEXT,     FIELD(invitation_file),   EVERY,                "come with an invitation; - reads a line" },
	{ "timeout",           "DURATION", OPTION_DURATION, FIELD(timeout_ms),        EVERY,                "give up after: 30s, 5min; see keepsake(1)" },
	{ "json",              NULL,       OPTION_FLAG,     FIELD(json),              EVERY,                "print JSON" },
	{ "quiet",             NULL,       OPTION_FLAG,     FIELD(quiet),             EVERY,                "print errors only" },
	{ "new-password-file", "FILE",     OPTION_TEXT,     FIELD(new_password_file), SPECIAL_NEW_PASSWORD, "password, code set, lock: the new one" },
	{ "verification-file", "FILE",     OPTION_TEXT,     FIELD(verification_file), SPECIAL_VERIFICATION, "bind, rebind, unbind: verification information" },
	{ "label",             "TEXT",     OPTION_TEXT,     FIELD(label),             SPECIAL_LABEL,        "bind, rebind, backup: your words for it" },
	{ "category",          "WORD",     OPTION_CATEGORY, FIELD(category),          SPECIAL_CATEGORY,     "show, diff, restore: only these files" },
	{ "target",            "DIR",      OPTION_TEXT,     FIELD(target),            SPECIAL_TARGET,       "restore: the folder to write to" },
	{ "in-place",          NULL,       OPTION_FLAG,     FIELD(in_place),          SPECIAL_IN_PLACE,     "restore: into the folder that was backed up" },
	{ "overwrite",         NULL,       OPTION_FLAG,     FIELD(overwrite),         SPECIAL_OVERWRITE,    "restore --in-place: replace what differs" },
	{ "path",              "PATH",     OPTION_TEXT,     FIELD(path),              SPECIAL_PATH,         "restore: only this file or folder" },
	{ "verify",            NULL,       OPTION_FLAG,     FIELD(verify),            SPECIAL_VERIFY,       "restore: read all again and compare" },
	{ "resume",            NULL,       OPTION_FLAG,     FIELD(resume),            SPECIAL_RESUME,       "restore: go on with one that was begun" },
	{ "follow",            NULL,       OPTION_FLAG,     FIELD(follow),            SPECIAL_FOLLOW,       "notices: go on as they come" },
	{ "dry-run",           NULL,       OPTION_FLAG,     FIELD(dry_run),           SPECIAL_DRY_RUN,      "backup: send nothing; thin: delete nothing" },
	{ "keep-last",         "N",        OPTION_COUNT,    FIELD(keep_last),         SPECIAL_KEEP,         "thin: keep the newest N of each folder" },
	{ "keep-daily",        "N",        OPTION_COUNT,    FIELD(keep_daily),        SPECIAL_KEEP,         "thin: the newest of each of N days" },
	{ "keep-weekly",       "N",        OPTION_COUNT,    FIELD(keep_weekly),       SPECIAL_KEEP,         "thin: the newest of each of N weeks" },
	{ "keep-monthly",      "N",        OPTION_COUNT,    FIELD(keep_monthly),      SPECIAL_KEEP,         "thin: the newest of each of N months" },
	{ "factors",           "LIST",     OPTION_TEXT,     FIELD(factors),           SPECIAL_FACTORS,      "code set: of password,serial,imei,imsi" },
	{ "identifiers-only",  NULL,       OPTION_FLAG,     FIELD(identifiers_only),  SPECIAL_IDENTIFIERS_ONLY, "code set: without a password" },
	{ "ask",               NULL,       OPTION_FLAG,     FIELD(ask),               SPECIAL_ASK,          "invite: have it sent to the owner" },
	{ "terminal",          "ID",       OPTION_TEXT,     FIELD(terminal),          SPECIAL_TERMINAL,     "revoke: all of this terminal" },
	{ "all",               NULL,       OPTION_FLAG,     FIELD(all),               SPECIAL_ALL,          "revoke: everybody, also this one" },
	{ "yes",               "ACCOUNT",  OPTION_TEXT,     FIELD(account),           SPECIAL_YES,          "forget: do not ask; the account's id" },
	{ "local",             NULL,       OPTION_FLAG,     FIELD(local),             SPECIAL_LOCAL,        "forget: on this terminal only" },
	{ "key",               "WORD",     OPTION_KEY,      FIELD(key),               SPECIAL_KEY,          "backup: keep its key 'sealed' or 'local'" },
	{ "key-folder",        "DIR",      OPTION_TEXT,     FIELD(key_folder),        SPECIAL_KEY_FOLDER,   "the place of keys that stay on this terminal" },
	{ "unattended",        NULL,       OPTION_FLAG,     FIELD(unattended),        SPECIAL_UNATTENDED,   "backup: by this terminal's grant, ask nothing" },
	{ "upload",            NULL,       OPTION_FLAG,     FIELD(upload),            SPECIAL_DIRECTIONS,   "grant add: for backups" },
	{ "report",            NULL,       OPTION_FLAG,     FIELD(report),            SPECIAL_DIRECTIONS,   "grant add: for reports" },
	{ "tool-password-file", "FILE",    OPTION_TEXT,     FIELD(tool_password_file), SPECIAL_TOOL_PASSWORD, "the password that 'keepsake lock' set" },
	{ "off",               NULL,       OPTION_FLAG,     FIELD(off),               SPECIAL_OFF,          "lock: no password of the tool any more" },
	{ "iccid",             "ICCID",    OPTION_TEXT,     FIELD(iccid),             SPECIAL_ICCID,        "card save: the card's number" },
	{ "number",            "NUMBER",   OPTION_TEXT,     FIELD(number),            SPECIAL_NUMBER,       "card save: its phone number, +…" },
	{ "data-file",         "FILE",     OPTION_TEXT,     FIELD(data_file),         SPECIAL_DATA_FILE,    "card save: what to keep with it" },
	{ "output",            "FILE",     OPTION_TEXT,     FIELD(output),            SPECIAL_OUTPUT,       "card fetch: write that to FILE" },
	{ "quiet-hours",       "FROM-TO",  OPTION_TEXT,     FIELD(quiet_hours),       SPECIAL_QUIET_HOURS,  "rules: 22:00-07:00, local time; or off" },
	{ "tell",              "LIST",     OPTION_TEXT,     FIELD(tell),              SPECIAL_TELL,         "rules: KIND=usual|at-once|in-time|never[/DURATION],…" },
	{ "read-data",         NULL,       OPTION_FLAG,     FIELD(read_data),         SPECIAL_READ_DATA,    "check: fetch, open and compare all of it" },
	{ "sample",            "N",        OPTION_COUNT,    FIELD(sample),            SPECIAL_SAMPLE,       "check: restore N files, picked at random" },
	{ "completion",        "SHELL",    OPTION_COMPLETION, 0,                      EVERY,                "print a script for completion in bash" },
	{ "version",           NULL,       OPTION_VERSION,  0,                        EVERY,                "print the version" },
	{ "help",              NULL,       OPTION_HELP,     0,                        EVERY,                "print this" },
};
/* clang-format on */

#define OPTION_BASE 256 /* above every character */
#define COUNT_MAX   100000

static void print_usage(FILE *to)
{
	char left[64];

	fprintf(to, "usage: keepsake [OPTION…] COMMAND [ARGUMENT…]\n\n");
	for (size_t i = 0; i < nitems(commands); i++) {
		snprintf(left, sizeof(left), "%s %s", commands[i].name,
		    commands[i].arguments);
		fprintf(to, "  %-29s %s\n", left, commands[i].help);
	}
	fprintf(to, "\nSNAPSHOT is latest, a number, or a moment in UTC "
		    "(2026-11-20T18:30).\n\n");
	for (size_t i = 0; i < nitems(option_rows); i++) {
		const char *argument = option_rows[i].argument;
		snprintf(left, sizeof(left), "--%s %s", option_rows[i].name,
		    argument ? argument : "");
		fprintf(to, "  %-29s %s\n", left, option_rows[i].help);
	}
}

static enum parsed print_completion(const char *shell)
{
	struct completion_command rows[nitems(commands)];
	struct completion_option options[nitems(option_rows)];
	const struct completion completion = { "keepsake", rows, nitems(rows),
		options, nitems(options) };

	for (size_t i = 0; i < nitems(rows); i++)
		rows[i] = (struct completion_command){ commands[i].name,
			commands[i].arguments, commands[i].takes };
	for (size_t i = 0; i < nitems(options); i++) {
		const struct option_row *row = &option_rows[i];
		options[i] =
		    (struct completion_option){ row->name, row->argument,
			    row->special == EVERY ? 0 : BIT(row->special), 0 };
	}
	if (completion_print(&completion, shell, stdout) == STATUS_OK)
		return PARSED_DONE;
	fprintf(stderr, "keepsake: --completion %s: it is for 'bash'\n", shell);
	return PARSED_WRONG;
}

static bool is_category(const char *word)
{
	for (unsigned int i = 1; i < KEEPSAKE_CATEGORIES; i++)
		if (strcmp(keepsake_category(i), word) == 0)
			return true;
	return false;
}

static void print_categories(FILE *to)
{
	for (unsigned int i = 1; i < KEEPSAKE_CATEGORIES; i++)
		fprintf(to, "%s%s", i > 1 ? ", " : "", keepsake_category(i));
}

static enum parsed take_option(
    struct options *options, const struct option_row *row, const char *text)
{
	char *at = (char *)options + row->field;
	uint64_t duration_ms, count;

	switch (row->kind) {
	case OPTION_CATEGORY:
		if (!is_category(text)) {
			fprintf(stderr, "keepsake: --%s %s: it is one of ",
			    row->name, text);
			print_categories(stderr);
			fputc('\n', stderr);
			return PARSED_WRONG;
		}
		memcpy(at, &text, sizeof(text));
		return PARSED_RUN;
	case OPTION_KEY:
		if (strcmp(text, "sealed") != 0 && strcmp(text, "local") != 0) {
			fprintf(stderr,
			    "keepsake: --%s %s: it is 'sealed', at the server "
			    "under the account's password, or 'local', on "
			    "this terminal only\n",
			    row->name, text);
			return PARSED_WRONG;
		}
		memcpy(at, &text, sizeof(text));
		return PARSED_RUN;
	case OPTION_TEXT:
		memcpy(at, &text, sizeof(text));
		return PARSED_RUN;
	case OPTION_FLAG:
		*(bool *)(void *)at = true;
		return PARSED_RUN;
	case OPTION_DURATION:
		if (text_duration(&duration_ms, text) != STATUS_OK ||
		    duration_ms == 0 || duration_ms > DEADLINE_MS_MAX) {
			fprintf(stderr,
			    "keepsake: --%s %s: a number with ms, s or min "
			    "behind, at most 10min\n",
			    row->name, text);
			return PARSED_WRONG;
		}
		options->timeout_ms = (uint32_t)duration_ms;
		return PARSED_RUN;
	case OPTION_COUNT:
		if (text_number(&count, text, COUNT_MAX) != STATUS_OK) {
			fprintf(stderr,
			    "keepsake: --%s %s: a number, 0 to %d\n", row->name,
			    text, COUNT_MAX);
			return PARSED_WRONG;
		}
		*(uint32_t *)(void *)at = (uint32_t)count;
		return PARSED_RUN;
	case OPTION_COMPLETION:
		return print_completion(text);
	case OPTION_VERSION:
		puts("keepsake " KEEPSAKE_VERSION);
		return PARSED_DONE;
	case OPTION_HELP:
	default:
		print_usage(stdout);
		return PARSED_DONE;
	}
}

/* Read the options; ${given} collects the BITs of the special ones. */
static enum parsed parse_options(
    struct options *options, int argc, char **argv, uint64_t *given)
{
	struct option rows[nitems(option_rows) + 1] = { 0 };
	enum parsed parsed = PARSED_RUN;
	int c;

	for (size_t i = 0; i < nitems(option_rows); i++)
		rows[i] = (struct option){
			.name = option_rows[i].name,
			.has_arg = option_rows[i].argument ? required_argument
							   : no_argument,
			.val = OPTION_BASE + (int)i,
		};
	if (!options_exact("keepsake", rows, argc, argv))
		return PARSED_WRONG;
	while (parsed == PARSED_RUN &&
	       (c = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (c < OPTION_BASE) {
			/* getopt has said why */
			fprintf(stderr, "keepsake: keepsake --help lists the "
					"options\n");
			return PARSED_WRONG;
		}
		const struct option_row *row = &option_rows[c - OPTION_BASE];
		if (row->special != EVERY)
			*given |= BIT(row->special);
		parsed = take_option(options, row, optarg);
	}
	return parsed;
}

/* The command that was named, with its operands, or NULL: said why. */
static const struct command *find_command(
    struct run *run, int argc, char **argv, uint64_t given)
{
	const struct command *command = NULL;

	if (optind >= argc) {
		print_usage(stderr);
		return NULL;
	}
	for (size_t i = 0; i < nitems(commands); i++)
		if (strcmp(commands[i].name, argv[optind]) == 0)
			command = &commands[i];
	if (!command) {
		fprintf(stderr,
		    "keepsake: %s: no such command; keepsake --help lists "
		    "them\n",
		    argv[optind]);
		return NULL;
	}
	run->operands = (const char *const *)&argv[optind + 1];
	run->operands_count = argc - optind - 1;
	if (run->operands_count < command->operands_min ||
	    (command->operands_max >= 0 &&
		run->operands_count > command->operands_max)) {
		fprintf(stderr, "usage: keepsake %s %s\n", command->name,
		    command->arguments);
		return NULL;
	}
	for (size_t i = 0; i < nitems(option_rows); i++) {
		int special = option_rows[i].special;
		if (special == EVERY || !(given & BIT(special)) ||
		    command->takes & BIT(special))
			continue;
		fprintf(stderr, "keepsake: %s does not take --%s\n",
		    command->name, option_rows[i].name);
		return NULL;
	}
	return command;
}

/* Read --identity-file; an option that was given besides wins. */
static bool take_identity(struct run *run)
{
	struct options *options = &run->options;
	struct identity *identity = &run->identity;
	const struct {
		const char **option;
		const char *value;
	} rows[] = {
		{ &options->serial, identity->serial },
		{ &options->imei, identity->imei },
		{ &options->imsi, identity->imsi },
	};
	struct identity_fault fault;

	if (!options->identity_file)
		return true;
	if (identity_read(identity, options->identity_file, &fault) !=
	    STATUS_OK) {
		fprintf(stderr, "keepsake: --identity-file %s",
		    options->identity_file);
		if (fault.line > 0)
			fprintf(stderr, ", line %zu", fault.line);
		fprintf(stderr, ": %s\n", fault.why);
		return false;
	}
	for (size_t i = 0; i < nitems(rows); i++)
		if (!*rows[i].option && rows[i].value[0] != '\0')
			*rows[i].option = rows[i].value;
	return true;
}

enum parsed arguments_read(
    struct run *run, int argc, char **argv, command_fn **command_out)
{
	uint64_t given = 0;
	enum parsed parsed = parse_options(&run->options, argc, argv, &given);

	if (parsed != PARSED_RUN)
		return parsed;
	const struct command *command = find_command(run, argc, argv, given);
	if (!command || !take_identity(run))
		return PARSED_WRONG;
	*command_out = command->run;
	return PARSED_RUN;
}
