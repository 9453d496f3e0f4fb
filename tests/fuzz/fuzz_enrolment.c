#include "crypto/enrolment.h"

#include <sodium.h>

#include "fuzz.h"

/*
 * The enrolment string, as a person pastes it or a camera reads it.
 *
 * Must hold: there is a reason exactly where it is refused, and a string
 * that is accepted can be written and read again, to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = text_of(slice_of(data, len));
	char first[ENROLMENT_TEXT_BYTES], second[ENROLMENT_TEXT_BYTES];
	struct enrolment enrolment, again;
	const char *why = NULL;

	must(sodium_init() >= 0);
	enum status st = enrolment_parse(&enrolment, text, &why);
	must((st == STATUS_OK) == !why);
	if (st == STATUS_OK) {
		must(enrolment_format(first, &enrolment) == STATUS_OK);
		must(enrolment_parse(&again, first, &why) == STATUS_OK);
		must(enrolment_format(second, &again) == STATUS_OK);
		must(strcmp(first, second) == 0);
	}
	free(text);
	return 0;
}
