#include "hostile_db.h"

#include "../../services/auth/journal_db.c"

/*
 * Damaged rows of auth's journal; the first byte chooses what is read.
 *
 * Must hold: a lane that is read keeps to its bounds whatever is done to it,
 * and can be written and read again.
 */

static const struct id request = { "a try" };

/* What anybody may do to a lane, at any time. */
static void use_lane(struct lane *lane, uint64_t now_ms)
{
	uint64_t retry_ms = 0;

	lane_age(lane, now_ms);
	must(lane_remaining(lane) <= LANE_TRIES_MAX);
	(void)lane_opens_ms(lane, now_ms);
	(void)lane_take(lane, &request, now_ms, &retry_ms);
	(void)lane_fail(lane, &request, now_ms);
	lane_give_back(lane, &request);
	lane_renew(lane);
	(void)lane_unlock(lane);
	must(lane->tries_count <= LANE_TRIES_MAX);
}

static void read_lane(struct slice input, enum lane_kind kind)
{
	struct lane lane, again;
	uint8_t value[LANE_BYTES];

	if (lane_parse(&lane, kind, input) != STATUS_OK)
		return;
	lane_format(value, &lane);
	must(lane_parse(&again, kind, slice_of(value, sizeof(value))) ==
	     STATUS_OK);
	use_lane(&lane, 1000000000000);
	use_lane(&again, UINT64_MAX);
}

static void list_lanes(void)
{
	const struct id account = HOSTILE_ACCOUNT;
	struct lane_cursor cursor = { 0 };
	struct lane_listed listed[2];
	size_t count = 0;

	(void)journal_db_shut_lanes(
	    NULL, &account, 1000000000000, &cursor, listed, 2, &count);
	must(count <= nitems(listed));
}

static void read_times(void)
{
	const struct subject subject = { HOSTILE_ACCOUNT, true };
	const uint8_t hash[INVITATION_HASH_BYTES] = { 0 };
	struct slice rows = hostile_rows;
	uint64_t time_ms;

	(void)journal_db_moment(NULL, &subject, MOMENT_INVITED, &time_ms);
	hostile_rows = rows;
	(void)journal_db_invitation(NULL, &subject, hash, &time_ms);
}

/* Room is made in a table of anything. */
static void make_room(void)
{
	const struct subject subject = { .account = HOSTILE_ACCOUNT };
	struct db_batch *batch = hostile_batch();

	(void)journal_db_put_moment(
	    NULL, batch, &subject, MOMENT_NOTHING, 1000000000000);
	db_batch_destroy(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 5;

	hostile_rows = input;
	switch (choice) {
	case 0:
		read_lane(input, LANE_BOUND);
		break;
	case 1:
		read_lane(input, LANE_STRANGER);
		break;
	case 2:
		list_lanes();
		break;
	case 3:
		read_times();
		break;
	default:
		make_room();
		break;
	}
	return 0;
}
