#include "db/lmdb_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

#define GROUP_AGAIN (-1) /* no code of LMDB's, no errno */

/* More than a commit writes beside the batches: pages on the way, lists */
#define PAGES_AN_OP      4
#define DISK_SLACK_BYTES (1024 * 1024)

static bool disk_refused(int rc)
{
	return rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

static int delete_if_there(MDB_txn *txn, MDB_dbi dbi, struct slice key)
{
	MDB_val k = val_of(key);
	int rc = mdb_del(txn, dbi, &k, NULL);

	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* Twice the map, up to ${cap}; false when it is as large already. */
static bool map_grow(struct engine *self, uint64_t cap)
{
	if (self->map_bytes >= cap)
		return false;
	uint64_t bytes = min_of(self->map_bytes * 2, cap);
	if (!map_set(self, bytes))
		return false;
	log_info(NULL, "map_grown", "bytes=%llu", (unsigned long long)bytes);
	return true;
}

/* What one attempt at a group carries around. */
struct attempt {
	const struct engine *engine;
	MDB_txn *txn;
	uint64_t now_ms;
	bool full; /* only what frees space goes through */
	bool changed;
};

static enum status name_verdict(const struct op *op, const struct name *name,
    const struct id *account, uint64_t now_ms)
{
	bool ours = name->found && id_equal(&name->account, account);
	bool held = name->confirmed || name->expires_ms > now_ms;

	if (ours)
		return STATUS_OK;
	switch (op->kind) {
	case OP_CLAIM:
		return name->found && held ? STATUS_CONFLICT : STATUS_OK;
	case OP_CONFIRM:
		return name->found ? STATUS_CONFLICT : STATUS_NOT_FOUND;
	default:
		return name->found ? STATUS_CONFLICT : STATUS_OK;
	}
}

/* Rows or blobs of an account, counted no further than past the bound. */
static int count_some(
    MDB_txn *txn, MDB_dbi dbi, const struct id *account, size_t *count)
{
	struct slice prefix = slice_of(account->bytes, ID_BYTES);
	MDB_cursor *cursor = NULL;
	MDB_val k = val_of(prefix);

	int rc = mdb_cursor_open(txn, dbi, &cursor);
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(cursor, &k, NULL, MDB_SET_RANGE);
	while (rc == MDB_SUCCESS && has_prefix(k, prefix) &&
	       *count <= DB_BATCH_OPS_MAX) {
		++*count;
		rc = mdb_cursor_get(cursor, &k, NULL, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static int delete_all(MDB_txn *txn, MDB_dbi dbi, const struct id *account)
{
	struct slice prefix = slice_of(account->bytes, ID_BYTES);
	MDB_cursor *cursor = NULL;
	int rc = mdb_cursor_open(txn, dbi, &cursor);

	while (rc == MDB_SUCCESS) {
		MDB_val k = val_of(prefix);
		rc = mdb_cursor_get(cursor, &k, NULL, MDB_SET_RANGE);
		if (rc == MDB_SUCCESS && !has_prefix(k, prefix))
			rc = MDB_NOTFOUND;
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_del(cursor, 0);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* The verdict on one operation, against the rows without its batch. */
static int op_check(const struct attempt *attempt, const struct op *op,
    const struct id *account, enum status *verdict)
{
	const struct engine *self = attempt->engine;
	MDB_txn *txn = attempt->txn;
	struct slice found;
	struct name name;
	size_t count = 0;
	int rc = MDB_SUCCESS;

	*verdict = STATUS_OK;
	switch (op->kind) {
	case OP_REQUIRE:
		rc = lmdb_find(txn, self->rows, op_key(op), &found);
		if (!found.data)
			*verdict = STATUS_NOT_FOUND;
		break;
	case OP_FORBID:
		rc = lmdb_find(txn, self->rows, op_key(op), &found);
		if (found.data)
			*verdict = STATUS_CONFLICT;
		break;
	case OP_EXPECT:
		rc = lmdb_find(txn, self->rows, op_key(op), &found);
		if (!found.data || !slice_equal(found, op_value(op)))
			*verdict = STATUS_CONFLICT;
		break;
	case OP_AGREE:
		rc = lmdb_find(txn, self->rows, op_key(op), &found);
		if (found.data && !slice_equal(found, op_value(op)))
			*verdict = STATUS_CONFLICT;
		break;
	case OP_BLOB_PUT:
		rc = lmdb_find(txn, self->blobs, op_key(op), &found);
		if (found.data)
			*verdict = STATUS_CONFLICT;
		break;
	case OP_CLAIM:
	case OP_CONFIRM:
	case OP_RELEASE:
		rc = name_load(&name, self, txn, op_key(op));
		*verdict = name_verdict(op, &name, account, attempt->now_ms);
		break;
	case OP_REMOVE_ACCOUNT:
		rc = count_some(txn, self->rows, account, &count);
		if (rc == MDB_SUCCESS)
			rc = count_some(txn, self->blobs, account, &count);
		if (count > DB_BATCH_OPS_MAX)
			*verdict = STATUS_TOO_LARGE;
		break;
	case OP_PUT:
	case OP_DELETE:
	case OP_BLOB_DELETE:
	case OP_UNCLAIM: /* what is not its own it leaves alone */
	case OP_NOTE:
		break;
	}
	return rc;
}

static int blob_apply(const struct attempt *attempt, const struct op *op)
{
	MDB_val k = val_of(op_key(op)), v = { op->blob_len, NULL };

	/* Copied once, straight into the page that is written. */
	int rc = mdb_put(attempt->txn, attempt->engine->blobs, &k, &v,
	    MDB_NOOVERWRITE | MDB_RESERVE);
	if (rc == MDB_SUCCESS)
		memcpy(v.mv_data, op->blob, op->blob_len);
	return rc;
}

static int name_apply(const struct attempt *attempt, const struct op *op,
    const struct id *account)
{
	struct name name;
	uint64_t now = attempt->now_ms;

	if (op->kind == OP_RELEASE)
		return delete_if_there(
		    attempt->txn, attempt->engine->names, op_key(op));
	int rc = name_load(&name, attempt->engine, attempt->txn, op_key(op));
	if (rc != MDB_SUCCESS)
		return rc;
	bool ours = name.found && id_equal(&name.account, account);
	if (op->kind == OP_UNCLAIM)
		return ours && !name.confirmed
			   ? delete_if_there(attempt->txn,
				 attempt->engine->names, op_key(op))
			   : MDB_SUCCESS;
	if (name.confirmed && ours)
		return MDB_SUCCESS;
	name.account = *account;
	name.confirmed = op->kind == OP_CONFIRM;
	name.expires_ms = op->kind == OP_CONFIRM
			      ? 0
			      : now + min_of(op->lease_ms, UINT64_MAX - now);
	return name_store(&name, attempt->engine, attempt->txn, op_key(op));
}

static int op_apply(const struct attempt *attempt, const struct op *op,
    const struct id *account)
{
	const struct engine *self = attempt->engine;
	MDB_txn *txn = attempt->txn;

	switch (op->kind) {
	case OP_PUT:
		return lmdb_put(txn, self->rows, op_key(op), op_value(op));
	case OP_DELETE:
		return delete_if_there(txn, self->rows, op_key(op));
	case OP_BLOB_PUT:
		return blob_apply(attempt, op);
	case OP_BLOB_DELETE:
		return delete_if_there(txn, self->blobs, op_key(op));
	case OP_CLAIM:
	case OP_UNCLAIM:
	case OP_CONFIRM:
	case OP_RELEASE:
		return name_apply(attempt, op, account);
	case OP_NOTE:
		return lmdb_put(txn, self->meta, op_key(op), op_value(op));
	case OP_REQUIRE:
	case OP_FORBID:
	case OP_EXPECT:
	case OP_AGREE:
	case OP_REMOVE_ACCOUNT: /* when all the rest is done */
		break;
	}
	return MDB_SUCCESS;
}

/*
 * Decide whether the batch may go through: batch->status and failed_op are
 * set, nothing is changed.
 */
static int batch_check(const struct attempt *attempt, struct db_batch *batch,
    const struct account *account)
{
	size_t index = 0;
	int rc;

	batch->status = STATUS_CONFLICT;
	if (account->removed)
		return MDB_SUCCESS;
	if (batch->expected != DB_GENERATION_ANY &&
	    batch->expected != account->generation)
		return MDB_SUCCESS;
	batch->status = STATUS_OK;
	for (const struct op *op = batch_next(batch, NULL); op;
	     op = batch_next(batch, op), index++) {
		rc = op_check(attempt, op, &batch->account, &batch->status);
		if (rc == MDB_SUCCESS && batch->status == STATUS_OK)
			continue;
		batch->failed_op = index;
		return rc;
	}
	if (attempt->full && batch->writes && !batch->frees)
		batch->status = STATUS_NO_SPACE;
	return MDB_SUCCESS;
}

static int batch_apply(const struct attempt *attempt, struct db_batch *batch,
    struct account *account)
{
	const struct engine *self = attempt->engine;
	MDB_txn *txn = attempt->txn;
	size_t index = 0;
	int rc = MDB_SUCCESS;

	for (const struct op *op = batch_next(batch, NULL); op;
	     op = batch_next(batch, op), index++) {
		rc = op_apply(attempt, op, &batch->account);
		if (rc != MDB_SUCCESS) {
			batch->failed_op = index;
			return rc;
		}
		if (op->kind == OP_REMOVE_ACCOUNT)
			account->removed = true;
	}
	if (batch->apart)
		return MDB_SUCCESS;
	if (account->removed) {
		rc = delete_all(txn, self->rows, &batch->account);
		if (rc == MDB_SUCCESS)
			rc = delete_all(txn, self->blobs, &batch->account);
	}
	account->generation++;
	account->last_batch = batch->id;
	batch->generation = account->generation;
	if (rc == MDB_SUCCESS)
		rc = account_store(account, self, txn, &batch->account);
	return rc;
}

/* Check and apply one batch; GROUP_AGAIN where it spoilt the transaction. */
static int batch_run(struct attempt *attempt, struct db_batch *batch)
{
	struct account account;
	int rc = account_load(
	    &account, attempt->engine, attempt->txn, &batch->account);

	batch->status = STATUS_OK;
	batch->failed_op = DB_OP_NONE;
	batch->generation = 0;
	if (rc == MDB_SUCCESS) {
		batch->generation = account.generation;
		if (account.found && !id_is_none(&batch->id) &&
		    id_equal(&account.last_batch, &batch->id))
			return MDB_SUCCESS; /* done before: OK again */
		rc = batch_check(attempt, batch, &account);
	}
	if (rc == MDB_SUCCESS && batch->status != STATUS_OK)
		return MDB_SUCCESS;
	if (rc == MDB_SUCCESS) {
		attempt->changed = true;
		rc = batch_apply(attempt, batch, &account);
	}
	switch (rc) {
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
		log_error(
		    NULL, "database_damaged", "error=\"%s\"", mdb_strerror(rc));
		break;
	case MDB_KEYEXIST: /* the same blob twice in one batch */
		break;
	default:
		return rc;
	}
	batch->status = lmdb_status(rc);
	batch->settled = true;
	return GROUP_AGAIN;
}

static void count_group(struct engine *self, const struct db_batch *group)
{
	atomic_fetch_add(&self->commits, 1);
	for (; group; group = group->next) {
		if (group->status != STATUS_OK)
			continue;
		atomic_fetch_add(&self->batches, 1);
		atomic_fetch_add(
		    &self->bytes_synced, group->row_bytes + group->blob_bytes);
	}
}

/* One attempt at the whole group in one transaction. */
static int group_try(struct engine *self, struct db_batch *group, bool full)
{
	struct attempt attempt = {
		.engine = self, .now_ms = clock_wall_ms(), .full = full
	};
	int rc = mdb_txn_begin(self->env, NULL, 0, &attempt.txn);

	for (struct db_batch *batch = group; rc == MDB_SUCCESS && batch;
	     batch = batch->next)
		if (!batch->settled)
			rc = batch_run(&attempt, batch);
	if (rc == MDB_SUCCESS && attempt.changed) {
		rc = wall_store(self, attempt.txn, attempt.now_ms);
		if (rc == MDB_SUCCESS) {
			rc = mdb_txn_commit(attempt.txn);
			attempt.txn = NULL;
		}
		if (rc == MDB_SUCCESS)
			count_group(self, group);
	}
	mdb_txn_abort(attempt.txn);
	return rc;
}

static void group_fail(struct db_batch *group, enum status status)
{
	for (struct db_batch *batch = group; batch; batch = batch->next) {
		if (batch->settled)
			continue;
		batch->status = status;
		batch->generation = 0;
		batch->failed_op = DB_OP_NONE;
	}
}

/*
 * LMDB calls a write that was cut short EIO, which a disk that fills up in
 * the middle of it does, and a bad disk too.  So ask for as much as the
 * group can take, and give it back.
 */
static bool disk_is_full(
    const struct engine *self, const struct db_batch *group)
{
	size_t bytes = DISK_SLACK_BYTES;
	struct stat file;
	mdb_filehandle_t fd;

	for (; group; group = group->next)
		bytes += batch_bytes(group) +
			 (group->ops_count + 1) * PAGES_AN_OP * PAGE_BYTES;
	if (mdb_env_get_fd(self->env, &fd) != MDB_SUCCESS ||
	    fstat(fd, &file) != 0)
		return false;
	int rc = posix_fallocate(fd, file.st_size, (off_t)bytes);
	if (ftruncate(fd, file.st_size) != 0)
		log_warning(NULL, "probe_left_behind", "bytes=%zu", bytes);
	return disk_refused(rc);
}

static void log_full(struct engine *self, int rc)
{
	if (!self->full)
		log_error(NULL, "database_full", "map_bytes=%llu error=\"%s\"",
		    (unsigned long long)self->map_bytes, mdb_strerror(rc));
	if (!self->full)
		atomic_fetch_add(&self->times_full, 1);
	self->full = true;
}

void engine_commit(struct engine *self, struct db_batch *group)
{
	bool full = false;
	int rc = GROUP_AGAIN;

	if (self->broken) {
		group_fail(group, STATUS_UNAVAILABLE);
		return;
	}
	while (rc != MDB_SUCCESS) {
		rc = group_try(self, group, full);
		if (rc == MDB_SUCCESS || rc == GROUP_AGAIN)
			continue;
		if (rc == EIO && disk_is_full(self, group))
			rc = ENOSPC;
		if (rc == MDB_MAP_FULL &&
		    map_grow(
			self, full ? self->map_bytes_max : self->map_bytes_cap))
			continue;
		if ((rc == MDB_MAP_FULL || disk_refused(rc)) && !full) {
			log_full(self, rc);
			full = true;
			continue;
		}
		if (disk_refused(rc) && folder_reserve_release(self->folder))
			continue;
		break;
	}
	if (rc == MDB_SUCCESS) {
		self->full = full;
	} else if (lmdb_status(rc) == STATUS_NO_SPACE && !self->broken) {
		group_fail(group, STATUS_NO_SPACE);
	} else {
		/* After a failed sync nobody knows what the disk holds. */
		lmdb_fault("commit_failed", rc);
		group_fail(group, STATUS_UNKNOWN);
		self->broken = true;
	}
	if (full && self->map_bytes > self->map_bytes_cap && !self->broken)
		map_set(self, self->map_bytes_cap);
	folder_reserve_hold(self->folder);
}
