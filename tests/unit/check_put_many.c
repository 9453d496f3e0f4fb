#include "../../services/store/put_many.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define PAGE(n) ((size_t)(n)*PAGE_BYTES - PAGE_HEAD_BYTES)

/* clang-format off */
static const struct {
	const char *name;
	size_t ids_bytes;       /* rising ids, but for … */
	size_t same_as_first;   /* … this one, from 1; 0: none */
	uint8_t pages[PUT_MANY_MAX + 1];
	size_t pages_bytes;
	size_t payload_bytes;
	enum status want;
	size_t at;              /* which is to blame */
} cases[] = {
	{ "P-03 one",                     32,      0, { 1 },          1,  PAGE(1),                STATUS_OK,        0 },
	{ "P-03 one, the largest",        32,      0, { 64 },         1,  PAGE(64),               STATUS_OK,        0 },
	{ "P-03 of several lengths",      3 * 32,  0, { 1, 16, 2 },   3,  PAGE(1) + PAGE(16) + PAGE(2), STATUS_OK,  0 },
	{ "P-03 as many as there may be", 64 * 32, 0, { 0 },          64, 64 * PAGE(1),           STATUS_OK,        0 },
	{ "G-05 none",                    0,       0, { 0 },          0,  0,                      STATUS_MALFORMED, 0 },
	{ "G-05 none, but a payload",     0,       0, { 0 },          0,  PAGE(1),                STATUS_MALFORMED, 0 },
	{ "G-05 one too many",            65 * 32, 0, { 0 },          65, 64 * PAGE(1),           STATUS_TOO_LARGE, 0 },
	{ "G-05 an id cut short",         63,      0, { 1, 1 },       2,  2 * PAGE(1),            STATUS_MALFORMED, 0 },
	{ "G-05 a byte behind the ids",   33,      0, { 1 },          1,  PAGE(1),                STATUS_MALFORMED, 0 },
	{ "G-05 too few pages",           2 * 32,  0, { 1 },          1,  2 * PAGE(1),            STATUS_MALFORMED, 0 },
	{ "G-05 too many pages",          2 * 32,  0, { 1, 1, 1 },    3,  2 * PAGE(1),            STATUS_MALFORMED, 0 },
	{ "G-05 no pages at all",         32,      0, { 0 },          0,  PAGE(1),                STATUS_MALFORMED, 0 },
	{ "G-05 a chunk of no page",      3 * 32,  0, { 1, 0, 1 },    3,  2 * PAGE(1),            STATUS_MALFORMED, 2 },
	{ "G-05 a chunk of 65 pages",     2 * 32,  0, { 1, 65 },      2,  PAGE(1) + PAGE(65),     STATUS_MALFORMED, 2 },
	{ "G-05 a chunk of 255 pages",    32,      0, { 255 },        1,  PAGE(64),               STATUS_MALFORMED, 1 },
	{ "G-05 no payload",              2 * 32,  0, { 1, 1 },       2,  0,                      STATUS_MALFORMED, 1 },
	{ "G-05 the payload a byte short", 2 * 32, 0, { 1, 2 },       2,  PAGE(1) + PAGE(2) - 1,  STATUS_MALFORMED, 2 },
	{ "G-05 the payload a byte long", 2 * 32,  0, { 1, 2 },       2,  PAGE(1) + PAGE(2) + 1,  STATUS_MALFORMED, 0 },
	{ "G-05 a chunk more in the payload", 2 * 32, 0, { 1, 2 },    2,  2 * PAGE(1) + PAGE(2),  STATUS_MALFORMED, 0 },
	{ "G-05 an id twice",             3 * 32,  3, { 1, 1, 1 },    3,  3 * PAGE(1),            STATUS_MALFORMED, 3 },
	{ "G-05 an id twice, side by side", 2 * 32, 2, { 1, 2 },      2,  PAGE(1) + PAGE(2),      STATUS_MALFORMED, 2 },
};
/* clang-format on */

/* Bytes of exactly ${len}, so that a sanitizer sees what is read behind. */
static struct slice exactly(const uint8_t *from, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ck_assert_ptr_nonnull(copy);
	if (len > 0)
		memcpy(copy, from, len);
	return slice_of(copy, len);
}

static void discard(struct slice bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

START_TEST(read_table)
{
	struct sealed_chunk chunks[PUT_MANY_MAX];
	uint8_t ids[(PUT_MANY_MAX + 1) * CHUNK_ID_BYTES] = { 0 };
	uint8_t pages[PUT_MANY_MAX + 1];
	static uint8_t payload[PAGE(1) + PAGE(65)];
	const char *detail = NULL;
	size_t count = 0, at = 99;

	for (size_t i = 0; i < PUT_MANY_MAX + 1; i++)
		ids[i * CHUNK_ID_BYTES] = (uint8_t)(i + 1);
	if (cases[_i].same_as_first > 0)
		ids[(cases[_i].same_as_first - 1) * CHUNK_ID_BYTES] = 1;
	memcpy(pages, cases[_i].pages, sizeof(pages));
	if (cases[_i].pages_bytes >= PUT_MANY_MAX)
		memset(pages, 1, sizeof(pages));
	struct slice id_bytes = exactly(ids, cases[_i].ids_bytes);
	struct slice page_bytes = exactly(pages, cases[_i].pages_bytes);
	struct slice sealed = exactly(payload, cases[_i].payload_bytes);

	enum status st = put_many_read(
	    chunks, &count, id_bytes, page_bytes, sealed, &at, &detail);
	ck_assert_msg(
	    st == cases[_i].want, "%s: %s", cases[_i].name, status_word(st));
	if (cases[_i].want != STATUS_OK) {
		ck_assert_msg(
		    at == cases[_i].at, "%s: chunk %zu", cases[_i].name, at);
		ck_assert_uint_gt(strlen(detail), 0);
	} else {
		const uint8_t *next = sealed.data;
		ck_assert_uint_eq(count, cases[_i].pages_bytes);
		for (size_t i = 0; i < count; i++) {
			ck_assert_ptr_eq(chunks[i].sealed.data, next);
			ck_assert_uint_eq(chunks[i].sealed.len, PAGE(pages[i]));
			ck_assert_mem_eq(chunks[i].id.bytes,
			    ids + i * CHUNK_ID_BYTES, CHUNK_ID_BYTES);
			next += chunks[i].sealed.len;
		}
		ck_assert_ptr_eq(next, sealed.data + sealed.len);
	}
	discard(id_bytes);
	discard(page_bytes);
	discard(sealed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("put_many");
	TCase *read = tcase_create("P-03 G-05 a PUT_MANY taken apart");

	tcase_add_loop_test(read, read_table, 0, nitems(cases));
	suite_add_tcase(suite, read);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
