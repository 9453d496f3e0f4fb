/*
 * maketree DIR --bytes N --files N --seed S [--change PERCENT] [--odd]
 *
 * Make a tree of files to back up: the same arguments make the same bytes,
 * names and times everywhere.  60 % of the bytes are incompressible, in
 * files of 200 KiB to 2 MiB (photos); 40 % are text in files of all sizes.
 *
 * --change  change PERCENT of the files of a tree made before with the same
 *           --bytes, --files and --seed: some are written anew, appended to,
 *           inserted into or deleted, and some new ones come.  Once more, and
 *           they change again: what was deleted comes back.
 * --odd     add the folder "odd" with what a file system allows and a
 *           program forgets: names, times, links, holes, modes
 *
 * Exit status: 0 done, 1 the file system refused, 2 wrong arguments.
 *
 * The files of trees/: content.c makes bytes, files.c writes them, odd.c what
 * is odd.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "trees/trees.h"

#define FILES_MAX        10000000
#define BYTES_MAX        (1ull << 40)
#define PHOTO_BYTES_MIN  (200 * KIB)
#define PHOTO_BYTES_MAX  (2 * MIB)
#define PHOTO_PERCENT    60
#define TEXT_DOUBLINGS   12 /* from the smallest text file to the largest */
#define FOLDER_FILES     13 /* in one folder */
#define FOLDERS_OPEN_MAX 16
#define BUFFER_BYTES     (256 * KIB)
#define INSERT_BYTES     1000
#define APPEND_BYTES     5000

#define TIME_SPREAD 30000000 /* seconds: about a year */
#define EDITIONS    100      /* of a file; then again the second */

/* The plan: what each file is, known before anything is written. */

struct file {
	bool photo;
	uint64_t bytes;
};

struct plan {
	uint64_t seed;
	size_t files_count;
	struct file *files; /* owned */
};

/** Photos first, until they have their share of the bytes; then texts. */
static struct plan plan_new(uint64_t bytes, size_t files_count, uint64_t seed)
{
	struct plan self = { seed, files_count,
		calloc(files_count + 1, sizeof(struct file)) };
	uint64_t *weights = calloc(files_count + 1, sizeof(*weights));
	uint64_t left = bytes / 100 * PHOTO_PERCENT;
	struct random random = random_seed(seed, 1);
	uint64_t total = 0;
	size_t i = 0;

	if (!self.files || !weights)
		err(1, "plan");
	for (; left > 0 && i < files_count / 2; i++) {
		uint64_t size =
		    PHOTO_BYTES_MIN +
		    random_below(&random, PHOTO_BYTES_MAX - PHOTO_BYTES_MIN);
		if (left < size + PHOTO_BYTES_MIN)
			size = left;
		self.files[i] = (struct file){ true, size };
		left -= size;
		bytes -= size;
	}
	for (size_t k = i; k < files_count; k++) {
		uint64_t unit = 1ull << random_below(&random, TEXT_DOUBLINGS);
		weights[k] = unit * (100 + random_below(&random, 100));
		total += weights[k];
	}
	for (size_t k = i; k < files_count; k++) {
		self.files[k].bytes = bytes * weights[k] / total;
		bytes -= self.files[k].bytes;
		total -= weights[k];
	}
	free(weights);
	return self;
}

static void plan_destroy(struct plan *self)
{
	free(self->files);
	*self = (struct plan){ 0 };
}

/** The path of file ${i}; the folders above it are made where missing. */
static void plan_path(const struct plan *self, size_t i,
    char path[static PATH_MAX], const char *root)
{
	static const char *const tops[] = { "Photos", "My Documents",
		"\xd0\x94\xd0\xbe\xd0\xba\xd1\x83\xd0\xbc\xd0\xb5\xd0\xbd"
		"\xd1\x82\xd1\x8b",
		"\xe5\x86\x99\xe7\x9c\x9f", "M\xc3\xbasica" };
	static const char *const names[] = { "IMG_", "Urlaub F\xc3\xbcssen ",
		"\xe7\xac\x94\xe8\xae\xb0 ", "note ",
		"a long name, with a "
		"comma & more - " };
	struct random random = random_seed(self->seed, i + 1000);
	size_t folder = i / FOLDER_FILES;
	const char *extension = self->files[i].photo ? "jpg" : "txt";
	char above[PATH_MAX];

	path_format(path, "%s/%s", root, tops[folder % nitems(tops)]);
	mkdir(path, 0755);
	for (size_t depth = folder % 4; depth > 0; depth--) {
		memcpy(above, path, PATH_MAX);
		path_format(path, "%s/folder %zu", above, folder / depth / 4);
		mkdir(path, 0755);
	}
	memcpy(above, path, PATH_MAX);
	path_format(path, "%s/%s%04zu.%s", above,
	    names[random_below(&random, nitems(names))], i, extension);
}

/* Writing */

/** ${bytes} of the file's kind go to ${fd}, drawn from ${random}. */
static void file_fill(
    int fd, const char *path, bool photo, uint64_t bytes, struct random *random)
{
	static char buffer[BUFFER_BYTES + WORD_BYTES_MAX];

	while (bytes > 0) {
		size_t len = (size_t)min_of(bytes, BUFFER_BYTES);
		if (photo)
			noise_fill(random, buffer, len);
		else
			text_fill(random, buffer, len);
		file_write(fd, path, buffer, len);
		bytes -= len;
	}
}

/** Write file ${i} as a whole; each ${edition} has other bytes and times. */
static void file_make(
    const struct plan *plan, size_t i, const char *path, unsigned int edition)
{
	const struct file *file = &plan->files[i];
	struct random random =
	    random_seed(plan->seed, i + 1000000000ull * (edition + 1));
	int64_t seconds = TIME_BASE + (int64_t)edition * TIME_SPREAD +
			  (int64_t)random_below(&random, TIME_SPREAD);
	long nanoseconds = (long)random_below(&random, 1000000000);
	int fd = file_open(path, O_WRONLY | O_TRUNC);

	file_fill(fd, path, file->photo, file->bytes, &random);
	close(fd);
	file_time(path, seconds, nanoseconds);
}

static void tree_make(const struct plan *plan, const char *root)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < plan->files_count; i++) {
		plan_path(plan, i, path, root);
		file_make(plan, i, path, 0);
	}
}

/* Changing */

/** The edition that comes after what is there: its time tells it. */
static unsigned int edition_next(const char *path)
{
	struct stat found;

	if (stat(path, &found) < 0)
		return 1;
	int64_t edition = (found.st_mtime - TIME_BASE) / TIME_SPREAD;
	return (unsigned int)(1 + edition % EDITIONS);
}

static void change_rewrite(const struct plan *plan, size_t i, const char *path)
{
	file_make(plan, i, path, edition_next(path));
}

/** Write ${bytes} new ones at ${offset} of ${size}; the rest moves up. */
static void file_insert(const struct plan *plan, size_t i, const char *path,
    uint64_t offset, uint64_t size, uint64_t bytes)
{
	unsigned int edition = edition_next(path);
	struct random random = random_seed(
	    plan->seed, i + 500000000 + 1000000000ull * (edition - 1));
	size_t len = (size_t)(size - offset);
	char *rest = malloc(len + 1);
	int fd = file_open(path, O_RDWR);

	if (!rest || pread(fd, rest, len, (off_t)offset) != (ssize_t)len ||
	    lseek(fd, (off_t)offset, SEEK_SET) < 0)
		err(1, "%s", path);
	file_fill(fd, path, plan->files[i].photo, bytes, &random);
	file_write(fd, path, rest, len);
	close(fd);
	free(rest);
	file_time(
	    path, TIME_BASE + (int64_t)edition * TIME_SPREAD + (int64_t)i, 5);
}

static uint64_t file_size(const char *path)
{
	struct stat found;

	if (stat(path, &found) < 0)
		err(1, "%s", path);
	return (uint64_t)found.st_size;
}

static void change_append(const struct plan *plan, size_t i, const char *path)
{
	uint64_t size = file_size(path);

	file_insert(plan, i, path, size, size, APPEND_BYTES);
}

static void change_insert(const struct plan *plan, size_t i, const char *path)
{
	uint64_t size = file_size(path);

	file_insert(plan, i, path, size / 2, size, INSERT_BYTES);
}

static void change_delete(const struct plan *plan, size_t i, const char *path)
{
	(void)plan;
	(void)i;
	if (unlink(path) < 0)
		err(1, "%s", path);
}

static void change_add(const struct plan *plan, size_t i, const char *path)
{
	char beside[PATH_MAX];

	path_format(beside, "%s.new", path);
	file_make(plan, i, beside, 1 + edition_next(beside));
}

static void tree_change(
    const struct plan *plan, const char *root, unsigned int percent)
{
	static void (*const changes[])(
	    const struct plan *, size_t, const char *) = {
		change_rewrite,
		change_append,
		change_insert,
		change_delete,
		change_rewrite,
		change_append,
		change_insert,
		change_add,
	};
	char path[PATH_MAX];
	size_t changed = 0;

	for (size_t i = 0; i < plan->files_count; i++) {
		/* Evenly: so photos and texts each change their share. */
		if ((i + 1) * percent / 100 == i * percent / 100)
			continue;
		plan_path(plan, i, path, root);
		size_t which = changed++ % nitems(changes);
		if (access(path, F_OK) == 0)
			changes[which](plan, i, path);
		else
			change_rewrite(plan, i, path);
	}
}

/** Folders take the time of the last change in them: that is not ours. */
static int folder_time(
    const char *path, const struct stat *stat, int type, struct FTW *place)
{
	(void)stat;
	if (type == FTW_DP)
		file_time(
		    path, TIME_BASE + (int64_t)strlen(path + place->base), 0);
	return 0;
}

static void tree_times(const char *root)
{
	if (nftw(root, folder_time, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS) < 0)
		err(1, "%s", root);
}

static uint64_t number_from(const char *text)
{
	char *end = NULL;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-')
		errx(2, "'%s' is not a number", text);
	return number;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", required_argument, NULL, 'b' },
		{ "files", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "change", required_argument, NULL, 'c' },
		{ "odd", no_argument, NULL, 'o' },
		{ 0 },
	};
	uint64_t bytes = 0, files = 0, seed = 0, percent = 0;
	bool odd = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		/* clang-format off */
		case 'b': bytes = number_from(optarg);   break;
		case 'f': files = number_from(optarg);   break;
		case 's': seed = number_from(optarg);    break;
		case 'c': percent = number_from(optarg); break;
		case 'o': odd = true;                    break;
		/* clang-format on */
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || percent > 100 || files > FILES_MAX ||
	    bytes > BYTES_MAX || (bytes > 0 && files == 0))
		errx(2, "usage: maketree DIR --bytes N --files N --seed S "
			"[--change PERCENT] [--odd]");

	const char *root = argv[optind];
	struct plan plan = plan_new(bytes, (size_t)files, seed);
	umask(022);
	words_make(seed);
	if (percent > 0) {
		tree_change(&plan, root, (unsigned int)percent);
	} else {
		if (mkdir(root, 0755) < 0 && errno != EEXIST)
			err(1, "%s", root);
		tree_make(&plan, root);
	}
	tree_times(root);
	if (odd)
		tree_odd(root);
	plan_destroy(&plan);
	return 0;
}
