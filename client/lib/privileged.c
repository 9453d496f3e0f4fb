#include "privileged.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_MODE   0600
#define OTHERS      077 /* what nobody else may have */
#define WHY_BYTES   (PATH_MAX + 256)
#define FOLDER_OPEN (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Without O_NONBLOCK a named pipe would be waited for. */
#define FILE_OPEN (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

struct privileged {
	char folder[PATH_MAX];
	char why[WHY_BYTES];
};

enum status privileged_new(struct privileged **out, const char *folder)
{
	size_t len = strlen(folder);

	/* With a slash behind, a symlink would be followed. */
	while (len > 1 && folder[len - 1] == '/')
		len--;
	if (len == 0 || len + PRIVILEGED_NAME_BYTES_MAX >= PATH_MAX)
		return STATUS_MALFORMED;
	struct privileged *self = calloc(1, sizeof(*self));
	if (!self)
		return STATUS_NO_SPACE;
	memcpy(self->folder, folder, len);
	*out = self;
	return STATUS_OK;
}

void privileged_destroy(struct privileged **self_p)
{
	assert(self_p);
	free(*self_p);
	*self_p = NULL;
}

const char *privileged_folder(const struct privileged *self)
{
	return self->folder;
}

const char *privileged_why(const struct privileged *self)
{
	return self->why;
}

/* Say what is wrong with ${name}, NULL: the folder; returns ${status}. */
static enum status refuse(struct privileged *self, enum status status,
    const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum status refuse(struct privileged *self, enum status status,
    const char *name, const char *format, ...)
{
	va_list args;
	int len = snprintf(self->why, sizeof(self->why),
	    "%s%s%s: ", self->folder, name ? "/" : "", name ? name : "");

	va_start(args, format);
	vsnprintf(
	    self->why + len, sizeof(self->why) - (size_t)len, format, args);
	va_end(args);
	return status;
}

/* The same for what the system would not do. */
static enum status refuse_errno(
    struct privileged *self, int error, const char *name)
{
	switch (error) {
	case ENOENT:
		return refuse(self, STATUS_NOT_FOUND, name, "not there");
	case ENOSPC:
	case EDQUOT:
		return refuse(
		    self, STATUS_NO_SPACE, name, "%s", strerror(error));
	default:
		return refuse(self, STATUS_DENIED, name, "%s", strerror(error));
	}
}

/* Whether ${found}, folder or file, is in order. */
static enum status check(struct privileged *self, const char *name,
    const struct stat *found, mode_t kind)
{
	unsigned int mode = found->st_mode & 07777;

	if (S_ISLNK(found->st_mode))
		return refuse(self, STATUS_DENIED, name, "a symlink");
	if ((found->st_mode & S_IFMT) != kind)
		return refuse(self, STATUS_DENIED, name,
		    kind == S_IFDIR ? "not a folder" : "not a regular file");
	if (found->st_uid != 0 && found->st_uid != geteuid())
		return refuse(self, STATUS_DENIED, name,
		    "belongs to user %lu, not to root nor to you (user %lu)",
		    (unsigned long)found->st_uid, (unsigned long)geteuid());
	if (mode & OTHERS)
		return refuse(self, STATUS_DENIED, name,
		    "open to others, with mode %04o: chmod %s", mode,
		    kind == S_IFDIR ? "700" : "600");
	if (kind == S_IFREG && found->st_nlink != 1)
		return refuse(self, STATUS_DENIED, name,
		    "has a second name, a hard link: remove that");
	return STATUS_OK;
}

/* ${error} kept ${found} from being opened; it looked in order. */
static enum status refuse_unopened(struct privileged *self, int error,
    const char *name, const struct stat *found)
{
	if (error == EACCES && found->st_uid == 0 && geteuid() != 0)
		return refuse(self, STATUS_DENIED, name,
		    "belongs to root, and you are user %lu: only root may "
		    "use it",
		    (unsigned long)geteuid());
	return refuse_errno(self, error, name);
}

/* Open and check the folder; ${fd_out} is the caller's. */
static enum status folder_open(struct privileged *self, int *fd_out)
{
	struct stat found;

	/* This look is for the text only; the one below decides. */
	if (lstat(self->folder, &found) != 0)
		return refuse_errno(self, errno, NULL);
	enum status st = check(self, NULL, &found, S_IFDIR);
	if (st != STATUS_OK)
		return st;
	int fd = open(self->folder, FOLDER_OPEN);
	if (fd < 0)
		return refuse_unopened(self, errno, NULL, &found);
	if (fstat(fd, &found) != 0)
		st = refuse_errno(self, errno, NULL);
	else
		st = check(self, NULL, &found, S_IFDIR);
	if (st != STATUS_OK) {
		close(fd);
		return st;
	}
	self->why[0] = '\0';
	*fd_out = fd;
	return STATUS_OK;
}

enum status privileged_check(struct privileged *self)
{
	int fd = -1;
	enum status st = folder_open(self, &fd);

	if (fd >= 0)
		close(fd);
	return st;
}

enum status privileged_make(struct privileged *self)
{
	enum status st = privileged_check(self);

	if (st != STATUS_NOT_FOUND)
		return st;
	st = folder_make(self->folder);
	if (st != STATUS_OK)
		return st == STATUS_NO_SPACE
			   ? refuse(self, st, NULL, "no room for the folder")
			   : refuse(self, STATUS_DENIED, NULL,
				 "the folder cannot be made");
	return privileged_check(self);
}

/* A name is this program's own word, never somebody's input. */
static void check_name(const char *name)
{
	assert(name[0] != '\0' && name[0] != '.' && !strchr(name, '/'));
	assert(strlen(name) < PRIVILEGED_NAME_BYTES_MAX);
	(void)name; /* where asserts are compiled out */
}

/* Open and check a file of the open ${folder}. */
static enum status file_open(
    struct privileged *self, int folder, const char *name, int *fd_out)
{
	struct stat found;

	if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return refuse_errno(self, errno, name);
	enum status st = check(self, name, &found, S_IFREG);
	if (st != STATUS_OK)
		return st;
	int fd = openat(folder, name, FILE_OPEN);
	if (fd < 0)
		return refuse_unopened(self, errno, name, &found);
	if (fstat(fd, &found) != 0)
		st = refuse_errno(self, errno, name);
	else
		st = check(self, name, &found, S_IFREG);
	if (st != STATUS_OK) {
		close(fd);
		return st;
	}
	*fd_out = fd;
	return STATUS_OK;
}

/* Read to the end of ${fd}; TOO_LARGE where that is behind ${room}. */
static enum status read_all(struct privileged *self, int fd, const char *name,
    uint8_t *out, size_t room, size_t *len_out)
{
	uint8_t behind;
	size_t len = 0;

	for (;;) {
		bool full = len == room;
		ssize_t got =
		    read(fd, full ? &behind : out + len, full ? 1 : room - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse_errno(self, errno, name);
		if (got == 0)
			break;
		if (full)
			return refuse(self, STATUS_TOO_LARGE, name,
			    "longer than such a file is");
		len += (size_t)got;
	}
	*len_out = len;
	return STATUS_OK;
}

enum status privileged_read(struct privileged *self, const char *name,
    uint8_t *out, size_t room, size_t *len_out)
{
	int folder = -1, fd = -1;

	check_name(name);
	enum status st = folder_open(self, &folder);
	if (st == STATUS_OK)
		st = file_open(self, folder, name, &fd);
	if (st == STATUS_OK)
		st = read_all(self, fd, name, out, room, len_out);
	if (st != STATUS_OK)
		sodium_memzero(out, room);
	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	return st;
}

static enum status write_all(
    struct privileged *self, int fd, const char *name, struct slice contents)
{
	while (contents.len > 0) {
		ssize_t put = write(fd, contents.data, contents.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return refuse_errno(self, errno, name);
		contents.data += put;
		contents.len -= (size_t)put;
	}
	return fsync(fd) == 0 ? STATUS_OK : refuse_errno(self, errno, name);
}

/* Whether what bears ${name} now, if anything, may be replaced. */
static enum status check_former(
    struct privileged *self, int folder, const char *name)
{
	struct stat found;

	if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0)
		return check(self, name, &found, S_IFREG);
	return errno == ENOENT ? STATUS_OK : refuse_errno(self, errno, name);
}

/* Make ${temporary} with ${contents}, give it ${name}, and sync both. */
static enum status put_in_place(struct privileged *self, int folder,
    const char *temporary, const char *name, struct slice contents)
{
	unlinkat(folder, temporary, 0); /* left by one who was killed */
	int fd = openat(folder, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return refuse_errno(self, errno, name);
	enum status st = fchmod(fd, FILE_MODE) == 0
			     ? write_all(self, fd, name, contents)
			     : refuse_errno(self, errno, name);
	close(fd);
	if (st == STATUS_OK && renameat(folder, temporary, folder, name) != 0)
		st = refuse_errno(self, errno, name);
	if (st != STATUS_OK) {
		unlinkat(folder, temporary, 0);
		return st;
	}
	return fsync(folder) == 0 ? STATUS_OK : refuse_errno(self, errno, NULL);
}

enum status privileged_write(
    struct privileged *self, const char *name, struct slice contents)
{
	char temporary[PRIVILEGED_NAME_BYTES_MAX + sizeof(".new")];
	int folder = -1;

	check_name(name);
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	enum status st = privileged_make(self);
	if (st == STATUS_OK)
		st = folder_open(self, &folder);
	if (st == STATUS_OK)
		st = check_former(self, folder, name);
	if (st == STATUS_OK)
		st = put_in_place(self, folder, temporary, name, contents);
	if (folder >= 0)
		close(folder);
	return st;
}

enum status privileged_remove(struct privileged *self, const char *name)
{
	int folder = -1;

	check_name(name);
	enum status st = folder_open(self, &folder);
	if (st != STATUS_OK)
		return st;
	if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
		st = refuse_errno(self, errno, name);
	else if (fsync(folder) != 0)
		st = refuse_errno(self, errno, NULL);
	close(folder);
	return st;
}
