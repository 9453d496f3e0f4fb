#ifndef KEEPSAKE_DB_ENGINE_H
#define KEEPSAKE_DB_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "db/db.h"
#include "db/key.h"

/*
 * Inside lib/db: what db.c (queue, threads, completions), db_read.c and
 * batch.c share with an engine.  lmdb.c is one; another is another file with
 * the same functions.
 */

enum op_kind {
	OP_REQUIRE,
	OP_FORBID,
	OP_EXPECT,
	OP_AGREE,
	OP_PUT,
	OP_DELETE,
	OP_BLOB_PUT,
	OP_BLOB_DELETE,
	OP_CLAIM,
	OP_UNCLAIM,
	OP_CONFIRM,
	OP_RELEASE,
	OP_REMOVE_ACCOUNT,
	OP_NOTE,
};

#define BLOB_KEY_BYTES (ID_BYTES + 8)          /* account, sequence */
#define NAME_KEY_BYTES (1 + DB_NAME_BYTES_MAX) /* space, name: at most */

/** One operation as it lies in its batch, followed by its bytes. */
struct op {
	enum op_kind kind;
	uint32_t key_len;
	uint32_t value_len; /* of what follows, not of the blob */
	uint32_t blob_len;
	const uint8_t *blob; /* borrowed until free_fn */
	db_free_fn *free_fn;
	void *free_arg;
	uint64_t lease_ms; /* OP_CLAIM */
	uint8_t bytes[];   /* the engine's key, then the value */
};

struct db_batch {
	struct db_batch *next; /* in the queue, a group, the completions */
	struct id account;
	struct id id;
	uint64_t expected;

	struct bytes ops; /* struct op after struct op, each aligned */
	size_t ops_count;
	size_t row_bytes;    /* keys and values, for the bound */
	size_t blob_bytes;   /* blobs, for the bound */
	enum status mistake; /* the first in building, or OK */
	bool frees;          /* may use the reserve, whatever it writes */
	bool writes;         /* holds an operation that takes space */
	bool apart;          /* a claim, a note: leaves the generation alone */
	struct db_compaction *compaction; /* it is none but that; borrowed */

	db_done_fn *done;
	void *done_arg;
	struct id request; /* that it is for, as log_request */

	/* The engine's verdict */
	bool settled; /* failed: the rest of the group goes without it */
	enum status status;
	uint64_t generation;
	size_t failed_op;
};

/** What a batch costs while it is queued. */
static inline size_t batch_bytes(const struct db_batch *batch)
{
	return sizeof(*batch) + batch->ops.len + batch->blob_bytes;
}

/** The operation after ${op}, the first after NULL; NULL behind the last. */
const struct op *batch_next(const struct db_batch *batch, const struct op *op);

static inline struct slice op_key(const struct op *op)
{
	return slice_of(op->bytes, op->key_len);
}

static inline struct slice op_value(const struct op *op)
{
	return slice_of(op->bytes + op->key_len, op->value_len);
}

/** A batch that is one claim; errors stick as in any other. */
struct db_batch *batch_claim(uint8_t space, struct slice name,
    const struct id *account, uint64_t lease_ms);

/** A batch that gives one claim up; likewise. */
struct db_batch *batch_unclaim(
    uint8_t space, struct slice name, const struct id *account);

#define NOTE_PREFIX    "note "
#define NOTE_KEY_BYTES (sizeof(NOTE_PREFIX) + DB_NOTE_NAME_BYTES_MAX)

/** Key of a note, with a NUL. */
void note_key(char out[static NOTE_KEY_BYTES], const char *name);

/** A batch that is one note; errors stick as in any other. */
struct db_batch *batch_note(const char *name, struct slice value);

/** A batch that is a compaction; it goes by itself. */
struct db_batch *batch_compaction(struct db_compaction *out);

/** Key of a blob. */
void blob_key(uint8_t out[static BLOB_KEY_BYTES], const struct id *account,
    uint64_t sequence);

/** Key of a name; returns its length, 0 where the name has none or more. */
size_t name_key(
    uint8_t out[static NAME_KEY_BYTES], uint8_t space, struct slice name);

/** Empty ${page} and make room for ${limit} entries; OK or NO_SPACE. */
enum status page_begin(struct db_page *page, size_t limit);

/** Add a row; OK, NO_SPACE, or MALFORMED for what no batch writes. */
enum status page_add(
    struct db_page *page, struct slice escaped, struct slice value);

/** Point the entries at their bytes, which have stopped moving. */
void page_finish(struct db_page *page);

/* ---- what an engine does; results as the db_ function of that name ---- */

struct engine;

/** The engine of an open database. */
struct engine *db_engine(const struct db *self);

enum status engine_open(const struct db_options *options, struct engine **out);
void engine_close(struct engine **self_p);

/** The format version found in the database. */
uint32_t engine_format(const struct engine *self);

/** Store another version, durably. */
enum status engine_format_set(struct engine *self, uint32_t format);

/**
 * Decide a group of batches, linked by next: check each and apply it in one
 * durable transaction, and write the verdicts.  One thread at a time.
 */
void engine_commit(struct engine *self, struct db_batch *group);

/** On the thread of engine_commit; results as db_compact. */
enum status engine_compact(struct engine *self, struct db_compaction *out);

/** ${key} as batch_note has it. */
enum status engine_note_get(
    struct engine *self, struct slice key, struct bytes *value_out);

enum status engine_get(
    struct engine *self, const struct key *key, struct bytes *value_out);

/** ${after} is NULL, or the whole key to resume at. */
enum status engine_scan(struct engine *self, const struct id *account,
    const struct key *prefix, const struct key *after, size_t limit,
    bool reverse, struct db_page *out);

enum status engine_accounts(struct engine *self, const struct id *after,
    struct db_account *out, size_t limit, size_t *count_out);
enum status engine_account_get(
    struct engine *self, const struct id *account, struct db_account *out);
enum status engine_name_get(
    struct engine *self, struct slice key, struct id *account_out);

/** ${after} is NULL, or the key of a name. */
enum status engine_names(struct engine *self, const struct slice *after,
    struct db_name *out, size_t limit, size_t *count_out);

/** A fresh copy of a blob, for free(); data_out is untouched unless OK. */
enum status engine_blob_get(struct engine *self, const struct id *account,
    uint64_t sequence, uint8_t **data_out, size_t *len_out);
enum status engine_blob_scan(struct engine *self, const struct id *account,
    uint64_t from, struct db_blob *out, size_t limit, size_t *count_out);
enum status engine_blob_last(
    struct engine *self, const struct id *account, struct db_blob *out);

/** From any thread. */
enum db_state engine_state(const struct engine *self);
uint64_t engine_times_full(const struct engine *self);

enum status engine_copy(struct engine *self, const char *path,
    struct db_copy_progress *progress, struct db_copied *out);

/** All of ${out} but the queue. */
enum status engine_stats(struct engine *self, struct db_stats *out);

#endif
