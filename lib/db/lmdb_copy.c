#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "db/lmdb_engine.h"

/*
 * A hot copy.  mdb_env_copy2 reads the map for as long as it takes, and the
 * map could not grow meanwhile: writers would wait, and readers behind them.
 * So the copy is made of short pieces within one read transaction.  That one
 * keeps its pages from being used again, however the map moves; what points
 * into the map, a cursor, lives for a piece only.
 */

#define PIECE_BYTES  (1024u * 1024)      /* read with the map held */
#define COMMIT_BYTES (16u * 1024 * 1024) /* written in a transaction */

struct copying {
	struct engine *from;
	MDB_txn *reading; /* open all the time */
	MDB_env *to;
	MDB_txn *writing;
	uint64_t uncommitted;
	struct db_copy_progress *progress;
	struct db_copied *out;
};

static int commit(struct copying *self)
{
	int rc = mdb_txn_commit(self->writing);

	self->writing = NULL;
	self->uncommitted = 0;
	return rc == MDB_SUCCESS
		   ? mdb_txn_begin(self->to, NULL, 0, &self->writing)
		   : rc;
}

/* One piece of a table: what comes behind ${last}, whose bytes are copied. */
static int copy_piece(struct copying *self, MDB_dbi from, MDB_dbi to,
    struct bytes *last, bool *more_out)
{
	MDB_cursor *cursor = NULL;
	MDB_val key = { last->len, last->data }, value, read = { 0, NULL };
	uint64_t bytes = 0;
	bool first = !last->data;

	*more_out = true;
	int rc = mdb_cursor_open(self->reading, from, &cursor);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(
		    cursor, &key, &value, first ? MDB_FIRST : MDB_SET_KEY);
	if (rc == MDB_SUCCESS && !first)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	while (rc == MDB_SUCCESS) {
		rc = mdb_put(self->writing, to, &key, &value, MDB_APPEND);
		if (rc != MDB_SUCCESS)
			break;
		bytes += key.mv_size + value.mv_size;
		read = key;
		if (bytes >= PIECE_BYTES)
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	if (rc == MDB_NOTFOUND) {
		*more_out = false;
		rc = MDB_SUCCESS;
	}
	if (rc == MDB_SUCCESS && *more_out &&
	    bytes_copy(last, slice_from(read)) != STATUS_OK)
		rc = ENOMEM;
	if (cursor)
		mdb_cursor_close(cursor);
	self->uncommitted += bytes;
	self->out->bytes += bytes;
	atomic_store(&self->progress->bytes, self->out->bytes);
	return rc;
}

static int copy_table(struct copying *self, MDB_dbi from, const char *name)
{
	struct engine *engine = self->from;
	struct bytes last = { 0 };
	MDB_dbi to;
	bool more = true;

	int rc = mdb_dbi_open(self->writing, name, MDB_CREATE, &to);
	while (rc == MDB_SUCCESS && more) {
		if (atomic_load(&self->progress->stop)) {
			rc = ECANCELED;
			break;
		}
		pthread_rwlock_rdlock(&engine->map_lock);
		rc = engine->map_lost
			 ? EIO
			 : copy_piece(self, from, to, &last, &more);
		pthread_rwlock_unlock(&engine->map_lock);
		if (rc == MDB_SUCCESS && self->uncommitted >= COMMIT_BYTES)
			rc = commit(self);
	}
	bytes_clear(&last);
	return rc;
}

static int copy_all(struct copying *self)
{
	const struct engine *engine = self->from;
	const struct {
		const char *name;
		MDB_dbi dbi;
		uint64_t *count;
	} tables[] = {
		{ "rows", engine->rows, &self->out->rows },
		{ "blobs", engine->blobs, &self->out->blobs },
		{ "names", engine->names, &self->out->names },
		{ "accounts", engine->accounts, &self->out->accounts },
		{ "meta", engine->meta, NULL },
	};
	MDB_stat counts;
	int rc = mdb_txn_begin(self->to, NULL, 0, &self->writing);

	for (size_t i = 0; i < nitems(tables) && rc == MDB_SUCCESS; i++) {
		rc = copy_table(self, tables[i].dbi, tables[i].name);
		if (rc != MDB_SUCCESS || !tables[i].count)
			continue;
		MDB_dbi copied;
		rc = mdb_dbi_open(self->writing, tables[i].name, 0, &copied);
		if (rc == MDB_SUCCESS)
			rc = mdb_stat(self->writing, copied, &counts);
		if (rc == MDB_SUCCESS)
			*tables[i].count = counts.ms_entries;
	}
	if (rc == MDB_SUCCESS) {
		rc = mdb_txn_commit(self->writing);
		self->writing = NULL;
	}
	return rc == MDB_SUCCESS ? mdb_env_sync(self->to, 1) : rc;
}

static int open_copy(struct copying *self, const char *path)
{
	/* It is no larger than what it is made from, but for a few pages. */
	uint64_t map_bytes = self->from->map_bytes + COMMIT_BYTES;

	int rc = mdb_env_create(&self->to);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxdbs(self->to, 5);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(self->to, map_bytes);
	/* It has no name yet that anybody relies on: one sync at the end. */
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(self->to, path,
		    MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	return rc;
}

enum status engine_copy(struct engine *self, const char *path,
    struct db_copy_progress *progress, struct db_copied *out)
{
	struct copying copying = {
		.from = self,
		.progress = progress,
		.out = out,
	};

	*out = (struct db_copied){ .format = self->format };
	unlink(path);
	pthread_rwlock_rdlock(&self->map_lock);
	int rc = self->map_lost ? EIO
				: mdb_txn_begin(self->env, NULL, MDB_RDONLY,
				      &copying.reading);
	atomic_fetch_add(&self->copies, 1); /* so it is not closed */
	if (rc == MDB_SUCCESS)
		rc = wall_load(self, copying.reading, &out->point_ms);
	if (rc == MDB_SUCCESS) {
		out->transaction = mdb_txn_id(copying.reading);
		rc = open_copy(&copying, path);
	}
	pthread_rwlock_unlock(&self->map_lock);
	if (rc == MDB_SUCCESS)
		rc = copy_all(&copying);
	mdb_txn_abort(copying.writing);
	mdb_txn_abort(copying.reading);
	atomic_fetch_sub(&self->copies, 1);
	if (copying.to)
		mdb_env_close(copying.to);
	if (rc != MDB_SUCCESS)
		unlink(path);
	return rc == ECANCELED ? STATUS_UNAVAILABLE
			       : lmdb_fault("database_copy_failed", rc);
}
