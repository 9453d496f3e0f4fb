#include "service/audit_read.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "common.pb-c.h"

#define PAGE_RECORDS_MAX 40   /* of the longest, in one body */
#define SCAN_RECORDS_MAX 1000 /* looked at for one answer */
#define RECORD_BYTES_MAX                                         \
	(192 + AUDIT_ACTION_BYTES_MAX + AUDIT_SEALED_BYTES_MAX + \
	    AUDIT_ACTOR_BYTES_MAX + AUDIT_DETAIL_BYTES_MAX)

_Static_assert(
    PAGE_RECORDS_MAX *RECORD_BYTES_MAX <= BODY_BYTES_MAX, "a page fits a body");

struct opened {
	Common__AuditRecord message;
	struct audit_person person;
};

/* The answer while it is made. */
struct page {
	Common__AuditPage message;
	Common__AuditRecord *pointers[PAGE_RECORDS_MAX];
	struct opened records[PAGE_RECORDS_MAX];
	char head[AUDIT_HEAD_TEXT_BYTES];
};

/* A damaged line is sent as "": keepsakectl says what that means. */
static enum status read_head(struct audit *audit, struct page *page)
{
	struct bytes line = { 0 };
	struct audit_head head;

	enum status st = db_get(audit_journal(audit), &audit_chain_account,
	    AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY), &line);
	if (st == STATUS_OK &&
	    audit_head_parse(&head, bytes_slice(&line)) == STATUS_OK)
		audit_head_format(page->head, &head);
	bytes_clear(&line);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static void add_record(struct audit *audit, struct page *page,
    const struct audit_fact *fact, struct slice raw)
{
	size_t index = page->message.n_records++;
	struct opened *opened = &page->records[index];
	Common__AuditRecord *message = &opened->message;
	static const struct id none;

	*message = (Common__AuditRecord)COMMON__AUDIT_RECORD__INIT;
	page->pointers[index] = message;
	message->raw = field_of(raw);
	if (!fact || audit_reveal(audit, fact, &opened->person) != STATUS_OK)
		return;
	message->readable = true;
	message->actor = opened->person.actor;
	message->detail = opened->person.detail;
	if (!id_equal(&opened->person.terminal, &none))
		message->terminal =
		    field_of(slice_of(opened->person.terminal.bytes, ID_BYTES));
}

/* What of the scanned records goes into the answer. */
static void fill(struct audit *audit, struct page *page,
    const struct db_page *found, const struct id *account, size_t limit)
{
	struct audit_record record;

	page->message.more = found->more;
	for (size_t i = 0; i < found->count; i++) {
		struct slice key = found->entries[i].key;
		struct slice raw = found->entries[i].value;
		if (page->message.n_records == limit) {
			page->message.more = true;
			return;
		}
		if (key.len == 8)
			page->message.last = get_be64(key.data);
		enum status st = audit_record_unpack(&record, raw);
		const struct audit_fact *fact =
		    st == STATUS_OK ? &record.fact : NULL;
		/* One that cannot be read may be anybody's. */
		if (account && fact && !id_equal(&fact->account, account))
			continue;
		if (raw.len > RECORD_BYTES_MAX)
			raw.len = 0; /* none that was ever written */
		add_record(audit, page, fact, raw);
	}
}

static enum status reply_page(struct audit *audit, struct exchange *x,
    const Common__AuditQuery *query, const struct id *account)
{
	struct page *page = calloc(1, sizeof(*page));
	struct db_page found = { 0 };
	struct slice all = { 0 };
	uint8_t after[8];
	size_t limit = query->limit == 0 ? PAGE_RECORDS_MAX : query->limit;

	if (!page)
		return STATUS_NO_SPACE;
	limit = min_of(limit, (size_t)PAGE_RECORDS_MAX);
	page->message = (Common__AuditPage)COMMON__AUDIT_PAGE__INIT;
	page->message.records = page->pointers;
	page->message.head = page->head;
	page->message.last = query->after;
	put_be64(after, query->after);
	enum status st = read_head(audit, page);
	if (st == STATUS_OK)
		st = db_scan(audit_journal(audit), &audit_chain_account,
		    AUDIT_TABLE_RECORDS, all, slice_of(after, sizeof(after)),
		    account ? SCAN_RECORDS_MAX : limit, false, &found);
	if (st == STATUS_OK) {
		fill(audit, page, &found, account, limit);
		st = exchange_reply(x, &page->message.base);
	} else {
		st = exchange_refuse(
		    x, STATUS_INTERNAL, "the journal cannot be read");
	}
	db_page_clear(&found);
	sodium_memzero(page, sizeof(*page));
	free(page);
	return st;
}

enum status audit_on_read(struct audit *self, struct exchange *x)
{
	Common__AuditQuery *query;
	struct id account = { 0 };

	enum status st =
	    exchange_unpack(x, &common__audit_query__descriptor, &query);
	if (st != STATUS_OK)
		return st;
	bool all = query->account_id.len == 0;
	if (!all &&
	    id_from(&account, field_slice(query->account_id)) != STATUS_OK)
		return exchange_refuse(x, STATUS_MALFORMED,
		    "account_id: %zu bytes, not 16", query->account_id.len);
	return reply_page(self, x, query, all ? NULL : &account);
}
