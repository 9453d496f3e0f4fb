#ifndef KEEPSAKE_CRYPTO_ENROLMENT_H
#define KEEPSAKE_CRYPTO_ENROLMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * The enrolment string: all that a terminal must be told to trust a server,
 *
 *   keepsake://host:port?g=…&x=…&o=…&a=…
 *
 * host  a name (RFC 1123), an IPv4 address, or an IPv6 address in brackets
 * port  1 to 65535, decimal
 * g     the gateway's CURVE public key
 * x     auth's X25519 public key, for envelopes
 * o     auth's OPAQUE public key
 * a     another gateway of this server, host:port or host:port,key; without a
 *       key it has that of g.  None to ENROLMENT_OTHERS_MAX of them.
 *
 * Keys are 32 bytes in base64url without padding (RFC 4648 clause 5).  The
 * parameters may stand in any order.  One that is not known is ignored where
 * its name begins with a lower-case letter, and refused where it begins with
 * an upper-case one.  No percent-encoding, no spaces.
 */

#define ENROLMENT_KEY_BYTES      32
#define ENROLMENT_HOST_BYTES_MAX 253
#define ENROLMENT_TEXT_BYTES     4096 /* the longest, with its NUL */
#define ENROLMENT_OTHERS_MAX     7

/** Where a gateway is met, and by which key it is known. */
struct enrolment_gateway {
	char host[ENROLMENT_HOST_BYTES_MAX + 1]; /* IPv6 in its brackets */
	uint16_t port;
	uint8_t key[ENROLMENT_KEY_BYTES];
};

struct enrolment {
	char host[ENROLMENT_HOST_BYTES_MAX + 1]; /* of the first gateway */
	uint16_t port;
	uint8_t gateway_key[ENROLMENT_KEY_BYTES];
	struct enrolment_gateway others[ENROLMENT_OTHERS_MAX];
	size_t others_count;
	uint8_t auth_x25519[ENROLMENT_KEY_BYTES];
	uint8_t auth_opaque[ENROLMENT_KEY_BYTES];
};

/**
 * Write ${enrolment} as text.
 *
 * STATUS_OK         ${text_out} has it, with a NUL
 * STATUS_MALFORMED  a host or port is none
 */
enum status enrolment_format(char text_out[static ENROLMENT_TEXT_BYTES],
    const struct enrolment *enrolment);

/**
 * Read ${text}, strictly.
 *
 * why_out  what is wrong, for people; static; NULL when nothing is
 *
 * STATUS_OK         ${out} is filled
 * STATUS_MALFORMED  as ${why_out} says; ${out} is untouched
 * STATUS_VERSION    a parameter that is critical and unknown; likewise
 */
enum status enrolment_parse(
    struct enrolment *out, const char *text, const char **why_out);

/**
 * Read "host:port", ${len} bytes, as the string has it.
 *
 * Returns NULL, or what is wrong; ${host_out} and ${port_out} are undefined
 * then.
 */
const char *enrolment_place_parse(
    char host_out[static ENROLMENT_HOST_BYTES_MAX + 1], uint16_t *port_out,
    const char *text, size_t len);

#endif
