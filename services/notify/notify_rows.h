#ifndef KEEPSAKE_NOTIFY_ROWS_H
#define KEEPSAKE_NOTIFY_ROWS_H

#include "notify_db.h"

/*
 * For notify_db*.c only: the keys and values of notify's rows.
 *
 * NOTICE is stored_ms (8) and id (16): keys grow with time.
 *
 * Table        Key               Value, version 1 first
 * TOLD         id                stored_ms (8)
 * TOLD_TIMES   NOTICE            nothing
 * ARRIVED      NOTICE            the notice, packed
 * NOTICES      NOTICE            count (1), terminals left (16 each), packed
 * DELIVERIES   terminal, NOTICE  attempts (4), due_ms (8)
 * LETTERS      NOTICE, terminal  gave_up_ms (8), attempts (4), packed; the
 *                                terminal is none where none was known
 * LEASES       terminal          opened_ms (8), issued_ms (8), nonce (16),
 *                                peer (32)
 */
enum table {
	TABLE_TOLD = 1,
	TABLE_TOLD_TIMES,
	TABLE_ARRIVED,
	TABLE_NOTICES,
	TABLE_DELIVERIES,
	TABLE_LETTERS,
	TABLE_LEASES,
};

#define ROW_VERSION 1

#define NOTICE_KEY_BYTES   (8 + ID_BYTES)
#define DELIVERY_KEY_BYTES (ID_BYTES + NOTICE_KEY_BYTES)
#define LETTER_KEY_BYTES   (NOTICE_KEY_BYTES + ID_BYTES)

#define TOLD_BYTES        (1 + 8)
#define LETTER_HEAD_BYTES (1 + 8 + 4)

void put_notice_key(
    uint8_t out[static NOTICE_KEY_BYTES], const struct notice_key *key);
void get_notice_key(struct notice_key *out, const uint8_t *at);

/**
 * Whether a row has our version and the lengths its table wants.
 *
 * STATUS_VERSION    newer than this code; logged
 * STATUS_MALFORMED  damaged; logged
 */
enum status check_row(const char *table, struct slice key, size_t key_bytes,
    struct slice value, size_t value_bytes_min, size_t value_bytes_max);

/** Add a notice that has arrived, whether or not its id was told before. */
void put_arrived(
    struct db_batch *batch, const struct notice_key *key, struct slice packed);

/** Read a row of DELIVERIES; all but the terminal. */
enum status decode_delivery(
    struct delivery *out, struct slice key, struct slice value);

#endif
