#include "grant_db.h"

#include <stdlib.h>
#include <string.h>

#include "auth_db.h"
#include "base/log.h"

#define TABLE_GRANTS AUTH_TABLE_GRANTS

/* What is sealed; numbers are big-endian. */
#define GRANT_AT_DIRECTIONS 0
#define GRANT_AT_KEY        4
#define GRANT_AT_GIVEN      (GRANT_AT_KEY + GRANT_PUBLIC_BYTES)
#define GRANT_AT_USED       (GRANT_AT_GIVEN + 8)
#define GRANT_BYTES         (GRANT_AT_USED + 8)

static struct slice key_of(const struct id *terminal)
{
	return slice_of(terminal->bytes, ID_BYTES);
}

/* A row that gives more than can be given is damaged, too. */
static enum status grant_parse(
    struct grant *out, const struct id *terminal, struct slice value)
{
	if (value.len != GRANT_BYTES)
		return STATUS_MALFORMED;
	*out = (struct grant){
		.terminal = *terminal,
		.directions = get_be32(value.data + GRANT_AT_DIRECTIONS),
		.given_ms = get_be64(value.data + GRANT_AT_GIVEN),
		.used_ms = get_be64(value.data + GRANT_AT_USED),
	};
	memcpy(out->key, value.data + GRANT_AT_KEY, sizeof(out->key));
	if (out->directions == 0 || (out->directions & ~GRANT_DIRECTIONS))
		return STATUS_MALFORMED;
	return STATUS_OK;
}

/* Errors of a row as they are told: what seals it has logged its own. */
static enum status row_status(enum status st)
{
	switch (st) {
	case STATUS_MALFORMED:
	case STATUS_VERSION:
		return STATUS_INTERNAL;
	case STATUS_EXPIRED: /* the account was deleted, and all it had */
		return STATUS_NOT_FOUND;
	default:
		return st;
	}
}

static enum status read_row(
    struct grant *out, struct slice key, struct slice plain)
{
	struct id terminal;
	enum status st = id_from(&terminal, key);

	if (st == STATUS_OK)
		st = grant_parse(out, &terminal, plain);
	if (st != STATUS_OK)
		log_error(NULL, "row_damaged", "table=%u len=%zu", TABLE_GRANTS,
		    plain.len);
	return st;
}

enum status grant_db_get(struct keyring *keyring, struct db *db,
    const struct id *account, const struct id *terminal, struct grant *out)
{
	struct bytes plain = { 0 };

	enum status st = sealed_row_get(
	    keyring, db, account, TABLE_GRANTS, key_of(terminal), &plain);
	if (st == STATUS_OK)
		st = read_row(out, key_of(terminal), bytes_slice(&plain));
	bytes_clear(&plain);
	return row_status(st);
}

enum status grant_db_watch(struct keyring *keyring, struct db *db,
    const struct id *account, const struct id *terminal, struct grant *out,
    uint64_t *generation_out)
{
	struct db_account found;

	enum status st = db_account_get(db, account, &found);
	if (st != STATUS_OK)
		return st;
	*generation_out = found.generation;
	return grant_db_get(keyring, db, account, terminal, out);
}

static enum status open_entry(struct keyring *keyring, struct db *db,
    const struct id *account, const struct db_entry *entry, struct grant *out)
{
	struct bytes plain = { 0 };

	enum status st = sealed_row_open(keyring, db, account, TABLE_GRANTS,
	    entry->key, entry->value, &plain);
	if (st == STATUS_OK)
		st = read_row(out, entry->key, bytes_slice(&plain));
	bytes_clear(&plain);
	return st;
}

enum status grant_db_list(struct keyring *keyring, struct db *db,
    const struct id *account, struct grant **list_out, size_t *count_out)
{
	const struct slice all = { 0 };
	struct db_page page = { 0 };
	struct grant *list = NULL;

	enum status st = db_scan(
	    db, account, TABLE_GRANTS, all, all, GRANTS_MAX, false, &page);
	if (st == STATUS_OK && page.count > 0) {
		list = calloc(page.count, sizeof(*list));
		st = list ? STATUS_OK : STATUS_NO_SPACE;
	}
	for (size_t i = 0; st == STATUS_OK && i < page.count; i++)
		st = open_entry(
		    keyring, db, account, &page.entries[i], &list[i]);
	if (st == STATUS_OK) {
		*list_out = list;
		*count_out = page.count;
	} else {
		free(list);
	}
	db_page_clear(&page);
	return row_status(st);
}

static void grant_format(
    uint8_t out[static GRANT_BYTES], const struct grant *grant)
{
	put_be32(out + GRANT_AT_DIRECTIONS, grant->directions);
	memcpy(out + GRANT_AT_KEY, grant->key, sizeof(grant->key));
	put_be64(out + GRANT_AT_GIVEN, grant->given_ms);
	put_be64(out + GRANT_AT_USED, grant->used_ms);
}

void grant_db_put(struct keyring *keyring, struct db *db,
    struct db_batch *batch, const struct id *account, const struct grant *grant)
{
	uint8_t plain[GRANT_BYTES];

	grant_format(plain, grant);
	sealed_row_put(keyring, db, batch, account, TABLE_GRANTS,
	    key_of(&grant->terminal), slice_of(plain, sizeof(plain)));
}

void grant_db_require(struct db_batch *batch, const struct id *terminal)
{
	db_batch_require(batch, TABLE_GRANTS, key_of(terminal));
}

void grant_db_delete(struct db_batch *batch, const struct id *terminal)
{
	db_batch_delete(batch, TABLE_GRANTS, key_of(terminal));
}
