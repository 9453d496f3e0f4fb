#include "hostile_db.h"

#include "../../services/store/store_db.c"

static void chunks(struct db_batch *batch)
{
	struct chunk_id id = { { 0 } };
	struct chunk chunk;

	while (hostile_rows.len > 0) {
		if (store_db_chunk(NULL, &HOSTILE_ACCOUNT, &id, &chunk) !=
		    STATUS_OK)
			continue;
		must(chunk.sealed_bytes <= BLOB_BYTES_MAX);
		must(chunk.refs_count <= NODE_REFS_MAX);
		store_db_put_chunk(batch, &id, &chunk);
	}
}

static void leases(struct db_batch *batch)
{
	struct db_page page = { 0 };
	struct slice all = { 0 };
	struct lease lease;

	if (store_db_leases(NULL, &HOSTILE_ACCOUNT, all, &page) == STATUS_OK)
		for (size_t i = 0; i < page.count; i++)
			if (store_db_lease_unpack(&lease, page.entries[i].key,
				page.entries[i].value) == STATUS_OK)
				store_db_touch_lease(batch, &lease);
	db_page_clear(&page);
}

static void snapshots(struct db_batch *batch)
{
	struct db_page page = { 0 };
	struct snapshot snapshot;

	if (store_db_snapshots(NULL, &HOSTILE_ACCOUNT, 0, DB_PAGE_ENTRIES_MAX,
		&page) != STATUS_OK)
		goto out;
	for (size_t i = 0; i < page.count; i++) {
		if (store_db_snapshot_unpack(&snapshot, page.entries[i].key,
			page.entries[i].value) != STATUS_OK)
			continue;
		must(snapshot.sealed_key.len <= SEALED_KEY_BYTES_MAX);
		must(snapshot.sealed_summary.len <= SEALED_SUMMARY_BYTES_MAX);
		store_db_put_snapshot(batch, &snapshot);
	}
out:
	db_page_clear(&page);
}

/*
 * Damaged rows of the store; the first byte chooses what is read.
 *
 * Must hold: what is read has lengths within their bounds, and can be
 * written.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 5;
	struct db_batch *batch = hostile_batch();
	struct usage usage;
	uint64_t number;

	hostile_rows = input;
	switch (choice) {
	case 0:
		chunks(batch);
		break;
	case 1:
		leases(batch);
		break;
	case 2:
		snapshots(batch);
		break;
	case 3:
		if (store_db_usage(NULL, &HOSTILE_ACCOUNT, &usage) == STATUS_OK)
			store_db_put_usage(batch, &usage);
		if (store_db_swept(NULL, &HOSTILE_ACCOUNT, &number) ==
		    STATUS_OK)
			store_db_put_swept(batch, number);
		break;
	default:
		store_db_last_ordinal(NULL, &HOSTILE_ACCOUNT, &number);
		break;
	}
	db_batch_destroy(&batch);
	return 0;
}
