#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "notify_rows.h"

/* What the operator sees of the queue, and what was given up. */

#define QUEUE_DELIVERIES 0 /* the first byte of a place, then a key */
#define QUEUE_ARRIVED    1

_Static_assert(QUEUE_PLACE_BYTES_MAX >= 1 + DELIVERY_KEY_BYTES &&
		   QUEUE_PLACE_BYTES_MAX >= LETTER_KEY_BYTES,
    "the longest place");

/* Letters of one batch: each may be of a notice of its own. */
#define RESEND_LETTERS_MAX 150
#define RESEND_OPS         6
_Static_assert(
    RESEND_LETTERS_MAX *RESEND_OPS <= DB_BATCH_OPS_MAX, "letters fit a batch");

static const struct slice every = { 0 };

/* Read what a packed notice says; nothing of one that cannot be read. */
static void read_gist(struct gist *out, struct slice packed)
{
	Notify__Notice *notice;
	struct unpack unpack;
	size_t len = 0;

	unpack_begin(&unpack);
	enum status st = unpack_message(
	    &unpack, &notify__notice__descriptor, packed, &notice);
	if (st == STATUS_OK)
		out->kind = notice->kind;
	for (size_t i = 0; st == STATUS_OK && i < notice->n_figures; i++) {
		const Notify__Figure *figure = notice->figures[i];
		int more = snprintf(out->figures + len,
		    sizeof(out->figures) - len, "%s%s=%" PRIu64,
		    len > 0 ? " " : "", figure->name, figure->value);
		if (more < 0 || (size_t)more >= sizeof(out->figures) - len)
			break; /* the rest is cut off */
		len += (size_t)more;
	}
	unpack_end(&unpack);
}

/* ---- the queue ---- */

static enum status read_queued(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct queued *out)
{
	struct bytes packed = { 0 };

	enum status st = read_delivery(self, account, entry, &out->delivery);
	if (st != STATUS_OK)
		return st;
	memcpy(out->terminal.bytes, entry->key.data, ID_BYTES);
	st = notify_db_notice(self, account, &out->delivery.notice, &packed);
	if (st == STATUS_OK)
		read_gist(&out->gist, bytes_slice(&packed));
	bytes_clear(&packed);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static enum status read_waiting(struct notify_db *self,
    const struct id *account, const struct db_entry *entry, struct queued *out)
{
	struct bytes value = { 0 };
	struct slice packed;

	enum status st = read_arrived(self, account, entry, &value, &packed);
	if (st == STATUS_OK) {
		get_notice_key(&out->delivery.notice, entry->key.data);
		read_gist(&out->gist, packed);
	}
	bytes_clear(&value);
	return st;
}

/* Read rows of one table into what is left of ${out}. */
static enum status read_queue(struct notify_db *self, const struct id *account,
    uint8_t queue, const struct queue_place *after,
    struct queued out[static QUEUE_PAGE_MAX], size_t *count)
{
	bool deliveries = queue == QUEUE_DELIVERIES;
	struct slice behind = { 0 };
	struct db_page page = { 0 };

	if (after->len > 0 && after->bytes[0] == queue)
		behind = slice_of(after->bytes + 1, after->len - 1);
	enum status st = db_scan(self->db, account,
	    deliveries ? TABLE_DELIVERIES : TABLE_ARRIVED, every, behind,
	    QUEUE_PAGE_MAX - *count, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		struct queued *queued = &out[*count];
		*queued = (struct queued){ .place.len = 1 + entry->key.len };
		st = deliveries ? read_queued(self, account, entry, queued)
				: read_waiting(self, account, entry, queued);
		if (st != STATUS_OK)
			break;
		queued->place.bytes[0] = queue;
		memcpy(
		    queued->place.bytes + 1, entry->key.data, entry->key.len);
		(*count)++;
	}
	db_page_clear(&page);
	return st;
}

enum status notify_db_queue(struct notify_db *self, const struct id *account,
    const struct queue_place *after, struct queued out[static QUEUE_PAGE_MAX],
    size_t *count_out)
{
	enum status st = STATUS_OK;

	*count_out = 0;
	if (after->len == 0 || after->bytes[0] == QUEUE_DELIVERIES)
		st = read_queue(
		    self, account, QUEUE_DELIVERIES, after, out, count_out);
	if (st == STATUS_OK && *count_out < QUEUE_PAGE_MAX)
		st = read_queue(
		    self, account, QUEUE_ARRIVED, after, out, count_out);
	return st;
}

/* ---- dead letters ---- */

/* Open a row of LETTERS; ${packed_out} lies in ${value_out}. */
static enum status read_letter(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct letter *out, struct bytes *value_out,
    struct slice *packed_out)
{
	enum status st =
	    row_open(self, account, TABLE_LETTERS, entry, value_out);

	if (st == STATUS_OK)
		st = check_row("letters", entry->key, LETTER_KEY_BYTES,
		    bytes_slice(value_out), LETTER_HEAD_BYTES,
		    LETTER_HEAD_BYTES + NOTICE_BYTES_MAX);
	if (st != STATUS_OK)
		return st;
	get_notice_key(&out->notice, entry->key.data);
	memcpy(
	    out->terminal.bytes, entry->key.data + NOTICE_KEY_BYTES, ID_BYTES);
	out->gave_up_ms = get_be64(value_out->data + 1);
	out->attempts = get_be32(value_out->data + 9);
	*packed_out = slice_of(value_out->data + LETTER_HEAD_BYTES,
	    value_out->len - LETTER_HEAD_BYTES);
	return STATUS_OK;
}

enum status notify_db_letters(struct notify_db *self, const struct id *account,
    const struct queue_place *after, struct letter out[static QUEUE_PAGE_MAX],
    size_t *count_out)
{
	struct db_page page = { 0 };
	struct bytes value = { 0 };
	struct slice packed;

	enum status st = db_scan(self->db, account, TABLE_LETTERS, every,
	    slice_of(after->bytes, after->len), QUEUE_PAGE_MAX, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		out[i] = (struct letter){ .place.len = entry->key.len };
		st =
		    read_letter(self, account, entry, &out[i], &value, &packed);
		if (st != STATUS_OK)
			break;
		read_gist(&out[i].gist, packed);
		memcpy(out[i].place.bytes, entry->key.data, entry->key.len);
	}
	*count_out = page.count;
	bytes_clear(&value);
	db_page_clear(&page);
	return st;
}

/* Have the notice of ${letter} arrive at ${now_ms}, whenever it did before. */
static enum status arrive_again(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct letter *letter, struct slice packed,
    uint64_t now_ms)
{
	struct notice_key key = { now_ms, letter->notice.id }, told;
	uint8_t name[NOTICE_KEY_BYTES];

	enum status st = notify_db_told(self, account, &key.id, &told);
	if (st == STATUS_OK) {
		put_notice_key(name, &told);
		db_batch_delete(
		    batch, TABLE_TOLD_TIMES, slice_of(name, sizeof(name)));
	} else if (st != STATUS_NOT_FOUND) {
		return st;
	}
	put_arrived(self, batch, account, &key, packed);
	return STATUS_OK;
}

/* What a batch of resent letters has so far. */
struct resending {
	struct notice_key last; /* the notice of the last letter */
	uint64_t notices, letters;
	bool full;
};

static enum status resend_letter(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct db_entry *entry,
    const struct id *notice, uint64_t now_ms, struct resending *so_far)
{
	struct bytes value = { 0 };
	struct slice packed;
	struct letter letter;

	enum status st =
	    read_letter(self, account, entry, &letter, &value, &packed);
	if (st != STATUS_OK || (notice && !id_equal(notice, &letter.notice.id)))
		goto out;
	/* The letters of one notice stay together: it arrives once. */
	if (so_far->letters == 0 ||
	    !id_equal(&so_far->last.id, &letter.notice.id)) {
		so_far->full = so_far->letters + ACCOUNT_TERMINALS_MAX >
			       RESEND_LETTERS_MAX;
		if (so_far->full)
			goto out;
		st =
		    arrive_again(self, batch, account, &letter, packed, now_ms);
		if (st != STATUS_OK)
			goto out;
		so_far->notices++;
	}
	so_far->last = letter.notice;
	so_far->letters++;
	db_batch_require(batch, TABLE_LETTERS, entry->key);
	db_batch_delete(batch, TABLE_LETTERS, entry->key);
out:
	bytes_clear(&value);
	return st;
}

enum status notify_db_resend(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct id *notice, uint64_t now_ms,
    uint64_t *notices_out, uint64_t *letters_out, bool *more_out)
{
	struct resending so_far = { 0 };
	uint8_t last[LETTER_KEY_BYTES];
	struct slice after = { 0 };
	struct db_page page = { 0 };
	enum status st;

	do {
		st = db_scan(self->db, account, TABLE_LETTERS, every, after,
		    QUEUE_PAGE_MAX, false, &page);
		for (size_t i = 0;
		     i < page.count && st == STATUS_OK && !so_far.full; i++) {
			const struct db_entry *entry = &page.entries[i];
			st = resend_letter(self, batch, account, entry, notice,
			    now_ms, &so_far);
			if (st == STATUS_OK)
				memcpy(last, entry->key.data, sizeof(last));
			after = slice_of(last, sizeof(last));
		}
	} while (st == STATUS_OK && page.more && !so_far.full);
	db_page_clear(&page);
	*notices_out = so_far.notices;
	*letters_out = so_far.letters;
	*more_out = so_far.full;
	return st;
}

enum status notify_db_told_list(struct notify_db *self,
    const struct id *account, const struct notice_key *after,
    struct notice_key out[static QUEUE_PAGE_MAX], size_t *count_out)
{
	uint8_t name[NOTICE_KEY_BYTES];
	struct slice behind = { 0 };
	struct db_page page = { 0 };

	if (after) {
		put_notice_key(name, after);
		behind = slice_of(name, sizeof(name));
	}
	enum status st = db_scan(self->db, account, TABLE_TOLD_TIMES, every,
	    behind, QUEUE_PAGE_MAX, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		const struct db_entry *entry = &page.entries[i];
		st = check_row("told_times", entry->key, NOTICE_KEY_BYTES,
		    entry->value, 1, 1);
		if (st == STATUS_OK)
			get_notice_key(&out[i], entry->key.data);
	}
	*count_out = page.count;
	db_page_clear(&page);
	return st;
}
