#include <string.h>

#include "notify_rows.h"

/* Subscriptions, as the rows of notify have them. */

#define LEASE_BYTES (1 + 8 + 8 + TICKET_NONCE_BYTES + TICKET_PEER_BYTES)

static enum status decode_lease(
    struct lease *out, struct slice key, struct slice value)
{
	enum status st =
	    check_row("leases", key, ID_BYTES, value, LEASE_BYTES, LEASE_BYTES);
	if (st != STATUS_OK)
		return st;
	memcpy(out->terminal.bytes, key.data, ID_BYTES);
	out->opened_ms = get_be64(value.data + 1);
	out->issued_ms = get_be64(value.data + 9);
	memcpy(out->nonce, value.data + 17, TICKET_NONCE_BYTES);
	memcpy(
	    out->peer, value.data + 17 + TICKET_NONCE_BYTES, TICKET_PEER_BYTES);
	return STATUS_OK;
}

static enum status read_lease(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct lease *out)
{
	struct bytes value = { 0 };

	enum status st = row_open(self, account, TABLE_LEASES, entry, &value);
	if (st == STATUS_OK)
		st = decode_lease(out, entry->key, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

enum status notify_db_lease(struct notify_db *self, const struct id *account,
    const struct id *terminal, struct lease *out)
{
	struct slice key = slice_of(terminal->bytes, ID_BYTES);
	struct bytes value = { 0 };

	enum status st = row_get(self, account, TABLE_LEASES, key, &value);
	if (st == STATUS_OK)
		st = decode_lease(out, key, bytes_slice(&value));
	bytes_clear(&value);
	return st;
}

void notify_db_put_lease(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct lease *lease)
{
	uint8_t row[LEASE_BYTES];

	row[0] = ROW_VERSION;
	put_be64(row + 1, lease->opened_ms);
	put_be64(row + 9, lease->issued_ms);
	memcpy(row + 17, lease->nonce, TICKET_NONCE_BYTES);
	memcpy(row + 17 + TICKET_NONCE_BYTES, lease->peer, TICKET_PEER_BYTES);
	row_put(self, batch, account, TABLE_LEASES,
	    slice_of(lease->terminal.bytes, ID_BYTES),
	    slice_of(row, sizeof(row)));
}

void notify_db_delete_lease(struct db_batch *batch, const struct id *terminal)
{
	db_batch_delete(
	    batch, TABLE_LEASES, slice_of(terminal->bytes, ID_BYTES));
}

enum status notify_db_leases(struct notify_db *self, const struct id *account,
    struct lease out[static LEASES_A_PAGE], size_t *count_out)
{
	struct slice whole = { 0 }; /* the table */
	struct db_page page = { 0 };

	enum status st = db_scan(self->db, account, TABLE_LEASES, whole, whole,
	    LEASES_A_PAGE, false, &page);
	for (size_t i = 0; i < page.count && st == STATUS_OK; i++)
		st = read_lease(self, account, &page.entries[i], &out[i]);
	*count_out = page.count;
	db_page_clear(&page);
	return st;
}
