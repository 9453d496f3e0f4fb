#ifndef KEEPSAKE_SERVICE_BACKUP_H
#define KEEPSAKE_SERVICE_BACKUP_H

#include <stdbool.h>

#include "base/conf.h"
#include "bus/loop.h"
#include "db/db.h"
#include "service/order.h"

/*
 * Hot backups (O-04): the handler of BACKUP, and the thread that copies the
 * database, then the account keys, then the journal, into a folder of its own
 * below [SERVICE] backups.  In this order what a copy refers to is in what was
 * copied later: no row is without its key for another reason than that its
 * account was deleted meanwhile, and the journal knows that.
 *
 *   BACKUPS/NAME/manifest, data.mdb, ledger-copy/account.keys, journal.mdb
 *   BACKUPS/.NAME.part/   while it is made; such a folder is no backup
 *   BACKUPS/deleted       see deletions.h
 */
struct backup;
struct exchange;

struct backup_options {
	const struct conf *conf;
	const char *service; /* borrowed for good */
	struct loop *loop;
	struct db *db, *journal;
	/* A backup was made, on the loop's thread; or NULL. */
	void (*made)(void *arg, const char *name);
	void *arg;
};

enum status backup_new(
    struct backup **out, const struct backup_options *options);

/** Give up what is under way; nothing of it is left. */
void backup_destroy(struct backup **self_p);

/** Whether account.keys is being copied, so must not be exchanged. */
bool backup_runs(const struct backup *self);

/** An account was deleted: note it beside the backups, if there are any. */
void backup_note_deletion(struct backup *self, const struct order *order);

/** The handler of BACKUP; ${self} NULL: NOT_FOUND. */
enum status backup_on_backup(struct backup *self, struct exchange *exchange);

#endif
