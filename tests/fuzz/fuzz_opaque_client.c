#include "fuzz_opaque.h"

/*
 * What a terminal takes from a server, or from who claims to be one; the
 * first byte chooses which message.
 *
 * Must hold: a record that the terminal would send passes the server's
 * check.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct opaque_ends *ends = opaque_ends();
	struct slice input = slice_of(data, len);
	uint8_t record[OPAQUE_RECORD_BYTES], export_key[OPAQUE_KEY_BYTES];
	uint8_t ke3[OPAQUE_KE3_BYTES];
	struct opaque_login_keys keys;

	if (take_byte(&input) % 2 == 0) {
		if (opaque_registration_finish(record, export_key,
			&ends->registration, &opaque_fixed,
			ends->server.public_key, ends->password,
			input) == STATUS_OK)
			must(opaque_record_check(slice_of(
				 record, sizeof(record))) == STATUS_OK);
	} else {
		opaque_login_finish(ke3, &keys, &ends->login, &opaque_fixed,
		    ends->server.public_key, ends->password, input);
	}
	return 0;
}
