#include "crypto/auth_keys.h"
#include "fuzz.h"

/*
 * The file with auth's public keys.
 *
 * Must hold: there is a reason exactly where it is refused, and what is
 * accepted can be written and read again, to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = text_of(slice_of(data, len));
	char again[AUTH_PUBLIC_TEXT_BYTES];
	struct auth_public first, second;
	const char *why = NULL;

	enum status st = auth_public_parse(&first, text, &why);
	must((st == STATUS_OK) == !why);
	if (st == STATUS_OK) {
		auth_public_format(again, &first);
		must(auth_public_parse(&second, again, &why) == STATUS_OK);
		must(memcmp(&first, &second, sizeof(first)) == 0);
	}
	free(text);
	return 0;
}
