/* A program's own file, which is in no library. */
#include "../../services/store/health_db.c"

#include <check.h>
#include <stdlib.h>

/* ---- values, good and not ---- */

enum value_kind { DAMAGE, QUOTA, DRILL, SCRUB, KIND_COUNT };

static size_t good_value(
    enum value_kind kind, uint8_t value[static SCRUB_PLACE_BYTES])
{
	const struct damage damage = { DAMAGE_LIST, UINT64_MAX };
	const struct quota quota = { UINT64_MAX - 1, UINT64_MAX };
	const struct drill drill = { .when_ms = 1,
		.terminal = { { 5 } },
		.ordinal = 2,
		.files = 7,
		.failed = 7 };
	const struct scrub_place place = { .begun_ms = 1,
		.finished_ms = 2,
		.last_chunks = 3,
		.chunks = 4,
		.bytes = 5,
		.damaged = 6,
		.account = { { 7 } },
		.over = true,
		.now = true,
		.has_chunk = true,
		.chunk = { { 8 } } };

	switch (kind) {
	case DAMAGE:
		health_db_damage_pack(value, &damage);
		return DAMAGE_VALUE_BYTES;
	case QUOTA:
		health_db_quota_pack(value, &quota);
		return QUOTA_VALUE_BYTES;
	case DRILL:
		health_db_drill_pack(value, &drill);
		return DRILL_VALUE_BYTES;
	case SCRUB:
	case KIND_COUNT:
		break;
	}
	health_db_scrub_pack(value, &place);
	return SCRUB_PLACE_BYTES;
}

/* Unpack, and pack again to ${back}. */
static enum status unpack_any(
    enum value_kind kind, struct slice value, uint8_t *back)
{
	struct scrub_place place;
	struct damage damage;
	struct quota quota;
	struct drill drill;
	enum status st = STATUS_INTERNAL;

	switch (kind) {
	case DAMAGE:
		st = health_db_damage_unpack(&damage, value);
		if (st == STATUS_OK)
			health_db_damage_pack(back, &damage);
		break;
	case QUOTA:
		st = health_db_quota_unpack(&quota, value);
		if (st == STATUS_OK)
			health_db_quota_pack(back, &quota);
		break;
	case DRILL:
		st = health_db_drill_unpack(&drill, value);
		if (st == STATUS_OK)
			health_db_drill_pack(back, &drill);
		break;
	case SCRUB:
		st = health_db_scrub_unpack(&place, value);
		if (st == STATUS_OK)
			health_db_scrub_pack(back, &place);
		break;
	case KIND_COUNT:
		break;
	}
	return st;
}

START_TEST(there_and_back)
{
	uint8_t value[SCRUB_PLACE_BYTES], back[SCRUB_PLACE_BYTES];
	size_t len = good_value((enum value_kind)_i, value);

	ck_assert_int_eq(
	    unpack_any((enum value_kind)_i, slice_of(value, len), back),
	    STATUS_OK);
	ck_assert_mem_eq(value, back, len);
}
END_TEST

/* Whatever the length, nothing is read past the end. */
START_TEST(short_values)
{
	uint8_t value[SCRUB_PLACE_BYTES], back[SCRUB_PLACE_BYTES];
	size_t len = good_value((enum value_kind)_i, value);

	for (size_t i = 0; i < len; i++) {
		uint8_t *exact = malloc(i > 0 ? i : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, value, i);
		ck_assert_int_eq(
		    unpack_any((enum value_kind)_i, slice_of(exact, i), back),
		    STATUS_MALFORMED);
		free(exact);
	}
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	enum value_kind kind;
	size_t at;    /* this byte of the value becomes … */
	uint8_t byte; /* … that */
	int longer;
} malformed_cases[] = {
	{ "damage of version 0",       DAMAGE, 0,  0,              0 },
	{ "damage of no kind",         DAMAGE, 1,  0,              0 },
	{ "damage of a newer kind",    DAMAGE, 1,  DAMAGE_LIST + 1, 0 },
	{ "damage, one byte more",     DAMAGE, 1,  DAMAGE_MISSING, 1 },
	{ "quota of version 2",        QUOTA,  0,  2,              0 },
	{ "quota, one byte more",      QUOTA,  0,  1,              1 },
	{ "quota, soft above hard",    QUOTA,  9,  0,              0 },
	{ "drill of version 2",        DRILL,  0,  2,              0 },
	{ "drill, more failed than was", DRILL, 48, 8,             0 },
	{ "scrub of version 255",      SCRUB,  0,  255,            0 },
	{ "scrub with an unknown flag", SCRUB, 1,  8,              0 },
};
/* clang-format on */

START_TEST(malformed_table)
{
	uint8_t value[SCRUB_PLACE_BYTES + 1] = { 0 }, back[SCRUB_PLACE_BYTES];
	enum value_kind kind = malformed_cases[_i].kind;
	size_t len = good_value(kind, value);

	value[malformed_cases[_i].at] = malformed_cases[_i].byte;
	len += (size_t)malformed_cases[_i].longer;
	enum status got = unpack_any(kind, slice_of(value, len), back);
	ck_assert_msg(got == STATUS_MALFORMED, "%s: got '%s'",
	    malformed_cases[_i].name, status_text(got));
}
END_TEST

START_TEST(each_kind_has_a_word)
{
	for (unsigned int i = DAMAGE_CHANGED; i <= DAMAGE_LIST; i++)
		ck_assert(*damage_word((enum damage_kind)i) != '\0');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("health_db");
	TCase *good = tcase_create("B-11 B-12 stored values come back");
	TCase *malformed = tcase_create("R-03 malformed stored values");

	tcase_add_loop_test(good, there_and_back, 0, KIND_COUNT);
	tcase_add_test(good, each_kind_has_a_word);
	suite_add_tcase(suite, good);
	tcase_add_loop_test(malformed, short_values, 0, KIND_COUNT);
	tcase_add_loop_test(
	    malformed, malformed_table, 0, nitems(malformed_cases));
	suite_add_tcase(suite, malformed);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
