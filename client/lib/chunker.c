#include "chunker.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "chunk.h"

/*
 * What cannot be compressed is cut where few places say so, wherever these
 * are, and else at the longest: that length is sealed without any padding,
 * and the few places are found again soon behind an insertion.
 */
/* clang-format off */
static const struct shape {
	size_t min;               /* no cut before */
	size_t normal;            /* the strict mask up to here, then the loose */
	size_t max;               /* a cut in any case */
	unsigned int strict_bits; /* a cut every 2^bits bytes */
	unsigned int loose_bits;
} shapes[] = {
#define SHAPE_DATA 0
	{ 128 << 10, CHUNK_RAW_BYTES_MAX, CHUNK_RAW_BYTES_MAX, 19, 19 },
#define SHAPE_TEXT 1
	{ 384 << 10, 640 << 10,           CHUNK_BYTES_MAX,     20, 15 },
#define SHAPE_NODE 2
	{ 16 << 10,  32 << 10,            96 << 10,            16, 13 },
};
/* clang-format on */

/* Not a power of two apart, so that records do not hide what is between. */
#define SAMPLES      8
#define SAMPLE_BYTES 512

struct chunker {
	uint64_t gear[256];
	enum chunker_shape kind;
	const struct shape *shape; /* of the chunk under way */
	uint64_t hash;
	size_t seen;      /* bytes since the last cut that are done */
	size_t block_end; /* up to here the bytes have been classified */
};

struct chunker *chunker_new(
    const uint8_t seed[static ACCOUNT_KEY_BYTES], enum chunker_shape shape)
{
	static const uint8_t nonce[crypto_stream_NONCEBYTES];
	uint8_t stream[256 * sizeof(uint64_t)];
	struct chunker *self = calloc(1, sizeof(*self));

	_Static_assert(ACCOUNT_KEY_BYTES == crypto_stream_KEYBYTES, "seed");
	if (!self)
		return NULL;
	self->kind = shape;
	crypto_stream(stream, sizeof(stream), nonce, seed);
	for (size_t i = 0; i < nitems(self->gear); i++)
		self->gear[i] = get_be64(stream + i * sizeof(uint64_t));
	sodium_memzero(stream, sizeof(stream));
	chunker_reset(self);
	return self;
}

void chunker_destroy(struct chunker **self_p)
{
	assert(self_p);
	struct chunker *self = *self_p;

	if (!self)
		return;
	sodium_memzero(self, sizeof(*self));
	free(self);
	*self_p = NULL;
}

void chunker_reset(struct chunker *self)
{
	self->shape =
	    &shapes[self->kind == CHUNKER_NODE ? SHAPE_NODE : SHAPE_DATA];
	self->hash = 0;
	self->seen = 0;
	self->block_end = 0;
}

bool chunker_is_noise(const uint8_t *data, size_t len)
{
	uint32_t counts[256] = { 0 };
	uint64_t pairs = 0, total = 0;
	size_t step = len / SAMPLES;

	if (len < SAMPLES * SAMPLE_BYTES)
		return false;
	for (size_t i = 0; i < SAMPLES; i++)
		for (size_t k = 0; k < SAMPLE_BYTES; k++)
			counts[data[i * step + k]]++;
	for (size_t i = 0; i < nitems(counts); i++)
		pairs += (uint64_t)counts[i] * (counts[i] - (counts[i] > 0));
	total = (uint64_t)SAMPLES * SAMPLE_BYTES * (SAMPLES * SAMPLE_BYTES - 1);
	/*
	 * Were all 256 values alike, 1 of 256 pairs would be of equal bytes.
	 * A quarter more is noise still: coding would gain less than 4 %.
	 */
	return pairs * 4 * 256 < total * 5;
}

/** Hash from ${at} to ${end}; true, and where to cut, if the mask matches. */
static bool scan(struct chunker *self, const uint8_t *data, size_t at,
    size_t end, unsigned int bits, size_t *cut_out)
{
	const uint64_t *gear = self->gear;
	const uint64_t limit = (uint64_t)1 << (64 - bits);
	uint64_t hash = self->hash;

	for (; at < end; at++) {
		hash = (hash << 1) + gear[data[at]];
		if (hash < limit) { /* the top bits, of 64 bytes, are 0 */
			*cut_out = at + 1;
			return true;
		}
	}
	self->hash = hash;
	return false;
}

/** Look for a cut up to ${end}, all of it classified. */
static bool scan_shape(
    struct chunker *self, const uint8_t *data, size_t end, size_t *cut_out)
{
	const struct shape *shape = self->shape;
	size_t at = max_of(self->seen, shape->min);
	size_t strict_end = min_of(end, shape->normal);
	size_t loose_end = min_of(end, shape->max);

	self->seen = end;
	if (at < strict_end) {
		if (scan(self, data, at, strict_end, shape->strict_bits,
			cut_out))
			return true;
		at = strict_end;
	}
	if (at < loose_end &&
	    scan(self, data, at, loose_end, shape->loose_bits, cut_out))
		return true;
	*cut_out = shape->max;
	return end >= shape->max;
}

/**
 * The next block begins at ${at}: what does it make of the chunk?  True:
 * the chunk ends before it.
 */
static bool classify(
    struct chunker *self, const uint8_t *data, size_t at, size_t len)
{
	bool noise;

	if (self->kind == CHUNKER_NODE)
		return false;
	noise = chunker_is_noise(data + at, len);
	if (at == 0) {
		self->shape = &shapes[noise ? SHAPE_DATA : SHAPE_TEXT];
	} else if (noise && self->shape == &shapes[SHAPE_TEXT]) {
		if (at >= shapes[SHAPE_DATA].min)
			return true;
		self->shape = &shapes[SHAPE_DATA];
	}
	return false;
}

size_t chunker_cut(
    struct chunker *self, const uint8_t *data, size_t len, bool last)
{
	size_t cut = 0;

	assert(len >= self->seen);
	for (;;) {
		if (self->seen == self->block_end) {
			size_t block = min_of(
			    CHUNKER_BLOCK_BYTES, self->shape->max - self->seen);
			if (len - self->seen < block) {
				/* Nodes are not classified: look at once. */
				if (!last && self->kind != CHUNKER_NODE)
					return 0;
				block = len - self->seen;
			}
			if (block == 0 && !last)
				return 0;
			if (block == 0) {
				cut = len; /* the rest, or nothing */
				break;
			}
			if (classify(self, data, self->seen, block)) {
				cut = self->seen;
				break;
			}
			self->block_end = self->seen + block;
		}
		if (scan_shape(self, data, self->block_end, &cut))
			break;
	}
	chunker_reset(self);
	return cut;
}
