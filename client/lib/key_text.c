#include "key_text.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

size_t key_text_bytes(
    const char *head, const struct key_field *fields, size_t count)
{
	size_t len = strlen(head) + 1;

	for (size_t i = 0; i < count; i++)
		len += strlen(fields[i].name) + 1 + 2 * fields[i].len + 1;
	assert(len <= KEY_TEXT_BYTES_MAX);
	return len;
}

/* Write ${text} and ${end} at ${at}; returns where the next one goes. */
static uint8_t *append(uint8_t *at, const char *text, char end)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	at[len] = (uint8_t)end;
	return at + len + 1;
}

void key_text_format(uint8_t *out, const char *head,
    const struct key_field *fields, size_t count)
{
	uint8_t *at = append(out, head, '\n');
	char hex[3];

	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = fields[i].bytes;
		at = append(at, fields[i].name, '=');
		for (size_t k = 0; k < fields[i].len; k++, at += 2) {
			hex_encode(hex, slice_of(&bytes[k], 1));
			memcpy(at, hex, 2);
		}
		*at++ = '\n';
	}
	sodium_memzero(hex, sizeof(hex));
}

/* Take ${text} and ${end} off the front of ${rest}. */
static bool take(struct slice *rest, const char *text, char end)
{
	size_t len = strlen(text);

	if (rest->len < len + 1 || memcmp(rest->data, text, len) != 0 ||
	    rest->data[len] != (uint8_t)end)
		return false;
	rest->data += len + 1;
	rest->len -= len + 1;
	return true;
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The same for ${len} bytes of hex with a newline behind. */
static bool take_hex(struct slice *rest, uint8_t *out, size_t len)
{
	char hex[3] = { 0 };
	bool good = rest->len > 2 * len && rest->data[2 * len] == '\n';

	for (size_t i = 0; good && i < len; i++) {
		memcpy(hex, rest->data + 2 * i, 2);
		good = is_hex((uint8_t)hex[0]) && is_hex((uint8_t)hex[1]) &&
		       hex_decode(out + i, 1, hex) == STATUS_OK;
	}
	sodium_memzero(hex, sizeof(hex));
	if (good) {
		rest->data += 2 * len + 1;
		rest->len -= 2 * len + 1;
	}
	return good;
}

enum status key_text_parse(struct slice text, const char *head,
    const struct key_field *fields, size_t count)
{
	bool good = take(&text, head, '\n');

	for (size_t i = 0; good && i < count; i++)
		good = take(&text, fields[i].name, '=') &&
		       take_hex(&text, fields[i].bytes, fields[i].len);
	return good && text.len == 0 ? STATUS_OK : STATUS_MALFORMED;
}
