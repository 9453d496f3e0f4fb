#ifndef KEEPSAKE_CLI_COMMAND_H
#define KEEPSAKE_CLI_COMMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "identity.h"
#include "keepsake.h"

/* What every command of keepsake(1) is made of. */

/** Exit codes; the man page lists them: append, never renumber. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTLY = 3,      /* done, but for some files */
	EXIT_AUTH = 4,        /* denied, locked, frozen, expired */
	EXIT_UNREACHABLE = 5, /* gateway or service, or not the right one */
	EXIT_NOT_FOUND = 6,
	EXIT_CONFLICT = 7, /* taken, two at once, target not empty */
};

/** The options, as they were given; NULL where one was not. */
struct options {
	const char *state;
	const char *name;
	const char *password_file;
	const char *new_password_file;
	const char *verification_file;
	const char *invitation_file; /* "-": standard input */
	const char *identity_file;
	const char *tool_password_file;
	const char *key;
	const char *key_folder;
	const char *imei;
	const char *serial;
	const char *imsi;
	const char *label;
	const char *category;
	const char *target;
	const char *path; /* within a snapshot */
	const char *factors;
	const char *quiet_hours; /* "22:00-07:00", "off" */
	const char *tell;        /* KIND=WHEN,... */
	const char *terminal;
	const char *account; /* to be forgotten */
	const char *iccid;
	const char *number;
	const char *data_file; /* "-": standard input */
	const char *output;    /* "-": standard output */
	uint32_t timeout_ms;   /* 0: as the library has it */
	uint32_t sample;       /* files of a drill; 0: none */
	uint32_t keep_last, keep_daily, keep_weekly, keep_monthly;
	bool json;
	bool quiet;
	bool verify;
	bool resume;
	bool in_place;
	bool overwrite;
	bool follow;
	bool read_data;
	bool dry_run;
	bool identifiers_only;
	bool ask;
	bool all;
	bool local;
	bool unattended;
	bool off;
	bool upload;
	bool report;
};

#define RUN_DETAIL_BYTES 512

/** One run of the program. */
struct run {
	struct options options;
	const char *const *operands; /* of the command */
	int operands_count;
	struct identity identity; /* of --identity-file */
	struct keepsake *keepsake;
	bool watched;     /* a person looks at standard error */
	bool registering; /* the new password is that of --password-file */
	char detail[RUN_DETAIL_BYTES]; /* why ask_secret ended the call */
	const char *advice;            /* what to do about it; static */
};

/** Set by TERM and INT: finish what is under way, then end. */
extern atomic_bool interrupted;

typedef enum exit_code command_fn(struct run *run);

command_fn command_enrol, command_register, command_bind, command_password;
command_fn command_backup, command_snapshots, command_show, command_restore;
command_fn command_rules, command_notices, command_status;
command_fn command_code, command_sim_pin;
command_fn command_invite, command_sessions, command_revoke, command_forget;
command_fn command_terminals, command_rebind, command_unbind, command_card;

/**
 * Where a code with the IMEI or IMSI in it was used and nobody said that the
 * card's PIN is on: urge for it on standard error, and say why.
 */
void urge_sim_pin(const struct run *run);
command_fn command_lock, command_grant, command_check;
command_fn command_diff, command_delete, command_thin;

/** The exit code that ${status} means. */
enum exit_code exit_code_of(enum status status);

/**
 * Say why the library's last call failed, as JSON or for people, or why
 * ask_secret ended it; returns the exit code for it.
 */
enum exit_code command_failed(const struct run *run, enum status status);

/** The same on standard error, where an array of JSON is out already. */
enum exit_code command_failed_beside(const struct run *run, enum status status);

#endif
