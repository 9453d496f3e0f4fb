#include "db/engine.h"

#include <stdlib.h>

void db_page_clear(struct db_page *self)
{
	free(self->entries);
	bytes_clear(&self->store);
	*self = (struct db_page){ 0 };
}

enum status page_begin(struct db_page *page, size_t limit)
{
	page->count = 0;
	page->generation = 0;
	page->more = false;
	page->store.len = 0;
	if (limit <= page->capacity)
		return STATUS_OK;
	free(page->entries);
	page->capacity = 0;
	page->entries = calloc(limit, sizeof(*page->entries));
	if (!page->entries)
		return STATUS_NO_SPACE;
	page->capacity = limit;
	return STATUS_OK;
}

enum status page_add(
    struct db_page *page, struct slice escaped, struct slice value)
{
	struct bytes *store = &page->store;
	struct db_entry *entry = &page->entries[page->count];
	size_t len = store->len + escaped.len + value.len;

	if (value.len == 0 || value.len > DB_VALUE_BYTES_MAX)
		return STATUS_MALFORMED;
	enum status st = bytes_reserve(store, len);
	if (st != STATUS_OK)
		return st;
	st = key_decode(store->data + store->len, &len, escaped);
	if (st != STATUS_OK)
		return st;
	store->len += len;
	entry->key.len = len;
	st = bytes_append(store, value);
	if (st != STATUS_OK)
		return st;
	entry->value.len = value.len;
	page->count++;
	return STATUS_OK;
}

void page_finish(struct db_page *page)
{
	const uint8_t *at = page->store.data;

	for (size_t i = 0; i < page->count; i++) {
		page->entries[i].key.data = at;
		at += page->entries[i].key.len;
		page->entries[i].value.data = at;
		at += page->entries[i].value.len;
	}
}
