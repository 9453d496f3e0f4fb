#include "hostile_db.h"

#include "../../services/auth/sessions_db.c"

/*
 * Damaged rows of sessions.
 *
 * Must hold: no more are listed than there may be, each is of a direction
 * that there is, and a login can always add its own.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct session list[SESSIONS_MAX];
	struct db_batch *batch = hostile_batch();
	struct ticket ticket = {
		.direction = DIRECTION_UPLOAD,
		.account = HOSTILE_ACCOUNT,
		.issued_ms = 1,
		.expiry_ms = 2,
	};
	size_t count = 0;

	hostile_rows = slice_of(data, len);
	if (sessions_list(NULL, &HOSTILE_ACCOUNT, list, &count) == STATUS_OK) {
		must(count <= SESSIONS_MAX);
		for (size_t i = 0; i < count; i++) {
			must(list[i].direction > DIRECTION_NONE &&
			     list[i].direction < DIRECTION_COUNT);
			must(session_ends_ms(&list[i]) >= list[i].expiry_ms);
		}
	}
	hostile_rows = slice_of(data, len);
	(void)sessions_put(NULL, batch, &ticket);
	db_batch_destroy(&batch);
	return 0;
}
