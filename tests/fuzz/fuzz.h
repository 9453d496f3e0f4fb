#ifndef KEEPSAKE_TESTS_FUZZ_H
#define KEEPSAKE_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/*
 * A harness, fuzz_WHAT.c, gives bytes from outside to one decoder and
 * insists on what must hold of the result; that no byte is touched which is
 * not there, the sanitizers see.  Each is one function, which libFuzzer
 * calls (make fuzz), or replay.c (make check).
 */

/** Insist on it, also where assert is compiled out. */
#define must(condition) \
	((condition) ? (void)0 : must_fail(__FILE__, __LINE__, #condition))

static inline _Noreturn void must_fail(
    const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
	abort();
}

/** Decode ${len} bytes at ${data}, a block of exactly that size; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/** Cut up to ${len} bytes off the front of ${input}. */
static inline struct slice take(struct slice *input, size_t len)
{
	struct slice front = slice_of(input->data, min_of(len, input->len));

	if (front.len > 0) /* no arithmetic with NULL */
		input->data += front.len;
	input->len -= front.len;
	return front;
}

/** Cut a number off the front; 0 where nothing is left. */
static inline uint8_t take_byte(struct slice *input)
{
	struct slice byte = take(input, 1);

	return byte.len > 0 ? byte.data[0] : 0;
}

static inline uint16_t take_16(struct slice *input)
{
	unsigned int high = take_byte(input);

	return (uint16_t)(high << 8 | take_byte(input));
}

static inline uint64_t take_64(struct slice *input)
{
	uint64_t number = 0;

	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | take_byte(input);
	return number;
}

/** A copy in a block of its own, so that reading past it shows; for free. */
static inline uint8_t *copy_of(struct slice from)
{
	uint8_t *copy = malloc(max_of(from.len, (size_t)1));

	must(copy);
	if (from.len > 0)
		memcpy(copy, from.data, from.len);
	return copy;
}

/** The same with a NUL behind it. */
static inline char *text_of(struct slice from)
{
	char *text = malloc(from.len + 1);

	must(text);
	if (from.len > 0)
		memcpy(text, from.data, from.len);
	text[from.len] = '\0';
	return text;
}

#endif
