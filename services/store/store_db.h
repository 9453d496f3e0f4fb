#ifndef KEEPSAKE_STORE_DB_H
#define KEEPSAKE_STORE_DB_H

#include "crypto/ticket.h"
#include "db/db.h"

/*
 * The store's tables, keys and value layouts: nobody else knows them.  All
 * is within one account.  A value begins with its version, 1.
 *
 * Reading functions return what db_get returns, MALFORMED also for a value
 * of another length or version.  Batch functions take the NULL and keep the
 * mistakes of lib/db, so only db_submit has to be checked.
 */

#define STORE_DB_FORMAT 3 /* 2 had no row for the last ordinal */

/* For verify.c, which looks at the rows as they are. */
#define STORE_TABLE_CHUNKS    1
#define STORE_TABLE_LEASES    2
#define STORE_TABLE_LEASE_IDS 3
#define STORE_TABLE_SNAPSHOTS 4
#define STORE_TABLE_USAGE     5
#define STORE_TABLE_SWEPT     6
#define STORE_TABLE_ORDINAL   0x20

/* The key of a table that has one row an account. */
#define STORE_ONLY_ROW "1"

#define CHUNK_ID_BYTES   32
#define CHUNK_HASH_BYTES 16 /* XXH3-128 */

struct chunk_id {
	uint8_t bytes[CHUNK_ID_BYTES];
};

/* ---- chunks: a row each, that leads to the blob ---- */

/** What the store knows of a chunk. */
struct chunk {
	uint64_t sequence;  /* of the blob: the sealed bytes, then the refs */
	struct id terminal; /* that wrote it */
	bool node;
	uint32_t sealed_bytes; /* of the blob, these; the rest is refs */
	uint32_t refs_count;   /* CHUNK_ID_BYTES each; 0 unless node */
	uint64_t data_chunks;  /* a node: below it, with repeats; else 0 */
	uint64_t data_bytes;   /* sealed bytes of those */
	uint8_t hash[CHUNK_HASH_BYTES]; /* of the whole blob, for scrubbing */
};

#define CHUNK_VALUE_BYTES 66

void store_db_chunk_pack(
    uint8_t out[static CHUNK_VALUE_BYTES], const struct chunk *chunk);
enum status store_db_chunk_unpack(struct chunk *out, struct slice value);

/** Length of the chunk's blob. */
size_t store_db_blob_bytes(const struct chunk *chunk);

enum status store_db_chunk(struct db *db, const struct id *account,
    const struct chunk_id *id, struct chunk *out);

/** A page of chunks in order of their ids: key id, value as packed. */
enum status store_db_chunks(struct db *db, const struct id *account,
    struct slice after, size_t limit, struct db_page *out);

/** Guards: the chunk is there, or is not. */
void store_db_require_chunk(struct db_batch *batch, const struct chunk_id *id);
void store_db_forbid_chunk(struct db_batch *batch, const struct chunk_id *id);

/** Guard: the row is the one that was read, as it is stored. */
void store_db_expect_chunk(
    struct db_batch *batch, const struct chunk_id *id, struct slice value);

/** The row as it is stored, also one that does not unpack. */
enum status store_db_chunk_row(struct db *db, const struct id *account,
    const struct chunk_id *id, struct bytes *value_out);

void store_db_put_chunk(struct db_batch *batch, const struct chunk_id *id,
    const struct chunk *chunk);

/** Delete the row and the blob. */
void store_db_delete_chunk(
    struct db_batch *batch, struct slice id, uint64_t sequence);

/* ---- leases: one a terminal and kind, and a row for its id ---- */

/** A transfer that is under way.  Stored: append, never renumber. */
enum lease_kind { LEASE_UPLOAD = 1, LEASE_DOWNLOAD = 2 };

struct lease {
	struct id id;
	enum lease_kind kind;
	struct id terminal;
	uint8_t peer[TICKET_PEER_BYTES];   /* these three of the ticket that */
	uint8_t nonce[TICKET_NONCE_BYTES]; /* it keeps good */
	uint64_t issued_ms;
	uint64_t opened_ms; /* wall time; a takeover leaves it */
	/* Wall time of the last use, written now and then only. */
	uint64_t touched_ms;
};

#define LEASE_VALUE_BYTES 89

void store_db_lease_pack(
    uint8_t out[static LEASE_VALUE_BYTES], const struct lease *lease);

/** Also the key, which says kind and terminal. */
enum status store_db_lease_unpack(
    struct lease *out, struct slice key, struct slice value);

enum status store_db_lease(struct db *db, const struct id *account,
    enum lease_kind kind, const struct id *terminal, struct lease *out);

/** A page of leases: for store_db_lease_unpack. */
enum status store_db_leases(struct db *db, const struct id *account,
    struct slice after, struct db_page *out);

/** Guard: the lease has not ended, nor been taken over. */
void store_db_require_lease(struct db_batch *batch, const struct id *id);

/**
 * Open ${lease} in the place of ${before}, or of none where that is NULL:
 * CONFLICT where another one came first.
 */
void store_db_open_lease(struct db_batch *batch, const struct lease *lease,
    const struct lease *before);

/** Write it anew, with the guard that it is still the same one. */
void store_db_touch_lease(struct db_batch *batch, const struct lease *lease);

/** End it.  Guard it before with store_db_require_lease. */
void store_db_end_lease(struct db_batch *batch, const struct lease *lease);

/* ---- snapshots: by ordinal ---- */

#define ROOT_HASH_BYTES          32 /* BLAKE2b-256 */
#define SEALED_KEY_BYTES_MAX     256
#define SEALED_SUMMARY_BYTES_MAX 2048

struct snapshot {
	uint64_t ordinal; /* the key */
	uint64_t taken_ms;
	struct id terminal;
	struct chunk_id root;
	uint64_t data_chunks, data_bytes;
	struct slice sealed_key, sealed_summary; /* borrowed */
};

#define SNAPSHOT_VALUE_BYTES_MAX \
	(77 + SEALED_KEY_BYTES_MAX + SEALED_SUMMARY_BYTES_MAX)

/** Returns the length. */
size_t store_db_snapshot_pack(
    uint8_t out[static SNAPSHOT_VALUE_BYTES_MAX], const struct snapshot *from);

/** The slices of ${out} lie in ${value}. */
enum status store_db_snapshot_unpack(
    struct snapshot *out, struct slice key, struct slice value);

/** A page of snapshots above an ordinal: for store_db_snapshot_unpack. */
enum status store_db_snapshots(struct db *db, const struct id *account,
    uint64_t after, size_t limit, struct db_page *out);

/** The highest ordinal of those that are there; 0 without any. */
enum status store_db_highest_snapshot(
    struct db *db, const struct id *account, uint64_t *out);

/**
 * The last ordinal that was given out; 0: none yet.  It has a row of its own,
 * since the snapshot may be deleted and its ordinal never comes back.
 */
enum status store_db_last_ordinal(
    struct db *db, const struct id *account, uint64_t *out);

/** Write that row; no guard. */
void store_db_put_last_ordinal(struct db_batch *batch, uint64_t ordinal);

/**
 * Write it, and that its ordinal is the last one; CONFLICT where another one
 * was given out meanwhile.
 */
void store_db_put_snapshot(
    struct db_batch *batch, const struct snapshot *snapshot);

/** Whether it is there: OK or NOT_FOUND; else as db_get. */
enum status store_db_has_snapshot(
    struct db *db, const struct id *account, uint64_t ordinal);

/** Guard: the snapshot is there. */
void store_db_require_snapshot(struct db_batch *batch, uint64_t ordinal);
void store_db_delete_snapshot(struct db_batch *batch, uint64_t ordinal);

/* ---- usage: what the account has, as far as it was counted ---- */

/** Chunks whose sequence is below ${sequence}, and their blobs' bytes. */
struct usage {
	uint64_t sequence;
	uint64_t chunks;
	uint64_t bytes;
};

#define USAGE_VALUE_BYTES 25

void store_db_usage_pack(
    uint8_t out[static USAGE_VALUE_BYTES], const struct usage *usage);
enum status store_db_usage_unpack(struct usage *out, struct slice value);

/** All zero where it was never written. */
enum status store_db_usage(
    struct db *db, const struct id *account, struct usage *out);
void store_db_put_usage(struct db_batch *batch, const struct usage *usage);

/* ---- sweeps ---- */

/** The account's generation right after its last sweep; 0: none yet. */
enum status store_db_swept(
    struct db *db, const struct id *account, uint64_t *generation_out);
void store_db_put_swept(struct db_batch *batch, uint64_t generation);

/**
 * Whether snapshots were deleted since the account was swept, so that its
 * next sweep is not to wait for its turn.  Writing the generation of a sweep
 * ends that.
 */
enum status store_db_sweep_owed(
    struct db *db, const struct id *account, bool *out);
void store_db_put_sweep_owed(struct db_batch *batch);

/* ---- older formats: store_migrate.c ---- */

/** As the migrate of db_options. */
enum status store_db_migrate(struct db *db, uint32_t from);

#endif
