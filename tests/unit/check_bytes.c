#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/* clang-format off */
static const struct {
	const char *a, *b;
	int order;	/* sign of slice_compare(a, b) */
} orders[] = {
	{ "",    "",    0 },
	{ "",    "a",  -1 },
	{ "a",   "",    1 },
	{ "a",   "a",   0 },
	{ "a",   "b",  -1 },
	{ "ab",  "a",   1 },	/* the prefix comes first */
	{ "b",   "ab",  1 },
	{ "a",  "\xff", -1 },	/* bytes have no sign */
};
/* clang-format on */

START_TEST(slice_order)
{
	struct slice a = slice_text(orders[_i].a);
	struct slice b = slice_text(orders[_i].b);
	int order = slice_compare(a, b);

	ck_assert_int_eq((order > 0) - (order < 0), orders[_i].order);
	order = slice_compare(b, a);
	ck_assert_int_eq((order > 0) - (order < 0), -orders[_i].order);
	ck_assert(slice_equal(a, b) == (orders[_i].order == 0));
}
END_TEST

START_TEST(slice_empty_without_data)
{
	struct slice none = slice_of(NULL, 0);

	ck_assert(slice_equal(none, slice_text("")));
	ck_assert(!slice_equal(none, slice_text("a")));
	ck_assert_int_eq(slice_compare(none, slice_text("")), 0);
	ck_assert_int_lt(slice_compare(none, slice_text("a")), 0);
}
END_TEST

static void assert_holds(const struct bytes *bytes, const char *want)
{
	ck_assert_uint_eq(bytes->len, strlen(want));
	ck_assert(bytes->capacity >= bytes->len);
	ck_assert(slice_equal(bytes_slice(bytes), slice_text(want)));
}

START_TEST(bytes_grow)
{
	struct bytes bytes = { 0 };

	assert_holds(&bytes, "");
	ck_assert(bytes_copy(&bytes, slice_text("one")) == STATUS_OK);
	assert_holds(&bytes, "one");
	ck_assert(bytes_append(&bytes, slice_text(" two")) == STATUS_OK);
	assert_holds(&bytes, "one two");
	ck_assert(bytes_append(&bytes, slice_of(NULL, 0)) == STATUS_OK);
	assert_holds(&bytes, "one two");
	ck_assert(bytes_reserve(&bytes, 10000) == STATUS_OK);
	ck_assert_uint_ge(bytes.capacity, 10000);
	assert_holds(&bytes, "one two");
	ck_assert(bytes_copy(&bytes, slice_text("3")) == STATUS_OK);
	assert_holds(&bytes, "3");
	ck_assert(bytes_copy(&bytes, slice_of(NULL, 0)) == STATUS_OK);
	assert_holds(&bytes, "");
	bytes_clear(&bytes);
	ck_assert_ptr_null(bytes.data);
	ck_assert(bytes_append(&bytes, slice_text("again")) == STATUS_OK);
	assert_holds(&bytes, "again");
	bytes_clear(&bytes);
	bytes_clear(&bytes);
}
END_TEST

START_TEST(bytes_without_memory)
{
	struct bytes bytes = { 0 };

	ck_assert(bytes_copy(&bytes, slice_text("kept")) == STATUS_OK);
	ck_assert(bytes_reserve(&bytes, SIZE_MAX / 4) == STATUS_NO_SPACE);
	assert_holds(&bytes, "kept");
	bytes_clear(&bytes);
}
END_TEST

START_TEST(big_endian)
{
	static const uint8_t want[8] = { 0x81, 0x02, 0x03, 0x04, 0x05, 0x06,
		0x07, 0xf8 };
	uint8_t at[8] = { 0 };

	put_be16(at, 0x8102);
	ck_assert_mem_eq(at, want, 2);
	ck_assert_uint_eq(get_be16(at), 0x8102);
	put_be32(at, 0x81020304);
	ck_assert_mem_eq(at, want, 4);
	ck_assert_uint_eq(get_be32(at), 0x81020304);
	put_be64(at, 0x81020304050607f8);
	ck_assert_mem_eq(at, want, 8);
	ck_assert(get_be64(at) == 0x81020304050607f8);
}
END_TEST

START_TEST(big_endian_limits)
{
	uint8_t at[8];

	put_be16(at, UINT16_MAX);
	ck_assert_uint_eq(get_be16(at), UINT16_MAX);
	put_be32(at, UINT32_MAX);
	ck_assert_uint_eq(get_be32(at), UINT32_MAX);
	put_be64(at, UINT64_MAX);
	ck_assert(get_be64(at) == UINT64_MAX);
	put_be64(at, 0);
	ck_assert(get_be64(at) == 0);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *text;
	size_t len;
	enum status want;
} hexes[] = {
	{ "lower case",        "00ff1a",   3, STATUS_OK },
	{ "upper case",        "00FF1A",   3, STATUS_OK },
	{ "nothing",           "",         0, STATUS_OK },
	{ "a byte missing",    "00ff",     3, STATUS_MALFORMED },
	{ "a byte too many",   "00ff1a00", 3, STATUS_MALFORMED },
	{ "half a byte",       "00ff1",    3, STATUS_MALFORMED },
	{ "a letter past f",   "00fg1a",   3, STATUS_MALFORMED },
	{ "a letter past F",   "00fG1a",   3, STATUS_MALFORMED },
	{ "before the digits", "00f/1a",   3, STATUS_MALFORMED },
	{ "after the digits",  "00f:1a",   3, STATUS_MALFORMED },
	{ "before the a",      "00f`1a",   3, STATUS_MALFORMED },
	{ "a blank in front",  " 0ff1a",   3, STATUS_MALFORMED },
	{ "a prefix",          "0xff1a",   3, STATUS_MALFORMED },
	{ "a sign",            "+0ff1a",   3, STATUS_MALFORMED },
	{ "not ASCII",         "00\xc3\xa4""1a", 3, STATUS_MALFORMED },
	{ "something for nothing", "0",    0, STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(hex_read)
{
	static const uint8_t want[] = { 0x00, 0xff, 0x1a };
	uint8_t out[sizeof(want)];
	enum status got = hex_decode(out, hexes[_i].len, hexes[_i].text);

	ck_assert_msg(got == hexes[_i].want, "%s: got '%s'", hexes[_i].name,
	    status_text(got));
	if (got == STATUS_OK)
		ck_assert_mem_eq(out, want, hexes[_i].len);
}
END_TEST

START_TEST(hex_there_and_back)
{
	uint8_t all[256], back[256];
	char text[HEX_BYTES(sizeof(all))];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	hex_encode(text, slice_of(all, sizeof(all)));
	ck_assert_uint_eq(strlen(text), sizeof(text) - 1);
	ck_assert(strncmp(text, "000102", 6) == 0);
	ck_assert_str_eq(text + sizeof(text) - 5, "feff");
	ck_assert(hex_decode(back, sizeof(back), text) == STATUS_OK);
	ck_assert_mem_eq(back, all, sizeof(all));
	hex_encode(text, slice_of(NULL, 0));
	ck_assert_str_eq(text, "");
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	size_t len;
	enum status want;
} ids[] = {
	{ "an id",         ID_BYTES,     STATUS_OK },
	{ "one byte less", ID_BYTES - 1, STATUS_MALFORMED },
	{ "one byte more", ID_BYTES + 1, STATUS_MALFORMED },
	{ "nothing",       0,            STATUS_MALFORMED },
};
/* clang-format on */

START_TEST(id_lengths)
{
	static const uint8_t source[ID_BYTES + 1] = "0123456789abcdef";
	struct id before, id;

	memset(&id, 0x55, sizeof(id));
	before = id;
	enum status got = id_from(&id, slice_of(source, ids[_i].len));
	ck_assert_msg(got == ids[_i].want, "%s: got '%s'", ids[_i].name,
	    status_text(got));
	if (got == STATUS_OK)
		ck_assert_mem_eq(id.bytes, source, ID_BYTES);
	else
		ck_assert_msg(
		    id_equal(&id, &before), "%s: touched", ids[_i].name);
}
END_TEST

START_TEST(id_every_byte_counts)
{
	static const struct id none;

	ck_assert(id_is_none(&none));
	for (size_t i = 0; i < ID_BYTES; i++) {
		struct id id = none;
		id.bytes[i] = 1;
		ck_assert(!id_is_none(&id));
		ck_assert(!id_equal(&id, &none));
		ck_assert(id_equal(&id, &id));
	}
}
END_TEST

static Suite *bytes_suite(void)
{
	Suite *suite = suite_create("bytes");
	TCase *memory = tcase_create("R-03 R-04 slices and bytes");
	TCase *numbers = tcase_create("R-03 numbers and hex");
	TCase *identity = tcase_create("R-03 R-07 ids");

	tcase_add_loop_test(memory, slice_order, 0, (int)nitems(orders));
	tcase_add_test(memory, slice_empty_without_data);
	tcase_add_test(memory, bytes_grow);
	tcase_add_test(memory, bytes_without_memory);
	suite_add_tcase(suite, memory);
	tcase_add_test(numbers, big_endian);
	tcase_add_test(numbers, big_endian_limits);
	tcase_add_loop_test(numbers, hex_read, 0, (int)nitems(hexes));
	tcase_add_test(numbers, hex_there_and_back);
	suite_add_tcase(suite, numbers);
	tcase_add_loop_test(identity, id_lengths, 0, (int)nitems(ids));
	tcase_add_test(identity, id_every_byte_counts);
	suite_add_tcase(suite, identity);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(bytes_suite());

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
