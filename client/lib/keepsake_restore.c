#include "keepsake.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/util.h"
#include "category.h"
#include "keepsake_internal.h"
#include "restore.h"

/* What the callbacks of a restore are given. */
struct listener {
	const struct keepsake_restore *what;
	enum category category; /* only this one; 0: all */
	struct slice path;      /* only this, and what is below; empty: all */
	bool found;             /* the path */
	bool lost;              /* a part of the list, where it may be */
};

static void on_progress(void *arg, const struct restore_progress *progress)
{
	const struct listener *listener = arg;
	const struct keepsake_progress passed = {
		.files = progress->files,
		.files_total = progress->files_total,
		.bytes = progress->bytes,
		.bytes_total = progress->bytes_total,
		.moved_bytes = progress->bytes_fetched,
	};

	listener->what->progress(listener->what->arg, &passed);
}

static void on_skipped(
    void *arg, enum restore_skip skip, const char *path, int error)
{
	const struct listener *listener = arg;
	const struct keepsake_restore *what = listener->what;

	if (error == ECANCELED)
		return; /* not this file's fault: --resume goes on with it */
	report_path(
	    what->report, what->arg, path, restore_skip_text(skip), error);
}

static bool is_below(const struct listener *listener, const struct entry *entry)
{
	struct slice path = bytes_slice(&entry->path);
	size_t len = listener->path.len;

	return len == 0 ||
	       (path.len >= len &&
		   memcmp(path.data, listener->path.data, len) == 0 &&
		   (path.len == len || path.data[len] == '/'));
}

/* The folders that a wanted file is in are made as it needs them. */
static bool is_wanted(void *arg, const struct entry *entry)
{
	const struct listener *listener = arg;

	return is_below(listener, entry) &&
	       (listener->category == 0 ||
		   entry->category == listener->category);
}

/* Look for the path, and no further. */
static bool on_look(void *arg, const struct entry *entry)
{
	struct listener *listener = arg;

	listener->found = is_below(listener, entry);
	return !listener->found;
}

/* The restore meets it again, and reports it. */
static void on_lost(
    void *arg, enum restore_skip skip, const char *path, int error)
{
	struct listener *listener = arg;

	(void)skip;
	(void)path;
	(void)error;
	listener->lost = true;
}

/* Before anything is written: whether the path is there, or may be. */
static enum status find_path(struct keepsake *self, struct listener *listener,
    const struct snapshot *snapshot)
{
	const struct restore_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.snapshot = snapshot,
		.key = self->snapshot_key,
		.report = on_lost,
		.arg = listener,
	};

	if (listener->path.len == 0)
		return STATUS_OK;
	enum status st = snapshot_entries(&options, on_look, listener);
	if (st != STATUS_OK)
		return snapshot_refuse(self, st, snapshot);
	if (listener->found || listener->lost)
		return STATUS_OK;
	remote_restore_end(self->remote, 0, 0, 0);
	return call_refuse(self, STATUS_NOT_FOUND,
	    "see what is in it: keepsake show",
	    "%s: no such path in snapshot %llu", listener->what->path,
	    (unsigned long long)snapshot->ordinal);
}

/* Where to: as was said, or where it came from. */
static enum status find_target(struct keepsake *self,
    const struct keepsake_restore *what, const struct snapshot *snapshot,
    char out[static KEEPSAKE_FOLDER_BYTES_MAX + 1])
{
	struct summary summary;

	if (what->target &&
	    !text_copy(out, KEEPSAKE_FOLDER_BYTES_MAX + 1, what->target))
		return call_refuse(self, STATUS_TOO_LARGE,
		    "name a folder by a shorter path",
		    "the target's path is too long");
	if (what->target)
		return STATUS_OK;
	enum status st = summary_open(&summary, &self->account_keys->account,
	    self->snapshot_key, snapshot);
	if (st != STATUS_OK)
		return snapshot_refuse(self, st, snapshot);
	text_copy(out, KEEPSAKE_FOLDER_BYTES_MAX + 1, summary.folder);
	sodium_memzero(&summary, sizeof(summary));
	if (out[0] != '\0')
		return STATUS_OK;
	remote_restore_end(self->remote, 0, 0, 0);
	return call_refuse(self, STATUS_NOT_FOUND, "say where to: --target DIR",
	    "snapshot %llu does not say which folder it is of",
	    (unsigned long long)snapshot->ordinal);
}

static enum status refuse_restore(struct keepsake *self, enum status status,
    const char *target, const struct snapshot *snapshot)
{
	bool remote_said = remote_detail(self->remote)[0] != '\0';

	if (status == STATUS_PENDING)
		return call_refuse(self, status,
		    "the same command with --resume goes on from there",
		    "interrupted");
	if (status == STATUS_CONFLICT && !remote_said)
		return call_refuse(self, status,
		    "name a new or empty folder; --resume goes on with one "
		    "that was begun, and replaces what differs",
		    "%s: the target is not empty", target);
	if (status == STATUS_DENIED && !remote_said)
		return call_refuse(self, status,
		    "name a folder that you may write to",
		    "%s: the target cannot be made or opened", target);
	if (status == STATUS_NO_SPACE && !remote_said)
		return call_refuse(self, status, "make room, then use --resume",
		    "%s: no space left, or no memory", target);
	return snapshot_refuse(self, status, snapshot);
}

static enum status run_restore(struct keepsake *self, struct listener *listener,
    const struct snapshot *snapshot, struct keepsake_restore_result *out)
{
	const struct keepsake_restore *what = listener->what;
	bool in_place = what->target == NULL;
	struct restore_result result;
	enum status st = find_path(self, listener, snapshot);

	if (st == STATUS_OK)
		st = find_target(self, what, snapshot, out->target);
	if (st != STATUS_OK)
		return st;
	const struct restore_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.snapshot = snapshot,
		.key = self->snapshot_key,
		.target = out->target,
		.merge = what->resume || in_place,
		.keep = in_place && !what->overwrite,
		.verify = what->verify,
		.owner = geteuid() == 0,
		.cancel = what->cancel,
		.filter = what->path || what->category ? is_wanted : NULL,
		.progress = what->progress ? on_progress : NULL,
		.report = what->report ? on_skipped : NULL,
		.arg = listener,
	};
	st = restore_run(&options, &result);
	if (st != STATUS_OK)
		return refuse_restore(self, st, out->target, snapshot);
	out->snapshot = snapshot->ordinal;
	out->files = result.files;
	out->written = result.written;
	out->there = result.skipped[RESTORE_THERE];
	out->verified = result.verified;
	out->bytes = result.bytes;
	out->bytes_fetched = result.bytes_fetched;
	for (size_t i = 0; i < nitems(result.skipped); i++)
		if (i != RESTORE_THERE)
			out->skipped += result.skipped[i];
	return STATUS_OK;
}

/* As a person may write it: "./photos/", "photos". */
static enum status read_path(
    struct keepsake *self, const char *text, struct slice *out)
{
	struct slice path = slice_text(text);

	while (path.len > 1 && path.data[0] == '.' && path.data[1] == '/')
		path = slice_of(path.data + 2, path.len - 2);
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	*out = path;
	if (path_is_valid(path))
		return STATUS_OK;
	return call_refuse(self, STATUS_NOT_FOUND,
	    "name it as keepsake show does: from the folder that was backed "
	    "up on, without a slash before it",
	    "%s: not a path within a snapshot", text);
}

enum status keepsake_restore(struct keepsake *self,
    const struct keepsake_restore *what, struct keepsake_restore_result *out)
{
	struct listener listener = { .what = what };
	struct snapshot snapshot = { 0 };
	enum status st = STATUS_OK;

	*out = (struct keepsake_restore_result){ 0 };
	call_begin(self);
	if (what->category)
		st = category_from_word(&listener.category, what->category);
	if (st != STATUS_OK)
		return call_refuse(self, STATUS_NOT_FOUND,
		    "the man page lists them: keepsake(1)",
		    "%s: no such category", what->category);
	if (what->path)
		st = read_path(self, what->path, &listener.path);
	if (st == STATUS_OK)
		st = snapshot_begin(self, what->which, &snapshot);
	if (st == STATUS_OK)
		st = run_restore(self, &listener, &snapshot, out);
	if (st == STATUS_OK)
		remote_restore_end(
		    self->remote, snapshot.ordinal, out->files, out->skipped);
	snapshot_clear(&snapshot);
	call_end(self);
	return st;
}
