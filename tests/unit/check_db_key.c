#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "db/key.h"

/* Keys of rows: no NUL within an account, and the order stays. */

static const struct id account = { "an account's id" };

#define TEXT(literal)                                           \
	{                                                       \
		(const uint8_t *)(literal), sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct slice key;
	struct slice escaped;
} escapes[] = {
	{ "empty", TEXT(""), TEXT("") },
	{ "text", TEXT("abc"), TEXT("abc") },
	{ "zero", TEXT("\0"), TEXT("\1\1") },
	{ "one", TEXT("\1"), TEXT("\1\2") },
	{ "two is itself", TEXT("\2"), TEXT("\2") },
	{ "the highest", TEXT("\377"), TEXT("\377") },
	{ "a number", TEXT("\0\0\1\2"), TEXT("\1\1\1\1\1\2\2") },
};

START_TEST(escape_table)
{
	struct key row;
	uint8_t back[DB_KEY_BYTES_MAX];
	size_t len = 0;

	ck_assert(key_encode(&row, &account, 7, escapes[_i].key) == STATUS_OK);
	ck_assert_mem_eq(row.data, account.bytes, ID_BYTES);
	ck_assert_uint_eq(row.data[ID_BYTES], 7);
	struct slice escaped =
	    slice_of(row.data + KEY_HEAD_BYTES, row.len - KEY_HEAD_BYTES);
	ck_assert_msg(
	    slice_equal(escaped, escapes[_i].escaped), "%s", escapes[_i].name);
	ck_assert(key_decode(back, &len, escaped) == STATUS_OK);
	ck_assert_msg(slice_equal(slice_of(back, len), escapes[_i].key), "%s",
	    escapes[_i].name);
}
END_TEST

static const struct {
	const char *name;
	struct slice escaped;
} damaged[] = {
	{ "a zero", TEXT("a\0b") },
	{ "escape at the end", TEXT("ab\1") },
	{ "escape of nothing", TEXT("\1\3") },
	{ "escaped zero", TEXT("\1\0") },
};

START_TEST(damaged_table)
{
	uint8_t out[16];
	size_t len = 77;

	ck_assert_msg(
	    key_decode(out, &len, damaged[_i].escaped) == STATUS_MALFORMED,
	    "%s", damaged[_i].name);
	ck_assert_uint_eq(len, 77);
}
END_TEST

#define KEY_ROOM (DB_KEY_BYTES_MAX - KEY_HEAD_BYTES)

static const struct {
	const char *name;
	uint8_t byte;
	size_t len;
	enum status want;
} lengths[] = {
	{ "longest plain", 'a', KEY_ROOM, STATUS_OK },
	{ "one more", 'a', KEY_ROOM + 1, STATUS_TOO_LARGE },
	{ "longest of zeros", 0, KEY_ROOM / 2, STATUS_OK },
	{ "one zero more", 0, KEY_ROOM / 2 + 1, STATUS_TOO_LARGE },
	{ "far too long", 0, 4096, STATUS_TOO_LARGE },
};

START_TEST(length_table)
{
	uint8_t data[4096];
	struct key row;

	memset(data, lengths[_i].byte, sizeof(data));
	enum status got =
	    key_encode(&row, &account, 1, slice_of(data, lengths[_i].len));
	ck_assert_msg(got == lengths[_i].want, "%s: %s", lengths[_i].name,
	    status_text(got));
}
END_TEST

/* Every pair of keys over the bytes that matter, up to three of each. */
#define KEYS_COUNT 156 /* 1 + 5 + 25 + 125 */

static size_t nth_key(uint8_t out[3], size_t n)
{
	static const uint8_t bytes[] = { 0, 1, 2, 3, 255 };
	size_t len = 0;

	for (; n > 0; n = (n - 1) / nitems(bytes))
		out[len++] = bytes[(n - 1) % nitems(bytes)];
	return len;
}

START_TEST(order_stays)
{
	uint8_t a[3], b[3];
	struct key row_a, row_b;

	for (size_t i = 0; i < KEYS_COUNT; i++) {
		struct slice key_a = slice_of(a, nth_key(a, i));
		ck_assert(key_encode(&row_a, &account, 1, key_a) == STATUS_OK);
		struct slice escaped_a = slice_of(row_a.data, row_a.len);
		for (size_t j = 0; j < KEYS_COUNT; j++) {
			struct slice key_b = slice_of(b, nth_key(b, j));
			ck_assert(key_encode(&row_b, &account, 1, key_b) ==
				  STATUS_OK);
			struct slice escaped_b =
			    slice_of(row_b.data, row_b.len);
			int want = slice_compare(key_a, key_b);
			int got = slice_compare(escaped_a, escaped_b);
			ck_assert_int_eq(
			    (want > 0) - (want < 0), (got > 0) - (got < 0));
			bool prefix = key_a.len <= key_b.len &&
				      memcmp(a, b, key_a.len) == 0;
			bool escaped_prefix =
			    row_a.len <= row_b.len &&
			    memcmp(row_a.data, row_b.data, row_a.len) == 0;
			ck_assert(prefix == escaped_prefix);
		}
	}
}
END_TEST

static const struct {
	struct slice key;
	struct slice want; /* empty: there is none */
} successors[] = {
	{ TEXT("a"), TEXT("b") },
	{ TEXT("a\377"), TEXT("b") },
	{ TEXT("a\377b"), TEXT("a\377c") },
	{ TEXT("\376\377\377"), TEXT("\377") },
	{ TEXT("\377\377"), TEXT("") },
	{ TEXT(""), TEXT("") },
};

START_TEST(successor_table)
{
	struct key key = { .len = successors[_i].key.len };

	memcpy(key.data, successors[_i].key.data, key.len);
	enum status st = key_successor(&key);
	ck_assert(
	    st == (successors[_i].want.len > 0 ? STATUS_OK : STATUS_NOT_FOUND));
	ck_assert(
	    slice_equal(slice_of(key.data, key.len), successors[_i].want));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("db_key");
	TCase *tc = tcase_create("R-07 keys of rows");

	tcase_add_loop_test(tc, escape_table, 0, nitems(escapes));
	tcase_add_loop_test(tc, damaged_table, 0, nitems(damaged));
	tcase_add_loop_test(tc, length_table, 0, nitems(lengths));
	tcase_add_test(tc, order_stays);
	tcase_add_loop_test(tc, successor_table, 0, nitems(successors));
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
