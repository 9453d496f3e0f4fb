#include "service/verify.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "service/sealed_row.h"
#include "service/tables.h"

#define ROWS_A_PAGE 128 /* all damaged, they fit an answer */
#define PART_ROWS   0   /* of a place: account, table, key */
#define PART_NAMES  1   /* space, name */
#define TABLE_FIRST 1

/* ---- what every service has ---- */

static const char *check_account_key(
    struct verify *self, struct slice key, struct slice value)
{
	struct account_key with;

	(void)key;
	(void)value;
	if (!self->keyring)
		return NULL;
	enum status st =
	    keyring_find(self->keyring, self->db, &self->account, &with);
	sodium_memzero(&with, sizeof(with));
	if (st == STATUS_EXPIRED)
		self->unopened++;
	return st == STATUS_OK || st == STATUS_EXPIRED
		   ? NULL
		   : "its slot of account.keys is damaged or missing";
}

static const char *check_name(
    struct verify *self, struct slice key, struct slice value)
{
	struct id owner;

	(void)value;
	if (key.len < 2)
		return "its key is none";
	enum status st = db_name_get(
	    self->db, key.data[0], slice_of(key.data + 1, key.len - 1), &owner);
	if (st == STATUS_OK && id_equal(&owner, &self->account))
		return NULL;
	return st == STATUS_OK ? "the name is another account's"
			       : "there is no such name";
}

/* clang-format off */
static const struct verify_table shared_tables[] = {
	{ TABLE_ANSWERS,      "answers",      true,  NULL },
	{ TABLE_ANSWER_TIMES, "answer_times", false, NULL },
	{ TABLE_OUTBOX,       "outbox",       true,  NULL },
	{ TABLE_ACCOUNT_KEY,  "account_key",  false, check_account_key },
	{ TABLE_NAMES,        "names",        false, check_name },
	{ TABLE_AUDIT,        "audit",        false, NULL },
};
/* clang-format on */

/* What is known of a table; of one that is not listed, its rows are read. */
static struct verify_table table_of(const struct verify *self, uint8_t number)
{
	for (size_t i = 0; i < self->tables->count; i++)
		if (self->tables->list[i].table == number)
			return self->tables->list[i];
	for (size_t i = 0; i < nitems(shared_tables); i++)
		if (shared_tables[i].table == number)
			return shared_tables[i];
	return (struct verify_table){ number, "other", false, NULL };
}

bool verify_has_row(struct verify *self, uint8_t table, struct slice key)
{
	struct bytes value = { 0 };
	enum status st = db_get(self->db, &self->account, table, key, &value);

	bytes_clear(&value);
	return st == STATUS_OK;
}

/* ---- a row ---- */

static const char *check_value(struct verify *self,
    const struct verify_table *table, struct slice key, struct slice value)
{
	struct bytes plain = { 0 };
	const char *why = NULL;

	if (!table->sealed)
		return table->check ? table->check(self, key, value) : NULL;
	if (value.len < SEALED_ROW_EXTRA || value.data[0] != SEALED_ROW_VERSION)
		return "it is not sealed as it should be";
	if (!self->keyring) {
		self->unopened++;
		return NULL;
	}
	enum status st = sealed_row_open(self->keyring, self->db,
	    &self->account, table->table, key, value, &plain);
	if (st == STATUS_OK && table->check)
		why = table->check(self, key, bytes_slice(&plain));
	else if (st == STATUS_EXPIRED)
		self->unopened++;
	else if (st != STATUS_OK)
		why = "it does not open";
	if (plain.len > 0)
		sodium_memzero(plain.data, plain.len);
	bytes_clear(&plain);
	return why;
}

static void tell(struct verify *self, const char *table,
    const struct id *account, struct slice key, const char *why)
{
	const struct verify_damage damage = {
		.table = table,
		.account = *account,
		.key = key,
		.why = why,
	};

	self->damages++;
	self->damage(self->arg, &damage);
}

static void check_row(struct verify *self, const struct verify_table *table,
    const struct db_entry *entry)
{
	struct bytes again = { 0 };

	self->rows++;
	const char *why = check_value(self, table, entry->key, entry->value);
	if (!why)
		return;
	/* Is it the row that is so, or did it change under our eyes? */
	enum status st =
	    db_get(self->db, &self->account, table->table, entry->key, &again);
	if (st == STATUS_OK && slice_equal(bytes_slice(&again), entry->value))
		why = check_value(self, table, entry->key, entry->value);
	else if (st == STATUS_OK || st == STATUS_NOT_FOUND)
		why = NULL;
	if (why)
		tell(self, table->name, &self->account, entry->key, why);
	bytes_clear(&again);
}

/* ---- places ---- */

struct cursor {
	size_t part;
	bool inside; /* ... of account, else behind it */
	struct id account;
	size_t table;
	uint8_t key[VERIFY_PLACE_BYTES_MAX];
	size_t key_len;
};

/* part (1), inside (1), account (16), table (1), key */
#define PLACE_HEAD_BYTES (2 + ID_BYTES + 1)
#define PLACE_KEY_MAX    (VERIFY_PLACE_BYTES_MAX - PLACE_HEAD_BYTES)

static void place_write(struct verify *self, const struct cursor *at)
{
	self->place[0] = (uint8_t)at->part;
	self->place[1] = at->inside;
	memcpy(self->place + 2, at->account.bytes, ID_BYTES);
	self->place[2 + ID_BYTES] = (uint8_t)at->table;
	memcpy(self->place + PLACE_HEAD_BYTES, at->key, at->key_len);
	self->place_len = PLACE_HEAD_BYTES + at->key_len;
}

static enum status place_read(const struct verify *self, struct cursor *out)
{
	*out = (struct cursor){ 0 };
	if (self->place_len == 0)
		return STATUS_OK;
	if (self->place_len < PLACE_HEAD_BYTES ||
	    self->place_len > VERIFY_PLACE_BYTES_MAX ||
	    self->place[0] > PART_NAMES || self->place[1] > 1)
		return STATUS_MALFORMED;
	out->part = self->place[0];
	out->inside = self->place[1] != 0;
	memcpy(out->account.bytes, self->place + 2, ID_BYTES);
	out->table = self->place[2 + ID_BYTES];
	if (out->inside && out->table < TABLE_FIRST)
		return STATUS_MALFORMED;
	out->key_len = self->place_len - PLACE_HEAD_BYTES;
	memcpy(out->key, self->place + PLACE_HEAD_BYTES, out->key_len);
	return STATUS_OK;
}

/* ---- walking ---- */

/* A page of the table that the cursor is in; at its end goes to the next. */
static enum status walk_table(
    struct verify *self, struct cursor *at, struct db_page *page)
{
	const struct verify_table table = table_of(self, (uint8_t)at->table);
	struct slice all = { 0 }, after = { 0 };

	if (at->key_len > 0)
		after = slice_of(at->key, at->key_len);
	enum status st = db_scan(self->db, &at->account, table.table, all,
	    after, ROWS_A_PAGE, false, page);
	if (st != STATUS_OK) {
		/* A page that cannot be read is damage, not the end. */
		if (st != STATUS_MALFORMED)
			return st;
		tell(self, table.name, &at->account, after,
		    "rows behind this one cannot be read");
		page->count = 0;
		page->more = false;
	}
	for (size_t i = 0; i < page->count; i++)
		check_row(self, &table, &page->entries[i]);
	struct slice last = { 0 };
	if (page->more)
		last = page->entries[page->count - 1].key;
	if (last.len > PLACE_KEY_MAX)
		tell(self, table.name, &at->account, last,
		    "no row has so long a key; those behind it were not read");
	else if (last.len > 0) {
		memcpy(at->key, last.data, last.len);
		at->key_len = last.len;
		return STATUS_OK;
	}
	if (at->table == UINT8_MAX)
		at->inside = false;
	else
		at->table++;
	at->key_len = 0;
	return STATUS_OK;
}

static enum status next_account(struct verify *self, struct cursor *at)
{
	struct db_account found;
	size_t count;

	do {
		enum status st = db_accounts(self->db,
		    id_is_none(&at->account) ? NULL : &at->account, &found, 1,
		    &count);
		if (st == STATUS_MALFORMED) {
			tell(self, "accounts", &at->account,
			    (struct slice){ 0 },
			    "accounts behind this one cannot be read");
			count = 0;
		} else if (st != STATUS_OK) {
			return st;
		}
		if (count == 0) {
			*at = (struct cursor){ .part = PART_NAMES };
			return STATUS_OK;
		}
		at->account = found.id;
	} while (found.removed);
	self->accounts++;
	at->inside = true;
	at->table = TABLE_FIRST;
	at->key_len = 0;
	return STATUS_OK;
}

/* A name's account is there, and has a row for it, by which it is found when
 * the account is deleted. */
static void check_owner(
    struct verify *self, const struct db_name *name, struct slice row)
{
	struct db_account owner;
	struct id still;
	const char *why = NULL;

	self->account = name->account;
	enum status st = db_account_get(self->db, &name->account, &owner);
	if (st == STATUS_NOT_FOUND)
		why = "its account is not there";
	else if (st == STATUS_OK && !owner.removed &&
		 !verify_has_row(self, TABLE_NAMES, row))
		why = "its account does not know of it";
	if (why &&
	    db_name_get(self->db, name->space,
		slice_of(name->name, name->name_len), &still) == STATUS_OK &&
	    id_equal(&still, &name->account))
		tell(self, "names", &name->account, row, why);
}

static enum status walk_names(
    struct verify *self, struct cursor *at, bool *done_out)
{
	struct db_name name, after = { 0 };
	size_t count;

	if (at->key_len > 0) {
		after.space = at->key[0];
		after.name_len = at->key_len - 1;
		memcpy(after.name, at->key + 1, after.name_len);
	}
	enum status st = db_names(
	    self->db, at->key_len > 0 ? &after : NULL, &name, 1, &count);
	if (st == STATUS_MALFORMED) {
		tell(self, "names", &(struct id){ 0 },
		    slice_of(at->key, at->key_len),
		    "names behind this one cannot be read");
		st = STATUS_OK;
		count = 0;
	}
	if (st != STATUS_OK || count == 0) {
		*done_out = true;
		return st;
	}
	at->key[0] = name.space;
	at->key_len = 1 + name.name_len;
	if (at->key_len > PLACE_KEY_MAX)
		return STATUS_TOO_LARGE; /* none of ours is so long */
	memcpy(at->key + 1, name.name, name.name_len);
	self->names++;
	if (name.confirmed)
		check_owner(self, &name, slice_of(at->key, at->key_len));
	return STATUS_OK;
}

enum status verify_step(struct verify *self, uint64_t step_ms, bool *done_out)
{
	uint64_t begun_ms = clock_interval_ms();
	struct db_page page = { 0 };
	struct cursor at;

	*done_out = false;
	self->accounts = self->rows = self->blobs = self->blob_bytes = 0;
	self->names = self->damages = self->unopened = 0;
	enum status st = place_read(self, &at);
	while (st == STATUS_OK && !*done_out && self->damages == 0 &&
	       clock_interval_ms() - begun_ms < step_ms) {
		if (at.part == PART_NAMES)
			st = walk_names(self, &at, done_out);
		else if (!at.inside)
			st = next_account(self, &at);
		else {
			self->account = at.account;
			st = walk_table(self, &at, &page);
		}
	}
	db_page_clear(&page);
	if (st == STATUS_OK)
		place_write(self, &at);
	return st;
}
