#include "service/erase.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/tables.h"

/*
 * One account at a time, a batch at a time: names first, then blobs, then
 * rows, table by table, then the account itself.  The last batch names the
 * generation at which no name was left, so that one that was confirmed
 * meanwhile is not lost sight of.
 */

#define SLICE          400 /* rows or blobs a batch; two operations each */
#define RETRY_MS_FIRST 500
#define RETRY_MS_MAX   60000
#define NAMES_A_STEP   64
#define NAME_ROW_BYTES (1 + DB_NAME_BYTES_MAX)
#define TABLE_LAST     0xff
_Static_assert(2 * SLICE <= DB_BATCH_OPS_MAX, "a slice fits a batch");

static const struct slice all = { 0 };

/* ---- names ---- */

/* The key of a name's row: space and name, as the database has them. */
static struct slice name_row(
    uint8_t out[static NAME_ROW_BYTES], uint8_t space, struct slice name)
{
	out[0] = space;
	if (name.len > 0 && name.len <= DB_NAME_BYTES_MAX)
		memcpy(out + 1, name.data, name.len);
	else
		name.len = 0; /* refused by what follows in the batch */
	return slice_of(out, 1 + name.len);
}

void names_confirm(struct db_batch *batch, uint8_t space, struct slice name)
{
	uint8_t row[NAME_ROW_BYTES];

	db_batch_confirm(batch, space, name);
	/* A value is never empty: the row itself is the news. */
	db_batch_put(
	    batch, TABLE_NAMES, name_row(row, space, name), slice_of("", 1));
}

void names_release(struct db_batch *batch, uint8_t space, struct slice name)
{
	uint8_t row[NAME_ROW_BYTES];

	db_batch_release(batch, space, name);
	db_batch_delete(batch, TABLE_NAMES, name_row(row, space, name));
}

static void on_migrated(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *failed = arg;

	(void)generation;
	(void)failed_op;
	/* CONFLICT: its account was removed, and left the name behind. */
	if (status != STATUS_OK && status != STATUS_CONFLICT)
		*failed = status;
}

static enum status migrate_name(
    struct db *db, const struct db_name *name, enum status *failed)
{
	struct db_batch *batch =
	    db_batch_new(&name->account, DB_GENERATION_ANY, NULL);

	names_confirm(batch, name->space, slice_of(name->name, name->name_len));
	enum status st = db_submit_patient(db, &batch, on_migrated, failed);
	db_batch_destroy(&batch);
	return st == STATUS_PENDING ? STATUS_OK : st;
}

enum status names_migrate(struct db *db)
{
	struct db_name names[NAMES_A_STEP], last;
	size_t count = nitems(names);
	const struct db_name *after = NULL;
	enum status failed = STATUS_OK, st = STATUS_OK;

	while (st == STATUS_OK && count == nitems(names)) {
		st = db_names(db, after, names, nitems(names), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			if (names[i].confirmed)
				st = migrate_name(db, &names[i], &failed);
		if (st == STATUS_OK && count > 0)
			last = names[count - 1];
		after = &last;
	}
	db_drain(db);
	return st == STATUS_OK ? failed : st;
}

/* ---- what is to be erased ---- */

struct doomed {
	struct doomed *next;
	struct id account;
};

struct erase {
	struct db *db;
	struct loop *loop;
	erased_fn *erased;
	void *arg;
	struct doomed *first; /* the one in hand */
	struct doomed **last;
	struct timer timer; /* the next step of it */
	uint64_t pause_ms;  /* after a fault */
	bool under_way;     /* a batch of it is */
	bool final;         /* and it removes the account */
};

static void on_step(void *arg);

static void next_step(struct erase *self, uint64_t in_ms)
{
	self->under_way = false;
	if (self->first)
		loop_timer_set(self->loop, &self->timer, in_ms);
}

static void retry_later(struct erase *self, enum status status)
{
	log_warning(NULL, "erase_waits", "status=%s", status_word(status));
	next_step(self, self->pause_ms);
	self->pause_ms = min_of(self->pause_ms * 2, (uint64_t)RETRY_MS_MAX);
}

static void finish(struct erase *self)
{
	struct doomed *doomed = self->first;
	struct id account = doomed->account;

	self->first = doomed->next;
	if (!self->first)
		self->last = &self->first;
	free(doomed);
	self->pause_ms = RETRY_MS_FIRST;
	next_step(self, 0);
	if (self->erased)
		self->erased(self->arg, &account);
}

/* ---- slices: each adds to the batch and says how many ---- */

static void release_name(struct db *db, struct db_batch *batch,
    const struct id *account, struct slice row)
{
	struct id owner;
	struct slice name = slice_of(row.data + 1, row.len - 1);

	/* Somebody else's by now is not ours to release. */
	if (db_name_get(db, row.data[0], name, &owner) == STATUS_OK &&
	    id_equal(&owner, account))
		db_batch_release(batch, row.data[0], name);
}

static enum status erase_rows(struct db *db, struct db_batch *batch,
    const struct id *account, uint8_t table, size_t *count,
    uint64_t *generation_out)
{
	struct db_page page = { 0 };

	enum status st =
	    db_scan(db, account, table, all, all, SLICE, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		struct slice key = page.entries[i].key;
		if (table == TABLE_NAMES && key.len > 1)
			release_name(db, batch, account, key);
		db_batch_delete(batch, table, key);
	}
	*count = page.count;
	if (generation_out)
		*generation_out = page.generation;
	db_page_clear(&page);
	return st;
}

static enum status erase_blobs(struct db *db, struct db_batch *batch,
    const struct id *account, size_t *count)
{
	struct db_blob blobs[SLICE];

	enum status st = db_blob_scan(db, account, 0, blobs, SLICE, count);
	for (size_t i = 0; i < *count && st == STATUS_OK; i++)
		db_batch_blob_delete(batch, blobs[i].sequence);
	return st;
}

/* The next slice; without any, the end: *generation is that of no names. */
static enum status fill(struct erase *self, struct db_batch *batch,
    const struct id *account, size_t *count, uint64_t *generation)
{
	enum status st = erase_rows(
	    self->db, batch, account, TABLE_NAMES, count, generation);

	if (st == STATUS_OK && *count == 0)
		st = erase_blobs(self->db, batch, account, count);
	/* The row of its key stays to the last: without it one who comes
	 * now would be given a new key, and leave what that opens. */
	for (unsigned int table = 1;
	     st == STATUS_OK && *count == 0 && table <= TABLE_LAST; table++)
		if (table != TABLE_ACCOUNT_KEY)
			st = erase_rows(self->db, batch, account,
			    (uint8_t)table, count, NULL);
	return st;
}

static void on_erased(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	struct erase *self = arg;

	(void)generation;
	(void)failed_op;
	if (status == STATUS_OK && self->final)
		finish(self);
	else if (status == STATUS_OK || status == STATUS_CONFLICT ||
		 status == STATUS_TOO_LARGE)
		next_step(self, 0); /* something came in between */
	else
		retry_later(self, status);
}

/* Submit the next batch; ${batch_p} is taken where that is PENDING. */
static enum status submit_next(struct erase *self, const struct id *account)
{
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	uint64_t generation = 0;
	size_t count = 0;

	enum status st = fill(self, batch, account, &count, &generation);
	self->final = count == 0;
	if (st == STATUS_OK && self->final) {
		db_batch_destroy(&batch);
		batch = db_batch_new(account, generation, NULL);
		db_batch_remove_account(batch);
	}
	db_batch_frees(batch);
	if (st == STATUS_OK)
		st = db_submit(self->db, &batch, on_erased, self);
	db_batch_destroy(&batch);
	return st;
}

static void on_step(void *arg)
{
	struct erase *self = arg;
	struct db_account account;
	const struct id *id = &self->first->account;

	enum status st = db_account_get(self->db, id, &account);
	if (st == STATUS_OK && account.removed) {
		finish(self);
		return;
	}
	/* One that never was gets a tombstone too: it is not to come. */
	self->under_way = true;
	if (st == STATUS_OK || st == STATUS_NOT_FOUND)
		st = submit_next(self, id);
	if (st != STATUS_PENDING)
		retry_later(self, st);
}

/* ---- life ---- */

enum status erase_new(struct erase **out, struct db *db, struct loop *loop,
    erased_fn *erased, void *arg)
{
	struct erase *self = calloc(1, sizeof(*self));

	*out = NULL;
	if (!self)
		return STATUS_NO_SPACE;
	self->db = db;
	self->loop = loop;
	self->erased = erased;
	self->arg = arg;
	self->last = &self->first;
	self->pause_ms = RETRY_MS_FIRST;
	self->timer = (struct timer){ .fired = on_step, .arg = self };
	*out = self;
	return STATUS_OK;
}

void erase_destroy(struct erase **self_p)
{
	assert(self_p);
	struct erase *self = *self_p;
	if (!self)
		return;
	loop_timer_cancel(self->loop, &self->timer);
	while (self->first) {
		struct doomed *doomed = self->first;
		self->first = doomed->next;
		free(doomed);
	}
	free(self);
	*self_p = NULL;
}

enum status erase_account(struct erase *self, const struct id *account)
{
	struct doomed *doomed = self->first;
	struct db_account found;

	if (db_account_get(self->db, account, &found) == STATUS_OK &&
	    found.removed) {
		if (self->erased)
			self->erased(self->arg, account);
		return STATUS_OK;
	}
	while (doomed && !id_equal(&doomed->account, account))
		doomed = doomed->next;
	if (doomed)
		return STATUS_OK; /* in hand, or in turn */
	doomed = calloc(1, sizeof(*doomed));
	if (!doomed)
		return STATUS_NO_SPACE;
	doomed->account = *account;
	*self->last = doomed;
	self->last = &doomed->next;
	if (!self->under_way && !self->timer.is_set)
		next_step(self, 0);
	return STATUS_OK;
}
