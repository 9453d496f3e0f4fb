#include "fuzz.h"

#include "../../lib/crypto/invitation.c"

/*
 * Invitations as somebody typed them.
 *
 * Must hold: what is read is of the alphabet, and reads as itself again.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t code[INVITATION_CODE_BYTES], again[INVITATION_CODE_BYTES];

	if (invitation_read(code, slice_of(data, len)) != STATUS_OK)
		return 0;
	for (size_t i = 0; i < sizeof(code); i++)
		must(memchr(alphabet, code[i], FIELD));
	must(invitation_read(again, slice_of(code, sizeof(code))) == STATUS_OK);
	must(memcmp(code, again, sizeof(code)) == 0);
	return 0;
}
