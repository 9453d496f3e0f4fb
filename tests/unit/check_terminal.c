#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* What is tested, with its private parts. */
#include "../../services/binding/terminal.c"

#define IMEI_ONE "490154203237518"
#define IMEI_TWO "356938035643809"
#define SIXTY_FOUR \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *imei, *serial, *label;
	const char *why; /* how the refusal begins; NULL: it is fine */
} binds[] = {
	{ IMEI_ONE, "", "", NULL },
	{ "", "R58M", "my phone", NULL },
	{ IMEI_ONE, "R58M", "\xc3\xa9", NULL },
	{ "", SIXTY_FOUR, SIXTY_FOUR, NULL },
	{ "", "", "my phone", "imei, serial:" },
	{ "490154203237517", "R58M", "", "imei:" },
	{ "49015420323751", "", "", "imei:" },
	{ "", SIXTY_FOUR "0", "", "serial:" },
	{ "", "a\nb", "", "serial:" },
	{ "", "\xff", "", "serial:" },
	{ "", "R58M", SIXTY_FOUR "0", "label:" },
	{ "", "R58M", "\x1b[31m", "label:" },
	{ "", "R58M", "\xed\xa0\x80", "label:" },
};

START_TEST(new_ones)
{
	struct terminal terminal = { .bound_ms = 7 };
	const char *why = NULL;

	enum status got = terminal_describe(
	    &terminal, binds[_i].imei, binds[_i].serial, binds[_i].label, &why);
	if (!binds[_i].why) {
		ck_assert(got == STATUS_OK);
		ck_assert_str_eq(terminal.imei, binds[_i].imei);
		ck_assert_str_eq(terminal.serial, binds[_i].serial);
		ck_assert_str_eq(terminal.label, binds[_i].label);
		return;
	}
	ck_assert(got == STATUS_MALFORMED);
	ck_assert_msg(strncmp(why, binds[_i].why, strlen(binds[_i].why)) == 0,
	    "row %d: %s", _i, why);
	ck_assert_str_eq(terminal.imei, "");
	ck_assert_str_eq(terminal.serial, "");
}
END_TEST

static const struct {
	const char *imei, *serial, *label; /* of the change */
	const char *want[3];               /* of the terminal; NULL: refused */
} changes[] = {
	{ "", "", "", { IMEI_ONE, "S-1", "old" } },
	{ "", "", "new", { IMEI_ONE, "S-1", "new" } },
	{ IMEI_TWO, "", "", { IMEI_TWO, "S-1", "old" } },
	{ "", "S-2", "new", { IMEI_ONE, "S-2", "new" } },
	{ IMEI_TWO, "S-2", "new", { IMEI_TWO, "S-2", "new" } },
	{ "1", "S-2", "new", { NULL, NULL, NULL } },
	{ IMEI_TWO, "S-2", "\n", { NULL, NULL, NULL } },
};

START_TEST(changed_ones)
{
	struct terminal terminal = {
		.imei = IMEI_ONE,
		.serial = "S-1",
		.label = "old",
	};
	const char *why = NULL;
	bool fine = changes[_i].want[0] != NULL;

	enum status got = terminal_describe(&terminal, changes[_i].imei,
	    changes[_i].serial, changes[_i].label, &why);
	ck_assert(got == (fine ? STATUS_OK : STATUS_MALFORMED));
	ck_assert((why == NULL) == fine);
	ck_assert_str_eq(terminal.imei, fine ? changes[_i].want[0] : IMEI_ONE);
	ck_assert_str_eq(terminal.serial, fine ? changes[_i].want[1] : "S-1");
	ck_assert_str_eq(terminal.label, fine ? changes[_i].want[2] : "old");
}
END_TEST

static const struct terminal both = {
	.peer_key = { 1 },
	.imei = IMEI_ONE,
	.serial = "S-1",
};
static const struct terminal only_imei = {
	.peer_key = { 2 },
	.imei = IMEI_TWO,
};
static const struct terminal only_serial = {
	.peer_key = { 3 },
	.serial = "S-3",
};

static const struct {
	const char *name;
	uint8_t key; /* the first byte; 0: none */
	const char *imei, *serial;
	enum status want;
	size_t index;
} clues[] = {
	{ "by imei, new key", 9, IMEI_ONE, "", STATUS_OK, 0 },
	{ "by serial, new key", 9, "", "S-3", STATUS_OK, 2 },
	{ "by both, new key", 9, IMEI_ONE, "S-1", STATUS_OK, 0 },
	{ "by imei, and a new serial", 9, IMEI_TWO, "S-9", STATUS_OK, 1 },
	{ "by key alone", 3, "", "", STATUS_OK, 2 },
	{ "by key, with new names", 2, "352099001761481", "S-9", STATUS_OK, 1 },
	{ "all of one terminal", 1, IMEI_ONE, "S-1", STATUS_OK, 0 },
	{ "no key asked for", 0, IMEI_TWO, "", STATUS_OK, 1 },
	{ "nothing at all", 0, "", "", STATUS_NOT_FOUND, 0 },
	{ "another key", 9, "", "", STATUS_NOT_FOUND, 0 },
	{ "other names", 9, "352099001761481", "S-9", STATUS_NOT_FOUND, 0 },
	{ "the beginning of a serial", 9, "", "S-", STATUS_NOT_FOUND, 0 },
	{ "imei and serial of two", 9, IMEI_ONE, "S-3", STATUS_CONFLICT, 0 },
	{ "imei of one, key of another", 2, IMEI_ONE, "", STATUS_CONFLICT, 0 },
	{ "serial of one, key of another", 1, "", "S-3", STATUS_CONFLICT, 0 },
};

START_TEST(found)
{
	const struct terminal terminals[] = { both, only_imei, only_serial };
	uint8_t key[TERMINAL_KEY_BYTES] = { clues[_i].key };
	const struct terminal_clue clue = {
		.peer_key = clues[_i].key ? key : NULL,
		.imei = clues[_i].imei,
		.serial = clues[_i].serial,
	};
	const char *why = NULL;
	size_t index = 77;

	enum status got =
	    terminal_find(terminals, nitems(terminals), &clue, &index, &why);
	ck_assert_msg(got == clues[_i].want, "%s: got '%s'", clues[_i].name,
	    status_text(got));
	ck_assert((why != NULL) == (got == STATUS_CONFLICT));
	if (got == STATUS_OK)
		ck_assert_uint_eq(index, clues[_i].index);
	ck_assert(terminal_find(terminals, 0, &clue, &index, &why) ==
		  STATUS_NOT_FOUND);
}
END_TEST

START_TEST(identifiers)
{
	struct terminal labelled = both, other = both;

	strcpy(labelled.label, "mine");
	labelled.peer_key[0] = 9;
	ck_assert(terminal_same_identifiers(&both, &labelled));
	strcpy(other.serial, "S-2");
	ck_assert(!terminal_same_identifiers(&both, &other));
	ck_assert(!terminal_same_identifiers(&both, &only_imei));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("terminal");
	TCase *described = tcase_create("D-01 what a terminal says of itself");
	TCase *changed = tcase_create("D-02 what changes, and which is meant");

	tcase_add_loop_test(described, new_ones, 0, (int)nitems(binds));
	tcase_add_test(described, identifiers);
	tcase_add_loop_test(changed, changed_ones, 0, (int)nitems(changes));
	tcase_add_loop_test(changed, found, 0, (int)nitems(clues));
	suite_add_tcase(suite, described);
	suite_add_tcase(suite, changed);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
