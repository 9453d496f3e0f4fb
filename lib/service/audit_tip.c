#include "service/audit_tip.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

const struct id audit_chain_account = { "keepsake audit  " };

/* Fill in the head that is signed, or the place before the first record. */
static enum status read_head(struct audit_tip *out, struct db *journal,
    const char *service, const struct audit_signer *signer)
{
	struct bytes line = { 0 };
	struct audit_head head;

	memset(out, 0, sizeof(*out));
	audit_genesis(out->head.hash, service);
	enum status st = db_get(journal, &audit_chain_account, AUDIT_TABLE_HEAD,
	    slice_text(AUDIT_HEAD_KEY), &line);
	if (st != STATUS_OK)
		goto out;
	if (audit_head_parse(&head, bytes_slice(&line)) == STATUS_OK &&
	    strcmp(head.service, service) == 0 &&
	    audit_head_signed(&head, signer->public)) {
		out->head = head;
		audit_head_format(out->line, &head);
	} else {
		log_error(NULL, "audit_head_forged",
		    "hint=\"keepsakectl audit verify\"");
	}
out:
	bytes_clear(&line);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static enum status read_last_sequence(struct db *journal, uint64_t *out)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	*out = 0;
	enum status st = db_scan(journal, &audit_chain_account,
	    AUDIT_TABLE_RECORDS, all, all, 1, true, &page);
	if (st == STATUS_OK && page.count > 0 && page.entries[0].key.len == 8)
		*out = get_be64(page.entries[0].key.data);
	db_page_clear(&page);
	return st;
}

enum status audit_tip_load(struct audit_tip *out, struct db *journal,
    const char *service, const struct audit_signer *signer)
{
	struct audit_tip tip;
	uint64_t last;

	enum status st = read_head(&tip, journal, service, signer);
	if (st == STATUS_OK)
		st = read_last_sequence(journal, &last);
	if (st != STATUS_OK) {
		log_error(
		    NULL, "audit_unreadable", "status=%s", status_word(st));
		return st;
	}
	if (last != tip.head.sequence)
		log_error(NULL, "audit_chain_changed",
		    "last=%llu signed=%llu hint=\"keepsakectl audit verify\"",
		    (unsigned long long)last,
		    (unsigned long long)tip.head.sequence);
	tip.sequence = max_of(last, tip.head.sequence) + 1;
	*out = tip;
	return STATUS_OK;
}

bool audit_is_recorded(struct db *journal, const struct audit_fact *fact)
{
	uint8_t key[AUDIT_STAMP_BYTES];
	struct bytes value = { 0 };

	audit_pending_key(key, fact);
	enum status st = db_get(journal, &audit_chain_account,
	    AUDIT_TABLE_EVENTS, slice_of(key, sizeof(key)), &value);
	bytes_clear(&value);
	return st == STATUS_OK;
}

void audit_tip_put_record(struct audit_tip *self, struct db_batch *batch,
    const struct audit_fact *fact)
{
	struct audit_record record = { .sequence = self->sequence++ };
	uint8_t number[8], stamp[AUDIT_STAMP_BYTES];
	struct bytes value = { 0 };

	record.fact = *fact;
	memcpy(record.previous, self->head.hash, AUDIT_HASH_BYTES);
	/* Without memory the value stays empty, which the batch refuses. */
	if (audit_record_pack(&value, &record) != STATUS_OK)
		value.len = 0;
	put_be64(number, record.sequence);
	audit_pending_key(stamp, fact);
	struct slice key = slice_of(number, sizeof(number));
	db_batch_forbid(batch, AUDIT_TABLE_RECORDS, key);
	db_batch_put(batch, AUDIT_TABLE_RECORDS, key, bytes_slice(&value));
	db_batch_put(
	    batch, AUDIT_TABLE_EVENTS, slice_of(stamp, sizeof(stamp)), key);
	self->head.sequence = record.sequence;
	memcpy(self->head.hash, record.hash, AUDIT_HASH_BYTES);
	bytes_clear(&value);
}

void audit_tip_put_head(struct audit_tip *self, struct db_batch *batch,
    const char service[static AUDIT_SERVICE_BYTES_MAX + 1],
    const struct audit_signer *signer)
{
	self->head.when_ms = clock_wall_ms();
	memcpy(self->head.service, service, sizeof(self->head.service));
	audit_head_sign(&self->head, signer->secret);
	audit_head_format(self->line, &self->head);
	db_batch_put(batch, AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY),
	    slice_text(self->line));
}
