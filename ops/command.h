#ifndef KEEPSAKE_OPS_COMMAND_H
#define KEEPSAKE_OPS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"

/* Exit codes, as keepsakectl(8) has them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3, /* no such account, terminal, session, … */
	EXIT_REFUSED = 4,   /* locked, denied, or in a state that forbids it */
	EXIT_SILENT = 5,    /* a process does not answer */
};

#define OPS_LIST_MAX 8

/** An option that may stand there several times. */
struct ops_list {
	const char *texts[OPS_LIST_MAX];
	size_t count;
};

/** The options of single commands, as given; NULL where one was not. */
struct ops_options {
	const char *name_file;
	const char *after;
	const char *lane;
	const char *document;
	const char *reason;
	const char *operator;
	const char *to;
	const char *session;
	const char *terminal;
	const char *yes_delete;
	const char *account; /* of audit */
	const char *since;
	const char *heads;
	const char *qr_file;
	bool qr;
	const char *kind; /* of events */
	const char *count;
	struct ops_list addresses;
	bool all;
	bool status; /* of scrub */
	const char *from;
	const char *folder;
	bool no_ledger;
	bool with_ledger;
	bool ledger_only;
};

/** One run of the tool. */
struct ops {
	struct conf *conf;
	const char *config; /* its file */
	bool json;
	struct ops_options options;
	enum exit_code exit_code; /* set by the command */
	struct asking *asking;    /* links to the processes: see ask.h */
};

/**
 * Runs a command with its operands, of which there are as many as its row
 * says.
 */
typedef void command_fn(struct ops *self, int argc, char **argv);

command_fn command_status, command_figures, command_keys, command_enrolment;
command_fn command_accounts, command_account, command_bindings;
command_fn command_queue, command_dead_letters, command_resend;
command_fn command_locks, command_unlock, command_invite, command_hand_back;
command_fn command_sessions, command_revoke, command_delete;
command_fn command_disable, command_enable;
command_fn command_export, command_audit, command_events;
command_fn command_scrub, command_damage, command_quota;
command_fn command_compact;
command_fn command_backup, command_restore, command_verify;

#endif
