#include "list.h"

#include "bus/unpack.h"

enum status ops_list(struct ops *self, const char *process, uint32_t type,
    const struct id *account, struct slice begin, Ops__By *by, list_fn *each,
    void *arg)
{
	Ops__ListQuery query = OPS__LIST_QUERY__INIT;
	struct bytes after = { 0 };
	Ops__ListPage *page = NULL;

	query.by = by;
	if (account && !id_is_none(account))
		query.account_id = field_of(slice_of(account->bytes, ID_BYTES));
	enum status st = bytes_copy(&after, begin);
	do {
		if (st == STATUS_OK) {
			query.after = field_of(bytes_slice(&after));
			st = ops_ask(self, process, type, &query.base,
			    &ops__list_page__descriptor, &page);
		}
		if (st != STATUS_OK)
			break;
		each(arg, page->rows, page->n_rows);
		st = bytes_copy(&after, field_slice(page->next));
	} while (after.len > 0);
	bytes_clear(&after);
	return st;
}
