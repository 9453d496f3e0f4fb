#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* What is tested, with its private parts. */
#include "../../services/binding/binding_row.c"

static const struct {
	const char *name;
	uint8_t row[48];
	size_t len;
	enum status want;
} terminals[] = {
	{ "empty texts", { 0 }, 28, STATUS_OK },
	{ "an imei", { [25] = 3, '1', '2', '3' }, 31, STATUS_OK },
	{ "nothing", { 0 }, 0, STATUS_MALFORMED },
	{ "half a head", { 0 }, 24, STATUS_MALFORMED },
	{ "head only", { 0 }, 25, STATUS_MALFORMED },
	{ "one text missing", { 0 }, 27, STATUS_MALFORMED },
	{ "one byte more", { 0 }, 29, STATUS_MALFORMED },
	{ "imei past the end", { [25] = 5 }, 28, STATUS_MALFORMED },
	{ "imei too long", { [25] = 16 }, 48, STATUS_MALFORMED },
	{ "serial past the end", { [26] = 5 }, 28, STATUS_MALFORMED },
	{ "label past the end", { [27] = 1 }, 28, STATUS_MALFORMED },
};

START_TEST(terminal_rows)
{
	struct terminal read;
	enum status got = terminal_row_decode(
	    &read, slice_of(terminals[_i].row, terminals[_i].len));

	ck_assert_msg(got == terminals[_i].want, "%s: got '%s'",
	    terminals[_i].name, status_text(got));
}
END_TEST

#define CARD 0x98, 0x88, 0x12, 0x01, 0, 0, 0x50, 0x03, 0x80, 0xf2

static const struct {
	const char *name;
	uint8_t row[64];
	size_t len;
	enum status want;
} entries[] = {
	{ "no number, no data", { CARD }, 27, STATUS_OK },
	{ "data", { CARD }, 64, STATUS_OK },
	{ "number", { CARD, [26] = 2, '+', '1' }, 29, STATUS_OK },
	{ "nothing", { 0 }, 0, STATUS_MALFORMED },
	{ "half a head", { CARD }, 25, STATUS_MALFORMED },
	{ "head only", { CARD }, 26, STATUS_MALFORMED },
	{ "no card", { 0x12 }, 27, STATUS_MALFORMED },
	{ "number past the end", { CARD, [26] = 2 }, 28, STATUS_MALFORMED },
	{ "number too long", { CARD, [26] = 17 }, 64, STATUS_MALFORMED },
};

START_TEST(entry_rows)
{
	static struct entry read;
	enum status got =
	    entry_row_decode(&read, slice_of(entries[_i].row, entries[_i].len));

	ck_assert_msg(got == entries[_i].want, "%s: got '%s'", entries[_i].name,
	    status_text(got));
}
END_TEST

START_TEST(longest_rows)
{
	static struct entry entry = { .iccid = "89882110000005300811",
		.number = "+123456789012345",
		.first_save_ms = 1,
		.last_update_ms = UINT64_MAX,
		.data_len = ENTRY_DATA_BYTES_MAX };
	static struct entry read;
	struct terminal terminal = { .bound_ms = UINT64_MAX, .first = true };
	struct terminal read_terminal = { .bound_ms = 0 };
	static uint8_t plain[ENTRY_ROW_BYTES_MAX];
	uint8_t row[TERMINAL_ROW_BYTES_MAX];

	memset(entry.data, 0xab, entry.data_len);
	size_t len = entry_row_encode(plain, &entry);
	ck_assert_uint_eq(len, ENTRY_ROW_BYTES_MAX);
	ck_assert(entry_row_decode(&read, slice_of(plain, len)) == STATUS_OK);
	ck_assert_str_eq(read.iccid, entry.iccid);
	ck_assert_str_eq(read.number, entry.number);
	ck_assert_uint_eq(read.last_update_ms, UINT64_MAX);
	ck_assert_mem_eq(read.data, entry.data, entry.data_len);

	/* One byte of data more than fits is refused. */
	uint8_t *longer = calloc(1, len + 1);
	ck_assert_ptr_nonnull(longer);
	memcpy(longer, plain, len);
	ck_assert(entry_row_decode(&read, slice_of(longer, len + 1)) ==
		  STATUS_MALFORMED);
	free(longer);

	memset(terminal.imei, '1', IMEI_DIGITS);
	memset(terminal.serial, 's', TERMINAL_SERIAL_BYTES_MAX);
	memset(terminal.label, 'l', TERMINAL_LABEL_BYTES_MAX);
	len = terminal_row_encode(row, &terminal);
	ck_assert_uint_eq(len, TERMINAL_ROW_BYTES_MAX);
	ck_assert(terminal_row_decode(&read_terminal, slice_of(row, len)) ==
		  STATUS_OK);
	ck_assert_str_eq(read_terminal.label, terminal.label);
	ck_assert(read_terminal.first);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("binding_row");
	TCase *rows = tcase_create("D-01 D-09 plain rows");

	tcase_add_loop_test(rows, terminal_rows, 0, (int)nitems(terminals));
	tcase_add_loop_test(rows, entry_rows, 0, (int)nitems(entries));
	tcase_add_test(rows, longest_rows);
	suite_add_tcase(suite, rows);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
