#include "service/listing.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"

#define ROW_HEAD_BYTES 4 /* tag and length of a row in its page */

void listing_row(struct listing *self, const char *kind)
{
	ops__list_row__init(&self->row);
	self->row.kind = (char *)kind; /* only read */
	self->row.fields = self->pointers;
}

static Ops__ListField *add_field(struct listing *self, const char *name,
    Ops__ListField__ValueCase value_case)
{
	size_t index = self->row.n_fields++;

	assert(index < LISTING_FIELDS_MAX);
	Ops__ListField *field = &self->fields[index];
	ops__list_field__init(field);
	field->name = (char *)name; /* only read */
	field->value_case = value_case;
	return field;
}

void listing_text(struct listing *self, const char *name, const char *text)
{
	if (*text == '\0') {
		listing_nothing(self, name);
		return;
	}
	/* protobuf-c reads only, but its type has no const. */
	add_field(self, name, OPS__LIST_FIELD__VALUE_TEXT)->text = (char *)text;
}

void listing_number(struct listing *self, const char *name, uint64_t number)
{
	add_field(self, name, OPS__LIST_FIELD__VALUE_NUMBER)->number = number;
}

void listing_time(struct listing *self, const char *name, uint64_t when_ms)
{
	add_field(self, name, OPS__LIST_FIELD__VALUE_WHEN_MS)->when_ms =
	    when_ms;
}

void listing_data(struct listing *self, const char *name, struct slice data)
{
	add_field(self, name, OPS__LIST_FIELD__VALUE_DATA)->data =
	    field_of(data);
}

void listing_flag(struct listing *self, const char *name, bool flag)
{
	add_field(self, name, OPS__LIST_FIELD__VALUE_FLAG)->flag = flag;
}

void listing_id(struct listing *self, const char *name, const struct id *id)
{
	if (id_is_none(id))
		listing_nothing(self, name);
	else
		listing_data(self, name, slice_of(id->bytes, ID_BYTES));
}

void listing_nothing(struct listing *self, const char *name)
{
	add_field(self, name, OPS__LIST_FIELD__VALUE__NOT_SET);
}

static void set_place(struct listing *self, struct slice at)
{
	assert(at.len <= LISTING_AT_BYTES_MAX);
	if (at.len > 0)
		memcpy(self->at, at.data, at.len);
	self->at_len = at.len;
}

bool listing_row_end(struct listing *self, struct slice at)
{
	Ops__ListPage page = OPS__LIST_PAGE__INIT;
	Ops__ListRow *row = &self->row;
	struct bytes *packed = &self->exchange->reply_body;

	if (self->status != STATUS_OK || self->full)
		return false;
	size_t len = ops__list_row__get_packed_size(row) + ROW_HEAD_BYTES;
	if (packed->len + len > LISTING_BYTES_MAX) {
		/* One that fits no page would be asked for for ever. */
		if (packed->len == 0)
			self->status = STATUS_TOO_LARGE;
		self->full = true;
		return false;
	}
	/* Pages that are packed one behind the other are one page. */
	page.rows = &row;
	page.n_rows = 1;
	self->status = pack_message(packed, &page.base);
	if (self->status != STATUS_OK)
		return false;
	set_place(self, at);
	return true;
}

void listing_pause(struct listing *self, struct slice at)
{
	self->full = true;
	set_place(self, at);
}

/* ---- answering ---- */

/* Say that the next page goes on in ${part}, where it stands. */
static void add_next(struct listing *self, size_t part)
{
	Ops__ListPage page = OPS__LIST_PAGE__INIT;
	uint8_t next[1 + LISTING_AT_BYTES_MAX];

	next[0] = (uint8_t)part;
	memcpy(next + 1, self->at, self->at_len);
	page.next = field_of(slice_of(next, 1 + self->at_len));
	self->status = pack_message(&self->exchange->reply_body, &page.base);
}

enum status listing_refuse_place(struct listing *self)
{
	self->status = exchange_refuse(self->exchange, STATUS_MALFORMED,
	    "after: not what the page before gave as next");
	return self->status;
}

/* Read the query; ${after_out} lies in the exchange. */
static enum status read_query(
    struct listing *self, bool of_one, struct slice *after_out)
{
	struct exchange *x = self->exchange;
	Ops__ListQuery *message;

	enum status st =
	    exchange_unpack(x, &ops__list_query__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	if (message->account_id.len > 0 &&
	    id_from(&self->account, field_slice(message->account_id)) !=
		STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: not 16 bytes");
	if (of_one && id_is_none(&self->account))
		return exchange_refuse(
		    x, STATUS_MALFORMED, "account_id: missing");
	*after_out = field_slice(message->after);
	return STATUS_OK;
}

enum status listing_answer(void *state, struct exchange *x,
    listing_part_fn *const *parts, size_t parts_count, bool of_one)
{
	struct listing self = { .exchange = x };
	struct slice after;
	size_t part = 0;

	for (size_t i = 0; i < LISTING_FIELDS_MAX; i++)
		self.pointers[i] = &self.fields[i];
	enum status st = read_query(&self, of_one, &after);
	if (st != STATUS_OK)
		return st;
	if (after.len > 1 + LISTING_AT_BYTES_MAX ||
	    (after.len > 0 && after.data[0] >= parts_count))
		return listing_refuse_place(&self);
	if (after.len > 0) {
		part = after.data[0];
		after = slice_of(after.data + 1, after.len - 1);
		set_place(&self, after);
	}
	for (; part < parts_count && st == STATUS_OK && !self.full; part++) {
		st = parts[part](state, &self, after);
		if (st == STATUS_OK && self.status == STATUS_OK && self.full)
			add_next(&self, part);
		if (st == STATUS_OK)
			st = self.status;
		after = (struct slice){ 0 };
		self.at_len = 0;
	}
	if (st == STATUS_MALFORMED && self.status != STATUS_MALFORMED) {
		/* Damage in our rows is no fault of who asks. */
		log_error(&x->header.trace, "stored_data_damaged", "type=%s",
		    x->handler->name);
		st = STATUS_INTERNAL;
	}
	return st;
}
