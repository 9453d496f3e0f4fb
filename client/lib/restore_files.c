#include "restore_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/util.h"

/* Folders and files of the target. */

#define READ_BYTES  (64 * 1024)
#define FILE_MODE   0600
#define SET_ID_BITS 06000

/* ---- folders ---- */

void folder_release(struct restore *self, struct folder **folder_p)
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

struct slice restore_split(const struct bytes *path, const char **name_out)
{
	const char *text = (const char *)path->data;
	const char *slash = strrchr(text, '/');

	*name_out = slash ? slash + 1 : text;
	return slice_of(text, slash ? (size_t)(slash - text) : 0);
}

/**
 * Open the folder ${path} below the root, making what is missing where
 * ${make} says so.  No component may be a link: what others put there leads
 * nowhere else.  Returns the descriptor or -1 with errno.
 */
static int folder_walk(const struct restore *self, struct slice path, bool make)
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
		if (!make || mkdirat(fd, name, RESTORE_FOLDER_MODE) == 0 ||
		    errno == EEXIST)
			next = openat(fd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int error = errno;
		close(fd);
		errno = error;
		fd = next;
	}
	return fd;
}

static struct folder *folder_open(
    struct restore *self, struct slice path, bool make)
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
		folder->fd = folder_walk(self, path, make);
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

struct folder *folder_get(struct restore *self, struct slice path)
{
	return folder_open(self, path, true);
}

struct folder *folder_find(struct restore *self, struct slice path)
{
	return folder_open(self, path, false);
}

/* ---- attributes ---- */

void restore_times(struct timespec times[static 2], const struct entry *from)
{
	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	times[1] = (struct timespec){ .tv_sec = (time_t)from->mtime_s,
		.tv_nsec = (long)from->mtime_ns };
}

bool restore_attributes(
    const struct restore *self, int fd, const struct entry *entry)
{
	struct timespec times[2];
	mode_t mode = entry->mode;

	restore_times(times, entry);
	if (!self->options->owner)
		mode &= ~(mode_t)SET_ID_BITS;
	else if (fchown(fd, entry->user, entry->group) < 0)
		return false;
	return fchmod(fd, mode) == 0 && futimens(fd, times) == 0;
}

void restore_temporary(
    char out[static RESTORE_TEMPORARY_BYTES], const struct entry *entry)
{
	snprintf(out, RESTORE_TEMPORARY_BYTES, ".keepsake-%016" PRIx64 ".part",
	    (uint64_t)XXH3_64bits(entry->path.data, entry->path.len));
}

/* ---- files ---- */

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

bool restore_is_there(const struct restore *self, const struct folder *folder,
    const char *name, const struct entry *entry)
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
		/* Should a pipe have taken the name: do not wait. */
		int fd = openat(folder->fd, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		there = fd >= 0 && content_is(fd, entry);
		if (fd >= 0)
			close(fd);
	}
	return there;
}

bool restore_keeps(
    const struct restore *self, const struct folder *folder, const char *name)
{
	struct stat stat;

	return self->options->keep &&
	       fstatat(folder->fd, name, &stat, AT_SYMLINK_NOFOLLOW) == 0;
}

bool restore_has_folder(const struct restore *self, const struct entry *entry)
{
	struct stat stat;

	return fstatat(self->root, (const char *)entry->path.data, &stat,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(stat.st_mode);
}

bool restore_name(const struct restore *self, const struct folder *folder,
    const char *temporary, const char *name)
{
	int fd = folder->fd;

	if (!self->options->keep)
		return renameat(fd, temporary, fd, name) == 0;
	/* What came there meanwhile stays, too. */
	if (renameat2(fd, temporary, fd, name, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	/* A file system that cannot: a second name is never given twice. */
	return linkat(fd, temporary, fd, name, 0) == 0 &&
	       unlinkat(fd, temporary, 0) == 0;
}

enum restore_skip restore_why(const struct restore *self, int error)
{
	return self->options->keep && error == EEXIST ? RESTORE_KEPT
						      : RESTORE_REFUSED;
}

struct output *output_new(
    struct restore *self, struct folder **folder_p, struct entry *entry)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return NULL;
	output->owner = self;
	output->fd = -1;
	atomic_init(&output->users, 1);
	atomic_init(&output->failed, false);
	restore_temporary(output->temporary, entry);
	output->folder = *folder_p;
	*folder_p = NULL;
	output->entry = *entry;
	*entry = (struct entry){ 0 };
	return output;
}

void output_fail(struct output *self, enum restore_skip why, int error)
{
	if (!atomic_exchange(&self->failed, true))
		restore_skipped(self->owner, why, &self->entry, error);
}

bool output_open(struct output *self)
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

	restore_split(&self->entry.path, &name);
	if (self->fd < 0 && !output_open(self))
		return;
	if (ftruncate(self->fd, (off_t)self->entry.size) < 0 ||
	    !restore_attributes(owner, self->fd, &self->entry))
		output_fail(self, RESTORE_REFUSED, errno);
	else if (owner->options->verify && !content_is(self->fd, &self->entry))
		output_fail(self, RESTORE_DIFFERS, 0);
	else if (!restore_name(owner, self->folder, self->temporary, name))
		output_fail(self, restore_why(owner, errno), errno);
	else
		restore_written(owner, owner->options->verify);
}

void output_release(struct output **self_p)
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

void output_write(struct write *write, struct slice plain)
{
	output_put(write, plain);
	output_release(&write->output);
}
