#include "../../services/binding/binding_row.h"
#include "fuzz.h"

static void check_terminal(struct slice row)
{
	struct terminal terminal = { .first = false };
	uint8_t again[TERMINAL_ROW_BYTES_MAX];

	if (terminal_row_decode(&terminal, row) != STATUS_OK)
		return;
	/* A text with a NUL in it is cut there. */
	size_t len = terminal_row_encode(again, &terminal);
	must(len <= row.len);
	must(terminal_row_decode(&terminal, slice_of(again, len)) == STATUS_OK);
}

static void check_entry(struct slice row)
{
	static struct entry entry;
	static uint8_t again[ENTRY_ROW_BYTES_MAX];

	if (entry_row_decode(&entry, row) != STATUS_OK)
		return;
	size_t len = entry_row_encode(again, &entry);
	must(len <= row.len);
	must(memcmp(again, row.data, ENTRY_ROW_HEAD_BYTES) == 0);
	must(entry_row_decode(&entry, slice_of(again, len)) == STATUS_OK);
}

/*
 * Damaged rows of binding, opened: the first byte chooses a terminal or an
 * entry.
 *
 * Must hold: what is read fits its place, can be written, and read again.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);

	if (take_byte(&input) % 2 == 0)
		check_terminal(input);
	else
		check_entry(input);
	return 0;
}
