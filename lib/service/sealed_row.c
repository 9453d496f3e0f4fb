#include "service/sealed_row.h"

#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define SERVICE_BYTES_MAX 32
#define BOUND_BYTES_MAX   (SERVICE_BYTES_MAX + 1 + 1 + DB_KEY_BYTES_MAX)
#define ACCOUNTS_A_STEP   256
#define ROWS_A_STEP       128
/* Each may bring the account's key along: two small operations. */
_Static_assert(ROWS_A_STEP *(DB_VALUE_BYTES_MAX + DB_KEY_BYTES_MAX + 100) <=
		       DB_BATCH_BYTES_MAX &&
		   ROWS_A_STEP * 3 <= DB_BATCH_OPS_MAX,
    "a step fits a batch");

/* What a value is bound to: service, a NUL, table, key. */
struct bound {
	uint8_t bytes[BOUND_BYTES_MAX];
	size_t len;
};

static enum status bind_to(struct bound *out, const struct keyring *keyring,
    uint8_t table, struct slice key)
{
	const char *service = keyring_service(keyring);
	size_t len = strlen(service);

	if (len > SERVICE_BYTES_MAX || key.len > DB_KEY_BYTES_MAX)
		return STATUS_TOO_LARGE;
	memcpy(out->bytes, service, len + 1);
	out->bytes[len + 1] = table;
	if (key.len > 0)
		memcpy(out->bytes + len + 2, key.data, key.len);
	out->len = len + 2 + key.len;
	return STATUS_OK;
}

static struct slice bound_slice(const struct bound *bound)
{
	return slice_of(bound->bytes, bound->len);
}

void sealed_row_put(struct keyring *keyring, struct db *db,
    struct db_batch *batch, const struct id *account, uint8_t table,
    struct slice key, struct slice plain)
{
	uint8_t value[DB_VALUE_BYTES_MAX];
	struct account_key with;
	struct bound bound;

	if (plain.len > SEALED_PLAIN_BYTES_MAX) {
		db_batch_fail(batch, STATUS_TOO_LARGE);
		return;
	}
	enum status st = bind_to(&bound, keyring, table, key);
	if (st == STATUS_OK)
		st = keyring_take(keyring, db, account, &with);
	if (st != STATUS_OK) {
		db_batch_fail(
		    batch, st == STATUS_EXPIRED ? STATUS_CONFLICT : st);
		return;
	}
	value[0] = SEALED_ROW_VERSION;
	seal(value + 1, with.bytes, plain, bound_slice(&bound));
	keyring_put(batch, &with);
	db_batch_put(
	    batch, table, key, slice_of(value, SEALED_ROW_EXTRA + plain.len));
	sodium_memzero(&with, sizeof(with));
}

static enum status refuse(uint8_t table, enum status st)
{
	log_error(NULL, "row_unusable", "table=%u status=%s",
	    (unsigned int)table, status_word(st));
	return st;
}

/* Open with the key at hand; nothing is logged. */
static enum status open_with(struct bytes *plain_out,
    const struct keyring *keyring, const struct account_key *with,
    uint8_t table, struct slice key, struct slice value)
{
	struct bound bound;

	if (value.len < SEALED_ROW_EXTRA || value.data[0] != SEALED_ROW_VERSION)
		return STATUS_MALFORMED;
	size_t len = value.len - SEALED_ROW_EXTRA;
	enum status st = bind_to(&bound, keyring, table, key);
	/* One more: an empty plaintext has a place too. */
	if (st == STATUS_OK)
		st = bytes_reserve(plain_out, len + 1);
	if (st != STATUS_OK)
		return st;
	plain_out->len = 0;
	if (seal_open(plain_out->data, with->bytes,
		slice_of(value.data + 1, value.len - 1),
		bound_slice(&bound)) != STATUS_OK)
		return STATUS_MALFORMED;
	plain_out->len = len;
	return STATUS_OK;
}

enum status sealed_row_open(struct keyring *keyring, struct db *db,
    const struct id *account, uint8_t table, struct slice key,
    struct slice value, struct bytes *plain_out)
{
	struct account_key with;

	if (value.len > 0 && value.data[0] > SEALED_ROW_VERSION)
		return refuse(table, STATUS_VERSION);
	enum status st = keyring_find(keyring, db, account, &with);
	/* Sealed by whom? */
	if (st == STATUS_NOT_FOUND)
		return refuse(table, STATUS_MALFORMED);
	if (st != STATUS_OK)
		return st;
	st = open_with(plain_out, keyring, &with, table, key, value);
	sodium_memzero(&with, sizeof(with));
	return st == STATUS_MALFORMED ? refuse(table, st) : st;
}

enum status sealed_row_get(struct keyring *keyring, struct db *db,
    const struct id *account, uint8_t table, struct slice key,
    struct bytes *plain_out)
{
	struct bytes value = { 0 };

	enum status st = db_get(db, account, table, key, &value);
	if (st == STATUS_OK)
		st = sealed_row_open(keyring, db, account, table, key,
		    bytes_slice(&value), plain_out);
	bytes_clear(&value);
	return st;
}

/* ---- migration ---- */

/* One table of one database while it is sealed. */
struct sealing {
	struct keyring *keyring;
	struct db *db;
	uint8_t table;
	uint8_t version; /* of rows in clear; 0: they have none */
	enum status failed;
};

static void on_sealed(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct sealing *self = arg;

	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK)
		self->failed = status;
}

/* What of a row is to be sealed; NOT_FOUND where it is sealed already. */
static enum status clear_part(struct slice *out, const struct sealing *self,
    const struct id *account, const struct db_entry *entry)
{
	struct slice value = entry->value;
	struct bytes plain = { 0 };
	struct account_key with;

	*out = value;
	if (self->version != 0 && value.data[0] == self->version) {
		*out = slice_of(value.data + 1, value.len - 1);
		return STATUS_OK;
	}
	/* One without a version may begin as a sealed one does. */
	enum status st = keyring_find(self->keyring, self->db, account, &with);
	if (st == STATUS_OK)
		st = open_with(&plain, self->keyring, &with, self->table,
		    entry->key, value);
	sodium_memzero(&with, sizeof(with));
	bytes_clear(&plain);
	if (st == STATUS_OK)
		return STATUS_NOT_FOUND;
	if (st != STATUS_MALFORMED && st != STATUS_NOT_FOUND)
		return st;
	return self->version == 0 ? STATUS_OK
				  : refuse(self->table, STATUS_MALFORMED);
}

static enum status seal_page(
    struct sealing *self, const struct id *account, const struct db_page *page)
{
	struct db_batch *batch = NULL;
	enum status st = STATUS_OK;

	for (size_t i = 0; i < page->count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page->entries[i];
		struct slice plain;
		st = clear_part(&plain, self, account, entry);
		if (st == STATUS_NOT_FOUND) {
			st = STATUS_OK;
			continue;
		}
		if (!batch)
			batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
		if (st == STATUS_OK)
			sealed_row_put(self->keyring, self->db, batch, account,
			    self->table, entry->key, plain);
	}
	if (st == STATUS_OK && batch)
		st = db_submit_patient(self->db, &batch, on_sealed, self);
	db_batch_destroy(&batch);
	return st == STATUS_PENDING ? STATUS_OK : st;
}

static enum status seal_account(struct sealing *self, const struct id *account)
{
	uint8_t last[DB_KEY_BYTES_MAX];
	struct slice all = { 0 }, after = { 0 };
	struct db_page page = { 0 };
	enum status st;

	do {
		st = db_scan(self->db, account, self->table, all, after,
		    ROWS_A_STEP, false, &page);
		if (st != STATUS_OK || page.count == 0)
			break;
		st = seal_page(self, account, &page);
		after = page.entries[page.count - 1].key;
		if (after.len > 0)
			memcpy(last, after.data, after.len);
		after.data = last;
	} while (st == STATUS_OK && page.more);
	db_page_clear(&page);
	return st;
}

enum status sealed_rows_migrate(
    struct keyring *keyring, struct db *db, uint8_t table, uint8_t version)
{
	struct sealing self = { keyring, db, table, version, STATUS_OK };
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id last, *after = NULL;
	enum status st = STATUS_OK;

	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			if (!accounts[i].removed)
				st = seal_account(&self, &accounts[i].id);
		if (st == STATUS_OK && count > 0)
			last = accounts[count - 1].id;
		after = &last;
	}
	db_drain(db);
	return st == STATUS_OK ? self.failed : st;
}
