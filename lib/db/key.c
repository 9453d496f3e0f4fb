#include "db/key.h"

#include <assert.h>
#include <string.h>

#define ESCAPE 0x01

enum status key_encode(
    struct key *out, const struct id *account, uint8_t table, struct slice key)
{
	size_t len = KEY_HEAD_BYTES;

	assert(table != 0);
	memcpy(out->data, account->bytes, ID_BYTES);
	out->data[ID_BYTES] = table;
	for (size_t i = 0; i < key.len; i++) {
		uint8_t byte = key.data[i];
		if (len + (byte <= ESCAPE ? 2 : 1) > sizeof(out->data))
			return STATUS_TOO_LARGE;
		if (byte <= ESCAPE) {
			out->data[len++] = ESCAPE;
			byte++;
		}
		out->data[len++] = byte;
	}
	out->len = len;
	return STATUS_OK;
}

enum status key_decode(uint8_t *out, size_t *len_out, struct slice escaped)
{
	size_t len = 0;

	for (size_t i = 0; i < escaped.len; i++) {
		uint8_t byte = escaped.data[i];
		if (byte < ESCAPE)
			return STATUS_MALFORMED;
		if (byte == ESCAPE) {
			if (++i == escaped.len)
				return STATUS_MALFORMED;
			byte = escaped.data[i];
			if (byte != ESCAPE && byte != ESCAPE + 1)
				return STATUS_MALFORMED;
			byte--;
		}
		out[len++] = byte;
	}
	*len_out = len;
	return STATUS_OK;
}

enum status key_successor(struct key *self)
{
	while (self->len > 0) {
		if (self->data[self->len - 1] != UINT8_MAX) {
			self->data[self->len - 1]++;
			return STATUS_OK;
		}
		self->len--;
	}
	return STATUS_NOT_FOUND;
}
