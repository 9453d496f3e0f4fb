#include "trees.h"

#include <assert.h>
#include <string.h>

#include "base/util.h"

/* What is in the files of a tree. */

/* ---- random numbers ---- */

static uint64_t rotate_left(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

struct random random_seed(uint64_t seed, uint64_t stream)
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

uint64_t random_next(struct random *self)
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

uint64_t random_below(struct random *self, uint64_t bound)
{
	return random_next(self) % bound;
}

/* ---- text: words of a made-up language, frequent ones more often (Zipf) ----
 */

#define WORDS          20000
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

void words_make(uint64_t seed)
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

void text_fill(struct random *random, char *buffer, size_t len)
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

void noise_fill(struct random *random, char *buffer, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
		uint64_t r = random_next(random);
		memcpy(buffer + i, &r, sizeof(r));
	}
}
