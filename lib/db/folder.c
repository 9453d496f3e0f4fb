#include "db/folder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define LOCK_FILE    "owner.lock"
#define RESERVE_FILE "reserve"

#define HOLD_BYTES_MIN 4096 /* what is left over is not enough for a page */

struct folder {
	int fd;
	int lock_fd;
	int reserve_fd;
	uint64_t reserve_bytes; /* wanted */
	uint64_t held_bytes;
};

static enum status fault(const char *path, const char *step)
{
	enum status st = errno == ENOSPC || errno == EDQUOT
			     ? STATUS_NO_SPACE
			     : STATUS_UNAVAILABLE;
	char quoted[LOG_QUOTED_BYTES];

	log_error(NULL, "database_folder", "step=%s path=%s error=\"%s\"", step,
	    log_quoted(quoted, path), strerror(errno));
	return st;
}

/*
 * Sync the folder that holds ${path}, in which it may be new: who made it
 * may have been killed before it came to this.  One that only others may
 * open has been ${made} by them.
 */
static enum status sync_parent(const char *path, bool made)
{
	enum status st = STATUS_UNAVAILABLE;
	char *copy = strdup(path);
	int fd = -1;

	if (!copy)
		return STATUS_NO_SPACE;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool not_ours = fd < 0 && errno == EACCES && !made;
	if (not_ours || (fd >= 0 && fsync(fd) == 0))
		st = STATUS_OK;
	else
		st = fault(path, "sync_parent");
	if (fd >= 0)
		close(fd);
	free(copy);
	return st;
}

/* The lock goes with the process, however it ends. */
static enum status lock(struct folder *self, const char *path)
{
	char quoted[LOG_QUOTED_BYTES], owner[32] = "";

	self->lock_fd =
	    openat(self->fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (self->lock_fd < 0)
		return fault(path, "lock_file");
	if (flock(self->lock_fd, LOCK_EX | LOCK_NB) == 0) {
		int len =
		    snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
		if (ftruncate(self->lock_fd, 0) != 0 ||
		    pwrite(self->lock_fd, owner, (size_t)len, 0) != len)
			log_warning(NULL, "lock_file_text", "error=\"%s\"",
			    strerror(errno));
		return STATUS_OK;
	}
	if (errno != EWOULDBLOCK)
		return fault(path, "lock");
	if (pread(self->lock_fd, owner, sizeof(owner) - 1, 0) < 0)
		owner[0] = '\0';
	log_error(NULL, "database_in_use", "lock=%s/" LOCK_FILE " pid=%ld",
	    log_quoted(quoted, path), strtol(owner, NULL, 10));
	return STATUS_BUSY;
}

/* Hold ${bytes} in all; else as much as before. */
static bool hold(struct folder *self, uint64_t bytes)
{
	if (posix_fallocate(self->reserve_fd, 0, (off_t)bytes) == 0) {
		self->held_bytes = bytes;
		return true;
	}
	/* A part of it may have been taken. */
	if (ftruncate(self->reserve_fd, (off_t)self->held_bytes) != 0)
		log_warning(
		    NULL, "reserve_not_held", "error=\"%s\"", strerror(errno));
	return false;
}

/* What was held when the database was closed, unless less is wanted now. */
static void reserve_find(struct folder *self)
{
	struct stat found;

	if (fstat(self->reserve_fd, &found) == 0 && found.st_size > 0)
		hold(
		    self, min_of((uint64_t)found.st_size, self->reserve_bytes));
	/* It may be longer, from a time with a larger reserve. */
	if (ftruncate(self->reserve_fd, (off_t)self->held_bytes) != 0)
		log_warning(
		    NULL, "reserve_not_held", "error=\"%s\"", strerror(errno));
}

enum status folder_open(
    struct folder **out, const char *path, uint64_t reserve_bytes)
{
	enum status st = STATUS_NO_SPACE;
	struct folder *self = calloc(1, sizeof(*self));

	*out = NULL;
	if (!self)
		return st;
	self->fd = self->lock_fd = self->reserve_fd = -1;
	self->reserve_bytes = reserve_bytes;

	bool made = mkdir(path, 0700) == 0;
	if (!made && errno != EEXIST) {
		st = fault(path, "make");
		goto out;
	}
	self->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self->fd < 0) {
		st = fault(path, "open");
		goto out;
	}
	st = sync_parent(path, made);
	if (st == STATUS_OK)
		st = lock(self, path);
	if (st != STATUS_OK)
		goto out;
	self->reserve_fd =
	    openat(self->fd, RESERVE_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (self->reserve_fd < 0) {
		st = fault(path, "reserve_file");
		goto out;
	}
	reserve_find(self);
	folder_reserve_hold(self);
	if (self->held_bytes < reserve_bytes)
		log_warning(NULL, "no_reserve", "bytes=%llu held=%llu",
		    (unsigned long long)reserve_bytes,
		    (unsigned long long)self->held_bytes);
	*out = self;
	self = NULL;
out:
	folder_close(&self);
	return st;
}

void folder_close(struct folder **self_p)
{
	assert(self_p);
	struct folder *self = *self_p;
	if (!self)
		return;
	if (self->reserve_fd >= 0)
		close(self->reserve_fd);
	if (self->lock_fd >= 0)
		close(self->lock_fd);
	if (self->fd >= 0)
		close(self->fd);
	free(self);
	*self_p = NULL;
}

enum status folder_sync(const struct folder *self)
{
	return fsync(self->fd) == 0 ? STATUS_OK : fault(".", "sync");
}

uint64_t folder_room(const struct folder *self)
{
	struct statvfs disk;

	if (fstatvfs(self->fd, &disk) != 0)
		return 0;
	return (uint64_t)disk.f_bavail * disk.f_frsize;
}

bool folder_reserve_release(struct folder *self)
{
	if (self->held_bytes == 0)
		return false;
	self->held_bytes = 0;
	return ftruncate(self->reserve_fd, 0) == 0;
}

void folder_reserve_hold(struct folder *self)
{
	if (self->held_bytes == self->reserve_bytes ||
	    hold(self, self->reserve_bytes))
		return;
	for (uint64_t part = self->reserve_bytes / 2; part >= HOLD_BYTES_MIN;
	     part /= 2)
		if (self->held_bytes + part <= self->reserve_bytes)
			hold(self, self->held_bytes + part);
}
