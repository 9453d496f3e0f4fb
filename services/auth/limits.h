#ifndef KEEPSAKE_AUTH_LIMITS_H
#define KEEPSAKE_AUTH_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/*
 * How often somebody may ask: a token bucket for each, which holds a
 * minute's worth and fills evenly.  Kept in memory; there are LIMITS_MAX, and
 * the one fullest makes room, which is what its owner would have anyway if
 * idle.
 */

#define LIMITS_MAX 65536

struct limits;

/**
 * per_minute  1 or more
 *
 * STATUS_OK        ${out} is the caller's
 * STATUS_NO_SPACE  no memory
 */
enum status limits_new(struct limits **out, uint64_t per_minute);
void limits_destroy(struct limits **self_p);

/**
 * Count one of ${who}, any bytes.
 *
 * now_ms        on clock_interval_ms
 * retry_ms_out  when it may ask again; untouched where it may now
 *
 * Returns whether it may; if not it is not counted.
 */
bool limits_take(struct limits *self, struct slice who, uint64_t now_ms,
    uint64_t *retry_ms_out);

#define SOURCE_BYTES_MAX 46 /* INET6_ADDRSTRLEN */

/** Who counts as one source; see source_of. */
struct source {
	uint8_t bytes[SOURCE_BYTES_MAX];
	size_t len;
};

/**
 * The source that an IP address belongs to: an IPv4 address by itself, also
 * as IPv6 has it (RFC 4291 clause 2.5.5.2), an IPv6 address with all of its
 * /64, which is what a customer gets.  What is no address is one by itself.
 */
void source_of(struct source *out, const char *address);

#endif
