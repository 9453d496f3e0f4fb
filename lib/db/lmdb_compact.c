#include "db/lmdb_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

/*
 * LMDB's file never shrinks by itself.  A copy without free pages is written
 * beside it, synced, compared, and given its name.  All of that is on the
 * writer's thread, so nothing is written meanwhile; the rename lasts before
 * anything is.
 */

#define COPY_FILE   "data.compact"
#define SLACK_BYTES (1024 * 1024) /* of disk, more than the copy takes */
#define DATABASES   5
#define LOCK_S_MAX  2 /* for a read to end: others that begin wait as long */

void lmdb_compact_clear(const char *folder)
{
	char *path = lmdb_path(folder, COPY_FILE);

	if (path)
		unlink(path);
	free(path);
}

static uint64_t file_bytes(MDB_env *env)
{
	mdb_filehandle_t fd;
	struct stat file;

	if (mdb_env_get_fd(env, &fd) != MDB_SUCCESS || fstat(fd, &file) != 0)
		return 0;
	return (uint64_t)file.st_size;
}

/* Whether the disk has room for the pages that are in use. */
static enum status check_room(struct engine *self, struct db_compaction *out)
{
	struct db_stats stats = { 0 };
	enum status st = engine_stats(self, &stats);

	if (st != STATUS_OK)
		return st;
	out->needed_bytes = stats.used_bytes + SLACK_BYTES;
	out->room_bytes = folder_room(self->folder);
	if (out->room_bytes >= out->needed_bytes)
		return STATUS_OK;
	log_warning(NULL, "compaction_refused",
	    "needed_bytes=%llu room_bytes=%llu",
	    (unsigned long long)out->needed_bytes,
	    (unsigned long long)out->room_bytes);
	return STATUS_NO_SPACE;
}

static int write_copy(const struct engine *self, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	int rc = mdb_env_copyfd2(self->env, fd, MDB_CP_COMPACT);
	if (rc == MDB_SUCCESS && fsync(fd) != 0)
		rc = errno;
	close(fd);
	return rc;
}

/* The entries of each database. */
struct census {
	size_t entries[DATABASES];
};

static int take_census(
    MDB_txn *txn, const MDB_dbi dbis[static DATABASES], struct census *out)
{
	MDB_stat stat_out;
	int rc = MDB_SUCCESS;

	for (size_t i = 0; i < DATABASES && rc == MDB_SUCCESS; i++) {
		rc = mdb_stat(txn, dbis[i], &stat_out);
		out->entries[i] = stat_out.ms_entries;
	}
	return rc;
}

static int census_here(struct engine *self, struct census *out)
{
	const MDB_dbi dbis[DATABASES] = { self->rows, self->blobs, self->names,
		self->accounts, self->meta };
	MDB_txn *txn = NULL;

	int rc = lmdb_read_begin(self, &txn);
	if (rc == MDB_SUCCESS)
		rc = take_census(txn, dbis, out);
	lmdb_read_end(self, txn);
	return rc;
}

static int census_copied(const char *path, struct census *out)
{
	static const char *const names[DATABASES] = { "rows", "blobs", "names",
		"accounts", "meta" };
	MDB_dbi dbis[DATABASES];
	MDB_txn *txn = NULL;
	MDB_env *env = NULL;

	int rc = mdb_env_create(&env);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_maxdbs(env, DATABASES);
	/* As much as there is in the file, not as much as it may grow to. */
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(env, PAGE_BYTES);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(
		    env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0600);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	for (size_t i = 0; i < DATABASES && rc == MDB_SUCCESS; i++)
		rc = mdb_dbi_open(txn, names[i], 0, &dbis[i]);
	if (rc == MDB_SUCCESS)
		rc = take_census(txn, dbis, out);
	mdb_txn_abort(txn);
	if (env)
		mdb_env_close(env);
	return rc;
}

/* Look into the copy, before it is all there is. */
static int check_copy(struct engine *self, const char *path)
{
	struct census here = { { 0 } }, copied = { { 0 } };
	int rc = census_here(self, &here);

	if (rc == MDB_SUCCESS)
		rc = census_copied(path, &copied);
	if (rc == MDB_SUCCESS && memcmp(&here, &copied, sizeof(here)) != 0)
		rc = MDB_CORRUPTED;
	return rc;
}

/* Open what has the name now; under the map's lock. */
static int reopen(struct engine *self)
{
	MDB_txn *txn = NULL;

	mdb_env_close(self->env);
	self->env = NULL;
	int rc = lmdb_env_open(self, self->map_bytes);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_begin(self->env, NULL, 0, &txn);
	if (rc == MDB_SUCCESS)
		rc = lmdb_databases_open(self, txn);
	if (rc == MDB_SUCCESS) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	mdb_txn_abort(txn);
	if (rc != MDB_SUCCESS)
		self->map_lost = true;
	return rc;
}

/*
 * Give the copy its name.  From here on what fails leaves an engine that
 * writes nothing: it is not known which of the two a power cut would leave.
 */
static enum status swap(struct engine *self, const char *path)
{
	char *name = lmdb_path(self->path, LMDB_FILE);
	enum status st = STATUS_NO_SPACE;
	struct timespec until;

	if (!name)
		return st;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LOCK_S_MAX;
	if (pthread_rwlock_timedwrlock(&self->map_lock, &until) != 0) {
		log_warning(NULL, "compaction_refused", "why=\"a long read\"");
		free(name);
		return STATUS_BUSY;
	}
	if (atomic_load(&self->copies) > 0) {
		st = STATUS_BUSY; /* begun meanwhile */
		goto out;
	}
	if (rename(path, name) != 0) {
		st = lmdb_fault("compaction_failed", errno);
		goto out;
	}
	st = folder_sync(self->folder);
	enum status opened = lmdb_fault("compaction_failed", reopen(self));
	if (st == STATUS_OK)
		st = opened;
	if (st != STATUS_OK) {
		self->broken = true;
		st = STATUS_UNAVAILABLE;
	}
out:
	pthread_rwlock_unlock(&self->map_lock);
	free(name);
	return st;
}

enum status engine_compact(struct engine *self, struct db_compaction *out)
{
	uint64_t began_ms = clock_interval_ms();
	char *path = NULL;

	*out = (struct db_compaction){ 0 };
	if (self->broken)
		return STATUS_UNAVAILABLE;
	if (atomic_load(&self->copies) > 0)
		return STATUS_BUSY;
	out->before_bytes = out->after_bytes = file_bytes(self->env);
	enum status st = check_room(self, out);
	if (st != STATUS_OK)
		return st;
	path = lmdb_path(self->path, COPY_FILE);
	if (!path)
		return STATUS_NO_SPACE;
	lmdb_compact_clear(self->path);
	st = lmdb_fault("compaction_failed", write_copy(self, path));
	if (st == STATUS_OK)
		st = lmdb_fault("compaction_failed", check_copy(self, path));
	if (st == STATUS_OK)
		st = swap(self, path);
	lmdb_compact_clear(self->path);
	free(path);
	if (st != STATUS_OK)
		return st;
	out->after_bytes = file_bytes(self->env);
	log_info(NULL, "database_compacted",
	    "before_bytes=%llu after_bytes=%llu took_ms=%llu",
	    (unsigned long long)out->before_bytes,
	    (unsigned long long)out->after_bytes,
	    (unsigned long long)(clock_interval_ms() - began_ms));
	return STATUS_OK;
}
