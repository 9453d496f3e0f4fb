#include "service/backup.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "ops.pb-c.h"
#include "service/backup_manifest.h"
#include "service/deletions.h"
#include "service/ledger.h"
#include "service/server.h"

#define PATH_BYTES 4096
#define COPY_BYTES (256u * 1024)

/* What is asked for, and what came of it. */
struct job {
	char name[BACKUP_NAME_BYTES_MAX + 1];
	struct id set;
	bool ledger; /* copied too */
	enum status status;
	struct backup_manifest manifest;
	uint64_t bytes; /* of the files */
};

struct backup {
	struct backup_options options;
	const char *folder; /* BACKUPS */
	char keys[PATH_BYTES];
	int event_fd;
	struct db_copy_progress progress;

	/* The thread's alone while it runs, else the loop's. */
	struct job job;
	bool runs, done; /* done: job says what came of it */
	pthread_t thread;
};

/* ---- files ---- */

static void path_join(
    char out[static PATH_BYTES], const char *folder, const char *name)
{
	/* Cut short it is no path: what it is for fails, and is logged. */
	if (snprintf(out, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES)
		out[0] = '\0';
}

static enum status fault(const char *path, const char *step)
{
	char quoted[LOG_QUOTED_BYTES];
	enum status st = errno == ENOSPC || errno == EDQUOT
			     ? STATUS_NO_SPACE
			     : STATUS_UNAVAILABLE;

	log_error(NULL, "backup_fault", "step=%s path=%s error=\"%s\"", step,
	    log_quoted(quoted, path), strerror(errno));
	return st;
}

static void remove_part(const char *folder)
{
	static const char *const names[] = { BACKUP_DATABASE, BACKUP_JOURNAL,
		BACKUP_KEYS, BACKUP_MANIFEST };
	char path[PATH_BYTES];

	for (size_t i = 0; i < nitems(names); i++) {
		path_join(path, folder, names[i]);
		unlink(path);
	}
	path_join(path, folder, BACKUP_LEDGER);
	rmdir(path);
	rmdir(folder);
}

/* What was left by one who was killed. */
static void remove_parts(const struct backup *self)
{
	char path[PATH_BYTES];
	const struct dirent *found;
	DIR *all = opendir(self->folder);

	while (all && (found = readdir(all))) {
		if (fnmatch(".*.part", found->d_name, 0) != 0)
			continue;
		path_join(path, self->folder, found->d_name);
		remove_part(path);
	}
	if (all)
		closedir(all);
}

/* A plain copy, synced. */
static enum status copy_file(
    struct backup *self, const char *from, const char *to)
{
	enum status st = STATUS_OK;
	uint8_t *buffer = malloc(COPY_BYTES);
	ssize_t got = 0;
	int out = -1, in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (!buffer || in < 0) {
		st = buffer ? fault(from, "open") : STATUS_NO_SPACE;
		goto out;
	}
	out = open(
	    to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0) {
		st = fault(to, "make");
		goto out;
	}
	while (st == STATUS_OK && (got = read(in, buffer, COPY_BYTES)) > 0)
		if (atomic_load(&self->progress.stop))
			st = STATUS_UNAVAILABLE;
		else if (!file_write(out, slice_of(buffer, (size_t)got)))
			st = fault(to, "write");
	if (got < 0)
		st = fault(from, "read");
	if (st == STATUS_OK && fsync(out) != 0)
		st = fault(to, "sync");
out:
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	free(buffer);
	return st;
}

/* ---- the thread ---- */

static enum status add_file(
    struct job *job, const char *folder, const char *name)
{
	char path[PATH_BYTES];
	struct backup_file *file =
	    &job->manifest.files[job->manifest.files_count++];

	path_join(path, folder, name);
	file->name = name;
	enum status st = backup_file_hash(file, path);
	job->bytes += file->bytes;
	return st;
}

static enum status copy_database(struct backup *self, struct db *db,
    const char *folder, const char *name, struct db_copied *out)
{
	char path[PATH_BYTES];

	path_join(path, folder, name);
	enum status st = db_copy(db, path, &self->progress, out);
	return st == STATUS_OK ? add_file(&self->job, folder, name) : st;
}

static enum status copy_ledger(struct backup *self, const char *folder)
{
	char path[PATH_BYTES];
	struct db_copied unused;

	path_join(path, folder, BACKUP_LEDGER);
	if (mkdir(path, 0700) != 0)
		return fault(path, "make");
	path_join(path, folder, BACKUP_KEYS);
	enum status st = copy_file(self, self->keys, path);
	if (st == STATUS_OK)
		st = add_file(&self->job, folder, BACKUP_KEYS);
	if (st == STATUS_OK)
		st = copy_database(self, self->options.journal, folder,
		    BACKUP_JOURNAL, &unused);
	return st == STATUS_OK ? file_sync_folder(path) : st;
}

static enum status write_manifest(const struct job *job, const char *folder)
{
	char path[PATH_BYTES];
	struct bytes text = { 0 };

	path_join(path, folder, BACKUP_MANIFEST);
	enum status st = backup_manifest_write(&text, &job->manifest);
	if (st == STATUS_OK)
		st = file_create(path, bytes_slice(&text), 0600);
	bytes_clear(&text);
	return st;
}

static enum status make(struct backup *self, const char *part)
{
	struct job *job = &self->job;
	char path[PATH_BYTES];

	remove_parts(self);
	if (mkdir(part, 0700) != 0)
		return fault(part, "make");
	snprintf(job->manifest.service, sizeof(job->manifest.service), "%s",
	    self->options.service);
	snprintf(job->manifest.version, sizeof(job->manifest.version), "%s",
	    KEEPSAKE_VERSION);
	job->manifest.set = job->set;
	enum status st =
	    ledger_id(self->options.journal, &job->manifest.ledger);
	if (st == STATUS_OK)
		st = copy_database(self, self->options.db, part,
		    BACKUP_DATABASE, &job->manifest.database);
	if (st == STATUS_OK && job->ledger)
		st = copy_ledger(self, part);
	if (st == STATUS_OK)
		st = write_manifest(job, part);
	path_join(path, self->folder, BACKUP_DELETED);
	if (st == STATUS_OK)
		st = deletions_write(path, self->options.journal);
	path_join(path, self->folder, job->name);
	if (st == STATUS_OK && rename(part, path) != 0)
		st = fault(path, "rename");
	return st == STATUS_OK ? file_sync_folder(path) : st;
}

static void *run(void *arg)
{
	struct backup *self = arg;
	char part[PATH_BYTES], name[BACKUP_NAME_BYTES_MAX + 8];

	snprintf(name, sizeof(name), ".%s.part", self->job.name);
	path_join(part, self->folder, name);
	self->job.status = make(self, part);
	if (self->job.status != STATUS_OK)
		remove_part(part);
	eventfd_write(self->event_fd, 1);
	return NULL;
}

static void on_event(void *arg)
{
	struct backup *self = arg;
	eventfd_t count;

	if (eventfd_read(self->event_fd, &count) != 0 || !self->runs)
		return;
	pthread_join(self->thread, NULL);
	self->runs = false;
	self->done = true;
	if (self->job.status != STATUS_OK) {
		log_error(NULL, "backup_failed", "name=%s status=%s",
		    self->job.name, status_word(self->job.status));
		return;
	}
	log_info(NULL, "backup_made", "name=%s point_ms=%llu bytes=%llu",
	    self->job.name,
	    (unsigned long long)self->job.manifest.database.point_ms,
	    (unsigned long long)self->job.bytes);
	if (self->options.made)
		self->options.made(self->options.arg, self->job.name);
}

/* ---- life ---- */

enum status backup_new(
    struct backup **out, const struct backup_options *options)
{
	struct backup *self = calloc(1, sizeof(*self));

	*out = NULL;
	if (!self)
		return STATUS_NO_SPACE;
	self->options = *options;
	self->folder = conf_text(options->conf, options->service, "backups");
	snprintf(self->keys, sizeof(self->keys), "%s/account.keys",
	    conf_text(options->conf, options->service, "ledger"));
	self->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	enum status st = STATUS_UNAVAILABLE;
	if (self->event_fd >= 0)
		st = loop_watch_fd(
		    options->loop, self->event_fd, on_event, self);
	if (st != STATUS_OK) {
		if (self->event_fd >= 0)
			close(self->event_fd);
		free(self);
		return st;
	}
	*out = self;
	return STATUS_OK;
}

void backup_destroy(struct backup **self_p)
{
	assert(self_p);
	struct backup *self = *self_p;
	if (!self)
		return;
	atomic_store(&self->progress.stop, true);
	if (self->runs)
		pthread_join(self->thread, NULL);
	loop_forget_fd(self->options.loop, self->event_fd);
	close(self->event_fd);
	free(self);
	*self_p = NULL;
}

bool backup_runs(const struct backup *self)
{
	return self && self->runs;
}

void backup_note_deletion(struct backup *self, const struct order *order)
{
	char path[PATH_BYTES];

	path_join(path, self->folder, BACKUP_DELETED);
	deletions_note(path, order);
}

/* ---- the handler ---- */

static enum status begin(struct backup *self, struct exchange *x)
{
	char path[PATH_BYTES];
	sigset_t all, before;

	if (folder_make(self->folder) != STATUS_OK)
		return exchange_refuse(x, STATUS_UNAVAILABLE,
		    "[%s] backups: the folder cannot be made: see the log",
		    self->options.service);
	path_join(path, self->folder, self->job.name);
	if (access(path, F_OK) == 0)
		return exchange_refuse(x, STATUS_CONFLICT,
		    "there is a backup of this name: give another");
	atomic_store(&self->progress.bytes, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&self->thread, NULL, run, self);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	self->runs = rc == 0;
	return rc == 0 ? STATUS_OK : STATUS_NO_SPACE;
}

static bool is_same(const struct job *a, const struct job *b)
{
	return strcmp(a->name, b->name) == 0 && id_equal(&a->set, &b->set) &&
	       a->ledger == b->ledger;
}

static enum status read_request(struct job *out, struct exchange *x)
{
	Ops__Backup *message;

	*out = (struct job){ 0 };
	enum status st = exchange_unpack(x, &ops__backup__descriptor, &message);
	if (st != STATUS_OK)
		return st;
	if (!backup_name_ok(message->name))
		return exchange_refuse(x, STATUS_MALFORMED,
		    "name: 1 to %d letters, digits, \".\", \"_\" and \"-\", "
		    "not \".\" first",
		    BACKUP_NAME_BYTES_MAX);
	if (id_from(&out->set, field_slice(message->set_id)) != STATUS_OK)
		return exchange_refuse(
		    x, STATUS_MALFORMED, "set_id: not 16 bytes");
	memcpy(out->name, message->name, strlen(message->name) + 1);
	out->ledger = !message->no_ledger;
	return STATUS_OK;
}

static enum status reply_state(struct backup *self, struct exchange *x)
{
	Ops__BackupState reply = OPS__BACKUP_STATE__INIT;
	const struct db_copied *database = &self->job.manifest.database;
	char folder[PATH_BYTES];

	reply.done = !self->runs;
	reply.bytes = atomic_load(&self->progress.bytes);
	path_join(folder, self->folder, self->job.name);
	reply.folder = folder;
	if (reply.done) {
		reply.bytes = self->job.bytes;
		reply.point_ms = database->point_ms;
		reply.format = database->format;
		reply.accounts = database->accounts;
		reply.ledger = self->job.ledger;
	}
	return exchange_reply(x, &reply.base);
}

enum status backup_on_backup(struct backup *self, struct exchange *x)
{
	struct job job;

	if (!self)
		return exchange_refuse(
		    x, STATUS_NOT_FOUND, "this process has no database");
	enum status st = read_request(&job, x);
	if (st != STATUS_OK)
		return st;
	if (self->runs && !is_same(&self->job, &job))
		return exchange_retry(
		    x, STATUS_BUSY, 1000, "another backup is being made");
	if (!self->runs && !(self->done && is_same(&self->job, &job))) {
		self->done = false;
		self->job = job;
		st = begin(self, x);
		if (st != STATUS_OK)
			return st;
	}
	if (self->done && self->job.status != STATUS_OK) {
		self->done = false; /* asked again, it is tried again */
		return exchange_refuse(
		    x, self->job.status, "no backup was made: see the log");
	}
	return reply_state(self, x);
}
