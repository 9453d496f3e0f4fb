#ifndef KEEPSAKE_NOTIFY_ROWS_H
#define KEEPSAKE_NOTIFY_ROWS_H

#include "notify_db.h"

/*
 * For notify_db*.c only: the keys and values of notify's rows.
 *
 * NOTICE is stored_ms (8) and id (16): keys grow with time.
 *
 * Values are sealed under the account's key (K-08), those of TOLD_TIMES
 * excepted, which say nothing.  What is sealed:
 *
 * Table        Key               Version 1, then
 * TOLD         id                stored_ms (8)
 * TOLD_TIMES   NOTICE            nothing
 * ARRIVED      NOTICE            the notice, packed
 * NOTICES      NOTICE            count (1), terminals left (16 each), packed
 * DELIVERIES   terminal, NOTICE  attempts (4), due_ms (8)
 * LETTERS      NOTICE, terminal  gave_up_ms (8), attempts (4), packed; the
 *                                terminal is none where none was known
 * LEASES       terminal          opened_ms (8), issued_ms (8), nonce (16),
 *                                peer (32)
 * RULES        "rules"           notify.Rules, packed; none: as usual
 *
 * In format 1 of the database the same was there in clear.
 */
enum table {
	TABLE_TOLD = 1,
	TABLE_TOLD_TIMES,
	TABLE_ARRIVED,
	TABLE_NOTICES,
	TABLE_DELIVERIES,
	TABLE_LETTERS,
	TABLE_LEASES,
	TABLE_RULES = 0x30,
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

/** Seal a row; what goes wrong is db_submit's answer. */
void row_put(struct notify_db *self, struct db_batch *batch,
    const struct id *account, enum table table, struct slice key,
    struct slice value);

/** Read a row, opened; results as sealed_row_get. */
enum status row_get(struct notify_db *self, const struct id *account,
    enum table table, struct slice key, struct bytes *value_out);

/** Open a row that was scanned; results as sealed_row_open. */
enum status row_open(struct notify_db *self, const struct id *account,
    enum table table, const struct db_entry *entry, struct bytes *value_out);

/** Add a notice that has arrived, whether or not its id was told before. */
void put_arrived(struct notify_db *self, struct db_batch *batch,
    const struct id *account, const struct notice_key *key,
    struct slice packed);

/** Open a row of ARRIVED; ${packed_out} lies in ${value_out}. */
enum status read_arrived(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct bytes *value_out,
    struct slice *packed_out);

/** A row of NOTICES: who has it still to get, and the notice itself. */
struct notice_row {
	struct recipients left;
	struct slice packed; /* lies in the value it was read from */
};

/** Open a row of NOTICES; ${out} lies in ${value_out}. */
enum status read_notice(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct bytes *value_out,
    struct notice_row *out);

/** Read the opened ${value} of a row of DELIVERIES, all but the terminal. */
enum status decode_delivery(
    struct delivery *out, struct slice key, struct slice value);

/** Read a row of DELIVERIES that was scanned; all but the terminal. */
enum status read_delivery(struct notify_db *self, const struct id *account,
    const struct db_entry *entry, struct delivery *out);

/** Unpack a row of RULES, opened; results as check_row. */
enum status decode_rules(
    struct rules *out, struct slice key, struct slice value);

#endif
