#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/util.h"
#include "bus/unpack.h"
#include "common.pb-c.h"

#define FIGURES_TAG 0x2a /* field 5 of StatusReport, a message */
#define NAME_TAG    0x0a /* field 1, a text */

static struct unpack unpack;
static struct bytes packed;

static void setup(void)
{
	unpack_begin(&unpack);
}

static void teardown(void)
{
	unpack_end(&unpack);
	bytes_clear(&packed);
}

static void pack_report(size_t figures_count)
{
	static Common__Figure figures[4];
	Common__Figure *pointers[4];
	Common__StatusReport report = COMMON__STATUS_REPORT__INIT;
	static char program[] = "keepsake-test", name[] = "map_bytes";

	for (size_t i = 0; i < figures_count; i++) {
		figures[i] = (Common__Figure)COMMON__FIGURE__INIT;
		figures[i].name = name;
		figures[i].value = UINT64_MAX - i;
		pointers[i] = &figures[i];
	}
	report.program = program;
	report.pid = 42;
	report.figures = pointers;
	report.n_figures = figures_count;
	ck_assert_int_eq(pack_message(&packed, &report.base), STATUS_OK);
}

static enum status unpack_report(Common__StatusReport **out)
{
	return unpack_message(&unpack, &common__status_report__descriptor,
	    bytes_slice(&packed), out);
}

START_TEST(there_and_back)
{
	Common__StatusReport *report = NULL;

	pack_report(4);
	ck_assert_int_eq(unpack_report(&report), STATUS_OK);
	ck_assert_str_eq(report->program, "keepsake-test");
	ck_assert_str_eq(report->version, "");
	ck_assert_uint_eq(report->pid, 42);
	ck_assert_uint_eq(report->n_figures, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(report->figures[i]->name, "map_bytes");
		ck_assert_uint_eq(report->figures[i]->value, UINT64_MAX - i);
	}
}
END_TEST

START_TEST(appended)
{
	static char name[] = "x";
	Common__Figure figure = COMMON__FIGURE__INIT, *got = NULL;

	/* nothing at all is a message too */
	ck_assert_int_eq(pack_message(&packed, &figure.base), STATUS_OK);
	ck_assert_uint_eq(packed.len, 0);
	ck_assert_int_eq(unpack_message(&unpack, &common__figure__descriptor,
			     bytes_slice(&packed), &got),
	    STATUS_OK);
	ck_assert_str_eq(got->name, "");

	ck_assert_int_eq(bytes_copy(&packed, slice_text("head")), STATUS_OK);
	figure.name = name;
	ck_assert_int_eq(pack_message(&packed, &figure.base), STATUS_OK);
	ck_assert_mem_eq(packed.data, "head", 4);
	ck_assert_int_eq(unpack_message(&unpack, &common__figure__descriptor,
			     slice_of(packed.data + 4, packed.len - 4), &got),
	    STATUS_OK);
	ck_assert_str_eq(got->name, "x");
}
END_TEST

/* Several messages from one, and one after the end of another. */
START_TEST(used_again)
{
	Common__StatusReport *first = NULL, *second = NULL;

	pack_report(2);
	ck_assert_int_eq(unpack_report(&first), STATUS_OK);
	ck_assert_int_eq(unpack_report(&second), STATUS_OK);
	ck_assert_ptr_ne(first, second);
	ck_assert_str_eq(first->figures[1]->name, "map_bytes");
	unpack_end(&unpack);
	ck_assert_uint_eq(unpack.used, 0);
	unpack_end(&unpack);
	ck_assert_int_eq(unpack_report(&first), STATUS_OK);
	ck_assert_str_eq(first->figures[1]->name, "map_bytes");
}
END_TEST

/* Prefixes are messages of fewer fields, or refused; none is read past. */
START_TEST(cut_short)
{
	Common__StatusReport *report = NULL;

	pack_report(4);
	for (size_t len = 0; len < packed.len; len++) {
		uint8_t *copy = malloc(len);
		ck_assert(copy || len == 0);
		if (len > 0)
			memcpy(copy, packed.data, len);
		enum status st =
		    unpack_message(&unpack, &common__status_report__descriptor,
			slice_of(copy, len), &report);
		ck_assert(st == STATUS_OK || st == STATUS_MALFORMED);
		free(copy);
		unpack_end(&unpack);
	}
	packed.len--;
	ck_assert_int_eq(unpack_report(&report), STATUS_MALFORMED);
}
END_TEST

/*
 * Empty figures, two bytes each: a body of the largest size asks for several
 * times UNPACK_BYTES_MAX of structs.
 */
START_TEST(greedy)
{
	static const struct {
		size_t count;
		enum status want;
	} bodies[] = {
		{ 1000, STATUS_OK },
		{ BODY_BYTES_MAX / 2, STATUS_MALFORMED },
		{ 2 * BODY_BYTES_MAX, STATUS_MALFORMED },
	};
	Common__StatusReport *report = NULL;
	static const uint8_t figure[] = { FIGURES_TAG, 0 };

	for (size_t i = 0; i < bodies[_i].count; i++)
		ck_assert_int_eq(
		    bytes_append(&packed, slice_of(figure, sizeof(figure))),
		    STATUS_OK);
	ck_assert_int_eq(unpack_report(&report), bodies[_i].want);
	ck_assert_uint_le(unpack.used, UNPACK_BYTES_MAX);
	if (bodies[_i].want == STATUS_OK)
		ck_assert_uint_eq(report->n_figures, bodies[_i].count);
}
END_TEST

/* The bound is on all that one unpack holds, not on each message. */
START_TEST(greedy_together)
{
	Common__Figure *figure = NULL;
	static uint8_t body[BODY_BYTES_MAX];
	size_t count = 0;

	body[0] = NAME_TAG;
	body[1] = 0x80 | (sizeof(body) - 4) % 128; /* three bytes of length */
	body[2] = 0x80 | (sizeof(body) - 4) / 128 % 128;
	body[3] = (sizeof(body) - 4) / 128 / 128;
	memset(body + 4, 'x', sizeof(body) - 4);
	while (unpack_message(&unpack, &common__figure__descriptor,
		   slice_of(body, sizeof(body)), &figure) == STATUS_OK) {
		ck_assert_uint_eq(strlen(figure->name), sizeof(body) - 4);
		count++;
	}
	ck_assert_uint_eq(count, UNPACK_BYTES_MAX / BODY_BYTES_MAX - 1);
	ck_assert_uint_le(unpack.used, UNPACK_BYTES_MAX);
}
END_TEST

/* Field ${tag} of one byte, which no message here has. */
START_TEST(unknown_field)
{
	static const struct {
		uint32_t tag;
		enum status want;
	} fields[] = {
		{ 12, STATUS_OK },
		{ 63, STATUS_OK },
		{ 64, STATUS_VERSION },
		{ 127, STATUS_VERSION },
		{ 128, STATUS_OK },
	};
	uint32_t key = fields[_i].tag << 3; /* a number */
	const uint8_t field[] = { (uint8_t)(key | 0x80), (uint8_t)(key >> 7),
		1 };
	Common__StatusReport *report = NULL;

	pack_report(1);
	ck_assert_int_eq(
	    bytes_append(&packed, slice_of(field, sizeof(field))), STATUS_OK);
	ck_assert_int_eq(unpack_report(&report), fields[_i].want);
	ck_assert_str_eq(report->program, "keepsake-test");
}
END_TEST

START_TEST(noise)
{
	Common__StatusReport *report = NULL;
	unsigned int state = (unsigned int)_i;
	uint8_t bytes[64];

	for (int round = 0; round < 2000; round++) {
		size_t len = (size_t)rand_r(&state) % sizeof(bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)rand_r(&state);
		enum status st =
		    unpack_message(&unpack, &common__status_report__descriptor,
			slice_of(bytes, len), &report);
		ck_assert(st == STATUS_OK || st == STATUS_MALFORMED);
		unpack_end(&unpack);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unpack");
	TCase *good = tcase_create("R-03 messages unpacked");
	TCase *version = tcase_create("O-08 fields of a later version");
	TCase *bad = tcase_create("R-03 G-05 messages refused");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_checked_fixture(version, setup, teardown);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_test(good, there_and_back);
	tcase_add_test(good, appended);
	tcase_add_test(good, used_again);
	tcase_add_loop_test(version, unknown_field, 0, 5);
	tcase_add_test(bad, cut_short);
	tcase_add_loop_test(bad, greedy, 0, 3);
	tcase_add_test(bad, greedy_together);
	tcase_add_loop_test(bad, noise, 0, 4);
	suite_add_tcase(suite, good);
	suite_add_tcase(suite, version);
	suite_add_tcase(suite, bad);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
