#ifndef KEEPSAKE_BUS_HEADER_H
#define KEEPSAKE_BUS_HEADER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/bytes.h"

/* The header of every message, proto/common.proto, as the code uses it. */

#define PROTOCOL_MAGIC 0x4b505331u /* "KPS1" */
#define PROTOCOL_MAJOR 1u
#define PROTOCOL_MINOR 0u

#define TYPE_PING         1u
#define TYPE_STATUS_QUERY 2u
#define TYPE_REPLY        3u
#define TYPE_ORDERS       4u
#define TYPE_AUDIT_READ   5u
#define TYPE_REKEY        6u
#define TYPE_COMPACT      8u
#define TYPE_BACKUP       9u
#define TYPE_VERIFY       10u

#define PEER_ID_BYTES      32
#define PEER_ADDRESS_BYTES 46 /* INET6_ADDRSTRLEN */
#define TICKET_BYTES_MAX   256

enum peer_kind { PEER_NOBODY, PEER_CURVE_KEY, PEER_HTTP_SESSION, PEER_CARD };

/** Who sent a request, as the gateway authenticated it. */
struct peer {
	enum peer_kind kind;
	uint8_t id[PEER_ID_BYTES];
	size_t id_len;
	char address[PEER_ADDRESS_BYTES];
};

struct header {
	struct id request;
	struct id account;
	struct id trace;
	uint32_t type;
	uint32_t deadline_ms;
	uint8_t ticket[TICKET_BYTES_MAX];
	size_t ticket_len;
	struct peer peer;

	enum status status; /* from here on: replies only */
	uint32_t retry_after_ms;
	uint32_t tries_remaining;
	uint64_t server_time_ms;
	char detail[DETAIL_BYTES_MAX + 1];
	bool stopping; /* the gateway is: another one may be asked at once */
};

/**
 * Read a header.
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  no header, another magic, no request id, a field of the
 *                   wrong length
 * STATUS_TOO_LARGE  more than HEADER_BYTES_MAX
 * STATUS_VERSION    a major version we do not speak, or an unknown critical
 *                   field; request and type are filled in, for the answer
 */
enum status header_unpack(struct header *out, struct slice bytes);

/** Append ${header}, encoded, to ${out}; errors as bytes_reserve. */
enum status header_pack(struct bytes *out, const struct header *header);

/** Put a text into detail, cut between two characters where it is too long. */
void header_detail(struct header *header, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void header_detail_args(
    struct header *header, const char *format, va_list args);

#endif
