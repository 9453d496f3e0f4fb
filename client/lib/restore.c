#include "restore.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/util.h"
#include "chunk.h"
#include "fetch.h"

#define THREADS          2
#define THREADS_MAX      8
#define SLOTS_OPEN_MAX   8    /* chunks that still gather what is in them */
#define SLOTS_FLYING_MAX 16   /* asked for, or waiting for a thread */
#define SLOT_WRITES_MAX  1024 /* then it is asked for, wanted again or not */
#define HANDLES_MAX      256  /* folders and files open at once */
#define READ_BYTES       (64 * 1024)
#define FOLDER_MODE      0700 /* until its own is set at the end */
#define FILE_MODE        0600
#define SET_ID_BITS      06000
#define TEMPORARY_BYTES  sizeof(".keepsake-0123456789abcdef.part")

/* clang-format off */
static const char *const skips[] = {
	[RESTORE_THERE]   = "is there already",
	[RESTORE_DAMAGED] = "is damaged in the store",
	[RESTORE_DIFFERS] = "differs when read again",
	[RESTORE_REFUSED] = "cannot be written",
	[RESTORE_NO_LINK] = "is another name of a file that is not restored",
};
/* clang-format on */
_Static_assert(nitems(skips) == RESTORE_SKIP_COUNT, "one text each");

/** An open folder of the target, shared by the files that go into it. */
struct folder {
	atomic_uint users;
	int fd;
	struct bytes path;
};

/** A file on its way. */
struct output {
	struct restore *owner;
	struct folder *folder; /* held */
	struct entry entry;    /* moved here; its extents are kept to verify */
	char temporary[TEMPORARY_BYTES];
	int fd;             /* -1: not open yet */
	atomic_uint users;  /* writes to come, and the planner */
	atomic_bool failed; /* and reported */
};

/** What a chunk has for a file. */
struct write {
	struct output *output; /* held; NULL once it is done */
	uint64_t at;           /* in the file */
	uint32_t offset;       /* in the chunk */
	uint32_t length;
};

/** A chunk on its way. */
struct slot {
	struct slot *next; /* in the queue of those that are here */
	struct restore *owner;
	struct chunk_name name;
	struct write *writes; /* owned */
	size_t writes_count;
	size_t writes_capacity;
	enum status status;
	uint8_t *sealed; /* owned */
	size_t sealed_len;
};

/** What is set or made once all files are there. */
struct later {
	struct later *next;
	struct entry entry; /* a folder or a hard link */
};

struct restore {
	const struct restore_options *options;
	struct restore_result *result;
	int root;
	struct node_fetcher *fetcher;
	struct manifest_reader *reader;
	struct folder *folder;             /* of the last file; held */
	struct slot *open[SLOTS_OPEN_MAX]; /* the one used last first */
	size_t open_count;
	struct later *folders; /* owned; the last one first */
	struct later *links;   /* owned; likewise */
	atomic_uint handles;
	atomic_uint_fast64_t bytes;
	pthread_t threads[THREADS_MAX];
	size_t threads_count;

	pthread_mutex_t lock; /* of all below, the result and the report */
	pthread_cond_t arrived;
	pthread_cond_t landed;
	struct slot *first; /* here, for the threads; the oldest first */
	struct slot *last;
	size_t flying;      /* asked for and not done */
	enum status status; /* the first failure that ends it all */
	bool stop;
};

const char *restore_skip_text(enum restore_skip skip)
{
	assert((unsigned int)skip < RESTORE_SKIP_COUNT);
	return skips[skip];
}

/* Counting */

static void fail(struct restore *self, enum status status)
{
	pthread_mutex_lock(&self->lock);
	if (self->status == STATUS_OK)
		self->status = status;
	pthread_mutex_unlock(&self->lock);
}

static enum status status_now(struct restore *self)
{
	const atomic_bool *cancel = self->options->cancel;

	pthread_mutex_lock(&self->lock);
	enum status st = self->status;
	pthread_mutex_unlock(&self->lock);
	if (st == STATUS_OK && cancel && atomic_load(cancel))
		st = STATUS_PENDING;
	return st;
}

static void skip(struct restore *self, enum restore_skip why,
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

static void written(struct restore *self, bool verified)
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

/* Folders of the target */

static void folder_release(struct restore *self, struct folder **folder_p)
{
	struct folder *folder = *folder_p;

	*folder_p = NULL;
	if (!folder || atomic_fetch_sub(&folder->users, 1) > 1)
		return;
	close(folder->fd);
	atomic_fetch_sub(&self->handles, 1);
	bytes_clear(&folder->path);
	free(folder);
}

/** The part of ${path} before its last slash, and the name behind it. */
static struct slice path_split(const struct bytes *path, const char **name_out)
{
	const char *text = (const char *)path->data;
	const char *slash = strrchr(text, '/');

	*name_out = slash ? slash + 1 : text;
	return slice_of(text, slash ? (size_t)(slash - text) : 0);
}

/**
 * Open the folder ${path} below the root, making what is missing.  No
 * component may be a link: what others put there leads nowhere else.
 * Returns the descriptor or -1 with errno.
 */
static int folder_walk(const struct restore *self, struct slice path)
{
	char name[PATH_NAME_BYTES_MAX + 1];
	int fd = fcntl(self->root, F_DUPFD_CLOEXEC, 0);

	while (fd >= 0 && path.len > 0) {
		const uint8_t *slash = memchr(path.data, '/', path.len);
		size_t len = slash ? (size_t)(slash - path.data) : path.len;
		size_t used = slash ? len + 1 : len;
		memcpy(name, path.data, len);
		name[len] = '\0';
		path = slice_of(path.data + used, path.len - used);
		int next = -1;
		if (mkdirat(fd, name, FOLDER_MODE) == 0 || errno == EEXIST)
			next = openat(fd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int error = errno;
		close(fd);
		errno = error;
		fd = next;
	}
	return fd;
}

/** The folder ${path}, held; NULL with errno. */
static struct folder *folder_get(struct restore *self, struct slice path)
{
	struct folder *folder = self->folder;

	if (!folder || !slice_equal(bytes_slice(&folder->path), path)) {
		folder_release(self, &self->folder);
		folder = calloc(1, sizeof(*folder));
		if (!folder || bytes_copy(&folder->path, path) != STATUS_OK) {
			free(folder);
			errno = ENOMEM;
			return NULL;
		}
		folder->fd = folder_walk(self, path);
		if (folder->fd < 0) {
			int error = errno;
			bytes_clear(&folder->path);
			free(folder);
			errno = error;
			return NULL;
		}
		atomic_init(&folder->users, 1);
		atomic_fetch_add(&self->handles, 1);
		self->folder = folder;
	}
	atomic_fetch_add(&folder->users, 1);
	return folder;
}

/* Attributes */

static void times_fill(
    struct timespec times[static 2], const struct entry *from)
{
	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	times[1] = (struct timespec){ .tv_sec = (time_t)from->mtime_s,
		.tv_nsec = (long)from->mtime_ns };
}

/** Owner, mode and time of an open file or folder; false with errno. */
static bool attributes_set(
    const struct restore *self, int fd, const struct entry *entry)
{
	struct timespec times[2];
	mode_t mode = entry->mode;

	times_fill(times, entry);
	if (!self->options->owner)
		mode &= ~(mode_t)SET_ID_BITS;
	else if (fchown(fd, entry->user, entry->group) < 0)
		return false;
	return fchmod(fd, mode) == 0 && futimens(fd, times) == 0;
}

/** A name for what becomes ${entry}, the same each time it is tried. */
static void temporary_name(
    char out[static TEMPORARY_BYTES], const struct entry *entry)
{
	snprintf(out, TEMPORARY_BYTES, ".keepsake-%016" PRIx64 ".part",
	    (uint64_t)XXH3_64bits(entry->path.data, entry->path.len));
}

/* Files */

static bool write_all(int fd, const uint8_t *data, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t put = pwrite(fd, data, len, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		data += put;
		len -= (size_t)put;
		at += (size_t)put;
	}
	return true;
}

/** Whether the data of ${fd}, without its holes, has the entry's hash. */
static bool content_is(int fd, const struct entry *entry)
{
	uint8_t buffer[READ_BYTES];
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t hash;
	uint64_t at = 0;
	bool good = state != NULL;

	if (state)
		XXH3_128bits_reset(state);
	for (size_t i = 0; good && i < entry->extents_count; i++) {
		uint64_t left = entry->extents[i].length;
		if (entry->extents[i].hole) {
			at += left;
			continue;
		}
		while (good && left > 0) {
			size_t want = min_of(left, sizeof(buffer));
			ssize_t len = pread(fd, buffer, want, (off_t)at);
			if (len < 0 && errno == EINTR)
				continue;
			good = len > 0;
			if (!good)
				break;
			XXH3_128bits_update(state, buffer, (size_t)len);
			at += (uint64_t)len;
			left -= (uint64_t)len;
		}
	}
	if (good) {
		XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
		good = memcmp(&hash, entry->hash, ENTRY_HASH_BYTES) == 0;
	}
	XXH3_freeState(state);
	return good;
}

/** Whether the file is there as it should be, from an earlier try. */
static bool file_is_there(const struct restore *self,
    const struct folder *folder, const char *name, const struct entry *entry)
{
	struct stat stat;
	bool there = true;

	if (!self->options->merge ||
	    fstatat(folder->fd, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(stat.st_mode) || (uint64_t)stat.st_size != entry->size ||
	    stat.st_mtim.tv_sec != entry->mtime_s ||
	    stat.st_mtim.tv_nsec != (long)entry->mtime_ns)
		return false;
	if (self->options->verify) {
		int fd =
		    openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		there = fd >= 0 && content_is(fd, entry);
		if (fd >= 0)
			close(fd);
	}
	return there;
}

static void output_fail(struct output *self, enum restore_skip why, int error)
{
	if (!atomic_exchange(&self->failed, true))
		skip(self->owner, why, &self->entry, error);
}

static bool output_open(struct output *self)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int folder = self->folder->fd;

	self->fd = openat(folder, self->temporary, flags, FILE_MODE);
	if (self->fd < 0 && errno == EEXIST) { /* of a killed restore */
		unlinkat(folder, self->temporary, 0);
		self->fd = openat(folder, self->temporary, flags, FILE_MODE);
	}
	if (self->fd < 0) {
		output_fail(self, RESTORE_REFUSED, errno);
		return false;
	}
	atomic_fetch_add(&self->owner->handles, 1);
	return true;
}

/** Bring a write, from the opened chunk ${plain}, to its file. */
static void output_put(const struct write *write, struct slice plain)
{
	struct output *self = write->output;

	if (atomic_load(&self->failed) || (self->fd < 0 && !output_open(self)))
		return;
	if (write->offset > plain.len ||
	    write->length > plain.len - write->offset)
		output_fail(self, RESTORE_DAMAGED, 0);
	else if (!write_all(self->fd, plain.data + write->offset, write->length,
		     write->at))
		output_fail(self, RESTORE_REFUSED, errno);
	else
		atomic_fetch_add(&self->owner->bytes, write->length);
}

/** All of it is written: give it its size, attributes and name. */
static void output_finish(struct output *self)
{
	struct restore *owner = self->owner;
	const char *name;

	path_split(&self->entry.path, &name);
	if (self->fd < 0 && !output_open(self))
		return;
	if (ftruncate(self->fd, (off_t)self->entry.size) < 0 ||
	    !attributes_set(owner, self->fd, &self->entry))
		output_fail(self, RESTORE_REFUSED, errno);
	else if (owner->options->verify && !content_is(self->fd, &self->entry))
		output_fail(self, RESTORE_DIFFERS, 0);
	else if (renameat(self->folder->fd, self->temporary, self->folder->fd,
		     name) < 0)
		output_fail(self, RESTORE_REFUSED, errno);
	else
		written(owner, owner->options->verify);
}

/** One user less; the last one finishes the file. */
static void output_release(struct output **self_p)
{
	struct output *self = *self_p;

	*self_p = NULL;
	if (atomic_fetch_sub(&self->users, 1) > 1)
		return;
	struct restore *owner = self->owner;
	if (!atomic_load(&self->failed))
		output_finish(self);
	if (self->fd >= 0) {
		if (atomic_load(&self->failed))
			unlinkat(self->folder->fd, self->temporary, 0);
		close(self->fd);
		atomic_fetch_sub(&owner->handles, 1);
	}
	folder_release(owner, &self->folder);
	entry_clear(&self->entry);
	free(self);
}

static void output_write(struct write *write, struct slice plain)
{
	output_put(write, plain);
	output_release(&write->output);
}

/* Chunks */

static void slot_destroy(struct slot **self_p)
{
	struct slot *self = *self_p;

	*self_p = NULL;
	for (size_t i = 0; i < self->writes_count; i++)
		if (self->writes[i].output)
			output_release(&self->writes[i].output);
	free(self->writes);
	free(self->sealed);
	sodium_memzero(&self->name, sizeof(self->name));
	free(self);
}

/** A slot that will not be written: its files fail. */
static void slot_fail(struct slot *self, enum status st)
{
	bool damaged = st == STATUS_NOT_FOUND || st == STATUS_MALFORMED;

	if (!damaged)
		fail(self->owner, st);
	for (size_t i = 0; i < self->writes_count; i++)
		output_fail(self->writes[i].output,
		    damaged ? RESTORE_DAMAGED : RESTORE_REFUSED,
		    damaged ? 0 : ECANCELED);
}

static void slot_arrived(
    void *arg, enum status status, uint8_t *sealed, size_t sealed_len)
{
	struct slot *slot = arg;
	struct restore *self = slot->owner;

	slot->status = status;
	slot->sealed = sealed;
	slot->sealed_len = sealed_len;
	slot->next = NULL;
	pthread_mutex_lock(&self->lock);
	if (self->first)
		self->last->next = slot;
	else
		self->first = slot;
	self->last = slot;
	self->result->bytes_fetched += sealed_len;
	pthread_cond_signal(&self->arrived);
	pthread_mutex_unlock(&self->lock);
}

/** Ask for the chunk; takes ${slot_p}.  Waits while too many are flying. */
static void slot_launch(struct restore *self, struct slot **slot_p)
{
	struct slot *slot = *slot_p;

	*slot_p = NULL;
	pthread_mutex_lock(&self->lock);
	while (self->flying >= SLOTS_FLYING_MAX)
		pthread_cond_wait(&self->landed, &self->lock);
	self->flying++;
	pthread_mutex_unlock(&self->lock);
	enum status st = status_now(self);
	if (st == STATUS_OK)
		st = remote_fetch(
		    self->options->remote, &slot->name.id, slot_arrived, slot);
	if (st != STATUS_OK)
		slot_arrived(slot, st, NULL, 0);
}

/** Ask for all that is gathered, and wait until it is written. */
static void slots_drain(struct restore *self)
{
	while (self->open_count > 0)
		slot_launch(self, &self->open[--self->open_count]);
	pthread_mutex_lock(&self->lock);
	while (self->flying > 0)
		pthread_cond_wait(&self->landed, &self->lock);
	pthread_mutex_unlock(&self->lock);
}

/** The open slot of chunk ${name}, made the first; NULL without memory. */
static struct slot *slot_get(
    struct restore *self, const struct chunk_name *name)
{
	struct slot *slot = NULL;
	size_t at = 0;

	while (at < self->open_count && memcmp(&self->open[at]->name.id,
					    &name->id, sizeof(name->id)) != 0)
		at++;
	if (at < self->open_count) {
		slot = self->open[at];
	} else {
		slot = calloc(1, sizeof(*slot));
		if (!slot)
			return NULL;
		slot->owner = self;
		slot->name = *name;
		if (self->open_count == SLOTS_OPEN_MAX)
			slot_launch(self, &self->open[--self->open_count]);
		at = self->open_count++;
	}
	memmove(self->open + 1, self->open, at * sizeof(self->open[0]));
	self->open[0] = slot;
	return slot;
}

static enum status slot_add(struct restore *self, const struct chunk_name *name,
    const struct write *write)
{
	struct slot *slot = slot_get(self, name);

	if (!slot)
		return STATUS_NO_SPACE;
	if (slot->writes_count == slot->writes_capacity) {
		size_t capacity = max_of(4, slot->writes_capacity * 2);
		struct write *grown =
		    realloc(slot->writes, capacity * sizeof(*grown));
		if (!grown)
			return STATUS_NO_SPACE;
		slot->writes = grown;
		slot->writes_capacity = capacity;
	}
	slot->writes[slot->writes_count++] = *write;
	atomic_fetch_add(&write->output->users, 1);
	if (slot->writes_count == SLOT_WRITES_MAX) {
		self->open_count--;
		memmove(self->open, self->open + 1,
		    self->open_count * sizeof(self->open[0]));
		slot_launch(self, &slot);
	}
	return STATUS_OK;
}

static struct slot *slot_take(struct restore *self)
{
	pthread_mutex_lock(&self->lock);
	while (!self->first && !self->stop)
		pthread_cond_wait(&self->arrived, &self->lock);
	struct slot *slot = self->first;
	if (slot)
		self->first = slot->next;
	pthread_mutex_unlock(&self->lock);
	return slot;
}

static void *thread_run(void *arg)
{
	struct restore *self = arg;
	struct chunk_codec *codec = chunk_codec_new(self->options->keys);
	struct slice plain;
	struct slot *slot;

	while ((slot = slot_take(self)) != NULL) {
		enum status st = codec ? slot->status : STATUS_NO_SPACE;
		if (st == STATUS_OK)
			st = chunk_open(codec, &slot->name, CHUNK_DATA,
			    slice_of(slot->sealed, slot->sealed_len), &plain);
		if (st != STATUS_OK)
			slot_fail(slot, st);
		for (size_t i = 0; i < slot->writes_count && st == STATUS_OK;
		     i++)
			output_write(&slot->writes[i], plain);
		slot_destroy(&slot);
		pthread_mutex_lock(&self->lock);
		self->flying--;
		pthread_cond_signal(&self->landed);
		pthread_mutex_unlock(&self->lock);
	}
	chunk_codec_destroy(&codec);
	return NULL;
}

/* Entries */

static enum status file_restore(struct restore *self, struct folder **folder_p,
    const char *name, struct entry *entry)
{
	struct output *output = NULL;
	uint64_t at = 0;
	enum status st = STATUS_OK;

	if (file_is_there(self, *folder_p, name, entry)) {
		skip(self, RESTORE_THERE, entry, 0);
		return STATUS_OK;
	}
	output = calloc(1, sizeof(*output));
	if (!output)
		return STATUS_NO_SPACE;
	output->owner = self;
	output->fd = -1;
	atomic_init(&output->users, 1);
	atomic_init(&output->failed, false);
	temporary_name(output->temporary, entry);
	output->folder = *folder_p;
	*folder_p = NULL;
	output->entry = *entry;
	*entry = (struct entry){ 0 };
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
			st = slot_add(self, &extent->chunk, &write);
	}
	if (st != STATUS_OK)
		output_fail(output, RESTORE_REFUSED, ENOMEM);
out:
	output_release(&output);
	return st;
}

/** Give what was made under the temporary name its own. */
static bool name_give(
    const struct folder *folder, const char *temporary, const char *name)
{
	bool done = renameat(folder->fd, temporary, folder->fd, name) == 0;
	int error = errno;

	/* Two names of one file: then renaming leaves both. */
	unlinkat(folder->fd, temporary, 0);
	errno = error;
	return done;
}

static void symlink_restore(struct restore *self, const struct folder *folder,
    const char *name, const struct entry *entry)
{
	char temporary[TEMPORARY_BYTES];
	struct timespec times[2];
	const char *target = (const char *)entry->target.data;

	temporary_name(temporary, entry);
	times_fill(times, entry);
	unlinkat(folder->fd, temporary, 0);
	if (symlinkat(target, folder->fd, temporary) < 0 ||
	    utimensat(folder->fd, temporary, times, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (self->options->owner &&
		fchownat(folder->fd, temporary, entry->user, entry->group,
		    AT_SYMLINK_NOFOLLOW) < 0) ||
	    !name_give(folder, temporary, name))
		skip(self, RESTORE_REFUSED, entry, errno);
	else
		written(self, false);
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
	struct slice above = path_split(&entry->path, &name);
	struct folder *folder = NULL;
	enum status st = STATUS_OK;

	self->result->files++;
	if (entry->type == ENTRY_HARD_LINK)
		return later_add(&self->links, entry);
	if (entry->type == ENTRY_FOLDER)
		above = bytes_slice(&entry->path);
	if (atomic_load(&self->handles) >= HANDLES_MAX)
		slots_drain(self);
	folder = folder_get(self, above);
	if (!folder) {
		skip(self, RESTORE_REFUSED, entry, errno);
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

/** Make the hard links, now that what they lead to is there. */
static void links_make(struct restore *self)
{
	char temporary[TEMPORARY_BYTES];
	const char *name, *first_name;
	struct stat stat;

	for (struct later *at = self->links; at; at = at->next) {
		struct entry *entry = &at->entry;
		struct slice above = path_split(&entry->path, &name);
		struct slice first_above =
		    path_split(&entry->target, &first_name);
		struct folder *first = folder_get(self, first_above);
		struct folder *folder = folder_get(self, above);
		temporary_name(temporary, entry);
		if (folder)
			unlinkat(folder->fd, temporary, 0);
		if (!folder || !first)
			skip(self, RESTORE_REFUSED, entry, errno);
		else if (fstatat(first->fd, first_name, &stat,
			     AT_SYMLINK_NOFOLLOW) < 0 ||
			 !S_ISREG(stat.st_mode))
			skip(self, RESTORE_NO_LINK, entry, 0);
		else if (linkat(first->fd, first_name, folder->fd, temporary,
			     0) < 0 ||
			 !name_give(folder, temporary, name))
			skip(self, RESTORE_REFUSED, entry, errno);
		else
			written(self, false);
		folder_release(self, &first);
		folder_release(self, &folder);
	}
}

/** Give folders their attributes: the deepest first, nothing follows. */
static void folders_finish(struct restore *self)
{
	for (struct later *at = self->folders; at; at = at->next) {
		struct entry *entry = &at->entry;
		struct folder *folder =
		    folder_get(self, bytes_slice(&entry->path));
		if (!folder || !attributes_set(self, folder->fd, entry))
			skip(self, RESTORE_REFUSED, entry, errno);
		else
			written(self, false);
		folder_release(self, &folder);
	}
}

/* The whole */

static enum status target_open(struct restore *self)
{
	const char *target = self->options->target;
	const struct dirent *found;
	enum status st = STATUS_OK;

	if (mkdir(target, FOLDER_MODE) < 0 && errno != EEXIST)
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

static enum status threads_start(struct restore *self)
{
	size_t count =
	    self->options->threads ? self->options->threads : THREADS;

	while (self->threads_count < min_of(count, THREADS_MAX)) {
		if (pthread_create(&self->threads[self->threads_count], NULL,
			thread_run, self) != 0)
			return STATUS_NO_SPACE;
		self->threads_count++;
	}
	return STATUS_OK;
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

static enum status entries_restore(struct restore *self)
{
	const struct restore_options *options = self->options;
	struct entry entry = { 0 };
	enum status st;

	while ((st = status_now(self)) == STATUS_OK) {
		st = manifest_reader_next(self->reader, &entry);
		if (st != STATUS_OK)
			break;
		if (options->filter && !options->filter(options->arg, &entry))
			continue;
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
		st = target_open(&self);
	if (st == STATUS_OK)
		st = threads_start(&self);
	if (st == STATUS_OK)
		st = entries_restore(&self);
	if (st != STATUS_OK)
		fail(&self, st);
	if (self.threads_count > 0)
		slots_drain(&self);
	st = status_now(&self);
	if (st == STATUS_OK) {
		links_make(&self);
		folders_finish(&self);
		st = status_now(&self);
	}
	result_out->bytes = atomic_load(&self.bytes);
	if (st == STATUS_OK)
		progress_tell(&self);
	pthread_mutex_lock(&self.lock);
	self.stop = true;
	pthread_cond_broadcast(&self.arrived);
	pthread_mutex_unlock(&self.lock);
	for (size_t i = 0; i < self.threads_count; i++)
		pthread_join(self.threads[i], NULL);
	folder_release(&self, &self.folder);
	later_clear(&self.folders);
	later_clear(&self.links);
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
	struct restore self = { .options = options, .result = &result };
	struct entry entry = { 0 };
	enum status st = manifest_begin(&self);

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
