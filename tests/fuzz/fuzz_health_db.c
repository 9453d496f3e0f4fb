#include "hostile_db.h"

#include "../../services/store/health_db.c"

static void damage(struct db_batch *batch)
{
	struct chunk_id id = { { 0 } };
	struct damage damage;

	while (hostile_rows.len > 0) {
		if (health_db_damage(NULL, &HOSTILE_ACCOUNT, &id, &damage) !=
		    STATUS_OK)
			continue;
		must(*damage_word(damage.kind) != '\0');
		health_db_put_damage(batch, &id, &damage);
	}
}

static void quotas(struct db_batch *batch)
{
	struct quota quota;
	enum quota_told told;
	uint64_t told_ms;

	if (health_db_quota(NULL, &HOSTILE_ACCOUNT, &quota) == STATUS_OK)
		health_db_put_quota(batch, &quota);
	if (health_db_quota_told(NULL, &HOSTILE_ACCOUNT, &told) == STATUS_OK)
		health_db_put_quota_told(batch, told, QUOTA_TOLD_HARD);
	if (health_db_told(NULL, &HOSTILE_ACCOUNT, &told_ms) == STATUS_OK)
		health_db_put_told(batch, told_ms, 1);
}

/*
 * Damaged rows of what the store knows of its health; the first byte chooses
 * what is read.
 *
 * Must hold: what is read can be written, and comes to the same bytes.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 4;
	struct db_batch *batch = hostile_batch();
	uint8_t again[SCRUB_PLACE_BYTES];
	struct scrub_place place;
	struct drill drill;

	hostile_rows = input;
	switch (choice) {
	case 0:
		damage(batch);
		break;
	case 1:
		quotas(batch);
		break;
	case 2:
		if (health_db_drill(NULL, &HOSTILE_ACCOUNT, &drill) !=
		    STATUS_OK)
			break;
		must(drill.failed <= drill.files);
		health_db_put_drill(batch, &drill);
		break;
	default:
		if (health_db_scrub_unpack(&place, input) != STATUS_OK)
			break;
		health_db_scrub_pack(again, &place);
		must(slice_equal(input, slice_of(again, sizeof(again))));
		break;
	}
	db_batch_destroy(&batch);
	return 0;
}
