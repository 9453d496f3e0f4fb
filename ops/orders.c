#include <stdio.h>
#include <string.h>

#include "bus/unpack.h"
#include "by.h"
#include "list.h"
#include "rows.h"
#include "target.h"

/* What every service must obey: revocations and deletions. */

/* Say what came of an order, and who has not confirmed it. */
static void print_ordered(
    struct ops *self, const char *done, const Ops__Ordered *ordered)
{
	json_t *names = json_array();

	if (!self->json)
		printf("%s\n", done);
	for (size_t i = 0; i < ordered->n_unconfirmed; i++) {
		json_array_append_new(
		    names, json_string(ordered->unconfirmed[i]));
		fprintf(stderr,
		    "keepsakectl: %s has not confirmed it: it will when it is "
		    "back; see keepsakectl status\n",
		    ordered->unconfirmed[i]);
	}
	if (ordered->n_unconfirmed > 0)
		self->exit_code = EXIT_FAILED;
	if (self->json)
		rows_print_json(json_pack("{s:O}", "unconfirmed", names));
	json_decref(names);
}

static void order(struct ops *self, uint32_t type, const ProtobufCMessage *body,
    const char *done)
{
	Ops__Ordered *ordered;
	enum status st = ops_ask(
	    self, "auth", type, body, &ops__ordered__descriptor, &ordered);

	if (st == STATUS_OK)
		print_ordered(self, done, ordered);
	else
		ops_refused(self, "auth", st);
}

void command_revoke(struct ops *self, int argc, char **argv)
{
	const struct ops_options *options = &self->options;
	Ops__Revoke revoke = OPS__REVOKE__INIT;
	struct id account, subject;
	Ops__By by;

	if ((options->session != NULL) + (options->terminal != NULL) +
		options->all !=
	    1) {
		fprintf(stderr, "keepsakectl: what is to be revoked? One of "
				"--session ID, --terminal ID and --all\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	if (ops_by(self, OPERATOR_NEEDS_NOTHING, &by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		return;
	if (options->session &&
	    ops_id(self, "a session", options->session, &subject) != STATUS_OK)
		return;
	if (options->terminal && ops_id(self, "a terminal", options->terminal,
				     &subject) != STATUS_OK)
		return;
	revoke.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	if (options->session)
		revoke.session_id = field_of(slice_of(subject.bytes, ID_BYTES));
	if (options->terminal)
		revoke.terminal_id =
		    field_of(slice_of(subject.bytes, ID_BYTES));
	revoke.all = options->all;
	revoke.by = &by;
	order(self, OPS__TYPE__REVOKE, &revoke.base, "revoked");
}

void command_delete(struct ops *self, int argc, char **argv)
{
	Ops__Deed deed = OPS__DEED__INIT;
	char hex[HEX_BYTES(ID_BYTES)];
	struct id account;
	Ops__By by;

	if (ops_by(self, OPERATOR_NEEDS_REASON | OPERATOR_NEEDS_DOCUMENT,
		&by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		return;
	hex_encode(hex, slice_of(account.bytes, ID_BYTES));
	if (!self->options.yes_delete ||
	    strcmp(self->options.yes_delete, hex) != 0) {
		fprintf(stderr,
		    "keepsakectl: this deletes all that the server has of the "
		    "account, for good: --yes-delete must repeat its id\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	deed.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	deed.by = &by;
	order(self, OPS__TYPE__REMOVE, &deed.base, "deleted");
}

void command_disable(struct ops *self, int argc, char **argv)
{
	Ops__Deed deed = OPS__DEED__INIT;
	struct id account;
	Ops__By by;

	if (ops_by(self, OPERATOR_NEEDS_REASON, &by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		return;
	deed.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	deed.by = &by;
	order(self, OPS__TYPE__DISABLE, &deed.base,
	    "disabled: nobody can log in until keepsakectl enable");
}

void command_enable(struct ops *self, int argc, char **argv)
{
	Ops__Deed deed = OPS__DEED__INIT;
	struct id account;
	Ops__By by;

	if (ops_by(self, OPERATOR_NEEDS_REASON, &by) != STATUS_OK ||
	    ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		return;
	deed.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	deed.by = &by;
	enum status st =
	    ops_ask(self, "auth", OPS__TYPE__ENABLE, &deed.base, NULL, NULL);
	if (st != STATUS_OK)
		ops_refused(self, "auth", st);
	else if (self->json)
		rows_print_json(json_pack("{s:b}", "enabled", 1));
	else
		printf("enabled: its owner can log in again\n");
}
