#include "notify_rows.h"

#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/sealed_row.h"

void put_notice_key(
    uint8_t out[static NOTICE_KEY_BYTES], const struct notice_key *key)
{
	put_be64(out, key->stored_ms);
	memcpy(out + 8, key->id.bytes, ID_BYTES);
}

void get_notice_key(struct notice_key *out, const uint8_t *at)
{
	out->stored_ms = get_be64(at);
	memcpy(out->id.bytes, at + 8, ID_BYTES);
}

enum status check_row(const char *table, struct slice key, size_t key_bytes,
    struct slice value, size_t value_bytes_min, size_t value_bytes_max)
{
	enum status st = STATUS_OK;

	if (value.len > 0 && value.data[0] > ROW_VERSION)
		st = STATUS_VERSION;
	else if (key.len != key_bytes || value.len < value_bytes_min ||
		 value.len > value_bytes_max || value.data[0] != ROW_VERSION)
		st = STATUS_MALFORMED;
	if (st != STATUS_OK)
		log_error(NULL, "row_unusable", "table=%s status=%s", table,
		    status_word(st));
	return st;
}

void row_put(struct notify_db *self, struct db_batch *batch,
    const struct id *account, enum table table, struct slice key,
    struct slice value)
{
	sealed_row_put(self->keyring, self->db, batch, account, (uint8_t)table,
	    key, value);
}

enum status row_get(struct notify_db *self, const struct id *account,
    enum table table, struct slice key, struct bytes *value_out)
{
	return sealed_row_get(
	    self->keyring, self->db, account, (uint8_t)table, key, value_out);
}

enum status row_open(struct notify_db *self, const struct id *account,
    enum table table, const struct db_entry *entry, struct bytes *value_out)
{
	return sealed_row_open(self->keyring, self->db, account, (uint8_t)table,
	    entry->key, entry->value, value_out);
}

enum status notify_db_migrate(struct notify_db *self)
{
	static const enum table tables[] = { TABLE_TOLD, TABLE_ARRIVED,
		TABLE_NOTICES, TABLE_DELIVERIES, TABLE_LETTERS, TABLE_LEASES };
	enum status st = STATUS_OK;

	/* What was the value in clear is what is sealed. */
	for (size_t i = 0; i < nitems(tables) && st == STATUS_OK; i++)
		st = sealed_rows_migrate(
		    self->keyring, self->db, (uint8_t)tables[i], 0);
	return st;
}
