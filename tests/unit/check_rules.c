#include <check.h>
#include <stdlib.h>

#include "base/util.h"

/* What is tested, with its private parts. */
#include "../../services/notify/rules.c"

#define HOUR             60 /* minutes, of the day */
#define DAY_MS           (24 * 3600000ull)
#define BASE             (20000 * DAY_MS) /* midnight of some day, UTC */
#define AT(hour, minute) (BASE + (uint64_t)((hour)*HOUR + (minute)) * MINUTE_MS)

#define BACKUP NOTIFY__KIND__BACKUP_DONE
#define LOCKED NOTIFY__KIND__CODE_LOCKED

static const struct {
	const char *name;
	uint32_t from, to; /* quiet */
	uint32_t kind;
	enum urgency urgency; /* of BACKUP */
	uint32_t together_s;
	int32_t offset;
	uint64_t stored, due, want;
} dues[] = {
	/* clang-format off */
	{ "no rule, no quiet hours",      0,         0,        BACKUP, URGENCY_USUAL,   0,     0,    AT(3, 0),  AT(3, 0),  AT(3, 0) },
	{ "before quiet",                 22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     0,    AT(21, 59), AT(21, 59), AT(21, 59) },
	{ "first quiet minute",           22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     0,    AT(22, 0), AT(22, 0), AT(31, 0) },
	{ "after midnight",               22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     0,    AT(3, 0),  AT(3, 0),  AT(7, 0) },
	{ "last quiet minute",            22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     0,    AT(6, 59), AT(6, 59), AT(7, 0) },
	{ "first loud minute",            22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     0,    AT(7, 0),  AT(7, 0),  AT(7, 0) },
	{ "within a day",                 9 * HOUR,  17 * HOUR, BACKUP, URGENCY_USUAL,  0,     0,    AT(12, 0), AT(12, 0), AT(17, 0) },
	{ "local: east",                  22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     120,  AT(21, 0), AT(21, 0), AT(29, 0) },
	{ "local: west, not quiet there", 22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     -480, AT(3, 0),  AT(3, 0),  AT(3, 0) },
	{ "local: half an hour",          22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     330,  AT(1, 0),  AT(1, 0),  AT(1, 30) },
	{ "a danger goes through",        22 * HOUR, 7 * HOUR, LOCKED, URGENCY_USUAL,   0,     0,    AT(3, 0),  AT(3, 0),  AT(3, 0) },
	{ "newer than this code",         22 * HOUR, 7 * HOUR, 9999,   URGENCY_USUAL,   0,     0,    AT(3, 0),  AT(3, 0),  AT(3, 0) },
	{ "at once by rule",              22 * HOUR, 7 * HOUR, BACKUP, URGENCY_AT_ONCE, 0,     0,    AT(3, 0),  AT(3, 0),  AT(3, 0) },
	{ "together: the end of the hour", 0,        0,        BACKUP, URGENCY_USUAL,   3600,  0,    AT(3, 10), AT(3, 10), AT(4, 0) },
	{ "together: it has passed",      0,         0,        BACKUP, URGENCY_USUAL,   3600,  0,    AT(3, 10), AT(5, 20), AT(5, 20) },
	{ "together: on the hour",        0,         0,        BACKUP, URGENCY_USUAL,   3600,  0,    AT(3, 0),  AT(3, 0),  AT(3, 0) },
	{ "together: local midnight",     0,         0,        BACKUP, URGENCY_USUAL,   86400, 60,   AT(3, 10), AT(3, 10), AT(23, 0) },
	{ "together, and then quiet",     22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   86400, 0,    AT(3, 10), AT(8, 0),  AT(31, 0) },
	{ "a retry that is due later",    22 * HOUR, 7 * HOUR, BACKUP, URGENCY_USUAL,   0,     0,    AT(3, 0),  AT(9, 0),  AT(9, 0) },
	/* clang-format on */
};

START_TEST(due_table)
{
	struct rules rules = {
		.quiet_from = dues[_i].from,
		.quiet_to = dues[_i].to,
		.rules = { { BACKUP, dues[_i].urgency, dues[_i].together_s } },
		.count = 1,
	};
	uint64_t got = rules_due_ms(&rules, dues[_i].kind, dues[_i].stored,
	    dues[_i].due, dues[_i].offset);

	ck_assert_msg(got == dues[_i].want,
	    "%s: minute %lld of the day, want %lld", dues[_i].name,
	    (long long)(got - BASE) / 60000,
	    (long long)(dues[_i].want - BASE) / 60000);
}
END_TEST

static const struct {
	const char *name;
	uint32_t from, to;
	struct {
		uint32_t kind, urgency, together_s;
	} rules[2];
	size_t count;
	enum status want;
} reads[] = {
	/* clang-format off */
	{ "nothing",                  0,    0,    { { 0 } },                               0, STATUS_OK },
	{ "quiet hours",              1320, 420,  { { 0 } },                               0, STATUS_OK },
	{ "the last minute",          1439, 0,    { { 0 } },                               0, STATUS_OK },
	{ "from: no minute of a day", 1440, 0,    { { 0 } },                               0, STATUS_MALFORMED },
	{ "to: no minute of a day",   0,    1440, { { 0 } },                               0, STATUS_MALFORMED },
	{ "a rule",                   0,    0,    { { BACKUP, URGENCY_NEVER, 0 } },        1, STATUS_OK },
	{ "together: a minute",       0,    0,    { { BACKUP, 0, 60 } },                   1, STATUS_OK },
	{ "together: too often",      0,    0,    { { BACKUP, 0, 59 } },                   1, STATUS_MALFORMED },
	{ "together: a day",         0,    0,    { { BACKUP, 0, 86400 } },               1, STATUS_OK },
	{ "together: too seldom",     0,    0,    { { BACKUP, 0, 86401 } },               1, STATUS_MALFORMED },
	{ "an unknown urgency",       0,    0,    { { BACKUP, URGENCY_COUNT, 0 } },        1, STATUS_MALFORMED },
	{ "two rules for a kind",     0,    0,    { { BACKUP, 1, 0 }, { BACKUP, 2, 0 } },  2, STATUS_MALFORMED },
	{ "a danger, never",          0,    0,    { { LOCKED, URGENCY_NEVER, 0 } },        1, STATUS_DENIED },
	{ "a danger, later",          0,    0,    { { LOCKED, URGENCY_IN_TIME, 0 } },      1, STATUS_DENIED },
	{ "an unknown kind",          0,    0,    { { 9999, URGENCY_NEVER, 0 } },          1, STATUS_DENIED },
	/* clang-format on */
};

START_TEST(read_table)
{
	Notify__Rules message = NOTIFY__RULES__INIT;
	Notify__Rule list[nitems(reads[0].rules)], *pointers[nitems(list)];
	struct rules rules = { .quiet_from = 77 };
	const char *why = NULL;

	message.quiet_from = reads[_i].from;
	message.quiet_to = reads[_i].to;
	message.n_rules = reads[_i].count;
	message.rules = pointers;
	for (size_t i = 0; i < reads[_i].count; i++) {
		notify__rule__init(&list[i]);
		list[i].kind = (Notify__Kind)reads[_i].rules[i].kind;
		list[i].urgency = (Notify__Urgency)reads[_i].rules[i].urgency;
		list[i].together_s = reads[_i].rules[i].together_s;
		pointers[i] = &list[i];
	}
	enum status got = rules_read(&rules, &message, &why);
	ck_assert_msg(got == reads[_i].want, "%s: got '%s', want '%s'",
	    reads[_i].name, status_text(got), status_text(reads[_i].want));
	ck_assert((got == STATUS_OK) == (why == NULL));
	ck_assert_uint_eq(
	    rules.quiet_from, got == STATUS_OK ? reads[_i].from : 77);
}
END_TEST

START_TEST(never_is_not_told)
{
	struct rules rules = {
		.rules = { { BACKUP, URGENCY_NEVER, 0 },
		    { LOCKED, URGENCY_NEVER, 0 } },
		.count = 2,
	};

	ck_assert(!rules_wanted(&rules, BACKUP));
	ck_assert(rules_wanted(&rules, NOTIFY__KIND__REGISTERED));
	/* Whatever a row says. */
	ck_assert(rules_wanted(&rules, LOCKED));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *due = tcase_create("N-06 when a notice may be pushed");
	TCase *read = tcase_create("N-06 rules of an owner");

	tcase_add_loop_test(due, due_table, 0, nitems(dues));
	tcase_add_loop_test(read, read_table, 0, nitems(reads));
	tcase_add_test(read, never_is_not_told);
	suite_add_tcase(suite, due);
	suite_add_tcase(suite, read);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
