#include "db/lmdb_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/util.h"

static enum status get(
    struct engine *self, MDB_dbi dbi, struct slice key, struct bytes *value_out)
{
	MDB_txn *txn = NULL;
	struct slice value = { 0 };

	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = lmdb_find(txn, dbi, key, &value);
	if (rc == MDB_SUCCESS && value.data &&
	    (value.len == 0 || value.len > DB_VALUE_BYTES_MAX))
		rc = MDB_CORRUPTED;
	enum status st = lmdb_fault("read_failed", rc);
	if (st == STATUS_OK)
		st = value.data ? bytes_copy(value_out, value)
				: STATUS_NOT_FOUND;
	lmdb_read_end(self, txn);
	return st;
}

enum status engine_get(
    struct engine *self, const struct key *key, struct bytes *value_out)
{
	return get(self, self->rows, slice_of(key->data, key->len), value_out);
}

enum status engine_note_get(
    struct engine *self, struct slice key, struct bytes *value_out)
{
	return get(self, self->meta, key, value_out);
}

/* Place the cursor on the first entry of a page. */
static int scan_begin(MDB_cursor *cursor, const struct key *prefix,
    const struct key *after, bool reverse, MDB_val *k, MDB_val *v)
{
	struct slice start = slice_of(prefix->data, prefix->len);
	struct slice resume = { 0 };
	struct key behind = *prefix;
	bool bounded = true;

	if (after)
		resume = slice_of(after->data, after->len);
	if (!reverse) {
		if (after && slice_compare(resume, start) > 0)
			start = resume;
		*k = val_of(start);
		int rc = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
		if (rc == MDB_SUCCESS && after &&
		    slice_equal(slice_from(*k), resume))
			rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
		return rc;
	}
	bounded = key_successor(&behind) == STATUS_OK;
	start = slice_of(behind.data, behind.len);
	if (after && (!bounded || slice_compare(resume, start) < 0)) {
		start = resume;
		bounded = true;
	}
	*k = val_of(start);
	int rc = bounded ? mdb_cursor_get(cursor, k, v, MDB_SET_RANGE)
			 : MDB_NOTFOUND;
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(cursor, k, v, MDB_LAST);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(cursor, k, v, MDB_PREV);
	return rc;
}

enum status engine_scan(struct engine *self, const struct id *account,
    const struct key *prefix, const struct key *after, size_t limit,
    bool reverse, struct db_page *out)
{
	struct slice wanted = slice_of(prefix->data, prefix->len);
	struct account row = { 0 };
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val k = { 0, NULL }, v = { 0, NULL };
	enum status st = page_begin(out, limit);

	if (st != STATUS_OK)
		return st;
	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = account_load(&row, self, txn, account);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, self->rows, &cursor);
	if (rc == MDB_SUCCESS)
		rc = scan_begin(cursor, prefix, after, reverse, &k, &v);
	while (rc == MDB_SUCCESS && has_prefix(k, wanted)) {
		if (out->count == limit ||
		    out->store.len >= DB_PAGE_BYTES_MAX) {
			out->more = true;
			break;
		}
		st = page_add(out,
		    slice_of((uint8_t *)k.mv_data + KEY_HEAD_BYTES,
			k.mv_size - KEY_HEAD_BYTES),
		    slice_from(v));
		if (st == STATUS_MALFORMED)
			rc = MDB_CORRUPTED;
		else if (st != STATUS_OK)
			rc = ENOMEM;
		else
			rc = mdb_cursor_get(
			    cursor, &k, &v, reverse ? MDB_PREV : MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	lmdb_read_end(self, txn);
	st = rc == MDB_NOTFOUND ? STATUS_OK : lmdb_fault("scan_failed", rc);
	if (st != STATUS_OK)
		out->count = 0;
	out->generation = row.generation;
	page_finish(out);
	return st;
}

/* Place the cursor behind ${after}, or on the first entry. */
static int begin_after(
    MDB_cursor *cursor, const struct slice *after, MDB_val *k, MDB_val *v)
{
	if (!after)
		return mdb_cursor_get(cursor, k, v, MDB_FIRST);
	*k = val_of(*after);
	int rc = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
	if (rc == MDB_SUCCESS && slice_equal(slice_from(*k), *after))
		rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
	return rc;
}

enum status engine_accounts(struct engine *self, const struct id *after,
    struct db_account *out, size_t limit, size_t *count_out)
{
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val k = { 0, NULL }, v = { 0, NULL };
	struct account row;
	struct slice resume = { 0 };
	size_t count = 0;

	if (after)
		resume = slice_of(after->bytes, ID_BYTES);
	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, self->accounts, &cursor);
	if (rc == MDB_SUCCESS)
		rc = begin_after(cursor, after ? &resume : NULL, &k, &v);
	while (rc == MDB_SUCCESS && count < limit) {
		rc = MDB_CORRUPTED;
		if (k.mv_size == ID_BYTES)
			rc = account_decode(&row, slice_from(v));
		if (rc != MDB_SUCCESS)
			break;
		memcpy(out[count].id.bytes, k.mv_data, ID_BYTES);
		out[count].generation = row.generation;
		out[count].removed = row.removed;
		count++;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	lmdb_read_end(self, txn);
	*count_out = count;
	return rc == MDB_NOTFOUND ? STATUS_OK : lmdb_fault("scan_failed", rc);
}

enum status engine_account_get(
    struct engine *self, const struct id *account, struct db_account *out)
{
	MDB_txn *txn = NULL;
	struct account row;

	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = account_load(&row, self, txn, account);
	lmdb_read_end(self, txn);
	if (rc != MDB_SUCCESS)
		return lmdb_fault("read_failed", rc);
	if (!row.found)
		return STATUS_NOT_FOUND;
	*out = (struct db_account){ .id = *account,
		.generation = row.generation,
		.removed = row.removed };
	return STATUS_OK;
}

enum status engine_name_get(
    struct engine *self, struct slice key, struct id *account_out)
{
	MDB_txn *txn = NULL;
	struct name name;

	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = name_load(&name, self, txn, key);
	lmdb_read_end(self, txn);
	if (rc != MDB_SUCCESS)
		return lmdb_fault("read_failed", rc);
	if (!name.found || !name.confirmed)
		return STATUS_NOT_FOUND;
	*account_out = name.account;
	return STATUS_OK;
}

static int name_entry(struct db_name *out, MDB_val k, MDB_val v)
{
	const uint8_t *key = k.mv_data;
	struct name row;

	if (k.mv_size < 2 || k.mv_size > NAME_KEY_BYTES)
		return MDB_CORRUPTED;
	int rc = name_decode(&row, slice_from(v));
	if (rc != MDB_SUCCESS)
		return rc;
	out->account = row.account;
	out->confirmed = row.confirmed;
	out->space = key[0];
	out->name_len = k.mv_size - 1;
	memcpy(out->name, key + 1, out->name_len);
	return MDB_SUCCESS;
}

enum status engine_names(struct engine *self, const struct slice *after,
    struct db_name *out, size_t limit, size_t *count_out)
{
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val k = { 0, NULL }, v = { 0, NULL };
	size_t count = 0;

	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, self->names, &cursor);
	if (rc == MDB_SUCCESS)
		rc = begin_after(cursor, after, &k, &v);
	while (rc == MDB_SUCCESS && count < limit) {
		rc = name_entry(&out[count], k, v);
		if (rc != MDB_SUCCESS)
			break;
		count++;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	lmdb_read_end(self, txn);
	*count_out = count;
	return rc == MDB_NOTFOUND ? STATUS_OK : lmdb_fault("scan_failed", rc);
}

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

/*
 * Fetch a blob's pages in one go: read-ahead is off for the map.  False where
 * the disk does not give one of them, which to touch it would be a SIGBUS.
 */
static bool blob_fetch(struct slice blob)
{
	uintptr_t begin = (uintptr_t)blob.data / PAGE_BYTES * PAGE_BYTES;
	size_t len = (uintptr_t)blob.data + blob.len - begin;

	madvise((void *)begin, len, MADV_WILLNEED); /* only advice */
	return madvise((void *)begin, len, MADV_POPULATE_READ) == 0 ||
	       (errno != EFAULT && errno != EHWPOISON);
}

enum status engine_blob_get(struct engine *self, const struct id *account,
    uint64_t sequence, uint8_t **data_out, size_t *len_out)
{
	MDB_txn *txn = NULL;
	uint8_t key[BLOB_KEY_BYTES];
	uint8_t *data = NULL;
	struct slice blob = { 0 };

	blob_key(key, account, sequence);
	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = lmdb_find(
		    txn, self->blobs, slice_of(key, sizeof(key)), &blob);
	if (rc == MDB_SUCCESS && blob.data &&
	    (blob.len == 0 || blob.len > BLOB_BYTES_MAX))
		rc = MDB_CORRUPTED;
	enum status st = lmdb_fault("read_failed", rc);
	if (st == STATUS_OK && !blob.data)
		st = STATUS_NOT_FOUND;
	if (st == STATUS_OK && !blob_fetch(blob)) {
		log_error(NULL, "disk_unreadable", "bytes=%zu", blob.len);
		st = STATUS_MALFORMED;
	}
	if (st == STATUS_OK) {
		data = malloc(blob.len);
		if (!data)
			st = STATUS_NO_SPACE;
	}
	if (st == STATUS_OK) {
		memcpy(data, blob.data, blob.len);
		*data_out = data;
		*len_out = blob.len;
	}
	lmdb_read_end(self, txn);
	return st;
}

static int blob_entry(struct db_blob *out, MDB_val k, MDB_val v)
{
	if (k.mv_size != BLOB_KEY_BYTES)
		return MDB_CORRUPTED;
	out->sequence = get_be64((const uint8_t *)k.mv_data + ID_BYTES);
	out->len = v.mv_size;
	return MDB_SUCCESS;
}

enum status engine_blob_scan(struct engine *self, const struct id *account,
    uint64_t from, struct db_blob *out, size_t limit, size_t *count_out)
{
	struct slice prefix = slice_of(account->bytes, ID_BYTES);
	uint8_t key[BLOB_KEY_BYTES];
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val k = { 0, NULL }, v = { 0, NULL };
	size_t count = 0;

	blob_key(key, account, from);
	k = val_of(slice_of(key, sizeof(key)));
	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, self->blobs, &cursor);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (rc == MDB_SUCCESS && count < limit && has_prefix(k, prefix)) {
		rc = blob_entry(&out[count], k, v);
		if (rc != MDB_SUCCESS)
			break;
		count++;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	lmdb_read_end(self, txn);
	*count_out = count;
	return rc == MDB_NOTFOUND ? STATUS_OK : lmdb_fault("scan_failed", rc);
}

enum status engine_blob_last(
    struct engine *self, const struct id *account, struct db_blob *out)
{
	struct slice prefix = slice_of(account->bytes, ID_BYTES);
	struct key all = { .len = ID_BYTES };
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val k = { 0, NULL }, v = { 0, NULL };

	memcpy(all.data, account->bytes, ID_BYTES);
	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_open(txn, self->blobs, &cursor);
	if (rc == MDB_SUCCESS)
		rc = scan_begin(cursor, &all, NULL, true, &k, &v);
	if (rc == MDB_SUCCESS && !has_prefix(k, prefix))
		rc = MDB_NOTFOUND;
	if (rc == MDB_SUCCESS)
		rc = blob_entry(out, k, v);
	mdb_cursor_close(cursor);
	lmdb_read_end(self, txn);
	return lmdb_fault("scan_failed", rc);
}

/* Pages on LMDB's list of free ones: its database 0, arrays of numbers. */
static int count_free_pages(MDB_txn *txn, uint64_t *pages)
{
	MDB_cursor *cursor = NULL;
	MDB_val k = { 0, NULL }, v = { 0, NULL };
	size_t count;

	int rc = mdb_cursor_open(txn, 0, &cursor);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (rc == MDB_SUCCESS) {
		memcpy(&count, v.mv_data, sizeof(count));
		*pages += count;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static int count_entries(MDB_txn *txn, MDB_dbi dbi, uint64_t *entries)
{
	MDB_stat stat_out;
	int rc = mdb_stat(txn, dbi, &stat_out);

	if (rc == MDB_SUCCESS)
		*entries = stat_out.ms_entries;
	return rc;
}

/* What the disk has, and the file within it, without what is held back. */
static uint64_t room_of(struct engine *self, const struct db_stats *stats)
{
	uint64_t cap = self->map_bytes_cap, used = stats->used_bytes;
	uint64_t room = cap > used ? cap - used : 0;
	struct statvfs disk;
	mdb_filehandle_t fd;

	if (mdb_env_get_fd(self->env, &fd) == MDB_SUCCESS &&
	    fstatvfs(fd, &disk) == 0)
		room = min_of(room, (uint64_t)disk.f_bavail * disk.f_frsize +
					stats->free_bytes);
	return room;
}

enum db_state engine_state(const struct engine *self)
{
	if (atomic_load(&self->broken))
		return DB_STOPPED;
	return atomic_load(&self->full) ? DB_FULL : DB_WRITES;
}

uint64_t engine_times_full(const struct engine *self)
{
	return atomic_load(&self->times_full);
}

enum status engine_stats(struct engine *self, struct db_stats *out)
{
	MDB_txn *txn = NULL;
	MDB_envinfo info;
	MDB_stat stat_out;
	uint64_t free_pages = 0;

	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_info(self->env, &info);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_stat(self->env, &stat_out);
	if (rc == MDB_SUCCESS)
		rc = count_free_pages(txn, &free_pages);
	if (rc == MDB_SUCCESS)
		rc = count_entries(txn, self->rows, &out->rows);
	if (rc == MDB_SUCCESS)
		rc = count_entries(txn, self->blobs, &out->blobs);
	if (rc == MDB_SUCCESS)
		rc = count_entries(txn, self->names, &out->names);
	if (rc == MDB_SUCCESS)
		rc = count_entries(txn, self->accounts, &out->accounts);
	if (rc == MDB_SUCCESS)
		rc = wall_load(self, txn, &out->wall_ms_stored);
	if (rc == MDB_SUCCESS) {
		uint64_t page = stat_out.ms_psize;
		out->map_bytes = self->map_bytes;
		out->map_bytes_max = self->map_bytes_max;
		out->free_bytes = free_pages * page;
		out->used_bytes =
		    (info.me_last_pgno + 1) * page - out->free_bytes;
		out->room_bytes = room_of(self, out);
		out->commits = atomic_load(&self->commits);
		out->batches = atomic_load(&self->batches);
		out->bytes_synced = atomic_load(&self->bytes_synced);
	}
	lmdb_read_end(self, txn);
	return lmdb_fault("stats_failed", rc);
}
