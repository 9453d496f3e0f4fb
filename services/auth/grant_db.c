#include "grant_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define TABLE_GRANTS 4

/* Layout; numbers are big-endian. */
#define GRANT_VERSION       1
#define GRANT_AT_DIRECTIONS 1
#define GRANT_AT_KEY        5
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
	if (value.len != GRANT_BYTES || value.data[0] != GRANT_VERSION)
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

static enum status damaged(size_t len)
{
	log_error(NULL, "row_damaged", "table=%u len=%zu", TABLE_GRANTS, len);
	return STATUS_INTERNAL;
}

enum status grant_db_get(struct db *db, const struct id *account,
    const struct id *terminal, struct grant *out)
{
	struct bytes value = { 0 };

	enum status st =
	    db_get(db, account, TABLE_GRANTS, key_of(terminal), &value);
	if (st == STATUS_OK)
		st = grant_parse(out, terminal, bytes_slice(&value));
	if (st == STATUS_MALFORMED)
		st = damaged(value.len);
	bytes_clear(&value);
	return st;
}

enum status grant_db_watch(struct db *db, const struct id *account,
    const struct id *terminal, struct grant *out, uint64_t *generation_out)
{
	struct db_account found;

	enum status st = db_account_get(db, account, &found);
	if (st != STATUS_OK)
		return st;
	*generation_out = found.generation;
	return grant_db_get(db, account, terminal, out);
}

/* Read the rows of a page to ${list}, which has room for them. */
static enum status page_parse(struct grant *list, const struct db_page *page)
{
	struct id terminal;

	for (size_t i = 0; i < page->count; i++) {
		const struct db_entry *entry = &page->entries[i];
		if (id_from(&terminal, entry->key) != STATUS_OK ||
		    grant_parse(&list[i], &terminal, entry->value) != STATUS_OK)
			return damaged(entry->value.len);
	}
	return STATUS_OK;
}

enum status grant_db_list(struct db *db, const struct id *account,
    struct grant **list_out, size_t *count_out)
{
	const struct slice all = { 0 };
	struct db_page page = { 0 };
	struct grant *list = NULL;

	enum status st = db_scan(
	    db, account, TABLE_GRANTS, all, all, GRANTS_MAX, false, &page);
	if (st == STATUS_OK && page.count > 0) {
		list = calloc(page.count, sizeof(*list));
		st = list ? page_parse(list, &page) : STATUS_NO_SPACE;
	}
	if (st == STATUS_OK) {
		*list_out = list;
		*count_out = page.count;
	} else {
		free(list);
	}
	db_page_clear(&page);
	return st;
}

void grant_db_put(struct db_batch *batch, const struct grant *grant)
{
	uint8_t value[GRANT_BYTES] = { GRANT_VERSION };

	put_be32(value + GRANT_AT_DIRECTIONS, grant->directions);
	memcpy(value + GRANT_AT_KEY, grant->key, sizeof(grant->key));
	put_be64(value + GRANT_AT_GIVEN, grant->given_ms);
	put_be64(value + GRANT_AT_USED, grant->used_ms);
	db_batch_put(batch, TABLE_GRANTS, key_of(&grant->terminal),
	    slice_of(value, sizeof(value)));
}

void grant_db_require(struct db_batch *batch, const struct id *terminal)
{
	db_batch_require(batch, TABLE_GRANTS, key_of(terminal));
}

void grant_db_delete(struct db_batch *batch, const struct id *terminal)
{
	db_batch_delete(batch, TABLE_GRANTS, key_of(terminal));
}
