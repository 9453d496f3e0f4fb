/*
 * comparetree A B
 *
 * Compare two trees: names, types, bytes, modes, times to the nanosecond
 * (of folders and symbolic links too), targets of symbolic links, which
 * names are hard links of one file, and whether holes are still holes.
 * A and B themselves may differ in mode and time.
 *
 * Prints a line for each difference.  Exit status: 0 the same, 1 different,
 * 2 wrong arguments or a tree that cannot be read.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES     (256 * 1024)
#define STAT_BLOCK_BYTES 512 /* the unit of st_blocks */
#define SPARSE_BYTES_MIN (1024 * 1024)

/** A file with several names, and the first of them in this walk. */
struct leader {
	dev_t dev;
	ino_t ino;
	char *name; /* owned, below the tree's root */
};

/** One of the two trees. */
struct tree {
	const char *root;
	void *leaders; /* tsearch tree of struct leader */
};

static unsigned int differences;

/** Print ${name} so that it is one line, whatever bytes it has. */
static void name_print(const char *name)
{
	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c < 0x20 || c >= 0x7f || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

static void differ(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void differ(const char *name, const char *format, ...)
{
	va_list args;

	differences++;
	name_print(name);
	printf(": ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void path_join(
    char path[static PATH_MAX], const char *folder, const char *name)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);

	if (len < 0 || len >= PATH_MAX)
		errx(2, "%s: a path below it is too long", folder);
}

static int leader_compare(const void *a, const void *b)
{
	const struct leader *left = a, *right = b;

	if (left->dev != right->dev)
		return left->dev < right->dev ? -1 : 1;
	return (left->ino > right->ino) - (left->ino < right->ino);
}

/** The first name of the file that is now seen as ${name}. */
static const char *tree_leader(
    struct tree *self, const struct stat *stat, const char *name)
{
	struct leader *leader = malloc(sizeof(*leader));

	if (!leader)
		err(2, "leader");
	*leader = (struct leader){ stat->st_dev, stat->st_ino, NULL };
	struct leader **found = tsearch(leader, &self->leaders, leader_compare);
	if (!found)
		err(2, "leader");
	if (*found != leader)
		free(leader);
	else if (!(leader->name = strdup(name)))
		err(2, "leader");
	return (*found)->name;
}

static void leader_free(void *node)
{
	struct leader *self = node;

	free(self->name);
	free(self);
}

static size_t read_full(int fd, const char *path, char *buffer)
{
	size_t used = 0;

	while (used < BUFFER_BYTES) {
		ssize_t len = read(fd, buffer + used, BUFFER_BYTES - used);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			err(2, "%s", path);
		if (len == 0)
			break;
		used += (size_t)len;
	}
	return used;
}

static void compare_bytes(
    const char *path_a, const char *path_b, const char *name)
{
	static char a[BUFFER_BYTES], b[BUFFER_BYTES];
	int fd_a = open(path_a, O_RDONLY | O_CLOEXEC);
	int fd_b = open(path_b, O_RDONLY | O_CLOEXEC);
	uint64_t offset = 0;
	size_t len;

	if (fd_a < 0)
		err(2, "%s", path_a);
	if (fd_b < 0)
		err(2, "%s", path_b);
	do {
		len = read_full(fd_a, path_a, a);
		if (len != read_full(fd_b, path_b, b) ||
		    memcmp(a, b, len) != 0) {
			size_t i = 0;
			while (i < len && a[i] == b[i])
				i++;
			differ(name, "bytes differ from %" PRIu64, offset + i);
			break;
		}
		offset += len;
	} while (len == BUFFER_BYTES);
	close(fd_a);
	close(fd_b);
}

/** Whether less than half of what the file shows is on the disk. */
static bool is_sparse(const struct stat *stat)
{
	return stat->st_size >= SPARSE_BYTES_MIN &&
	       stat->st_blocks * STAT_BLOCK_BYTES < stat->st_size / 2;
}

static void compare_target(
    const char *path_a, const char *path_b, const char *name)
{
	char a[PATH_MAX], b[PATH_MAX];
	ssize_t len_a = readlink(path_a, a, sizeof(a));
	ssize_t len_b = readlink(path_b, b, sizeof(b));

	if (len_a < 0 || len_b < 0)
		err(2, "%s", len_a < 0 ? path_a : path_b);
	if (len_a != len_b || memcmp(a, b, (size_t)len_a) != 0)
		differ(name, "the link's target differs");
}

static void compare_file(const char *path_a, const struct stat *a,
    const char *path_b, const struct stat *b, const char *name)
{
	if (a->st_size != b->st_size)
		differ(name, "size %jd, not %jd", (intmax_t)b->st_size,
		    (intmax_t)a->st_size);
	else
		compare_bytes(path_a, path_b, name);
	if (is_sparse(a) && !is_sparse(b))
		differ(name, "its holes are filled");
}

/** What every entry has; false where comparing further makes no sense. */
static bool compare_attributes(
    const struct stat *a, const struct stat *b, const char *name)
{
	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT)) {
		differ(name, "another type");
		return false;
	}
	if (a->st_mode != b->st_mode)
		differ(name, "mode %04o, not %04o", b->st_mode & 07777,
		    a->st_mode & 07777);
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		differ(name, "time %jd.%09ld, not %jd.%09ld",
		    (intmax_t)b->st_mtim.tv_sec, b->st_mtim.tv_nsec,
		    (intmax_t)a->st_mtim.tv_sec, a->st_mtim.tv_nsec);
	return true;
}

static void compare_folder(struct tree *a, struct tree *b, const char *folder);

static void compare_entry(struct tree *a, struct tree *b, const char *name)
{
	char path_a[PATH_MAX], path_b[PATH_MAX];
	struct stat stat_a, stat_b;

	path_join(path_a, a->root, name);
	path_join(path_b, b->root, name);
	if (lstat(path_a, &stat_a) < 0)
		err(2, "%s", path_a);
	if (lstat(path_b, &stat_b) < 0)
		err(2, "%s", path_b);
	if (!compare_attributes(&stat_a, &stat_b, name))
		return;
	if (S_ISDIR(stat_a.st_mode)) {
		compare_folder(a, b, name);
		return;
	}
	const char *leader_a = tree_leader(a, &stat_a, name);
	const char *leader_b = tree_leader(b, &stat_b, name);
	if (strcmp(leader_a, leader_b) != 0)
		differ(name, "not the same hard links");
	if (S_ISLNK(stat_a.st_mode))
		compare_target(path_a, path_b, name);
	else if (S_ISREG(stat_a.st_mode))
		compare_file(path_a, &stat_a, path_b, &stat_b, name);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 &&
	       strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/** The entries of a folder in order; the caller frees each and the array. */
static size_t folder_list(
    const struct tree *tree, const char *folder, struct dirent ***entries)
{
	char path[PATH_MAX];

	path_join(path, tree->root, folder);
	int count = scandir(path, entries, not_dots, by_bytes);
	if (count < 0)
		err(2, "%s", path);
	return (size_t)count;
}

static void folder_free(struct dirent **entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

/** ${folder} is "" for the root; both lists are walked as in a merge. */
static void compare_folder(struct tree *a, struct tree *b, const char *folder)
{
	struct dirent **list_a = NULL, **list_b = NULL;
	size_t count_a = folder_list(a, folder, &list_a);
	size_t count_b = folder_list(b, folder, &list_b);
	size_t i = 0, k = 0;
	char name[PATH_MAX];

	while (i < count_a || k < count_b) {
		const char *name_a = i < count_a ? list_a[i]->d_name : NULL;
		const char *name_b = k < count_b ? list_b[k]->d_name : NULL;
		int order = !name_a ? 1 : !name_b ? -1 : strcmp(name_a, name_b);
		const char *next = order <= 0 ? name_a : name_b;
		if (*folder)
			path_join(name, folder, next);
		else
			snprintf(name, sizeof(name), "%s", next);
		if (order < 0)
			differ(name, "only in the first tree");
		else if (order > 0)
			differ(name, "only in the second tree");
		else
			compare_entry(a, b, name);
		i += order <= 0;
		k += order >= 0;
	}
	folder_free(list_a, count_a);
	folder_free(list_b, count_b);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: comparetree A B");
	struct tree a = { argv[1], NULL }, b = { argv[2], NULL };

	compare_folder(&a, &b, "");
	tdestroy(a.leaders, leader_free);
	tdestroy(b.leaders, leader_free);
	if (fflush(stdout) != 0)
		err(2, "standard output");
	return differences > 0;
}
