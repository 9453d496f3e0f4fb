#include "base/log_json.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define DIGITS_MAX 15 /* more are not exact in every JSON reader */

/* A member while it is written; it is kept only where all of it fits. */
struct writer {
	char *out;
	size_t size, used;
	bool full;
};

static void put(struct writer *self, const char *bytes, size_t len)
{
	if (self->full || self->size - self->used < len) {
		self->full = true;
		return;
	}
	memcpy(self->out + self->used, bytes, len);
	self->used += len;
}

/* One byte of a text as JSON has it; ${clean}: the text is UTF-8. */
static void put_character(struct writer *self, unsigned char c, bool clean)
{
	char escaped[8];

	if (c == '"' || c == '\\') {
		put(self, "\\", 1);
		put(self, (const char *)&c, 1);
	} else if (c < ' ' || c == 0x7f) {
		snprintf(escaped, sizeof(escaped), "\\u%04x", c);
		put(self, escaped, 6);
	} else if (c >= 0x80 && !clean) {
		put(self, "\\ufffd", 6);
	} else {
		put(self, (const char *)&c, 1);
	}
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	return c != '\0' && at ? (int)(at - digits) : -1;
}

/* What log_quoted has made of one character; returns where the next is. */
static const char *unescape(const char *at, const char *end, unsigned char *out)
{
	*out = (unsigned char)*at;
	if (*at != '\\' || at + 1 == end)
		return at + 1;
	if (at[1] == 'x' && end - at >= 4 && hex_value(at[2]) >= 0 &&
	    hex_value(at[3]) >= 0) {
		*out =
		    (unsigned char)(hex_value(at[2]) * 16 + hex_value(at[3]));
		return at + 4;
	}
	*out = (unsigned char)at[1];
	return at + 2;
}

static void put_text(
    struct writer *self, const char *text, const char *end, bool escaped)
{
	bool clean = text_is_clean(slice_of(text, (size_t)(end - text)));

	put(self, "\"", 1);
	while (text < end) {
		unsigned char c = (unsigned char)*text;
		text = escaped ? unescape(text, end, &c) : text + 1;
		put_character(self, c, clean);
	}
	put(self, "\"", 1);
}

static bool is_number(const char *text, const char *end)
{
	if (end == text || end - text > DIGITS_MAX ||
	    (*text == '0' && end - text > 1))
		return false;
	for (; text < end; text++)
		if (!isdigit((unsigned char)*text))
			return false;
	return true;
}

/* The closing quote of what begins behind an opening one. */
static const char *find_quote(const char *text)
{
	while (*text && *text != '"')
		text += *text == '\\' && text[1] ? 2 : 1;
	return text;
}

/* Write the member that begins at ${at}; returns where the next one does. */
static const char *put_member(struct writer *self, const char *at)
{
	size_t key = 0;

	while (islower((unsigned char)at[key]) || at[key] == '_' ||
	       (key > 0 && isdigit((unsigned char)at[key])))
		key++;
	put(self, ",\"", 2);
	if (key == 0 || at[key] != '=') {
		put(self, "text\":", 6);
		put_text(self, at, at + strlen(at), false);
		return at + strlen(at);
	}
	put(self, at, key);
	put(self, "\":", 2);
	at += key + 1;
	bool quoted = *at == '"';
	at += quoted;
	const char *end = quoted ? find_quote(at) : at + strcspn(at, " ");
	if (!quoted && is_number(at, end))
		put(self, at, (size_t)(end - at));
	else
		put_text(self, at, end, quoted);
	return *end ? end + 1 : end;
}

size_t log_json_members(char *out, size_t size, const char *rest)
{
	struct writer writer = { .out = out, .size = size };

	while (*rest) {
		size_t whole = writer.used;
		writer.full = false;
		rest = put_member(&writer, rest);
		if (writer.full)
			writer.used = whole;
		while (*rest == ' ')
			rest++;
	}
	return writer.used;
}
