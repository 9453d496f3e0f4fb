#include "auth_db.h"

#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/erase.h"

#define TABLE_ACCOUNT     AUTH_TABLE_ACCOUNT
#define TABLE_CREDENTIALS AUTH_TABLE_CREDENTIALS
#define TABLE_TOLD        3
#define TABLE_STATE       5

#define SPACE_LOGIN   1 /* login names */
#define SPACE_NOTHING 2 /* one name, which auth_db_claim_nothing claims */

#define NAME_LEASE_MS 60000 /* a registration takes two commits */

/* Keys of TABLE_TOLD.  Stored: append, never renumber. */
#define TOLD_ASKED_AGAIN 1

/* Layouts.  Numbers are big-endian.  Of what is sealed: */
#define ACCOUNT_AT_KIND    0
#define ACCOUNT_AT_CREATED 1
#define ACCOUNT_AT_KEY     9
#define ACCOUNT_AT_NAME    (ACCOUNT_AT_KEY + ACCOUNT_KEY_BYTES)
#define ACCOUNT_BYTES_MAX  (ACCOUNT_AT_NAME + NAME_BYTES_MAX)

#define CREDENTIAL_AT_FACTORS  0
#define CREDENTIAL_AT_REVISION 1
#define CREDENTIAL_AT_CHANGED  5
#define CREDENTIAL_AT_RECORD   13
#define CREDENTIAL_AT_ROOT     (CREDENTIAL_AT_RECORD + OPAQUE_RECORD_BYTES)
#define CREDENTIAL_BYTES_MAX   (CREDENTIAL_AT_ROOT + WRAPPED_ROOT_BYTES_MAX)

/* Of what is in clear: */
#define TOLD_VERSION 1
#define TOLD_AT_WHEN 1
#define TOLD_BYTES   9

#define STATE_VERSION     1
#define STATE_AT_DISABLED 1
#define STATE_AT_WHEN     2
#define STATE_BYTES       10

#define SLOT_KEY_BYTES (1 + ID_BYTES)

static struct slice slot_key(
    uint8_t key[static SLOT_KEY_BYTES], const struct code_slot *slot)
{
	key[0] = (uint8_t)slot->kind;
	if (slot->kind != CREDENTIAL_TERMINAL)
		return slice_of(key, 1);
	memcpy(key + 1, slot->terminal.bytes, ID_BYTES);
	return slice_of(key, SLOT_KEY_BYTES);
}

static struct slice told_key(const uint8_t *what)
{
	return slice_of(what, 1);
}

static enum status damaged(uint8_t table, size_t len)
{
	log_error(NULL, "row_damaged", "table=%u len=%zu", table, len);
	return STATUS_INTERNAL;
}

/* ---- sealed rows ---- */

void auth_rows_init(
    struct auth_rows *self, struct db *db, struct keyring *keyring)
{
	const uint8_t plain[FALSE_ROW_BYTES - SEAL_EXTRA_BYTES] = { 0 };

	*self = (struct auth_rows){ .db = db, .keyring = keyring };
	keyring_derive(keyring, "false rows", self->false_key);
	seal(self->false_row, self->false_key, slice_of(plain, sizeof(plain)),
	    slice_of(NULL, 0));
}

/* The work of a row that is there: to find its key, and to open both. */
static void open_nothing(const struct auth_rows *rows, const struct id *id)
{
	uint8_t plain[FALSE_ROW_BYTES - SEAL_EXTRA_BYTES];
	struct account_key key;

	(void)keyring_find(rows->keyring, rows->db, id, &key);
	for (int i = 0; i < 2; i++)
		(void)seal_open(plain, rows->false_key,
		    slice_of(rows->false_row, FALSE_ROW_BYTES),
		    slice_of(NULL, 0));
	sodium_memzero(&key, sizeof(key));
}

static enum status sealed_read(struct bytes *plain,
    const struct auth_rows *rows, const struct id *id, uint8_t table,
    struct slice key)
{
	enum status st =
	    sealed_row_get(rows->keyring, rows->db, id, table, key, plain);

	if (st == STATUS_EXPIRED)
		st = STATUS_NOT_FOUND;
	if (st == STATUS_NOT_FOUND)
		open_nothing(rows, id);
	return st;
}

enum status auth_db_migrate(struct keyring *keyring, struct db *db)
{
	static const uint8_t tables[] = { TABLE_ACCOUNT, TABLE_CREDENTIALS };
	enum status st = STATUS_OK;

	for (size_t i = 0; i < nitems(tables) && st == STATUS_OK; i++)
		st = sealed_rows_migrate(keyring, db, tables[i], 1);
	return st;
}

static enum status account_parse(struct account *out, struct slice plain)
{
	if (plain.len < ACCOUNT_AT_NAME || plain.len > ACCOUNT_BYTES_MAX)
		return STATUS_MALFORMED;
	*out = (struct account){
		.kind = plain.data[ACCOUNT_AT_KIND],
		.created_ms = get_be64(plain.data + ACCOUNT_AT_CREATED),
	};
	memcpy(out->key, plain.data + ACCOUNT_AT_KEY, sizeof(out->key));
	memcpy(out->name, plain.data + ACCOUNT_AT_NAME,
	    plain.len - ACCOUNT_AT_NAME);
	return STATUS_OK;
}

static size_t account_format(
    uint8_t out[static ACCOUNT_BYTES_MAX], const struct account *account)
{
	size_t name_len = strlen(account->name);

	out[ACCOUNT_AT_KIND] = (uint8_t)account->kind;
	put_be64(out + ACCOUNT_AT_CREATED, account->created_ms);
	memcpy(out + ACCOUNT_AT_KEY, account->key, sizeof(account->key));
	memcpy(out + ACCOUNT_AT_NAME, account->name, name_len);
	return ACCOUNT_AT_NAME + name_len;
}

static enum status credential_parse(struct credential *out, struct slice plain)
{
	if (plain.len < CREDENTIAL_AT_ROOT || plain.len > CREDENTIAL_BYTES_MAX)
		return STATUS_MALFORMED;
	*out = (struct credential){
		.factors = plain.data[CREDENTIAL_AT_FACTORS],
		.revision = get_be32(plain.data + CREDENTIAL_AT_REVISION),
		.changed_ms = get_be64(plain.data + CREDENTIAL_AT_CHANGED),
		.wrapped_root_len = plain.len - CREDENTIAL_AT_ROOT,
	};
	memcpy(out->record, plain.data + CREDENTIAL_AT_RECORD,
	    sizeof(out->record));
	memcpy(out->wrapped_root, plain.data + CREDENTIAL_AT_ROOT,
	    out->wrapped_root_len);
	return STATUS_OK;
}

/* Write ${credential} as stored to ${out}; returns its length. */
static size_t credential_format(uint8_t out[static CREDENTIAL_BYTES_MAX],
    const struct credential *credential)
{
	out[CREDENTIAL_AT_FACTORS] = (uint8_t)credential->factors;
	put_be32(out + CREDENTIAL_AT_REVISION, credential->revision);
	put_be64(out + CREDENTIAL_AT_CHANGED, credential->changed_ms);
	memcpy(out + CREDENTIAL_AT_RECORD, credential->record,
	    sizeof(credential->record));
	memcpy(out + CREDENTIAL_AT_ROOT, credential->wrapped_root,
	    credential->wrapped_root_len);
	return CREDENTIAL_AT_ROOT + credential->wrapped_root_len;
}

enum status auth_db_account(
    const struct auth_rows *rows, const struct id *id, struct account *out)
{
	struct bytes plain = { 0 };

	enum status st =
	    sealed_read(&plain, rows, id, TABLE_ACCOUNT, slice_text(""));
	if (st == STATUS_OK)
		st = account_parse(out, bytes_slice(&plain));
	if (st == STATUS_MALFORMED)
		st = damaged(TABLE_ACCOUNT, plain.len);
	bytes_clear(&plain);
	return st;
}

enum status auth_db_credential(const struct auth_rows *rows,
    const struct id *id, const struct code_slot *slot, struct credential *out)
{
	uint8_t key[SLOT_KEY_BYTES];
	struct bytes plain = { 0 };

	enum status st = sealed_read(
	    &plain, rows, id, TABLE_CREDENTIALS, slot_key(key, slot));
	if (st == STATUS_OK)
		st = credential_parse(out, bytes_slice(&plain));
	if (st == STATUS_MALFORMED)
		st = damaged(TABLE_CREDENTIALS, plain.len);
	bytes_clear(&plain);
	return st;
}

void auth_db_put_account(const struct auth_rows *rows, struct db_batch *batch,
    const struct id *id, const struct account *account)
{
	uint8_t plain[ACCOUNT_BYTES_MAX];
	size_t len = account_format(plain, account);

	sealed_row_put(rows->keyring, rows->db, batch, id, TABLE_ACCOUNT,
	    slice_text(""), slice_of(plain, len));
	sodium_memzero(plain, sizeof(plain));
}

void auth_db_put_credential(const struct auth_rows *rows,
    struct db_batch *batch, const struct id *id, const struct code_slot *slot,
    const struct credential *credential)
{
	uint8_t key[SLOT_KEY_BYTES];
	uint8_t plain[CREDENTIAL_BYTES_MAX];
	size_t len = credential_format(plain, credential);

	sealed_row_put(rows->keyring, rows->db, batch, id, TABLE_CREDENTIALS,
	    slot_key(key, slot), slice_of(plain, len));
	sodium_memzero(plain, sizeof(plain));
}

/*
 * The same credential is never sealed to the same bytes, so the row is read
 * once more: if it opens to what is expected, those bytes are expected.
 */
void auth_db_expect_credential(const struct auth_rows *rows,
    struct db_batch *batch, const struct id *id, const struct code_slot *slot,
    const struct credential *credential)
{
	uint8_t key[SLOT_KEY_BYTES], want[CREDENTIAL_BYTES_MAX];
	struct slice row_key = slot_key(key, slot);
	size_t len = credential_format(want, credential);
	struct bytes value = { 0 }, plain = { 0 };

	enum status st =
	    db_get(rows->db, id, TABLE_CREDENTIALS, row_key, &value);
	if (st == STATUS_OK)
		st = sealed_row_open(rows->keyring, rows->db, id,
		    TABLE_CREDENTIALS, row_key, bytes_slice(&value), &plain);
	if (st == STATUS_NOT_FOUND || st == STATUS_EXPIRED ||
	    (st == STATUS_OK && (plain.len != len ||
				    sodium_memcmp(plain.data, want, len) != 0)))
		st = STATUS_CONFLICT;
	if (st == STATUS_OK)
		db_batch_expect(
		    batch, TABLE_CREDENTIALS, row_key, bytes_slice(&value));
	else
		db_batch_fail(batch, st);
	sodium_memzero(want, sizeof(want));
	bytes_clear(&value);
	bytes_clear(&plain);
}

/* ---- rows in clear ---- */

/*
 * Read a row whose value has ${len} bytes and is of ${version}.
 */
static enum status row_read(struct bytes *value, struct db *db,
    const struct id *id, uint8_t table, struct slice key, uint8_t version,
    size_t len)
{
	enum status st = db_get(db, id, table, key, value);

	if (st == STATUS_OK && value->len == len && value->data[0] == version)
		return st;
	if (st != STATUS_OK && st != STATUS_MALFORMED)
		return st;
	return damaged(table, value->len);
}

enum status auth_db_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], struct id *account_out)
{
	return db_name_get(
	    db, SPACE_LOGIN, slice_of(hash, NAME_HASH_BYTES), account_out);
}

enum status auth_db_disabled(
    struct db *db, const struct id *id, bool *disabled_out)
{
	struct bytes value = { 0 };

	enum status st = row_read(&value, db, id, TABLE_STATE, slice_text(""),
	    STATE_VERSION, STATE_BYTES);
	*disabled_out = st == STATUS_OK && value.data[STATE_AT_DISABLED] != 0;
	bytes_clear(&value);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

void auth_db_put_disabled(
    struct db_batch *batch, bool disabled, uint64_t now_ms)
{
	uint8_t value[STATE_BYTES] = { STATE_VERSION };

	value[STATE_AT_DISABLED] = disabled;
	put_be64(value + STATE_AT_WHEN, now_ms);
	db_batch_put(
	    batch, TABLE_STATE, slice_text(""), slice_of(value, sizeof(value)));
}

enum status auth_db_next_code(struct db *db, const struct id *id,
    const struct code_slot *after, struct code_slot *out)
{
	uint8_t key[SLOT_KEY_BYTES];
	struct slice all = { 0 }, behind = after ? slot_key(key, after) : all;
	struct db_page page = { 0 };

	enum status st =
	    db_scan(db, id, TABLE_CREDENTIALS, all, behind, 1, false, &page);
	if (st == STATUS_OK && page.count == 0)
		st = STATUS_NOT_FOUND;
	if (st != STATUS_OK)
		goto out;
	struct slice found = page.entries[0].key;
	*out = (struct code_slot){ .kind = found.len > 0 ? found.data[0] : 0 };
	if (found.len == SLOT_KEY_BYTES)
		memcpy(out->terminal.bytes, found.data + 1, ID_BYTES);
	if (!slice_equal(slot_key(key, out), found)) {
		log_error(NULL, "row_damaged", "table=%u key=%zu",
		    TABLE_CREDENTIALS, found.len);
		st = STATUS_INTERNAL;
	}
out:
	db_page_clear(&page);
	return st;
}

enum status auth_db_asked_again(
    struct db *db, const struct id *id, uint64_t *told_ms_out)
{
	const uint8_t key = TOLD_ASKED_AGAIN;
	struct bytes value = { 0 };

	enum status st = row_read(&value, db, id, TABLE_TOLD, told_key(&key),
	    TOLD_VERSION, TOLD_BYTES);
	if (st == STATUS_OK)
		*told_ms_out = get_be64(value.data + TOLD_AT_WHEN);
	bytes_clear(&value);
	return st;
}

uint64_t auth_db_accounts(struct db *db)
{
	struct db_stats stats;

	return db_stats(db, &stats) == STATUS_OK ? stats.accounts : 0;
}

void auth_db_delete_credential(
    struct db_batch *batch, const struct code_slot *slot)
{
	uint8_t key[SLOT_KEY_BYTES];

	db_batch_delete(batch, TABLE_CREDENTIALS, slot_key(key, slot));
}

void auth_db_delete_terminal(struct db_batch *batch, const struct id *terminal)
{
	const struct code_slot slot = {
		.kind = CREDENTIAL_TERMINAL,
		.terminal = *terminal,
	};

	auth_db_delete_credential(batch, &slot);
}

void auth_db_require_account(struct db_batch *batch)
{
	db_batch_require(batch, TABLE_ACCOUNT, slice_text(""));
}

void auth_db_forbid_credential(
    struct db_batch *batch, const struct code_slot *slot)
{
	uint8_t key[SLOT_KEY_BYTES];

	db_batch_forbid(batch, TABLE_CREDENTIALS, slot_key(key, slot));
}

static void told_format(uint8_t out[static TOLD_BYTES], uint64_t when_ms)
{
	out[0] = TOLD_VERSION;
	put_be64(out + TOLD_AT_WHEN, when_ms);
}

void auth_db_put_asked_again(
    struct db_batch *batch, uint64_t told_ms, uint64_t now_ms)
{
	const uint8_t key = TOLD_ASKED_AGAIN;
	uint8_t value[TOLD_BYTES];

	told_format(value, told_ms);
	if (told_ms > 0)
		db_batch_expect(batch, TABLE_TOLD, told_key(&key),
		    slice_of(value, sizeof(value)));
	else
		db_batch_forbid(batch, TABLE_TOLD, told_key(&key));
	told_format(value, now_ms);
	db_batch_put(
	    batch, TABLE_TOLD, told_key(&key), slice_of(value, sizeof(value)));
}

void auth_db_confirm_name(
    struct db_batch *batch, const uint8_t hash[static NAME_HASH_BYTES])
{
	names_confirm(batch, SPACE_LOGIN, slice_of(hash, NAME_HASH_BYTES));
}

enum status auth_db_claim_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], const struct id *account,
    db_done_fn *done, void *arg)
{
	return db_claim(db, SPACE_LOGIN, slice_of(hash, NAME_HASH_BYTES),
	    account, NAME_LEASE_MS, done, arg);
}

void auth_db_unclaim_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], const struct id *account)
{
	/* Where this fails too, the claim runs out by itself. */
	db_unclaim(db, SPACE_LOGIN, slice_of(hash, NAME_HASH_BYTES), account,
	    NULL, NULL);
}

enum status auth_db_claim_nothing(
    struct db *db, const struct id *account, db_done_fn *done, void *arg)
{
	/* A lease of no time: the next one takes the same row over. */
	return db_claim(
	    db, SPACE_NOTHING, slice_text("nothing"), account, 0, done, arg);
}
