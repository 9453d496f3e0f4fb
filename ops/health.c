#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bus/unpack.h"
#include "by.h"
#include "list.h"
#include "rows.h"
#include "target.h"

/* The store's health: scrubs, damage, quotas. */

/* ---- scrub ---- */

void command_scrub(struct ops *self, int argc, char **argv)
{
	Ops__ScrubQuery query = OPS__SCRUB_QUERY__INIT;
	struct rows_table table = { .json = self->json };
	struct id account = { 0 };
	Ops__ListPage *page;

	if (ops_account(self, &argc, &argv, true, &account) != STATUS_OK)
		return;
	if (!id_is_none(&account))
		query.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	query.start = !self->options.status;
	enum status st = ops_ask(self, "store", OPS__TYPE__SCRUB, &query.base,
	    &ops__list_page__descriptor, &page);
	if (st != STATUS_OK) {
		ops_refused(self, "store", st);
		return;
	}
	rows_table_add(&table, page->rows, page->n_rows);
	rows_table_end(&table);
}

/* ---- damage ---- */

/* The accounts of the list, for more about each. */
struct damaged {
	struct id *accounts; /* owned */
	size_t count;
	bool full; /* no memory for more */
};

static void on_damaged(void *arg, Ops__ListRow *const *rows, size_t count)
{
	struct damaged *self = arg;

	for (size_t i = 0; i < count; i++) {
		struct id account;
		if (rows[i]->n_fields == 0 ||
		    rows[i]->fields[0]->value_case !=
			OPS__LIST_FIELD__VALUE_DATA ||
		    id_from(&account, field_slice(rows[i]->fields[0]->data)) !=
			STATUS_OK)
			continue;
		struct id *grown = reallocarray(
		    self->accounts, self->count + 1, sizeof(*grown));
		if (!grown) {
			self->full = true;
			return;
		}
		self->accounts = grown;
		grown[self->count++] = account;
	}
}

void command_damage(struct ops *self, int argc, char **argv)
{
	struct rows_table table = { .json = self->json };
	struct damaged damaged = { 0 };
	struct slice begin = { 0 };
	struct id account = { 0 };
	enum status st = STATUS_OK;

	if (ops_account(self, &argc, &argv, true, &account) != STATUS_OK)
		return;
	if (!id_is_none(&account)) {
		st = ops_list(self, "store", OPS__TYPE__DAMAGE, &account, begin,
		    NULL, rows_table_add, &table);
	} else {
		st = ops_list(self, "store", OPS__TYPE__DAMAGE, NULL, begin,
		    NULL, on_damaged, &damaged);
		if (st == STATUS_OK && damaged.full)
			st = STATUS_NO_SPACE;
	}
	for (size_t i = 0; i < damaged.count && st == STATUS_OK; i++)
		st = ops_list(self, "store", OPS__TYPE__DAMAGE,
		    &damaged.accounts[i], begin, NULL, rows_table_add, &table);
	rows_table_end(&table);
	free(damaged.accounts);
	if (st != STATUS_OK)
		ops_refused(self, "store", st);
	else if (table.printed > 0)
		self->exit_code = EXIT_FAILED;
	else if (!self->json)
		printf("no damage is known\n");
}

/* ---- quota ---- */

static bool read_size(
    struct ops *self, const char *what, const char *text, uint64_t *out)
{
	*out = 0;
	if (strcmp(text, "none") == 0 ||
	    (text_size(out, text) == STATUS_OK && *out > 0))
		return true;
	fprintf(stderr,
	    "keepsakectl: quota: %s: %s: it is a size such as 500M or 20G, or "
	    "none\n",
	    what, text);
	self->exit_code = EXIT_USAGE;
	return false;
}

/* Rows that only tell that there is such an account. */
static void on_account(void *arg, Ops__ListRow *const *rows, size_t count)
{
	(void)arg;
	(void)rows;
	(void)count;
}

static void show_quota(struct ops *self, const struct id *account)
{
	struct rows_table table = { .json = self->json };
	struct slice begin = { 0 };
	enum status st = ops_list(self, "store", OPS__TYPE__QUOTA, account,
	    begin, NULL, rows_table_add, &table);

	rows_table_end(&table);
	if (st != STATUS_OK)
		ops_refused(self, "store", st);
}

void command_quota(struct ops *self, int argc, char **argv)
{
	Ops__QuotaSet set = OPS__QUOTA_SET__INIT;
	struct id account;
	Ops__By by;

	if (ops_account(self, &argc, &argv, false, &account) != STATUS_OK)
		return;
	if (argc == 0) {
		show_quota(self, &account);
		return;
	}
	set.inherit = argc == 1 && strcmp(argv[0], "default") == 0;
	if (argc == 1 && !set.inherit) {
		fprintf(stderr,
		    "keepsakectl: quota: after the account SOFT and HARD, or "
		    "default\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	if (argc == 2 && (!read_size(self, "SOFT", argv[0], &set.soft) ||
			     !read_size(self, "HARD", argv[1], &set.hard)))
		return;
	if (ops_by(self, OPERATOR_NEEDS_REASON, &by) != STATUS_OK)
		return;
	/* The store knows an account from its first backup on only. */
	enum status st = ops_list(self, "auth", OPS__TYPE__ACCOUNTS, &account,
	    (struct slice){ 0 }, NULL, on_account, NULL);
	if (st != STATUS_OK) {
		ops_refused(self, "auth", st);
		return;
	}
	set.account_id = field_of(slice_of(account.bytes, ID_BYTES));
	set.by = &by;
	st =
	    ops_ask(self, "store", OPS__TYPE__QUOTA_SET, &set.base, NULL, NULL);
	if (st != STATUS_OK)
		ops_refused(self, "store", st);
	else
		show_quota(self, &account);
}
