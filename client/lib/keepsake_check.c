#include "checker.h"

#include <stdlib.h>
#include <string.h>

#include "keepsake_internal.h"

/* What the callbacks of a check are given. */
struct listener {
	const struct keepsake_check *what;
	uint64_t snapshot; /* the ordinal of that at hand */
};

static void on_report(void *arg, const char *path, const char *why)
{
	const struct listener *listener = arg;

	listener->what->report(
	    listener->what->arg, listener->snapshot, path, why);
}

/* Check one snapshot, or drill it, and tell. */
static enum status check_one(struct keepsake *self, struct checker *checker,
    struct listener *listener, const struct snapshot *snapshot)
{
	const struct keepsake_check *what = listener->what;
	struct check_result found = { 0 };
	struct keepsake_checked result = {
		.snapshot = snapshot->ordinal,
		.taken_ms = snapshot->taken_ms,
		.condition = KEEPSAKE_WHOLE,
	};

	listener->snapshot = snapshot->ordinal;
	enum status st = call_open_key(self, snapshot);
	if (st != STATUS_OK) {
		result.condition = KEEPSAKE_CLOSED;
		what->checked(what->arg, &result);
		return STATUS_OK;
	}
	st = what->sample > 0
		 ? checker_drill(checker, snapshot, self->snapshot_key,
		       what->sample, &found)
		 : checker_run(checker, snapshot, self->snapshot_key, &found);
	if (st == STATUS_PENDING)
		return call_refuse(self, st, "run it again", "interrupted");
	if (st != STATUS_OK && st != STATUS_MALFORMED)
		return snapshot_refuse(self, st, snapshot);
	if (st == STATUS_MALFORMED)
		result.condition = KEEPSAKE_BROKEN;
	else if (found.damaged > 0 || found.lost > 0)
		result.condition = KEEPSAKE_DAMAGED;
	result.files = found.files;
	result.damaged = found.damaged;
	result.lost = found.lost;
	result.chunks = found.chunks;
	result.bytes_read = found.bytes_read;
	result.picked = found.files_picked;
	what->checked(what->arg, &result);
	if (what->sample == 0)
		return STATUS_OK;
	/* Nothing to restore is no drill, unless that is the trouble. */
	uint64_t failed = found.damaged + (st != STATUS_OK || found.lost > 0);
	uint64_t files = found.files_picked + (failed > found.damaged);
	if (files == 0)
		return STATUS_OK;
	st = remote_drill(self->remote, snapshot->ordinal, files, failed);
	return st == STATUS_OK ? st : call_refuse_remote(self, st);
}

/* Check those of the list that are named. */
static enum status check_list(struct keepsake *self,
    const struct keepsake_check *what, const struct snapshot *list,
    size_t count)
{
	struct listener listener = { .what = what };
	const struct check_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.read_data = what->read_data,
		.cancel = what->cancel,
		.report = what->report ? on_report : NULL,
		.arg = &listener,
	};
	enum status st = STATUS_OK;
	struct checker *checker = checker_new(&options);

	if (!checker)
		return call_refuse_plainly(self, STATUS_NO_SPACE);
	if (count == 0)
		st = call_refuse(self, STATUS_NOT_FOUND,
		    "make one: keepsake backup FOLDER",
		    "there are no snapshots yet");
	for (size_t i = 0; i < what->which_count && st == STATUS_OK; i++) {
		size_t from = 0, to = count, at;
		if (strcmp(what->which[i], "all") != 0) {
			st = snapshot_pick(
			    self, list, count, what->which[i], &at);
			from = at;
			to = at + 1;
		}
		for (at = from; st == STATUS_OK && at < to; at++)
			st = check_one(self, checker, &listener, &list[at]);
	}
	checker_destroy(&checker);
	return st;
}

enum status keepsake_check(
    struct keepsake *self, const struct keepsake_check *what)
{
	struct snapshot *list = NULL;
	size_t count = 0;

	call_begin(self);
	enum status st = STATUS_OK;
	for (size_t i = 0; i < what->which_count && st == STATUS_OK; i++)
		if (strcmp(what->which[i], "all") != 0)
			st = snapshot_check_name(self, what->which[i]);
	if (st == STATUS_OK)
		st = call_place(self, false);
	if (st == STATUS_OK)
		st = call_tool_password(self);
	if (st == STATUS_OK)
		st = call_transfer(self, DIRECTION_DOWNLOAD);
	if (st != STATUS_OK)
		goto out;
	st = remote_restore_begin(self->remote);
	if (st == STATUS_OK)
		st = remote_snapshots(self->remote, &list, &count);
	if (st != STATUS_OK) {
		st = call_refuse_remote(self, st);
		goto out;
	}
	st = check_list(self, what, list, count);
	/* What is deleted meanwhile may go now; nothing was restored. */
	remote_restore_end(self->remote, 0, 0, 0);
out:
	snapshots_free(list, count);
	call_end(self);
	return st;
}
