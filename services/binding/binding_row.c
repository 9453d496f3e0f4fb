#include "binding_row.h"

#include <assert.h>
#include <string.h>

static uint8_t *put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);

	*at++ = (uint8_t)len;
	memcpy(at, text, len);
	return at + len;
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

/* ---- terminals ---- */

size_t terminal_row_encode(
    uint8_t out[static TERMINAL_ROW_BYTES_MAX], const struct terminal *terminal)
{
	uint8_t *at = out;

	*at++ = terminal->first;
	memcpy(at, terminal->id.bytes, ID_BYTES);
	at += ID_BYTES;
	put_be64(at, terminal->bound_ms);
	at = put_text(at + 8, terminal->imei);
	at = put_text(at, terminal->serial);
	at = put_text(at, terminal->label);
	return (size_t)(at - out);
}

enum status terminal_row_decode(struct terminal *out, struct slice row)
{
	if (row.len < TERMINAL_ROW_HEAD_BYTES)
		return STATUS_MALFORMED;
	out->first = row.data[0] != 0;
	memcpy(out->id.bytes, row.data + 1, ID_BYTES);
	out->bound_ms = get_be64(row.data + 1 + ID_BYTES);
	struct slice rest = slice_of(row.data + TERMINAL_ROW_HEAD_BYTES,
	    row.len - TERMINAL_ROW_HEAD_BYTES);
	enum status st = cut_text(out->imei, IMEI_DIGITS, &rest);
	if (st == STATUS_OK)
		st = cut_text(out->serial, TERMINAL_SERIAL_BYTES_MAX, &rest);
	if (st == STATUS_OK)
		st = cut_text(out->label, TERMINAL_LABEL_BYTES_MAX, &rest);
	if (st == STATUS_OK && rest.len > 0)
		st = STATUS_MALFORMED;
	return st;
}

/* ---- entries ---- */

size_t entry_row_encode(
    uint8_t out[static ENTRY_ROW_BYTES_MAX], const struct entry *entry)
{
	uint8_t *at = out;
	enum status st = iccid_encode(at, entry->iccid);

	assert(st == STATUS_OK); /* entry_check has seen it */
	(void)st;
	at += ICCID_BYTES;
	put_be64(at, entry->first_save_ms);
	put_be64(at + 8, entry->last_update_ms);
	at = put_text(at + 16, entry->number);
	memcpy(at, entry->data, entry->data_len);
	return (size_t)(at - out) + entry->data_len;
}

enum status entry_row_decode(struct entry *out, struct slice row)
{
	if (row.len < ENTRY_ROW_HEAD_BYTES)
		return STATUS_MALFORMED;
	enum status st =
	    iccid_decode(out->iccid, slice_of(row.data, ICCID_BYTES));
	out->first_save_ms = get_be64(row.data + ICCID_BYTES);
	out->last_update_ms = get_be64(row.data + ICCID_BYTES + 8);
	struct slice rest = slice_of(
	    row.data + ENTRY_ROW_HEAD_BYTES, row.len - ENTRY_ROW_HEAD_BYTES);
	if (st == STATUS_OK)
		st = cut_text(out->number, ENTRY_NUMBER_BYTES_MAX, &rest);
	if (st == STATUS_OK && rest.len > ENTRY_DATA_BYTES_MAX)
		st = STATUS_MALFORMED;
	if (st == STATUS_OK && rest.len > 0)
		memcpy(out->data, rest.data, rest.len);
	out->data_len = rest.len;
	return st;
}
