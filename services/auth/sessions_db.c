#include "sessions_db.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

#define KEY_ISSUED 0
#define KEY_NONCE  8
#define KEY_LENGTH (KEY_NONCE + TICKET_NONCE_BYTES)

#define VERSION        1
#define AT_DIRECTION   1
#define AT_TERMINAL    2
#define AT_EXPIRY      (AT_TERMINAL + ID_BYTES)
#define AT_FINGERPRINT (AT_EXPIRY + 8)
#define VALUE_LENGTH   (AT_FINGERPRINT + SESSION_FINGERPRINT_BYTES)

_Static_assert(TICKET_NONCE_BYTES == ID_BYTES, "a session is its nonce");

/* Whether a transfer or a subscription keeps such tickets good. */
static bool is_renewed(enum direction direction)
{
	return direction == DIRECTION_UPLOAD ||
	       direction == DIRECTION_DOWNLOAD ||
	       direction == DIRECTION_NOTICES;
}

uint64_t session_ends_ms(const struct session *self)
{
	uint64_t renewed_ms = self->issued_ms + TRANSFER_MS_MAX;

	if (!is_renewed(self->direction))
		return self->expiry_ms;
	return max_of(self->expiry_ms, renewed_ms);
}

struct ticket session_ticket(
    const struct session *self, const struct id *account)
{
	struct ticket ticket = {
		.direction = self->direction,
		.account = *account,
		.terminal = self->terminal,
		.issued_ms = self->issued_ms,
		.expiry_ms = self->expiry_ms,
	};

	memcpy(ticket.nonce, self->id.bytes, TICKET_NONCE_BYTES);
	return ticket;
}

static enum status unpack(
    struct session *out, struct slice key, struct slice value)
{
	if (value.len > 0 && value.data[0] > VERSION)
		return STATUS_VERSION;
	if (key.len != KEY_LENGTH || value.len != VALUE_LENGTH ||
	    value.data[0] != VERSION || value.data[AT_DIRECTION] == 0)
		return STATUS_MALFORMED;
	if (value.data[AT_DIRECTION] >= DIRECTION_COUNT)
		return STATUS_VERSION;
	*out = (struct session){
		.direction = (enum direction)value.data[AT_DIRECTION],
		.issued_ms = get_be64(key.data + KEY_ISSUED),
		.expiry_ms = get_be64(value.data + AT_EXPIRY),
	};
	memcpy(out->id.bytes, key.data + KEY_NONCE, ID_BYTES);
	memcpy(out->terminal.bytes, value.data + AT_TERMINAL, ID_BYTES);
	memcpy(out->fingerprint, value.data + AT_FINGERPRINT,
	    SESSION_FINGERPRINT_BYTES);
	return STATUS_OK;
}

static void fingerprint(uint8_t out[static SESSION_FINGERPRINT_BYTES],
    const uint8_t peer[static TICKET_PEER_BYTES])
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(
	    hash, sizeof(hash), peer, TICKET_PEER_BYTES, NULL, 0);
	memcpy(out, hash, SESSION_FINGERPRINT_BYTES);
}

static void put(struct db_batch *batch, const struct ticket *ticket)
{
	uint8_t key[KEY_LENGTH], value[VALUE_LENGTH] = { VERSION };

	put_be64(key + KEY_ISSUED, ticket->issued_ms);
	memcpy(key + KEY_NONCE, ticket->nonce, TICKET_NONCE_BYTES);
	value[AT_DIRECTION] = (uint8_t)ticket->direction;
	memcpy(value + AT_TERMINAL, ticket->terminal.bytes, ID_BYTES);
	put_be64(value + AT_EXPIRY, ticket->expiry_ms);
	fingerprint(value + AT_FINGERPRINT, ticket->peer);
	db_batch_put(batch, SESSIONS_TABLE, slice_of(key, sizeof(key)),
	    slice_of(value, sizeof(value)));
}

static bool is_over(const struct session *session, uint64_t now_ms)
{
	/* As long as a service may take it, its clock being behind. */
	return session_ends_ms(session) + TICKET_SKEW_MS < now_ms;
}

/*
 * Drop what is over, and the oldest beyond all but one of SESSIONS_MAX; tell
 * whether one that was not over has ${wanted}.
 */
static bool drop(struct db_batch *batch, const struct db_page *page,
    const uint8_t wanted[static SESSION_FINGERPRINT_BYTES])
{
	uint64_t now_ms = clock_wall_ms();
	struct session session;
	size_t left = page->count;
	bool known = false;

	for (size_t i = 0; i < page->count; i++) {
		const struct db_entry *entry = &page->entries[i];
		if (unpack(&session, entry->key, entry->value) != STATUS_OK)
			continue;
		if (is_over(&session, now_ms)) {
			db_batch_delete(batch, SESSIONS_TABLE, entry->key);
			left--;
		} else if (memcmp(session.fingerprint, wanted,
			       SESSION_FINGERPRINT_BYTES) == 0) {
			known = true;
		}
	}
	for (size_t i = 0; i < page->count && left >= SESSIONS_MAX; i++) {
		const struct db_entry *entry = &page->entries[i];
		enum status st = unpack(&session, entry->key, entry->value);
		if (st == STATUS_OK && is_over(&session, now_ms))
			continue;
		db_batch_delete(batch, SESSIONS_TABLE, entry->key);
		left--;
	}
	return known;
}

static enum status read_page(
    struct db *journal, const struct id *account, struct db_page *page)
{
	struct slice all = { 0 };

	return db_scan(journal, account, SESSIONS_TABLE, all, all,
	    DB_PAGE_ENTRIES_MAX / 2, false, page);
}

bool sessions_put(
    struct db *journal, struct db_batch *batch, const struct ticket *ticket)
{
	struct db_page page = { 0 };
	uint8_t wanted[SESSION_FINGERPRINT_BYTES];
	bool known = false;

	fingerprint(wanted, ticket->peer);
	/* What cannot be read is dropped another time. */
	if (read_page(journal, &ticket->account, &page) == STATUS_OK)
		known = drop(batch, &page, wanted);
	db_page_clear(&page);
	put(batch, ticket);
	return known;
}

enum status sessions_list(struct db *journal, const struct id *account,
    struct session out[static SESSIONS_MAX], size_t *count_out)
{
	uint64_t now_ms = clock_wall_ms();
	struct db_page page = { 0 };
	struct session session;
	size_t count = 0;

	enum status st = read_page(journal, account, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++) {
		st = unpack(
		    &session, page.entries[i].key, page.entries[i].value);
		if (st != STATUS_OK) {
			log_error(NULL, "row_unusable",
			    "table=sessions status=%s", status_word(st));
			st = STATUS_INTERNAL;
		} else if (!is_over(&session, now_ms) && count < SESSIONS_MAX) {
			out[count++] = session;
		}
	}
	db_page_clear(&page);
	*count_out = count;
	return st;
}
