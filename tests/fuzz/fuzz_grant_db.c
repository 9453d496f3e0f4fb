#include "hostile_db.h"

#include "../../services/auth/grant_db.c"

/*
 * Damaged rows of grants; the first byte chooses how they are read.
 *
 * Must hold: what is read gives no more than can be given, and can be
 * written and sent.
 */
static void check(struct db_batch *batch, const struct grant *grant)
{
	Common__Direction directions[GRANT_DIRECTIONS_MAX];
	size_t count = grant_directions(directions, grant);

	must(count > 0 && count <= GRANT_DIRECTIONS_MAX);
	must(!grant_allows(grant, DIRECTION_DOWNLOAD));
	must(!grant_allows(grant, DIRECTION_MANAGE));
	grant_db_put(batch, grant);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct id terminal = { { 7 } };
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 2;
	struct db_batch *batch = hostile_batch();
	struct grant *list = NULL, grant;
	size_t count = 0;

	hostile_rows = input;
	if (choice == 0 && grant_db_get(NULL, &HOSTILE_ACCOUNT, &terminal,
			       &grant) == STATUS_OK)
		check(batch, &grant);
	if (choice == 1 &&
	    grant_db_list(NULL, &HOSTILE_ACCOUNT, &list, &count) == STATUS_OK)
		for (size_t i = 0; i < count; i++)
			check(batch, &list[i]);
	free(list);
	db_batch_destroy(&batch);
	return 0;
}
