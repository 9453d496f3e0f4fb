#include "keepsake.h"

#include <errno.h>
#include <unistd.h>

#include "base/util.h"
#include "category.h"
#include "keepsake_internal.h"
#include "restore.h"

/* What the callbacks of a restore are given. */
struct listener {
	const struct keepsake_restore *what;
	enum category category; /* only this one; 0: all */
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

/* The folders that a wanted file is in are made as it needs them. */
static bool is_wanted(void *arg, const struct entry *entry)
{
	const struct listener *listener = arg;

	return entry->category == listener->category;
}

static enum status refuse_restore(struct keepsake *self, enum status status,
    const struct keepsake_restore *what, const struct snapshot *snapshot)
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
		    "%s: the target is not empty", what->target);
	if (status == STATUS_DENIED && !remote_said)
		return call_refuse(self, status,
		    "name a folder that you may write to",
		    "%s: the target cannot be made or opened", what->target);
	if (status == STATUS_NO_SPACE && !remote_said)
		return call_refuse(self, status, "make room, then use --resume",
		    "%s: no space left, or no memory", what->target);
	return snapshot_refuse(self, status, snapshot);
}

static enum status run_restore(struct keepsake *self,
    const struct keepsake_restore *what, enum category category,
    const struct snapshot *snapshot, struct keepsake_restore_result *out)
{
	struct listener listener = { what, category };
	const struct restore_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.snapshot = snapshot,
		.key = self->snapshot_key,
		.target = what->target,
		.merge = what->resume,
		.verify = what->verify,
		.owner = geteuid() == 0,
		.cancel = what->cancel,
		.filter = category != 0 ? is_wanted : NULL,
		.progress = what->progress ? on_progress : NULL,
		.report = what->report ? on_skipped : NULL,
		.arg = &listener,
	};
	struct restore_result result;
	enum status st = restore_run(&options, &result);

	if (st != STATUS_OK)
		return refuse_restore(self, st, what, snapshot);
	*out = (struct keepsake_restore_result){
		.snapshot = snapshot->ordinal,
		.files = result.files,
		.written = result.written,
		.there = result.skipped[RESTORE_THERE],
		.verified = result.verified,
		.bytes = result.bytes,
		.bytes_fetched = result.bytes_fetched,
	};
	for (size_t i = 0; i < nitems(result.skipped); i++)
		if (i != RESTORE_THERE)
			out->skipped += result.skipped[i];
	return STATUS_OK;
}

enum status keepsake_restore(struct keepsake *self,
    const struct keepsake_restore *what, struct keepsake_restore_result *out)
{
	enum category category = 0;
	struct snapshot snapshot = { 0 };
	enum status st = STATUS_OK;

	call_begin(self);
	if (what->category)
		st = category_from_word(&category, what->category);
	if (st != STATUS_OK)
		return call_refuse(self, STATUS_NOT_FOUND,
		    "the man page lists them: keepsake(1)",
		    "%s: no such category", what->category);
	st = snapshot_begin(self, what->which, &snapshot);
	if (st == STATUS_OK)
		st = run_restore(self, what, category, &snapshot, out);
	if (st == STATUS_OK)
		remote_restore_end(
		    self->remote, snapshot.ordinal, out->files, out->skipped);
	snapshot_clear(&snapshot);
	call_end(self);
	return st;
}
