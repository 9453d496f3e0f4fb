#include "trees.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void path_format(char path[static PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	if (len < 0 || len >= PATH_MAX)
		errx(1, "a path is too long");
}

int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

void file_write(int fd, const char *path, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, data, len);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			err(1, "%s", path);
		data += written;
		len -= (size_t)written;
	}
}

void file_time(const char *path, int64_t seconds, long nanoseconds)
{
	struct timespec time = { .tv_sec = seconds, .tv_nsec = nanoseconds };
	const struct timespec times[2] = { time, time };

	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "%s", path);
}
