#ifndef KEEPSAKE_DB_DB_H
#define KEEPSAKE_DB_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/bytes.h"
#include "base/histogram.h"
#include "base/status.h"

/*
 * A service's database.  Accounts hold rows (table, key, value) and blobs
 * (by sequence number); names are global and belong to one account each.
 * Changes are batches, each of one account, atomic and durable when their
 * completion says OK.  No transaction, cursor or pointer into the database
 * outlives a call: whatever is returned is a copy.
 *
 * Reads may be called on any thread and never wait behind a sync.  Batches,
 * claims and blob reads complete on the thread that calls db_complete.
 */
struct db;
struct db_batch;

#define DB_NAME_BYTES_MAX       255 /* a global name */
#define DB_BATCH_BLOB_BYTES_MAX (16u * 1024 * 1024)
#define DB_PAGE_BYTES_MAX       (1024u * 1024) /* one scanned page */
#define DB_QUEUE_BATCHES_MAX    8192 /* submitted and not yet completed */
#define DB_QUEUE_BYTES_MAX      (64u * 1024 * 1024)
#define DB_READS_MAX            128  /* blob reads not yet completed */
#define DB_ACCOUNTS_MAX         1000 /* of one call of db_accounts, db_names */

/* Of db_options, where the field is 0 */
#define DB_MAP_BYTES     (1ull << 30)
#define DB_MAP_BYTES_MAX (1ull << 40)
#define DB_RESERVE_BYTES (16ull << 20)

#define DB_GENERATION_ANY UINT64_MAX /* whatever the account's is */
#define DB_OP_NONE        SIZE_MAX   /* no single operation is to blame */

struct db_options {
	const char *path;       /* folder; made with mode 0700 where missing */
	const char *service;    /* whose database it is: "auth" */
	uint32_t format;        /* version of keys and values, from 1 */
	uint64_t map_bytes;     /* to begin with; grows by doubling */
	uint64_t map_bytes_max; /* the database is full here */

	/*
	 * Part of map_bytes_max, and as much of the disk, that only batches
	 * which free space may use: deleting works when all else is full.
	 * Never more than half of map_bytes_max.
	 */
	uint64_t reserve_bytes;

	bool blob_reader; /* start the thread behind db_blob_read */

	/*
	 * Bring a database of the older format ${from} to ${format}; NULL
	 * refuses it.  Called within db_open with a database that is ready
	 * for use; the new version is stored when this returns OK.  Must be
	 * repeatable: a crash in the middle leaves the old version.
	 */
	enum status (*migrate)(void *arg, struct db *db, uint32_t from);
	void *migrate_arg;
};

/**
 * Open the database in a folder, or make it, and raise clock_wall_floor to
 * the highest time stored in it.  What fails is logged.
 *
 * options  borrowed, with all in it, for this call
 * out      the caller's, for db_close; NULL unless OK
 *
 * STATUS_OK           ready
 * STATUS_BUSY         another process (or this one) has it open
 * STATUS_VERSION      its format is newer, or older without migrate
 * STATUS_CONFLICT     it is another service's
 * STATUS_MALFORMED    not a database, or damaged
 * STATUS_NO_SPACE     no space or memory to make or to map it
 * STATUS_UNAVAILABLE  the folder or a file cannot be opened
 * other               what migrate returned
 */
enum status db_open(const struct db_options *options, struct db **out);

/**
 * Finish what is submitted and run its completions.  From then on, and also
 * in these completions, what is submitted is told UNAVAILABLE; reads go on.
 * For databases whose completions submit to one another: stop all of them
 * before the first is closed.
 */
void db_stop(struct db *self);

/** Stop, and close. */
void db_close(struct db **self_p);

#define DB_NOTE_NAME_BYTES_MAX 32

/**
 * Copy a note about the database as a whole: a few bytes under a name, apart
 * from every account.  Results as db_get.
 *
 * name  1..DB_NOTE_NAME_BYTES_MAX characters
 */
enum status db_note_get(
    struct db *self, const char *name, struct bytes *value_out);

/** Write one, of 1..DB_VALUE_BYTES_MAX bytes; see db_submit_wait. */
enum status db_note_put(struct db *self, const char *name, struct slice value);

/* ---- reads ---- */

/**
 * Copy the value of ${key} in ${table} of ${account}.
 *
 * value_out  the caller's; grows as needed, untouched unless OK
 *
 * STATUS_OK           value_out holds it
 * STATUS_NOT_FOUND    no such row
 * STATUS_TOO_LARGE    no row can have so long a key
 * STATUS_MALFORMED    the stored row is damaged
 * STATUS_NO_SPACE     no memory
 * STATUS_UNAVAILABLE  the database cannot be read
 */
enum status db_get(struct db *self, const struct id *account, uint8_t table,
    struct slice key, struct bytes *value_out);

struct db_entry {
	struct slice key;   /* without account and table */
	struct slice value; /* both lie in the page */
};

/** One page of a scan; all zero is empty and valid, and may be reused. */
struct db_page {
	struct db_entry *entries; /* good until the page is filled or cleared */
	size_t count;
	uint64_t generation; /* the account's, of the same moment */
	bool more;           /* scan again after the last key for the rest */

	struct bytes store; /* what the entries point into */
	size_t capacity;    /* of entries */
};

/** Free what ${self} holds; it is empty and usable again. */
void db_page_clear(struct db_page *self);

/**
 * Copy a page of the rows of ${table} whose keys begin with ${prefix}, all
 * of one moment, in order of their bytes.
 *
 * prefix   empty for the whole table
 * after    resume behind this key (before it when reverse); {0} to begin
 * limit    entries wanted, 1..DB_PAGE_ENTRIES_MAX; 0 and more mean that
 *          many.  A page also ends once it holds DB_PAGE_BYTES_MAX.
 * reverse  from the last to the first
 * out      the caller's; its former contents go
 *
 * Errors as db_get, and nothing found is OK with a count of 0.
 */
enum status db_scan(struct db *self, const struct id *account, uint8_t table,
    struct slice prefix, struct slice after, size_t limit, bool reverse,
    struct db_page *out);

struct db_account {
	struct id id;
	uint64_t generation; /* batches committed so far */
	bool removed;        /* a tombstone: takes no more batches */
};

/**
 * List accounts in order of their ids, removed ones included.
 *
 * after      resume behind this id; NULL to begin
 * out        room for ${limit}, at most DB_ACCOUNTS_MAX
 * count_out  how many were written; fewer than ${limit} is the end
 *
 * Errors as db_get; NOT_FOUND never.
 */
enum status db_accounts(struct db *self, const struct id *after,
    struct db_account *out, size_t limit, size_t *count_out);

/**
 * Read one account's generation; errors as db_get, and NOT_FOUND where no
 * batch of it was ever committed.
 */
enum status db_account_get(
    struct db *self, const struct id *account, struct db_account *out);

/**
 * Whose a name is.
 *
 * STATUS_OK         account_out holds the account that confirmed it
 * STATUS_NOT_FOUND  nobody's, or only claimed so far
 * other             as db_get
 */
enum status db_name_get(
    struct db *self, uint8_t space, struct slice name, struct id *account_out);

struct db_name {
	struct id account;
	bool confirmed; /* else claimed only */
	uint8_t space;
	uint8_t name[DB_NAME_BYTES_MAX];
	size_t name_len;
};

/**
 * List names in order of space and name.
 *
 * after      resume behind this one; NULL to begin
 * out        room for ${limit}, at most DB_ACCOUNTS_MAX
 * count_out  how many were written; fewer than ${limit} is the end
 *
 * Errors as db_get; NOT_FOUND never.
 */
enum status db_names(struct db *self, const struct db_name *after,
    struct db_name *out, size_t limit, size_t *count_out);

/** Copy a blob; results as db_get. */
enum status db_blob_get(struct db *self, const struct id *account,
    uint64_t sequence, struct bytes *out);

struct db_blob {
	uint64_t sequence;
	size_t len;
};

/**
 * List the blobs of an account by rising sequence.
 *
 * from       the first sequence wanted
 * out        room for ${limit}, at most DB_PAGE_ENTRIES_MAX
 * count_out  how many were written; fewer than ${limit} is the end
 *
 * Errors as db_get; NOT_FOUND never.
 */
enum status db_blob_scan(struct db *self, const struct id *account,
    uint64_t from, struct db_blob *out, size_t limit, size_t *count_out);

/** The blob with the highest sequence; NOT_FOUND without any. */
enum status db_blob_last(
    struct db *self, const struct id *account, struct db_blob *out);

/**
 * A blob was read, or not.
 *
 * data  ${len} bytes, now the callee's, for free(); NULL unless OK
 */
typedef void db_read_fn(
    void *arg, enum status status, uint8_t *data, size_t len);

/**
 * Read a blob on the reader thread, so that no disk holds up the caller.
 * The database was opened with blob_reader.
 *
 * STATUS_PENDING      done will be called once, from db_complete
 * STATUS_BUSY         DB_READS_MAX are under way
 * STATUS_NO_SPACE     no memory
 * STATUS_UNAVAILABLE  closing
 */
enum status db_blob_read(struct db *self, const struct id *account,
    uint64_t sequence, db_read_fn *done, void *arg);

/* ---- batches ---- */

/**
 * Begin a batch: at most DB_BATCH_OPS_MAX operations, in keys and values
 * DB_BATCH_BYTES_MAX and in blobs DB_BATCH_BLOB_BYTES_MAX.
 *
 * account   borrowed for this call, as is all that follows but blobs
 * expected  the account's generation as last read (0: no batch was ever
 *           committed), or DB_GENERATION_ANY; another one is CONFLICT
 * batch_id  by which a repeat is recognised: a batch with the id of the
 *           account's last one is OK again and changes nothing.  NULL or
 *           none: never taken for a repeat.
 *
 * Returns NULL without memory, which every function here takes and
 * db_submit answers with NO_SPACE.  The first mistake in building (too
 * many operations, a key or value past its bound) sticks and is db_submit's
 * answer, so only that one has to be checked.
 */
struct db_batch *db_batch_new(
    const struct id *account, uint64_t expected, const struct id *batch_id);
void db_batch_destroy(struct db_batch **self_p);

/*
 * Guards.  All are checked, in order, before anything of the batch is
 * applied: they see the rows as they are without it.  The first to fail
 * decides the result.
 */

/** The row must exist, else NOT_FOUND. */
void db_batch_require(struct db_batch *self, uint8_t table, struct slice key);

/** The row must not exist, else CONFLICT. */
void db_batch_forbid(struct db_batch *self, uint8_t table, struct slice key);

/** The row must hold exactly ${value}, else CONFLICT. */
void db_batch_expect(
    struct db_batch *self, uint8_t table, struct slice key, struct slice value);

/** The row must hold exactly ${value}, or not exist, else CONFLICT. */
void db_batch_agree(
    struct db_batch *self, uint8_t table, struct slice key, struct slice value);

/* Changes, applied in order. */

/** Write a row: ${value} has 1..DB_VALUE_BYTES_MAX bytes.  Table from 1. */
void db_batch_put(
    struct db_batch *self, uint8_t table, struct slice key, struct slice value);

/** Delete a row; it need not exist. */
void db_batch_delete(struct db_batch *self, uint8_t table, struct slice key);

typedef void db_free_fn(void *free_arg, const uint8_t *data);

/**
 * Write a blob by reference: no copy is made before the database's own.
 * The sequence must be free, else CONFLICT (also for one deleted earlier in
 * the same batch: blobs never change).
 *
 * data     1..BLOB_BYTES_MAX bytes that stay as they are until free_fn is
 *          called, once, whatever becomes of the batch: from db_complete
 *          just before its completion, or from db_batch_destroy, or at once
 *          where the batch cannot take it
 * free_fn  NULL where there is nothing to free
 */
void db_batch_blob_put(struct db_batch *self, uint64_t sequence,
    const uint8_t *data, size_t len, db_free_fn *free_fn, void *free_arg);

/** Delete a blob; it need not exist. */
void db_batch_blob_delete(struct db_batch *self, uint64_t sequence);

/**
 * Make a name that the account has claimed its own for good.  NOT_FOUND
 * where nobody has it, CONFLICT where another account has.  A lease that
 * ran out is still good while nobody else has claimed the name.
 */
void db_batch_confirm(struct db_batch *self, uint8_t space, struct slice name);

/** Give a name up; CONFLICT where another account has it. */
void db_batch_release(struct db_batch *self, uint8_t space, struct slice name);

/**
 * Delete the account: its last rows and blobs go, also those of this batch,
 * a tombstone with the generation stays, and every later batch and claim is
 * CONFLICT.  More than DB_BATCH_OPS_MAX rows and blobs are TOO_LARGE: delete
 * in slices first.  Names are released one by one, by the caller.
 */
void db_batch_remove_account(struct db_batch *self);

/**
 * Let the batch use the reserve: for one that frees more than it writes.
 * A batch that only deletes may do so anyway.
 */
void db_batch_frees(struct db_batch *self);

/** Building has failed for the caller: ${status} is db_submit's answer. */
void db_batch_fail(struct db_batch *self, enum status status);

/**
 * A batch or claim was decided.
 *
 * STATUS_OK           durable
 * STATUS_CONFLICT     a guard, the generation, or a removed account
 * STATUS_NOT_FOUND    a required row or a confirmed name is missing
 * STATUS_TOO_LARGE    see db_batch_remove_account
 * STATUS_NO_SPACE     disk, map or memory is full; nothing changed
 * STATUS_MALFORMED    met damage in the database; nothing changed
 * STATUS_UNAVAILABLE  writing has stopped after a fault; nothing changed
 * STATUS_UNKNOWN      a fault while committing: it may have happened
 *
 * generation  the account's now; where the database failed, 0
 * failed_op   which operation (from 0, in order of building) decided, or
 *             DB_OP_NONE
 */
typedef void db_done_fn(
    void *arg, enum status status, uint64_t generation, size_t failed_op);

/**
 * Hand a batch to the writer; never waits for a disk.
 *
 * batch_p  taken and left NULL when PENDING; else still the caller's
 * done     called once, from db_complete, when PENDING; may be NULL
 *
 * STATUS_PENDING      done will be called
 * STATUS_TOO_LARGE    past a bound in building
 * STATUS_BUSY         the queue is full: again later
 * STATUS_NO_SPACE     no memory, here or in building
 * STATUS_UNAVAILABLE  closing
 * other               as db_batch_fail was told
 */
enum status db_submit(
    struct db *self, struct db_batch **batch_p, db_done_fn *done, void *arg);

/*
 * What follows waits for the disk, and runs the completions that come
 * meanwhile: for the start of a process, and migrations.
 */

/** Submit and wait; results as both of db_submit and its completion. */
enum status db_submit_wait(struct db *self, struct db_batch **batch_p);

/** As db_submit; where the queue is full, wait until it is not. */
enum status db_submit_patient(
    struct db *self, struct db_batch **batch_p, db_done_fn *done, void *arg);

/** Wait until nothing is under way; runs the completions. */
void db_drain(struct db *self);

/**
 * Claim a global name for an account until ${lease_ms} from now, by when a
 * batch of that account should have confirmed it.
 *
 * space  which kind of name: login name, IMEI, phone number, ...
 * name   1..DB_NAME_BYTES_MAX bytes
 *
 * Returns as db_submit.  ${done} is told OK where the name was free, its
 * lease had run out, or the account has it already (confirmed stays so,
 * a lease is renewed), and CONFLICT where another has it or the account
 * is removed.
 */
enum status db_claim(struct db *self, uint8_t space, struct slice name,
    const struct id *account, uint64_t lease_ms, db_done_fn *done, void *arg);

/**
 * Give up what db_claim has claimed, before its lease runs out: a name that
 * the account has confirmed, and another account's, stay as they are.  It
 * may use the reserve, as what deletes may.
 *
 * Returns as db_submit.  ${done} is told OK, or CONFLICT where the account is
 * removed.
 */
enum status db_unclaim(struct db *self, uint8_t space, struct slice name,
    const struct id *account, db_done_fn *done, void *arg);

/** db_note_put without waiting: returns, and is told, as with db_submit. */
enum status db_note_submit(struct db *self, const char *name,
    struct slice value, db_done_fn *done, void *arg);

/* ---- completions ---- */

/** Readable when completions wait; for poll, and for nothing else. */
int db_event_fd(const struct db *self);

/**
 * Run the completions that wait, on this thread; returns how many.  One
 * thread at a time.  A completion may submit more.
 */
size_t db_complete(struct db *self);

/* ---- a copy, while all goes on ---- */

/** How far a copy is, and whether to give it up: for any thread. */
struct db_copy_progress {
	_Atomic uint64_t bytes; /* of keys and values, written so far */
	_Atomic bool stop;
};

/** What is in a copy. */
struct db_copied {
	uint32_t format;
	uint64_t point_ms;    /* wall time of the last commit that is in it */
	uint64_t transaction; /* the number of that commit */
	uint64_t bytes;       /* of keys and values */
	uint64_t rows, blobs, names, accounts;
};

/**
 * Copy the database of this moment into the new file ${path}, synced; what
 * was there goes.  May be called on any thread, and takes its time, while
 * others read and write.  Space that is freed meanwhile can be used again
 * only afterwards.
 *
 * STATUS_OK           ${out} is filled
 * STATUS_UNAVAILABLE  ${path} cannot be written, or progress->stop
 * STATUS_NO_SPACE     the disk of ${path} is full
 * STATUS_MALFORMED    met damage in the database
 *
 * Nothing is left at ${path} unless OK.  What fails is logged.
 */
enum status db_copy(struct db *self, const char *path,
    struct db_copy_progress *progress, struct db_copied *out);

/* ---- for the operator ---- */

struct db_stats {
	uint64_t map_bytes;     /* mapped now */
	uint64_t map_bytes_max; /* as far as it may grow, reserve included */
	uint64_t used_bytes;    /* pages in use */
	uint64_t free_bytes;    /* pages in the file that can be used again */
	uint64_t rows, blobs, names, accounts;
	uint64_t commits;        /* synced transactions since db_open */
	uint64_t batches;        /* committed batches and claims since then */
	uint64_t bytes_synced;   /* keys, values and blobs in them */
	uint64_t queue_batches;  /* submitted and not yet completed */
	uint64_t queue_bytes;    /* of those */
	uint64_t wall_ms_stored; /* highest time in the database */
	uint64_t room_bytes;     /* map and disk take so much more, about */
};

/** Whether what is submitted can be written, as far as is known. */
enum db_state {
	DB_WRITES,
	DB_FULL,    /* no space for the last one that took some */
	DB_STOPPED, /* a sync failed: nothing is written until a restart */
};

enum db_state db_state(const struct db *self);

/** How often it became DB_FULL, since db_open. */
uint64_t db_times_full(const struct db *self);

/** How long groups of batches took to become durable, so far. */
void db_commit_durations(struct db *self, struct histogram *out);

/** What a compaction did, or why it could not. */
struct db_compaction {
	uint64_t before_bytes; /* of the file */
	uint64_t after_bytes;
	uint64_t needed_bytes; /* of disk, for the copy */
	uint64_t room_bytes;   /* that there were */
};

/**
 * Write the file anew without the pages that are free in it, and put that in
 * its place.  Batches that are submitted meanwhile wait, within the bounds of
 * the queue; reads go on, but for a moment at the end.  A kill at any time
 * leaves the one file or the other, and nothing that was acknowledged is lost.
 *
 * out   filled in before ${done} is called; the caller's until then
 *
 * Results as db_submit; ${done} is told
 *
 * STATUS_OK           done, and durable
 * STATUS_NO_SPACE     the disk has no room for the copy: see ${out}; or no
 *                     memory
 * STATUS_BUSY         somebody reads for long, a backup: again later
 * STATUS_MALFORMED    met damage
 * STATUS_UNAVAILABLE  writing has stopped, before or in this
 * in all of which the data is as it was.
 */
enum status db_compact(
    struct db *self, struct db_compaction *out, db_done_fn *done, void *arg);

/** Figures of this moment; errors as db_get.  Walks the list of free pages. */
enum status db_stats(struct db *self, struct db_stats *out);

#endif
