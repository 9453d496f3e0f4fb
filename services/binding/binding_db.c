#include "binding_db.h"

#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "binding_row.h"
#include "service/erase.h"

#define CLAIM_MS        30000
#define ACCOUNTS_A_STEP 256

/* ---- names ---- */

struct name binding_db_name(
    const struct binding_db *self, enum name_space space, struct slice text)
{
	struct name name = { .space = space };
	const uint8_t kind = (uint8_t)space;
	uint8_t key[KEY_BYTES];
	crypto_generichash_state state;

	keyring_derive(self->keyring, "names", key);
	crypto_generichash_init(&state, key, sizeof(key), NAME_HASH_BYTES);
	crypto_generichash_update(&state, &kind, sizeof(kind));
	crypto_generichash_update(&state, text.data, text.len);
	crypto_generichash_final(&state, name.hash, NAME_HASH_BYTES);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&state, sizeof(state));
	return name;
}

struct names binding_db_names(
    const struct binding_db *self, const struct terminal *terminal)
{
	struct names names = { .count = 0 };

	names.list[names.count++] = binding_db_name(self, NAME_PEER_KEY,
	    slice_of(terminal->peer_key, TERMINAL_KEY_BYTES));
	if (terminal->imei[0] != '\0')
		names.list[names.count++] = binding_db_name(
		    self, NAME_IMEI, slice_text(terminal->imei));
	if (terminal->serial[0] != '\0')
		names.list[names.count++] = binding_db_name(
		    self, NAME_SERIAL, slice_text(terminal->serial));
	return names;
}

static struct slice name_slice(const struct name *name)
{
	return slice_of(name->hash, NAME_HASH_BYTES);
}

static bool names_have(const struct names *self, const struct name *name)
{
	for (size_t i = 0; i < self->count; i++)
		if (self->list[i].space == name->space &&
		    memcmp(self->list[i].hash, name->hash, NAME_HASH_BYTES) ==
			0)
			return true;
	return false;
}

enum status binding_db_owner(const struct binding_db *self,
    const struct name *name, struct id *account_out)
{
	return db_name_get(
	    self->db, (uint8_t)name->space, name_slice(name), account_out);
}

enum status binding_db_claim(const struct binding_db *self,
    const struct name *name, const struct id *account, db_done_fn *done,
    void *arg)
{
	return db_claim(self->db, (uint8_t)name->space, name_slice(name),
	    account, CLAIM_MS, done, arg);
}

/* ---- rows ---- */

static enum status unusable(uint8_t table)
{
	log_error(NULL, "row_unusable", "table=%u status=malformed",
	    (unsigned int)table);
	return STATUS_MALFORMED;
}

/* Open what ${row} has; results as sealed_row_open. */
static enum status open_row(const struct binding_db *self,
    const struct id *account, uint8_t table, const struct db_entry *row,
    struct bytes *plain_out)
{
	return sealed_row_open(self->keyring, self->db, account, table,
	    row->key, row->value, plain_out);
}

static enum status open_terminal(const struct binding_db *self,
    const struct id *account, const struct db_entry *row, struct terminal *out)
{
	struct bytes plain = { 0 };

	if (row->key.len != TERMINAL_KEY_BYTES)
		return unusable(TABLE_TERMINALS);
	memcpy(out->peer_key, row->key.data, TERMINAL_KEY_BYTES);
	enum status st = open_row(self, account, TABLE_TERMINALS, row, &plain);
	if (st == STATUS_OK &&
	    terminal_row_decode(out, bytes_slice(&plain)) != STATUS_OK)
		st = unusable(TABLE_TERMINALS);
	bytes_clear(&plain);
	return st;
}

static enum status open_entry(const struct binding_db *self,
    const struct id *account, const struct db_entry *row, struct entry *out)
{
	struct bytes plain = { 0 };

	enum status st = open_row(self, account, TABLE_ENTRIES, row, &plain);
	if (st == STATUS_OK &&
	    entry_row_decode(out, bytes_slice(&plain)) != STATUS_OK)
		st = unusable(TABLE_ENTRIES);
	bytes_clear(&plain);
	return st;
}

static enum status scan(const struct binding_db *self, const struct id *account,
    uint8_t table, size_t limit, struct db_page *out)
{
	const struct slice all = { 0 };

	return db_scan(self->db, account, table, all, all, limit, false, out);
}

/* ---- an account ---- */

enum status binding_db_view(const struct binding_db *self,
    const struct id *account, struct account_view *out)
{
	struct db_page page = { 0 };
	enum status st =
	    scan(self, account, TABLE_TERMINALS, ACCOUNT_TERMINALS_MAX, &page);

	out->id = *account;
	out->generation = page.generation;
	out->terminals_count = page.count;
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st = open_terminal(
		    self, account, &page.entries[i], &out->terminals[i]);
	if (st == STATUS_OK)
		st = scan(
		    self, account, TABLE_ENTRIES, ACCOUNT_ENTRIES_MAX, &page);
	out->entries_count = page.count;
	db_page_clear(&page);
	return st;
}

struct db_batch *binding_db_batch(const struct account_view *view)
{
	return db_batch_new(&view->id, view->generation, NULL);
}

/* ---- terminals ---- */

enum status binding_db_terminal(const struct binding_db *self,
    const struct id *account, const uint8_t peer_key[static TERMINAL_KEY_BYTES],
    struct terminal *out)
{
	struct db_entry row = { .key = slice_of(peer_key, TERMINAL_KEY_BYTES) };
	struct bytes value = { 0 };

	enum status st =
	    db_get(self->db, account, TABLE_TERMINALS, row.key, &value);
	row.value = bytes_slice(&value);
	if (st == STATUS_OK)
		st = open_terminal(self, account, &row, out);
	bytes_clear(&value);
	return st == STATUS_EXPIRED ? STATUS_NOT_FOUND : st;
}

enum status binding_db_terminals(const struct binding_db *self,
    const struct id *account, struct terminal out[static ACCOUNT_TERMINALS_MAX],
    size_t *count_out)
{
	struct db_page page = { 0 };
	enum status st =
	    scan(self, account, TABLE_TERMINALS, ACCOUNT_TERMINALS_MAX, &page);

	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st = open_terminal(self, account, &page.entries[i], &out[i]);
	*count_out = st == STATUS_OK ? page.count : 0;
	db_page_clear(&page);
	return st == STATUS_EXPIRED ? STATUS_OK : st;
}

/* Give up those of ${names} that are not in ${kept}. */
static void release_names(
    struct db_batch *batch, const struct names *names, const struct names *kept)
{
	for (size_t i = 0; i < names->count; i++)
		if (!names_have(kept, &names->list[i]))
			names_release(batch, (uint8_t)names->list[i].space,
			    name_slice(&names->list[i]));
}

void binding_db_put_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct id *account,
    const struct terminal *terminal)
{
	struct names names = binding_db_names(self, terminal);
	uint8_t plain[TERMINAL_ROW_BYTES_MAX];
	size_t len = terminal_row_encode(plain, terminal);

	sealed_row_put(self->keyring, self->db, batch, account, TABLE_TERMINALS,
	    slice_of(terminal->peer_key, TERMINAL_KEY_BYTES),
	    slice_of(plain, len));
	for (size_t i = 0; i < names.count; i++)
		names_confirm(batch, (uint8_t)names.list[i].space,
		    name_slice(&names.list[i]));
	sodium_memzero(plain, sizeof(plain));
}

void binding_db_delete_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct terminal *terminal)
{
	const struct names none = { .count = 0 };
	struct names names = binding_db_names(self, terminal);

	db_batch_delete(batch, TABLE_TERMINALS,
	    slice_of(terminal->peer_key, TERMINAL_KEY_BYTES));
	release_names(batch, &names, &none);
}

void binding_db_replace_terminal(const struct binding_db *self,
    struct db_batch *batch, const struct id *account,
    const struct terminal *before, const struct terminal *after)
{
	struct names old = binding_db_names(self, before);
	struct names kept = binding_db_names(self, after);

	db_batch_delete(batch, TABLE_TERMINALS,
	    slice_of(before->peer_key, TERMINAL_KEY_BYTES));
	release_names(batch, &old, &kept);
	binding_db_put_terminal(self, batch, account, after);
}

/* ---- entries ---- */

enum status binding_db_entry(const struct binding_db *self,
    const struct id *account, const char *iccid, struct entry *out)
{
	struct name name = binding_db_name(self, NAME_ICCID, slice_text(iccid));
	struct db_entry row = { .key = name_slice(&name) };
	struct bytes value = { 0 };

	enum status st =
	    db_get(self->db, account, TABLE_ENTRIES, row.key, &value);
	row.value = bytes_slice(&value);
	if (st == STATUS_OK)
		st = open_entry(self, account, &row, out);
	bytes_clear(&value);
	return st == STATUS_EXPIRED ? STATUS_NOT_FOUND : st;
}

enum status binding_db_entries(const struct binding_db *self,
    const struct id *account, struct entry *out, size_t *count_out)
{
	struct db_page page = { 0 };
	enum status st =
	    scan(self, account, TABLE_ENTRIES, ACCOUNT_ENTRIES_MAX, &page);

	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st = open_entry(self, account, &page.entries[i], &out[i]);
	*count_out = st == STATUS_OK ? page.count : 0;
	db_page_clear(&page);
	return st == STATUS_EXPIRED ? STATUS_OK : st;
}

void binding_db_put_entry(const struct binding_db *self, struct db_batch *batch,
    const struct id *account, const struct entry *entry)
{
	struct name name =
	    binding_db_name(self, NAME_ICCID, slice_text(entry->iccid));
	uint8_t plain[ENTRY_ROW_BYTES_MAX];
	size_t len = entry_row_encode(plain, entry);

	sealed_row_put(self->keyring, self->db, batch, account, TABLE_ENTRIES,
	    name_slice(&name), slice_of(plain, len));
	names_confirm(batch, (uint8_t)name.space, name_slice(&name));
	sodium_memzero(plain, sizeof(plain));
}

/* ---- figures ---- */

enum status binding_db_count_account(const struct binding_db *self,
    const struct id *account, struct binding_figures *out)
{
	struct db_page page = { 0 };
	enum status st =
	    scan(self, account, TABLE_TERMINALS, ACCOUNT_TERMINALS_MAX, &page);

	if (st == STATUS_OK) {
		out->terminals += page.count;
		out->accounts += page.count > 0;
		st = scan(
		    self, account, TABLE_ENTRIES, ACCOUNT_ENTRIES_MAX, &page);
	}
	if (st == STATUS_OK)
		out->entries += page.count;
	db_page_clear(&page);
	return st;
}

enum status binding_db_count(
    const struct binding_db *self, struct binding_figures *out)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id *after = NULL;
	enum status st = STATUS_OK;

	*out = (struct binding_figures){ 0 };
	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(
		    self->db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			st = binding_db_count_account(
			    self, &accounts[i].id, out);
		after = &accounts[nitems(accounts) - 1].id;
	}
	return st;
}
