#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup.h"
#include "base/file.h"
#include "base/util.h"
#include "service/backup_manifest.h"
#include "service/formats.h"
#include "service/ledger.h"
#include "service/settings.h"

/*
 * Putting a backup back, while its service is stopped.  Every step is a
 * rename, or can be done again: cut short anywhere, the service has the
 * former database or the restored one.
 */

#define PATH_BYTES 4096
#define COPY_BYTES (1024u * 1024)
#define KEPT_BYTES (PATH_BYTES + 64)

static const struct {
	const char *service;
	uint32_t format;
} formats[] = {
	{ "auth", FORMAT_AUTH },
	{ "store", FORMAT_STORE },
	{ "binding", FORMAT_BINDING },
	{ "notify", FORMAT_NOTIFY },
};

struct restore {
	struct ops *ops;
	const char *service, *from, *data, *ledger;
	struct backup_manifest manifest;
	bool ledger_too;
	int lock_fd;       /* the data folder's, held so that none starts */
	struct stat owner; /* of the data folder: whose the files are to be */
	char when[32];
};

static bool refuse(struct restore *self, enum exit_code code, const char *why)
{
	fprintf(stderr, "keepsakectl: %s: %s\n", self->from, why);
	self->ops->exit_code = code;
	return false;
}

static bool failed(struct restore *self, const char *path, const char *step)
{
	fprintf(
	    stderr, "keepsakectl: %s: %s: %s\n", path, step, strerror(errno));
	self->ops->exit_code = EXIT_FAILED;
	return false;
}

static void path_join(
    char out[static PATH_BYTES], const char *folder, const char *name)
{
	if (snprintf(out, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES)
		out[0] = '\0';
}

/*
 * Root does as the owner of the data folder would: what is made is theirs, and
 * a link that they have put there leads no further than they come themselves.
 */
static bool act_as(struct restore *self, uid_t user, gid_t group)
{
	if (getuid() != 0 ||
	    (seteuid(0) == 0 && setegid(group) == 0 && seteuid(user) == 0))
		return true;
	return failed(self, self->data, "cannot act as its owner");
}

static bool act_as_owner(struct restore *self)
{
	return act_as(self, self->owner.st_uid, self->owner.st_gid);
}

/* ---- is it what it should be? ---- */

static bool check_manifest(struct restore *self)
{
	const char *why = "it cannot be read";
	uint32_t format = 0;

	enum status st =
	    backup_manifest_load(&self->manifest, self->from, &why);
	if (st == STATUS_OK &&
	    strcmp(self->manifest.service, self->service) != 0)
		return refuse(
		    self, EXIT_REFUSED, "it is another service's backup");
	for (size_t i = 0; i < nitems(formats); i++)
		if (strcmp(formats[i].service, self->service) == 0)
			format = formats[i].format;
	if (st == STATUS_OK && self->manifest.database.format > format)
		return refuse(self, EXIT_REFUSED,
		    "its database is of a newer version of Keepsake: update "
		    "first");
	if (st == STATUS_OK)
		st = backup_files_check(&self->manifest, self->from, &why);
	if (st != STATUS_OK)
		return refuse(self,
		    st == STATUS_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_FAILED, why);
	if (self->ledger_too &&
	    (!backup_manifest_file(&self->manifest, BACKUP_KEYS) ||
		!backup_manifest_file(&self->manifest, BACKUP_JOURNAL)))
		return refuse(self, EXIT_NOT_FOUND,
		    "there is no copy of the ledger in it");
	return true;
}

/* Whoever serves the database has this lock; held, none can begin to. */
static bool lock_data(struct restore *self)
{
	char path[PATH_BYTES];

	if (folder_make(self->data) != STATUS_OK ||
	    stat(self->data, &self->owner) != 0)
		return failed(self, self->data, "cannot be used");
	if (!act_as_owner(self))
		return false;
	path_join(path, self->data, "owner.lock");
	self->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (self->lock_fd < 0)
		return failed(self, path, "cannot be opened");
	if (flock(self->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	fprintf(stderr, "keepsakectl: keepsake-%s is running: stop it first\n",
	    self->service);
	self->ops->exit_code = EXIT_REFUSED;
	return false;
}

/* ---- putting files in place ---- */

static bool copy_bytes(struct restore *self, int in, int out, const char *to)
{
	uint8_t *buffer = malloc(COPY_BYTES);
	ssize_t got = -1;

	while (buffer && (got = read(in, buffer, COPY_BYTES)) > 0)
		if (!file_write(out, slice_of(buffer, (size_t)got))) {
			got = -1;
			break;
		}
	free(buffer);
	if (got != 0 || fsync(out) != 0)
		return failed(self, to, "cannot be written");
	return true;
}

/* Copy a file of the backup beside its place, then give it that name. */
static bool put(struct restore *self, const char *from, const char *to)
{
	char fresh[PATH_BYTES];
	bool done = false;
	int in, out = -1;

	if (snprintf(fresh, sizeof(fresh), "%s.restoring", to) >= PATH_BYTES)
		fresh[0] = '\0';
	/* The backup may be root's. */
	if (!act_as(self, getuid(), getgid()))
		return false;
	in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0)
		return failed(self, from, "cannot be read");
	if (!act_as_owner(self)) {
		close(in);
		return false;
	}
	unlink(fresh);
	out = open(
	    fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		failed(self, fresh, "cannot be made");
	else
		done = copy_bytes(self, in, out, fresh);
	if (done &&
	    (rename(fresh, to) != 0 || file_sync_folder(to) != STATUS_OK))
		done = failed(self, to, "cannot be put in place");
	if (!done)
		unlink(fresh);
	if (out >= 0)
		close(out);
	close(in);
	return done;
}

/* What is above it may be root's, and it may be a link of the operator's. */
static bool make_ledger(struct restore *self)
{
	if (!act_as(self, getuid(), getgid()))
		return false;
	if (folder_make(self->ledger) != STATUS_OK ||
	    lchown(self->ledger, self->owner.st_uid, self->owner.st_gid) != 0)
		return failed(self, self->ledger, "cannot be made");
	return act_as_owner(self);
}

/* ---- the database ---- */

/* Give the former database a second name, which nothing has yet. */
static bool keep_former(struct restore *self, const char *path,
    char kept[static KEPT_BYTES], bool *had_out)
{
	int rc = -1;

	errno = EEXIST;
	for (unsigned int n = 1; rc != 0 && errno == EEXIST && n < 100; n++) {
		int len = snprintf(
		    kept, KEPT_BYTES, "%s.replaced-%s", path, self->when);
		if (n > 1)
			snprintf(
			    kept + len, KEPT_BYTES - (size_t)len, "-%u", n);
		rc = link(path, kept);
	}
	*had_out = rc == 0;
	if (rc == 0 || errno == ENOENT)
		return true;
	return failed(self, kept, "cannot be made");
}

static bool put_database(struct restore *self)
{
	char from[PATH_BYTES], to[PATH_BYTES], lock[PATH_BYTES];
	char kept[KEPT_BYTES];
	bool had;

	path_join(from, self->from, BACKUP_DATABASE);
	path_join(to, self->data, "data.mdb");
	path_join(lock, self->data, "lock.mdb");
	/* The former one has two names until the restored one has its own. */
	if (!keep_former(self, to, kept, &had))
		return false;
	unlink(lock); /* of readers of the former one */
	if (!put(self, from, to)) {
		if (had)
			unlink(kept);
		return false;
	}
	printf("%s: the database of %s is in %s\n", self->service, self->from,
	    self->data);
	if (had)
		printf("%s: the former one is %s: remove it when all is "
		       "well\n",
		    self->service, kept);
	return true;
}

/* ---- the ledger ---- */

/* What the journal that is there says of itself; none: it never served. */
static bool read_journal(struct restore *self, bool *there, struct id *out)
{
	char path[PATH_BYTES];
	struct db *journal = NULL;

	*out = (struct id){ 0 };
	path_join(path, self->ledger, "journal/data.mdb");
	*there = access(path, F_OK) == 0;
	if (!*there)
		return true;
	enum status st =
	    ledger_open_journal(&journal, self->ledger, self->service);
	if (st == STATUS_OK)
		st = ledger_id(journal, out);
	db_close(&journal);
	if (st == STATUS_OK)
		return true;
	fprintf(stderr,
	    "keepsakectl: %s: the journal that is there: %s: move it away to "
	    "have the copy put back\n",
	    path, status_text(st));
	self->ops->exit_code = EXIT_FAILED;
	return false;
}

/* The service goes through these at its next start: see ledger.h. */
static bool put_marks(struct restore *self)
{
	char list[PATH_BYTES], to[PATH_BYTES];

	path_join(list, self->from, "../" BACKUP_DELETED);
	path_join(to, self->ledger, LEDGER_DELETED);
	if (access(list, F_OK) == 0) {
		if (!put(self, list, to))
			return false;
	} else {
		fprintf(stderr,
		    "keepsakectl: %s: no list of deleted accounts: who was "
		    "deleted since this backup may come back\n",
		    list);
	}
	path_join(to, self->ledger, LEDGER_RESTORED);
	path_join(list, self->from, BACKUP_MANIFEST);
	return put(self, list, to);
}

static bool put_ledger(struct restore *self, bool replace_journal)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	path_join(to, self->ledger, "journal");
	if (!make_ledger(self))
		return false;
	if (folder_make(to) != STATUS_OK)
		return failed(self, to, "cannot be made");
	if (!put_marks(self))
		return false;
	if (replace_journal) {
		path_join(from, self->from, BACKUP_JOURNAL);
		path_join(to, self->ledger, "journal/lock.mdb");
		unlink(to);
		path_join(to, self->ledger, "journal/data.mdb");
		if (!put(self, from, to))
			return false;
		printf("%s: journal put back\n", self->service);
	} else {
		printf("%s: the journal that is there is kept: it is newer\n",
		    self->service);
	}
	path_join(to, self->ledger, "account.keys");
	if (access(to, F_OK) == 0) {
		printf("%s: the account.keys that is there is kept: it is "
		       "newer\n",
		    self->service);
		return true;
	}
	path_join(from, self->from, BACKUP_KEYS);
	if (!put(self, from, to))
		return false;
	printf("%s: account.keys put back\n", self->service);
	return true;
}

/* Whether ledger and database belong together, or will. */
static bool check_ledger(struct restore *self, bool *replace_journal_out)
{
	char path[PATH_BYTES];
	struct id found;
	bool there;

	if (!read_journal(self, &there, &found))
		return false;
	*replace_journal_out = !there || id_is_none(&found);
	if (!id_is_none(&found) && !id_equal(&found, &self->manifest.ledger))
		return refuse(self, EXIT_REFUSED,
		    "it is of another server, or the ledger was begun anew "
		    "since: keys and journal do not belong to it");
	path_join(path, self->ledger, "account.keys");
	if (self->ledger_too || access(path, F_OK) == 0)
		return true;
	fprintf(stderr,
	    "keepsakectl: there is no %s: put your newest copy of it there, "
	    "or say --with-ledger to have the copy of this backup put back\n",
	    path);
	self->ops->exit_code = EXIT_NOT_FOUND;
	return false;
}

void command_restore(struct ops *self, int argc, char **argv)
{
	time_t now = time(NULL);
	struct tm broken;
	struct restore restore = {
		.ops = self,
		.service = backup_service(argv[0]),
		.from = self->options.from,
		.lock_fd = -1,
	};
	bool replace_journal = false;

	(void)argc;
	restore.ledger_too =
	    self->options.with_ledger || self->options.ledger_only;
	if (!restore.service || !restore.from) {
		if (restore.service)
			fprintf(stderr, "keepsakectl: which backup? --from "
					"FOLDER\n");
		self->exit_code = EXIT_USAGE;
		return;
	}
	restore.data = conf_text(self->conf, restore.service, "data");
	restore.ledger = conf_text(self->conf, restore.service, "ledger");
	gmtime_r(&now, &broken);
	strftime(
	    restore.when, sizeof(restore.when), "%Y-%m-%dT%H%M%SZ", &broken);
	if (check_manifest(&restore) && lock_data(&restore) &&
	    check_ledger(&restore, &replace_journal) &&
	    (!restore.ledger_too || put_ledger(&restore, replace_journal)) &&
	    !self->options.ledger_only)
		put_database(&restore);
	if (restore.lock_fd >= 0)
		close(restore.lock_fd);
}
