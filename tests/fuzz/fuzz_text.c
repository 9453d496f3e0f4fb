#include "base/text.h"

#include "base/log.h"
#include "fuzz.h"

static void numbers(const char *text, uint64_t max)
{
	char people[TEXT_SIZE_BYTES];
	uint64_t number;

	if (text_number(&number, text, max) == STATUS_OK)
		must(number <= max);
	if (text_duration(&number, text) == STATUS_OK)
		must(number <= INT64_MAX);
	if (text_size(&number, text) == STATUS_OK) {
		must(number <= INT64_MAX);
		must(strlen(text_of_size(people, number)) > 0);
	}
}

static void hex(const char *text)
{
	uint8_t bytes[ID_BYTES];
	char again[HEX_BYTES(ID_BYTES)];

	if (hex_decode(bytes, sizeof(bytes), text) != STATUS_OK)
		return;
	hex_encode(again, slice_of(bytes, sizeof(bytes)));
	must(strcasecmp(text, again) == 0);
}

/* Quoted, it is one word of one line, whatever it was. */
static void quoted(const char *text)
{
	char out[LOG_QUOTED_BYTES];
	size_t len = strlen(log_quoted(out, text));

	must(len >= 2 && len < sizeof(out));
	must(out[0] == '"' && out[len - 1] == '"');
	for (size_t i = 0; i < len; i++)
		must((uint8_t)out[i] >= ' ' && out[i] != 0x7f);
}

/*
 * Small texts: numbers, sizes, durations, hex, what is logged.  The first
 * eight bytes are the bound of the number.
 *
 * Must hold: numbers are within their bounds, hex is what it was, and clean
 * text has no control character.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice input = slice_of(data, len);
	uint64_t max = take_64(&input);
	char *text = text_of(input);

	numbers(text, max);
	hex(text);
	quoted(text);
	if (text_is_clean(input))
		for (size_t i = 0; i < input.len; i++)
			must(input.data[i] >= ' ' && input.data[i] != 0x7f);
	free(text);
	return 0;
}
