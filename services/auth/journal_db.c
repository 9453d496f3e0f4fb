#include "journal_db.h"

#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define TABLE_LANES       1
#define TABLE_INVITATIONS 2
#define TABLE_MOMENTS     3

/* Of the accounts that are no person's; the bucket's number follows. */
#define BUCKET_ID "unknown names "
_Static_assert(sizeof(BUCKET_ID) - 1 + 2 == ID_BYTES, "a whole id");

#define ACCOUNTS_A_CALL 256

/* Layouts.  Numbers are big-endian. */
#define VALUE_AT_TIME 1
#define VALUE_HEAD    9

#define LANE_VERSION         1
#define LANE_AT_LOCKED       9
#define LANE_AT_COUNT        10
#define LANE_AT_CLOSINGS     11
#define LANE_AT_UNLOCKS      12
#define LANE_AT_CLOSED       13
#define LANE_AT_CLOSED_UNTIL 21
#define LANE_AT_FINISHED     29
#define LANE_AT_TRIES        (LANE_AT_FINISHED + ID_BYTES)
#define TRY_AT_SINCE         ID_BYTES
#define TRY_AT_WRONG         (TRY_AT_SINCE + 8)
#define TRY_BYTES            (TRY_AT_WRONG + 1)
#define LANE_BYTES           (LANE_AT_TRIES + LANE_TRIES_MAX * TRY_BYTES)

#define LANE_KEY_AT_CODE     ID_BYTES
#define LANE_KEY_AT_KIND     (LANE_KEY_AT_CODE + 1)
#define LANE_KEY_AT_TERMINAL (LANE_KEY_AT_KIND + 1)
_Static_assert(LANE_KEY_AT_TERMINAL + ID_BYTES == LANE_KEY_BYTES, "no gap");

#define TIME_VERSION 1 /* of a moment, and of an invitation: its expiry */
#define TIME_BYTES   VALUE_HEAD

#define MOMENT_KEY_BYTES     (ID_BYTES + 1)
#define INVITATION_KEY_BYTES (ID_BYTES + INVITATION_HASH_BYTES)

/* ---- keys ---- */

/* The account in the journal that has the subject's rows. */
static struct id rows_account(const struct subject *subject)
{
	struct id id = subject->account;

	if (subject->known)
		return id;
	uint16_t bucket = get_be16(id.bytes) % JOURNAL_BUCKETS;
	memcpy(id.bytes, BUCKET_ID, sizeof(BUCKET_ID) - 1);
	put_be16(id.bytes + sizeof(BUCKET_ID) - 1, bucket);
	return id;
}

static bool is_bucket(const struct id *account)
{
	return memcmp(account->bytes, BUCKET_ID, sizeof(BUCKET_ID) - 1) == 0;
}

static void lane_key_format(
    uint8_t out[static LANE_KEY_BYTES], const struct lane_key *key)
{
	memcpy(out, key->subject.account.bytes, ID_BYTES);
	out[LANE_KEY_AT_CODE] = (uint8_t)key->code;
	out[LANE_KEY_AT_KIND] = (uint8_t)key->kind;
	memcpy(out + LANE_KEY_AT_TERMINAL, key->terminal.bytes, ID_BYTES);
}

static enum status lane_key_parse(struct lane_key *out, struct slice key)
{
	if (key.len != LANE_KEY_BYTES)
		return STATUS_MALFORMED;
	*out = (struct lane_key){
		.subject.known = true,
		.code = key.data[LANE_KEY_AT_CODE],
		.kind = key.data[LANE_KEY_AT_KIND],
	};
	memcpy(out->subject.account.bytes, key.data, ID_BYTES);
	memcpy(out->terminal.bytes, key.data + LANE_KEY_AT_TERMINAL, ID_BYTES);
	return STATUS_OK;
}

static void moment_key(uint8_t out[static MOMENT_KEY_BYTES],
    const struct subject *subject, enum moment moment)
{
	memcpy(out, subject->account.bytes, ID_BYTES);
	out[ID_BYTES] = (uint8_t)moment;
}

/* ---- values ---- */

static void lane_format(uint8_t out[static LANE_BYTES], const struct lane *lane)
{
	memset(out, 0, LANE_BYTES);
	out[0] = LANE_VERSION;
	put_be64(out + VALUE_AT_TIME, lane->used_ms);
	out[LANE_AT_LOCKED] = lane->locked;
	out[LANE_AT_COUNT] = (uint8_t)lane->tries_count;
	out[LANE_AT_CLOSINGS] = (uint8_t)lane->closings;
	out[LANE_AT_UNLOCKS] = (uint8_t)lane->unlocks;
	put_be64(out + LANE_AT_CLOSED, lane->closed_ms);
	put_be64(out + LANE_AT_CLOSED_UNTIL, lane->closed_until_ms);
	memcpy(out + LANE_AT_FINISHED, lane->finished.bytes, ID_BYTES);
	for (size_t i = 0; i < lane->tries_count; i++) {
		uint8_t *at = out + LANE_AT_TRIES + i * TRY_BYTES;
		memcpy(at, lane->tries[i].id.bytes, ID_BYTES);
		put_be64(at + TRY_AT_SINCE, lane->tries[i].since_ms);
		at[TRY_AT_WRONG] = lane->tries[i].wrong;
	}
}

static enum status lane_parse(
    struct lane *out, enum lane_kind kind, struct slice value)
{
	const uint8_t *data = value.data;

	*out = (struct lane){ .kind = kind };
	if (value.len != LANE_BYTES || data[0] != LANE_VERSION ||
	    data[LANE_AT_COUNT] > LANE_TRIES_MAX)
		return STATUS_MALFORMED;
	out->used_ms = get_be64(data + VALUE_AT_TIME);
	out->locked = data[LANE_AT_LOCKED] != 0;
	out->tries_count = data[LANE_AT_COUNT];
	out->closings = data[LANE_AT_CLOSINGS];
	out->unlocks = data[LANE_AT_UNLOCKS];
	out->closed_ms = get_be64(data + LANE_AT_CLOSED);
	out->closed_until_ms = get_be64(data + LANE_AT_CLOSED_UNTIL);
	memcpy(out->finished.bytes, data + LANE_AT_FINISHED, ID_BYTES);
	for (size_t i = 0; i < out->tries_count; i++) {
		const uint8_t *at = data + LANE_AT_TRIES + i * TRY_BYTES;
		memcpy(out->tries[i].id.bytes, at, ID_BYTES);
		out->tries[i].since_ms = get_be64(at + TRY_AT_SINCE);
		out->tries[i].wrong = at[TRY_AT_WRONG] != 0;
	}
	return STATUS_OK;
}

static enum status damaged(uint8_t table, size_t len)
{
	log_error(NULL, "row_damaged", "database=journal table=%u len=%zu",
	    table, len);
	return STATUS_INTERNAL;
}

/* ---- room ---- */

/*
 * Write a row, which takes the place of the one idle longest where the
 * table is full.  A known account's table is never full here; it is looked
 * at, and something deleted, all the same.
 */
static enum status put_row(struct db *journal, struct db_batch *batch,
    const struct subject *subject, uint8_t table, struct slice key,
    struct slice value, size_t rows_max)
{
	const struct id account = rows_account(subject);
	struct slice all = { 0 }, victim = slice_text("nothing");
	struct db_page page = { 0 };
	uint64_t oldest_ms = UINT64_MAX;
	bool there = false;

	enum status st = db_scan(journal, &account, table, all, all,
	    JOURNAL_BUCKET_ROWS_MAX + 1, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		there |= slice_equal(entry->key, key);
		if (page.count < rows_max || entry->value.len < VALUE_HEAD)
			continue;
		uint64_t when_ms = get_be64(entry->value.data + VALUE_AT_TIME);
		if (when_ms >= oldest_ms)
			continue;
		oldest_ms = when_ms;
		victim = entry->key;
	}
	if (there)
		victim = slice_text("nothing");
	if (st == STATUS_OK) {
		db_batch_delete(batch, table, victim);
		db_batch_put(batch, table, key, value);
	}
	db_page_clear(&page);
	return st;
}

static size_t rows_max(const struct subject *subject)
{
	return subject->known ? SIZE_MAX : JOURNAL_BUCKET_ROWS_MAX;
}

/* ---- lanes ---- */

enum status journal_db_lane(
    struct db *journal, const struct lane_key *key, struct lane *out)
{
	const struct id account = rows_account(&key->subject);
	uint8_t row[LANE_KEY_BYTES];
	struct bytes value = { 0 };

	*out = (struct lane){ .kind = key->kind };
	lane_key_format(row, key);
	enum status st = db_get(
	    journal, &account, TABLE_LANES, slice_of(row, sizeof(row)), &value);
	if (st == STATUS_OK)
		st = lane_parse(out, key->kind, bytes_slice(&value));
	if (st == STATUS_MALFORMED)
		st = damaged(TABLE_LANES, value.len);
	bytes_clear(&value);
	return st;
}

struct db_batch *journal_db_batch(const struct subject *subject)
{
	const struct id account = rows_account(subject);

	return db_batch_new(&account, DB_GENERATION_ANY, NULL);
}

enum status journal_db_put_lane(struct db *journal, struct db_batch *batch,
    const struct lane_key *key, const struct lane *found,
    const struct lane *lane)
{
	uint8_t row[LANE_KEY_BYTES], value[LANE_BYTES];
	struct slice row_key = slice_of(row, sizeof(row));

	lane_key_format(row, key);
	if (found) {
		lane_format(value, found);
		db_batch_expect(batch, TABLE_LANES, row_key,
		    slice_of(value, sizeof(value)));
	} else {
		db_batch_forbid(batch, TABLE_LANES, row_key);
	}
	lane_format(value, lane);
	return put_row(journal, batch, &key->subject, TABLE_LANES, row_key,
	    slice_of(value, sizeof(value)), rows_max(&key->subject));
}

void journal_db_delete_terminal(
    struct db_batch *batch, const struct id *account, const struct id *terminal)
{
	static const enum credential_slot codes[] = { CREDENTIAL_OWNER,
		CREDENTIAL_VERIFICATION, CREDENTIAL_TERMINAL };
	struct lane_key key = {
		.subject = { .account = *account, .known = true },
		.kind = LANE_BOUND,
		.terminal = *terminal,
	};
	uint8_t row[LANE_KEY_BYTES];

	for (size_t i = 0; i < nitems(codes); i++) {
		key.code = codes[i];
		lane_key_format(row, &key);
		db_batch_delete(batch, TABLE_LANES, slice_of(row, sizeof(row)));
	}
}

/* ---- for the operator ---- */

/* List what is shut in the account of ${cursor}. */
static enum status list_account(struct db *journal, uint64_t now_ms,
    struct lane_cursor *cursor, struct lane_listed *out, size_t limit,
    size_t *count)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };
	struct slice after =
	    cursor->inside ? slice_of(cursor->listed, LANE_KEY_BYTES) : all;

	enum status st = db_scan(journal, &cursor->account, TABLE_LANES, all,
	    after, DB_PAGE_ENTRIES_MAX, false, &page);
	cursor->inside = false;
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		struct lane_listed *listed = &out[*count];
		if (lane_key_parse(&listed->key, entry->key) != STATUS_OK ||
		    lane_parse(&listed->lane, listed->key.kind, entry->value) !=
			STATUS_OK) {
			damaged(TABLE_LANES, entry->value.len);
			continue;
		}
		lane_age(&listed->lane, now_ms);
		if (!lane_shut(&listed->lane))
			continue;
		memcpy(cursor->listed, entry->key.data, LANE_KEY_BYTES);
		if (++*count == limit) {
			cursor->inside = true;
			break;
		}
	}
	db_page_clear(&page);
	return st;
}

enum status journal_db_shut_lanes(struct db *journal, const struct id *account,
    uint64_t now_ms, struct lane_cursor *cursor, struct lane_listed *out,
    size_t limit, size_t *count_out)
{
	struct db_account accounts[ACCOUNTS_A_CALL];
	size_t found = 0;
	enum status st = STATUS_OK;

	*count_out = 0;
	if (account)
		cursor->account = *account;
	if (account || cursor->inside)
		st = list_account(
		    journal, now_ms, cursor, out, limit, count_out);
	if (account)
		cursor->ended = !cursor->inside;
	if (st != STATUS_OK || account || *count_out == limit)
		return st;
	st = db_accounts(journal,
	    id_is_none(&cursor->account) ? NULL : &cursor->account, accounts,
	    nitems(accounts), &found);
	for (size_t i = 0; i < found && st == STATUS_OK; i++) {
		cursor->account = accounts[i].id;
		if (accounts[i].removed || is_bucket(&accounts[i].id))
			continue;
		st = list_account(
		    journal, now_ms, cursor, out, limit, count_out);
		if (*count_out == limit)
			return st;
	}
	cursor->ended = st == STATUS_OK && found < nitems(accounts);
	return st;
}

/* ---- rows of a time and nothing else ---- */

static enum status read_time(struct db *journal, const struct subject *subject,
    uint8_t table, struct slice key, uint64_t *time_ms_out)
{
	const struct id account = rows_account(subject);
	struct bytes value = { 0 };

	enum status st = db_get(journal, &account, table, key, &value);
	if (st == STATUS_MALFORMED ||
	    (st == STATUS_OK &&
		(value.len != TIME_BYTES || value.data[0] != TIME_VERSION)))
		st = damaged(table, value.len);
	if (st == STATUS_OK)
		*time_ms_out = get_be64(value.data + VALUE_AT_TIME);
	bytes_clear(&value);
	return st;
}

static void time_format(uint8_t out[static TIME_BYTES], uint64_t time_ms)
{
	out[0] = TIME_VERSION;
	put_be64(out + VALUE_AT_TIME, time_ms);
}

enum status journal_db_moment(struct db *journal, const struct subject *subject,
    enum moment moment, uint64_t *when_ms_out)
{
	uint8_t key[MOMENT_KEY_BYTES];

	moment_key(key, subject, moment);
	return read_time(journal, subject, TABLE_MOMENTS,
	    slice_of(key, sizeof(key)), when_ms_out);
}

enum status journal_db_put_moment(struct db *journal, struct db_batch *batch,
    const struct subject *subject, enum moment moment, uint64_t when_ms)
{
	uint8_t key[MOMENT_KEY_BYTES], value[TIME_BYTES];

	moment_key(key, subject, moment);
	time_format(value, when_ms);
	return put_row(journal, batch, subject, TABLE_MOMENTS,
	    slice_of(key, sizeof(key)), slice_of(value, sizeof(value)),
	    rows_max(subject));
}

void journal_db_expect_moment(struct db_batch *batch,
    const struct subject *subject, enum moment moment, uint64_t when_ms)
{
	uint8_t key[MOMENT_KEY_BYTES], value[TIME_BYTES];

	moment_key(key, subject, moment);
	time_format(value, when_ms);
	if (when_ms > 0)
		db_batch_expect(batch, TABLE_MOMENTS,
		    slice_of(key, sizeof(key)), slice_of(value, sizeof(value)));
	else
		db_batch_forbid(
		    batch, TABLE_MOMENTS, slice_of(key, sizeof(key)));
}

void journal_db_delete_moment(
    struct db_batch *batch, const struct subject *subject, enum moment moment)
{
	uint8_t key[MOMENT_KEY_BYTES];

	moment_key(key, subject, moment);
	db_batch_delete(batch, TABLE_MOMENTS, slice_of(key, sizeof(key)));
}

static void invitation_key(uint8_t out[static INVITATION_KEY_BYTES],
    const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES])
{
	memcpy(out, subject->account.bytes, ID_BYTES);
	memcpy(out + ID_BYTES, hash, INVITATION_HASH_BYTES);
}

enum status journal_db_invitation(struct db *journal,
    const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES], uint64_t *expiry_ms_out)
{
	uint8_t key[INVITATION_KEY_BYTES];

	invitation_key(key, subject, hash);
	return read_time(journal, subject, TABLE_INVITATIONS,
	    slice_of(key, sizeof(key)), expiry_ms_out);
}

enum status journal_db_put_invitation(struct db *journal,
    struct db_batch *batch, const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES], uint64_t expiry_ms)
{
	uint8_t key[INVITATION_KEY_BYTES], value[TIME_BYTES];

	invitation_key(key, subject, hash);
	time_format(value, expiry_ms);
	return put_row(journal, batch, subject, TABLE_INVITATIONS,
	    slice_of(key, sizeof(key)), slice_of(value, sizeof(value)),
	    INVITATIONS_MAX);
}

void journal_db_delete_invitation(struct db_batch *batch,
    const struct subject *subject,
    const uint8_t hash[static INVITATION_HASH_BYTES])
{
	uint8_t key[INVITATION_KEY_BYTES];

	invitation_key(key, subject, hash);
	db_batch_delete(batch, TABLE_INVITATIONS, slice_of(key, sizeof(key)));
}
