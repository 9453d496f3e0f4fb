#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "chunk.h"
#include "chunker.h"

#define STREAM_BYTES (24u * 1024 * 1024)
#define CUTS_MAX     2048
#define NODE_MAX     (96u * 1024)

static const uint8_t seed[ACCOUNT_KEY_BYTES] = { 1 };
static const uint8_t other_seed[ACCOUNT_KEY_BYTES] = { 2 };

/** The same bytes each time: noise, or text-like (few values). */
static uint8_t *stream_new(bool text)
{
	static const uint8_t key[randombytes_SEEDBYTES] = { 42 };
	uint8_t *stream = malloc(STREAM_BYTES);

	ck_assert_ptr_nonnull(stream);
	randombytes_buf_deterministic(stream, STREAM_BYTES, key);
	for (size_t i = 0; text && i < STREAM_BYTES; i++)
		stream[i] = (uint8_t)('a' + stream[i] % 20);
	return stream;
}

/** Where the stream is cut, when it is seen in pieces of ${step} bytes. */
static size_t cuts_find(const uint8_t *key, enum chunker_shape shape,
    const uint8_t *stream, size_t len, size_t step, size_t cuts[CUTS_MAX])
{
	struct chunker *chunker = chunker_new(key, shape);
	size_t start = 0, seen = 0, count = 0;

	ck_assert_ptr_nonnull(chunker);
	while (start < len) {
		size_t cut = chunker_cut(
		    chunker, stream + start, seen - start, seen == len);
		if (cut == 0) {
			ck_assert_uint_lt(seen, len);
			ck_assert_uint_lt(seen - start, CHUNK_BYTES_MAX);
			seen = min_of(seen + step, len);
			continue;
		}
		ck_assert_uint_le(cut, seen - start);
		ck_assert_uint_lt(count, CUTS_MAX);
		start += cut;
		cuts[count++] = start;
	}
	ck_assert_uint_eq(chunker_cut(chunker, stream + start, 0, true), 0);
	chunker_destroy(&chunker);
	return count;
}

static const struct {
	const char *name;
	enum chunker_shape shape;
	bool text;
	size_t min, max, mean_min, mean_max;
} shapes[] = {
	{ "noise", CHUNKER_DATA, false, 128 << 10, CHUNK_RAW_BYTES_MAX,
	    225 << 10, 255 << 10 },
	{ "text", CHUNKER_DATA, true, 384 << 10, CHUNK_BYTES_MAX, 560 << 10,
	    710 << 10 },
	{ "nodes", CHUNKER_NODE, false, 16 << 10, NODE_MAX, 30 << 10,
	    42 << 10 },
};

START_TEST(lengths)
{
	uint8_t *stream = stream_new(shapes[_i].text);
	size_t cuts[CUTS_MAX], last = 0;
	size_t count = cuts_find(
	    seed, shapes[_i].shape, stream, STREAM_BYTES, 100000, cuts);

	for (size_t i = 0; i < count; i++) {
		size_t len = cuts[i] - last;
		ck_assert_msg(len <= shapes[_i].max &&
				  (len >= shapes[_i].min || i + 1 == count),
		    "%s: %zu bytes", shapes[_i].name, len);
		last = cuts[i];
	}
	ck_assert_uint_eq(last, STREAM_BYTES);
	size_t mean = STREAM_BYTES / count;
	ck_assert_msg(mean > shapes[_i].mean_min && mean < shapes[_i].mean_max,
	    "%s: mean %zu", shapes[_i].name, mean);
	free(stream);
}
END_TEST

START_TEST(reads_do_not_matter)
{
	static const size_t steps[] = { 1000, 4096, 65536, 131072, 1 << 20 };
	uint8_t *stream = stream_new(shapes[_i].text);
	size_t cuts[CUTS_MAX], again[CUTS_MAX];
	const size_t len = STREAM_BYTES / 4;
	size_t count =
	    cuts_find(seed, shapes[_i].shape, stream, len, 777, cuts);

	for (size_t i = 0; i < nitems(steps); i++) {
		ck_assert_uint_eq(cuts_find(seed, shapes[_i].shape, stream, len,
				      steps[i], again),
		    count);
		ck_assert_mem_eq(cuts, again, count * sizeof(cuts[0]));
	}
	free(stream);
}
END_TEST

START_TEST(an_insertion_moves_few_cuts)
{
	uint8_t *stream = stream_new(shapes[_i].text);
	uint8_t *changed = malloc(STREAM_BYTES + 7);
	size_t cuts[CUTS_MAX], again[CUTS_MAX];
	const size_t at = STREAM_BYTES / 8;
	size_t count = cuts_find(
	    seed, shapes[_i].shape, stream, STREAM_BYTES, 131072, cuts);

	memcpy(changed, stream, at);
	memset(changed + at, 'x', 7);
	memcpy(changed + at + 7, stream + at, STREAM_BYTES - at);
	size_t count_again = cuts_find(
	    seed, shapes[_i].shape, changed, STREAM_BYTES + 7, 131072, again);
	size_t moved = 0;
	for (size_t i = 0; i < count; i++) {
		size_t want = cuts[i] < at ? cuts[i] : cuts[i] + 7;
		bool found = false;
		for (size_t k = 0; k < count_again; k++)
			found = found || again[k] == want;
		moved += !found;
	}
	ck_assert_msg(moved < count / 2, "%s: %zu of %zu cuts moved",
	    shapes[_i].name, moved, count);
	free(changed);
	free(stream);
}
END_TEST

START_TEST(the_seed_decides)
{
	uint8_t *stream = stream_new(false);
	size_t cuts[CUTS_MAX], other[CUTS_MAX];
	size_t count =
	    cuts_find(seed, CHUNKER_DATA, stream, STREAM_BYTES, 131072, cuts);
	size_t other_count = cuts_find(
	    other_seed, CHUNKER_DATA, stream, STREAM_BYTES, 131072, other);
	size_t same = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < other_count; k++)
			same += cuts[i] == other[k] && cuts[i] < STREAM_BYTES;
	ck_assert_uint_lt(same, 5);
	free(stream);
}
END_TEST

START_TEST(text_ends_where_noise_begins)
{
	uint8_t *stream = stream_new(false);
	size_t cuts[CUTS_MAX];

	memset(stream, 'a', 320 << 10);
	cuts_find(seed, CHUNKER_DATA, stream, STREAM_BYTES, 131072, cuts);
	ck_assert_uint_eq(cuts[0], 320 << 10);
	free(stream);
}
END_TEST

START_TEST(noise_is_told)
{
	uint8_t *noise = stream_new(false);
	uint8_t *text = stream_new(true);

	ck_assert(chunker_is_noise(noise, CHUNKER_BLOCK_BYTES));
	ck_assert(chunker_is_noise(noise + 1, 4096));
	ck_assert(!chunker_is_noise(text, CHUNKER_BLOCK_BYTES));
	ck_assert(!chunker_is_noise(noise, 4095)); /* too few to tell */
	ck_assert(!chunker_is_noise(noise, 0));
	free(noise);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chunker");
	TCase *tcase = tcase_create("B-05 content-defined chunks");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, lengths, 0, nitems(shapes));
	tcase_add_loop_test(tcase, reads_do_not_matter, 0, nitems(shapes));
	tcase_add_loop_test(
	    tcase, an_insertion_moves_few_cuts, 0, nitems(shapes));
	tcase_add_test(tcase, the_seed_decides);
	tcase_add_test(tcase, text_ends_where_noise_begins);
	tcase_add_test(tcase, noise_is_told);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
