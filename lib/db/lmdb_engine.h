#ifndef KEEPSAKE_DB_LMDB_ENGINE_H
#define KEEPSAKE_DB_LMDB_ENGINE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "db/engine.h"
#include "db/folder.h"

/*
 * Inside the LMDB engine: lmdb.c opens it and knows how its rows look,
 * lmdb_make.c makes a new file, lmdb_read.c reads, lmdb_commit.c writes,
 * lmdb_compact.c shrinks the file.  Nothing else includes lmdb.h.
 *
 * Five databases:
 *
 *   rows      key of key.h              -> value
 *   blobs     [account 16][sequence 8]  -> blob
 *   names     [space 1][name]           -> [account 16][state 1][expiry 8]
 *   accounts  [account 16]              -> [generation 8][batch 16][state 1]
 *   meta      "service" -> text, "format" -> 4 bytes,
 *             "wall" -> the highest time stored, 8 bytes,
 *             "note NAME" -> a note
 *
 * Accounts are apart from their rows: packed close, the rows of many that
 * write at once share pages.  (Beside each account's rows they cost a
 * commit one more page an account: measured, half the speed.)
 * Numbers are big-endian, times are wall milliseconds.
 */
struct engine {
	char *path;   /* owned: of the folder */
	MDB_env *env; /* the compaction replaces it, under map_lock */
	MDB_dbi rows, blobs, names, accounts, meta;
	struct folder *folder;
	uint32_t format;

	/*
	 * LMDB moves the map only while no transaction is open: readers
	 * share the lock for as long as theirs is, who moves it is alone.
	 */
	pthread_rwlock_t map_lock;
	bool map_lost;      /* under map_lock: nothing is mapped any more */
	uint64_t map_bytes; /* under map_lock, written by the writer only */

	uint64_t map_bytes_cap; /* without the reserve */
	uint64_t map_bytes_max;

	/* Written by the writer only */
	_Atomic bool broken; /* a sync failed: nobody knows the disk */
	_Atomic bool full;   /* logged as full, until a batch fits again */

	_Atomic uint64_t commits, batches, bytes_synced;
	_Atomic uint64_t times_full; /* that full was set */
};

/**
 * Make the database's file where there is none, so that a power cut leaves
 * all of it or nothing.  The name lasts with the next sync of the folder.
 * Returns LMDB's code, or an errno.
 */
int lmdb_make(const char *folder, uint64_t map_bytes);

#define LMDB_FILE "data.mdb" /* in the folder, as LMDB has it */

/** The path of a file in the folder, for free(); NULL without memory. */
char *lmdb_path(const char *folder, const char *name);

/**
 * Open the environment of ${self->path}, whose file is there: env and
 * map_bytes are set.  The caller alone has the engine, or its map_lock.
 * Returns LMDB's code, or an errno.
 */
int lmdb_env_open(struct engine *self, uint64_t map_bytes);

/** Open the databases in it, and make those that are missing; likewise. */
int lmdb_databases_open(struct engine *self, MDB_txn *txn);

/** Remove what a compaction that was killed has left in the folder. */
void lmdb_compact_clear(const char *folder);

/** LMDB's code, or an errno, as ours. */
enum status lmdb_status(int rc);

/** lmdb_status, and a log line for what is nobody's normal answer. */
enum status lmdb_fault(const char *event, int rc);

static inline MDB_val val_of(struct slice slice)
{
	return (MDB_val){ slice.len, (void *)(uintptr_t)slice.data };
}

static inline struct slice slice_from(MDB_val val)
{
	return slice_of(val.mv_data, val.mv_size);
}

static inline bool has_prefix(MDB_val val, struct slice prefix)
{
	return val.mv_size >= prefix.len &&
	       memcmp(val.mv_data, prefix.data, prefix.len) == 0;
}

/* What follows returns LMDB's codes. */

/** mdb_get where absence is an answer: ${value_out} has no data then. */
int lmdb_find(
    MDB_txn *txn, MDB_dbi dbi, struct slice key, struct slice *value_out);

int lmdb_put(MDB_txn *txn, MDB_dbi dbi, struct slice key, struct slice value);

/**
 * Begin reading and keep the map where it is.
 *
 * txn_out  for lmdb_read_end on the same thread; NULL where it failed, which
 *          lmdb_read_end takes too
 */
int lmdb_read_begin(struct engine *self, MDB_txn **txn_out);
void lmdb_read_end(struct engine *self, MDB_txn *txn);

struct account {
	uint64_t generation;
	struct id last_batch;
	bool removed;
	bool found;
};

/** Absent is all zero; MDB_CORRUPTED for a row account_store never wrote. */
int account_decode(struct account *out, struct slice row);
int account_load(struct account *out, const struct engine *self, MDB_txn *txn,
    const struct id *account);
int account_store(const struct account *account, const struct engine *self,
    MDB_txn *txn, const struct id *id);

struct name {
	struct id account;
	bool confirmed;
	uint64_t expires_ms;
	bool found;
};

/** Absent is all zero; MDB_CORRUPTED for a row name_store never wrote. */
int name_decode(struct name *out, struct slice row);
int name_load(struct name *out, const struct engine *self, MDB_txn *txn,
    struct slice key);
int name_store(const struct name *name, const struct engine *self, MDB_txn *txn,
    struct slice key);

/** The highest time stored, 0 in a new database. */
int wall_load(const struct engine *self, MDB_txn *txn, uint64_t *wall_ms_out);
int wall_store(const struct engine *self, MDB_txn *txn, uint64_t wall_ms);

/**
 * Move the end of the map; between transactions of the writer only.  False
 * where there is no room for it: the map is as it was, or lost, and then
 * the engine is broken.
 */
bool map_set(struct engine *self, uint64_t bytes);

#endif
