#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static enum status refuse(const char *path, const char *why)
{
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "file_refused", "path=%s why=\"%s\"",
	    log_quoted(quoted, path), why);
	return STATUS_DENIED;
}

static enum status file_status(int error, const char *path)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_NOT_FOUND;
	case EEXIST:
		return STATUS_CONFLICT;
	case ENOSPC:
	case EDQUOT:
		refuse(path, strerror(error));
		return STATUS_NO_SPACE;
	default:
		return refuse(path, strerror(error));
	}
}

static enum status read_all(
    int fd, const char *path, struct bytes *out, size_t len_max)
{
	out->len = 0;
	enum status st = bytes_reserve(out, len_max + 1);

	while (st == STATUS_OK) {
		ssize_t got =
		    read(fd, out->data + out->len, len_max + 1 - out->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return file_status(errno, path);
		if (got == 0)
			break;
		out->len += (size_t)got;
		if (out->len > len_max)
			st = STATUS_TOO_LARGE;
	}
	if (st != STATUS_OK)
		bytes_clear(out);
	return st;
}

enum status file_read(struct bytes *out, const char *path, size_t len_max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return file_status(errno, path);
	enum status st = read_all(fd, path, out, len_max);
	close(fd);
	return st;
}

enum status file_open_secret(int *fd_out, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat found;
	enum status st = STATUS_OK;

	if (fd < 0 && errno == ELOOP)
		return refuse(path, "a symlink");
	if (fd < 0)
		return file_status(errno, path);
	if (fstat(fd, &found) != 0)
		st = file_status(errno, path);
	else if (!S_ISREG(found.st_mode))
		st = refuse(path, "not a regular file");
	else if (found.st_uid != geteuid() && found.st_uid != 0)
		st = refuse(path, "another user's");
	else if (found.st_mode & 077)
		st = refuse(path, "open to others: chmod 600");
	if (st == STATUS_OK)
		*fd_out = fd;
	else
		close(fd);
	return st;
}

enum status file_read_secret(
    struct bytes *out, const char *path, size_t len_max)
{
	int fd;
	enum status st = file_open_secret(&fd, path, O_RDONLY);

	if (st != STATUS_OK)
		return st;
	st = read_all(fd, path, out, len_max);
	close(fd);
	return st;
}

enum status file_sync_folder(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int len = slash ? (int)(slash - path) : 1;

	snprintf(folder, sizeof(folder), "%.*s", slash && len == 0 ? 1 : len,
	    slash ? path : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_status(errno, folder);
	enum status st =
	    fsync(fd) == 0 ? STATUS_OK : file_status(errno, folder);
	close(fd);
	return st;
}

bool file_write(int fd, struct slice contents)
{
	while (contents.len > 0) {
		ssize_t put = write(fd, contents.data, contents.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		contents.data += put;
		contents.len -= (size_t)put;
	}
	return true;
}

/* owner  whose it is to be; NULL: the caller's */
static enum status write_new(const char *path, struct slice contents,
    unsigned int mode, const struct stat *owner)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return file_status(errno, path);
	enum status st = STATUS_OK;
	if (owner && fchown(fd, owner->st_uid, owner->st_gid) != 0)
		st = file_status(errno, path);
	if (st == STATUS_OK && fchmod(fd, (mode_t)mode) != 0)
		st = file_status(errno, path);
	if (st == STATUS_OK && (!file_write(fd, contents) || fsync(fd) != 0))
		st = file_status(errno, path);
	close(fd);
	if (st != STATUS_OK)
		unlink(path);
	return st;
}

enum status file_create(
    const char *path, struct slice contents, unsigned int mode)
{
	enum status st = write_new(path, contents, mode, NULL);

	return st == STATUS_OK ? file_sync_folder(path) : st;
}

enum status file_replace(
    const char *path, struct slice contents, unsigned int mode)
{
	char temporary[PATH_MAX];
	struct stat before;
	bool keep_owner = geteuid() == 0 && stat(path, &before) == 0;
	int len = snprintf(temporary, sizeof(temporary), "%s.new", path);

	if (len < 0 || (size_t)len >= sizeof(temporary))
		return refuse(path, "path too long");
	unlink(temporary); /* left by one who was killed */
	enum status st =
	    write_new(temporary, contents, mode, keep_owner ? &before : NULL);
	if (st == STATUS_OK && rename(temporary, path) != 0) {
		st = file_status(errno, path);
		unlink(temporary);
	}
	return st == STATUS_OK ? file_sync_folder(path) : st;
}

enum status folder_make(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return refuse(path, "path empty or too long");
	memcpy(part, path, len + 1);
	for (char *p = part + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char kept = *p;
		*p = '\0';
		enum status st = STATUS_OK;
		if (mkdir(part, 0700) == 0)
			st = file_sync_folder(part);
		else if (errno != EEXIST)
			st = file_status(errno, part);
		if (st != STATUS_OK)
			return st;
		if (kept == '\0')
			break;
		*p = kept;
	}
	struct stat found;
	if (stat(path, &found) != 0)
		return file_status(errno, path);
	return S_ISDIR(found.st_mode) ? STATUS_OK
				      : refuse(path, "not a folder");
}
