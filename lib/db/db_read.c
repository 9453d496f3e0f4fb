#include "base/util.h"
#include "db/db.h"
#include "db/engine.h"

/*
 * What goes straight to the engine, on whatever thread, and does not wait
 * for the writer.
 */

enum status db_note_get(
    struct db *self, const char *name, struct bytes *value_out)
{
	char key[NOTE_KEY_BYTES];

	note_key(key, name);
	return engine_note_get(db_engine(self), slice_text(key), value_out);
}

static size_t bounded_limit(size_t limit)
{
	return limit == 0 || limit > DB_PAGE_ENTRIES_MAX ? DB_PAGE_ENTRIES_MAX
							 : limit;
}

enum status db_get(struct db *self, const struct id *account, uint8_t table,
    struct slice key, struct bytes *value_out)
{
	struct key row;
	enum status st = key_encode(&row, account, table, key);

	return st == STATUS_OK ? engine_get(db_engine(self), &row, value_out)
			       : st;
}

enum status db_scan(struct db *self, const struct id *account, uint8_t table,
    struct slice prefix, struct slice after, size_t limit, bool reverse,
    struct db_page *out)
{
	struct key first, resume;
	enum status st = key_encode(&first, account, table, prefix);

	if (st == STATUS_OK && after.data)
		st = key_encode(&resume, account, table, after);
	if (st != STATUS_OK)
		return st;
	return engine_scan(db_engine(self), account, &first,
	    after.data ? &resume : NULL, bounded_limit(limit), reverse, out);
}

enum status db_accounts(struct db *self, const struct id *after,
    struct db_account *out, size_t limit, size_t *count_out)
{
	return engine_accounts(db_engine(self), after, out,
	    min_of(limit, DB_ACCOUNTS_MAX), count_out);
}

enum status db_account_get(
    struct db *self, const struct id *account, struct db_account *out)
{
	return engine_account_get(db_engine(self), account, out);
}

enum status db_name_get(
    struct db *self, uint8_t space, struct slice name, struct id *account_out)
{
	uint8_t key[NAME_KEY_BYTES];
	size_t len = name_key(key, space, name);

	if (len == 0)
		return STATUS_TOO_LARGE;
	return engine_name_get(
	    db_engine(self), slice_of(key, len), account_out);
}

enum status db_names(struct db *self, const struct db_name *after,
    struct db_name *out, size_t limit, size_t *count_out)
{
	uint8_t key[NAME_KEY_BYTES];
	struct slice resume = { 0 };

	if (after)
		resume =
		    slice_of(key, name_key(key, after->space,
				      slice_of(after->name, after->name_len)));
	return engine_names(db_engine(self), after ? &resume : NULL, out,
	    min_of(limit, DB_ACCOUNTS_MAX), count_out);
}

enum status db_blob_get(struct db *self, const struct id *account,
    uint64_t sequence, struct bytes *out)
{
	struct bytes blob = { 0 };
	enum status st = engine_blob_get(
	    db_engine(self), account, sequence, &blob.data, &blob.len);

	if (st != STATUS_OK)
		return st;
	bytes_clear(out);
	*out = blob;
	out->capacity = blob.len;
	return STATUS_OK;
}

enum status db_blob_scan(struct db *self, const struct id *account,
    uint64_t from, struct db_blob *out, size_t limit, size_t *count_out)
{
	return engine_blob_scan(db_engine(self), account, from, out,
	    min_of(limit, DB_PAGE_ENTRIES_MAX), count_out);
}

enum status db_blob_last(
    struct db *self, const struct id *account, struct db_blob *out)
{
	return engine_blob_last(db_engine(self), account, out);
}

enum db_state db_state(const struct db *self)
{
	return engine_state(db_engine(self));
}

uint64_t db_times_full(const struct db *self)
{
	return engine_times_full(db_engine(self));
}

enum status db_copy(struct db *self, const char *path,
    struct db_copy_progress *progress, struct db_copied *out)
{
	return engine_copy(db_engine(self), path, progress, out);
}
