#include "binding_db.h"

#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "service/erase.h"

/*
 * Table        Key       Value
 * TERMINALS    peer key  version 1, first (1), id (16), bound_ms (8), then
 *                        imei, serial, label: each its length (1) and bytes
 */
#define TABLE_TERMINALS 1

#define TERMINAL_VERSION    1
#define TERMINAL_HEAD_BYTES (1 + 1 + ID_BYTES + 8)
#define TERMINAL_ROW_BYTES_MAX                       \
	(TERMINAL_HEAD_BYTES + 1 + IMEI_DIGITS + 1 + \
	    TERMINAL_SERIAL_BYTES_MAX + 1 + TERMINAL_LABEL_BYTES_MAX)

#define CLAIM_MS        30000
#define ACCOUNTS_A_STEP 256

size_t binding_db_names(
    struct name out[static TERMINAL_NAMES_MAX], const struct terminal *terminal)
{
	size_t count = 0;

	out[count++] = (struct name){ NAME_PEER_KEY,
		slice_of(terminal->peer_key, TERMINAL_KEY_BYTES) };
	if (terminal->imei[0] != '\0')
		out[count++] =
		    (struct name){ NAME_IMEI, slice_text(terminal->imei) };
	if (terminal->serial[0] != '\0')
		out[count++] =
		    (struct name){ NAME_SERIAL, slice_text(terminal->serial) };
	return count;
}

enum status binding_db_owner(
    struct db *db, const struct name *name, struct id *account_out)
{
	return db_name_get(db, (uint8_t)name->space, name->text, account_out);
}

enum status binding_db_claim(struct db *db, const struct name *name,
    const struct id *account, db_done_fn *done, void *arg)
{
	return db_claim(
	    db, (uint8_t)name->space, name->text, account, CLAIM_MS, done, arg);
}

static uint8_t *put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);

	*at++ = (uint8_t)len;
	memcpy(at, text, len);
	return at + len;
}

static size_t encode(
    uint8_t out[static TERMINAL_ROW_BYTES_MAX], const struct terminal *terminal)
{
	uint8_t *at = out;

	*at++ = TERMINAL_VERSION;
	*at++ = terminal->first;
	memcpy(at, terminal->id.bytes, ID_BYTES);
	at += ID_BYTES;
	put_be64(at, terminal->bound_ms);
	at = put_text(at + 8, terminal->imei);
	at = put_text(at, terminal->serial);
	at = put_text(at, terminal->label);
	return (size_t)(at - out);
}

/* Cut a text of at most ${len_max} bytes off the front of ${rest}. */
static enum status cut_text(char *out, size_t len_max, struct slice *rest)
{
	if (rest->len == 0)
		return STATUS_MALFORMED;
	size_t len = rest->data[0];
	if (len > len_max || len + 1 > rest->len)
		return STATUS_MALFORMED;
	memcpy(out, rest->data + 1, len);
	out[len] = '\0';
	*rest = slice_of(rest->data + 1 + len, rest->len - 1 - len);
	return STATUS_OK;
}

static enum status decode(
    struct terminal *out, struct slice key, struct slice value)
{
	enum status st = STATUS_MALFORMED;

	if (value.len > 0 && value.data[0] > TERMINAL_VERSION) {
		st = STATUS_VERSION;
		goto out;
	}
	if (key.len != TERMINAL_KEY_BYTES || value.len < TERMINAL_HEAD_BYTES ||
	    value.data[0] != TERMINAL_VERSION)
		goto out;
	memcpy(out->peer_key, key.data, TERMINAL_KEY_BYTES);
	out->first = value.data[1] != 0;
	memcpy(out->id.bytes, value.data + 2, ID_BYTES);
	out->bound_ms = get_be64(value.data + 2 + ID_BYTES);
	struct slice rest = slice_of(
	    value.data + TERMINAL_HEAD_BYTES, value.len - TERMINAL_HEAD_BYTES);
	st = cut_text(out->imei, IMEI_DIGITS, &rest);
	if (st == STATUS_OK)
		st = cut_text(out->serial, TERMINAL_SERIAL_BYTES_MAX, &rest);
	if (st == STATUS_OK)
		st = cut_text(out->label, TERMINAL_LABEL_BYTES_MAX, &rest);
	if (st == STATUS_OK && rest.len > 0)
		st = STATUS_MALFORMED;
out:
	if (st != STATUS_OK)
		log_error(NULL, "row_unusable", "table=terminals status=%s",
		    status_word(st));
	return st;
}

enum status binding_db_terminal(struct db *db, const struct id *account,
    const uint8_t peer_key[static TERMINAL_KEY_BYTES], struct terminal *out)
{
	struct slice key = slice_of(peer_key, TERMINAL_KEY_BYTES);
	struct bytes value = { 0 };

	enum status st = db_get(db, account, TABLE_TERMINALS, key, &value);
	if (st == STATUS_OK)
		st = decode(out, key, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

enum status binding_db_terminals(struct db *db, const struct id *account,
    struct terminal out[static ACCOUNT_TERMINALS_MAX], size_t *count_out,
    uint64_t *generation_out)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	enum status st = db_scan(db, account, TABLE_TERMINALS, all, all,
	    ACCOUNT_TERMINALS_MAX, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st =
		    decode(&out[i], page.entries[i].key, page.entries[i].value);
	if (st == STATUS_OK) {
		*count_out = page.count;
		if (generation_out)
			*generation_out = page.generation;
	}
	db_page_clear(&page);
	return st;
}

void binding_db_put_terminal(
    struct db_batch *batch, const struct terminal *terminal)
{
	uint8_t row[TERMINAL_ROW_BYTES_MAX];
	struct name names[TERMINAL_NAMES_MAX];
	size_t count = binding_db_names(names, terminal);

	db_batch_put(batch, TABLE_TERMINALS,
	    slice_of(terminal->peer_key, TERMINAL_KEY_BYTES),
	    slice_of(row, encode(row, terminal)));
	for (size_t i = 0; i < count; i++)
		names_confirm(batch, (uint8_t)names[i].space, names[i].text);
}

static enum status count_account(
    struct db *db, const struct id *account, size_t *count_out)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };

	enum status st = db_scan(db, account, TABLE_TERMINALS, all, all,
	    ACCOUNT_TERMINALS_MAX, false, &page);
	*count_out = page.count;
	db_page_clear(&page);
	return st;
}

enum status binding_db_count(
    struct db *db, uint64_t *terminals_out, uint64_t *accounts_out)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id *after = NULL;
	enum status st = STATUS_OK;

	*terminals_out = *accounts_out = 0;
	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			size_t terminals;
			st = count_account(db, &accounts[i].id, &terminals);
			*terminals_out += terminals;
			*accounts_out += terminals > 0;
		}
		after = &accounts[nitems(accounts) - 1].id;
	}
	return st;
}
