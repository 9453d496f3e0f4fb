#include "checker.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/util.h"
#include "chunk.h"
#include "fetch.h"
#include "manifest.h"
#include "summary.h"

#define SET_FIRST   1024 /* a power of two */
#define FETCH_GROUP 16   /* chunks in memory at once */

static const char damaged_text[] = "is damaged in the store";
static const char lost_text[] =
    "what follows it is lost: the list of files is damaged in the store";

/** What is known of a chunk. */
struct known {
	struct chunk_id id;
	enum { KNOWN_NOTHING, KNOWN_WHOLE, KNOWN_BAD } state;
};

struct checker {
	struct check_options options;
	struct chunk_codec *codec;
	struct known *set; /* owned, open addressing */
	size_t set_count, set_capacity;
	size_t bad;
	struct chunk_name batch[REMOTE_HAVE_MAX]; /* to be asked for; secret */
	size_t batch_count;
	struct check_result *result; /* of the snapshot at hand */
};

/** Fetches of one group. */
struct group {
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	size_t under_way;
	struct piece {
		struct group *group;
		enum status status;
		uint8_t *sealed; /* owned */
		size_t len;
	} pieces[FETCH_GROUP];
};

static bool cancelled(const struct checker *self)
{
	return self->options.cancel && atomic_load(self->options.cancel);
}

static void report(struct checker *self, const char *path, const char *why)
{
	if (self->options.report)
		self->options.report(self->options.arg, path, why);
}

/* ---- the set of chunks ---- */

/** Where the chunk is, or would go. */
static struct known *find(const struct checker *self, const struct chunk_id *id)
{
	size_t at = get_be32(id->bytes) & (self->set_capacity - 1);

	while (self->set[at].state != KNOWN_NOTHING &&
	       memcmp(&self->set[at].id, id, sizeof(*id)) != 0)
		at = (at + 1) & (self->set_capacity - 1);
	return &self->set[at];
}

static bool set_grow(struct checker *self)
{
	size_t capacity = self->set_capacity;
	struct known *before = self->set;

	self->set_capacity = capacity > 0 ? capacity * 2 : (size_t)SET_FIRST;
	self->set = calloc(self->set_capacity, sizeof(*self->set));
	if (!self->set) {
		self->set = before;
		self->set_capacity = capacity;
		return false;
	}
	for (size_t i = 0; i < capacity; i++)
		if (before[i].state != KNOWN_NOTHING)
			*find(self, &before[i].id) = before[i];
	free(before);
	return true;
}

static void found_bad(struct checker *self, const struct chunk_id *id)
{
	struct known *known = find(self, id);

	self->bad += known->state != KNOWN_BAD;
	known->state = KNOWN_BAD;
}

/* ---- chunks ---- */

static void on_fetched(
    void *arg, enum status status, uint8_t *sealed, size_t sealed_len)
{
	struct piece *piece = arg;
	struct group *group = piece->group;

	pthread_mutex_lock(&group->lock);
	piece->status = status;
	piece->sealed = sealed;
	piece->len = sealed_len;
	group->under_way--;
	pthread_cond_signal(&group->arrived);
	pthread_mutex_unlock(&group->lock);
}

/** Whether a chunk that was fetched so is not what it should be. */
static bool is_damage(enum status status)
{
	return status == STATUS_NOT_FOUND || status == STATUS_MALFORMED;
}

/** Fetch up to FETCH_GROUP chunks, and open them. */
static enum status group_read(
    struct checker *self, const struct chunk_name *names, size_t count)
{
	struct group group = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.arrived = PTHREAD_COND_INITIALIZER };
	enum status st = STATUS_OK;
	struct slice plain;

	for (size_t i = 0; i < count; i++) {
		struct piece *piece = &group.pieces[i];
		piece->group = &group;
		pthread_mutex_lock(&group.lock);
		group.under_way++;
		pthread_mutex_unlock(&group.lock);
		st = remote_fetch(
		    self->options.remote, &names[i].id, on_fetched, piece);
		if (st != STATUS_OK)
			on_fetched(piece, st, NULL, 0);
	}
	pthread_mutex_lock(&group.lock);
	while (group.under_way > 0)
		pthread_cond_wait(&group.arrived, &group.lock);
	pthread_mutex_unlock(&group.lock);
	st = STATUS_OK;
	for (size_t i = 0; i < count; i++) {
		struct piece *piece = &group.pieces[i];
		enum status opened = piece->status;
		if (opened == STATUS_OK)
			opened = chunk_open(self->codec, &names[i], CHUNK_DATA,
			    slice_of(piece->sealed, piece->len), &plain);
		self->result->bytes_read += piece->len;
		free(piece->sealed);
		if (is_damage(opened))
			found_bad(self, &names[i].id);
		else if (opened != STATUS_OK && st == STATUS_OK)
			st = opened;
	}
	pthread_cond_destroy(&group.arrived);
	pthread_mutex_destroy(&group.lock);
	return st;
}

/** Look at all chunks of the batch. */
static enum status batch_settle(struct checker *self)
{
	struct chunk_id ids[REMOTE_HAVE_MAX];
	struct chunk_standing standings[REMOTE_HAVE_MAX];
	size_t count = self->batch_count;
	enum status st = STATUS_OK;

	self->batch_count = 0;
	if (count == 0)
		return st;
	for (size_t i = 0; i < count; i++)
		ids[i] = self->batch[i].id;
	st = remote_have(self->options.remote, ids, count, standings);
	for (size_t i = 0; st == STATUS_OK && i < count; i++)
		if (standings[i].presence == CHUNK_ABSENT ||
		    standings[i].presence == CHUNK_DAMAGED)
			found_bad(self, &ids[i]);
	for (size_t i = 0;
	     st == STATUS_OK && self->options.read_data && i < count;
	     i += FETCH_GROUP) {
		st = cancelled(self)
			 ? STATUS_PENDING
			 : group_read(self, self->batch + i,
			       min_of(count - i, (size_t)FETCH_GROUP));
	}
	sodium_memzero(self->batch, sizeof(self->batch));
	return st;
}

/** Have the chunk looked at, unless it was. */
static enum status chunk_note(
    struct checker *self, const struct chunk_name *name)
{
	if (self->set_count * 2 >= self->set_capacity && !set_grow(self))
		return STATUS_NO_SPACE;
	struct known *known = find(self, &name->id);
	if (known->state != KNOWN_NOTHING)
		return STATUS_OK;
	*known = (struct known){ name->id, KNOWN_WHOLE };
	self->set_count++;
	self->result->chunks++;
	self->batch[self->batch_count++] = *name;
	return self->batch_count == REMOTE_HAVE_MAX ? batch_settle(self)
						    : STATUS_OK;
}

/* ---- going through a snapshot ---- */

/** Called for each entry, which may be moved away. */
typedef enum status each_fn(
    struct checker *self, struct entry *entry, void *arg);

static void on_lost(void *arg, const char *behind, const char *broken)
{
	struct checker *self = arg;

	self->result->lost++;
	report(self, broken ? broken : (*behind ? behind : "."),
	    broken ? damaged_text : lost_text);
}

static void on_lost_again(void *arg, const char *behind, const char *broken)
{
	(void)arg;
	(void)behind;
	(void)broken;
}

static enum status go_through(struct checker *self,
    const struct snapshot *snapshot, const uint8_t *key, manifest_lost_fn *lost,
    each_fn *each, void *arg)
{
	const struct check_options *options = &self->options;
	struct chunk_name root = { .id = snapshot->root };
	struct node_fetcher *fetcher = NULL;
	struct manifest_reader *reader = NULL;
	struct entry entry = { 0 };
	struct summary summary;

	enum status st =
	    summary_open(&summary, &options->keys->account, key, snapshot);
	if (st != STATUS_OK)
		return st;
	memcpy(root.key, summary.root_key, CHUNK_KEY_BYTES);
	sodium_memzero(&summary, sizeof(summary));
	fetcher = node_fetcher_new(options->remote, options->keys);
	if (fetcher) {
		struct node_source source = node_fetcher_source(fetcher);
		reader = manifest_reader_new(&source, &root);
	}
	sodium_memzero(&root, sizeof(root));
	st = reader ? STATUS_OK : STATUS_NO_SPACE;
	if (st == STATUS_OK)
		manifest_reader_tolerate(reader, lost, self);
	while (st == STATUS_OK) {
		st = cancelled(self) ? STATUS_PENDING
				     : manifest_reader_next(reader, &entry);
		if (st == STATUS_OK)
			st = each(self, &entry, arg);
	}
	entry_clear(&entry);
	manifest_reader_destroy(&reader);
	node_fetcher_destroy(&fetcher);
	return st == STATUS_NOT_FOUND ? STATUS_OK : st;
}

static enum status note_entry(
    struct checker *self, struct entry *entry, void *arg)
{
	enum status st = STATUS_OK;

	(void)arg;
	self->result->files++;
	for (size_t i = 0; st == STATUS_OK && i < entry->extents_count; i++)
		if (!entry->extents[i].hole)
			st = chunk_note(self, &entry->extents[i].chunk);
	return st;
}

/** Report a file of which a chunk is damaged. */
static enum status name_entry(
    struct checker *self, struct entry *entry, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < entry->extents_count; i++) {
		const struct extent *extent = &entry->extents[i];
		if (extent->hole ||
		    find(self, &extent->chunk.id)->state != KNOWN_BAD)
			continue;
		self->result->damaged++;
		report(self, (const char *)entry->path.data, damaged_text);
		break;
	}
	return STATUS_OK;
}

enum status checker_run(struct checker *self, const struct snapshot *snapshot,
    const uint8_t *key, struct check_result *out)
{
	*out = (struct check_result){ 0 };
	self->result = out;
	enum status st =
	    go_through(self, snapshot, key, on_lost, note_entry, NULL);
	if (st == STATUS_OK)
		st = batch_settle(self);
	/* Which files that is takes another look, which is seldom needed. */
	if (st == STATUS_OK && self->bad > 0)
		st = go_through(
		    self, snapshot, key, on_lost_again, name_entry, NULL);
	return st;
}

/* ---- drills ---- */

/** Files that were picked; each as likely as any other. */
struct picks {
	struct entry *entries; /* owned */
	size_t wanted, count;
	uint64_t seen;
};

static enum status pick_entry(
    struct checker *self, struct entry *entry, void *arg)
{
	struct picks *picks = arg;
	size_t at = picks->count;

	self->result->files++;
	if (entry->type != ENTRY_FILE)
		return STATUS_OK;
	if (picks->seen++ >= picks->wanted) {
		uint32_t bound =
		    (uint32_t)min_of(picks->seen, (uint64_t)UINT32_MAX);
		at = randombytes_uniform(bound);
	} else {
		picks->count++;
	}
	if (at < picks->wanted) {
		entry_clear(&picks->entries[at]);
		picks->entries[at] = *entry;
		*entry = (struct entry){ 0 };
	}
	return STATUS_OK;
}

/** Restore a file into memory, a chunk at a time, and compare. */
static enum status entry_restore(
    struct checker *self, const struct entry *entry, XXH3_state_t *state)
{
	XXH128_canonical_t hash;
	enum status st = STATUS_OK;

	XXH3_128bits_reset(state);
	for (size_t i = 0; st == STATUS_OK && i < entry->extents_count; i++) {
		const struct extent *extent = &entry->extents[i];
		uint8_t *sealed = NULL;
		size_t len = 0;
		struct slice plain;
		if (extent->hole)
			continue;
		st = fetch_chunk(
		    self->options.remote, &extent->chunk.id, &sealed, &len);
		if (st == STATUS_OK)
			st = chunk_open(self->codec, &extent->chunk, CHUNK_DATA,
			    slice_of(sealed, len), &plain);
		if (st == STATUS_OK &&
		    (extent->offset > plain.len ||
			extent->length > plain.len - extent->offset))
			st = STATUS_MALFORMED;
		if (st == STATUS_OK)
			XXH3_128bits_update(state, plain.data + extent->offset,
			    (size_t)extent->length);
		self->result->bytes_read += len;
		self->result->chunks++;
		free(sealed);
	}
	if (st != STATUS_OK)
		return st;
	XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
	return memcmp(&hash, entry->hash, ENTRY_HASH_BYTES) == 0
		   ? STATUS_OK
		   : STATUS_MALFORMED;
}

static enum status picks_restore(struct checker *self, struct picks *picks)
{
	XXH3_state_t *state = XXH3_createState();
	enum status st = state ? STATUS_OK : STATUS_NO_SPACE;

	for (size_t i = 0; st == STATUS_OK && i < picks->count; i++) {
		struct entry *entry = &picks->entries[i];
		st = cancelled(self) ? STATUS_PENDING
				     : entry_restore(self, entry, state);
		if (st != STATUS_OK && !is_damage(st))
			break;
		self->result->files_picked++;
		if (st == STATUS_OK)
			continue;
		self->result->damaged++;
		report(self, (const char *)entry->path.data, damaged_text);
		st = STATUS_OK;
	}
	XXH3_freeState(state);
	return st;
}

enum status checker_drill(struct checker *self, const struct snapshot *snapshot,
    const uint8_t *key, size_t sample, struct check_result *out)
{
	struct picks picks = { .wanted = sample };

	*out = (struct check_result){ 0 };
	self->result = out;
	picks.entries = calloc(sample, sizeof(*picks.entries));
	if (!picks.entries)
		return STATUS_NO_SPACE;
	enum status st =
	    go_through(self, snapshot, key, on_lost, pick_entry, &picks);
	if (st == STATUS_OK)
		st = picks_restore(self, &picks);
	for (size_t i = 0; i < picks.count; i++)
		entry_clear(&picks.entries[i]);
	free(picks.entries);
	return st;
}

/* ---- life ---- */

struct checker *checker_new(const struct check_options *options)
{
	struct checker *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->options = *options;
	self->codec = chunk_codec_new(options->keys);
	if (!self->codec || !set_grow(self))
		checker_destroy(&self);
	return self;
}

void checker_destroy(struct checker **self_p)
{
	struct checker *self = *self_p;

	if (!self)
		return;
	chunk_codec_destroy(&self->codec);
	free(self->set);
	sodium_memzero(self->batch, sizeof(self->batch));
	free(self);
	*self_p = NULL;
}
