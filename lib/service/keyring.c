#include "service/keyring.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/keyfile.h"
#include "service/settings.h"
#include "service/tables.h"

#define FILE_NAME   "account.keys"
#define CACHE_COUNT 4096 /* a power of two */

#define ACCOUNTS_A_STEP 256

/* The row: version, slot. */
#define ROW_VERSION 1
#define ROW_BYTES   (1 + 4)

static const struct slice row_key = { (const uint8_t *)"", 0 };

/*
 * Which slot is whose, of accounts met lately.  Not the key itself: to read
 * and unwrap a slot takes two microseconds.
 */
struct known {
	struct id account;
	uint32_t slot; /* 0: an empty place */
	bool fresh;    /* its row is not in the database yet, as far as known */
};

struct keyring {
	struct keyfile *file;
	char service[KEYFILE_SERVICE_MAX + 1];
	struct known cache[CACHE_COUNT];
};

static struct known *place_of(struct keyring *self, const struct id *account)
{
	return &self->cache[get_be16(account->bytes) & (CACHE_COUNT - 1)];
}

static void remember(
    struct keyring *self, const struct id *account, uint32_t slot, bool fresh)
{
	*place_of(self, account) = (struct known){ *account, slot, fresh };
}

/* ---- the row ---- */

static void row_encode(uint8_t out[static ROW_BYTES], uint32_t slot)
{
	out[0] = ROW_VERSION;
	put_be32(out + 1, slot);
}

static enum status row_decode(uint32_t *slot_out, struct slice row)
{
	enum status st = STATUS_OK;

	if (row.len > 0 && row.data[0] > ROW_VERSION)
		st = STATUS_VERSION;
	else if (row.len != ROW_BYTES || row.data[0] != ROW_VERSION ||
		 get_be32(row.data + 1) == 0)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK)
		*slot_out = get_be32(row.data + 1);
	else
		log_error(NULL, "row_unusable", "table=account_key status=%s",
		    status_word(st));
	return st;
}

/* The account's slot as the database has it. */
static enum status read_slot(
    struct db *db, const struct id *account, uint32_t *slot_out)
{
	struct bytes row = { 0 };

	enum status st = db_get(db, account, TABLE_ACCOUNT_KEY, row_key, &row);
	if (st == STATUS_OK)
		st = row_decode(slot_out, bytes_slice(&row));
	bytes_clear(&row);
	return st;
}

static enum status find_slot(struct keyring *self, struct db *db,
    const struct id *account, uint32_t *slot_out)
{
	const struct known *known = place_of(self, account);

	if (known->slot != 0 && !known->fresh &&
	    id_equal(&known->account, account)) {
		*slot_out = known->slot;
		return STATUS_OK;
	}
	enum status st = read_slot(db, account, slot_out);
	if (st == STATUS_OK)
		remember(self, account, *slot_out, false);
	return st;
}

/* ---- life ---- */

enum status keyring_new(struct keyring **out, const struct conf *conf,
    const char *service, const char *ledger, bool create)
{
	char path[SETTINGS_PATH_BYTES + sizeof(FILE_NAME)];
	struct keyring *self = calloc(1, sizeof(*self));
	struct master *master = NULL;

	*out = NULL;
	if (!self)
		return STATUS_NO_SPACE;
	snprintf(self->service, sizeof(self->service), "%s", service);
	snprintf(path, sizeof(path), "%s/" FILE_NAME, ledger);
	enum status st = master_read(&master, conf, service);
	if (st == STATUS_OK)
		st = keyfile_open(
		    &self->file, path, self->service, master, create);
	if (st == STATUS_OK) {
		*out = self;
		self = NULL;
	}
	master_destroy(&master);
	keyring_destroy(&self);
	return st;
}

void keyring_destroy(struct keyring **self_p)
{
	assert(self_p);
	struct keyring *self = *self_p;
	if (!self)
		return;
	keyfile_close(&self->file);
	free(self);
	*self_p = NULL;
}

const char *keyring_service(const struct keyring *self)
{
	return self->service;
}

/* ---- keys ---- */

static enum status unwrap(const struct keyring *self, uint32_t slot, bool fresh,
    struct account_key *out)
{
	out->slot = slot;
	out->fresh = fresh;
	return keyfile_key(self->file, slot, out->bytes);
}

enum status keyring_find(struct keyring *self, struct db *db,
    const struct id *account, struct account_key *out)
{
	uint32_t slot;

	enum status st = find_slot(self, db, account, &slot);
	return st == STATUS_OK ? unwrap(self, slot, false, out) : st;
}

enum status keyring_take(struct keyring *self, struct db *db,
    const struct id *account, struct account_key *out)
{
	const struct known *known = place_of(self, account);
	uint32_t slot;

	enum status st = find_slot(self, db, account, &slot);
	if (st == STATUS_OK)
		return unwrap(self, slot, false, out);
	if (st != STATUS_NOT_FOUND)
		return st;
	/* Batches that are under way at once must agree. */
	if (known->slot != 0 && id_equal(&known->account, account))
		return unwrap(self, known->slot, true, out);
	st = keyfile_next(self->file, &slot);
	if (st != STATUS_OK)
		return st;
	remember(self, account, slot, true);
	return unwrap(self, slot, true, out);
}

void keyring_put(struct db_batch *batch, const struct account_key *key)
{
	uint8_t row[ROW_BYTES];

	if (!key->fresh)
		return;
	row_encode(row, key->slot);
	struct slice value = slice_of(row, sizeof(row));
	db_batch_agree(batch, TABLE_ACCOUNT_KEY, row_key, value);
	db_batch_put(batch, TABLE_ACCOUNT_KEY, row_key, value);
}

/* ---- migration ---- */

static void on_given(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *failed = arg;

	(void)generation;
	(void)failed_op;
	if (status != STATUS_OK)
		*failed = status;
}

static enum status give_key(struct keyring *self, struct db *db,
    const struct id *account, enum status *failed)
{
	struct account_key key;
	struct db_batch *batch = NULL;

	enum status st = keyring_take(self, db, account, &key);
	if (st == STATUS_OK && key.fresh) {
		batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
		keyring_put(batch, &key);
		st = db_submit_patient(db, &batch, on_given, failed);
		db_batch_destroy(&batch);
	}
	sodium_memzero(&key, sizeof(key));
	return st == STATUS_PENDING || st == STATUS_EXPIRED ? STATUS_OK : st;
}

enum status keyring_migrate(struct keyring *self, struct db *db)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id last, *after = NULL;
	enum status failed = STATUS_OK, st = STATUS_OK;

	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			if (!accounts[i].removed)
				st = give_key(
				    self, db, &accounts[i].id, &failed);
		if (st == STATUS_OK && count > 0)
			last = accounts[count - 1].id;
		after = &last;
	}
	db_drain(db);
	return st == STATUS_OK ? failed : st;
}

/* ---- the service's own, and the end of keys ---- */

void keyring_derive(const struct keyring *self, const char *label,
    uint8_t out[static KEY_BYTES])
{
	key_derive(
	    out, keyfile_service_key(self->file), label, (struct slice){ 0 });
}

enum status keyring_shred(
    struct keyring *self, struct db *db, const struct id *account)
{
	const struct known *known = place_of(self, account);
	uint32_t slot, fresh = 0;

	/* One that a batch under way brings must be gone when it comes. */
	if (known->fresh && id_equal(&known->account, account))
		fresh = known->slot;
	enum status st = read_slot(db, account, &slot);
	if (st == STATUS_OK)
		st = keyfile_shred(self->file, slot);
	else if (st == STATUS_NOT_FOUND)
		st = STATUS_OK;
	if (st == STATUS_OK && fresh != 0)
		st = keyfile_shred(self->file, fresh);
	return st;
}

/* The highest slot of an account; and how many have a lost one. */
static enum status survey(struct keyring *self, struct db *db,
    uint32_t *highest_out, uint64_t *lost_out)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id last, *after = NULL;
	uint8_t key[KEY_BYTES];
	enum status st = STATUS_OK;

	*highest_out = 0;
	*lost_out = 0;
	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			uint32_t slot = 0;
			st = read_slot(db, &accounts[i].id, &slot);
			if (st == STATUS_NOT_FOUND) {
				st = STATUS_OK;
				continue;
			}
			*highest_out = max_of(*highest_out, slot);
			if (st == STATUS_OK && keyfile_key(self->file, slot,
						   key) == STATUS_EXPIRED)
				++*lost_out;
		}
		if (st == STATUS_OK && count > 0)
			last = accounts[count - 1].id;
		after = &last;
	}
	sodium_memzero(key, sizeof(key));
	return st;
}

enum status keyring_restored(
    struct keyring *self, struct db *db, uint64_t *lost_out)
{
	uint32_t highest;
	uint64_t unused;

	enum status st = survey(self, db, &highest, &unused);
	if (st == STATUS_OK && highest > 0)
		st = keyfile_raise(self->file, highest);
	return st == STATUS_OK ? survey(self, db, &highest, lost_out) : st;
}

enum status keyring_rotate(struct keyring *self, const struct conf *conf,
    uint64_t *count_out, uint8_t id_out[static MASTER_ID_BYTES])
{
	struct master *master = NULL;

	enum status st = master_read(&master, conf, self->service);
	if (st == STATUS_OK)
		st = keyfile_rewrap(self->file, master, count_out);
	if (st == STATUS_OK)
		master_id(id_out, master->keys[0], self->service);
	master_destroy(&master);
	return st;
}
