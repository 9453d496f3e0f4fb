#ifndef KEEPSAKE_BASE_BYTES_H
#define KEEPSAKE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Borrowed bytes: somebody else owns them and says how long they live. */
struct slice {
	const uint8_t *data;
	size_t len;
};

/** Owned bytes that grow; all zero is empty and valid. */
struct bytes {
	uint8_t *data;
	size_t len;
	size_t capacity;
};

#define ID_BYTES 16 /* account, terminal, request and lease ids */

/** A random or assigned 128-bit id; all zero means none. */
struct id {
	uint8_t bytes[ID_BYTES];
};

/** A slice of ${len} bytes at ${data}. */
static inline struct slice slice_of(const void *data, size_t len)
{
	return (struct slice){ (const uint8_t *)data, len };
}

/** All of ${bytes} as a slice; good until ${bytes} changes. */
static inline struct slice bytes_slice(const struct bytes *bytes)
{
	return (struct slice){ bytes->data, bytes->len };
}

/** A slice of the text ${text}, without its NUL. */
struct slice slice_text(const char *text);

/** Whether both hold the same bytes.  Not for secrets: sodium_memcmp. */
bool slice_equal(struct slice a, struct slice b);

/** Order as memcmp, the shorter first where one is the other's prefix. */
int slice_compare(struct slice a, struct slice b);

/**
 * Make room for ${capacity} bytes in all.
 *
 * STATUS_OK        there is room; the contents are as they were
 * STATUS_NO_SPACE  no memory; ${self} is as it was
 */
enum status bytes_reserve(struct bytes *self, size_t capacity);

/** Replace the contents by a copy of ${source}; errors as bytes_reserve. */
enum status bytes_copy(struct bytes *self, struct slice source);

/** Append a copy of ${source}; errors as bytes_reserve. */
enum status bytes_append(struct bytes *self, struct slice source);

/** Wipe and free the contents; ${self} is empty and usable again. */
void bytes_clear(struct bytes *self);

/** Big-endian numbers in ${at}, which has room for them. */
void put_be16(uint8_t *at, uint16_t number);
void put_be32(uint8_t *at, uint32_t number);
void put_be64(uint8_t *at, uint64_t number);
uint16_t get_be16(const uint8_t *at);
uint32_t get_be32(const uint8_t *at);
uint64_t get_be64(const uint8_t *at);

#define HEX_BYTES(n) ((n)*2 + 1) /* room for n bytes as hex and a NUL */

/** Write ${source} as lower-case hex with a NUL to ${text}. */
void hex_encode(char *text, struct slice source);

/**
 * Read exactly ${len} bytes of hex, both cases, nothing else around them.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  another length or another character
 */
enum status hex_decode(uint8_t *out, size_t len, const char *text);

/** Whether every byte of ${id} is zero. */
bool id_is_none(const struct id *id);

bool id_equal(const struct id *a, const struct id *b);

/**
 * Read an id that a message carries.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  ${source} has not ID_BYTES bytes; ${out} is untouched
 */
enum status id_from(struct id *out, struct slice source);

#endif
