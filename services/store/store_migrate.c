#include "base/util.h"
#include "store_db.h"

/*
 * From the formats before 3, in which the last ordinal was that of the last
 * snapshot: no snapshot could be deleted.  The row is written account by
 * account; a crash leaves those that have it, which are passed over then.
 */

#define ACCOUNTS_A_STEP 256

static void on_written(
    void *arg, enum status status, uint64_t generation, size_t failed_op)
{
	enum status *failed = arg;

	(void)generation;
	(void)failed_op;
	if (*failed == STATUS_OK)
		*failed = status;
}

/* ${failed} becomes what a batch is decided as, unless that is OK. */
static enum status migrate_account(
    struct db *db, const struct id *account, enum status *failed)
{
	uint64_t last = 0, highest = 0;

	enum status st = store_db_last_ordinal(db, account, &last);
	if (st == STATUS_OK)
		st = store_db_highest_snapshot(db, account, &highest);
	if (st != STATUS_OK || last >= highest)
		return st;
	struct db_batch *batch = db_batch_new(account, DB_GENERATION_ANY, NULL);
	store_db_put_last_ordinal(batch, highest);
	st = db_submit_patient(db, &batch, on_written, failed);
	db_batch_destroy(&batch);
	return st == STATUS_PENDING ? STATUS_OK : st;
}

enum status store_db_migrate(struct db *db, uint32_t from)
{
	struct db_account accounts[ACCOUNTS_A_STEP];
	size_t count = nitems(accounts);
	struct id last, *after = NULL;
	enum status failed = STATUS_OK;
	enum status st = from < STORE_DB_FORMAT ? STATUS_OK : STATUS_VERSION;

	while (st == STATUS_OK && count == nitems(accounts)) {
		st = db_accounts(db, after, accounts, nitems(accounts), &count);
		for (size_t i = 0; i < count && st == STATUS_OK; i++)
			if (!accounts[i].removed)
				st = migrate_account(
				    db, &accounts[i].id, &failed);
		if (st == STATUS_OK && count > 0)
			last = accounts[count - 1].id;
		after = &last;
	}
	db_drain(db);
	return st == STATUS_OK ? failed : st;
}
