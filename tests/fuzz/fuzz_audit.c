#include <sodium.h>

#include "fuzz.h"
#include "service/audit_record.h"

/*
 * What the audit log is made of: records, rows on their way, what is sealed
 * in them, lines of the heads file.  The first byte says which.
 *
 * Must hold: what is taken can be written again, to the same bytes; what was
 * changed is noticed by its hash.
 */

enum kind { RECORD, PENDING, PERSON, HEAD, KINDS };

static const uint8_t key[SEAL_KEY_BYTES] = { 1 };

/* A record whose hash is right; then one whose hash is not. */
static void try_record(struct slice input)
{
	struct audit_record record;
	struct bytes bytes = { 0 }, again = { 0 };
	uint8_t hash[AUDIT_HASH_BYTES];

	crypto_generichash(hash, sizeof(hash), input.data, input.len, NULL, 0);
	must(bytes_append(&bytes, input) == STATUS_OK);
	must(bytes_append(&bytes, slice_of(hash, sizeof(hash))) == STATUS_OK);
	enum status st = audit_record_unpack(&record, bytes_slice(&bytes));
	must(st != STATUS_DENIED);
	if (st == STATUS_OK) {
		must(audit_record_pack(&again, &record) == STATUS_OK);
		must(slice_equal(bytes_slice(&bytes), bytes_slice(&again)));
		bytes.data[bytes.len - 1] ^= 1;
		must(audit_record_unpack(&record, bytes_slice(&bytes)) ==
		     STATUS_DENIED);
	}
	bytes_clear(&bytes);
	bytes_clear(&again);
}

static void try_pending(struct slice input)
{
	struct slice stamp = take(&input, AUDIT_STAMP_BYTES);
	uint8_t again_stamp[AUDIT_STAMP_BYTES];
	struct id account = { { 1 } };
	struct audit_fact fact;
	struct bytes again = { 0 };

	if (audit_pending_unpack(&fact, &account, stamp, input) != STATUS_OK)
		return;
	audit_pending_key(again_stamp, &fact);
	must(slice_equal(stamp, slice_of(again_stamp, sizeof(again_stamp))));
	must(audit_pending_pack(&again, &fact) == STATUS_OK);
	must(slice_equal(input, bytes_slice(&again)));
	bytes_clear(&again);
}

/* What a holder of the key sealed. */
static void try_person(struct slice input)
{
	struct audit_fact fact = { .key = AUDIT_KEY_ACCOUNT };
	struct audit_person person, again;
	uint8_t associated[AUDIT_STAMP_BYTES + ID_BYTES] = { 0 };

	if (input.len > AUDIT_PLAIN_BYTES_MAX)
		return;
	seal(fact.sealed, key, input, slice_of(associated, sizeof(associated)));
	fact.sealed_len = SEALED_BYTES(input.len);
	if (audit_open(&person, &fact, key) != STATUS_OK)
		return;
	audit_seal(&fact, &person, key);
	must(fact.sealed_len == SEALED_BYTES(input.len));
	must(audit_open(&again, &fact, key) == STATUS_OK);
	must(memcmp(&person, &again, sizeof(person)) == 0);
}

static void try_head(struct slice input)
{
	struct audit_head head, again;
	char line[AUDIT_HEAD_TEXT_BYTES];

	if (audit_head_parse(&head, input) != STATUS_OK)
		return;
	audit_head_format(line, &head);
	must(audit_head_parse(&again, slice_text(line)) == STATUS_OK);
	must(memcmp(&head, &again, sizeof(head)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const kinds[KINDS])(struct slice) = {
		[RECORD] = try_record,
		[PENDING] = try_pending,
		[PERSON] = try_person,
		[HEAD] = try_head,
	};
	struct slice input = slice_of(data, len);

	must(sodium_init() >= 0);
	kinds[take_byte(&input) % KINDS](input);
	return 0;
}
