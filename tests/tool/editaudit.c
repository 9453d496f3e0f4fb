/*
 * editaudit LEDGER SERVICE EDIT [SEQUENCE]
 *
 * Changes the audit log of a stopped service, as somebody would who has its
 * disk but not its keys.
 *
 * change SEQUENCE  one bit of one byte of that record
 * drop SEQUENCE    that record, and nothing else
 * cut SEQUENCE     all records behind that one
 * append           a record behind the last one, with right hashes
 * rewrite          the first record says something else, and all hashes are
 *                  right again, also that of the signed head
 * behead           the signed head
 * odd              a row between the records that is none
 *
 * Exit status: 0 done, 1 not, 2 wrong arguments.
 */
#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/audit_chain.h"
#include "service/ledger.h"

static struct db *journal;

static void on_done(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *out = arg;

	(void)generation;
	(void)failed_op;
	*out = status;
}

static void commit(struct db_batch *batch)
{
	struct pollfd ready = { db_event_fd(journal), POLLIN, 0 };
	enum status st = STATUS_PENDING;

	if (db_submit(journal, &batch, on_done, &st) != STATUS_PENDING)
		errx(1, "not submitted");
	while (st == STATUS_PENDING && poll(&ready, 1, -1) == 1)
		db_complete(journal);
	if (st != STATUS_OK)
		errx(1, "not done: %s", status_text(st));
}

static struct db_batch *batch_new(void)
{
	return db_batch_new(&audit_chain_account, DB_GENERATION_ANY, NULL);
}

struct sequence_key {
	uint8_t bytes[8];
};

static struct slice key_of(struct sequence_key *key, uint64_t sequence)
{
	put_be64(key->bytes, sequence);
	return slice_of(key->bytes, sizeof(key->bytes));
}

/* The record's bytes; empty where there is none. */
static struct bytes read_raw(uint64_t sequence)
{
	struct sequence_key key;
	struct bytes raw = { 0 };

	enum status st = db_get(journal, &audit_chain_account,
	    AUDIT_TABLE_RECORDS, key_of(&key, sequence), &raw);
	if (st != STATUS_OK && st != STATUS_NOT_FOUND)
		errx(1, "record %llu: %s", (unsigned long long)sequence,
		    status_text(st));
	return raw;
}

static void read_record(uint64_t sequence, struct audit_record *out)
{
	struct bytes raw = read_raw(sequence);

	if (audit_record_unpack(out, bytes_slice(&raw)) != STATUS_OK)
		errx(1, "no record %llu", (unsigned long long)sequence);
	bytes_clear(&raw);
}

static uint64_t last_sequence(void)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	if (db_scan(journal, &audit_chain_account, AUDIT_TABLE_RECORDS, all,
		all, 1, true, &page) != STATUS_OK ||
	    page.count == 0)
		errx(1, "no records");
	uint64_t sequence = get_be64(page.entries[0].key.data);
	db_page_clear(&page);
	return sequence;
}

static void put_record(struct db_batch *batch, struct audit_record *record)
{
	struct sequence_key key;
	struct bytes raw = { 0 };

	if (audit_record_pack(&raw, record) != STATUS_OK)
		errx(1, "no memory");
	db_batch_put(batch, AUDIT_TABLE_RECORDS, key_of(&key, record->sequence),
	    bytes_slice(&raw));
	bytes_clear(&raw);
}

static void edit_change(uint64_t sequence)
{
	struct db_batch *batch = batch_new();
	struct bytes raw = read_raw(sequence);
	struct sequence_key key;

	if (raw.len == 0)
		errx(1, "no such record");
	raw.data[raw.len / 2] ^= 1;
	db_batch_put(batch, AUDIT_TABLE_RECORDS, key_of(&key, sequence),
	    bytes_slice(&raw));
	commit(batch);
	bytes_clear(&raw);
}

static void edit_drop(uint64_t sequence)
{
	struct db_batch *batch = batch_new();
	struct sequence_key key;

	db_batch_delete(batch, AUDIT_TABLE_RECORDS, key_of(&key, sequence));
	commit(batch);
}

static void edit_cut(uint64_t sequence)
{
	struct db_batch *batch = batch_new();
	struct sequence_key key;

	for (uint64_t i = last_sequence(); i > sequence; i--)
		db_batch_delete(batch, AUDIT_TABLE_RECORDS, key_of(&key, i));
	commit(batch);
}

static void edit_append(uint64_t sequence)
{
	struct db_batch *batch = batch_new();
	struct audit_record record;

	(void)sequence;
	read_record(last_sequence(), &record);
	record.sequence++;
	record.fact.event.bytes[0] ^= 1;
	memcpy(record.previous, record.hash, AUDIT_HASH_BYTES);
	put_record(batch, &record);
	commit(batch);
}

/* Make the signed head name another hash; its signature is not ours. */
static void rewrite_head(struct db_batch *batch, const uint8_t *hash)
{
	char text[AUDIT_HEAD_TEXT_BYTES];
	struct bytes line = { 0 };
	struct audit_head head;

	if (db_get(journal, &audit_chain_account, AUDIT_TABLE_HEAD,
		slice_text(AUDIT_HEAD_KEY), &line) != STATUS_OK ||
	    audit_head_parse(&head, bytes_slice(&line)) != STATUS_OK)
		errx(1, "no signed head");
	memcpy(head.hash, hash, AUDIT_HASH_BYTES);
	audit_head_format(text, &head);
	db_batch_put(batch, AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY),
	    slice_text(text));
	bytes_clear(&line);
}

static void edit_rewrite(uint64_t sequence)
{
	struct db_batch *batch = batch_new();
	struct audit_record record, before;
	uint64_t last = last_sequence();

	(void)sequence;
	read_record(1, &before);
	before.fact.when_ms += 1000;
	put_record(batch, &before);
	for (uint64_t i = 2; i <= last; i++) {
		read_record(i, &record);
		memcpy(record.previous, before.hash, AUDIT_HASH_BYTES);
		put_record(batch, &record);
		before = record;
	}
	rewrite_head(batch, before.hash);
	commit(batch);
}

static void edit_behead(uint64_t sequence)
{
	struct db_batch *batch = batch_new();

	(void)sequence;
	db_batch_delete(batch, AUDIT_TABLE_HEAD, slice_text(AUDIT_HEAD_KEY));
	commit(batch);
}

static void edit_odd(uint64_t sequence)
{
	struct db_batch *batch = batch_new();
	static const uint8_t key[9] = { 0, 0, 0, 0, 0, 0, 0, 1, 7 };

	(void)sequence;
	db_batch_put(batch, AUDIT_TABLE_RECORDS, slice_of(key, sizeof(key)),
	    slice_text("\1no record"));
	commit(batch);
}

/* clang-format off */
static const struct {
	const char *name;
	bool with_sequence;
	void (*run)(uint64_t sequence);
} edits[] = {
	{ "change",  true,  edit_change },
	{ "drop",    true,  edit_drop },
	{ "cut",     true,  edit_cut },
	{ "append",  false, edit_append },
	{ "rewrite", false, edit_rewrite },
	{ "behead",  false, edit_behead },
	{ "odd",     false, edit_odd },
};
/* clang-format on */

int main(int argc, char **argv)
{
	size_t i = 0;

	while (argc > 3 && i < nitems(edits) &&
	       strcmp(edits[i].name, argv[3]) != 0)
		i++;
	if (argc < 4 || i == nitems(edits) ||
	    argc != (edits[i].with_sequence ? 5 : 4))
		errx(2, "usage: editaudit LEDGER SERVICE EDIT [SEQUENCE]");
	log_level_set(LOG_ERROR);
	if (ledger_open_journal(&journal, argv[1], argv[2]) != STATUS_OK)
		errx(1, "%s: no journal that can be opened", argv[1]);
	edits[i].run(edits[i].with_sequence ? strtoull(argv[4], NULL, 10) : 0);
	db_close(&journal);
	return 0;
}
