#ifndef KEEPSAKE_TESTS_TREES_H
#define KEEPSAKE_TESTS_TREES_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the files of maketree.c share.  What the file system refuses ends the
 * tool.
 */

#define KIB 1024ull
#define MIB (1024 * KIB)

#define TIME_BASE   1700000000 /* 2023-11-14 */
#define DAY_SECONDS 86400

/* ---- content: content.c ---- */

#define WORD_BYTES_MAX 24 /* at most 4 syllables, and a blank */

/** Random numbers: xoshiro256++ by Blackman and Vigna, seeded by splitmix. */
struct random {
	uint64_t state[4];
};

struct random random_seed(uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *self);

/** A number below ${bound}; the bias does not matter here. */
uint64_t random_below(struct random *self, uint64_t bound);

/** Make the language that text_fill writes. */
void words_make(uint64_t seed);

/** Fill ${buffer}, which has WORD_BYTES_MAX bytes behind ${len} to spare. */
void text_fill(struct random *random, char *buffer, size_t len);

/** Fill it with bytes that no program makes smaller; likewise. */
void noise_fill(struct random *random, char *buffer, size_t len);

/* ---- files: files.c ---- */

void path_format(char path[static PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Open it, made where it is missing. */
int file_open(const char *path, int flags);
void file_write(int fd, const char *path, const char *data, size_t len);
void file_time(const char *path, int64_t seconds, long nanoseconds);

/* ---- what is odd but legal: odd.c ---- */

/** Make the folder "odd" in ${root}. */
void tree_odd(const char *root);

#endif
