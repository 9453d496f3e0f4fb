/*
 * maketree DIR --bytes N --files N --seed S [--change PERCENT] [--odd]
 *
 * Make a tree of files to back up: the same arguments make the same bytes,
 * names and times everywhere.  60 % of the bytes are incompressible, in
 * files of 200 KiB to 2 MiB (photos); 40 % are text in files of all sizes.
 *
 * --change  change PERCENT of the files of a tree made before with the same
 *           --bytes, --files and --seed: some are written anew, appended to,
 *           inserted into or deleted, and some new ones come
 * --odd     add the folder "odd" with what a file system allows and a
 *           program forgets: names, times, links, holes, modes
 *
 * Exit status: 0 done, 1 the file system refused, 2 wrong arguments.
 */
#include <assert.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define KIB              1024ull
#define MIB              (1024 * KIB)
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
#define SPARSE_BYTES     (64 * MIB)

#define TIME_BASE   1700000000 /* 2023-11-14 */
#define TIME_SPREAD 30000000   /* seconds: about a year */
#define DAY_SECONDS 86400

/* Random numbers: xoshiro256++ by Blackman and Vigna, seeded by splitmix. */

struct random {
	uint64_t state[4];
};

static uint64_t rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static struct random random_seed(uint64_t seed, uint64_t stream)
{
	struct random self;
	uint64_t x = seed * 0x9e3779b97f4a7c15 ^ rotate_left(stream, 32);

	for (size_t i = 0; i < nitems(self.state); i++) {
		uint64_t z = (x += 0x9e3779b97f4a7c15);
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		self.state[i] = z ^ (z >> 31);
	}
	return self;
}

static uint64_t random_next(struct random *self)
{
	uint64_t *s = self->state;
	uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/** A number below ${bound}; the bias does not matter here. */
static uint64_t random_below(struct random *self, uint64_t bound)
{
	return random_next(self) % bound;
}

/* Text: words of a made-up language, frequent ones more often (Zipf). */

#define WORDS          20000
#define WORD_BYTES_MAX 24 /* at most 4 syllables, and a blank */
#define DRAW_BITS      16 /* a draw is an index into a table of words */
#define FOLLOWERS      4  /* words that like to come after a given one */
#define SENTENCE_WORDS 12
#define FOLLOW_PER_8   2 /* of 8 words that do */

struct word {
	char text[WORD_BYTES_MAX]; /* padded, so that a fixed copy is fine */
	uint8_t len;               /* with the blank behind it */
};

static struct word words[WORDS];
static uint16_t draws[1 << DRAW_BITS];
static uint16_t followers[WORDS][FOLLOWERS];

/** How often word ${rank} is used, in proportion to the others. */
static uint64_t zipf(size_t rank)
{
	return UINT32_MAX / (rank + 3);
}

static void words_make(uint64_t seed)
{
	static const char *const syllables[] = { "ba", "cor", "de", "en", "fi",
		"gra", "hu", "in", "jo", "ka", "lor", "me", "nu", "ost", "pe",
		"qui", "ra", "sten", "ti", "ul", "ver", "wa", "xi", "yo", "zen",
		"\xc3\xa4r", "\xc3\xb6", "\xc3\xa9t", "sch", "er", "ung",
		"al" };
	struct random random = random_seed(seed, UINT64_MAX);
	uint64_t total = 0, sum = 0;
	size_t filled = 0;

	for (size_t i = 0; i < WORDS; i++) {
		/* Frequent words are short, as in any language. */
		size_t count = (i < 30 ? 1 : 2) + random_below(&random, 3);
		for (size_t k = 0; k < count; k++) {
			const char *s =
			    syllables[random_below(&random, nitems(syllables))];
			memcpy(words[i].text + words[i].len, s, strlen(s));
			words[i].len = (uint8_t)(words[i].len + strlen(s));
		}
		assert(words[i].len < WORD_BYTES_MAX);
		words[i].text[words[i].len++] = ' ';
		total += zipf(i);
	}
	for (size_t i = 0; i < WORDS; i++) {
		sum += zipf(i);
		while (filled < sum * nitems(draws) / total)
			draws[filled++] = (uint16_t)i;
	}
	for (size_t i = 0; i < WORDS; i++)
		for (size_t k = 0; k < FOLLOWERS; k++)
			followers[i][k] =
			    draws[random_next(&random) >> (64 - DRAW_BITS)];
}

/** Fill ${buffer}, which has WORD_BYTES_MAX bytes behind ${len} to spare. */
static void text_fill(struct random *random, char *buffer, size_t len)
{
	size_t used = 0, left = SENTENCE_WORDS;
	uint16_t last = 0;

	while (used < len) {
		uint64_t r = random_next(random);
		last = (r & 7) < FOLLOW_PER_8
			   ? followers[last][(r >> 3) % FOLLOWERS]
			   : draws[r >> (64 - DRAW_BITS)];
		memcpy(buffer + used, words[last].text, WORD_BYTES_MAX);
		used += words[last].len;
		if (--left == 0) {
			buffer[used - 1] = (r & 8) ? '\n' : '.';
			left = 1 + (r >> 16) % (2 * SENTENCE_WORDS);
		}
	}
}

static void noise_fill(struct random *random, char *buffer, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t r = random_next(random);
		memcpy(buffer + i, &r, sizeof(r));
	}
}

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

static void path_format(char path[static PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void path_format(char path[static PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	if (len < 0 || len >= PATH_MAX)
		errx(1, "a path is too long");
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

static int file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void file_write(int fd, const char *path, const char *data, size_t len)
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

static void file_time(const char *path, int64_t seconds, long nanoseconds)
{
	struct timespec time = { .tv_sec = seconds, .tv_nsec = nanoseconds };
	const struct timespec times[2] = { time, time };

	if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		err(1, "%s", path);
}

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

static void change_rewrite(const struct plan *plan, size_t i, const char *path)
{
	file_make(plan, i, path, 1);
}

/** Write ${bytes} new ones at ${offset}; what was there moves up. */
static void file_insert(const struct plan *plan, size_t i, const char *path,
    uint64_t offset, uint64_t bytes)
{
	const struct file *file = &plan->files[i];
	struct random random = random_seed(plan->seed, i + 500000000);
	size_t len = (size_t)(file->bytes - offset);
	char *rest = malloc(len + 1);
	int fd = file_open(path, O_RDWR);

	if (!rest || pread(fd, rest, len, (off_t)offset) != (ssize_t)len ||
	    lseek(fd, (off_t)offset, SEEK_SET) < 0)
		err(1, "%s", path);
	file_fill(fd, path, file->photo, bytes, &random);
	file_write(fd, path, rest, len);
	close(fd);
	free(rest);
	file_time(path, TIME_BASE + TIME_SPREAD + (int64_t)i, 5);
}

static void change_append(const struct plan *plan, size_t i, const char *path)
{
	file_insert(plan, i, path, plan->files[i].bytes, APPEND_BYTES);
}

static void change_insert(const struct plan *plan, size_t i, const char *path)
{
	file_insert(plan, i, path, plan->files[i].bytes / 2, INSERT_BYTES);
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
	file_make(plan, i, beside, 2);
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
		changes[changed++ % nitems(changes)](plan, i, path);
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

/* What is odd but legal */

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

static void tree_odd(const char *root)
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
