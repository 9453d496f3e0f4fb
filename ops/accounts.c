#include <string.h>

#include "base/util.h"
#include "list.h"
#include "rows.h"
#include "target.h"

/* What is shown of accounts: the command's rows, as they come. */

/* Print the rows of one service as a list. */
static void print_list(struct ops *self, const char *process, uint32_t type,
    const struct id *account, struct slice begin)
{
	struct rows_table table = { .json = self->json };

	enum status st = ops_list(
	    self, process, type, account, begin, NULL, rows_table_add, &table);
	/* Where nothing came, the refusal is all the output. */
	if (st == STATUS_OK || table.printed > 0)
		rows_table_end(&table);
	if (st != STATUS_OK)
		ops_refused(self, process, st);
}

void command_accounts(struct ops *self, int argc, char **argv)
{
	/* The place behind an account: part 0, its id. */
	uint8_t begin[1 + ID_BYTES] = { 0 };
	struct id after;
	struct slice place = { 0 };

	(void)argc;
	(void)argv;
	if (self->options.after) {
		if (ops_id(self, "an account", self->options.after, &after) !=
		    STATUS_OK)
			return;
		memcpy(begin + 1, after.bytes, ID_BYTES);
		place = slice_of(begin, sizeof(begin));
	}
	print_list(self, "auth", OPS__TYPE__ACCOUNTS, NULL, place);
}

/* A list of what one account has, or, if that is left out, all of them. */
static void list_of(struct ops *self, int argc, char **argv, bool optional,
    const char *process, uint32_t type)
{
	struct id account;

	if (ops_account(self, &argc, &argv, optional, &account) == STATUS_OK)
		print_list(self, process, type, &account, (struct slice){ 0 });
}

void command_bindings(struct ops *self, int argc, char **argv)
{
	list_of(self, argc, argv, false, "binding", OPS__TYPE__BINDINGS);
}

void command_locks(struct ops *self, int argc, char **argv)
{
	list_of(self, argc, argv, true, "auth", OPS__TYPE__LOCKS);
}

void command_sessions(struct ops *self, int argc, char **argv)
{
	list_of(self, argc, argv, false, "auth", OPS__TYPE__SESSIONS);
}

void command_queue(struct ops *self, int argc, char **argv)
{
	list_of(self, argc, argv, true, "notify", OPS__TYPE__QUEUE);
}

void command_dead_letters(struct ops *self, int argc, char **argv)
{
	list_of(self, argc, argv, true, "notify", OPS__TYPE__DEAD_LETTERS);
}

/* clang-format off */
static const struct { const char *process; uint32_t type; } about[] = {
	{ "auth",    OPS__TYPE__ACCOUNTS },
	{ "auth",    OPS__TYPE__LOCKS },
	{ "binding", OPS__TYPE__BINDINGS },
	{ "store",   OPS__TYPE__USAGE },
	{ "notify",  OPS__TYPE__WAITING },
};
/* clang-format on */

void command_account(struct ops *self, int argc, char **argv)
{
	json_t *gathered = json_object();
	struct id account;

	if (ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		goto out;
	for (size_t i = 0; i < nitems(about); i++) {
		enum status st = ops_list(self, about[i].process, about[i].type,
		    &account, (struct slice){ 0 }, NULL, rows_gather, gathered);
		if (st == STATUS_OK)
			continue;
		ops_refused(self, about[i].process, st);
		/* What the others have of no account is of no interest. */
		if (st == STATUS_NOT_FOUND)
			goto out;
	}
	if (self->json)
		rows_print_json(json_incref(gathered));
	else
		rows_print(gathered);
out:
	json_decref(gathered);
}
