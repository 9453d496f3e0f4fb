#include <stdbool.h>
#include <stdio.h>

#include "fuzz.h"

/*
 * replay_WHAT [-v] FILE...
 *
 * Run a harness, without libFuzzer, over each file, everything that is left
 * when its end is cut off, and the file with bits flipped: each one bit in
 * a small file, a few of them at random, always the same, in a larger one.
 * With -v every input is named before it is run, so the last line names the
 * one that a crash is from.
 */

#define FLIP_EACH_BYTES_MAX 256
#define FLIP_ROUNDS         200
#define FLIP_BITS_MAX       8
#define FILE_BYTES_MAX      65536

static bool verbose;
static size_t runs;

static void run(const char *file, const char *what, size_t where,
    const uint8_t *data, size_t len)
{
	/* A block of exactly that size: reading past it shows. */
	uint8_t *copy = copy_of(slice_of(data, len));

	if (verbose) {
		printf("%s: %s %zu\n", file, what, where);
		fflush(stdout);
	}
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	runs++;
}

/* Numerical Recipes' generator: any will do, if it is always the same. */
static uint32_t next_number(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void flip(uint8_t *data, size_t bit)
{
	data[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void flip_each(const char *file, uint8_t *data, size_t len)
{
	for (size_t bit = 0; bit < len * 8; bit++) {
		flip(data, bit);
		run(file, "bit", bit, data, len);
		flip(data, bit);
	}
}

static void flip_some(const char *file, const uint8_t *data, size_t len)
{
	uint32_t state = (uint32_t)len;

	for (size_t round = 0; round < FLIP_ROUNDS; round++) {
		uint8_t *changed = copy_of(slice_of(data, len));
		size_t count = next_number(&state) % FLIP_BITS_MAX + 1;
		for (size_t i = 0; i < count; i++)
			flip(changed, next_number(&state) % (len * 8));
		run(file, "round", round, changed, len);
		free(changed);
	}
}

static bool replay(const char *file)
{
	static uint8_t data[FILE_BYTES_MAX + 1];
	FILE *stream = fopen(file, "rb");

	if (!stream) {
		perror(file);
		return false;
	}
	size_t len = fread(data, 1, sizeof(data), stream);
	fclose(stream);
	if (len > FILE_BYTES_MAX) {
		fprintf(stderr, "%s: too long\n", file);
		return false;
	}
	for (size_t cut = 0; cut <= len; cut++)
		run(file, "length", len - cut, data, len - cut);
	if (len < FLIP_EACH_BYTES_MAX)
		flip_each(file, data, len);
	else
		flip_some(file, data, len);
	return true;
}

int main(int argc, char **argv)
{
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "-v") == 0) {
		verbose = true;
		first++;
	}
	for (int i = first; i < argc; i++)
		if (!replay(argv[i]))
			return 1;
	printf("%zu\n", runs);
	return 0;
}
