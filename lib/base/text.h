#ifndef KEEPSAKE_BASE_TEXT_H
#define KEEPSAKE_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/**
 * Whether ${text} is UTF-8 (RFC 3629: shortest forms, no surrogates, at
 * most U+10FFFF) without control characters.
 */
bool text_is_clean(struct slice text);

/**
 * Read a whole decimal number of at most ${max}: digits only.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  empty, another character, or above ${max}
 */
enum status text_number(uint64_t *out, const char *text, uint64_t max);

/**
 * Read a size: a number with nothing, K, M, G or T behind it (powers of
 * 1024), at most INT64_MAX bytes.  Results as text_number.
 */
enum status text_size(uint64_t *out, const char *text);

/**
 * Read a duration into milliseconds: a number followed by ms, s, min, h or
 * d, at most INT64_MAX.  Results as text_number.
 */
enum status text_duration(uint64_t *out_ms, const char *text);

/**
 * Copy ${text} with its NUL to ${out}, which has room for ${size} bytes.
 * False, and ${out} is "", where it does not fit.
 */
bool text_copy(char *out, size_t size, const char *text);

#define TEXT_SIZE_BYTES 32

/** ${bytes} for people, "12.3 MiB", to ${out}; returns ${out}. */
const char *text_of_size(char out[static TEXT_SIZE_BYTES], uint64_t bytes);

#define TEXT_DURATION_BYTES 40

/**
 * ${duration_ms} for people, "57 min" or "1 h 5 min", to ${out}; never less
 * than it is.  Returns ${out}.
 */
const char *text_of_duration(
    char out[static TEXT_DURATION_BYTES], uint64_t duration_ms);

#endif
