#include "crypto/invitation.h"

#include <sodium.h>
#include <string.h>

#define GROUP      5    /* characters before the dash */
#define POLYNOMIAL 0x25 /* x^5 + x^2 + 1 */
#define FIELD      32

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
_Static_assert(sizeof(alphabet) == FIELD + 1, "five bits each");

static unsigned int times_a(unsigned int number)
{
	number <<= 1;
	return number & FIELD ? number ^ POLYNOMIAL : number;
}

void invitation_make(char text_out[static INVITATION_TEXT_BYTES])
{
	unsigned int sum = 0;
	size_t at = 0;

	for (size_t i = 0; i < INVITATION_CODE_BYTES; i++) {
		unsigned int number = randombytes_uniform(FIELD);
		sum = times_a(sum);
		if (i + 1 == INVITATION_CODE_BYTES)
			number = sum;
		sum ^= number;
		if (i == GROUP)
			text_out[at++] = '-';
		text_out[at++] = alphabet[number];
	}
	text_out[at] = '\0';
}

/* The number of a character; FIELD where it is none. */
static unsigned int number_of(uint8_t character)
{
	static const uint8_t likenesses[] = "O0I1L1";

	if (character >= 'a' && character <= 'z')
		character = (uint8_t)(character - 'a' + 'A');
	for (size_t i = 0; likenesses[i]; i += 2)
		if (character == likenesses[i])
			character = likenesses[i + 1];
	const char *found = character ? strchr(alphabet, character) : NULL;
	return found ? (unsigned int)(found - alphabet) : FIELD;
}

enum status invitation_read(
    uint8_t out[static INVITATION_CODE_BYTES], struct slice text)
{
	unsigned int sum = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == ' ' || text.data[i] == '-')
			continue;
		unsigned int number = number_of(text.data[i]);
		if (number == FIELD || len == INVITATION_CODE_BYTES)
			return STATUS_MALFORMED;
		sum = times_a(sum) ^ number;
		out[len++] = (uint8_t)alphabet[number];
	}
	return len == INVITATION_CODE_BYTES && sum == 0 ? STATUS_OK
							: STATUS_MALFORMED;
}
