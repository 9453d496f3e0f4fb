#include "db/key.h"

#include "base/bounds.h"
#include "fuzz.h"

/* Whether ${a} comes before ${b}, which must be so for their keys too. */
static void check_order(struct slice a, struct slice b)
{
	static const struct id account = { { 1 } };
	struct key first, second;

	if (key_encode(&first, &account, 1, a) != STATUS_OK ||
	    key_encode(&second, &account, 1, b) != STATUS_OK)
		return;
	int keys = slice_compare(
	    slice_of(first.data, first.len), slice_of(second.data, second.len));
	int rows = slice_compare(a, b);
	must((keys < 0) == (rows < 0) && (keys > 0) == (rows > 0));
}

/*
 * A key of a row, as it is in the database.  The first byte says where a
 * second key begins, to compare it with.
 *
 * Must hold: what can be unescaped escapes to the same; keys have the order
 * of what they stand for; and a successor is behind its prefix.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct id account = { { 1 } };
	struct slice input = slice_of(data, len);
	struct slice other = take(&input, take_byte(&input));
	uint8_t *out = malloc(input.len + 1);
	struct key key, next;
	size_t out_len = 0;

	must(out);
	check_order(input, other);
	if (key_decode(out, &out_len, input) == STATUS_OK &&
	    key_encode(&key, &account, 1, slice_of(out, out_len)) ==
		STATUS_OK) {
		must(slice_equal(input, slice_of(key.data + KEY_HEAD_BYTES,
					    key.len - KEY_HEAD_BYTES)));
		next = key;
		must(key_successor(&next) == STATUS_OK);
		must(slice_compare(slice_of(next.data, next.len),
			 slice_of(key.data, key.len)) > 0);
	}
	free(out);
	return 0;
}
