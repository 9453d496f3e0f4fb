#include "backup_internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "fetch.h"

/* A backup as a whole: begun, walked, and published. */

void backup_result_clear(struct backup_result *self)
{
	snapshot_clear(&self->snapshot);
	sodium_memzero(self, sizeof(*self));
}

static bool cancelled(const struct backup_options *options)
{
	return options->cancel && atomic_load(options->cancel);
}

void backup_progress_tell(struct backup *self)
{
	if (!self->options->progress)
		return;
	struct sender_figures figures = sender_figures(self->sender);
	self->progress.bytes_sent = figures.bytes_sent;
	self->progress.chunks_sent = figures.chunks_sent;
	self->options->progress(self->options->arg, &self->progress);
}

void backup_trouble(
    void *arg, enum walk_trouble trouble, const char *path, int error)
{
	struct backup *self = arg;

	if (trouble != WALK_SPECIAL)
		self->result->summary.errors++;
	if (self->options->report)
		self->options->report(self->options->arg, trouble, path, error);
}

/** What the store has not found is what we relied on; see attempt. */
static enum status stale(enum status st)
{
	return st == STATUS_NOT_FOUND ? STATUS_CONFLICT : st;
}

static enum status tree_store(struct backup *self)
{
	struct walk_entry from;
	enum status st =
	    walk_new(&self->walk, self->options->root, backup_trouble, self);

	if (st != STATUS_OK)
		return st;
	while ((st = walk_next(self->walk, &from)) == STATUS_OK) {
		if (cancelled(self->options))
			return STATUS_PENDING;
		st = stale(backup_store(self, &from));
		if (st != STATUS_OK)
			return st;
	}
	if (st != STATUS_NOT_FOUND)
		return st;
	return stale(backup_store_rest(self));
}

/** Open the cache, unless the store has lost the snapshot it is of. */
static enum status cache_begin(struct backup *self, bool use)
{
	const struct backup_options *options = self->options;
	struct chunk_standing root = { CHUNK_ABSENT, 0 };
	enum status st = STATUS_NOT_FOUND;

	self->known = known_chunks_new();
	if (!self->known)
		return STATUS_NO_SPACE;
	if (!options->cache_path)
		return STATUS_OK;
	if (use)
		st = cache_open(&self->cache, options->cache_path,
		    options->keys, self->known);
	if (st == STATUS_OK && self->lease.chunks > 0) {
		st = remote_have(
		    options->remote, cache_root(self->cache), 1, &root);
		if (st != STATUS_OK)
			return st;
	}
	if (st != STATUS_NOT_FOUND && root.presence == CHUNK_ABSENT) {
		self->result->cache_dropped = true;
		cache_close(&self->cache);
		known_chunks_destroy(&self->known);
		self->known = known_chunks_new();
		if (!self->known)
			return STATUS_NO_SPACE;
	}
	self->result->cache_status =
	    cache_writer_new(&self->writer, options->cache_path, options->keys);
	return STATUS_OK;
}

static enum status sender_begin(struct backup *self, bool weigh)
{
	const struct backup_options *options = self->options;
	const struct sender_options sender = { .remote = options->remote,
		.keys = options->keys,
		.known = self->known,
		.ask = self->lease.chunks > 0,
		.weigh = weigh,
		.threads = options->threads,
		.cancel = options->cancel };

	self->chunker = chunker_new(options->keys->chunker_seed, CHUNKER_DATA);
	self->hash = XXH3_createState();
	self->sender = sender_new(&sender);
	if (!self->chunker || !self->hash || !self->sender)
		return STATUS_NO_SPACE;
	self->manifest = manifest_writer_new(options->keys, self->sender);
	return self->manifest ? STATUS_OK : STATUS_NO_SPACE;
}

/** The hash of the root as the store has it, fetched where need be. */
static enum status root_hash(
    struct backup *self, uint8_t hash_out[static NODE_HASH_BYTES])
{
	const struct stored_node *root = &self->root;
	uint8_t *sealed = NULL;
	size_t len = 0;
	enum status st = STATUS_OK;

	if (root->hash_known) {
		memcpy(hash_out, root->sealed_hash, NODE_HASH_BYTES);
		return STATUS_OK;
	}
	if (self->cache && memcmp(cache_root(self->cache), &root->name.id,
			       sizeof(root->name.id)) == 0) {
		memcpy(hash_out, cache_root_hash(self->cache), NODE_HASH_BYTES);
		return STATUS_OK;
	}
	st = fetch_chunk(self->options->remote, &root->name.id, &sealed, &len);
	if (st == STATUS_OK)
		crypto_generichash(
		    hash_out, NODE_HASH_BYTES, sealed, len, NULL, 0);
	free(sealed);
	return st;
}

static enum status publish(struct backup *self)
{
	const struct backup_options *options = self->options;
	const struct stored_node *root = &self->root;
	struct backup_result *result = self->result;
	struct snapshot *snapshot = &result->snapshot;
	uint8_t hash[NODE_HASH_BYTES];
	enum status st = remote_flush(options->remote);

	if (st == STATUS_OK)
		st = root_hash(self, hash);
	if (st != STATUS_OK)
		return st;
	snapshot->root = root->name.id;
	snapshot->chunks = root->chunks;
	snapshot->sealed_bytes = root->sealed_bytes;
	memcpy(result->summary.root_key, root->name.key, CHUNK_KEY_BYTES);
	st = bytes_copy(&snapshot->sealed_key,
	    slice_of(options->key->sealed, options->key->sealed_len));
	if (st == STATUS_OK)
		st = summary_seal(&result->summary, &options->keys->account,
		    options->key->key, snapshot);
	if (st == STATUS_OK && options->keep)
		st = options->keep(options->arg);
	if (st == STATUS_OK)
		st = remote_publish(options->remote, snapshot, hash);
	if (st != STATUS_OK || !self->writer)
		return st;
	result->cache_status = cache_writer_finish(
	    self->writer, self->known, &root->name.id, hash);
	return STATUS_OK;
}

static void backup_clear(struct backup *self)
{
	/* First the threads, who use what the rest owns. */
	sender_destroy(&self->sender);
	backup_files_clear(self);
	manifest_writer_destroy(&self->manifest);
	sodium_memzero(&self->root, sizeof(self->root));
	chunker_destroy(&self->chunker);
	walk_destroy(&self->walk);
	cache_writer_destroy(&self->writer);
	cache_close(&self->cache);
	known_chunks_destroy(&self->known);
}

/* ---- room ---- */

/** Of what may be taken without looking at it closely: names, padding. */
#define MARGIN_BYTES    (4u * 1024 * 1024)
#define MARGIN_PARTS    16
#define MARGIN_FILE     1024
#define ROOM_BYTES_MUCH (64ull << 30)

/** What the server takes of this account; UINT64_MAX: no bound is known. */
static uint64_t room_of(const struct backup_lease *lease)
{
	uint64_t room = lease->room_bytes > 0 ? lease->room_bytes : UINT64_MAX;

	if (lease->quota_bytes > 0)
		room = min_of(room, lease->quota_bytes > lease->used_bytes
					? lease->quota_bytes - lease->used_bytes
					: 0);
	return room;
}

static struct backup_space space_of(const struct backup_lease *lease)
{
	return (struct backup_space){ .used = lease->used_bytes,
		.soft = lease->quota_soft_bytes,
		.quota = lease->quota_bytes };
}

/** All of the backup, but that nothing is sent; fills the figures. */
static enum status weigh(struct backup *self, bool use_cache)
{
	enum status st = cache_begin(self, use_cache);

	/* What it finds is not so before it is sent. */
	cache_writer_destroy(&self->writer);
	if (st == STATUS_OK)
		st = sender_begin(self, true);
	if (st == STATUS_OK)
		st = tree_store(self);
	if (st == STATUS_OK)
		st = stale(manifest_writer_finish(self->manifest, &self->root));
	return st;
}

/**
 * See whether a backup that has just begun can fit.  Most do, by the sizes of
 * all files; else what is new is weighed.
 */
static enum status room_check(const struct backup_options *options,
    const struct backup_lease *lease, bool use_cache,
    struct backup_space *space)
{
	struct backup_options quiet = *options;
	struct backup_survey survey = { 0 };
	struct backup_result unused = { 0 };
	struct backup self = {
		.options = &quiet, .result = &unused, .lease = *lease
	};
	uint64_t room = room_of(lease);

	quiet.report = NULL;
	quiet.progress = NULL;
	if (lease->quota_bytes == 0 && room >= ROOM_BYTES_MUCH)
		return STATUS_OK;
	enum status st = backup_look(&quiet, &survey);
	if (st != STATUS_OK)
		return st;
	uint64_t most = survey.bytes + survey.bytes / MARGIN_PARTS +
			survey.files * MARGIN_FILE + MARGIN_BYTES;
	if (most <= room)
		return STATUS_OK;
	st = weigh(&self, use_cache);
	if (st == STATUS_OK) {
		struct sender_figures figures = sender_figures(self.sender);
		space->needed = figures.bytes_sent +
				figures.chunks_sent * REMOTE_CHUNK_COST;
		space->room = room;
		if (space->needed > room)
			st = lease->room_bytes == room ? STATUS_NO_SPACE
						       : STATUS_QUOTA;
	}
	backup_clear(&self);
	backup_result_clear(&unused);
	return st;
}

/** One attempt; CONFLICT: what the cache says is no longer so. */
static enum status attempt(const struct backup_options *options, bool use_cache,
    struct backup_result *result, const struct backup_survey *survey)
{
	struct backup self = { .options = options, .result = result };
	enum status st = remote_backup_begin(options->remote, &self.lease);

	if (st != STATUS_OK)
		return st;
	/* What is damaged there is sent again, if it is still here: then
	 * nothing that is only known from the last time is relied on. */
	use_cache = use_cache && self.lease.damaged_chunks == 0;
	result->space = space_of(&self.lease);
	st = room_check(options, &self.lease, use_cache, &result->space);
	if (st != STATUS_OK)
		return st;
	result->space.needed = result->space.room = 0;
	result->summary.started_ms = clock_wall_ms();
	summary_set_text(result->summary.label, sizeof(result->summary.label),
	    options->label);
	summary_set_text(
	    result->summary.host, sizeof(result->summary.host), options->host);
	if (options->root[0] == '/' &&
	    strlen(options->root) <= SUMMARY_FOLDER_BYTES_MAX)
		strcpy(result->summary.folder, options->root);
	self.progress.files_total = survey->files;
	self.progress.bytes_total = survey->bytes;
	st = cache_begin(&self, use_cache);
	if (st == STATUS_OK)
		st = sender_begin(&self, false);
	if (st == STATUS_OK)
		st = tree_store(&self);
	if (st == STATUS_OK)
		st = stale(manifest_writer_finish(self.manifest, &self.root));
	if (st == STATUS_OK)
		st = stale(publish(&self));
	if (self.sender) {
		struct sender_figures figures = sender_figures(self.sender);
		result->bytes_sent = figures.bytes_sent;
		result->chunks_sent = figures.chunks_sent;
		result->chunks_reused = figures.chunks_reused;
		result->space.used += figures.bytes_sent +
				      figures.chunks_sent * REMOTE_CHUNK_COST;
		backup_progress_tell(&self);
	}
	result->bytes_read = self.progress.bytes_read;
	backup_clear(&self);
	return st;
}

enum status backup_run(
    const struct backup_options *options, struct backup_result *result_out)
{
	struct backup_survey survey = { 0 };
	struct backup_options quiet = *options;
	enum status st = STATUS_OK;

	*result_out = (struct backup_result){ 0 };
	quiet.report = NULL;
	if (options->count_first)
		st = backup_look(&quiet, &survey);
	if (st == STATUS_OK)
		st = attempt(options, true, result_out, &survey);
	if (st == STATUS_CONFLICT && options->cache_path) {
		/* Something we relied on was swept: rely on nothing. */
		log_warning(NULL, "backup_cache_stale", "again=1");
		backup_result_clear(result_out);
		st = attempt(options, false, result_out, &survey);
		result_out->cache_dropped = true;
	}
	if (st == STATUS_QUOTA || st == STATUS_NO_SPACE) {
		/* Without its lease what was sent is swept, and the space of
		 * snapshots that are deleted comes back. */
		struct backup_space space = result_out->space;
		remote_backup_abandon(options->remote);
		backup_result_clear(result_out);
		result_out->space = space;
	} else if (st != STATUS_OK) {
		backup_result_clear(result_out);
	}
	return st;
}

enum status backup_look(
    const struct backup_options *options, struct backup_survey *survey_out)
{
	struct walk *walk = NULL;
	struct walk_entry from;
	enum status st =
	    walk_new(&walk, options->root, options->report, options->arg);

	if (st != STATUS_OK)
		return st;
	*survey_out = (struct backup_survey){ 0 };
	while (
	    !cancelled(options) && (st = walk_next(walk, &from)) == STATUS_OK) {
		enum category category = CATEGORY_OTHER;
		survey_out->files++;
		if (from.type != ENTRY_FILE)
			continue;
		if (category_by_name(&category, options->rules,
			options->rules_count,
			(const char *)from.path.data) != STATUS_OK)
			category = CATEGORY_OTHER;
		survey_out->bytes += (uint64_t)from.stat.st_size;
		survey_out->categories[category].files++;
		survey_out->categories[category].bytes +=
		    (uint64_t)from.stat.st_size;
	}
	walk_destroy(&walk);
	if (cancelled(options))
		return STATUS_PENDING;
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}
