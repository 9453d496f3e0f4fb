#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct slice slice_text(const char *text)
{
	return slice_of(text, strlen(text));
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t len = min_of(a.len, b.len);
	int order = len == 0 ? 0 : memcmp(a.data, b.data, len);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

enum status bytes_reserve(struct bytes *self, size_t capacity)
{
	if (capacity <= self->capacity)
		return STATUS_OK;
	size_t grown = max_of(capacity, self->capacity + self->capacity / 2);

	/* Not realloc: what moves must be wiped where it was. */
	uint8_t *data = malloc(grown);
	if (!data)
		return STATUS_NO_SPACE;
	size_t len = self->len;
	if (len > 0)
		memcpy(data, self->data, len);
	bytes_clear(self);
	self->data = data;
	self->len = len;
	self->capacity = grown;
	return STATUS_OK;
}

enum status bytes_copy(struct bytes *self, struct slice source)
{
	enum status st = bytes_reserve(self, source.len);

	if (st != STATUS_OK)
		return st;
	if (source.len > 0)
		memmove(self->data, source.data, source.len);
	self->len = source.len;
	return STATUS_OK;
}

enum status bytes_append(struct bytes *self, struct slice source)
{
	enum status st = bytes_reserve(self, self->len + source.len);

	if (st != STATUS_OK)
		return st;
	if (source.len > 0)
		memcpy(self->data + self->len, source.data, source.len);
	self->len += source.len;
	return STATUS_OK;
}

void bytes_clear(struct bytes *self)
{
	if (self->data) {
		/* All of it: it may have held more before. */
		explicit_bzero(self->data, self->capacity);
		free(self->data);
	}
	*self = (struct bytes){ 0 };
}

void put_be16(uint8_t *at, uint16_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

void put_be32(uint8_t *at, uint32_t number)
{
	put_be16(at, (uint16_t)(number >> 16));
	put_be16(at + 2, (uint16_t)number);
}

void put_be64(uint8_t *at, uint64_t number)
{
	put_be32(at, (uint32_t)(number >> 32));
	put_be32(at + 4, (uint32_t)number);
}

uint16_t get_be16(const uint8_t *at)
{
	return (uint16_t)((at[0] << 8) | at[1]);
}

uint32_t get_be32(const uint8_t *at)
{
	return ((uint32_t)get_be16(at) << 16) | get_be16(at + 2);
}

uint64_t get_be64(const uint8_t *at)
{
	return ((uint64_t)get_be32(at) << 32) | get_be32(at + 4);
}

void hex_encode(char *text, struct slice source)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < source.len; i++) {
		*text++ = digits[source.data[i] >> 4];
		*text++ = digits[source.data[i] & 15];
	}
	*text = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum status hex_decode(uint8_t *out, size_t len, const char *text)
{
	if (strlen(text) != len * 2)
		return STATUS_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return STATUS_MALFORMED;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return STATUS_OK;
}

bool id_is_none(const struct id *id)
{
	static const struct id none;

	return id_equal(id, &none);
}

bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->bytes, b->bytes, ID_BYTES) == 0;
}

enum status id_from(struct id *out, struct slice source)
{
	if (source.len != ID_BYTES)
		return STATUS_MALFORMED;
	memcpy(out->bytes, source.data, ID_BYTES);
	return STATUS_OK;
}
