#include "record.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace.h"

#define FILES_MAX 4096 /* inodes seen; a power of two */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace_fd = -1;
static char folder[PATH_MAX];
static size_t folder_len;
static uint64_t syncs;
static bool ended;                /* syncs do nothing */
static uint64_t files[FILES_MAX]; /* a hash table of inodes; 0: free */

/* ---- the trace ---- */

static void put(enum trace_kind kind, uint64_t file, uint64_t number,
    const void *data, size_t bytes)
{
	struct trace_header header = { kind, (uint32_t)bytes, file, number };
	struct iovec parts[] = { { &header, sizeof(header) },
		{ (void *)data, bytes } };

	/* One call, at the end of the file: whole, whoever else records. */
	if (syscall(SYS_writev, trace_fd, parts, 2) !=
	    (long)(sizeof(header) + bytes))
		err(70, "the trace cannot be written");
}

static void put_paths(enum trace_kind kind, const char *one, const char *two)
{
	char both[2 * PATH_MAX];
	size_t one_bytes = strlen(one) + 1, two_bytes = strlen(two) + 1;

	memcpy(both, one, one_bytes);
	memcpy(both + one_bytes, two, two_bytes);
	put(kind, 0, 0, both, one_bytes + two_bytes);
}

void record_begin(const char *path, const char *trace)
{
	if (!realpath(path, folder))
		err(70, "%s", path);
	folder_len = strlen(folder);
	trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (trace_fd < 0)
		err(70, "%s", trace);
}

void record_mark(const char *text)
{
	pthread_mutex_lock(&lock);
	if (trace_fd >= 0)
		put(TRACE_MARK, 0, 0, text, strlen(text));
	pthread_mutex_unlock(&lock);
}

void record_end(void)
{
	pthread_mutex_lock(&lock);
	if (trace_fd >= 0)
		close(trace_fd);
	trace_fd = -1;
	ended = true;
	memset(files, 0, sizeof(files));
	pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void record_preloaded(void)
{
	const char *path = getenv("KEEPSAKE_RECORD_FOLDER");
	const char *trace = getenv("KEEPSAKE_RECORD_TRACE");

	if (path && trace)
		record_begin(path, trace);
}

/* ---- which files ---- */

/* Where ${inode} is, or would be, in the table. */
static uint64_t *file_slot(uint64_t inode)
{
	size_t at = (size_t)(inode * 0x9e3779b97f4a7c15 >> 40) % FILES_MAX;

	for (size_t tried = 0; tried < FILES_MAX; tried++) {
		if (files[at] == inode || files[at] == 0)
			return &files[at];
		at = (at + 1) % FILES_MAX;
	}
	errx(70, "more than %d files are recorded", FILES_MAX);
}

/* Whether it is one of ours; its inode is. */
static bool is_ours(int fd, uint64_t *inode_out)
{
	struct stat found;

	if (trace_fd < 0 || fd == trace_fd || fstat(fd, &found) != 0 ||
	    !S_ISREG(found.st_mode))
		return false;
	*inode_out = found.st_ino;
	return *file_slot(found.st_ino) == found.st_ino;
}

/* Write ${path} below the folder to ${out}; false where it is not there. */
static bool below(char out[static PATH_MAX], int at, const char *path)
{
	char joined[2 * PATH_MAX], link[64], real[PATH_MAX];
	int saved = errno;
	bool found = false;

	if (trace_fd < 0)
		return false;
	if (path[0] == '/' || at == AT_FDCWD) {
		snprintf(joined, sizeof(joined), "%s", path);
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
		ssize_t len = readlink(link, joined, PATH_MAX);
		if (len < 0)
			return false;
		snprintf(
		    joined + len, sizeof(joined) - (size_t)len, "/%s", path);
	}
	char *slash = strrchr(joined, '/');
	const char *name = slash ? slash + 1 : joined;
	char parent[PATH_MAX];
	snprintf(parent, sizeof(parent), "%.*s",
	    slash ? (int)(slash - joined) : 1, slash ? joined : ".");
	if (realpath(parent[0] ? parent : "/", real) &&
	    strncmp(real, folder, folder_len) == 0 &&
	    (real[folder_len] == '/' || real[folder_len] == '\0')) {
		const char *rest = real + folder_len;
		if (*rest == '/')
			rest++;
		found = snprintf(out, PATH_MAX, "%s%s%s", rest,
			    *rest ? "/" : "", name) < PATH_MAX;
	}
	errno = saved;
	return found;
}

/* ---- opening ---- */

static int record_open(int at, const char *path, int flags, mode_t mode)
{
	char where[PATH_MAX];
	struct stat before, found;

	pthread_mutex_lock(&lock);
	bool ours = (flags & O_ACCMODE) != O_RDONLY && below(where, at, path);
	bool made = ours && (flags & O_CREAT) &&
		    fstatat(at, path, &before, AT_SYMLINK_NOFOLLOW) != 0;
	if (ended)
		flags &= ~O_DSYNC;
	int fd = (int)syscall(SYS_openat, at, path, flags, mode);
	int saved = errno;
	if (ours && fd >= 0 && fstat(fd, &found) == 0 &&
	    S_ISREG(found.st_mode)) {
		*file_slot(found.st_ino) = found.st_ino;
		put(TRACE_OPENED, found.st_ino, made, where, strlen(where) + 1);
		if (flags & O_TRUNC)
			put(TRACE_SIZE, found.st_ino, 0, NULL, 0);
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
	return fd;
}

static mode_t mode_given(int flags, va_list args)
{
	return flags & O_CREAT ? (mode_t)va_arg(args, unsigned int) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_given(flags, args);
	va_end(args);
	return record_open(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_given(flags, args);
	va_end(args);
	return record_open(at, path, flags, mode);
}

/* ---- writing ---- */

/*
 * The event follows the write, both under the lock: a sync that begins later
 * covers it.  One that is synced by itself stands in the trace before that,
 * for it may be cut short.
 */
static ssize_t record_write(
    int fd, const struct iovec *parts, int count, off_t at)
{
	uint64_t inode = 0;
	char *data = NULL;
	size_t bytes = 0;

	pthread_mutex_lock(&lock);
	bool ours = is_ours(fd, &inode);
	bool synced = ours && (fcntl(fd, F_GETFL) & O_DSYNC);
	for (int i = 0; ours && i < count; i++) {
		data = realloc(data, bytes + parts[i].iov_len + 1);
		if (!data)
			err(70, "no memory to record a write");
		memcpy(data + bytes, parts[i].iov_base, parts[i].iov_len);
		bytes += parts[i].iov_len;
	}
	if (synced && at < 0)
		errx(70, "a synced write without an offset");
	if (synced)
		put(TRACE_WRITE, inode, (uint64_t)at, data, bytes);
	ssize_t done = at < 0 ? syscall(SYS_writev, fd, parts, count)
			      : syscall(SYS_pwritev, fd, parts, count, at, 0);
	int saved = errno;
	if (synced && done == (ssize_t)bytes)
		put(TRACE_WRITTEN, inode, 0, NULL, 0);
	if (ours && !synced && done > 0) {
		if (at < 0)
			at = lseek(fd, 0, SEEK_CUR) - done;
		put(TRACE_WRITE, inode, (uint64_t)at, data, (size_t)done);
	}
	pthread_mutex_unlock(&lock);
	free(data);
	errno = saved;
	return done;
}

ssize_t write(int fd, const void *data, size_t bytes)
{
	const struct iovec part = { (void *)data, bytes };

	if (trace_fd < 0)
		return syscall(SYS_write, fd, data, bytes);
	return record_write(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return record_write(fd, parts, count, -1);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at)
{
	const struct iovec part = { (void *)data, bytes };

	return record_write(fd, &part, 1, at);
}

static int record_size(int fd, int result)
{
	struct stat found;
	uint64_t inode;
	int saved = errno;

	if (result == 0 && is_ours(fd, &inode) && fstat(fd, &found) == 0)
		put(TRACE_SIZE, inode, (uint64_t)found.st_size, NULL, 0);
	errno = saved;
	return result;
}

int ftruncate(int fd, off_t size)
{
	pthread_mutex_lock(&lock);
	int result = record_size(fd, (int)syscall(SYS_ftruncate, fd, size));
	pthread_mutex_unlock(&lock);
	return result;
}

int posix_fallocate(int fd, off_t at, off_t bytes)
{
	pthread_mutex_lock(&lock);
	int result =
	    record_size(fd, (int)syscall(SYS_fallocate, fd, 0, at, bytes));
	pthread_mutex_unlock(&lock);
	return result == 0 ? 0 : errno;
}

/* ---- syncing ---- */

static int record_sync(int fd, long call)
{
	char link[64], path[PATH_MAX] = "", where[PATH_MAX] = "";
	struct stat found;
	uint64_t inode = 0;

	pthread_mutex_lock(&lock);
	bool ours = is_ours(fd, &inode), is_folder = false;
	if (trace_fd >= 0 && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t len = readlink(link, path, sizeof(path) - 1);
		path[len > 0 ? len : 0] = '\0';
		is_folder =
		    strcmp(path, folder) == 0 || below(where, AT_FDCWD, path);
	}
	uint64_t number = ((uint64_t)getpid() << 32) + ++syncs;
	if (ours)
		put(TRACE_SYNC_BEGIN, inode, number, NULL, 0);
	if (is_folder)
		put(TRACE_FOLDER_BEGIN, 0, number, where, strlen(where) + 1);
	pthread_mutex_unlock(&lock);

	int result = ended ? 0 : (int)syscall(call, fd), saved = errno;

	pthread_mutex_lock(&lock);
	if (ours && result == 0)
		put(TRACE_SYNC_END, inode, number, NULL, 0);
	if (is_folder && result == 0)
		put(TRACE_FOLDER_END, 0, number, where, strlen(where) + 1);
	pthread_mutex_unlock(&lock);
	errno = saved;
	return result;
}

int fsync(int fd)
{
	return record_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return record_sync(fd, SYS_fdatasync);
}

/* ---- names ---- */

int renameat(int from_at, const char *from, int to_at, const char *to)
{
	char one[PATH_MAX], two[PATH_MAX];

	pthread_mutex_lock(&lock);
	bool ours = below(one, from_at, from) && below(two, to_at, to);
	int result = (int)syscall(SYS_renameat, from_at, from, to_at, to);
	if (ours && result == 0)
		put_paths(TRACE_RENAME, one, two);
	pthread_mutex_unlock(&lock);
	return result;
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int link(const char *from, const char *to)
{
	char one[PATH_MAX], two[PATH_MAX];

	pthread_mutex_lock(&lock);
	bool ours = below(one, AT_FDCWD, from) && below(two, AT_FDCWD, to);
	int result = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
	if (ours && result == 0)
		put_paths(TRACE_LINK, one, two);
	pthread_mutex_unlock(&lock);
	return result;
}

static int record_name(
    enum trace_kind kind, bool ours, const char *where, int result)
{
	if (ours && result == 0)
		put(kind, 0, 0, where, strlen(where) + 1);
	return result;
}

int unlinkat(int at, const char *path, int flags)
{
	char where[PATH_MAX];

	pthread_mutex_lock(&lock);
	bool ours = below(where, at, path);
	int result = record_name(TRACE_UNLINK, ours, where,
	    (int)syscall(SYS_unlinkat, at, path, flags));
	pthread_mutex_unlock(&lock);
	return result;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int at, const char *path, mode_t mode)
{
	char where[PATH_MAX];

	pthread_mutex_lock(&lock);
	bool ours = below(where, at, path);
	int result = record_name(TRACE_MKDIR, ours, where,
	    (int)syscall(SYS_mkdirat, at, path, mode));
	pthread_mutex_unlock(&lock);
	return result;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}
