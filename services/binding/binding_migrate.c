#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "binding_db.h"
#include "binding_row.h"
#include "service/erase.h"

/*
 * From format 1, whose rows and names were not sealed:
 *
 * Table        Key       Value
 * TERMINALS    peer key  version 1, then a plain row; see binding_row.h
 *
 * and whose names were the texts themselves.  An account's rows are sealed
 * and its names exchanged by one batch, so a crash leaves it as it was or as
 * it is to be.  Names are claimed first; a claim that is not confirmed runs
 * out.
 */

#define FORMAT_PLAIN    1
#define PLAIN_VERSION   1
#define ACCOUNTS_A_STEP 256

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	(void)generation;
	(void)failed_op;
	*(enum status *)arg = status;
}

static enum status claim(const struct binding_db *self, const struct name *name,
    const struct id *account)
{
	enum status done = STATUS_PENDING;
	enum status st = binding_db_claim(self, name, account, on_done, &done);

	if (st != STATUS_PENDING)
		return st;
	db_drain(self->db);
	return done;
}

static void release_text(
    struct db_batch *batch, enum name_space space, struct slice text)
{
	if (text.len > 0)
		names_release(batch, (uint8_t)space, text);
}

/* Add the exchange of one terminal to the account's batch. */
static enum status migrate_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct id *account,
    const struct db_entry *row)
{
	struct terminal terminal = { 0 };

	if (row->key.len != TERMINAL_KEY_BYTES)
		return STATUS_MALFORMED;
	memcpy(terminal.peer_key, row->key.data, TERMINAL_KEY_BYTES);
	enum status st = terminal_row_decode(
	    &terminal, slice_of(row->value.data + 1, row->value.len - 1));
	struct names names = binding_db_names(self, &terminal);
	for (size_t i = 0; i < names.count && st == STATUS_OK; i++)
		st = claim(self, &names.list[i], account);
	if (st != STATUS_OK)
		return st;
	release_text(batch, NAME_PEER_KEY, row->key);
	release_text(batch, NAME_IMEI, slice_text(terminal.imei));
	release_text(batch, NAME_SERIAL, slice_text(terminal.serial));
	binding_db_put_terminal(self, batch, account, &terminal);
	return STATUS_OK;
}

static enum status migrate_account(
    const struct binding_db *self, const struct id *account)
{
	const struct slice all = { 0 };
	struct db_page page = { 0 };
	struct db_batch *batch = NULL;

	enum status st = db_scan(self->db, account, TABLE_TERMINALS, all, all,
	    ACCOUNT_TERMINALS_MAX, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		if (page.entries[i].value.data[0] != PLAIN_VERSION)
			continue; /* done before a crash */
		if (!batch)
			batch = db_batch_new(account, page.generation, NULL);
		st = migrate_terminal(self, batch, account, &page.entries[i]);
	}
	if (st == STATUS_OK && batch)
		st = db_submit_wait(self->db, &batch);
	db_batch_destroy(&batch);
	db_page_clear(&page);
	return st;
}

enum status binding_db_migrate(const struct binding_db *self, uint32_t from)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id *after = NULL;
	enum status st = from == FORMAT_PLAIN ? STATUS_OK : STATUS_VERSION;

	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(
		    self->db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			if (!accounts[i].removed)
				st = migrate_account(self, &accounts[i].id);
		after = &accounts[nitems(accounts) - 1].id;
	}
	if (st != STATUS_OK)
		log_error(NULL, "migration_failed", "from=%u status=%s", from,
		    status_word(st));
	return st;
}
