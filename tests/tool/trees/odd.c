#include "trees.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

/* What is odd but legal: what a file system allows and a program forgets. */

#define SPARSE_BYTES (64 * MIB)

static void odd_file(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];

	path_format(path, "%s/%s", folder, name);
	int fd = file_open(path, O_WRONLY | O_TRUNC);
	file_write(fd, path, text, strlen(text));
	close(fd);
	file_time(path, TIME_BASE, 1);
}

static void odd_names(const char *folder)
{
	static const char *const names[] = {
		"new\nline",
		"tab\tand \"quotes\" and 'more'",
		"back\\slash",
		" blank first and last ",
		"invalid \xff\xfe utf-8 \xc3",
		"-rf",
		"*?[a-z]$HOME`id`",
		".hidden",
		"e\xcc\x81 decomposed",
		"\xc3\xa9 composed",
	};
	char name[NAME_MAX + 1];

	for (size_t i = 0; i < nitems(names); i++)
		odd_file(folder, names[i], "an odd name\n");
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	odd_file(folder, name, "a long name\n");
	odd_file(folder, "empty", "");
}

static void odd_times(const char *folder)
{
	static const struct {
		const char *name;
		int64_t seconds;
		long nanoseconds;
	} times[] = {
		{ "time 1970-01-01", 0, 0 },
		{ "time 1970-01-01 and 1 ns", 0, 1 },
		{ "time 1969-12-31 and 999999999 ns", -1, 999999999 },
		{ "time 1935-07-22", -1087000000, 123456789 },
		{ "time 2100-01-01", 4102444800, 987654321 },
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < nitems(times); i++) {
		odd_file(folder, times[i].name, "an odd time\n");
		path_format(path, "%s/%s", folder, times[i].name);
		file_time(path, times[i].seconds, times[i].nanoseconds);
	}
}

static void odd_link(const char *folder, const char *target, const char *name)
{
	char path[PATH_MAX];

	path_format(path, "%s/%s", folder, name);
	if (symlink(target, path) < 0)
		err(1, "%s", path);
	file_time(path, TIME_BASE, 2);
}

static void odd_hard_link(
    const char *folder, const char *name, const char *other)
{
	char from[PATH_MAX], to[PATH_MAX];

	path_format(from, "%s/%s", folder, name);
	path_format(to, "%s/%s", folder, other);
	if (link(from, to) < 0)
		err(1, "%s", to);
}

static void odd_links(const char *folder)
{
	odd_link(folder, "empty", "link to a file");
	odd_link(folder, "nowhere at all", "link that dangles");
	odd_link(folder, "..", "link to a folder");
	odd_link(folder, "/", "link to the root");
	odd_file(folder, "hard link one", "one file, three names\n");
	odd_hard_link(folder, "hard link one", "hard link two");
	odd_hard_link(folder, "hard link one", "a third hard link");
}

/** 64 MiB with data at the start, in the middle and near the end. */
static void odd_sparse(const char *folder)
{
	static const char text[] = "an island in the hole\n";
	static const uint64_t offsets[] = { 0, SPARSE_BYTES / 2 + 12345,
		SPARSE_BYTES - 100000 };
	char path[PATH_MAX];

	path_format(path, "%s/sparse", folder);
	int fd = file_open(path, O_WRONLY | O_TRUNC);
	for (size_t i = 0; i < nitems(offsets); i++)
		if (lseek(fd, (off_t)offsets[i], SEEK_SET) < 0)
			err(1, "%s", path);
		else
			file_write(fd, path, text, strlen(text));
	if (ftruncate(fd, (off_t)SPARSE_BYTES) < 0)
		err(1, "%s", path);
	close(fd);
	file_time(path, TIME_BASE, 3);
}

static void odd_modes(const char *folder)
{
	static const mode_t modes[] = { 0400, 0600, 0644, 0700, 0755 };
	char path[PATH_MAX], name[NAME_MAX];

	for (size_t i = 0; i < nitems(modes); i++) {
		snprintf(
		    name, sizeof(name), "mode %04o", (unsigned int)modes[i]);
		odd_file(folder, name, "an odd mode\n");
		path_format(path, "%s/%s", folder, name);
		if (chmod(path, modes[i]) < 0)
			err(1, "%s", path);
	}
	path_format(path, "%s/empty folder", folder);
	if (mkdir(path, 0700) < 0)
		err(1, "%s", path);
	file_time(path, TIME_BASE, 4);
}

void tree_odd(const char *root)
{
	char folder[PATH_MAX];

	path_format(folder, "%s/odd", root);
	if (mkdir(folder, 0755) < 0)
		err(1, "%s", folder);
	odd_names(folder);
	odd_times(folder);
	odd_links(folder);
	odd_sparse(folder);
	odd_modes(folder);
	file_time(folder, TIME_BASE + DAY_SECONDS, 999999999);
}
