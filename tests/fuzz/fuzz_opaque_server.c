#include "fuzz_opaque.h"

/*
 * What auth takes from terminals; the first byte chooses which message.
 *
 * Must hold: with a record that passes opaque_record_check every login is
 * answered, and nobody proves a password without it.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct opaque_ends *ends = opaque_ends();
	struct slice input = slice_of(data, len);
	unsigned int choice = take_byte(&input) % 4;
	struct slice ke1 = slice_of(ends->ke1, sizeof(ends->ke1));
	uint8_t response[OPAQUE_RESPONSE_BYTES], ke2[OPAQUE_KE2_BYTES];
	uint8_t fake[OPAQUE_RECORD_BYTES];
	const uint8_t seed[OPAQUE_SEED_BYTES] = { 2 };
	struct opaque_expected expected = { { 3 }, { 4 } };

	opaque_fake_record(fake, seed);
	switch (choice) {
	case 0:
		opaque_registration_respond(
		    response, &ends->server, ends->credential_id, input);
		break;
	case 1:
		if (opaque_record_check(input) == STATUS_OK)
			must(opaque_login_respond(ke2, &expected, &opaque_fixed,
				 &ends->server, ends->credential_id, input,
				 ke1) == STATUS_OK);
		break;
	case 2:
		opaque_login_respond(ke2, &expected, &opaque_fixed,
		    &ends->server, ends->credential_id,
		    slice_of(fake, sizeof(fake)), input);
		break;
	default:
		if (opaque_login_check(&expected, input) == STATUS_OK)
			must(slice_equal(input,
			    slice_of(expected.client_mac, OPAQUE_MAC_BYTES)));
		break;
	}
	return 0;
}
