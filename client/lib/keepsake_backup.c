#include "keepsake.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "base/text.h"
#include "keepsake_internal.h"

#define CACHE_HASH_BYTES 8

/* What the callbacks of a backup are given. */
struct listener {
	struct keepsake *keepsake;
	const struct keepsake_backup *what;
};

static void on_progress(void *arg, const struct backup_progress *progress)
{
	const struct listener *listener = arg;
	const struct keepsake_backup *what = listener->what;
	const struct keepsake_progress passed = {
		.files = progress->files,
		.files_total = progress->files_total,
		.bytes = progress->bytes,
		.bytes_total = progress->bytes_total,
		.moved_bytes = progress->bytes_sent,
	};

	what->progress(what->arg, &passed);
}

static void on_trouble(
    void *arg, enum walk_trouble trouble, const char *path, int error)
{
	const struct listener *listener = arg;
	const struct keepsake_backup *what = listener->what;

	report_path(
	    what->report, what->arg, path, walk_trouble_text(trouble), error);
}

/* The file that remembers the last backup of the folder ${path}. */
static bool cache_path_of(
    struct keepsake *self, const char *path, char out[static PATH_MAX])
{
	uint8_t hash[crypto_generichash_BYTES];
	char name[sizeof("cache-") + HEX_BYTES(CACHE_HASH_BYTES)] = "cache-";

	crypto_generichash(
	    hash, sizeof(hash), (const uint8_t *)path, strlen(path), NULL, 0);
	hex_encode(name + strlen(name), slice_of(hash, CACHE_HASH_BYTES));
	return state_path(self->state, name, out);
}

static enum status refuse_folder(
    struct keepsake *self, enum status status, const char *path)
{
	if (status == STATUS_PENDING)
		return call_refuse(
		    self, status, session_advice_here(status), "interrupted");
	if (status == STATUS_NOT_FOUND)
		return call_refuse(self, status,
		    "name a folder; of a file, name the folder it is in",
		    "%s: no such folder", path);
	if (status == STATUS_DENIED)
		return call_refuse(self, status,
		    "run it as a user who may read the folder",
		    "%s: the folder may not be read", path);
	return call_refuse(self, status, session_advice_here(status), "%s: %s",
	    path, status_text(status));
}

/* It was weighed, and does not fit: nothing was sent (B-12). */
static enum status refuse_weight(
    struct keepsake *self, enum status status, const struct backup_space *space)
{
	char needed[TEXT_SIZE_BYTES], room[TEXT_SIZE_BYTES];
	char used[TEXT_SIZE_BYTES], quota[TEXT_SIZE_BYTES];

	text_of_size(needed, space->needed);
	text_of_size(room, space->room);
	if (status == STATUS_NO_SPACE)
		return call_refuse(self, status,
		    "ask the operator for a larger disk; nothing was sent, "
		    "and what is stored is not harmed",
		    "this backup needs %s more, and the server has room for %s",
		    needed, room);
	return call_refuse(self, status,
	    "delete old snapshots or ask the operator for more space; nothing "
	    "was sent, and what is stored is not harmed",
	    "this backup needs %s more, and the account may have %s: it uses "
	    "%s of %s",
	    needed, room, text_of_size(used, space->used),
	    text_of_size(quota, space->quota));
}

static enum status refuse_backup(struct keepsake *self, enum status status,
    const char *path, const struct backup_space *space)
{
	if (self->detail[0] != '\0')
		return status; /* the key could not be kept, and it is said */
	if (status == STATUS_PENDING)
		return call_refuse(self, status,
		    "the next backup goes on from there", "interrupted");
	if (space->needed > space->room)
		return refuse_weight(self, status, space);
	if (remote_detail(self->remote)[0] != '\0')
		return call_refuse_remote(self, status);
	return refuse_folder(self, status, path);
}

static enum status on_keep(void *arg)
{
	const struct listener *listener = arg;

	return call_keep_key(listener->keepsake);
}

static enum status run_backup(struct keepsake *self,
    const struct keepsake_backup *what, const char *real_path,
    struct keepsake_backup_result *out)
{
	struct listener listener = { self, what };
	struct backup_result result;
	char cache_path[PATH_MAX], host[SUMMARY_HOST_BYTES_MAX + 1] = "";

	/*
	 * A cache has the keys of all chunks of the last backup.  What opens
	 * it must not lie about on this terminal, so who has no root key has
	 * no cache, and reads every file.
	 */
	bool use_cache = self->account_keys->may_read &&
			 cache_path_of(self, real_path, cache_path);
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	const struct backup_options options = {
		.remote = self->remote,
		.keys = self->account_keys,
		.key = self->new_key,
		.root = real_path,
		.cache_path = use_cache ? cache_path : NULL,
		.label = what->label ? what->label : real_path,
		.host = host,
		.count_first = what->count_first,
		.cancel = what->cancel,
		.keep = self->new_key->mode == KEY_MODE_LOCAL ? on_keep : NULL,
		.progress = what->progress ? on_progress : NULL,
		.report = what->report ? on_trouble : NULL,
		.arg = &listener,
	};
	enum status st = backup_run(&options, &result);
	if (st != STATUS_OK)
		return refuse_backup(self, st, real_path, &result.space);
	*out = (struct keepsake_backup_result){
		.snapshot = result.snapshot.ordinal,
		.taken_ms = result.snapshot.taken_ms,
		.files = result.summary.files,
		.bytes = totals_bytes(result.summary.categories),
		.unchanged = result.files_unchanged,
		.chunks_sent = result.chunks_sent,
		.bytes_sent = result.bytes_sent,
		.errors = result.summary.errors,
		.cache_lost = result.cache_status != STATUS_OK,
		.used_bytes = result.space.used,
		.quota_soft_bytes = result.space.soft,
		.quota_bytes = result.space.quota,
	};
	backup_result_clear(&result);
	return STATUS_OK;
}

/* The folder ${path} without links in it; ${out} is to be freed. */
static enum status find_folder(
    struct keepsake *self, const char *path, char **out)
{
	struct stat stat_now;

	*out = realpath(path, NULL);
	if (!*out || stat(*out, &stat_now) != 0)
		return call_refuse(self,
		    errno == EACCES ? STATUS_DENIED : STATUS_NOT_FOUND,
		    "name a folder that is there and may be read", "%s: %s",
		    path, strerror(errno));
	if (!S_ISDIR(stat_now.st_mode))
		return refuse_folder(self, STATUS_NOT_FOUND, path);
	return STATUS_OK;
}

static enum key_mode mode_of(const struct keepsake_backup *what)
{
	if (what->key == KEEPSAKE_KEY_LOCAL)
		return KEY_MODE_LOCAL;
	return what->unattended ? KEY_MODE_ACCOUNT : KEY_MODE_SEALED;
}

enum status keepsake_backup(struct keepsake *self,
    const struct keepsake_backup *what, struct keepsake_backup_result *out)
{
	char *real_path = NULL;

	call_begin(self);
	enum status st = find_folder(self, what->path, &real_path);
	if (st == STATUS_OK)
		st = call_tool_password(self);
	if (st == STATUS_OK && what->key == KEEPSAKE_KEY_LOCAL)
		st = call_place(self, true);
	if (st == STATUS_OK)
		st = call_lock(self);
	if (st == STATUS_OK)
		st = what->unattended
			 ? call_transfer_by_grant(self, DIRECTION_UPLOAD)
			 : call_transfer(self, DIRECTION_UPLOAD);
	if (st == STATUS_OK)
		st = call_new_key(self, mode_of(what));
	if (st == STATUS_OK)
		st = run_backup(self, what, real_path, out);
	call_end(self);
	free(real_path);
	return st;
}

enum status keepsake_look(struct keepsake *self,
    const struct keepsake_backup *what, struct keepsake_survey *out)
{
	struct backup_survey survey;
	char *real_path = NULL;

	call_begin(self);
	enum status st = find_folder(self, what->path, &real_path);
	struct listener listener = { self, what };
	const struct backup_options options = {
		.root = real_path,
		.cancel = what->cancel,
		.report = what->report ? on_trouble : NULL,
		.arg = &listener,
	};
	if (st != STATUS_OK)
		goto out;
	st = backup_look(&options, &survey);
	if (st != STATUS_OK) {
		refuse_folder(self, st, real_path);
		goto out;
	}
	out->files = survey.files;
	out->bytes = survey.bytes;
	totals_copy(out->categories, survey.categories);
out:
	free(real_path);
	return st;
}
