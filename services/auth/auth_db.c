#include "auth_db.h"

#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "service/erase.h"

#define TABLE_ACCOUNT     1
#define TABLE_CREDENTIALS 2
#define TABLE_TOLD        3

#define SPACE_LOGIN   1 /* login names */
#define SPACE_NOTHING 2 /* one name, which auth_db_claim_nothing claims */

#define NAME_LEASE_MS 60000 /* a registration takes two commits */

/* Keys of TABLE_TOLD.  Stored: append, never renumber. */
#define TOLD_ASKED_AGAIN 1

/* Layouts.  Numbers are big-endian. */
#define ACCOUNT_VERSION    1
#define ACCOUNT_AT_KIND    1
#define ACCOUNT_AT_CREATED 2
#define ACCOUNT_AT_KEY     10
#define ACCOUNT_BYTES      (ACCOUNT_AT_KEY + ACCOUNT_KEY_BYTES)

#define CREDENTIAL_VERSION     1
#define CREDENTIAL_AT_FACTORS  1
#define CREDENTIAL_AT_REVISION 2
#define CREDENTIAL_AT_CHANGED  6
#define CREDENTIAL_AT_RECORD   14
#define CREDENTIAL_AT_ROOT     (CREDENTIAL_AT_RECORD + OPAQUE_RECORD_BYTES)
#define CREDENTIAL_BYTES_MAX   (CREDENTIAL_AT_ROOT + WRAPPED_ROOT_BYTES_MAX)

#define TOLD_VERSION 1
#define TOLD_AT_WHEN 1
#define TOLD_BYTES   9

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

/*
 * Read a row whose value has ${len_min} to ${len_max} bytes and is of
 * ${version}.
 */
static enum status row_read(struct bytes *value, struct db *db,
    const struct id *id, uint8_t table, struct slice key, uint8_t version,
    size_t len_min, size_t len_max)
{
	enum status st = db_get(db, id, table, key, value);

	if (st == STATUS_OK && value->len >= len_min && value->len <= len_max &&
	    value->data[0] == version)
		return st;
	if (st != STATUS_OK && st != STATUS_MALFORMED)
		return st;
	log_error(NULL, "row_damaged", "table=%u len=%zu", table, value->len);
	return STATUS_INTERNAL;
}

enum status auth_db_name(struct db *db,
    const uint8_t hash[static NAME_HASH_BYTES], struct id *account_out)
{
	return db_name_get(
	    db, SPACE_LOGIN, slice_of(hash, NAME_HASH_BYTES), account_out);
}

enum status auth_db_account(
    struct db *db, const struct id *id, struct account *out)
{
	struct bytes value = { 0 };

	enum status st = row_read(&value, db, id, TABLE_ACCOUNT, slice_text(""),
	    ACCOUNT_VERSION, ACCOUNT_BYTES, ACCOUNT_BYTES);
	if (st != STATUS_OK)
		goto out;
	*out = (struct account){
		.kind = value.data[ACCOUNT_AT_KIND],
		.created_ms = get_be64(value.data + ACCOUNT_AT_CREATED),
	};
	memcpy(out->key, value.data + ACCOUNT_AT_KEY, sizeof(out->key));
out:
	bytes_clear(&value);
	return st;
}

enum status auth_db_credential(struct db *db, const struct id *id,
    const struct code_slot *slot, struct credential *out)
{
	uint8_t key[SLOT_KEY_BYTES];
	struct bytes value = { 0 };

	enum status st =
	    row_read(&value, db, id, TABLE_CREDENTIALS, slot_key(key, slot),
		CREDENTIAL_VERSION, CREDENTIAL_AT_ROOT, CREDENTIAL_BYTES_MAX);
	if (st != STATUS_OK)
		goto out;
	*out = (struct credential){
		.factors = value.data[CREDENTIAL_AT_FACTORS],
		.revision = get_be32(value.data + CREDENTIAL_AT_REVISION),
		.changed_ms = get_be64(value.data + CREDENTIAL_AT_CHANGED),
		.wrapped_root_len = value.len - CREDENTIAL_AT_ROOT,
	};
	memcpy(out->record, value.data + CREDENTIAL_AT_RECORD,
	    sizeof(out->record));
	memcpy(out->wrapped_root, value.data + CREDENTIAL_AT_ROOT,
	    out->wrapped_root_len);
out:
	bytes_clear(&value);
	return st;
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
	    TOLD_VERSION, TOLD_BYTES, TOLD_BYTES);
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

void auth_db_put_account(struct db_batch *batch, const struct account *account)
{
	uint8_t value[ACCOUNT_BYTES] = { ACCOUNT_VERSION };

	value[ACCOUNT_AT_KIND] = (uint8_t)account->kind;
	put_be64(value + ACCOUNT_AT_CREATED, account->created_ms);
	memcpy(value + ACCOUNT_AT_KEY, account->key, sizeof(account->key));
	db_batch_put(batch, TABLE_ACCOUNT, slice_text(""),
	    slice_of(value, sizeof(value)));
}

/* Write ${credential} as stored to ${out}; returns its length. */
static size_t credential_format(uint8_t out[static CREDENTIAL_BYTES_MAX],
    const struct credential *credential)
{
	out[0] = CREDENTIAL_VERSION;
	out[CREDENTIAL_AT_FACTORS] = (uint8_t)credential->factors;
	put_be32(out + CREDENTIAL_AT_REVISION, credential->revision);
	put_be64(out + CREDENTIAL_AT_CHANGED, credential->changed_ms);
	memcpy(out + CREDENTIAL_AT_RECORD, credential->record,
	    sizeof(credential->record));
	memcpy(out + CREDENTIAL_AT_ROOT, credential->wrapped_root,
	    credential->wrapped_root_len);
	return CREDENTIAL_AT_ROOT + credential->wrapped_root_len;
}

void auth_db_put_credential(struct db_batch *batch,
    const struct code_slot *slot, const struct credential *credential)
{
	uint8_t key[SLOT_KEY_BYTES];
	uint8_t value[CREDENTIAL_BYTES_MAX];
	size_t len = credential_format(value, credential);

	db_batch_put(batch, TABLE_CREDENTIALS, slot_key(key, slot),
	    slice_of(value, len));
	sodium_memzero(value, sizeof(value));
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

void auth_db_expect_credential(struct db_batch *batch,
    const struct code_slot *slot, const struct credential *credential)
{
	uint8_t key[SLOT_KEY_BYTES];
	uint8_t value[CREDENTIAL_BYTES_MAX];
	size_t len = credential_format(value, credential);

	db_batch_expect(batch, TABLE_CREDENTIALS, slot_key(key, slot),
	    slice_of(value, len));
	sodium_memzero(value, sizeof(value));
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

enum status auth_db_claim_nothing(
    struct db *db, const struct id *account, db_done_fn *done, void *arg)
{
	/* A lease of no time: the next one takes the same row over. */
	return db_claim(
	    db, SPACE_NOTHING, slice_text("nothing"), account, 0, done, arg);
}
