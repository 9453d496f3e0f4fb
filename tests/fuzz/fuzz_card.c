#include "card.h"

#include "fuzz.h"

/*
 * The data of a card as the server hands it out.
 *
 * Must hold: nothing opens that the account has not sealed; and these bytes,
 * sealed, open to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct account_keys keys = { .card = { 1 } };
	static const char iccid[] = "8988211000000530082";
	struct slice input = slice_of(data, len);
	struct bytes sealed = { 0 }, opened = { 0 };

	must(card_open(&opened, &keys, iccid, input) != STATUS_OK);
	if (card_seal(&sealed, &keys, iccid, input) == STATUS_OK) {
		must(sealed.len <= CARD_STORED_MAX);
		must(card_open(&opened, &keys, iccid, bytes_slice(&sealed)) ==
		     STATUS_OK);
		must(slice_equal(bytes_slice(&opened), input));
	}
	bytes_clear(&sealed);
	bytes_clear(&opened);
	return 0;
}
