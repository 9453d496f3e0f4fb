#ifndef KEEPSAKE_TESTS_SCRATCH_H
#define KEEPSAKE_TESTS_SCRATCH_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What a test leaves on disk and on standard error: a private folder below
 * TMPDIR, made by scratch_make and gone with scratch_remove, and what was
 * written between capture_begin and capture_end.  One of each at a time.
 */

#define SCRATCH_BYTES 512
#define CAPTURE_BYTES (64 * 1024)

static char scratch[SCRATCH_BYTES]; /* the folder */

static inline void scratch_make(void)
{
	const char *where = getenv("TMPDIR");

	snprintf(scratch, sizeof(scratch), "%s/check.XXXXXX",
	    where && *where ? where : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline int scratch_remove_one(
    const char *path, const struct stat *found, int kind, struct FTW *where)
{
	(void)found;
	(void)kind;
	(void)where;
	return remove(path);
}

static inline void scratch_remove(void)
{
	ck_assert_int_eq(
	    nftw(scratch, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path of ${name} in the folder; static, one for each of four calls. */
static inline const char *scratch_path(const char *name)
{
	static char paths[4][2 * SCRATCH_BYTES];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
	return path;
}

/* Write ${len} bytes to a file of the folder, with ${mode}. */
static inline void scratch_write(
    const char *name, const void *data, size_t len, mode_t mode)
{
	FILE *file = fopen(scratch_path(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(scratch_path(name), mode), 0);
}

static FILE *capture;
static int capture_saved = -1;
static int capture_of = -1;

static inline void capture_begin(int fd)
{
	fflush(stdout);
	capture = tmpfile();
	ck_assert_ptr_nonnull(capture);
	capture_of = fd;
	capture_saved = dup(fd);
	ck_assert_int_ge(capture_saved, 0);
	ck_assert_int_ge(dup2(fileno(capture), fd), 0);
}

/* What was written, with a NUL; static. */
static inline const char *capture_end(void)
{
	static char text[CAPTURE_BYTES];

	fflush(stdout);
	ck_assert_int_ge(dup2(capture_saved, capture_of), 0);
	close(capture_saved);
	rewind(capture);
	size_t len = fread(text, 1, sizeof(text) - 1, capture);
	text[len] = '\0';
	fclose(capture);
	return text;
}

#endif
