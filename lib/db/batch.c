#include "db/engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPS_BYTES 512 /* to begin with: most batches never need more */

struct db_batch *db_batch_new(
    const struct id *account, uint64_t expected, const struct id *batch_id)
{
	struct db_batch *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->account = *account;
	self->expected = expected;
	if (batch_id)
		self->id = *batch_id;
	self->failed_op = DB_OP_NONE;
	self->mistake = bytes_reserve(&self->ops, OPS_BYTES);
	return self;
}

static size_t op_bytes(const struct op *op)
{
	size_t len = sizeof(*op) + op->key_len + op->value_len;

	return (len + _Alignof(struct op) - 1) & ~(_Alignof(struct op) - 1);
}

const struct op *batch_next(const struct db_batch *batch, const struct op *op)
{
	const uint8_t *at = batch->ops.data;

	if (op)
		at = (const uint8_t *)op + op_bytes(op);
	if (!at || at == batch->ops.data + batch->ops.len)
		return NULL;
	return (const struct op *)(const void *)at;
}

void db_batch_destroy(struct db_batch **self_p)
{
	assert(self_p);
	struct db_batch *self = *self_p;
	if (!self)
		return;
	for (const struct op *op = batch_next(self, NULL); op;
	     op = batch_next(self, op))
		if (op->free_fn)
			op->free_fn(op->free_arg, op->blob);
	bytes_clear(&self->ops);
	free(self);
	*self_p = NULL;
}

static void mistake(struct db_batch *self, enum status status)
{
	if (self->mistake == STATUS_OK)
		self->mistake = status;
}

void db_batch_fail(struct db_batch *self, enum status status)
{
	if (self)
		mistake(self, status);
}

/* Append an operation; false where the batch cannot take it. */
static bool add(
    struct db_batch *self, struct op *op, struct slice key, struct slice value)
{
	if (!self)
		return false;
	op->key_len = (uint32_t)key.len;
	op->value_len = (uint32_t)value.len;
	if (self->ops_count == DB_BATCH_OPS_MAX ||
	    self->row_bytes + key.len + value.len > DB_BATCH_BYTES_MAX ||
	    self->blob_bytes + op->blob_len > DB_BATCH_BLOB_BYTES_MAX)
		mistake(self, STATUS_TOO_LARGE);
	if (self->mistake != STATUS_OK)
		return false;

	size_t len = self->ops.len + op_bytes(op);
	if (len > self->ops.capacity)
		mistake(self, bytes_reserve(&self->ops, 2 * len));
	if (self->mistake != STATUS_OK)
		return false;
	uint8_t *at = self->ops.data + self->ops.len;
	memcpy(at, op, sizeof(*op));
	at += sizeof(*op);
	if (key.len > 0)
		memcpy(at, key.data, key.len);
	if (value.len > 0)
		memcpy(at + key.len, value.data, value.len);
	self->ops.len = len;
	self->ops_count++;
	self->row_bytes += key.len + value.len;
	self->blob_bytes += op->blob_len;
	return true;
}

static void add_row(struct db_batch *self, enum op_kind kind, uint8_t table,
    struct slice key, struct slice value)
{
	struct key row;

	if (!self)
		return;
	if (key_encode(&row, &self->account, table, key) != STATUS_OK)
		mistake(self, STATUS_TOO_LARGE);
	else
		add(self, &(struct op){ .kind = kind },
		    slice_of(row.data, row.len), value);
}

void db_batch_require(struct db_batch *self, uint8_t table, struct slice key)
{
	add_row(self, OP_REQUIRE, table, key, (struct slice){ 0 });
}

void db_batch_forbid(struct db_batch *self, uint8_t table, struct slice key)
{
	add_row(self, OP_FORBID, table, key, (struct slice){ 0 });
}

void db_batch_expect(
    struct db_batch *self, uint8_t table, struct slice key, struct slice value)
{
	add_row(self, OP_EXPECT, table, key, value);
}

void db_batch_agree(
    struct db_batch *self, uint8_t table, struct slice key, struct slice value)
{
	add_row(self, OP_AGREE, table, key, value);
}

void db_batch_put(
    struct db_batch *self, uint8_t table, struct slice key, struct slice value)
{
	if (!self)
		return;
	if (value.len == 0 || value.len > DB_VALUE_BYTES_MAX)
		mistake(self, STATUS_TOO_LARGE);
	self->writes = true;
	add_row(self, OP_PUT, table, key, value);
}

void db_batch_delete(struct db_batch *self, uint8_t table, struct slice key)
{
	add_row(self, OP_DELETE, table, key, (struct slice){ 0 });
}

void blob_key(uint8_t out[static BLOB_KEY_BYTES], const struct id *account,
    uint64_t sequence)
{
	memcpy(out, account->bytes, ID_BYTES);
	put_be64(out + ID_BYTES, sequence);
}

void db_batch_blob_put(struct db_batch *self, uint64_t sequence,
    const uint8_t *data, size_t len, db_free_fn *free_fn, void *free_arg)
{
	struct op op = { .kind = OP_BLOB_PUT,
		.blob = data,
		.free_fn = free_fn,
		.free_arg = free_arg };
	uint8_t key[BLOB_KEY_BYTES];
	bool taken = false;

	if (self && (len == 0 || len > BLOB_BYTES_MAX)) {
		mistake(self, STATUS_TOO_LARGE);
	} else if (self) {
		op.blob_len = (uint32_t)len;
		self->writes = true;
		blob_key(key, &self->account, sequence);
		taken = add(
		    self, &op, slice_of(key, sizeof(key)), (struct slice){ 0 });
	}
	if (!taken && free_fn)
		free_fn(free_arg, data);
}

void db_batch_blob_delete(struct db_batch *self, uint64_t sequence)
{
	uint8_t key[BLOB_KEY_BYTES];

	if (!self)
		return;
	blob_key(key, &self->account, sequence);
	add(self, &(struct op){ .kind = OP_BLOB_DELETE },
	    slice_of(key, sizeof(key)), (struct slice){ 0 });
}

size_t name_key(
    uint8_t out[static NAME_KEY_BYTES], uint8_t space, struct slice name)
{
	if (name.len == 0 || name.len > DB_NAME_BYTES_MAX)
		return 0;
	out[0] = space;
	memcpy(out + 1, name.data, name.len);
	return 1 + name.len;
}

static void add_name(
    struct db_batch *self, struct op *op, uint8_t space, struct slice name)
{
	uint8_t key[NAME_KEY_BYTES];

	if (!self)
		return;
	size_t len = name_key(key, space, name);
	if (len == 0)
		mistake(self, STATUS_TOO_LARGE);
	else
		add(self, op, slice_of(key, len), (struct slice){ 0 });
}

void db_batch_confirm(struct db_batch *self, uint8_t space, struct slice name)
{
	if (self)
		self->writes = true;
	add_name(self, &(struct op){ .kind = OP_CONFIRM }, space, name);
}

void db_batch_release(struct db_batch *self, uint8_t space, struct slice name)
{
	add_name(self, &(struct op){ .kind = OP_RELEASE }, space, name);
}

struct db_batch *batch_claim(uint8_t space, struct slice name,
    const struct id *account, uint64_t lease_ms)
{
	struct op op = { .kind = OP_CLAIM, .lease_ms = lease_ms };
	struct db_batch *self = db_batch_new(account, DB_GENERATION_ANY, NULL);

	if (self) {
		self->writes = true;
		self->apart = true;
	}
	add_name(self, &op, space, name);
	return self;
}

struct db_batch *batch_unclaim(
    uint8_t space, struct slice name, const struct id *account)
{
	struct db_batch *self = db_batch_new(account, DB_GENERATION_ANY, NULL);

	if (self)
		self->apart = true;
	add_name(self, &(struct op){ .kind = OP_UNCLAIM }, space, name);
	return self;
}

void note_key(char out[static NOTE_KEY_BYTES], const char *name)
{
	assert(*name != '\0' && strlen(name) <= DB_NOTE_NAME_BYTES_MAX);
	snprintf(out, NOTE_KEY_BYTES, NOTE_PREFIX "%s", name);
}

struct db_batch *batch_note(const char *name, struct slice value)
{
	const struct id nobody = { 0 };
	struct db_batch *self = db_batch_new(&nobody, DB_GENERATION_ANY, NULL);
	char key[NOTE_KEY_BYTES];

	if (self && (value.len == 0 || value.len > DB_VALUE_BYTES_MAX)) {
		mistake(self, STATUS_TOO_LARGE);
	} else if (self) {
		self->writes = true;
		self->apart = true;
		note_key(key, name);
		add(self, &(struct op){ .kind = OP_NOTE }, slice_text(key),
		    value);
	}
	return self;
}

struct db_batch *batch_compaction(struct db_compaction *out)
{
	const struct id nobody = { 0 };
	struct db_batch *self = db_batch_new(&nobody, DB_GENERATION_ANY, NULL);

	if (self) {
		self->apart = true;
		self->compaction = out;
	}
	return self;
}

void db_batch_remove_account(struct db_batch *self)
{
	add(self, &(struct op){ .kind = OP_REMOVE_ACCOUNT },
	    (struct slice){ 0 }, (struct slice){ 0 });
}

void db_batch_frees(struct db_batch *self)
{
	if (self)
		self->frees = true;
}
