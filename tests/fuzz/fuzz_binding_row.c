#include "../../services/binding/binding_row.h"
#include "fuzz.h"

static const uint8_t key[KEY_BYTES] = { 1 };
static const struct slice place = { (const uint8_t *)"place", 5 };

/* Seal a plain row and open it: it is the same. */
static void check_sealed(uint8_t table, struct slice plain)
{
	static uint8_t value[ROW_BYTES_MAX], opened[ROW_PLAIN_BYTES_MAX];
	size_t opened_len;
	size_t len = row_seal(value, key, table, place, plain);

	must(row_open(opened, &opened_len, key, table, place,
		 slice_of(value, len)) == STATUS_OK);
	must(slice_equal(slice_of(opened, opened_len), plain));
}

static void check_terminal(struct slice row)
{
	struct terminal terminal = { .first = false };
	uint8_t again[TERMINAL_ROW_BYTES_MAX];

	if (terminal_row_decode(&terminal, row) != STATUS_OK)
		return;
	/* A text with a NUL in it is cut there. */
	size_t len = terminal_row_encode(again, &terminal);
	must(len <= row.len);
	check_sealed(TABLE_TERMINALS, slice_of(again, len));
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
	check_sealed(TABLE_ENTRIES, slice_of(again, len));
}

/*
 * Damaged rows of binding: the first byte chooses a terminal, an entry, or
 * what is sealed.
 *
 * Must hold: what is read fits its place and can be written, and what nobody
 * has sealed does not open.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t plain[ROW_PLAIN_BYTES_MAX];
	struct slice input = slice_of(data, len);
	size_t plain_len;

	switch (take_byte(&input) % 3) {
	case 0:
		check_terminal(input);
		break;
	case 1:
		check_entry(input);
		break;
	default:
		must(row_open(plain, &plain_len, key, TABLE_TERMINALS, place,
			 input) != STATUS_OK);
		break;
	}
	return 0;
}
