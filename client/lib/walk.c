#include "walk.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define STAT_BLOCK_BYTES 512 /* of st_blocks, whatever the file system has */
#define LINKS_MIN        64

/* clang-format off */
static const char *const troubles[] = {
	[WALK_UNREADABLE] = "cannot be read",
	[WALK_VANISHED]   = "vanished before it was read",
	[WALK_CHANGED]    = "changed while it was read",
	[WALK_SPECIAL]    = "is a socket, device or pipe",
	[WALK_TOO_DEEP]   = "has too long a path",
};
/* clang-format on */
_Static_assert(nitems(troubles) == WALK_TROUBLE_COUNT, "one text each");

/** A folder on the way from the root to where the walk is. */
struct folder {
	int fd;
	char **names; /* owned, sorted; what was given is freed */
	size_t names_count;
	size_t next;
	size_t path_len; /* of its own path, with the slash behind */
};

/** The first name of a file that has several. */
struct first_name {
	dev_t device; /* with inode the key; path NULL: a free slot */
	ino_t inode;
	char *path; /* owned */
};

struct walk {
	walk_report_fn *report; /* may be NULL */
	void *arg;
	struct folder folders[WALK_DEPTH_MAX];
	size_t depth;
	bool enter; /* the last one given is a folder: go into it */
	char path[PATH_BYTES_MAX + 1];
	size_t path_len;
	char target[PATH_BYTES_MAX + 1];
	struct first_name *firsts; /* owned, a hash table */
	size_t firsts_used;
	size_t firsts_capacity; /* a power of two, at most half used */
};

const char *walk_trouble_text(enum walk_trouble trouble)
{
	assert((unsigned int)trouble < WALK_TROUBLE_COUNT);
	return troubles[trouble];
}

static void trouble(const struct walk *self, enum walk_trouble what, int error)
{
	if (self->report)
		self->report(self->arg, what, self->path, error);
}

static enum status status_from_errno(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_NOT_FOUND;
	case EACCES:
	case EPERM:
	case ELOOP:
		return STATUS_DENIED;
	default:
		return STATUS_NO_SPACE;
	}
}

/* Folders */

static int name_compare(const void *a, const void *b)
{
	/* strcmp compares bytes as unsigned, in every locale. */
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void folder_close(struct folder *self)
{
	for (size_t i = self->next; i < self->names_count; i++)
		free(self->names[i]);
	free(self->names);
	close(self->fd);
	*self = (struct folder){ .fd = -1 };
}

static enum status folder_add(
    struct folder *self, size_t *capacity, const char *name)
{
	if (self->names_count == *capacity) {
		size_t grown = max_of(16, *capacity * 2);
		char **names = realloc(self->names, grown * sizeof(*names));
		if (!names)
			return STATUS_NO_SPACE;
		self->names = names;
		*capacity = grown;
	}
	self->names[self->names_count] = strdup(name);
	if (!self->names[self->names_count])
		return STATUS_NO_SPACE;
	self->names_count++;
	return STATUS_OK;
}

/** List ${fd}, which is taken; ${error_out}: an errno, 0 if all were read. */
static enum status folder_list(struct folder *self, int fd, int *error_out)
{
	enum status st = STATUS_OK;
	size_t capacity = 0;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);

	*self = (struct folder){ .fd = fd };
	*error_out = errno;
	if (!stream) {
		if (copy >= 0)
			close(copy);
		return STATUS_OK;
	}
	for (;;) {
		errno = 0;
		const struct dirent *found = readdir(stream);
		if (!found)
			break;
		if (strcmp(found->d_name, ".") == 0 ||
		    strcmp(found->d_name, "..") == 0)
			continue;
		st = folder_add(self, &capacity, found->d_name);
		if (st != STATUS_OK)
			goto out;
	}
	*error_out = errno;
	if (self->names_count > 0)
		qsort(self->names, self->names_count, sizeof(*self->names),
		    name_compare);
out:
	closedir(stream);
	return st;
}

/** Go into the folder the walk stands on. */
static enum status folder_enter(struct walk *self, int parent, const char *name)
{
	int error = 0;
	int fd = openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		trouble(self, errno == ENOENT ? WALK_VANISHED : WALK_UNREADABLE,
		    errno);
		return STATUS_OK;
	}
	if (self->depth == WALK_DEPTH_MAX) {
		close(fd);
		trouble(self, WALK_TOO_DEEP, 0);
		return STATUS_OK;
	}
	struct folder *folder = &self->folders[self->depth++];
	enum status st = folder_list(folder, fd, &error);
	if (error != 0)
		trouble(self, WALK_UNREADABLE, error);
	folder->path_len = self->path_len;
	if (self->path_len > 0)
		folder->path_len++; /* the slash, put when a name follows */
	return st;
}

/* Files with several names */

static size_t first_slot(const struct walk *self, dev_t device, ino_t inode)
{
	size_t mask = self->firsts_capacity - 1;
	size_t at =
	    (size_t)((inode ^ (device << 16)) * 0x9e3779b97f4a7c15u >> 20) &
	    mask;

	while (self->firsts[at].path && (self->firsts[at].device != device ||
					    self->firsts[at].inode != inode))
		at = (at + 1) & mask;
	return at;
}

static enum status firsts_grow(struct walk *self)
{
	struct first_name *old = self->firsts;
	size_t old_capacity = self->firsts_capacity;
	size_t capacity = max_of(LINKS_MIN, old_capacity * 2);
	struct first_name *grown = calloc(capacity, sizeof(*grown));

	if (!grown)
		return STATUS_NO_SPACE;
	self->firsts = grown;
	self->firsts_capacity = capacity;
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i].path)
			grown[first_slot(self, old[i].device, old[i].inode)] =
			    old[i];
	free(old);
	return STATUS_OK;
}

/** A file with several names: note the first one, or make a link to it. */
static enum status link_resolve(struct walk *self, struct walk_entry *out)
{
	if (2 * (self->firsts_used + 1) > self->firsts_capacity &&
	    firsts_grow(self) != STATUS_OK)
		return STATUS_NO_SPACE;
	struct first_name *first =
	    &self->firsts[first_slot(self, out->stat.st_dev, out->stat.st_ino)];
	if (first->path) {
		out->type = ENTRY_HARD_LINK;
		out->target = slice_text(first->path);
		return STATUS_OK;
	}
	first->path = strdup(self->path);
	if (!first->path)
		return STATUS_NO_SPACE;
	first->device = out->stat.st_dev;
	first->inode = out->stat.st_ino;
	self->firsts_used++;
	return STATUS_OK;
}

/* The walk */

enum status walk_new(
    struct walk **self_out, const char *root, walk_report_fn *report, void *arg)
{
	struct walk *self = NULL;
	int error = 0;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return status_from_errno(errno);
	self = calloc(1, sizeof(*self));
	if (!self) {
		close(fd);
		return STATUS_NO_SPACE;
	}
	self->report = report;
	self->arg = arg;
	self->depth = 1;
	enum status st = folder_list(&self->folders[0], fd, &error);
	if (st == STATUS_OK && error != 0)
		st = status_from_errno(error);
	if (st != STATUS_OK)
		walk_destroy(&self);
	*self_out = self;
	return st;
}

void walk_destroy(struct walk **self_p)
{
	assert(self_p);
	struct walk *self = *self_p;

	if (!self)
		return;
	while (self->depth > 0)
		folder_close(&self->folders[--self->depth]);
	for (size_t i = 0; i < self->firsts_capacity; i++)
		free(self->firsts[i].path);
	free(self->firsts);
	free(self);
	*self_p = NULL;
}

/** Put ${name} behind the path of ${folder}; false: too long. */
static bool path_set(
    struct walk *self, const struct folder *folder, const char *name)
{
	size_t len = strlen(name);

	if (folder->path_len + len > PATH_BYTES_MAX)
		return false;
	if (folder->path_len > 0)
		self->path[folder->path_len - 1] = '/';
	memcpy(self->path + folder->path_len, name, len + 1);
	self->path_len = folder->path_len + len;
	return true;
}

/** Look at what the walk stands on; false: reported, go on. */
static bool look(struct walk *self, struct walk_entry *out)
{
	if (fstatat(out->folder_fd, out->name, &out->stat,
		AT_SYMLINK_NOFOLLOW) < 0) {
		trouble(self, errno == ENOENT ? WALK_VANISHED : WALK_UNREADABLE,
		    errno);
		return false;
	}
	if (S_ISREG(out->stat.st_mode)) {
		out->type = ENTRY_FILE;
	} else if (S_ISDIR(out->stat.st_mode)) {
		out->type = ENTRY_FOLDER;
	} else if (S_ISLNK(out->stat.st_mode)) {
		out->type = ENTRY_SYMLINK;
		ssize_t len = readlinkat(out->folder_fd, out->name,
		    self->target, PATH_BYTES_MAX + 1);
		if (len <= 0 || len > PATH_BYTES_MAX) {
			trouble(self, len < 0 ? WALK_UNREADABLE : WALK_TOO_DEEP,
			    len < 0 ? errno : 0);
			return false;
		}
		self->target[len] = '\0';
		out->target = slice_of(self->target, (size_t)len);
	} else {
		trouble(self, WALK_SPECIAL, 0);
		return false;
	}
	return true;
}

enum status walk_next(struct walk *self, struct walk_entry *out)
{
	for (;;) {
		struct folder *folder = &self->folders[self->depth - 1];
		if (self->enter) {
			/* The name it had is still the last of its folder. */
			self->enter = false;
			enum status st = folder_enter(
			    self, folder->fd, self->path + folder->path_len);
			if (st != STATUS_OK)
				return st;
			continue;
		}
		if (folder->next == folder->names_count) {
			if (self->depth == 1)
				return STATUS_NOT_FOUND;
			folder_close(folder);
			self->depth--;
			continue;
		}
		char *name = folder->names[folder->next++];
		bool fits = path_set(self, folder, name);
		free(name);
		if (!fits) {
			self->path[max_of(folder->path_len, 1) - 1] = '\0';
			trouble(self, WALK_TOO_DEEP, 0);
			continue;
		}
		*out = (struct walk_entry){ .folder_fd = folder->fd,
			.name = self->path + folder->path_len,
			.path = slice_of(self->path, self->path_len) };
		if (!look(self, out))
			continue;
		self->enter = out->type == ENTRY_FOLDER;
		if (out->type == ENTRY_FILE && out->stat.st_nlink > 1)
			return link_resolve(self, out);
		return STATUS_OK;
	}
}

/* Files */

int walk_open(const struct walk_entry *entry, struct stat *stat_out)
{
	/* Should a pipe have taken the name: do not wait for its writer. */
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(entry->folder_fd, entry->name, flags);
	int error = 0;

	if (fd < 0) {
		if (errno == ELOOP)
			errno = ENOENT;
		return -1;
	}
	if (fstat(fd, stat_out) < 0)
		error = errno;
	else if (!S_ISREG(stat_out->st_mode))
		error = ENOENT;
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

bool walk_part(
    int fd, const struct stat *stat, uint64_t offset, uint64_t *length)
{
	uint64_t size = (uint64_t)stat->st_size;

	*length = size - min_of(offset, size);
	if (*length == 0 ||
	    (uint64_t)stat->st_blocks * STAT_BLOCK_BYTES >= size)
		return false;
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO; /* a hole to the end; else: no idea */
	if ((uint64_t)data > offset) {
		*length = min_of((uint64_t)data, size) - offset;
		return true;
	}
	off_t hole = lseek(fd, (off_t)offset, SEEK_HOLE);
	if (hole > data)
		*length = min_of((uint64_t)hole, size) - offset;
	return false;
}

bool walk_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}
