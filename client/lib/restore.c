#include "restore_internal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

/* A restore as a whole: what is in the manifest, entry by entry. */

#define HANDLES_MAX 256 /* folders and files open at once */

/* clang-format off */
static const char *const skips[] = {
	[RESTORE_THERE]   = "is there already",
	[RESTORE_DAMAGED] = "is damaged in the store",
	[RESTORE_DIFFERS] = "differs when read again",
	[RESTORE_REFUSED] = "cannot be written",
	[RESTORE_NO_LINK] = "is another name of a file that is not restored",
	[RESTORE_LOST]    = "what follows it is lost: the list of files is damaged in the store",
	[RESTORE_KEPT]    = "is there already, and is not the same; --overwrite replaces it",
};
/* clang-format on */
_Static_assert(nitems(skips) == RESTORE_SKIP_COUNT, "one text each");

/** What is set or made once all files are there. */
struct later {
	struct later *next;
	struct entry entry; /* a folder or a hard link */
};

const char *restore_skip_text(enum restore_skip skip)
{
	assert((unsigned int)skip < RESTORE_SKIP_COUNT);
	return skips[skip];
}

/* ---- counting ---- */

void restore_fail(struct restore *self, enum status status)
{
	pthread_mutex_lock(&self->lock);
	if (self->status == STATUS_OK)
		self->status = status;
	pthread_mutex_unlock(&self->lock);
}

enum status restore_status(struct restore *self)
{
	const atomic_bool *cancel = self->options->cancel;

	pthread_mutex_lock(&self->lock);
	enum status st = self->status;
	pthread_mutex_unlock(&self->lock);
	if (st == STATUS_OK && cancel && atomic_load(cancel))
		st = STATUS_PENDING;
	return st;
}

void restore_skipped(struct restore *self, enum restore_skip why,
    const struct entry *entry, int error)
{
	bool full = why == RESTORE_REFUSED &&
		    (error == ENOSPC || error == EDQUOT || error == EROFS);

	pthread_mutex_lock(&self->lock);
	self->result->skipped[why]++;
	self->result->verified += why == RESTORE_THERE && self->options->verify;
	if (full && self->status == STATUS_OK)
		self->status = STATUS_NO_SPACE;
	if (self->options->report && why != RESTORE_THERE)
		self->options->report(self->options->arg, why,
		    (const char *)entry->path.data, error);
	pthread_mutex_unlock(&self->lock);
}

void restore_written(struct restore *self, bool verified)
{
	pthread_mutex_lock(&self->lock);
	self->result->written++;
	self->result->verified += verified;
	pthread_mutex_unlock(&self->lock);
}

static void progress_tell(struct restore *self)
{
	struct restore_progress progress;

	if (!self->options->progress)
		return;
	pthread_mutex_lock(&self->lock);
	const struct restore_result *result = self->result;
	progress = (struct restore_progress){ .files = result->written,
		.files_total = result->summary.files,
		.bytes = atomic_load(&self->bytes),
		.bytes_fetched = result->bytes_fetched };
	for (size_t i = 0; i < RESTORE_SKIP_COUNT; i++)
		progress.files += result->skipped[i];
	for (size_t i = 0; i < CATEGORY_COUNT; i++)
		progress.bytes_total += result->summary.categories[i].bytes;
	pthread_mutex_unlock(&self->lock);
	self->options->progress(self->options->arg, &progress);
}

/* ---- entries ---- */

static enum status file_restore(struct restore *self, struct folder **folder_p,
    const char *name, struct entry *entry)
{
	struct output *output = NULL;
	uint64_t at = 0;
	enum status st = STATUS_OK;

	if (restore_is_there(self, *folder_p, name, entry)) {
		restore_skipped(self, RESTORE_THERE, entry, 0);
		return STATUS_OK;
	}
	if (restore_keeps(self, *folder_p, name)) {
		restore_skipped(self, RESTORE_KEPT, entry, 0);
		return STATUS_OK;
	}
	output = output_new(self, folder_p, entry);
	if (!output)
		return STATUS_NO_SPACE;
	entry = &output->entry;
	/* Of one piece, or none: whoever has that opens it. */
	if (entry->extents_count > 1 && !output_open(output))
		goto out;
	for (size_t i = 0; i < entry->extents_count && st == STATUS_OK; i++) {
		const struct extent *extent = &entry->extents[i];
		const struct write write = { output, at, extent->offset,
			(uint32_t)extent->length };
		at += extent->length;
		if (!extent->hole)
			st = chunk_want(self, &extent->chunk, &write);
	}
	if (st != STATUS_OK)
		output_fail(output, RESTORE_REFUSED, ENOMEM);
out:
	output_release(&output);
	return st;
}

/**
 * Remove the temporary name, whatever became of it: between two names of one
 * file renaming leaves both.  Keeps errno.
 */
static void temporary_drop(const struct folder *folder, const char *temporary)
{
	int error = errno;

	unlinkat(folder->fd, temporary, 0);
	errno = error;
}

/** Whether a link with the same target is there already. */
static bool symlink_is_there(
    const struct folder *folder, const char *name, const struct entry *entry)
{
	char target[PATH_BYTES_MAX + 1];
	ssize_t len = readlinkat(folder->fd, name, target, sizeof(target));

	return len >= 0 && slice_equal(slice_of(target, (size_t)len),
			       bytes_slice(&entry->target));
}

static void symlink_restore(struct restore *self, const struct folder *folder,
    const char *name, const struct entry *entry)
{
	char temporary[RESTORE_TEMPORARY_BYTES];
	struct timespec times[2];
	const char *target = (const char *)entry->target.data;

	if (restore_keeps(self, folder, name)) {
		restore_skipped(self,
		    symlink_is_there(folder, name, entry) ? RESTORE_THERE
							  : RESTORE_KEPT,
		    entry, 0);
		return;
	}
	restore_temporary(temporary, entry);
	restore_times(times, entry);
	unlinkat(folder->fd, temporary, 0);
	bool done =
	    symlinkat(target, folder->fd, temporary) == 0 &&
	    utimensat(folder->fd, temporary, times, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (!self->options->owner ||
		fchownat(folder->fd, temporary, entry->user, entry->group,
		    AT_SYMLINK_NOFOLLOW) == 0) &&
	    restore_name(self, folder, temporary, name);
	temporary_drop(folder, temporary);
	if (!done)
		restore_skipped(self, restore_why(self, errno), entry, errno);
	else
		restore_written(self, false);
}

static enum status later_add(struct later **list, struct entry *entry)
{
	struct later *later = calloc(1, sizeof(*later));

	if (!later)
		return STATUS_NO_SPACE;
	later->entry = *entry;
	*entry = (struct entry){ 0 };
	later->next = *list;
	*list = later;
	return STATUS_OK;
}

static void later_clear(struct later **list)
{
	while (*list) {
		struct later *next = (*list)->next;
		entry_clear(&(*list)->entry);
		free(*list);
		*list = next;
	}
}

/** Restore ${entry}, or note it for later; may be moved away. */
static enum status entry_restore(struct restore *self, struct entry *entry)
{
	const char *name;
	struct slice above = restore_split(&entry->path, &name);
	struct folder *folder = NULL;
	enum status st = STATUS_OK;

	self->result->files++;
	if (entry->type == ENTRY_HARD_LINK)
		return later_add(&self->links, entry);
	if (entry->type == ENTRY_FOLDER)
		above = bytes_slice(&entry->path);
	if (entry->type == ENTRY_FOLDER && self->options->keep &&
	    restore_has_folder(self, entry)) {
		restore_skipped(self, RESTORE_THERE, entry, 0);
		return STATUS_OK;
	}
	if (atomic_load(&self->handles) >= HANDLES_MAX)
		chunks_drain(self);
	folder = folder_get(self, above);
	if (!folder) {
		restore_skipped(self, RESTORE_REFUSED, entry, errno);
		return STATUS_OK;
	}
	switch (entry->type) {
	case ENTRY_FILE:
		st = file_restore(self, &folder, name, entry);
		break;
	case ENTRY_FOLDER:
		st = later_add(&self->folders, entry);
		break;
	case ENTRY_SYMLINK:
		symlink_restore(self, folder, name, entry);
		break;
	case ENTRY_HARD_LINK:
		break;
	}
	folder_release(self, &folder);
	return st;
}

static bool is_same_file(
    const struct folder *folder, const char *name, const struct stat *as)
{
	struct stat stat;

	return fstatat(folder->fd, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
	       stat.st_dev == as->st_dev && stat.st_ino == as->st_ino;
}

/**
 * Whether ${name}, which the hard link ${entry} leads to, is there as it was
 * backed up.  Where there were files before, it may be one that was kept, or
 * that nobody asked to restore: its time tells, which all names share.
 */
static bool first_is_there(const struct restore *self,
    const struct folder *folder, const char *name, const struct entry *entry,
    struct stat *stat_out)
{
	return folder &&
	       fstatat(folder->fd, name, stat_out, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(stat_out->st_mode) &&
	       (!self->options->merge ||
		   stat_out->st_mtim.tv_sec == entry->mtime_s);
}

static void link_make(struct restore *self, const struct entry *entry)
{
	char temporary[RESTORE_TEMPORARY_BYTES];
	const char *name, *first_name;
	struct slice above = restore_split(&entry->path, &name);
	struct slice first_above = restore_split(&entry->target, &first_name);
	struct folder *first = folder_find(self, first_above);
	struct folder *folder = NULL;
	struct stat stat;

	if (!first_is_there(self, first, first_name, entry, &stat)) {
		restore_skipped(self, RESTORE_NO_LINK, entry, 0);
		goto out;
	}
	folder = folder_get(self, above);
	if (!folder) {
		restore_skipped(self, RESTORE_REFUSED, entry, errno);
		goto out;
	}
	if (restore_keeps(self, folder, name)) {
		restore_skipped(self,
		    is_same_file(folder, name, &stat) ? RESTORE_THERE
						      : RESTORE_KEPT,
		    entry, 0);
		goto out;
	}
	restore_temporary(temporary, entry);
	unlinkat(folder->fd, temporary, 0);
	bool done =
	    linkat(first->fd, first_name, folder->fd, temporary, 0) == 0 &&
	    restore_name(self, folder, temporary, name);
	temporary_drop(folder, temporary);
	if (!done)
		restore_skipped(self, restore_why(self, errno), entry, errno);
	else
		restore_written(self, false);
out:
	folder_release(self, &first);
	folder_release(self, &folder);
}

/** Make the hard links, now that what they lead to is there. */
static void links_make(struct restore *self)
{
	for (struct later *at = self->links; at; at = at->next)
		link_make(self, &at->entry);
}

/** Give folders their attributes: the deepest first, nothing follows. */
static void folders_finish(struct restore *self)
{
	for (struct later *at = self->folders; at; at = at->next) {
		struct entry *entry = &at->entry;
		struct folder *folder =
		    folder_get(self, bytes_slice(&entry->path));
		if (!folder || !restore_attributes(self, folder->fd, entry))
			restore_skipped(self, RESTORE_REFUSED, entry, errno);
		else
			restore_written(self, false);
		folder_release(self, &folder);
	}
}

/* ---- the whole ---- */

static enum status target_open(struct restore *self)
{
	const char *target = self->options->target;
	const struct dirent *found;
	enum status st = STATUS_OK;

	if (mkdir(target, RESTORE_FOLDER_MODE) < 0 && errno != EEXIST)
		return errno == ENOSPC ? STATUS_NO_SPACE : STATUS_DENIED;
	self->root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self->root < 0)
		return STATUS_DENIED;
	if (self->options->merge)
		return STATUS_OK;
	DIR *stream = opendir(target);
	if (!stream)
		return STATUS_DENIED;
	while (st == STATUS_OK && (found = readdir(stream)) != NULL)
		if (strcmp(found->d_name, ".") != 0 &&
		    strcmp(found->d_name, "..") != 0)
			st = STATUS_CONFLICT;
	closedir(stream);
	return st;
}

/** A part of the manifest is damaged: what is in it cannot be named. */
static void on_lost(void *arg, const char *behind, const char *broken)
{
	struct restore *self = arg;
	enum restore_skip why = broken ? RESTORE_DAMAGED : RESTORE_LOST;

	pthread_mutex_lock(&self->lock);
	self->result->files++;
	self->result->skipped[why]++;
	if (self->options->report)
		self->options->report(self->options->arg, why,
		    broken ? broken : (*behind ? behind : "."), 0);
	pthread_mutex_unlock(&self->lock);
}

/** Open the summary, and the manifest with it. */
static enum status manifest_begin(struct restore *self)
{
	const struct restore_options *options = self->options;
	struct chunk_name root = { .id = options->snapshot->root };
	struct summary *summary = &self->result->summary;
	enum status st = summary_open(
	    summary, &options->keys->account, options->key, options->snapshot);

	if (st != STATUS_OK)
		return st;
	memcpy(root.key, summary->root_key, CHUNK_KEY_BYTES);
	sodium_memzero(summary->root_key, CHUNK_KEY_BYTES);
	st = remote_restore_begin(options->remote);
	if (st != STATUS_OK)
		return st;
	self->fetcher = node_fetcher_new(options->remote, options->keys);
	if (self->fetcher) {
		struct node_source source = node_fetcher_source(self->fetcher);
		self->reader = manifest_reader_new(&source, &root);
	}
	sodium_memzero(&root, sizeof(root));
	return self->reader ? STATUS_OK : STATUS_NO_SPACE;
}

/**
 * Whether ${entry} is to be restored, and by which name: OK, or NOT_FOUND
 * where it is not.
 */
static enum status entry_choose(struct restore *self, struct entry *entry)
{
	const struct restore_options *options = self->options;

	if (options->filter && !options->filter(options->arg, entry))
		return name_take(self, entry);
	return entry->type == ENTRY_HARD_LINK ? name_follow(self, entry)
					      : STATUS_OK;
}

static enum status entries_restore(struct restore *self)
{
	struct entry entry = { 0 };
	enum status st;

	while ((st = restore_status(self)) == STATUS_OK) {
		st = manifest_reader_next(self->reader, &entry);
		if (st != STATUS_OK)
			break;
		st = entry_choose(self, &entry);
		if (st == STATUS_NOT_FOUND)
			continue;
		if (st == STATUS_OK)
			st = entry_restore(self, &entry);
		if (st != STATUS_OK)
			break;
		progress_tell(self);
	}
	entry_clear(&entry);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

enum status restore_run(
    const struct restore_options *options, struct restore_result *result_out)
{
	struct restore self = { .options = options,
		.result = result_out,
		.root = -1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.arrived = PTHREAD_COND_INITIALIZER,
		.landed = PTHREAD_COND_INITIALIZER };
	enum status st;

	*result_out = (struct restore_result){ 0 };
	st = manifest_begin(&self);
	if (st == STATUS_OK)
		manifest_reader_tolerate(self.reader, on_lost, &self);
	if (st == STATUS_OK)
		st = names_gather(&self);
	if (st == STATUS_OK)
		st = target_open(&self);
	if (st == STATUS_OK)
		st = restore_threads_start(&self);
	if (st == STATUS_OK)
		st = entries_restore(&self);
	if (st != STATUS_OK)
		restore_fail(&self, st);
	if (self.threads_count > 0)
		chunks_drain(&self);
	st = restore_status(&self);
	if (st == STATUS_OK) {
		links_make(&self);
		folders_finish(&self);
		st = restore_status(&self);
	}
	result_out->bytes = atomic_load(&self.bytes);
	if (st == STATUS_OK)
		progress_tell(&self);
	restore_threads_end(&self);
	folder_release(&self, &self.folder);
	later_clear(&self.folders);
	later_clear(&self.links);
	names_clear(&self);
	manifest_reader_destroy(&self.reader);
	node_fetcher_destroy(&self.fetcher);
	if (self.root >= 0)
		close(self.root);
	pthread_cond_destroy(&self.landed);
	pthread_cond_destroy(&self.arrived);
	pthread_mutex_destroy(&self.lock);
	return st;
}

enum status snapshot_entries(
    const struct restore_options *options, snapshot_entry_fn *each, void *arg)
{
	struct restore_result result = { 0 };
	struct restore self = { .options = options,
		.result = &result,
		.lock = PTHREAD_MUTEX_INITIALIZER };
	struct entry entry = { 0 };
	enum status st = manifest_begin(&self);

	if (st == STATUS_OK)
		manifest_reader_tolerate(self.reader, on_lost, &self);
	while (st == STATUS_OK) {
		st = manifest_reader_next(self.reader, &entry);
		if (st == STATUS_OK && !each(arg, &entry))
			break;
	}
	entry_clear(&entry);
	manifest_reader_destroy(&self.reader);
	node_fetcher_destroy(&self.fetcher);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}
